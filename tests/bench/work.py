#!/usr/bin/python3
"""Does work in a handler cost what the work costs?

  work.py USED ROUNDS

Server CPU time per call at work 50,000, less the time that its handlers took by
the server's own clock (/metrics), is compared with that of a call at work 0:
the difference is what a long handler costs elsewhere in the server.  USED
prints the CPU time of a process in ns.  Runs of the two take turns; medians,
with their 95% intervals by the sign test.
"""
import json
import re
import statistics
import subprocess
import sys
import time
import urllib.request

USED, ROUNDS = sys.argv[1], int(sys.argv[2])
SHAPES = ('100x1', 50000), ('10x100', 100000), ('1x100', 100000)
RUNS = re.compile(r'^grpcprof_handler_runs_total{[^}]*"SayHello"} (\S+)$',
                  re.M)
CPU = re.compile(r'^grpcprof_handler_cpu_seconds_total{[^}]*"SayHello"} '
                 r'(\S+)$', re.M)


class Server:
    def __init__(self, work):
        self.process = subprocess.Popen(
            ['./grpcprof', 'serve', '-t', '1', '-l', '127.0.0.1:0',
             '--debug', '127.0.0.1:0', '-w', str(work)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().split()[-1]
        self.debug = None
        if work:
            while not self.debug:
                said = re.search(r'http://\S+?:\d+',
                                 self.process.stderr.readline())
                self.debug = said and said.group(0)

    def used(self):
        time.sleep(0.03)
        return int(subprocess.run([USED, str(self.process.pid)], check=True,
                                  capture_output=True, text=True).stdout)

    def handlers(self):
        """The number of timed runs of the handler, and their time in ns."""
        with urllib.request.urlopen(self.debug + '/metrics', timeout=10) as r:
            text = r.read().decode()
        runs, cpu = RUNS.search(text), CPU.search(text)
        if not runs:
            return 0, 0
        return float(runs.group(1)), float(cpu.group(1)) * 1e9

    def run(self, shape, calls):
        """CPU time of a call in us, and of its handler."""
        clients, streams = shape.split('x')
        runs, cpu = self.handlers() if self.debug else (0, 0)
        before = self.used()
        out = subprocess.run(
            ['./grpcprof', 'load', '-q', '-t', '1', '-c', clients, '-m',
             streams, '-N', str(calls), '-f', 'json', self.address],
            check=True, capture_output=True, text=True).stdout
        if json.loads(out)['counts']['ok'] != calls:
            sys.exit('bench-work: failed calls')
        used = (self.used() - before) / calls / 1000
        if not self.debug:
            return used, 0
        more, taken = self.handlers()
        return used, (taken - cpu) / (more - runs) / 1000

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


def interval(v):
    """The median, and its interval by the sign test where rounds allow it."""
    v = sorted(v)
    n, tail, k = len(v), 0.5 ** len(v), 0
    while tail <= 0.025:
        k += 1
        tail += 0.5 ** n * comb(n, k)
    if k == 0:
        return '%.2f' % statistics.median(v)
    return '%.2f (%.2f to %.2f)' % (statistics.median(v), v[k - 1], v[n - k])


def comb(n, k):
    out = 1
    for i in range(k):
        out = out * (n - i) // (i + 1)
    return out


def main():
    idle, busy = Server(0), Server(50000)
    print('us of server CPU time a call, %d rounds' % ROUNDS)
    print('%-8s %14s %14s %14s   %s' % ('shape', 'work 0', 'work 50000',
                                         'its handler', 'rest less work 0'))
    for shape, calls in SHAPES:
        rows = []
        for i in range(ROUNDS):
            none, _ = idle.run(shape, calls)
            used, handler = busy.run(shape, calls // 4)
            rows.append((none, used, handler, used - handler - none))
        none, used, handler, rest = zip(*rows)
        print('%-8s %14.2f %14.2f %14.2f   %s   %s' % (
            shape, statistics.median(none), statistics.median(used),
            statistics.median(handler), interval(rest),
            'at most 1: ok' if statistics.median(rest) <= 1 else 'MORE THAN 1'))
    idle.stop()
    busy.stop()


main()
