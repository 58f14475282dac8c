"""Protobuf field by field, for messages that no library would write."""


def varint(v):
    out = bytearray()
    v &= (1 << 64) - 1
    while v >= 0x80:
        out.append(v & 0x7f | 0x80)
        v >>= 7
    return bytes(out) + bytes([v])


def number(field, v):
    return varint(field << 3) + varint(v)


def part(field, data):
    """A field with a length: text, bytes or a message."""
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def blocks(n, length_ns, rows):
    """A profile's field Blocks, of n blocks of time: rows has, for each Sample
    in order, {block, from 0: samples}."""
    rows = [sorted(r.items()) for r in rows]
    step = [b - (r[k - 1][0] if k else 0) for r in rows
            for k, (b, _) in enumerate(r)]
    columns = map(len, rows), step, (count for r in rows for _, count in r)
    return part(50051, number(1, n) + number(2, length_ns) + b''.join(
        part(3 + k, b''.join(map(varint, c))) for k, c in enumerate(columns)))


def fields(message):
    """(number, value: an int or bytes) of each field of a message."""
    def get(i):
        value = shift = 0
        while True:
            value |= (message[i] & 0x7f) << shift
            i, shift = i + 1, shift + 7
            if message[i - 1] < 0x80:
                return value, i
    at = 0
    while at < len(message):
        tag, at = get(at)
        value, at = get(at)
        if tag & 7 == 2:
            at, value = at + value, message[at:at + value]
        yield tag >> 3, value
