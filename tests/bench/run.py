#!/usr/bin/python3
"""What `make bench-run` runs: what `grpcprof run` and `attach` cost a program.

  run.py GRPCPROF DEEP [PART...]   parts: sample start cpu attach (all of them)
  ROUNDS=N   rounds of each part, instead of its own number of them
  LIVES=N    sample, cpu: how often all programs are restarted (4)

sample  extra CPU time of the program per sample, by run and by perf record
start   time from the start of a process to its main
cpu     CPU time of a server per call, with run's defaults and without
attach  p99 latency and CPU time per call, while attach samples and while not

In sample and cpu there is a process of the program for each way to profile it.
In a round each of them does the same work, one after the other; every second
round is in reverse order.  Figures are compared within a round, and are medians
of the rounds, with the median's 95% interval by the sign test.  The servers are
called by `grpcprof load -t 1`.  A missing one is named and left out.
"""
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

BIN, DEEP = sys.argv[1:3]
PARTS = sys.argv[3:] or ['sample', 'start', 'cpu', 'attach']
LIVES = int(os.environ.get('LIVES', '4'))
DIR = tempfile.mkdtemp()
HERE = os.path.dirname(os.path.abspath(__file__))
QUIET = {'stdout': subprocess.DEVNULL, 'stderr': subprocess.DEVNULL}


def rounds_of(part):
    own = {'sample': 160, 'start': 30, 'cpu': 60, 'attach': 20}
    return int(os.environ.get('ROUNDS', own[part]))


def figure(values, form='%.2f'):
    """The median and the ends of its interval, if there are enough values."""
    v, k, p, tail = sorted(values), 0, 0.5 ** len(values), 0
    while 2 * (tail + p) <= 0.05:
        tail, k = tail + p, k + 1
        p *= (len(v) - k + 1) / k
    text = form % statistics.median(v)
    return text if k == 0 else '%s [%s %s]' % (text, form % v[k - 1],
                                               form % v[-k])


def used(pid):
    """CPU time of process pid, with its ended threads, in seconds."""
    return time.clock_gettime_ns(~pid << 3 | 2) / 1e9


def tool(name):
    """Path of a foreign program, or None."""
    made = subprocess.run(['sh', HERE + '/../tools/tool.sh', name],
                          capture_output=True, text=True)
    return made.stdout.strip() or None


def say(text):
    print(text, flush=True)


class Program:
    """A program, started by the command words of a profiler, or alone."""

    def __init__(self, argv, before=(), **more):
        self.err = tempfile.TemporaryFile(dir=DIR)
        self.first = subprocess.Popen(
            [*before, *argv], stdout=subprocess.PIPE, stderr=self.err,
            text=True, **more)
        self.profiler = self.first.pid if before else None
        self.line = self.first.stdout.readline()
        if not self.line:
            self.err.seek(0)
            sys.exit('bench-run: %s: %s' % (' '.join([*before, *argv]),
                                            self.err.read().decode()))
        self.pid = self.first.pid
        if before:
            with open('/proc/%d/task/%d/children' % (self.pid, self.pid)) as f:
                self.pid = int(f.read().split()[0])
        self.used = used(self.pid)
        self.profiler_used = used(self.profiler) if before else 0

    def end(self):
        """End the program, after noting its CPU time and the profiler's: that of
        finding names and writing files is not part of the samples."""
        self.used = used(self.pid)
        if self.profiler:
            self.profiler_used = used(self.profiler) - self.profiler_used
        os.kill(self.pid, signal.SIGTERM)
        self.first.stdout.read()
        self.first.wait()


class Deep(Program):
    def __init__(self, before=()):
        super().__init__([DEEP], before, stdin=subprocess.PIPE)

    def work(self):
        """Do one unit of work; return its CPU time."""
        self.first.stdin.write('.')
        self.first.stdin.flush()
        return int(self.first.stdout.readline()) / 1e9


class Server(Program):
    def __init__(self, argv, before=(), clients=4, calls=5000):
        super().__init__(argv, before)
        self.address = self.line.split()[-1]
        self.calls = calls
        self.load = [BIN, 'load', '-q', '-t', '1', '-f', 'json', '-c',
                     str(clients)]

    def called(self, *limit):
        """Run load, without a time limit; return its result."""
        made = subprocess.run([*self.load, *limit, self.address],
                              capture_output=True, text=True)
        result = json.loads(made.stdout)
        if result['counts']['failed'] or not result['counts']['ok']:
            sys.exit('bench-run: calls failed: ' + made.stderr)
        return result

    def work(self):
        """Make the calls; return their CPU time."""
        before = used(self.pid)
        self.called('-N', str(self.calls))
        time.sleep(0.03)                # for what the calls left to do
        return used(self.pid) - before


