#!/usr/bin/python3
"""Does `grpcprof report` read real profilers' output correctly?

  producers.py COMMAND NAME GRPCPROF ...

  hot NAME BIN FUNCTION FILE...   is FUNCTION, which only calls libraries, first
                                  and in the verdict, and none of it network?
  rows NAME BIN PPROF FILE        are types and samples those that pprof reads?
  self NAME BIN TYPE TABLE FILE   are the functions' self values those of TABLE,
                                  lines "VALUE NAME" by another program?
  total NAME BIN TYPE WANT FILE   is this the total?  WANT may end with "+-N"
  enough BIN FILE...              exit with 1 if a verdict needs more samples
  folded FILE                     print a TABLE of folded stacks
  perf FILE                       print a TABLE of what perf report printed
  round NAME BIN FILE             is FILE the same after conversion to folded or
                                  speedscope?

Prints "ok NAME" and "FAIL NAME: WHY" lines.
"""
import collections
import json
import os
import re
import subprocess
import sys


def run(*argv):
    env = dict(os.environ)
    if os.path.basename(argv[0]) == 'pprof':
        env['PATH'] = '/nonexistent'    # else it starts four programs first
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       timeout=100, env=env)
    if p.returncode:
        raise SystemExit('FAIL %s: %s: status %d: %s' % (
            sys.argv[2], ' '.join(argv[1:4]), p.returncode,
            p.stderr.decode('utf-8', 'replace').strip()[-200:]))
    return p.stdout.decode('utf-8', 'replace')


def report(binary, *args):
    return json.loads(run(binary, 'report', '-q', '-f', 'json', *args))


def same(name, ours, theirs):
    if ours == theirs:
        print('ok', name)
    else:
        print('FAIL %s: %s, want %s' % (name, str(ours)[:150],
                                        str(theirs)[:150]))


def same_table(name, ours, theirs):
    """Compare two tables {name: value}; a value of 0 is as good as none."""
    differ = {k for k in ours.keys() | theirs.keys()
              if ours.get(k, 0) != theirs.get(k, 0)}
    if not theirs:
        print('FAIL %s: nothing to compare with' % name)
    elif not differ:
        print('ok', name)
    else:
        k = sorted(differ)[0]
        print('FAIL %s: %d of %d functions differ: %r has %d, want %d' % (
            name, len(differ), len(theirs), k, ours.get(k, 0),
            theirs.get(k, 0)))


def hot(name, binary, function, *files):
    r = report(binary, *files)
    first = r['applications'][0] if r['applications'] else {}
    same(name + ': line one of the application', first.get('name'), function)
    text = run(binary, 'report', '-q', '-f', 'text', *files)
    at = re.search(r'\nApplication functions.*\n.*\n(.*)\n', text)
    same(name + ': line one of the text', at and at.group(1).split()[-1],
         function)
    largest = [f['name'] for f in r['functions'][:3]]
    same(name + ': by self time others stand first', function in largest, False)
    # Of its caller's: py-spy counts also how long the program waits for a CPU.
    total = {a['name']: a['total_share'] for a in r['applications']}
    caller = total.get(function.replace('audit_orders', 'place_order'), 0)
    share = caller and first.get('total_share', 0) / caller
    same(name + ': most of the time', share > .5 or share, True)
    below = {x['category']: x['share'] for x in first.get('below', [])}
    same(name + ': where its time goes is known', bool(below.keys() - {'unknown'}),
         True)
    same(name + ': none of it is network', below.get('network system calls'),
         None)
    if r['verdict']['kind'] == 'withheld' and name.endswith('speedscope'):
        return                          # does not say what waited
    if function + ' takes ' in r['verdict']['text']:
        print('ok %s: the verdict names it' % name)
    else:
        print('FAIL %s: the verdict names it: %s' % (name, r['verdict']))


def samples(raw):
    """The types in pprof -raw, and how often each value of a sample occurs."""
    lines = raw.split('\nSamples:\n')[1].split('\nLocations')[0].split('\n')
    rows = (re.match(r'([-\d\s]+): ?', s) for s in lines[1:])
    types = re.sub(r'\[dflt\]', '', lines[0]).split()
    return types, collections.Counter(tuple(map(int, m.group(1).split()))
                                      for m in rows if m)


