#!/usr/bin/python3
"""grid.py GRPCPROF SLEEPER [SECONDS]: compare the true shares of two functions
that work in bursts between sleeps (tests/profile/sleeper.c) with the shares in
the report.  Prints a row for each engine, length and number of bursts:

  truth, share   of burn_f and burn_g, in % of the process's CPU time
  interval       of the share, 95%
  bound          of the timer's error, in points: trust.timing
  switches       from the process's threads, for each second of CPU time
  part           of the timer's lateness by which a sample would have to be
                 misplaced at each switch to explain what is beyond the interval

Exits 1 if less than 95% of the cells are within interval and bound.  A cell of
perf with fewer than 5,000 switches per second of CPU must also have a bound of
at most 3 points.
"""
import json
import subprocess
import sys
import tempfile

BURSTS_US = (20, 100, 500, 2000)
BURSTS = (1, 4, 20, 100)
MOST_SWITCHES, MOST_POINTS = 5000, 3


def cell(tool, sleeper, seconds, engine, us, n):
    """Run a cell and print its rows.  Return whether it is within interval and
    bound, or None if the kernel refuses the engine."""
    with tempfile.TemporaryDirectory() as d:
        run = subprocess.run(
            [sleeper, engine, '1000', str(seconds), str(us), str(n), '200',
             d + '/p.pb'], capture_output=True, text=True, timeout=120)
        if run.returncode:
            print(engine, run.stderr.strip())
            return None
        r = json.loads(subprocess.run(
            [tool, 'report', '-q', '-f', 'json', d + '/p.pb'],
            capture_output=True, text=True, timeout=120, check=True).stdout)
    said = [line.split() for line in run.stdout.splitlines()]
    truth = {w[1]: float(w[2]) for w in said if w[0] == 'truth'}
    trust, cpu_s = r['trust'], int(r['profile']['comments']['cpu_ns']) / 1e9
    switches, timing = trust['switches'] / cpu_s, trust['timing']
    good = timing * 100 <= MOST_POINTS or engine != 'perf' or \
        switches > MOST_SWITCHES
    functions = {f['name']: f for f in r['functions']}
    for name, true in truth.items():
        f = functions.get(name)
        share = f['flat_share'] if f else 0
        low, high = f['flat_ci'] if f else (0, 0.05)
        beyond = max(low - true, true - high, 0)
        good &= beyond <= timing
        print('%-7s%5d us x%4d %7.0f %7.0f  %s %6.1f %6.1f %6.1f to %5.1f %6.1f'
              ' %6.2f%s' % (
                  engine, us, n, trust['samples'], switches, name[-1],
                  100 * true, 100 * share, 100 * low, 100 * high, 100 * timing,
                  beyond * 1e9 / switches / trust['timer_late_ns'],
                  '  beyond' if beyond > timing else ''), flush=True)
    return good


def main():
    tool, sleeper = sys.argv[1:3]
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 8
    good = cells = 0
    print('engine  bursts      samples switches     truth  share     interval'
          '   bound   part')
    for engine in 'perf', 'thread':
        for us in BURSTS_US:
            for n in BURSTS:
                ok = cell(tool, sleeper, seconds, engine, us, n)
                if ok is None:
                    break
                good += ok
                cells += 1
    print('%d of %d cells are within the interval and the bound; 95%% must be'
          % (good, cells))
    sys.exit(good < 0.95 * cells)


main()