def in_turn(programs, rounds, values):
    """Run rounds of work of programs; add times to values, a list for each."""
    for p in programs:                  # to warm up
        p.work()
        p.work()
    for i in range(rounds):
        order = range(len(programs))
        now = {k: programs[k].work() for k in (order if i % 2 else
                                               reversed(order))}
        for k in order:
            values[k].append(now[k])


# ---- sample ----

def samples_of(path, by):
    """How many samples a profile has that `run` or `perf` wrote."""
    if by == 'run':
        text = subprocess.run([BIN, 'report', '-q', '-f', 'json', path],
                              capture_output=True, text=True).stdout
        return int(re.search(r'"trust":{.*?"samples":(\d+)', text,
                             re.S).group(1))
    script = subprocess.run(['perf', 'script', '-F', 'tid', '-G', '-i', path],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return script.stdout.count(b'\n')


def profilers():
    """Yield (name, program that writes the profile, command words that precede
    the program, without the profile's path)."""
    run = [BIN, 'run', '-q', '--svg', 'none', '-o']
    yield 'run', 'run', run
    yield 'run --timer perf --hz 1000', 'run', [
        *run[:2], '--timer', 'perf', '--hz', '1000', *run[2:]]
    if not shutil.which('perf'):
        say('no perf here')
        return
    perf = ['perf', 'record', '-q', '-e', 'cpu-clock', '-F', '1000', '-o']
    yield 'perf record -g', 'perf', [*perf[:2], '-g', *perf[2:]]
    yield 'perf record --call-graph dwarf', 'perf', [
        *perf[:2], '--call-graph', 'dwarf', *perf[2:]]


def sample(name, start, rounds):
    ways = list(profilers())
    values = [[] for _ in range(len(ways) + 1)]
    taken, spent, beside = ([0] * len(ways) for _ in range(3))
    for life in range(LIVES):
        paths = ['%s/%d' % (DIR, i) for i in range(len(ways))]
        programs = [start()] + [start([*w[2], p, '--'])
                                for w, p in zip(ways, paths)]
        in_turn(programs, rounds // LIVES, values)
        for p in programs:
            p.end()
        for i, w in enumerate(ways):
            taken[i] += samples_of(paths[i], w[1])
            spent[i] += programs[i + 1].used
            beside[i] += programs[i + 1].profiler_used
            os.unlink(paths[i])
    say('\nextra CPU time per sample, in us: %s, %d rounds' % (name, rounds))
    say('%-32s %-20s %10s %10s' % ('', 'of the program', 'profiler',
                                   'samples'))
    for i, w in enumerate(ways):
        each = [(b - a) / b * spent[i] / taken[i] * 1e6
                for a, b in zip(values[0], values[i + 1])]
        say('%-32s %-20s %10.1f %10d' % (
            w[0], figure(each, '%.1f'), beside[i] / taken[i] * 1e6, taken[i]))


def part_sample():
    sample('20 frames of its own', Deep, rounds_of('sample'))
    path = tool('grpccpp')
    if path:
        sample('grpc C++, 10 clients', lambda before=(): Server(
            [path, '-port', '0', '-work', '20000'], before, 10, 8000),
            rounds_of('sample') // 4)
    else:
        say('no grpc C++ here')


# ---- start ----

def part_start():
    n = rounds_of('start')
    run = [BIN, 'run', '-q', '--svg', 'none', '-o', DIR + '/start.pb', '--']
    took = {'without': [], 'run': []}
    for i in range(n + 2):
        for key in sorted(took, reverse=i % 2):
            began = time.monotonic_ns()
            made = subprocess.run(
                [*(run if key == 'run' else []), DEEP], capture_output=True,
                text=True, stdin=subprocess.DEVNULL)
            if i > 1:
                took[key].append((int(made.stdout) - began) / 1e6)
    say('\nstart of a process to its main, in ms: median of %d' % n)
    for key, v in took.items():
        say('%-10s %-22s most %.2f' % (key, figure(v), max(v)))


# ---- cpu ----

def servers():
    """Yield (name, command words, clients, calls per run) of each server."""
    yield 'serve', [BIN, 'serve', '-q', '-w', '500', '-t', '1',
                            '--debug', 'off', '-l', '127.0.0.1:0'], 1, 8000
    for name, key, work, clients, calls in (
            ('grpc C++', 'grpccpp', 0, 4, 6000),
            ('tonic', 'tonic', 0, 4, 8000),
            ('tonic, sleepy', 'tonic', 0, 1, 5000),
            ('tonic, busy', 'tonic', 1000000, 2, 300),
            ('grpc-go', 'grpcgo', 0, 4, 5000)):
        path = tool(key)
        if path:
            yield name, [path, '-port', '0', '-work', str(work)], clients, calls
        else:
            say('no %s here' % name)
    if subprocess.run(['/usr/bin/python3', '-c', 'import grpc'],
                      **QUIET).returncode == 0:
        yield 'python', ['/usr/bin/python3', HERE + '/../run/greeter.py',
                         '100'], 4, 600
    else:
        say('no grpc for python here')


WAYS = {'run': [], '250 Hz, perf': ['--timer', 'perf', '--hz', '250'],
        '1,000 Hz, perf': ['--timer', 'perf', '--hz', '1000']}


def part_cpu():
    rounds = rounds_of('cpu')
    say('\nCPU time per call, in us, and its ratio: %d rounds' % rounds)
    say('%-15s %-15s %10s  %-22s %s' % ('', '', 'us a call', 'ratio',
                                        'of run itself'))
    for name, argv, clients, calls in servers():
        if name == 'grpc-go':           # a static program: not preloaded
            continue
        ways = WAYS if ', ' in name else {'run': []}
        values, own = [[] for _ in range(len(ways) + 1)], [0] * len(ways)
        for _ in range(LIVES):
            programs = [Server(argv, before, clients, calls) for before in (
                [], *([BIN, 'run', '-q', *w, '--svg', 'none', '-o',
                       '/dev/null', '--'] for w in ways.values()))]
            in_turn(programs, rounds // LIVES, values)
            for p in programs:
                p.end()
            for i, p in enumerate(programs[1:]):
                own[i] += p.profiler_used / p.used / LIVES
        for i, way in enumerate(['without', *ways]):
            say('%-15s %-15s %10.2f  %s' % (
                '' if i else name, way,
                statistics.median(values[i]) / calls * 1e6,
                '%-22s %.1f%%' % (figure(
                    [y / x for x, y in zip(values[0], values[i])], '%.3f'),
                    own[i - 1] * 100) if i else ''))


# ---- attach ----

def attached(pid, work):
    """The result of work() while attach samples process pid, and the CPU time
    that attach took, in seconds."""
    err = open(DIR + '/attach.err', 'w+')
    a = subprocess.Popen([BIN, 'attach', '-d', '600s', '--svg', 'none', '-o',
                          DIR + '/attach.pb', str(pid)],
                         stdout=subprocess.DEVNULL, stderr=err)
    while 'sampling' not in open(err.name).read():
        if a.poll() is not None:
            sys.exit('bench-run: attach: ' + open(err.name).read())
        time.sleep(0.02)
    time.sleep(0.2)
    before = used(a.pid)
    result = work()
    own = used(a.pid) - before
    a.send_signal(signal.SIGINT)
    a.wait()
    return result, own


def part_attach():
    rounds = rounds_of('attach')
    say('\nattach, at 30 %% of the calls that the server can answer: %d rounds '
        'of 2 s' % rounds)
    say('%-10s %8s  %-10s %8s %8s  %-20s %s' % (
        '', 'calls/s', '', 'without', 'attach', 'ratio', 'of attach itself'))
    for name, argv, clients, _ in servers():
        if name not in ('grpc C++', 'grpc-go', 'python'):
            continue
        s = Server(argv, clients=clients)
        s.called('-d', '1s')
        rate = int(0.3 * s.called('-d', '2s')['throughput']['rps_ok'])

        def work():
            began = used(s.pid)
            r = s.called('-r', str(rate), '-d', '2s')
            at = r['latency']['response']['percentiles']
            return (at['50'] / 1e3, at['99'] / 1e3,
                    (used(s.pid) - began) / r['counts']['ok'] * 1e6)

        values, own = [[], []], []
        for i in range(rounds):
            for k in (0, 1) if i % 2 else (1, 0):
                if k == 0:
                    values[0].append(work())
                else:
                    result, ns = attached(s.pid, work)
                    values[1].append(result)
                    own.append(ns / 2)
                time.sleep(0.2)
        s.end()
        for j, what in enumerate(('p50 us', 'p99 us', 'CPU us')):
            a, b = ([v[j] for v in values[k]] for k in (0, 1))
            say('%-10s %8s  %-10s %8.1f %8.1f  %-20s %s' % (
                '' if j else name, '' if j else rate, what,
                statistics.median(a), statistics.median(b),
                figure([y / x for x, y in zip(a, b)]), '' if j else
                '%.1f%% of a CPU' % (statistics.median(own) * 100)))


try:
    for part in PARTS:
        globals()['part_' + part]()
finally:
    shutil.rmtree(DIR)
