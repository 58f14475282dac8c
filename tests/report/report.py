#!/usr/bin/python3
"""report.py FILE: does the output of `report -f json` match report.schema.json,
and is its arithmetic right?  Intervals are computed independently here.  Prints
"ok name" or "FAIL name: why"."""
import json
import math
import os
import sys

import jsonschema

VERDICTS = ('waiting syscalls protocol allocator contention application mixed '
            'withheld').split()


def say(name, good, why=''):
    print('ok   json, ' + name if good else 'FAIL json, %s: %s' % (name, why),
          flush=True)


def none_of(name, bad):
    bad = list(bad)
    say(name, not bad, '%d, first: %s' % (len(bad), bad[:1]))


def wilson(share, n):
    """Wilson's 95% interval of a share of n samples."""
    if n <= 0:
        return 0.0, 1.0
    z = 1.959964
    mid = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(
        share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, mid - half), min(1.0, mid + half)


def rows(r):
    """Every (what, share, interval) of the report."""
    for f in r['functions']:
        yield f['name'] + ' flat', f['flat_share'], f['flat_ci']
        yield f['name'] + ' cum', f['cum_share'], f['cum_ci']
    for c in r['categories']:
        yield c['name'], c['share'], c['ci']


def main():
    with open(sys.argv[1], encoding='utf-8') as f:
        r = json.load(f, parse_constant=lambda x: sys.exit('holds ' + x))
    p, t, fs, cs = r['profile'], r['trust'], r['functions'], r['categories']
    schema = os.path.join(os.path.dirname(__file__), 'report.schema.json')
    with open(schema, encoding='utf-8') as f:
        wrong = jsonschema.Draft7Validator(json.load(f)).iter_errors(r)
        none_of('schema', ('%s: %s' % (list(e.path), e.message) for e in wrong))
    say('samples', p['samples'] == t['samples'], (p['samples'], t['samples']))
    say('effective samples', 0 <= t['effective'] <= t['samples'] + 0.5,
        t['effective'])
    say('has functions and categories', fs and cs)
    none_of('shares are in 0..1', (x for x in rows(r) if not 0 <= x[1] <= 1))
    none_of('shares are in their intervals',
            (x for x in rows(r) if not
             0 <= x[2][0] <= x[1] + 1e-6 <= x[2][1] + 2e-6 <= 1 + 3e-6))
    none_of('intervals are Wilson\'s on the effective number',
            (x for x in rows(r) if max(
                abs(a - b) for a, b in zip(x[2], wilson(x[1], t['effective'])))
             > 2e-3))
    total = p['whole'] or 1
    none_of('shares are parts of the total',
            (f['name'] for f in fs for k in ('flat', 'cum')
             if abs(f[k] / total - f[k + '_share']) > 1e-3))
    none_of('flat is not more than cum',
            (f['name'] for f in fs if f['flat'] > f['cum'] or
             f['flat_samples'] > f['cum_samples']))
    say('flat adds up to no more than the total',
        sum(f['flat'] for f in fs) <= p['total'])
    none_of('cum is not more than the total',
            (f['name'] for f in fs if f['cum'] > p['total']))
    shares = sum(c['share'] for c in cs)
    say('category shares add up to 1', abs(shares - 1) < 1e-6, shares)
    say('category samples add up',
        sum(c['samples'] for c in cs) == p['samples'],
        sum(c['samples'] for c in cs))
    none_of('levels', (f['name'] for f in fs
                       if f['level'] not in ('system', 'application')))
    v = r['verdict']
    say('verdict is one of the known', v['kind'] in VERDICTS, v['kind'])
    say('verdict has its reasons', v['text'] and v['why'], v)
    names = {f['name'] for f in fs}
    none_of('recommendations have their evidence',
            (x['text'] for x in r['recommendations'] if not x['text'] or
             x['samples'] <= 0 or not x['ci'][0] <= x['share'] <= x['ci'][1] or
             (x['function'] and x['function'] not in names)))


main()
