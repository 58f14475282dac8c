#!/usr/bin/python3
"""base.py BIN DIR: check `report --base` on pairs of profiles made here: tables
in text, Markdown, HTML and JSON, the picture and the assertions.  Intervals and
tests are computed independently here.  Prints "ok name" or "FAIL name: why"."""
import html
import json
import math
import os
import random
import re
import subprocess
import sys
import xml.etree.ElementTree as xml

from pb import number, part, varint
from wire import say

BIN, DIR = sys.argv[1:]
NS = 10 ** 7                            # of one sample
Z = 1.959963984540054
FALSE_SHARE, LEAST, SMALL = 0.05, 10, 0.005     # as LIMITS has them


# ---- profiles ----

def field(k, v):
    return number(k, v) if isinstance(v, int) else part(k, v)


def write(name, rows, program='/opt/shop', calls=0):
    """Write a profile of rows (stack, samples, ns), where a stack is a list of
    (function, file[, module]), leaf first.  Return its path."""
    strings, rest, made = {'': 0}, b'', {}

    def s(text):
        return strings.setdefault(text, len(strings))

    def module(path):
        nonlocal rest
        if path not in made:
            n = made[path] = 1 + sum(isinstance(x, str) for x in made)
            rest += field(3, field(1, n) + field(2, n << 24) + field(
                3, (n << 24) + 4096) + field(5, s(path)) + field(7, 1))
        return made[path]

    def location(f):
        nonlocal rest
        f = f if len(f) == 3 else f + (program,)
        if f not in made:
            n = made[f] = 1 + sum(isinstance(x, tuple) for x in made)
            within = module(f[2])
            rest += field(5, field(1, n) + field(2, s(f[0])) +
                          field(3, s(f[0])) + field(4, s(f[1])))
            rest += field(4, field(1, n) + field(2, within) +
                          field(4, field(1, n)))
        return made[f]

    module(program)
    samples = b''.join(field(2, field(1, b''.join(
        varint(location(f)) for f in stack)) + field(2, varint(n) + varint(ns)))
        for stack, n, ns in rows)
    head = b''.join(field(1, field(1, s(a)) + field(2, s(b))) for a, b in (
        ('samples', 'count'), ('cpu', 'nanoseconds')))
    head += field(10, 10 ** 10) + field(12, NS) + field(
        11, field(1, s('cpu')) + field(2, s('nanoseconds')))
    if calls:
        head += field(13, s('requests=%d' % calls))
    path = os.path.join(DIR, name + '.pb')
    with open(path, 'wb') as f:
        f.write(head + samples + rest +
                b''.join(field(6, x.encode()) for x in strings))
    return path


def go(name):
    """A frame of a Go function: of the application, or of another package."""
    return (name, '/src/%s.go' % name.replace('.', '/'))


def shop(seed, audit, heavy=0, n=3000):
    """Rows of a shop whose function audit takes that share, spread over library
    functions that others call, too.  `heavy` samples of a function batch weigh
    as much as 20 others each, so that its share rests on few samples."""
    at, count = random.Random(seed), {}
    codec = [go('encoding/json.%s' % c) for c in 'abcdefgh']
    system = [go('runtime.mallocgc'), go('runtime.scan'), go('math/big.mul')]
    for _ in range(n):
        u = at.random()
        stack = [at.choice(codec if u < audit else codec + system)]
        if u < audit:
            stack += [go('encoding/json.Marshal'), go('main.audit')]
        elif .3 < u < .6:
            stack += [go('main.price')]
        key = tuple(stack + [go('main.handle'), go('main.main')])
        count[key] = count.get(key, 0) + 1
    batch = (go('main.batch'), go('main.main')), heavy, heavy * 20 * NS
    return [(stack, k, k * NS) for stack, k in count.items()] + \
        [batch] * (heavy > 0)


def run(*args):
    return subprocess.run([BIN, 'report', '-q', *args], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)


