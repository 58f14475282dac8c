#!/usr/bin/env python3
"""What `make bench-serve` prints last: do all cores serve one connection, and
does a client with many streams slow down the others?

  pool.py USED [ROUNDS]    (7)      USED: tests/bench/used.c, built

One connection, 100 streams, work 50000; serve with -t 1 and with a loop for
each of two cores; the client on the same two.  S and C are the CPU per call of
the server with two loops and of its client: if the work could be split freely,
it would serve 2S / (S + C) times the calls per second of -t 1.

99 clients with one stream each, beside a client with 1,000 streams and without
it: the times are p50 and p99 of the 99."""
import json
import re
import subprocess
import sys
import time

USED = sys.argv[1]
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 7
LOAD = ['./grpcprof', 'load', '-q', '-t', '1', '-f', 'json']


class Server:
    def __init__(self, *args):
        self.p = subprocess.Popen(
            ['./grpcprof', 'serve', '-q', '-l', '127.0.0.1:0', '--debug',
             'off', *args], stdout=subprocess.PIPE, text=True)
        self.at = re.match(r'listening on (\S+)', self.p.stdout.readline())[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.p.terminate()
        self.p.wait()

    def used(self):
        time.sleep(0.03)
        return int(subprocess.check_output([USED, str(self.p.pid)]))

    def load(self, *args):
        """One run: what load says of it, with the server's CPU per call."""
        before = self.used()
        r = json.loads(subprocess.check_output(LOAD + list(args) + [self.at]))
        ok = r['counts']['ok']
        r['server_us'] = (self.used() - before) / ok / 1e3
        r['client_us'] = sum(t['cpu_ns'] for t in r['client']['threads']) \
            / ok / 1e3
        return r


def median(values):
    return sorted(values)[len(values) // 2]


def spread(values, form):
    return '%s (%s..%s)' % tuple(form % v for v in (
        median(values), min(values), max(values)))


def both_cores():
    shares, gains = [], []
    for _ in range(ROUNDS):
        rps = []
        for threads in '1', '2':
            with Server('-t', threads) as s:
                s.load('-c', '1', '-m', '100', '-d', '200ms')
                r = s.load('-c', '1', '-m', '100', '-d', '1s')
                rps.append(r['throughput']['rps_ok'])
        bound = 2 * r['server_us'] / (r['server_us'] + r['client_us'])
        gains.append(rps[1] / rps[0])
        shares.append(100 * rps[1] / rps[0] / bound)
    print('1 connection x 100 streams, work 50000: -t 2 serves %s times the '
          'calls of -t 1,\n%s %% of what the two cores allow' %
          (spread(gains, '%.2f'), spread(shares, '%.0f')))


def fair():
    times = {'without': [], 'with': []}
    with Server('--max-streams', '1000') as s:
        for _ in range(ROUNDS):
            for what, beside in times.items():
                other = None
                if what == 'with':
                    other = subprocess.Popen(
                        LOAD + ['-c', '1', '-m', '1000', '-d', '2s', s.at],
                        stdout=subprocess.DEVNULL)
                    time.sleep(0.5)
                p = s.load('-c', '99', '-d', '1s')['latency']['response'][
                    'percentiles']
                beside.append((p['50'] / 1e6, p['99'] / 1e6))
                if other:
                    other.wait()
    for what, beside in times.items():
        print('99 clients x 1 stream, %7s a client with 1,000: p50 %s ms, '
              'p99 %s ms' % (what, spread([b[0] for b in beside], '%.1f'),
                             spread([b[1] for b in beside], '%.1f')))


print('medians (min..max) of %d rounds' % ROUNDS)
both_cores()
fair()
