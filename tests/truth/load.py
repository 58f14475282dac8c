#!/usr/bin/python3
"""Compare results of load: of an unchanged server, and of one with a worse p99.

    load.py GRPCPROF [PAIRS] [SECONDS]

The server has two kinds of calls: SayHello, and 2% that wait for 40 to 60 ms
before they are answered, so that p99 is the median of these.  PAIRS times: two
equal runs of SECONDS, and one in which that wait is 30% longer; each is compared
with the first.  At most one equal pair of ten may have a significant figure, and
at least nine of ten others must find p99 to be worse.
"""
import json
import os
import subprocess
import sys
import tempfile

PROGRAM = os.path.abspath(sys.argv[1])
PAIRS = int(sys.argv[2]) if len(sys.argv) > 2 else 40
SECONDS = float(sys.argv[3]) if len(sys.argv) > 3 else 3


def mix(path, times):
    with open(path, 'w', encoding='ascii') as f:
        f.write('245 helloworld.Greeter/SayHello {"name":"a"}\n')
        for ms in 40, 45, 50, 55, 60:
            f.write('1 grpc.testing.TestService/StreamingOutputCall {"response_'
                    'parameters":[{"size":1,"interval_us":%d}]}\n'
                    % (1000 * ms * times))
    return path


def run(to, plan, path):
    subprocess.run([PROGRAM, 'load', '-q', '-t', '1', '-c', '10', '-d',
                    '%gs' % SECONDS, '--mix', plan, '-o', path, to],
                   check=True, timeout=60)
    return path


def compare(old, now):
    """The figures that are significant, and all."""
    told = json.loads(subprocess.run(
        [PROGRAM, 'report', '-q', '-f', 'json', '--base', old, now],
        check=True, stdout=subprocess.PIPE, timeout=60).stdout)['compare']
    told.pop('methods')                 # of a mix, without a test
    return {k for k, v in told.items() if v['significant']}, told


def main(where):
    server = subprocess.Popen(
        [PROGRAM, 'serve', '-t', '1', '-l', '127.0.0.1:0', '--debug', 'off',
         '--interop', '-w', '50000'], stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True)
    try:
        to = server.stdout.readline().split()[-1]
        same = mix(os.path.join(where, 'same'), 1)
        worse = mix(os.path.join(where, 'worse'), 1.3)
        run(to, same, os.path.join(where, 'warm.json'))
        false, found, by = 0, 0, {}
        for i in range(PAIRS):
            # in turns, so that no kind always comes first
            files = {}
            for name in ('old', 'now', 'bad') if i % 2 else ('bad', 'now', 'old'):
                files[name] = run(to, worse if name == 'bad' else same,
                                  os.path.join(where, name + '.json'))
            alarms, told = compare(files['old'], files['now'])
            hits, changed = compare(files['old'], files['bad'])
            false += bool(alarms)
            p99 = changed['p99']
            found += 'p99' in hits and p99['change'] > 0
            for name in alarms:
                by[name] = by.get(name, 0) + 1
            ends = [100 * (p99[k] or float('nan')) / p99['old']
                    for k in ('change_low', 'change_high')]
            print('%2d  equal: %-18s worse: p99 %+5.1f%% (%+.1f to %+.1f) %s' % (
                i + 1, ' '.join('%s%+.1f%%' % (n, 100 * told[n]['change'] /
                                               told[n]['old'])
                                for n in sorted(alarms)) or '-',
                100 * p99['change'] / p99['old'], *ends,
                'found' if 'p99' in hits else 'not found'), flush=True)
    finally:
        server.terminate()
        server.wait()
    good = false <= PAIRS / 10 and found >= PAIRS * 0.9
    print('equal pairs with a significant figure: %d of %d (%s)' % (
        false, PAIRS, ', '.join('%s %d' % x for x in sorted(by.items())) or '-'))
    print('p99 30%% worse found: %d of %d' % (found, PAIRS))
    print('good' if good else 'BAD')
    return not good


if __name__ == '__main__':
    with tempfile.TemporaryDirectory() as directory:
        sys.exit(main(directory))
