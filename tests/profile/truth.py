#!/usr/bin/python3
"""truth.py CASE OUT JSON: compare the true shares that tests/profile/truth.c
prints (OUT) with `report -f json` of its profile (JSON).  Prints "ok name" or
"FAIL name: why", and the figures on stderr.

  CASE right    every share differs by at most 1.5 points or 3.5 standard errors
                of the effective sample size, and the CPU time is covered
       limits   the same with 4 points or 5 errors: a timer without a promise
       wrong    a share is far off, and the report says so and gives no verdict
"""
import json
import math
import sys


def main():
    case, out, report = sys.argv[1:]
    with open(out, encoding='utf-8') as f:
        said = [line.split() for line in f if line.strip()]
    truth = {w[1]: float(w[2]) for w in said if w[0] == 'truth'}
    engine = [w[1] for w in said if w[0] == 'engine'][0]
    with open(report, encoding='utf-8') as f:
        r = json.load(f)
    trust, comments = r['trust'], r['profile']['comments']
    seen = dict.fromkeys(truth, 0)
    for fn in r['functions']:
        if fn['name'] in seen:
            seen[fn['name']] += fn['cum']
    work = sum(seen.values()) or 1
    n = max(trust['effective'], 1)
    worst, rows = 0, []
    for name, true in truth.items():
        share = seen[name] / work
        error = math.sqrt(true * (1 - true) / n)
        points, errors = (1.5, 3.5) if case != 'limits' else (4, 5)
        bound = max(points / 100, errors * error)
        worst = max(worst, abs(share - true))
        rows.append('%s %.1f %% of %.1f +- %.1f' % (
            name, 100 * share, 100 * true, 100 * bound))
        if case != 'wrong':
            good = abs(share - true) <= bound
            print('ok   ' if good else 'FAIL ', '%s, share of %s' % (
                engine, name), '' if good else ': ' + rows[-1], sep='')
    print('%s: %s; %.0f samples (effective number %.0f), %.1f per CPU second, '
          'coverage %.4f, unsampled %.3f, synchronised %s' % (
              engine, ', '.join(rows), trust['samples'], n,
              trust['hz_delivered'], trust['coverage'],
              trust['unsampled'], trust['tick_clustered']), file=sys.stderr)

    def say(name, good, why):
        print('ok   %s, %s' % (engine, name) if good else
              'FAIL %s, %s: %s' % (engine, name, why))

    say('CPU time is accounted for', 0.98 <= trust['coverage'] <= 1.02,
        trust['coverage'])
    say('the profile names its engine', comments['engine'] == engine,
        comments['engine'])
    if case == 'wrong':
        verdict = r['verdict']
        say('synchronised work is miscounted', worst > 0.05, rows)
        say('the report knows', trust['tick_driven'] and
            trust['tick_clustered'] > 0.2, trust)
        say('and withholds the verdict', verdict['kind'] == 'withheld' and
            any('synchronised' in w for w in verdict['why']), verdict)
    else:
        say('the report finds nothing synchronised', not trust['tick_clustered'],
            trust['tick_clustered'])


main()
