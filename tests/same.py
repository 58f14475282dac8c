#!/usr/bin/python3
"""Does `grpcprof report` say what `go tool pprof` says, view by view?

  same.py GRPCPROF PPROF PROFILE...

PPROF is pprof, or tests/tools/pprofs, which is pprof without a start each time.
Each profile is looked at in each of its sample types, in every view that both
have, and through every filter with expressions made of the profile's own names.
The texts must be the same, byte for byte.  Prints "ok NAME" and "FAIL NAME: WHY"
lines.
"""
import base64
import collections
import json
import os
import re
import subprocess
import sys
import tempfile

BIN, PPROF, PROFILES = sys.argv[1], sys.argv[2], sys.argv[3:]
ENV = dict(os.environ, TZ='UTC', PPROF_TMPDIR='/nonexistent', HOME='/nonexistent')
VIEWS = {'top': ['-top'], 'top --cum': ['-top', '-cum'], 'tree': ['-tree'],
         'tree --cum': ['-tree', '-cum'], 'traces': ['-traces'],
         'tags': ['-tags'], 'raw': ['-raw'], 'top --by line': ['-top', '-lines'],
         'tree --by address': ['-tree', '-addresses']}
counts = collections.Counter()
# Without a PATH pprof does not start four programs, to ask for their versions,
# before each answer.
MANY = subprocess.Popen([PPROF], env=dict(ENV, PATH='/nonexistent'),
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE) \
    if os.path.basename(PPROF) == 'pprofs' else None


def pprof(*args):
    """What pprof answers: its status, output and messages."""
    if not MANY:
        return run([PPROF, '-symbolize=none', *args])
    MANY.stdin.write(json.dumps(['-symbolize=none', *args]).encode() + b'\n')
    MANY.stdin.flush()
    a = json.loads(MANY.stdout.readline())
    return (a['status'], *(base64.b64decode(a[k] or '').decode(
        'utf-8', 'replace') for k in ('out', 'err')))


def run(argv):
    p = subprocess.run(argv, env=ENV, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=120)
    return p.returncode, p.stdout.decode('utf-8', 'replace'), \
        p.stderr.decode('utf-8', 'replace')


def first_difference(a, b):
    a, b = a.split('\n'), b.split('\n')
    for i, (x, y) in enumerate(zip(a, b)):
        if x != y:
            return 'line %d: pprof %r, ours %r' % (i + 1, x[:100], y[:100])
    return 'pprof has %d lines, ours %d' % (len(a), len(b))


def clean(text):
    """What we print instead of bytes that would harm a terminal."""
    return re.sub('[\x00-\x08\x0b-\x1f\x7f]', '?', text)


def same(name, ours, theirs, path):
    p = pprof(*theirs, path)
    o = run([BIN, 'report', '-q', '--symbolize=none', *ours, path])
    if p[0] or o[0]:
        # Both refuse, or pprof has nothing to show, which we show as nothing.
        good = o[0] in (1, 2) if p[0] and 'no matches found' not in p[2] \
            else o[0] in (0, 2)
        why = 'pprof ends with %d (%s), ours with %d (%s)' % (
            p[0], p[2].strip()[-80:], o[0], o[2].strip()[-80:])
    else:
        text = clean(p[1])
        if ours[1] == 'raw' and o[1].endswith('\nMappings\n'):
            # pprof makes one up where a profile has none.
            text = re.sub(r'(\d: 0x[0-9a-f]+ )M=1 ', r'\1', text)
            text = re.sub(r'(\nMappings\n)1: .*\n$', r'\1', text)
        # Where sizes differ in their sign alone, pprof's order is by chance.
        good = text == o[1] or (re.search(r'(^|\s)-\d', text) and
                                ours[1] in ('tags', 'tree') and
                                sorted(text.split('\n')) ==
                                sorted(o[1].split('\n')))
        why = '' if good else first_difference(text, o[1])
    counts[good] += 1
    if not good:
        print('FAIL %s: %s: %s' % (os.path.basename(path), name, why))


def names_of(path):
    """Some function names, files and labels of a profile, by pprof."""
    raw = pprof('-raw', path)[1]
    types = re.search(r'Samples:\n(.*)\n', raw)
    types = re.sub(r'\[dflt\]', '', types.group(1)).split() if types else []
    names = re.findall(r'^ +\d+: 0x[0-9a-f]+ (?:M=\d+ )?(?:\[F\] )?(\S+) (\S*?):',
                       raw, re.M)
    functions = [n[0] for n in names if n[0] != '??']
    files = sorted({os.path.basename(n[1]) for n in names if n[1]})
    maps = re.findall(r'^\d+: 0x\S+ (\S+)', raw.split('Mappings\n')[-1], re.M)
    strings = re.findall(r'^                (\S+):\[([^\]]*)\]', raw, re.M)
    common = [n for n, _ in collections.Counter(functions).most_common(40)]
    return types, common, files, maps, strings


def escape(name):
    return re.sub(r'([\\^$.|?*+()\[\]{}])', r'\\\1', name)


