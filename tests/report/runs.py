#!/usr/bin/python3
"""runs.py BIN DIR: check `report --runs`: several profiles on each side, each a
run.  Random profiles are made here; figures and intervals are computed
independently.  Prints "ok name" or "FAIL name: why"."""
import html
import json
import math
import os
import random
import re
import subprocess
import sys

from made_profile import Profile

BIN, DIR = sys.argv[1:]
NS = 10 ** 6                            # of one sample
PARTS = {'parse': 8, 'audit': 20, 'price': 12, 'send': 10, 'render': 9,
         'cache': 14, 'quote': 7, 'sort': 5, 'log': 6, 'hash': 9}


def draw(name, seed, n=4000, calls=0, noise=0, **more):
    """Write a profile of n random samples of the parts of handle, whose weights
    vary between runs by noise; more: other weights.  Return its path."""
    at = random.Random(seed)
    weight = {k: w * math.exp(at.gauss(0, noise))
              for k, w in dict(PARTS, **more).items()}
    p = Profile([('samples', 'count'), ('cpu', 'nanoseconds')],
                ('cpu', 'nanoseconds', NS), 10, comments=[
                    'requests=%d' % calls] if calls else [])
    count = {}
    for f in at.choices(list(weight), list(weight.values()), k=n):
        count[f] = count.get(f, 0) + 1
    for f, k in sorted(count.items()):
        p.add([(x, '/src/%s.c' % x) for x in (f, 'handle', 'main')],
              [k, k * NS])
    path = os.path.join(DIR, name + '.pb')
    p.write(path)
    return path


def check(name, got, want):
    print('ok ' + name if got == want else 'FAIL %s: %r, want %r' %
          (name, got, want))


def run(*args):
    return subprocess.run([BIN, 'report', *args], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)


def sides(base, now, *args):
    return [x for path in base for x in ('--base', path)] + [*args, *now]


def diff(base, now, *args):
    p = run('-q', '-f', 'json', *sides(base, now, '--runs', *args))
    return json.loads(p.stdout) if p.stdout else sys.exit(p.stderr.decode())


def marked(d):
    return {f['name'] for f in d['functions']
            if f['significant'] or f['cum_significant']}


def said(p):
    text = html.unescape(re.sub(r'<[^>]*>', ' ', p.stdout.decode()))
    return ' '.join(text.replace('\\', '').split())


old = [draw('old%d' % i, i) for i in range(4)]
same = [draw('same%d' % i, 10 + i) for i in range(4)]
dear = [draw('dear%d' % i, 20 + i, audit=24) for i in range(4)]

# Equal runs, and a function that takes 20% more.
for n in 2, 3, 4:
    check('%d equal runs a side: no difference' % n,
          marked(diff(old[:n], same[:n])['diff']), set())
    found = diff(old[:n], dear[:n])['diff']
    check('%d runs a side: what is 20%% dearer' % n, marked(found), {'audit'})
    check('%d runs a side, in json' % n, found['runs'], [n, n])
check('runs need not be as many', diff(old[:2], dear)['diff']['runs'], [2, 4])

# The runs' own figures, in their order, and the difference of their means.
d = diff(old[:2], dear[:3])['diff']
shares = [[diff([x, old[3]], old[:2])['diff'] for x in side]
          for side in (old[:2], dear[:3])]
for f in d['functions']:
    own = [[next(g['runs'][0][0] for g in one['functions']
                 if g['name'] == f['name']) for one in side] for side in shares]
    mean = [sum(x) / len(x) for x in f['runs']]
    check('the runs of ' + f['name'], f['runs'], own)
    check('the difference of their means, ' + f['name'],
          abs(f['delta'] - (mean[1] - mean[0])) < 1e-5 and
          f['ci'][0] <= f['delta'] <= f['ci'][1], True)

# Runs that differ by more than sampling errors, which a single run cannot show.
wild = [draw('wild%d' % i, 40 + i, noise=.2) for i in range(8)]
check('wild runs, one a side, differ', bool(marked(json.loads(run(
    '-q', '-f', 'json', '--base', wild[0], wild[1]).stdout)['diff'])), True)
check('wild runs, by runs, do not', marked(diff(wild[:4], wild[4:])['diff']),
      set())

