# layout.awk -- is grpcprof.c laid out as its first comment says?  POSIX awk.
#   awk -f layout.awk [-v stats=1] grpcprof.c
# Prints "file:line: rule: text" for each finding and exits 1 if there is one;
# stats=1 adds a line on the lengths of the functions.
#
#   toc       the contents table equals the banners: number, name, order
#   banner    each says for, uses, owns, spec, prefix and runs; uses names
#             sections above
#   uses      a section uses the functions, types, constants, macros and
#             variables of its own and of the sections that its banner names.
#             LIMITS' constants belong to the sections in the heading above
#             them (/* ---- MEM, GZ ---- */); those under "all" are anybody's
#   prefix    a function carries its section's prefix; gp_ is API's alone
#   order     no prototypes, main is last
#   comment   a comment stands above every function
#   section   2,200 lines at most
#   length    60 lines at most; main 25
#   goto      to out, nowhere else
#   quiet     only a section that owns stdout prints or exits (a child of SYS
#             after fork and a signal handler may _exit)
#   alloc     only MEM allocates and frees
#   banned    functions that do not know how long their output is
#   signal    a _sig function calls nothing that locks, allocates or prints
#   agent     AGT, which runs in programs of others, names only LIMITS, RING, UNW
#             and EXEC; none of its functions, nor of the sections above it,
#             locks, allocates or prints; outside of its handler it may map
#             memory, and UNW sorts an index that it does not use
#   text      80 columns, ASCII, no tabs, no trailing blanks
#
# First every line is read into code[] (comments and literals blanked) and
# note[] (does it carry a comment); then the banners; then the code, with a
# count of braces that starts again in each branch of an #if: what each line
# defines goes to home[] and tag[], the function it is in to within[].  Last,
# each word is looked up in these.

BEGIN {
    set(banned, "strcpy strcat sprintf vsprintf atoi atol atoll atof strtok" \
        " gets")
    set(talks, "printf fprintf vprintf vfprintf dprintf vdprintf puts fputs" \
        " putchar putc fputc perror exit _exit _Exit quick_exit abort" \
        " err errx warn warnx verr vwarn psignal")
    set(allocs, "malloc calloc realloc reallocarray free strdup strndup" \
        " asprintf vasprintf posix_memalign aligned_alloc memalign" \
        " open_memstream getline getdelim alloca")
    set(unsafe, "malloc calloc realloc free printf fprintf sprintf snprintf" \
        " vsnprintf dprintf puts fputs fopen fclose fread fwrite fflush" \
        " strdup strerror strsignal exit syslog dlopen dlsym dladdr" \
        " localtime getenv setenv qsort pthread_create pthread_join" \
        " pthread_cond_wait pthread_cond_signal pthread_once assert" \
        " backtrace_symbols mmap munmap")
    set(of_agent, "LIMITS RING UNW EXEC")
    set(agent_may, "dlsym mmap munmap getenv qsort")
    set(keys, "for uses owns spec prefix runs")
    set(words, "if while for switch return sizeof defined _Alignof typeof" \
        " __typeof__ _Atomic _Static_assert static_assert do else case")
}

{ raw[FNR] = $0; file = FILENAME; lines = FNR }

END {
    for (i = 1; i <= lines; i++)
        lex(i)
    contents()
    for (i = 1; i <= lines; i++)
        if (raw[i] ~ /^\/\* =+ [0-9]+ [A-Z][A-Z0-9]* =*/)
            banner(i)
    compare()
    agent_uses()
    for (i = 1; i <= lines; i++) {
        text(i)
        if (i in start)
            sec = start[i]
        group(i)
        if (directive(i))
            macro(i)
        else {
            within[i] = infn ? fn : ""
            types(i)
            feed(i)
            if (within[i] == "")
                within[i] = opened
        }
    }
    if (infn || depth != 0)
        bad(lines, "order", "braces do not balance at the end of the file")
    sec = ""
    for (i = 1; i <= lines; i++) {
        if (i in start)
            sec = start[i]
        scan(i, within[i])
    }
    spare()
    if (nfn && !mainline)
        bad(lines, "order", "no main()")
    if (stats)
        lengths_told()
    exit found > 0
}

function bad(line, rule, what)
{
    printf "%s:%d: %s: %s\n", file, line, rule, what
    found++
}

# Make the words of list keys of the array a.
function set(a, list,    n, k, w)
{
    n = split(list, w, " ")
    for (k = 1; k <= n; k++)
        a[w[k]] = 1
}

