#!/usr/bin/python3
"""floods.py BIN DIR MIB COUNT [VIEW...]: small profiles that ask for much time
or memory, or are inconsistent.  In each VIEW (all) report must read them, or
refuse them in one line that names the file, in bounded time and with at most
MIB of memory.  COUNT is how many of a thing are "many".  Prints "ok name" or
"FAIL name: why".
"""
import os
import resource
import subprocess
import sys
import tempfile
import time
import zlib

from pb import number, part, varint

BIN, DIR, MOST, MANY = *sys.argv[1:3], *map(int, sys.argv[3:5])
SECONDS, PIECES_MIB = 60, 48
VIEWS = ('text', 'json', 'svg', 'top', 'tree', 'traces', 'raw', 'tags', 'html',
         'folded', 'pprof', 'callgrind', 'speedscope', 'md')
VIEWS = sys.argv[5:] or VIEWS


TYPE = part(1, number(1, 1) + number(2, 2))
NAMES = b''.join(part(6, s) for s in ('', 'cpu', 'nanoseconds', 'f', 'key'))


def function(i, name=3):
    return part(5, number(1, i) + number(2, name))


def location(i, lines=(1,), mapping=0):
    return part(4, number(1, i) + number(2, mapping) + number(3, 16 * i) +
                b''.join(part(4, number(1, n)) for n in lines))


def sample(stack=(1,), value=1, labels=b''):
    return part(2, part(1, b''.join(map(varint, stack))) +
                part(2, varint(value)) + labels)


ONE = TYPE + NAMES + function(1) + location(1)


def nested(depth):
    """depth messages in each other, built from the inside."""
    sizes, size = [], 0
    for _ in range(depth):
        head = varint(99 << 3 | 2) + varint(size)
        sizes.append(head)
        size += len(head)
    return b''.join(reversed(sizes))


