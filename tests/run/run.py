#!/usr/bin/python3
"""Check profiles of `grpcprof run` and `attach`; run programs on a terminal.

  run.py cpu NAME GRPCPROF PROFILE [KEY=VALUE...]
      Was the CPU time sampled, and do the stacks reach a thread's start?
      sampled=0.98  least share of the CPU time that has samples
      whole=0.98    least share of the samples with a complete stack
      used=FILE     written by `edge -u`: the profile must account for that CPU
      lines=FILE    a Greeter's output: the same, by its last line
      roots=yes     check the stacks' outermost frames too
  run.py first NAME GRPCPROF PROFILE RE
      Does RE match the first function of the application?
  run.py loop NAME GRPCPROF PROFILE LINES RE
      Do the functions that match RE have, within 5%, the CPU time of the loops
      that the Greeter's last line in the file LINES gives?
  run.py lines NAME LINES CALLS
      Did a Greeter print what it prints alone, and count CALLS?
  run.py processes NAME GRPCPROF PROFILE NAME=N...
      Are at least N processes of each program NAME labelled?
  run.py pty NAME CMD...
      Start CMD on a terminal, type ^C once it says "ready": does it end as
      SIGINT ends a program?

Prints "ok NAME" and "FAIL NAME: WHY" lines.
"""
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

# Frames that are not of the program's stacks; [context switch] is the kernel's
# time for switching threads.
PSEUDO = ('[unsampled]', '[lost samples]', '[profiler]', '[context switch]')
# Outermost frames of a thread, also those of libc or the loader without names.
ROOTS = re.compile(r'(_start|__libc_start_\w+|main|start_thread|(__)?clone3?|'
                   r'_dl_\w+|thread_start|runtime\.(goexit|clone|mcall|'
                   r'mstart|systemstack|rt0_go|morestack|sigreturn)\b.*|'
                   r'\[?(libc|ld-linux|ld-musl|libpthread|vdso)\b.*)$')


def ok(name, good, why):
    print('ok ' + name if good else 'FAIL %s: %s' % (name, why))


def run(*argv):
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       timeout=100)
    if p.returncode:
        raise SystemExit('FAIL %s: %s: status %d: %s' % (
            sys.argv[2], ' '.join(argv[1:]), p.returncode,
            p.stderr.decode('utf-8', 'replace').strip()[-200:]))
    return p.stdout.decode('utf-8', 'replace')


def report(binary, *args):
    return json.loads(run(binary, 'report', '-q', '-f', 'json', *args))


def last_line(path):
    """The sums in the last line of a Greeter."""
    with open(path, encoding='utf-8') as f:
        lines = [s.split() for s in f if s.startswith('calls ')]
    if not lines:
        raise SystemExit('FAIL %s: %s has no sums' % (sys.argv[2], path))
    return {k: int(v) for k, v in zip(lines[-1][::2], lines[-1][1::2])}


def used_in(path):
    with open(path, encoding='utf-8') as f:
        words = [s.split() for s in f]
    return sum(int(w[1]) for w in words if w[0] == 'used')


def roots(name, binary, path, least):
    good = total = 0
    worst = {}
    for line in run(binary, 'report', '-q', '-f', 'folded', path).splitlines():
        stack, value = line.rsplit(' ', 1)
        root = stack.split(';')[0]
        if stack in PSEUDO:
            continue
        total += int(value)
        if ROOTS.match(root):
            good += int(value)
        else:
            worst[root] = worst.get(root, 0) + int(value)
    ok(name + ': stacks begin where threads do',
       total and good >= least * total,
       '%d of %d ns; others begin with %s' % (
           good, total, sorted(worst.items(), key=lambda x: -x[1])[:3]))