# A function that is missing in a run counts as 0 there.
rare = [draw('rare0', 50), draw('rare1', 51, rare=4)]
f = {f['name']: f for f in diff(old[:2], rare)['diff']['functions']}['rare']
check('missing in runs', (f['runs'][0], f['runs'][1][0]), ([0, 0], 0))
check('there in one', f['runs'][1][1] > .02, True)
check('one run is no evidence', f['significant'], False)
new = [draw('new%d' % i, 60 + i, rare=4) for i in range(2)]
f = {f['name']: f for f in diff(old[:2], new)['diff']['functions']}['rare']
check('new in both runs', f['significant'], True)

# Times per call: each run is divided by its own calls.
calls = [[draw('c%d%d' % (s, i), 70 + 10 * s + i, n=4000 - 500 * i,
               calls=1000 - 125 * i, audit=20 + 4 * s) for i in range(3)]
         for s in range(2)]
r = diff(*calls, '--per-call')['diff']
f = {f['name']: f for f in r['functions']}
check('per call', (r['of'], [round(x) for x in f['handle']['cum_runs'][0]]),
      ('ns_per_call', [4 * NS] * 3))
check('per call, what is dearer', 'audit' in marked(r), True)
half = draw('half', 90, calls=0)

# All formats say what is compared, and mark the same.
for kind in 'text', 'md', 'html':
    p = run('-q', '-f', kind, '--all', *sides(old[:3], dear[:3], '--runs'))
    text = said(p)
    check('-f %s, the method' % kind, '3 runs of the base, 3 now: the run is '
          'the unit.' in text and 'Student\'s t of the means' in text, True)
    check('-f %s, a row' % kind, re.search(
        r'23\.2% (\| )?\+3\.8 (\| )?\+2\.8 to \+4\.9 (\| )?2,329 (\| )?2,787 '
        r'(\| )?audit', text) is not None, True)
    text = said(run('-q', '-f', kind, '--base', old[0], dear[0]))
    check('-f %s, one run a side' % kind, 'how much runs of one build '
          'differ is not measured, so this shows that these two runs differ, '
          'not that the change did it. Alternate runs of both builds, two or more of each: '
          '--base A --base B --runs C D' in text, True)
    text = said(run('-q', '-f', kind, *sides(old[:2], dear[:1])))
    check('-f %s, two runs and one' % kind, '2 of the base and 1 now are added '
          'up: this shows that they differ, not that the change did it' in text,
          True)
picture = run('-q', '-f', 'svg', *sides(old[:3], dear[:3], '--runs'))
classes = lambda p: set(re.findall(rb'<g class="(c\d)', p.stdout))
check('the picture, what grew', classes(picture) >= {b'c0', b'c2'} and
      not classes(picture) & {b'c1', b'c3', b'c4'}, True)
picture = run('-q', '-f', 'svg', *sides(old[:3], same[:3], '--runs'))
check('the picture of equal runs', classes(picture), {b'c2'})
for by in 'file', 'module':
    names = marked(diff(old[:3], dear[:3], '--by', by)['diff'])
    check('--by ' + by, names, {'/src/audit.c'} if by == 'file' else set())
f = diff(old[:2], dear[:2], '--focus', 'audit')['diff']['functions']
check('--focus, of the whole', sorted(x['name'] for x in f if x['runs'][0][0] >
      .3 or x['cum_runs'][0][0] > .3), [])
for f in 'json', 'html', 'svg':
    p = run('-q', '-f', f, '--by', 'line', '--tagroot', 'x', '--reverse'
            if f != 'json' else '--all', *sides(old[:2], dear[:2], '--runs'))
    check('by line, -f ' + f, p.returncode, 0)