def diff(*args):
    p = run('-f', 'json', *args)
    return json.loads(p.stdout) if p.stdout else sys.exit(p.stderr.decode())


# ---- an independent computation ----

class Sum:
    def __init__(self):
        self.ns = self.n = 0
        self.squares = 0.0

    def add(self, n, ns):
        self.ns += ns
        self.n += n
        self.squares += ns * ns / n


def sums(rows, key):
    """The sums of rows by each of key(stack)."""
    out = {}
    for stack, n, ns in rows:
        for k in set(key(stack)):
            out.setdefault(k, Sum()).add(n, ns)
    return out


def share(part, total):
    """A share, the effective number of samples, and Wilson's interval."""
    p, n = part.ns / total.ns, total.ns ** 2 / total.squares
    spread = (1 - 2 * p) * part.squares + p * p * total.squares
    if 0 < p < 1 and spread > 0:
        n = min(n, p * (1 - p) * total.ns ** 2 / spread)
    mid, half = p + Z * Z / 2 / n, Z * math.sqrt(
        p * (1 - p) / n + Z * Z / 4 / n / n)
    wide = 1 + Z * Z / n
    return (p, n, 0 if p == 0 else max(0, (mid - half) / wide),
            1 if p == 1 else min(1, (mid + half) / wide))


def change(was, now, totals, calls=None):
    """The change, its interval, and the p-value or None."""
    if calls:
        t = [x.ns / c for x, c in zip((was, now), calls)]
        error = math.sqrt(sum(x.squares / c / c
                              for x, c in zip((was, now), calls)))
        d = t[1] - t[0]
        p = math.erfc(abs(d) / error / math.sqrt(2)) if error else None
        return (d, d - Z * error, d + Z * error,
                p if was.n + now.n >= LEAST else None)
    (p, n, a, b), (q, m, c, d) = share(was, totals[0]), share(now, totals[1])
    found, both = None, (p * n + q * m) / (n + m)
    if p * n + q * m >= LEAST:
        error = math.sqrt(both * (1 - both) * (1 / n + 1 / m))
        gap = max(abs(q - p) - (1 / n + 1 / m) / 2, 0)
        found = math.erfc(gap / error / math.sqrt(2)) if error else 1
    return (q - p, q - p - math.hypot(q - c, b - p),
            q - p + math.hypot(d - q, p - a), found)


def limit(tests):
    """Benjamini and Yekutieli's largest significant p-value, or -1."""
    p = sorted(x for x in tests if x is not None)
    harmonic = sum(1 / (i + 1) for i in range(len(p)))
    return max([x for i, x in enumerate(p) if
                x <= FALSE_SHARE * (i + 1) / (len(p) * harmonic)],
               default=-1)


def functions(was, now, calls=None):
    """Self and total changes by function, and the largest significant p."""
    keys = lambda st: st[:1], lambda st: st
    by = [[sums(rows, k) for rows in (was, now)] for k in keys]
    total = [sums(rows, lambda st: 'x')['x'] for rows in (was, now)]
    out, tests, none = {}, [], Sum()
    for f in {f for s in by[1] for f in s}:
        pair = [[by[k][i].get(f, none) for i in (0, 1)] for k in (0, 1)]
        out[f[0]] = [change(*pair[k], total, calls) for k in (0, 1)]
        out[f[0]] = [t if max(x.ns / all_.ns for x, all_ in zip(
            pair[k], total)) >= SMALL else (*t[:3], None)
            for k, t in enumerate(out[f[0]])]
        leaf = all(pair[0][i].ns == pair[1][i].ns and
                   pair[0][i].n == pair[1][i].n for i in (0, 1))
        if not leaf and (f[0] == 'main.main' or f[0][:5] != 'main.'):
            out[f[0]][1] = (*out[f[0]][1][:3], None)    # a library's total
        tests += [out[f[0]][0][3], None if leaf else out[f[0]][1][3]]
    return out, limit(tests)