def cpu(name, binary, path, *limits):
    limit = dict(x.split('=', 1) for x in limits)
    r = report(binary, path)
    trust, notes = r['trust'], r['profile']['comments']
    flat = {}
    for f in r['functions']:
        flat[f['name']] = flat.get(f['name'], 0) + f['flat']
    total = r['profile']['total']
    process = int(notes.get('process_cpu_ns', 0))
    sampled = total - sum(flat.get(k, 0) for k in PSEUDO[:3])
    least = float(limit.get('sampled', .98))
    ok(name + ': CPU sampled', process and sampled >= least * process,
       '%d of %d ns (%.3f); %s' % (sampled, process, sampled / (process or 1), {
           k: flat[k] for k in PSEUDO if k in flat}))
    ok(name + ': no more CPU than was used',
       total <= 1.02 * process + 5e6, '%d, used %d ns' % (total, process))
    broken = trust['truncated'] + trust['unwind_failed']
    least = float(limit.get('whole', .98))
    ok(name + ': stacks are whole', trust['samples'] and
       broken <= (1 - least) * trust['samples'],
       '%d truncated, %d not unwound of %d' % (
           trust['truncated'], trust['unwind_failed'], trust['samples']))
    if limit.get('roots'):
        roots(name, binary, path, least)
    truth = used_in(limit['used']) if 'used' in limit else \
        last_line(limit['lines'])['cpu_ns'] if 'lines' in limit else None
    if truth is not None:
        # The program reads its clock before it ends; 3 ms are for the loader, 50 for
# its exit.
        ok(name + ': its own clock agrees',
           .99 * truth - 3e6 <= total <= 1.02 * truth + 5e7,
           'the profile accounts for %d ns, the program used %d' % (
               total, truth))


def first(name, binary, path, expression):
    # Its caller has the same total, and may have a self sample.
    found = [a['name'] for a in report(binary, path)['applications']][:2]
    ok(name + ': the program\'s function stands first',
       any(re.search(expression, f) for f in found),
       'no /%s/: %s' % (expression, found))


def loop(name, binary, path, lines, expression):
    r = report(binary, path)
    got = sum(f['flat'] for f in r['functions']
              if re.search(expression, f['name']))
    want = last_line(lines)['loop_ns']
    ok(name + ': the loop\'s CPU time is that which it summed itself',
       want and abs(got - want) <= .05 * want,
       '%d ns, want %d (%.3f)' % (got, want, got / (want or 1)))


def lines_of(name, path, calls):
    with open(path, encoding='utf-8') as f:
        said = f.read().splitlines()
    form = r'listening on 127\.0\.0\.1:\d+|calls \d+ loop_ns \d+ cpu_ns \d+'
    strange = [s for s in said if not re.fullmatch(form, s)]
    ok(name + ': prints what it prints alone', said and not strange,
       str(strange[:3]))
    got = last_line(path)['calls']
    ok(name + ': counts the calls', got == int(calls),
       '%d, want %s' % (got, calls))


def processes(name, binary, path, *wanted):
    text = run(binary, 'report', '-q', '-f', 'raw', path)
    labels = set(re.findall(r'process:\[([^\]]*)\]', text))
    for word in wanted:
        program, n = word.split('=')
        got = [x for x in labels if x.split('/')[0] == program]
        ok('%s: processes of %s' % (name, program), len(got) >= int(n),
           '%d, want %s, of %s' % (len(got), n, sorted(labels)[:8]))


def read_until(fd, text, seconds):
    """What the terminal shows, until it shows text or ends."""
    end, seen = time.monotonic() + seconds, b''
    while text not in seen and time.monotonic() < end:
        if not select.select([fd], [], [], 1)[0]:
            continue
        try:
            data = os.read(fd, 4096)
        except OSError:                 # the other side has closed it
            break
        if not data:
            break
        seen += data
    return seen


def terminal(name, *argv):
    pid, fd = pty.fork()
    if not pid:
        os.execvp(argv[0], argv)
    try:
        seen = read_until(fd, b'ready', 40)
        ok(name + ': starts on a terminal', b'ready' in seen, seen[-300:])
        os.write(fd, b'\x03')
        seen = read_until(fd, b'\0', 40)        # to its end
        for _ in range(200):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                break
            time.sleep(.1)
    finally:
        if not done:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    by_signal = done and os.WIFSIGNALED(status) and os.WTERMSIG(status) == 2
    by_exit = done and os.WIFEXITED(status) and os.WEXITSTATUS(status) == 130
    ok(name + ': ends as SIGINT ends a program', by_signal or by_exit,
       'status %#x, %s' % (status, seen[-300:]) if done else 'runs on')


COMMANDS = {'cpu': cpu, 'first': first, 'loop': loop, 'lines': lines_of,
            'processes': processes, 'pty': terminal}
if len(sys.argv) < 3 or sys.argv[1] not in COMMANDS:
    sys.exit(__doc__)
COMMANDS[sys.argv[1]](*sys.argv[2:])
