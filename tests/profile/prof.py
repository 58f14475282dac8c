#!/usr/bin/python3
"""Reads a profile with protobuf's own Python library, not with our codec.

  prof.py DIR check FILE PROGRAM   is it complete, consistent, and in agreement
                                   with addr2line?  Prints "ok name" or "FAIL
                                   name: why"
  prof.py DIR sums FILE            prints samples, nanoseconds
  prof.py DIR names FILE MODULE    functions of the mappings named like MODULE
  prof.py DIR mapping FILE         of the first: its flags, the deepest stack
  prof.py DIR comment FILE KEY     the value of the comment KEY=value
  prof.py DIR time FILE FRAME [FUNCTION] [KEY=TEXT]
                                   of the time of stacks with the function or
                                   label FRAME, the share of those that have
                                   FUNCTION (if not "") and KEY=TEXT, too
  prof.py DIR labelled FILE KEY=TEXT FRAME...
                                   counts samples with the label, samples with
                                   one of the functions, and samples with both

DIR holds profile_pb2.py, made by protoc from proto/profile.proto.
"""
import gzip
import itertools
import os
import re
import subprocess
import sys
import time
import zlib

sys.path.insert(0, sys.argv[1])
import profile_pb2  # noqa: E402


def load(name):
    """The profile in the file; it must be one gzip member and no more."""
    with open(name, 'rb') as f:
        data = f.read()
    one = zlib.decompressobj(31)
    raw = one.decompress(data)
    if not one.eof or one.unused_data:
        raise ValueError('not exactly one gzip member')
    assert raw == gzip.decompress(data)
    return profile_pb2.Profile.FromString(raw)


def say(name, good, why=''):
    print('ok   ' + name if good else 'FAIL %s: %s' % (name, why), flush=True)


def none_of(name, bad):
    """Good if the list of offenders is empty."""
    bad = list(bad)
    say(name, not bad, '%d, first: %s' % (len(bad), bad[:1]))


def texts(p):
    """Every index into the string table, and the field that has it."""
    for v in list(p.sample_type) + [p.period_type]:
        yield 'type', v.type
        yield 'unit', v.unit
    for s in p.sample:
        for x in s.label:
            yield from (('label', x.key), ('label', x.str),
                        ('label', x.num_unit))
    for m in p.mapping:
        yield from (('mapping', m.filename), ('mapping', m.build_id))
    for f in p.function:
        yield from (('function', f.name), ('function', f.system_name),
                    ('function', f.filename))
    for c in p.comment:
        yield 'comment', c
    yield 'default', p.default_sample_type


def tables(p):
    n = len(p.string_table)
    say('the first string is empty', n and p.string_table[0] == '')
    say('no string stands twice', len(set(p.string_table)) == n)
    none_of('text indexes are inside the table',
            (t for t in texts(p) if not 0 <= t[1] < n))
    for name in 'mapping', 'location', 'function':
        ids = [x.id for x in getattr(p, name)]
        say('%s ids are 1..N in order' % name,
            ids and ids == list(range(1, len(ids) + 1)), ids[:9])
    s = p.string_table
    kinds = ['%s/%s' % (s[v.type], s[v.unit]) for v in p.sample_type]
    say('sample types', kinds == ['samples/count', 'cpu/nanoseconds'], kinds)
    say('period type', (s[p.period_type.type], s[p.period_type.unit]) ==
        ('cpu', 'nanoseconds'))
    say('period', 0 < p.period <= 10**9, p.period)
    say('duration', 0 < p.duration_nanos < 3600 * 10**9, p.duration_nanos)
    say('time', abs(p.time_nanos / 1e9 - time.time()) < 3600, p.time_nanos)


def samples(p):
    nloc = len(p.location)
    none_of('samples have two values and a stack',
            (x for x in p.sample if len(x.value) != 2 or not x.location_id))
    # CPU time without a sample to show for it has a frame in brackets.
    none_of('sample values are positive',
            (list(x.value) for x in p.sample if x.value[1] < 0 or
             x.value[0] < (not name_of(p, p.location[x.location_id[0] - 1])
                           .startswith('['))))
    none_of('samples point to locations',
            (i for x in p.sample for i in x.location_id if not 0 < i <= nloc))
    stacks = [tuple(x.location_id) + tuple(str(y) for y in x.label)
              for x in p.sample]
    say('no stack stands twice', len(set(stacks)) == len(stacks),
        '%d of %d' % (len(stacks) - len(set(stacks)), len(stacks)))