def near(a, b):
    return a is b or (a is not None and b is not None and
                      abs(a - b) <= 2e-5 * max(abs(a), abs(b)) + 1e-6)


# ---- the formats ----

def tables(kind, text):
    """The rows of the two tables: {(table, function): (change, differs)}."""
    out, table = {}, None
    if kind == 'html':
        text = re.sub(r'</t[dh]>', '\x01', text)
        text = html.unescape(re.sub(r'<[^>]*>', '', re.sub(
            r'<(tr|h2)', '\n<', text)))
    for line in text.split('\n'):
        line = re.sub(r'\\(.)', r'\1', line).strip()
        if 'Changes of ' in line:
            table = line.split('Changes of ')[1].split(':')[0]
        elif table and re.match(r'[A-Z#]', line):
            table = None
        between = {'text': ' {2,}', 'md': r' *\| *', 'html': '\x01'}[kind]
        cell = re.split(between, line.strip('| '))
        if table and len(cell) >= 7 and re.match(r'[+-]\d', cell[2]):
            out[table, cell[6]] = cell[2].strip('? '), '?' not in cell[2]
    return out


def frames(text):
    """The frames of a picture: [(path from the root, [samples now, in base,
    shares in parts of 1e9, class])]."""
    root = xml.fromstring(text[text.index('<svg'):text.rindex('</svg>') + 6])
    ids = {e.get('id'): e for e in root.iter() if e.get('id')}
    names = ids['n'].text.split('\n')
    data = [x.split(':') for x in ids['d'].text.split()]
    boxes = []
    for group in ids['f']:
        for path in group:
            x, y, w = re.match(r'M(\d+) (\d+)h(\d+)', path.get('d')).groups()
            boxes.append((int(y), int(x), int(w), group.get('class')[:2]))
    rows, out, open_ = max(b[0] for b in boxes), [], {}
    for box, d in sorted(zip(boxes, data), key=lambda z: (-z[0][0], z[0][1])):
        y, x, w, c = box
        up = [p for (row, left, right), p in open_.items()
              if row == y + 1 and left <= x < right]
        path = () if y == rows else up[0] + (names[int(d[0])],)
        open_[y, x, x + w] = path
        out.append((path, [int(v) for v in d[1:5]] + [c]))
    return out


def picture(name, text, was, now, calls=None):
    """Check that a frame is marked if and only if its function differs in the
    table, and the frame changed in the same direction."""
    known, most = functions(was, now, calls)
    prefixes = lambda st: [tuple(f[0] for f in st[k:][::-1])
                           for k in range(len(st))]
    by = [sums(rows, prefixes) for rows in (was, now)]
    total = [sums(rows, lambda st: 'x')['x'] for rows in (was, now)]
    drawn, wrong, marked, none = dict(frames(text)), [], 0, Sum()
    paths = set(by[0]) | set(by[1])
    for path in paths:
        pair = [s.get(path, none) for s in by]
        d, _, _, p = known[path[-1]][known[path[-1]][1][3] is not None]
        grew = change(*pair, total, calls)[0] > 0
        differs = p is not None and p <= most and grew == (d > 0)
        want = ('c2' if not differs else 'c4' if not pair[1].ns else 'c3'
                if not pair[0].ns else 'c0' if grew else 'c1')
        got = drawn.get(path)
        marked += differs
        if not got or got[4] != want or got[:2] != [pair[1].n, pair[0].n] or \
                abs(got[2] / 1e9 - pair[1].ns / total[1].ns) > 1e-8:
            wrong.append((path, want, got, d, p))
    say(name + ', each frame as its function', not wrong and len(drawn) ==
        len(paths) + 1, (len(drawn), len(paths), wrong[:2]))
    say(name + ', some frames differ', marked > 0)