# Assertions: of the mean of the runs, and of the change of the means.
for expr, want, of in (
        ('delta(audit)<10%', 'holds', 'delta'),
        ('delta(audit)<1%', 'violated', 'delta'),
        ('delta(audit)<3.4%', 'not resolved', 'delta'),
        ('delta(cache)<0.1%', 'not resolved', 'delta'),
        ('share(audit)<30%', 'holds', 'now'),
        ('share(audit)<15%', 'violated', 'now'),
        ('self(audit)<23%', 'not resolved', 'now'),
        ('samples>=12000', 'holds', None),
        ('cpu_per_call<1us', 'cannot be judged', None)):
    status = {'holds': 0, 'violated': 4, 'not resolved': 0}.get(want, 1)
    args = sides(old[:3], dear[:3], '--runs', '--assert', expr)
    p = run('-q', '-f', 'json', *args)
    r = json.loads(p.stdout)
    a = r['asserts'][0]
    f = next(f for f in r['diff']['functions'] if f['name'] == (
        'cache' if 'cache' in expr else 'audit'))
    mean = [sum(x) / 3 for x in f['runs']]
    value = {'delta': mean[1] - mean[0], 'now': mean[1]}.get(of, a['value'])
    check(expr + ', of runs', (a['outcome'], p.returncode), (want, status))
    check(expr + ', of runs, its value', of is None or
          abs(a['value'] - value) < 1e-6, True)
    check(expr + ', of runs, its interval', of != 'delta' or all(
        abs(x - y) < 1e-6 for x, y in zip(f['ci'], (a['low'], a['high']))), True)
    strict = run('-q', '--strict', *args)
    check(expr + ', of runs, --strict', strict.returncode,
          4 if want == 'not resolved' else status)
    more = re.search(r'about (\d+) runs( on each side)?', said(strict))
    check(expr + ', of runs, what would resolve it', more and
          (int(more[1]) > 3, bool(more[2])), (True, 'delta' in expr)
          if a['more'] else None)
    check(expr + ', of runs, more of them', bool(a['more']) or
          'too close for more runs' in said(strict),
          want == 'not resolved')
for expr, want in (('cpu_per_call<5ms', 'holds'), ('delta(audit)<2ms', 'holds'),
                   ('cpu_per_call<3ms', 'violated'),
                   ('delta(audit)<1us', 'violated'),
                   ('delta(cpu_per_call)<1ms', 'holds'),
                   ('delta(cpu_per_call)<-1ms', 'violated'),
                   ('delta(cpu_per_call)<10%', 'holds'),
                   ('delta(cpu_per_call)<-10%', 'violated'),
                   ('delta(cpu_per_call)<10us', 'not resolved')):
    p = run('-q', '-f', 'json', *sides(*calls, '--runs', '--assert', expr))
    a = json.loads(p.stdout)['asserts'][0]
    check(expr + ', of runs', a['outcome'], want)
p = run('-q', *sides(old[:2], dear[:2], '--runs', '--assert',
                     'share(audit)<15%', '--assert', 'share(audit)<90%'))
check('one of two violated', p.returncode, 4)

# Wrong use.
empty = os.path.join(DIR, 'empty.pb')
Profile([('samples', 'count'), ('cpu', 'nanoseconds')],
        ('cpu', 'nanoseconds', NS), 10).write(empty)
for name, status, text, args in (
        ('one PROFILE', 2, 'there are 2 of the base and 1 now',
         sides(old[:2], dear[:1], '--runs')),
        ('one base', 2, 'there is 1 of the base and 2 now',
         sides(old[:1], dear[:2], '--runs')),
        ('no base', 2, 'two runs a side', ['--runs', *dear[:2]]),
        ('twice the same', 2, 'is given twice; a run counts once',
         sides(old[:2], [dear[0]] * 2, '--runs')),
        ('another format', 2, '--runs is for -f',
         sides(old[:2], dear[:2], '--runs', '-f', 'top')),
        ('a number of calls', 2, 'each has its own number',
         sides(old[:2], dear[:2], '--runs', '--per-call=70')),
        ('unknown calls', 2, 'no number of calls',
         sides(calls[0][:2], [calls[1][0], half], '--runs', '--per-call')),
        ('a time without calls', 2, 'bound in percent compares shares',
         sides(old[:2], dear[:2], '--runs', '--assert', 'delta(audit)<2us')),
        ('a run of nothing', 1, 'empty.pb: has no samples',
         sides(old[:2], [dear[0], empty], '--runs')),
        ('too many', 2, 'base', sides(old[:1] * 65, dear[:2], '--runs'))):
    p = run('-q', *args)
    check('runs, ' + name, (p.returncode, p.stdout, p.stderr.count(b'\n') < 3,
          text in p.stderr.decode()), (status, b'', True, True))