def places(p):
    maps = {m.id: m for m in p.mapping}
    files = {m.id: p.string_table[m.filename] for m in p.mapping}
    none_of('locations lie in their mapping',
            (hex(x.address) for x in p.location if x.mapping_id and not
             maps[x.mapping_id].memory_start <= x.address <
             maps[x.mapping_id].memory_limit))
    none_of('locations without a mapping are frames of the profiler\'s own',
            (x.id for x in p.location if not x.mapping_id and not
             (x.line and name_of(p, x).startswith('['))))
    for flag, true_of in (('has_functions', lambda x: x.line),
                          ('has_filenames', lambda x: x.line and all(
                              f for f, _ in lines_of(p, x))),
                          ('has_line_numbers',
                           lambda x: x.line and all(y.line for y in x.line)),
                          ('has_inline_frames',
                           lambda x: x.line and all(y.line for y in x.line))):
        none_of(flag + ' only where it holds',
                (files[x.mapping_id] for x in p.location if x.mapping_id and
                 getattr(maps[x.mapping_id], flag) and not true_of(x)))
    none_of('no address in place of a name',
            (f for f in (p.string_table[f.name] for f in p.function)
             if re.match('(0x)?[0-9a-f]{6,}$', f)))
    s = p.string_table
    keys = [(s[f.name], s[f.filename]) for f in p.function]
    say('no function stands twice', len(set(keys)) == len(keys),
        '%d of %d' % (len(keys) - len(set(keys)), len(keys)))


def lines_of(p, location):
    """The (file, line) of a location's functions, innermost first."""
    return [(p.string_table[p.function[y.function_id - 1].filename], y.line)
            for y in location.line]


def theirs_of(block):
    """The same from addr2line's lines of names and places; and the names."""
    lines = block.split('\n')
    places = []
    for where in lines[2::2]:
        m = re.match(r'(.+):(\d+)( \(discriminator \d+\))?$', where)
        known = m and m[1] != '??' and int(m[2])
        places.append((m[1], int(m[2])) if known else ('', 0))
    return lines[1::2], places


def name_of(p, location):
    """The function that holds the instruction, inlined ones aside."""
    if not location.line:
        return ''
    return p.string_table[p.function[location.line[-1].function_id - 1].name]


def blocks(p):
    """Check that blocks have all samples of each row but lost ones, in up to 60
    blocks."""
    b, text = p.blocks, p.string_table
    say('it has blocks of time', 8 <= b.number <= 60 or
        p.duration_nanos < 1500000000, '%d' % b.number)
    if not b.number:
        return
    say('they cover the window', abs(
        b.number * b.length_nanos - p.duration_nanos) <= b.length_nanos,
        '%d of %d ns, not %d' % (b.number, b.length_nanos, p.duration_nanos))
    say('every row has them', len(b.rows) == len(p.sample) and
        sum(b.rows) == len(b.step) == len(b.count), '%d' % len(b.rows))
    lost = {x.id for x in p.location for y in x.line
            if text[p.function[y.function_id - 1].name] == '[lost samples]'}
    step, count, bad = iter(b.step), iter(b.count), []
    for n, s in zip(b.rows, p.sample):
        at = list(itertools.accumulate(itertools.islice(step, n)))
        counts = list(itertools.islice(count, n))
        if sorted(set(at)) != at or (at and at[-1] >= b.number) or \
                (sum(counts) != s.value[0] and s.location_id[0] not in lost):
            bad.append((at, counts, s.value))
    none_of('its blocks are in order, and have its samples', bad)


def build_id(program):
    text = subprocess.run(['readelf', '-n', program], capture_output=True,
                          text=True).stdout
    m = re.search('Build ID: ([0-9a-f]+)', text)
    return m.group(1) if m else ''


def segments(program):
    """The (offset, size, virtual address) of what is loaded from the file."""
    text = subprocess.run(['readelf', '-lW', program], capture_output=True,
                          text=True).stdout
    return [tuple(int(x, 16) for x in (m[0], m[2], m[1])) for m in re.findall(
        r'LOAD +0x([0-9a-f]+) 0x([0-9a-f]+) 0x[0-9a-f]+ 0x([0-9a-f]+)', text)]