def expressions(functions, files, maps):
    some = [escape(f) for f in functions[:1] + functions[7:8] + functions[20:21]]
    some += [escape(f) for f in files[:1]]
    some += [escape(os.path.basename(m)) for m in maps[:1] if m.startswith('/')]
    some += ['^runtime', r'\.\w+$', r'^\S+\W\D+$', 'a.*(b|c)', '(?i)MAIN', 'nothing at all']
    return some


def check(path):
    types, functions, files, maps, labels = names_of(path)
    for t in [t.split('/')[0] for t in types]:
        sample = (['--sample', t], ['-sample_index=' + t]) if t else ([], [])
        for view, theirs in VIEWS.items():
            same('%s %s' % (view, t), ['-f', *view.split(), *sample[0]],
                 [*theirs, *sample[1]], path)
    for re_ in expressions(functions, files, maps):
        for option in ('focus', 'ignore', 'hide', 'show', 'show-from',
                       'prune-from'):
            theirs = '-%s=%s' % (option.replace('-', '_'), re_)
            for view in ('top', 'tree', 'traces'):
                same('%s --%s %s' % (view, option, re_),
                     ['-f', view, '--' + option, re_], ['-' + view, theirs],
                     path)
    for re_ in functions[:3]:
        same('peek %s' % re_, ['--peek', escape(re_)], ['-peek', escape(re_)],
             path)
    tags = []
    for key, values in labels[:1] + labels[-1:]:
        value = values.split()[0] if values else ''
        tags += ['%s=%s' % (key, escape(value)), escape(value), key + '=^1',
                 key + ':', '%s=:%s' % (key, value), '%s=%s:' % (key, value)]
    for tag in tags + ['bytes=16b:1mb', 'bytes=:64b', 'bytes=1kb:', 'x', 'a,b']:
        for option in ('tagfocus', 'tagignore'):
            for view in ('top', 'tags'):
                same('%s --%s %s' % (view, option, tag),
                     ['-f', view, '--' + option, tag],
                     ['-' + view, '-%s=%s' % (option, tag)], path)
    for key in {k for k, _ in labels[:1] + labels[-1:]} | {'bytes'}:
        for option in ('tagroot', 'tagleaf'):
            for view in ('top', 'tree'):
                same('%s --%s %s' % (view, option, key),
                     ['-f', view, '--' + option, key],
                     ['-' + view, '-%s=%s' % (option, key)], path)


def compared(path, base):
    """--base is -diff_base in the tables, and -base where that marks samples.
    Of profiles that have the same types and both a program: pprof makes one up
    for those without, and its order of equal sizes is by chance."""
    types, functions, _, maps, _ = names_of(path)
    if names_of(base)[0] != types or not maps or not names_of(base)[3]:
        return
    for view, theirs in VIEWS.items():
        option = '-base=' if view in ('traces', 'tags', 'raw') else '-diff_base='
        for filter_ in [], ['focus', escape((functions or ['main'])[0])]:
            if filter_ and view in ('tags', 'raw'):
                continue
            same('%s --base %s' % (view, filter_),
                 ['-f', *view.split(), '--base', base] +
                 (['--' + filter_[0], filter_[1]] if filter_ else []),
                 [*theirs, option + base] +
                 (['-%s=%s' % tuple(filter_)] if filter_ else []), path)


def written(path, folder):
    """What we write after a merge or a filter is to pprof what its own would
    be: it says the same of our file as of the one it writes itself, but for
    comments that count something: ours are of all files together."""
    out, its = os.path.join(folder, 'ours.pb'), os.path.join(folder, 'its.pb')
    functions = names_of(path)[1]
    name = escape(functions[-1] if functions else 'main')
    for option, theirs, files in (
            ([], [], [path]), ([], [], [path, path]),
            (['--focus', name], ['-focus=' + name], [path]),
            (['--ignore', name], ['-ignore=' + name], [path, path]),
            (['--hide', name], ['-hide=' + name], [path])):
        o = run([BIN, 'report', '-q', *option, '-f', 'pprof', '-o', out, *files])
        p = pprof(*theirs, '-proto', '-output', its, *files)
        for view in '-top', '-tree':
            ours = pprof(view, out)
            want = pprof(view, its)
            amount = re.compile(r'^requests=\d+$', re.M)
            good = not o[0] and not p[0] and (amount.sub('', ours[1]) ==
                                              amount.sub('', want[1]))
            counts[good] += 1
            if not good:
                print('FAIL %s: written with %s, %s: %s' % (
                    os.path.basename(path), option, view, o[2] + p[2][-90:] +
                    ours[2][-90:] + first_difference(want[1], ours[1])))


for profile in PROFILES:
    counts.clear()
    check(profile)
    compared(profile, PROFILES[0])
    with tempfile.TemporaryDirectory() as folder:
        written(profile, folder)
    print('%s %s as pprof has it: %d comparisons' % (
        'FAIL' if counts[False] else 'ok', os.path.basename(profile),
        sum(counts.values())) + (': %d differ' % counts[False]
                                 if counts[False] else ''))