def compared(name, was, now, calls=None):
    """Check all formats of one comparison."""
    old, new = write('was', was), write('is', now)
    args = ['--base', old, new]
    if calls:
        args.append('--per-call=%d,%d' % (calls[1], calls[0]))
    known, most = functions(was, now, calls)
    r = diff(*args)
    d, wrong, marked = r['diff'], [], 0
    for f in d['functions']:
        for pre, t in zip(('', 'cum_'), known[f['name']]):
            differs = t[3] is not None and t[3] <= most
            got = (f[pre + 'delta'], *f[pre + 'ci'], f[pre + 'p'])
            if not all(near(a, b) for a, b in zip(got, t)) and (
                    f[pre + 'delta'] or f[pre + 'p'] is not None) or \
                    f[pre + 'significant'] != differs:
                wrong.append((f['name'], pre, got, t))
        marked += f['significant'] or f['cum_significant']
    say(name + ', json is what is computed here',
        len(known) == len(d['functions']) and not wrong, wrong[:2])
    say(name + ', json counts', d['significant'] == marked and
        0 < marked <= d['tested'] <= len(known), d['significant'])
    audit = next(f for f in d['functions'] if f['name'] == 'main.audit')
    say(name + ', audit differs in total, not in self',
        audit['cum_significant'] and not audit['significant'], audit)
    seen = {}
    for kind in 'text', 'md', 'html':
        p = run('-f', kind, '--all', *args).stdout.decode()
        seen[kind] = tables(kind, p)
        bad = [(k, v) for k, v in seen[kind].items() if v[1] != next(
            (f[('cum_' if k[0] == 'total' else '') + 'significant']
             for f in d['functions'] if f['name'] == k[1]), None)]
        say(name + ', -f %s marks what json does' % kind,
            len(seen[kind]) > 12 and not bad, bad[:2])
        if kind == 'html':
            picture(name + ', page', p, was, now, calls)
    say(name + ', tables agree', seen['text'] == seen['md'] == seen['html'],
        seen)
    rows = [k[1] for k in tables('text', run('--all', *args).stdout.decode())
            if k[0] == 'total']
    say(name + ', audit is the first row', calls or rows[0] == 'main.audit',
        rows[:4])
    say(name + ', what is no application comes behind it', rows.index(
        'main.audit') < rows.index('encoding/json.Marshal'), rows)
    picture(name + ', picture', run('-f', 'svg', '--all', *args)
            .stdout.decode(), was, now, calls)
    bound = '1ns' if calls else '0.001%'
    a = diff('--assert', 'delta(^main[.]audit$)<' + bound, *args)['asserts'][0]
    say(name + ', delta() says the same', a['outcome'] == 'violated' and near(
        a['value'], audit['cum_delta']) and near(a['low'], audit['cum_ci'][0])
        and near(a['high'], audit['cum_ci'][1]), (a, audit))


# ---- which functions are the same ----

def pairs(name, was, now, want, **other):
    """Check that each function is paired with the same one in the base: want is
    {name: [(base's samples, now's)]} of the rows; the picture has no new or
    missing frame unless the table has such a row."""
    old, new = write('was', was), write('is', now, **other)
    got, args = {}, ('--base', old, new)
    for f in diff(*args)['diff']['functions']:
        got.setdefault(f['name'], []).append(
            (f['base_cum_samples'], f['cum_samples']))
    got = {k: sorted(v) for k, v in got.items()}
    say('pairs, ' + name, got == want, got)
    drawn = frames(run('-f', 'svg', '--all', *args).stdout.decode())
    drawn = sorted((f[1], f[0]) for path, f in drawn if path)
    say('pairs, %s, picture' % name, drawn == sorted(
        x for rows in want.values() for x in rows), drawn)