function ends(s, t) { return substr(s, length(s) - length(t) + 1) == t }

# Take the comments and the insides of literals out of line i.
function lex(i,    s, out, c, at)
{
    s = raw[i]
    out = ""
    while (s != "") {
        if (incomment) {
            note[i] = 1
            at = index(s, "*/")
            if (!at)
                break
            incomment = 0
            s = substr(s, at + 2)
            out = out " "
            continue
        }
        if (instring) {                 # a literal cut by a backslash-newline
            instring = 0
            s = "\"" s
            out = substr(out, 1, length(out) - 2)
        }
        if (!match(s, /["'\/]/)) {
            out = out s
            break
        }
        out = out substr(s, 1, RSTART - 1)
        s = substr(s, RSTART)
        c = substr(s, 1, 1)
        if (c == "/" && substr(s, 2, 1) == "*") {
            incomment = note[i] = 1
            s = substr(s, 3)
        } else if (c == "/" && substr(s, 2, 1) == "/") {
            note[i] = 1
            break
        } else if (c == "\"") {
            out = out "\"\""
            if (match(s, /^"([^"\\]|\\.)*"/))
                s = substr(s, RLENGTH + 1)
            else {
                instring = ends(s, "\\")
                break
            }
        } else if (c == "'" && match(s, /^'([^'\\]|\\.)+'/)) {
            out = out "0"
            s = substr(s, RLENGTH + 1)
        } else {
            out = out c
            s = substr(s, 2)
        }
    }
    code[i] = out
}

# Is there nothing but comment on line i?
function pure(i) { return note[i] && code[i] ~ /^[ ]*$/ }

# Read the table in the first comment of the file.
function contents(    i, f)
{
    for (i = 1; i <= lines && !note[i]; i++)
        ;
    for (; i <= lines && note[i]; i++) {
        if (raw[i] ~ /^ \* +[0-9]+ +[A-Z][A-Z0-9]*( |$)/) {
            split(raw[i], f, " ")
            toc[++ntoc] = f[2] " " f[3]
            tocline[ntoc] = i
        }
        if (index(raw[i], "*/"))
            break
    }
}

# Read the banner that starts on line i.
function banner(i,    f, name, key, k, v, at, seen)
{
    split(raw[i], f, " ")
    name = f[4]
    at = i
    if (name in number)
        bad(i, "banner", "a second section " name)
    order[++nsec] = f[3] " " name
    line_of[nsec] = i
    number[name] = nsec
    start[i] = name
    key = ""
    split("", seen)
    for (i++; i <= lines && raw[i] !~ /^ ?\*\//; i++) {
        if (raw[i] ~ /^ \* *$/)
            break
        if (match(raw[i], /^ \* [a-z]+  +[^ ]/)) {
            split(raw[i], f, " ")
            key = f[2]
            v = raw[i]
            sub(/^ \* [a-z]+ +/, "", v)
        } else if (key != "" && raw[i] ~ /^ \*     +[^ ]/) {
            v = raw[i]
            sub(/^ \* +/, "", v)
            v = seen[key] " " v
        } else
            break
        sub(/ *\*\/$/, "", v)
        seen[key] = v
        if (index(raw[i], "*/"))
            break
    }
    for (k in keys)
        if (seen[k] == "")
            bad(at, "banner", name " does not say '" k "'")
    split(seen["prefix"], f, " ")
    if (f[1] ~ /^[a-z][a-z0-9]*_$/) {
        if (f[1] in secof)
            bad(at, "banner", name " and " secof[f[1]] " share " f[1])
        prefix[name] = f[1]
        secof[f[1]] = name
    } else if (seen["prefix"] != "" && f[1] != "none" && f[1] != "-")
        bad(at, "banner", name " has a prefix '" f[1] "': want xx_ or none")
    see(name, at, seen["uses"])
    if (seen["owns"] ~ /stdout/)
        loud[name] = 1
}

# Note which sections section name may call.
function see(name, at, list,    f, n, k, w)
{
    n = split(list, f, /[ ,.]+/)
    for (k = 1; k <= n; k++) {
        w = f[k]
        if (w == "" || w == "nothing" || w == "none" || w == "-")
            continue
        if (w == "all")
            sees_all[name] = 1
        else if (w ~ /^[A-Z][A-Z0-9]*$/ && w in number && w != name)
            sees[name, w] = 1
        else
            bad(at, "banner", name " uses '" w "', no section above it")
    }
}

# Compare the table with the banners, and look at the sections' lengths.
function compare(    k, f)
{
    if (!ntoc)
        bad(1, "toc", "no contents table in the first comment")
    line_of[nsec + 1] = lines + 1
    for (k = 1; k <= nsec; k++) {
        split(order[k], f, " ")
        if (line_of[k + 1] - line_of[k] > 2200)
            bad(line_of[k], "section", f[2] " has " \
                line_of[k + 1] - line_of[k] " lines, 2200 at most")
    }
    for (k = 1; k <= nsec || k <= ntoc; k++) {
        if (order[k] != toc[k])
            bad(k <= nsec ? line_of[k] : tocline[k], "toc", "the table says '" \
                toc[k] "' where the banner says '" order[k] "'")
        split(k <= nsec ? order[k] : toc[k], f, " ")
        if (f[1] != k "")
            bad(k <= nsec ? line_of[k] : tocline[k], "toc", "number " f[1] \
                " stands in place " k)
    }
}

# What can be said of a line without understanding it.
function text(i,    s)
{
    s = raw[i]
    if (length(s) > 80)
        bad(i, "text", length(s) " columns")
    if (s ~ /[ \t]$/)
        bad(i, "text", "trailing blank")
    if (index(s, "\t"))
        bad(i, "text", "tab")
    gsub(/\t/, "", s)
    if (s ~ /[^ -~]/)
        bad(i, "text", "not ASCII")
}

# Is line i the preprocessor's?  Each branch of an #if starts from the same
# count of braces.
function directive(i,    s, yes)
{
    s = code[i]
    yes = continued || s ~ /^[ ]*#/
    if (yes && !continued) {
        if (s ~ /^[ ]*# *if/) {
            saved[++nif] = depth
            saved_in[nif] = infn
        } else if (s ~ /^[ ]*# *el/ && nif) {
            depth = saved[nif]
            infn = saved_in[nif]
        } else if (s ~ /^[ ]*# *endif/ && nif)
            nif--
    }
    continued = yes && ends(raw[i], "\\")
    return yes
}

# Follow the braces of line i; opened is the function that begins on it.
function feed(i,    s, c, at)
{
    opened = ""
    s = code[i]
    while (s != "") {
        if (!match(s, depth ? "[{}]" : "[{};]")) {
            if (!depth)
                head_add(i, s)
            return
        }
        at = RSTART                     # head_add() matches too
        if (!depth)
            head_add(i, substr(s, 1, at - 1))
        c = substr(s, at, 1)
        s = substr(s, at + 1)
        if (c == "{") {
            if (!depth && head_name() != "" && ends(head, ")"))
                fn_open()
            depth++
        } else if (c == "}" && depth) {
            if (--depth == 0) {
                if (infn)
                    fn_close(i)
                else
                    head = head "{}"
            }
        } else {
            if (head_name() != "" && ends(head, ")"))
                bad(headline, "order", "a prototype of " head_name() "()")
            else
                variable(head)
            head = ""
            headline = 0
        }
    }
}

# What stands before a { or ; at file level, without attributes.
function head_add(i, s)
{
    if (s ~ /^[ ]*$/)
        return
    if (!headline)
        headline = i                    # attributes above count
    head = head " " s
    while (match(head, /__attribute__ *\(\(([^()]|\([^()]*\))*\)\)/))
        head = substr(head, 1, RSTART - 1) substr(head, RSTART + RLENGTH)
    gsub(/_Alignas *\([^()]*\)/, "", head)
    sub(/[ ]+$/, "", head)
}

# The function that head declares, or "".
function head_name(    name)
{
    if (head ~ /=|\{\}|^ *typedef/)
        return ""
    if (!match(head, /[A-Za-z_][A-Za-z0-9_]* *\([^*]/))
        return ""
    name = substr(head, RSTART, RLENGTH - 2)
    if (RSTART < 3 || name in words || name !~ /[a-z]/)
        return ""
    sub(/ *\(?$/, "", name)
    return name
}

function fn_open()
{
    infn = 1
    fn = opened = head_name()
    fnline = headline
    head = ""
    headline = 0
    if (mainline)
        bad(fnline, "order", fn "() stands after main()")
    if (fn == "main")
        mainline = fnline
    else if (sec == "")
        bad(fnline, "prefix", fn "() stands before the first banner")
    else if (sec in prefix && index(fn, prefix[sec]) != 1)
        bad(fnline, "prefix", fn "() in " sec " wants " prefix[sec])
    define(fn)
    if (above(fnline - 1) == "")
        bad(fnline, "comment", "none above " fn "()")
}

function fn_close(i,    n)
{
    n = i - fnline + 1
    infn = 0
    lengths[++nfn] = n
    if (n > longest) {
        longest = n
        longest_fn = fn
    }
    if (fn == "main" && n > 25)
        bad(fnline, "length", "main() has " n " lines, 25 at most")
    else if (n > 60)
        bad(fnline, "length", fn "() has " n " lines, 60 at most")
}

# The comment that ends on line j, directives skipped; "" if there is none or
# it is a banner.
function above(j,    s)
{
    while (j > 0 && code[j] ~ /^[ ]*#/)
        j--
    if (j < 1 || !pure(j))
        return ""
    if (raw[j] ~ /^ *\/\//)
        return raw[j]
    for (s = ""; j > 0 && pure(j); j--) {
        s = raw[j] "\n" s
        if (j in start)
            return ""
        if (raw[j] ~ /^ *\/\*/)
            return s
    }
    return ""
}

# Note that the section at hand defines name; in LIMITS those of the heading.
function define(name)
{
    if (sec == "" || name == "main")
        return
    home[name] = sec
    if (sec == "LIMITS")
        limit[name] = heading
}

# Take the heading on line i, if it is one of LIMITS'.
function group(i,    f, n, k)
{
    if (i in start)
        heading = ""
    if (sec != "LIMITS" || raw[i] !~ /^\/\* ---- [A-Za-z0-9, ]+ ---- \*\/$/)
        return
    heading = raw[i]
    gsub(/^\/\* ---- | ---- \*\/$/, "", heading)
    n = split(heading, f, /, */)
    for (k = 1; k <= n; k++)
        if (f[k] != "all" && !(f[k] in number))
            bad(i, "uses", "LIMITS has constants of '" f[k] "', no section")
}

# Note the macro that the directive on line i defines.
function macro(i,    f)
{
    if (code[i] ~ /^ *# *define +[A-Za-z_]/) {
        split(code[i], f, /[^A-Za-z0-9_]+/)
        constant(i, f[f[1] == "" ? 3 : 2])
    }
}

# Note a macro or an enum's constant; one of LIMITS has a heading.
function constant(i, name)
{
    define(name)
    if (sec == "LIMITS" && heading == "")
        bad(i, "uses", name " stands under no heading")
}

# Note the struct, union and enum tags that line i defines, and the constants
# of an enum at file level.
function types(i,    s, f, n, k)
{
    s = code[i]
    while (match(s, /(struct|union|enum) +[A-Za-z_][A-Za-z0-9_]* *\{/)) {
        n = split(substr(s, RSTART, RLENGTH - 1), f, " ")
        if (sec != "")
            tag[f[n]] = sec
        s = substr(s, RSTART + RLENGTH)
    }
    s = code[i]
    if (!inenum && !infn &&
        match(" " s, /[^A-Za-z0-9_]enum [A-Za-z0-9_ ]*\{/)) {
        inenum = 1
        s = substr(s, RSTART + RLENGTH - 1)
    }
    if (!inenum)
        return
    if (index(s, "}")) {
        inenum = 0
        s = substr(s, 1, index(s, "}") - 1)
    }
    while (match(s, /\([^()]*\)/))
        s = substr(s, 1, RSTART - 1) substr(s, RSTART + RLENGTH)
    n = split(s, f, ",")
    for (k = 1; k <= n; k++)
        if (match(f[k], /^ *[A-Za-z_][A-Za-z0-9_]* *($|=)/)) {
            gsub(/ *=.*| /, "", f[k])
            constant(i, f[k])
        }
}

# Note the variables, or the type, that the declaration s at file level makes.
function variable(s,    f, n, k)
{
    sub(/=.*/, "", s)
    if (s ~ /^ *typedef/)
        sub(/\([^*].*/, "", s)          # of a function
    while (match(s, /\[[^][]*\]/))
        s = substr(s, 1, RSTART - 1) substr(s, RSTART + RLENGTH)
    if (match(s, /\( *\* *[A-Za-z_][A-Za-z0-9_]* *\)/)) {
        s = substr(s, RSTART, RLENGTH)
        gsub(/[^A-Za-z0-9_]/, "", s)
        define(s)
        return
    }
    n = split(s, f, ",")
    for (k = 1; k <= n; k++)
        if (match(f[k], /[ *][A-Za-z_][A-Za-z0-9_]* *$/) &&
            f[k] !~ /^ *(struct|union|enum) +[A-Za-z0-9_]+ *$/) {
            f[k] = substr(f[k], RSTART + 1)
            sub(/ *$/, "", f[k])
            define(f[k])
        }
}

# Look at each word of line i; in_fn is the function it is in, or "".
function scan(i, in_fn,    s, id, pre, is_call, is_tag)
{
    s = code[i]
    is_tag = 0
    while (match(s, /[A-Za-z_][A-Za-z0-9_]*/)) {
        pre = substr(s, 1, RSTART - 1)
        id = substr(s, RSTART, RLENGTH)
        s = substr(s, RSTART + RLENGTH)
        if (id == "goto" && s !~ /^ +out *;/)
            bad(i, "goto", "to something other than out")
        if (is_tag && (id in tag))
            use(i, "struct " id, tag[id])
        is_tag = id == "struct" || id == "union" || id == "enum"
        if (pre ~ /(\.|->) *$/ || (id in words))
            continue
        is_call = s ~ /^ *\(/
        if (id in home)
            use(i, id (is_call ? "()" : ""), home[id], limit[id])
        if (is_call)
            call(i, id, in_fn)
    }
}

# Section sec uses on line i the thing what of section to; those of LIMITS that
# of are whose constant it is.
function use(i, what, to, of,    f, n, k)
{
    if (sec == "" || sec == to || sec == "LIMITS" || of == "all")
        return
    used[sec, to] = 1
    if (to == "API" && what ~ /^gp_.*\(\)$/ && number[sec] < number[to])
        bad(i, "prefix", what " is called above API")
    else if (to != "LIMITS") {
        if (!((sec, to) in sees) && !sees_all[sec])
            once(i, what, to)
    } else {
        n = split(of, f, /, */)
        for (k = 1; k <= n; k++)
            used[sec, f[k]] = 1
        for (k = 1; k <= n; k++)
            if (f[k] == sec || sees_all[sec] || ((sec, f[k]) in sees))
                return
        once(i, what, f[1])
    }
}

# Report the sections that a banner names in vain.
function spare(    k, f, name, to)
{
    for (k = 1; k <= nsec; k++) {
        split(order[k], f, " ")
        name = f[2]
        for (to in number)
            if (((name, to) in sees) && !((name, to) in used))
                bad(line_of[k], "uses", \
                    name " names " to " and uses nothing of it")
    }
}

# Report the sections that AGT names and may not.
function agent_uses(    to)
{
    for (to in number)
        if ((("AGT", to) in sees) && !(to in of_agent))
            bad(line_of[number["AGT"]], "agent", "AGT names " to)
}

# Report once that section sec uses what and does not name section to.
function once(i, what, to)
{
    if (!told[sec, what]++)
        bad(i, "uses", sec " uses " what " and does not name " to)
}

# Line i, in function in_fn of section sec, calls id.
function call(i, id, in_fn)
{
    if (id in banned)
        bad(i, "banned", id "()")
    if (id in talks && !loud[sec] && !(id == "_exit" &&
        (sec == "SYS" || ends(in_fn, "_sig"))))
        bad(i, "quiet", id "() where the banner does not own stdout")
    if (id in allocs && sec != "MEM")
        bad(i, "alloc", id "() outside MEM")
    if (!(id in unsafe) && id !~ /(^|_)(try|un|rd|wr|timed|spin)?lock(_|$)/)
        return
    if (ends(in_fn, "_sig"))
        bad(i, "signal", in_fn "() calls " id "()")
    if (in_fn != "" && ("AGT" in number) && number[sec] <= number["AGT"] &&
        !(id in agent_may))
        bad(i, "agent", in_fn "() calls " id "()")
}

function lengths_told(    k, m, v)
{
    for (k = 2; k <= nfn; k++) {
        v = lengths[k]
        for (m = k - 1; m > 0 && lengths[m] > v; m--)
            lengths[m + 1] = lengths[m]
        lengths[m + 1] = v
    }
    printf "%d lines, %d sections, %d functions: median %d lines, " \
        "p90 %d, longest %d (%s)\n", lines, nsec, nfn, \
        lengths[int((nfn + 1) / 2)], lengths[int((nfn * 9 + 9) / 10)], \
        longest, longest_fn
}
