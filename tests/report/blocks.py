#!/usr/bin/python3
"""Profiles with blocks, which say when samples were taken, compared with the
same profiles without them.

  blocks.py BIN PPROFS DIR

pprof must print the same for both, and so must report where time does not
matter; profiles that report writes must keep the blocks, which may add at most
half of the size; invalid blocks are ignored.  Prints "ok name" or "FAIL name:
why".
"""
import base64
import gzip
import itertools
import json
import os
import random
import subprocess
import sys

import made_profile
import pb

BIN, PPROFS, DIR = sys.argv[1:4]
ENV = dict(os.environ, PATH='/nonexistent', HOME='/nonexistent', TZ='UTC',
           PPROF_TMPDIR='/nonexistent')
MANY = subprocess.Popen([PPROFS], env=ENV, stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE)
BLOCKS = 50


def say(name, good, why=''):
    print('ok   ' + name if good else 'FAIL %s: %s' % (name, why), flush=True)


def path(*names):
    return os.path.join(DIR, *names)


def pprof(*args):
    MANY.stdin.write(json.dumps(['-symbolize=none', *args]).encode() + b'\n')
    MANY.stdin.flush()
    a = json.loads(MANY.stdout.readline())
    return a['status'], base64.b64decode(a['out'] or ''), a['err']


def report(*args):
    p = subprocess.run([BIN, 'report', *args], capture_output=True, timeout=60)
    return p.returncode, p.stdout, p.stderr.decode()


def read(name):
    """(number of blocks, {stack: its value and blocks}) of a file."""
    data = open(name, 'rb').read()
    data = gzip.decompress(data) if data[:2] == b'\x1f\x8b' else data
    samples, columns = [], {}

    def ints(data):
        return [v for _, v in pb.fields(b''.join(
            b'\x08' + c for c in split(data)))]

    def split(data):
        begin = 0
        for i, c in enumerate(data):
            if c < 0x80:
                yield data[begin:i + 1]
                begin = i + 1

    for number, value in pb.fields(data):
        if number == 2:
            s = dict(pb.fields(value))
            samples.append((s[1], ints(s[2])[0]))
        elif number == 50051:
            columns = dict(pb.fields(value))
    if not columns:
        return 0, {stack: (n, {}) for stack, n in samples}
    step, count = iter(ints(columns[4])), iter(ints(columns[5]))
    rows = {}
    for k, (stack, n) in zip(ints(columns[3]), samples):
        at = itertools.accumulate(itertools.islice(step, k))
        rows[stack] = n, dict(zip(at, itertools.islice(count, k)))
    return columns[1], rows