def all_pairs():
    top = ('main', '/home/ann/shop/main.c')
    one = lambda *f: ((*f[::-1], top), 100, 100 * NS)
    x, y = ('helper', '/home/ann/a/x.c'), ('helper', '/home/ann/b/y.c')
    moved = ('helper', '/home/ann/c/z.c')
    built = [(f[0], f[1].replace('/home/ann', '/build')) for f in (x, y)]
    pairs('apart in the base, alone now', [one(x), one(y)], [one(built[0])],
          {'main': [(200, 100)], 'helper': [(100, 0), (100, 100)]})
    pairs('alone in the base, apart now', [one(y)], [one(x), one(built[1])],
          {'main': [(100, 200)], 'helper': [(0, 100), (100, 100)]})
    pairs('moved to another file', [one(x)], [one(moved)],
          {'main': [(100, 100)], 'helper': [(100, 100)]})
    pairs('which of two was moved is not known', [one(x), one(y)],
          [one(moved)], {'main': [(200, 100)],
                         'helper': [(0, 100), (100, 0), (100, 0)]})
    pairs('a renamed program', [one(x), one(y)], [one(x), one(y)],
          {'main': [(200, 200)], 'helper': [(100, 100)] * 2},
          program='/tmp/shop-new')
    lib = [('work', '', '/lib/lib%s.so' % k) for k in ('a.so.1', 'b')]
    pairs('of two libraries', [one(lib[0])], [one(lib[1])],
          {'main': [(100, 100)], 'work': [(0, 100), (100, 0)]})
    rust = [('shop::cart::h%016x' % k, '/src/cart.rs') for k in (12, 34)]
    go_asm = [('runtime.memmove' + x, '/go/memmove.s') for x in ('', '.abi0')]
    pairs("Go's assembly", [one(go_asm[0])], [one(go_asm[1])],
          {'main': [(100, 100)], 'runtime.memmove': [(100, 100)]})
    pairs("Rust's hashes", [one(rust[0])], [one(rust[1])],
          {'main': [(100, 100)], 'shop::cart': [(100, 100)]})


# ---- what else a comparison says ----

