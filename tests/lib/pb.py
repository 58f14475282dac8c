"""Protobuf by the field, for messages that no library would write."""


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