def rows(name, binary, pprof, path):
    ours = samples(run(binary, 'report', '-q', '-f', 'raw', path))
    theirs = samples(run(pprof, '-symbolize=none', '-raw', path))
    same(name + ': the types', ours[0], theirs[0])
    more, less = ours[1] - theirs[1], theirs[1] - ours[1]
    if theirs[1] and not more and not less:
        print('ok %s: the samples' % name)
    else:
        print('FAIL %s: the samples: of %d, %d are not pprof\'s (%s); %d '
              'are missing (%s)' % (name, sum(theirs[1].values()),
                                    sum(more.values()), list(more)[:2],
                                    sum(less.values()), list(less)[:2]))
    for i, kind in enumerate(theirs[0]):
        r = report(binary, '--sample', kind.split('/')[0], path)
        same('%s: the total of %s' % (name, kind), r['profile']['total'],
             sum(row[i] * n for row, n in theirs[1].items()))


def own(name, binary, kind, table, path):
    r = report(binary, '--sample', kind, path)
    ours, theirs = collections.Counter(), collections.Counter()
    for f in r['functions']:
        ours[f['name']] += f['flat']
    with open(table, encoding='utf-8') as lines:
        for line in lines:
            value, key = line.rstrip('\n').split(' ', 1)
            theirs[key] += int(value)
    same(name + ': the total', r['profile']['total'], sum(theirs.values()))
    ours.pop('[no stack]', None)
    nameless = theirs.pop('[no frame]', 0)
    more = {k: v - theirs.get(k, 0) for k, v in ours.items()
            if v != theirs.get(k, 0)}
    if nameless and min(more.values(), default=0) >= 0 and \
            sum(more.values()) == nameless:
        ours -= collections.Counter(more)       # we found names for them
    same_table(name + ': each function', ours, theirs)


def total(name, binary, kind, want, path):
    want, _, off = want.partition('+-')
    ours = report(binary, '--sample', kind, path)['profile']['total']
    if want and abs(ours - int(want)) <= int(off or 0):
        print('ok', name)
    else:
        print('FAIL %s: the total is %d, want %s' % (name, ours, want))


def enough(binary, *paths):
    """Exit with 1 if a profile has fewer than 330 samples, a tenth more than
    report asks for."""
    has = report(binary, *paths)['trust']['effective']
    if has < 330:
        sys.exit('%.0f samples are too few' % has)


def folded(path):
    with open(path, encoding='utf-8') as lines:
        for line in lines:
            stack, count = line.rstrip().rsplit(' ', 1)
            leaf = stack.split(';')[-1]
            leaf = re.sub(r'_\[[kji]\]$', '', leaf)
            print(count, re.sub(r' \([^()]*:\d+\)$', '', leaf) or '[no frame]')


def perf(path):
    """Its columns are samples, period, module and symbol."""
    with open(path, encoding='utf-8') as lines:
        for line in lines:
            m = re.match(r' +\d+ +(\d+) +(\S+) +\[[.k]\] (.*\S)', line)
            if m:
                name = re.sub('^0x[0-9a-f]{16}$', '[no frame]', m.group(3))
                print(m.group(1), name)


def table_of(r):
    """Self values by name; total values of the names that occur once."""
    flat, names = collections.Counter(), collections.Counter()
    for f in r['functions']:
        flat[f['name']] += f['flat']
        names[f['name']] += 1
    return flat, {f['name']: f['cum'] for f in r['functions']
                  if names[f['name']] == 1}


def both_ways(name, binary, path):
    flat, cum = table_of(report(binary, path))
    for form in 'speedscope', 'folded':
        one, two = '%s.1.%s' % (path, form), '%s.2.%s' % (path, form)
        run(binary, 'report', '-q', '-f', form, '-o', one, path)
        run(binary, 'report', '-q', '-f', form, '-o', two, one)
        r = report(binary, one)
        label = '%s, our own %s' % (name, form)
        if form == 'folded':            # where ; divides frames
            flat = collections.Counter({k.replace(';', ':'): v
                                        for k, v in flat.items()})
        same(label + ': the total', r['profile']['total'], sum(flat.values()))
        flat1, cum1 = table_of(r)
        same_table(label + ': each function', flat1, flat)
        same_table(label + ': each with what it calls',
                   {k: v for k, v in cum1.items() if k in cum},
                   {k: v for k, v in cum.items() if k in cum1})
        flat2, cum2 = table_of(report(binary, two))
        same(label + ': written again, the same', (flat2, cum2), (flat1, cum1))


COMMANDS = {'hot': hot, 'rows': rows, 'self': own, 'total': total,
            'enough': enough, 'folded': folded, 'perf': perf,
            'round': both_ways}
if len(sys.argv) < 3 or sys.argv[1] not in COMMANDS:
    sys.exit(__doc__)
COMMANDS[sys.argv[1]](*sys.argv[2:])