def make(name, rows, samples, hot, seed):
    """Write a profile with `rows` different stacks, without and with blocks: in
    each phase the `hot` ones have most of its samples."""
    at = random.Random(seed)
    p = made_profile.Profile([('samples', 'count'), ('cpu', 'nanoseconds')],
                             ('cpu', 'nanoseconds', 1000000), 10)
    names = ['%s_%s' % (a, b) for a in 'parse encode find put send walk'.split()
             for b in 'record table buffer frame header node value'.split()]
    taken = [{} for _ in range(rows)]
    for i in range(samples):
        block = i * BLOCKS // samples
        row = i if i < rows else min(at.randrange(rows) for _ in range(
            hot + block // 10 % 2))
        taken[row][block] = taken[row].get(block, 0) + 1
    for i, when in enumerate(taken):
        stack = at.choices(names, k=at.randrange(4, 20)) + \
            [names[i // 1600 % 40], names[i // 40 % 40], names[i % 40], 'main']
        n = sum(when.values())
        p.add(stack, [n, n * 1000000], {'thread': 'worker'}, when)
    for folder, blocks in ('plain', 0), ('with', BLOCKS):
        os.makedirs(path(folder), exist_ok=True)
        p.write(path(folder, name), blocks)


def same_views(name):
    """pprof's views of the profile, of it given twice, and of pprof's copy."""
    bad = []
    for view in '-top', '-tree', '-traces', '-raw', '-tags', '-comments':
        for times in 1, 2:
            a, b = (pprof(view, *[path(f, name)] * times)
                    for f in ('plain', 'with'))
            if a != b or a[0] or (not a[1] and view != '-comments'):
                bad.append((view, times, a[2], b[2]))
    written = []
    for folder in 'plain', 'with':
        pprof('-proto', '-output=' + path(folder, 'its.pb'), path(folder, name))
        written.append(gzip.open(path(folder, 'its.pb')).read())
    say('%s: pprof sees no difference' % name,
        not bad and written[0] == written[1], bad[:1])
    ours = [[report('-q', '-f', view, path(folder, name))[:2]
             for view in ('folded', 'traces', 'raw', 'tags')]
            for folder in ('plain', 'with')]
    say('%s: nor do the views that have no interval' % name,
        ours[0] == ours[1] and not any(v[0] for v in ours[0]))


def size(name):
    sizes = []
    for folder in 'plain', 'with':
        report('-q', '-f', 'pprof', '-o', path(folder, 'ours.pb'),
               path(folder, name))
        sizes.append(os.path.getsize(path(folder, 'ours.pb')))
    say('%s: at most half as large again' % name,
        0 < sizes[0] < sizes[1] <= 1.5 * sizes[0], sizes)
    n, wrote = read(path('with', 'ours.pb'))
    was = read(path('with', name))[1]
    if name == 'dense':
        while 0 < n < BLOCKS:
            was = {stack: (v, {k: b.get(2 * k, 0) + b.get(2 * k + 1, 0)
                               for k in sorted({k // 2 for k in b})})
                   for stack, (v, b) in was.items()}
            n *= 2
        say('dense: some blocks as one', n > 0 and wrote == was, n)
    else:
        say('%s: written as they were read' % name, n == BLOCKS and
            wrote == was, n)


def rewritten(name):
    """Merged profiles, a filtered one, one merged with one without blocks."""
    out, file = path('out.pb'), path('with', name)
    _, rows = read(file)
    report('-q', '-f', 'pprof', '-o', out, file, file)
    n, both = read(out)
    want = {stack: (2 * v, {**b, **{k + BLOCKS: c for k, c in b.items()}})
            for stack, (v, b) in rows.items()}
    say('twice the blocks in two profiles', n == 2 * BLOCKS and both == want, n)
    report('-q', '-f', 'pprof', '--focus', 'send_', '-o', out, file)
    n, part = read(out)
    say('of the rows that a filter leaves, all blocks',
        n == BLOCKS and 0 < len(part) < len(rows) and all(
            v == sum(b.values()) for v, b in part.values()), len(part))
    report('-q', '-f', 'pprof', '-o', out, file, path('plain', name))
    say('none beside a profile without', read(out)[0] == 0)
    report('-q', '-f', 'pprof', '-o', out, '--base', path('plain', name), file)
    say('none in a difference', read(out)[0] == 0)


def invalid(name):
    plain, bad = open(path('plain', name), 'rb').read(), path('bad.pb')
    n = read(path('plain', name))[1]
    for what, rows in (('a block too late', [{BLOCKS: 1}]),
                       ('more samples than the row has', [{0: 10 ** 6}]),
                       ('more rows than there are', [{}] * len(n) + [{}])):
        rows += [{}] * (len(n) - len(rows))
        with open(bad, 'wb') as f:
            f.write(plain + pb.blocks(BLOCKS, 10 ** 8, rows))
        status, _, err = report('-f', 'folded', bad)
        say(what + ': read without', status == 0 and
            'invalid blocks of time' in err, (status, err))
        status, _, err = report('--strict', bad)
        say(what + ': refused by --strict', status == 1 and
            'invalid blocks of time' in err, (status, err))


for case in (('usual', 400, 10000, 8), ('varied', 3000, 3000, 1),
             ('few', 12, 10000, 1), ('dense', 400, 10000, 1)):
    make(*case, seed=len(case[0]))
    size(case[0])
    if case[0] == 'usual':
        same_views(case[0])
        invalid(case[0])
    if case[0] == 'varied':             # small beside its rows
        rewritten(case[0])
MANY.stdin.close()
MANY.wait()