def floods():
    yield 'many empty samples', ONE + b'\x12\x00' * MANY
    yield 'many samples', ONE + sample() * MANY
    yield 'many stacks of two', ONE + b''.join(
        location(i) for i in range(2, 1002)) + b''.join(
        sample((i % 1000 + 1, i // 1000 + 1)) for i in range(MANY))
    yield 'a stack of many', ONE + sample([1] * MANY)
    yield 'a stack of 100,000 functions', TYPE + NAMES + b''.join(
        function(i) + location(i, (i,)) for i in range(1, 100001)) + sample(
        range(1, 100001))
    yield 'ten stacks of 50,000 functions with names', TYPE + NAMES + b''.join(
        part(6, 'name%d' % i) + function(i, i + 4) + location(i, (i,))
        for i in range(1, 50001)) + b''.join(
        sample(range(k, 50001)) for k in range(1, 11))
    yield 'many lines', TYPE + NAMES + function(1) + location(
        1, [1] * MANY) + sample()
    yield 'many lines of long names', TYPE + NAMES + b''.join(
        part(6, 'x' * 2000 + '%d' % i) + function(i, i + 4)
        for i in range(1, 51)) + location(
        1, [1 + i % 50 for i in range(MANY // 4)]) + sample()
    yield 'many files of one name', TYPE + NAMES + b''.join(
        part(6, '/src/f%d.go' % i) + part(5, number(1, i) + number(2, 3) + number(
            4, i + 4)) + location(i, (i,)) + sample((i,))
        for i in range(1, MANY // 20))
    yield 'many frames in each location', TYPE + NAMES + function(
        1) + location(1, [1] * 1000) + sample([1] * (MANY // 4))
    yield 'many labels', ONE + sample(labels=part(
        3, number(1, 4) + number(2, 3)) * MANY)
    yield 'many different labels', ONE + b''.join(sample(labels=part(
        3, number(1, 4) + number(3, i))) for i in range(1, MANY * 3 // 10))
    yield 'many strings', ONE + part(6, 'x') * MANY + sample()
    yield 'many functions', ONE + b''.join(
        function(i) for i in range(2, MANY)) + sample()
    yield 'many mappings', ONE + b''.join(
        part(3, number(1, i)) for i in range(1, MANY)) + sample()
    yield 'many locations, ids from the end', TYPE + NAMES + function(
        1) + b''.join(location(i) for i in range(MANY, 0, -1)) + sample()
    yield 'many functions of one id', ONE + function(1) * MANY + sample()
    yield 'many comments', ONE + sample() + part(
        13, varint(3) * MANY)
    yield 'many comments of their own', ONE + sample() + number(
        13, 3) * MANY
    yield 'many different comments', ONE + sample() + b''.join(
        part(6, 'c%d' % i) + number(13, 5 + i) for i in range(MANY))
    yield 'many types', ONE + TYPE * MANY + sample()
    yield 'many messages in each other', ONE + sample() + nested(MANY)
    yield 'many unknown fields', ONE + sample() + number(99, 1) * MANY
    yield 'many times', ONE + sample() + number(9, 0) * MANY
    yield 'an id of 2^64 - 1', TYPE + NAMES + part(5, number(
        1, -1) + number(2, 3)) + part(4, number(1, -1) + part(4, number(
            1, -1))) + sample([2 ** 64 - 1])
    yield 'a varint of 11 bytes', ONE + b'\x10' + b'\x80' * 10 + b'\x01'
    yield 'a length of 2^63', ONE + b'\x12' + varint(1 << 63)
    yield 'a length of 2^64 - 1', ONE + b'\x12' + varint(-1)
    yield 'sums beyond 2^63', ONE + sample(value=2 ** 63 - 1) * 9
    yield 'sums below -2^63', ONE + sample(value=-2 ** 63) * 9
    yield 'a group', ONE + b'\x13' + sample() + b'\x14'
    yield 'a name of 16 MiB', ONE + part(6, 'y' * (16 << 20)) + function(
        2, 5) + location(2, (2,)) + sample((2, 1))
    yield 'a line of blanks of perf script', b'a' + b' \t' * (4 * MANY) + b'x\n'


def pieces():
    """Views far larger than the profile, which are written in pieces."""
    data = TYPE + NAMES + part(6, 'x' * 100000) + b''.join(
        function(i, 5) + location(i, (i,)) + sample((i,))
        for i in range(1, 1001))
    for view in 'traces', 'raw', 'folded':
        yield 'long names in ' + view, data, view


def bombs(folder):
    """Gzip files that inflate to far more than their size, written to disk."""
    for name, head, much in ('a bomb of zeros', b'', bytes(1 << 20)), (
            'a bomb of empty samples', ONE, b'\x12\x00' * (1 << 19)), (
            'a bomb of strings', ONE, part(6, '') * (1 << 18)):
        path = os.path.join(folder, 'bomb.pb.gz')
        z = zlib.compressobj(1, zlib.DEFLATED, -15)
        first = z.compress(head) + z.flush(zlib.Z_FULL_FLUSH)
        again = z.compress(much) + z.flush(zlib.Z_FULL_FLUSH)
        with open(path, 'wb') as f:     # its end, with a checksum, is not read
            f.write(b'\x1f\x8b\x08' + bytes(7) + first)
            for _ in range(3 << 10):
                f.write(again)
        yield name, path


def run(name, path, view, most=MOST):
    argv = [BIN, 'report', '-q', '-f', view, path]
    err, start = tempfile.TemporaryFile(), time.monotonic()
    p = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=err)
    try:
        p.wait(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        p.kill()
        p.wait()
        return 'not done after %d s' % SECONDS
    finally:
        run.slowest = max(run.slowest, (time.monotonic() - start, name, view))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    err.seek(0)
    lines = err.read().decode('utf-8', 'replace').splitlines()
    if p.returncode not in (0, 1) or p.returncode and (
            len(lines) != 1 or os.path.basename(path) not in lines[0]):
        return 'status %s, %s' % (p.returncode, lines[-2:])
    if peak > most:
        return 'took %d MiB' % peak
    return ''


run.slowest = (0, '', '')


def main():
    path = os.path.join(DIR, 'flood.pb')
    for name, data, view in pieces():   # first: a peak is that of all so far
        with open(path, 'wb') as f:
            f.write(data)
        bad = run(name, path, view, PIECES_MIB)
        print('FAIL %s: %s' % (name, bad) if bad else 'ok   ' + name, flush=True)
    os.unlink(path)
    for i, (name, data) in enumerate(floods()):
        path = os.path.join(DIR, 'flood%d.pb' % i)
        with open(path, 'wb') as f:
            f.write(data)
        bad = [v + ': ' + why for v in VIEWS
               for why in [run(name, path, v)] if why]
        print('FAIL %s: %s' % (name, bad) if bad else 'ok   ' + name, flush=True)
        os.unlink(path)
    for name, path in bombs(DIR):
        bad = run(name, path, 'top')
        print('FAIL %s: %s' % (name, bad) if bad else 'ok   ' + name, flush=True)
        os.unlink(path)
    print('slowest: %.1f s, %s, %s' % run.slowest, file=sys.stderr)


main()
