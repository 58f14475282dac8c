/* fuzz.c -- `grpcprof report` on what libFuzzer makes of profiles.
 *
 *   fuzz [libFuzzer's options] FOLDER...
 *
 * Each input is a file that is reported on, in one format after the other, in
 * all of them and with all filters in the end.  It must be read, or refused with
 * status 1 and one line that names it.
 */
#define main grpcprof_main
#include "../../grpcprof.c"
#undef main
#include <sanitizer/common_interface_defs.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
const char *__asan_default_suppressions(void);

static int fuzz_file, fuzz_errors, fuzz_stderr;
static struct report_args fuzz_fresh;    /* options as they are before any */
static char fuzz_path[32];

/* The options of one report after the other; what fuzz_path is is "@". */
static const char *const fuzz_options[][8] = {
    { "-f", "text", "--explain" }, { "-f", "md", "--all" },
    { "-f", "json" }, { "-f", "html" }, { "-f", "svg" },
    { "-f", "svg", "--base", "@", "--inverted" }, { "-f", "svg", "--reverse" },
    { "-f", "folded" }, { "-f", "pprof", "@" }, { "-f", "top", "--cum" },
    { "-f", "tree", "--base", "@", "--normalize" }, { "-f", "traces" },
    { "-f", "peek", "--peek", ".", "--cum" }, { "-f", "raw", "@" }, { "-f", "tags" },
    { "-f", "callgrind" }, { "-f", "speedscope" },
    { "-f", "json", "--base", "@", "--per-call=9" },
    { "-f", "top", "--by", "file", "--focus", "a", "--hide", "b" },
    { "-f", "traces", "--by", "line", "--show-from", "a" },
    { "-f", "tree", "--by", "address", "--prune-from", "a" },
    { "-f", "folded", "--by", "category", "--ignore", "e" },
    { "-f", "json", "@", "--focus", "a" }, { "-f", "html", "--by", "file" },
    { "-f", "text", "--by", "module", "--base", "@", "--tagleaf", "thread" },
    { "-f", "top", "--tagroot", "thread", "--tagleaf", "bytes" },
    { "-f", "tags", "--tagfocus", "bytes=1:9kb", "--tagignore", "k=x" },
    { "-f", "raw", "--show", "a", "--by", "module" }, { "--strict" },
};

/* ASan's own regexec looks for the end of a text of which REG_STARTEND has told
 * it. */
const char *__asan_default_suppressions(void)
{
    return "interceptor_name:regexec\n";
}

/* A file in memory, and where messages go. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    fuzz_file = memfd_create("profile", 0);
    fuzz_errors = memfd_create("errors", 0);
    fuzz_stderr = dup(STDERR_FILENO);
    fuzz_fresh = report_args;
    snprintf(fuzz_path, sizeof fuzz_path, "/dev/fd/%d", fuzz_file);
    __sanitizer_set_report_fd((void *)(intptr_t)fuzz_stderr);
    setenv("PATH", "/nonexistent", 1);  /* no c++filt: a process for each */
    return freopen("/dev/null", "w", stdout) ? 0 : 1;
}

/* Stop with what was said, where it is not one line with the file's name. */
static void fuzz_judge(int status)
{
    char text[4096];
    ssize_t n = pread(fuzz_errors, text, sizeof text - 1, 0);
    text[n < 0 ? 0 : n] = 0;
    char *end = strchr(text, '\n');
    if (status == 0 || (status == 1 && end && !end[1] &&
                        strstr(text, fuzz_path)) ||
        (status == 2 && strstr(text, "--peek: no function matches")))
        return;
    fprintf(stderr, "status %d: %s\n", status, text);
    abort();
}

/* One report on the file. */
static void fuzz_report(const char *const *option)
{
    char *argv[16] = { (char []){ "grpcprof" }, (char []){ "report" },
                       (char []){ "-q" }, fuzz_path };
    int argc = 4;
    for (int i = 0; i < 8 && option[i]; i++)
        argv[argc++] = strcmp(option[i], "@") ? strdup(option[i])
                                              : strdup(fuzz_path);
    if (ftruncate(fuzz_errors, 0) || lseek(fuzz_errors, 0, SEEK_SET))
        abort();
    dup2(fuzz_errors, STDERR_FILENO);
    report_args = fuzz_fresh;
    int status = grpcprof_main(argc, argv);
    fflush(stderr);
    dup2(fuzz_stderr, STDERR_FILENO);
    for (int i = 4; i < argc; i++)
        free(argv[i]);
    fuzz_judge(status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static size_t turn;
    enum { TURNS = sizeof fuzz_options / sizeof *fuzz_options };
    if (ftruncate(fuzz_file, 0) || lseek(fuzz_file, 0, SEEK_SET) ||
        write(fuzz_file, data, n) != (ssize_t)n)
        abort();
    fuzz_report(fuzz_options[turn++ % TURNS]);
    return 0;
}
