#!/usr/bin/python3
"""Compare the CPU time of a handler by samples with the server's own clock.

    clock.py GRPCPROF [ROUNDS] [SECONDS]

For each engine and number of clients, ROUNDS profiles of SECONDS each: the CPU
time per call of svc_hello, with all that it calls, by samples, divided by
handler_cpu_ns per timed run, which is in the same profile's comments.  Both
measure the same code, which parses, works and answers.  Prints the mean ratio
of the rounds and its 95% interval by Student's t.  A cell is good if the ratio
differs from 1 by at most 3%, or by at most half its interval plus the report's
bound of the timing error.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile

PROGRAM = os.path.abspath(sys.argv[1])
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 8
SECONDS = float(sys.argv[3]) if len(sys.argv) > 3 else 2
ENGINES, CLIENTS = ('perf', 'thread'), (1, 2, 10, 100)
METHOD = './helloworld.Greeter/SayHello'
T975 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23)


class Server:
    def __init__(self, engine):
        self.process = subprocess.Popen(
            [PROGRAM, 'serve', '-t', '1', '-l', '127.0.0.1:0', '--debug',
             '127.0.0.1:0', '-w', '50000', '--timer', engine],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().split()[-1]
        self.debug = None
        while not self.debug:
            line = self.process.stderr.readline()
            if not line:
                sys.exit('clock: serve --timer %s has ended' % engine)
            if '/debug/pprof' in line:
                self.debug = line.split('http://')[1].split('/')[0]

    def window(self, clients, path):
        """Ratio, ns per timed run, and relative bound of the timing error."""
        subprocess.run(
            [PROGRAM, 'load', '-q', '-t', '1', '-c', str(clients), '-d',
             '%gs' % SECONDS, '--profile=' + self.debug, '--profile-out', path,
             self.address], check=True, stdout=subprocess.DEVNULL, timeout=60)
        report = json.loads(subprocess.run(
            [PROGRAM, 'report', '-q', '-f', 'json', path], check=True,
            stdout=subprocess.PIPE, timeout=60).stdout)
        said = report['profile']['comments']
        own = (float(said['handler_cpu_ns' + METHOD]) /
               float(said['handler_runs' + METHOD]))
        hello = next(f for f in report['functions'] if f['name'] == 'svc_hello')
        share = hello['cum'] / float(said['cpu_ns'])
        timing = report['trust'].get('timing') or 0
        return (hello['cum'] / float(said['requests' + METHOD]) / own, own,
                timing / share)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


def main():
    servers = {e: Server(e) for e in ENGINES}
    seen = {(e, c): [] for e in ENGINES for c in CLIENTS}
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for i in range(ROUNDS):
            for c in CLIENTS:
                for e in ENGINES:
                    seen[e, c].append(servers[e].window(
                        c, os.path.join(folder, 'window.pb')))
    for s in servers.values():
        s.stop()
    print('CPU time of a handler by samples over that by the server\'s clock\n'
          'engine  clients  us by clock  ratio  95% interval     timing bound')
    for (e, c), rows in seen.items():
        ratios, own, timing = zip(*rows)
        mean = statistics.mean(ratios)
        half = 0
        if ROUNDS > 1:
            half = (T975[min(ROUNDS - 2, len(T975) - 1)] *
                    statistics.stdev(ratios) / ROUNDS ** 0.5)
        bound = statistics.mean(timing)
        off = abs(mean - 1)
        said = ('within 3%' if off <= 0.03 else
                'within its interval' if off <= half else
                'within its bound' if off <= half + bound else 'FAIL')
        bad += said == 'FAIL'
        print('%-6s  %7d  %11.2f  %5.3f  %.3f to %.3f   +-%.3f  %s' % (
            e, c, statistics.mean(own) / 1000, mean, mean - half, mean + half,
            bound, said))
    sys.exit(bad > 0)


main()
