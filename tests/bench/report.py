#!/usr/bin/python3
"""What `make bench-report` runs: report, pprof, inferno-flamegraph and
flamegraph.pl on the same profile, as whole processes.

  report.py GRPCPROF PROFILE...   ROUNDS=N rounds (11); the paths of the others
                                     are in PPROF, INFERNO and FLAMEGRAPH_PL;
                                     missing ones are left out
A profile of more than LARGE bytes has one round, of report and pprof only: on
the generated one of 150 MB pprof takes minutes.

In a round each program runs once; every second round is in reverse order.  Time
is wall time, cpu that of the process, memory its peak: medians with the least
and the most.  A ratio is the median of the rounds' ratios, with its 95%
interval.  inferno and flamegraph.pl read stacks that are folded already.
"""
import os
import shutil
import statistics
import sys
import tempfile
import time

BIN, PROFILES = sys.argv[1], sys.argv[2:]
ROUNDS = int(os.environ.get('ROUNDS', '11'))
LARGE = 10 << 20


def run(argv, source, out):
    """Seconds on the clock, seconds of CPU, MB at the peak, bytes written.
    Spawned, because a fork of this interpreter would be counted in them."""
    write = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    files = [(os.POSIX_SPAWN_OPEN, fd, name, how, 0o600) for fd, name, how in (
        (0, source, os.O_RDONLY), (1, out, write), (2, os.devnull, write))]
    start = time.monotonic()
    pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=files)
    _, status, use = os.wait4(pid, 0)
    took = time.monotonic() - start
    if status:
        sys.exit('bench-report: %s ends with %d' % (argv[0], status))
    return (took, use.ru_utime + use.ru_stime, use.ru_maxrss / 1024,
            os.path.getsize(out))


def interval(values):
    """Ends of the 95% interval of the median, by order statistics."""
    v = sorted(values)
    k = max(0, int((len(v) - 1.96 * len(v) ** .5) / 2 + .5) - 1)
    return v[k], v[-1 - k]


def commands(profile, folded):
    yield 'report -f top', [BIN, 'report', '-q', '-f', 'top', profile]
    if folded:
        yield 'report -f svg', [BIN, 'report', '-q', '-f', 'svg', profile]
    yield 'report', [BIN, 'report', '-q', profile]
    for name, key, argv in (
            ('pprof -top', 'PPROF', ['-symbolize=none', '-top', profile]),
            ('inferno-flamegraph', 'INFERNO', [folded]),
            ('flamegraph.pl', 'FLAMEGRAPH_PL', [folded])):
        path = os.environ.get(key)
        if key != 'PPROF' and not folded:
            continue
        if path:
            yield name, [path, *argv]
        else:
            print('goes on without %s' % name, file=sys.stderr)


def measure(profile):
    seen = {}
    large = os.path.getsize(profile) > LARGE
    rounds = 1 if large else ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        folded, out = None if large else folder + '/folded', folder + '/out'
        if large:
            print('%s: ONE round, as pprof takes minutes; BIG=no leaves it out'
                  % os.path.basename(profile), flush=True)
        else:
            run([BIN, 'report', '-q', '-f', 'folded', profile], os.devnull,
                folded)
        todo = list(commands(profile, folded))
        for r in range(0, rounds + 1):  # the first warms up
            for name, argv in todo[::-1 if r % 2 else 1]:
                if large and not r and 'pprof' in name:
                    continue
                figures = run(argv, os.devnull, out)
                if r:
                    seen.setdefault(name, []).append(figures)
        print('%s: %d bytes, rounds: %d, %d CPUs' % (
            os.path.basename(profile), os.path.getsize(profile), rounds,
            len(os.sched_getaffinity(0))))
    print('%-20s %26s %26s %18s %10s' % ('', 'seconds', 'CPU s', 'MB', 'bytes'))
    for name, rows in seen.items():
        clock, cpu, mb, size = zip(*rows)
        print('%-20s %26s %26s %18s %10d' % (name, *(
            form % (statistics.median(v), min(v), max(v)) for form, v in (
                ('%.4f (%.4f to %.4f)', clock), ('%.4f (%.4f to %.4f)', cpu),
                ('%.1f (%.1f to %.1f)', mb))), size[0]))
    print()
    for ours, theirs in (('report -f top', 'pprof -top'),
                         ('report', 'pprof -top'),
                         ('report -f svg', 'inferno-flamegraph'),
                         ('report -f svg', 'flamegraph.pl')):
        if theirs not in seen or ours not in seen:
            continue
        for at, what in ((0, 'time'), (1, 'CPU'), (2, 'memory'), (3, 'bytes')):
            ratios = [a[at] / b[at] for a, b in zip(seen[ours], seen[theirs])]
            print('%-14s to %-20s %-7s %.4f (%.4f to %.4f)' % (
                ours, theirs, what, statistics.median(ratios),
                *interval(ratios)))
    print()


for name in PROFILES:
    measure(name)
