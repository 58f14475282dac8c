#!/usr/bin/python3
"""callgraph.py FILE.ci [FUNCTION BYTES]: may functions called *_sig call all
that they reach in gcc's call graph (-fcallgraph-info=su)?  Needs code built
without inlining: inlined calls are not in the graph.  With FUNCTION: does it
take at most BYTES of stack, with all that it calls?  Needs code with the usual
flags.  Prints "ok name" or "FAIL name: why"; exits 1 after a FAIL."""
import re
import sys

# They take no lock, allocate nothing and use no stream: signal-safety(7), and
# functions of memory.  grpcprof.c justifies backtrace() where it calls it.
# _dl_find_object() is AS-safe by glibc's manual.  getrusage() is only a system
# call.
ALLOWED = set('''clock_gettime getrusage syscall memcpy memmove memset memcmp raise signal
    __errno_location backtrace write _exit _dl_find_object'''.split())

# May call through a pointer: a function of struct unw_memory, only where self
# is not set.  Handlers walk their own process, by unw_self_memory_sig, which
# sets self and clears the pointers; the pointers are attach's, outside handlers.
# agt_pass_sig calls the program's own handler, as the kernel would have done.
POINTERS = set('''unw_read_sig unw_table_sig unw_code_sig unw_text_sig
    agt_pass_sig'''.split())

# Stack of a function of libc that handlers call; clock_gettime() takes most.
FOREIGN_BYTES = 160


def short(title):
    """The function's name, without the file that a static one carries."""
    return title.rsplit(':', 1)[-1]


def read(path):
    """The call graph: what each function calls, and its bytes of stack if it is
    defined; None if they are not bounded."""
    with open(path, encoding='utf-8') as f:
        text = f.read()
    calls, stack = {}, {}
    for title, label in re.findall(
            r'node: \{ title: "([^"]*)" label: "([^"]*)"', text):
        m = re.search(r'(\d+) bytes \(([a-z,]*)\)', label)
        if m:
            stack[title] = int(m[1]) if m[2] != 'dynamic' else None
    for a, b in re.findall(
            r'edge: \{ sourcename: "([^"]*)" targetname: "([^"]*)"', text):
        calls.setdefault(a, set()).add(b)
    return calls, stack


def unsafe(calls, defined, root):
    """Say what root reaches that it may not call."""
    seen, todo, why = {root}, [root], []
    while todo:
        at = todo.pop()
        for to in sorted(calls.get(at, ())):
            if to == '__indirect_call':
                if short(at) not in POINTERS:
                    why.append('%s: a call through a pointer' % short(at))
            elif to not in defined and short(to) not in ALLOWED and \
                    not short(to).startswith('__atomic_'):
                why.append('%s: %s' % (short(at), short(to)))
            elif to not in seen:
                seen.add(to)
                todo.append(to)
    return why


def deepest(calls, stack, at, above=()):
    """The bytes that at takes with all that it calls, and the path there."""
    if at in above or stack.get(at, 0) is None:
        return float('inf'), [short(at)]
    most, path = 0, []
    for to in calls.get(at, ()):
        if to == '__indirect_call':     # see POINTERS
            continue
        n, below = deepest(calls, stack, to, above + (at,))
        if n > most:
            most, path = n, below
    return stack.get(at, FOREIGN_BYTES) + most, [short(at)] + path


def check_stack(calls, stack, name, limit):
    """True if the function name takes more than limit bytes of stack."""
    found = [t for t in stack if short(t) == name]
    if len(found) != 1:
        print('FAIL stack of %s: %d functions' % (name, len(found)))
        return True
    n, path = deepest(calls, stack, found[0])
    print('%s stack of %s: %s of %d bytes, in %s' % (
        'ok  ' if n <= limit else 'FAIL', name, n, limit, ' '.join(path)))
    return n > limit


def main():
    calls, stack = read(sys.argv[1])
    if len(sys.argv) == 4:
        return check_stack(calls, stack, sys.argv[2], int(sys.argv[3]))
    roots = sorted(t for t in stack if short(t).endswith('_sig'))
    bad = len(roots) < 3
    if bad:
        print('FAIL finds the handlers: only', roots)
    for root in roots:
        why = unsafe(calls, stack, root)
        bad |= bool(why)
        if why:
            print('FAIL %s calls nothing unsafe: %s' % (short(root),
                                                        ', '.join(why)))
        else:
            print('ok   %s calls nothing unsafe' % short(root))
    return bad


sys.exit(main())