def against_addr2line(p, program):
    """Check each location's name, lines and inlined calls against addr2line."""
    ours = [m for m in p.mapping if os.path.realpath(
        p.string_table[m.filename]) == os.path.realpath(program)]
    say('the program is the first mapping', ours and ours[0].id == 1,
        [p.string_table[m.filename] for m in p.mapping][:3])
    if not ours:
        return
    say('build id', build_id(program) == p.string_table[ours[0].build_id],
        p.string_table[ours[0].build_id])
    loads, asked = segments(program), []
    for x in p.location:
        for m in ours:
            if x.mapping_id == m.id:
                off = x.address - m.memory_start + m.file_offset
                at = [off - o + v for o, n, v in loads if o <= off < o + n]
                asked.append((at[0] if at else 0, name_of(p, x),
                              lines_of(p, x)))
    out = subprocess.run(['addr2line', '-a', '-i', '-f', '-e', program],
                         input='\n'.join(hex(a) for a, _, _ in asked) + '\n',
                         capture_output=True, text=True).stdout.strip()
    out = out.split('\n0x')
    wrong, misplaced, placed = [], [], 0
    for (at, name, lines), block in zip(asked, out):
        names, places = theirs_of(block)
        theirs = names[-1]
        if theirs != '??' and theirs.split('.')[0] != name.split('.')[0]:
            wrong.append('%#x is %s, not %s' % (at, theirs, name or 'nameless'))
        if name and lines != places:
            misplaced.append('%#x is at %s, not %s' % (at, places, lines))
        placed += places[0][1] > 0
    say('addr2line was asked', len(out) == len(asked) > 5, len(asked))
    none_of('addresses of the program have addr2line\'s names', wrong)
    none_of('and its lines and inlined calls', misplaced)
    say('most lines of the program are known', placed * 2 > len(asked),
        '%d of %d' % (placed, len(asked)))


def functions_at(p):
    """The names of the functions at each location, inlined ones too."""
    names = {f.id: p.string_table[f.name] for f in p.function}
    return {x.id: {names[y.function_id] for y in x.line} for x in p.location}


def labels_of(p, s):
    """The labels of a sample that are text, as KEY=TEXT."""
    return {p.string_table[x.key] + '=' + p.string_table[x.str]
            for x in s.label}


def labelled(p, label, *frames):
    """Print the number of samples with the label, with a frame, with both."""
    names = functions_at(p)
    count = [0, 0, 0]
    for s in p.sample:
        told = label in labels_of(p, s)
        seen = any(names[i] & set(frames) for i in s.location_id)
        for i, yes in enumerate((told, seen, told and seen)):
            count[i] += s.value[0] if yes else 0
    return count


def share_of_time(p, frame, function='', label=''):
    """Print a share of the time of stacks with frame; see above."""
    names = functions_at(p)
    part = whole = 0
    for s in p.sample:
        has = set().union(*(names[i] for i in s.location_id))
        labels = labels_of(p, s)
        if (frame in has if '=' not in frame else frame in labels):
            whole += s.value[1]
            if (not function or function in has) and (
                    not label or label in labels):
                part += s.value[1]
    return part / whole if whole else 0


def main():
    mode, p = sys.argv[2], load(sys.argv[3])
    if mode == 'check':
        tables(p)
        blocks(p)
        samples(p)
        places(p)
        against_addr2line(p, sys.argv[4])
    elif mode == 'sums':
        print(sum(s.value[0] for s in p.sample),
              sum(s.value[1] for s in p.sample))
    elif mode == 'names':
        ids = {m.id for m in p.mapping if sys.argv[4] in
               os.path.basename(p.string_table[m.filename])}
        print('\n'.join(sorted({name_of(p, x) for x in p.location
                                if x.mapping_id in ids} - {''})))
    elif mode == 'mapping':
        m = p.mapping[0]
        print('functions=%d filenames=%d lines=%d inline=%d deepest=%d' % (
            m.has_functions, m.has_filenames, m.has_line_numbers,
            m.has_inline_frames, max(len(s.location_id) for s in p.sample)))
    elif mode == 'time':
        print('%.4f' % share_of_time(p, *sys.argv[4:]))
    elif mode == 'labelled':
        print(*labelled(p, *sys.argv[4:]))
    elif mode == 'comment':
        for c in p.comment:
            key, _, value = p.string_table[c].partition('=')
            if key == sys.argv[4]:
                print(value)


main()
