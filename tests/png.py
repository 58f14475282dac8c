#!/usr/bin/python3
"""png.py FILE: prints how many colours a screenshot has, and how much of it the
most frequent one takes, in percent.  8 bit, RGB or RGBA, not interlaced."""
import collections
import struct
import sys
import zlib


def pixels(data):
    if data[:8] != b'\x89PNG\r\n\x1a\n':
        raise ValueError('not a PNG')
    at, packed = 8, b''
    while at < len(data):
        size, kind = struct.unpack('>I4s', data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        if kind == b'IHDR':
            wide, high, depth, colour, _, _, lace = struct.unpack(
                '>IIBBBBB', body)
        elif kind == b'IDAT':
            packed += body
        at += size + 12
    if depth != 8 or colour not in (2, 6) or lace:
        raise ValueError('depth %d, colour type %d' % (depth, colour))
    step = 3 if colour == 2 else 4
    raw, row = zlib.decompress(packed), bytearray(wide * step)
    for y in range(high):
        start = y * (wide * step + 1)
        row = unfilter(raw[start], raw[start + 1:start + 1 + wide * step], row,
                       step)
        for x in range(0, len(row), step):
            yield bytes(row[x:x + 3])


def unfilter(kind, line, up, step):
    """Undo one of PNG's five filters; up is the line above, unfiltered."""
    out = bytearray(line)
    for i in range(len(out)):
        a = out[i - step] if i >= step else 0
        b, c = up[i], up[i - step] if i >= step else 0
        if kind == 1:
            out[i] = (out[i] + a) & 255
        elif kind == 2:
            out[i] = (out[i] + b) & 255
        elif kind == 3:
            out[i] = (out[i] + (a + b) // 2) & 255
        elif kind == 4:
            p = a + b - c
            near = min((abs(p - a), 0, a), (abs(p - b), 1, b),
                       (abs(p - c), 2, c))
            out[i] = (out[i] + near[2]) & 255
    return out


with open(sys.argv[1], 'rb') as f:
    count = collections.Counter(pixels(f.read()))
print(len(count), 100 * count.most_common(1)[0][1] // sum(count.values()))