def others():
    was, now = shop(1, .048), shop(2, .133)
    old, new = write('was', was), write('is', now)
    args = ['--base', old, new]
    equal = write('equal', was)
    r = diff('--base', old, equal)['diff']
    say('equal profiles do not differ', r['significant'] == 0 and
        not r['unrelated'] and r['shared'] == len(r['functions']) and
        r['base_shared_share'] == r['shared_share'] == 1, r['significant'])
    for focus in [], ['--focus', 'audit']:
        d = diff(*focus, *args)['diff']
        got = dict(frames(run('-f', 'svg', *focus, *args).stdout.decode()))
        f = next(f for f in d['functions'] if f['name'] == 'main.audit')
        t = got['main.main', 'main.handle', 'main.audit']
        say('of the whole, %s' % (focus or 'all'),
            near(f['cum_share'], t[2] / 1e9) and
            near(f['base_cum_share'], t[3] / 1e9) and t[4] == 'c0' and
            f['cum_significant'] and not d['unrelated'],
            (f, t))
    unknown = 'cannot be judged'
    for expr, status, outcome in (
            ('share(adit)<90%', 1, unknown), ('share(adit)>1%', 1, unknown),
            ('self(adit)<5%', 1, unknown), ('delta(adit)<5%', 1, unknown),
            ('cpu_per_call<8us', 1, unknown),
            ('share(audit)<1%', 4, 'violated'), ('self(audit)<1%', 0, 'holds'),
            ('share(audit)<13%', 0, 'not resolved')):
        p = run('-f', 'json', '--assert', expr, *args)
        a = json.loads(p.stdout)['asserts'][0]
        say('%s: exit %d' % (expr, status),
            (p.returncode, a['outcome']) == (status, outcome),
            (p.returncode, a))
        say(expr + ', told', (b'cannot be judged: ' + expr.encode() in p.stderr)
            == (outcome == unknown), p.stderr)
    p = run('--assert', 'share(audit)<1%', '--assert', 'share(adit)<1%', *args)
    say('one violated, one not judged: exit 4', p.returncode == 4, p.returncode)
    gone = write('gone', shop(2, 0))
    p = run('--assert', 'share(audit)<1%', '--base', old, gone)
    say('gone since the base: judged', p.returncode == 0, p.stdout[-300:])
    p = run('--assert', 'share(audit)<1%', gone)
    say('in no profile: not judged', p.returncode == 1, p.returncode)
    pass_on = [('main', '/a/m.py'), ('cook', '/a/k.py')]
    p = run('--assert', 'share(audit)<60%', write('empty', []))
    say('no samples, told', p.returncode == 1 and
        b'no samples: load the server while' in p.stderr, p.stderr)
    few = write('few', [((pass_on[1], pass_on[0]), 3, 3 * NS)])
    say('too few samples to be unrelated',
        not diff('--base', few, new)['diff']['unrelated'])
    strange = write('strange', [((pass_on[1], pass_on[0]), 900, 900 * NS)])
    p = run('--base', strange, new)
    d = diff('--base', strange, new)['diff']
    say('an unrelated base', d['unrelated'] and
        b'a profile of another' in b' '.join(p.stdout.split()), d['shared'])
    p = subprocess.run([BIN, 'report', '-f', 'svg', '--base', strange, new],
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    say('an unrelated base, picture', b'another program?' in p.stderr, p.stderr)


def calls():
    """--per-call with a base: each side is divided by its own calls."""
    a, b = shop(1, .048), shop(2, .133)
    known, bare = write('known', a, calls=4000), write('bare', a)
    now, plain = write('now', b, calls=5000), write('plain', b)
    per = lambda *x: diff(*x)['diff']

    def told(name, status, text, *args):
        p = run(*args)
        say('calls, ' + name, p.returncode == status and text in
            p.stderr.decode() and p.stderr.count(b'\n') <= 2, p.stderr)

    for name, args, want in (
            ("each profile's own", ['--per-call', '--base', known, now],
             (4000, 5000)),
            ('both given', ['--per-call=700,300', '--base', bare, plain],
             (300, 700)),
            ('both given, not those noted',
             ['--per-call=700,300', '--base', known, now], (300, 700)),
            ("one given, the base's own",
             ['--per-call=700', '--base', known, plain], (4000, 700))):
        d = per(*args)
        t = functions(a, b, want)[0]['main.audit'][1]
        f = next(f for f in d['functions'] if f['name'] == 'main.audit')
        say('calls, ' + name, d['base_calls'] == want[0] and
            near(f['cum_delta'], t[0]), (d['base_calls'], f, t))
    told('one number is not for both', 2, 'give both: --per-call=700,BASE',
         '--per-call=700', '--base', bare, now)
    told('unknown ones', 2, 'bare.pb has no number of calls; give both: '
         '--per-call=N,BASE', '--per-call', '--base', bare, now)
    told('a second without a base', 2, 'it needs --base', '--per-call=7,8', now)
    told('no numbers', 2, 'takes a number of calls', '--per-call=7,x',
         '--base', known, now)
    told('delta in us', 2, '--per-call=N,BASE',
         '--assert', 'delta(audit)<2us', '--base', bare, now)
    text = ' '.join(run('--per-call', '--base', known, now).stdout.decode()
                    .split())
    say('calls, in the text', 'Calls 4,000 before, 5,000 now' in text, text)
    r = diff('--per-call=600,300', '--assert', 'cpu_per_call<60ms',
             '--base', bare, plain)
    say("calls, cpu_per_call is of now's", r['asserts'][0]['value'] ==
        3000 * NS / 600, r['asserts'])


compared('shares', shop(1, .048), shop(2, .133))
compared('samples of two sizes', shop(3, .08, 13), shop(4, .15, 25))
compared('per call', shop(1, .048), shop(2, .133), (4000, 5000))
all_pairs()
others()
calls()
