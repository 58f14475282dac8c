#!/usr/bin/python3
"""Compare messages to and from JSON with Python's protobuf.

  mapping.py UNIT SET CASES SEED

UNIT is .build/unit, SET the FileDescriptorSet of rich.proto and old.proto.
CASES messages are made at random by SEED, as JSON and as bytes, valid and
invalid; json_format.Parse and MessageToDict must give the same.  Then JSON made
from bytes is read back, and all of old.proto is compared once more as an
edition with equivalent features.  Prints "ok NAME", with counts, or "FAIL NAME:
WHY", up to ten.

RULES lists by hand where the mapping [1] or its conformance tests [2] and
Python's protobuf 4.21 differ; the random messages avoid these cases.
  [1] protobuf.dev/programming-guides/json
  [2] protobuf's conformance/binary_json_conformance_suite.cc
"""
import json
import os
import random
import struct
import subprocess
import sys

from google.protobuf import (descriptor_pb2, descriptor_pool, json_format,
                             message_factory)
from same_json import same

UNIT, SET, CASES, SEED = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:5])
FILES = descriptor_pb2.FileDescriptorSet()
with open(SET, 'rb') as f:
    FILES.ParseFromString(f.read())
POOL = descriptor_pool.DescriptorPool()
for f in FILES.file:
    POOL.Add(f)
FACTORY = message_factory.MessageFactory(POOL)
EXTENSIONS = POOL.FindAllExtensions(POOL.FindMessageTypeByName('old.Old'))
WELL_KNOWN = ['Timestamp', 'Duration', 'FieldMask', 'Any', 'Value', 'Struct',
              'ListValue']
PACKAGE = 'google.protobuf.'


def made(desc):
    return FACTORY.GetPrototype(desc)


for x in EXTENSIONS:
    if x.message_type:
        made(x.message_type)
# Python takes no repeated extension in JSON, and says it by another name.
EXTENSIONS = [x for x in EXTENSIONS if x.label != x.LABEL_REPEATED]


# ---- the two sides ----

def ask(cases, files=FILES):
    """Return our answer, a line, to each of cases: (kind, type, bytes)."""
    def record(data):
        return struct.pack('<I', len(data)) + data
    text = record(files.SerializeToString()) + b''.join(
        record(kind.encode()) + record(name.encode()) + record(data)
        for kind, name, data in cases)
    run = subprocess.run([UNIT, '-messages'], input=text, capture_output=True,
                         timeout=600)
    lines = run.stdout.split(b'\n')[:-1]
    if len(lines) != len(cases):
        raise SystemExit('FAIL messages: %d answers to %d cases, %s %s' % (
            len(lines), len(cases), run.stderr[-200:],
            cases[len(lines)] if len(lines) < len(cases) else lines[-1]))
    return [line.decode('utf-8', 'replace') for line in lines]


def judge_encode(name, data):
    m = made(POOL.FindMessageTypeByName(name))()
    try:
        json_format.Parse(data.decode('utf-8'), m, descriptor_pool=POOL)
        return 'W ' + m.SerializeToString(deterministic=True).hex()
    except Exception as e:      # each way to refuse has an exception of its own
        return 'E %s' % e


def judge_decode(name, data):
    """The JSON of a message; 'E' if data is none; None if it has no JSON."""
    m = made(POOL.FindMessageTypeByName(name))()
    try:
        m.ParseFromString(data)
    except Exception:
        return 'E'
    try:        # a proto2 string that is not UTF-8 has no JSON, either
        return json.loads(json.dumps(
            json_format.MessageToDict(m, descriptor_pool=POOL)))
    except Exception:
        return None


# ---- JSON at random ----

INTS = ['0', '-0', '1', '-1', '7', '2147483647', '2147483648', '-2147483648',
        '-2147483649', '4294967295', '4294967296', '9223372036854775807',
        '9223372036854775808', '-9223372036854775808', '-9223372036854775809',
        '18446744073709551615', '18446744073709551616', '9007199254740993']
NUMBERS = INTS + ['1.0', '-5.000', '1e2', '12.5e1', '100e-2', '1.5', '1e-2',
                  '1e400', '0e9', '-0.0', '1.' + '0' * 80, '1e20', 'true',
                  'null', '[]', '{}', '""', '"x"', '"0x10"', '"1p4"', '" 5"',
                  '"5 "', '"+5"', '"-007"', '"+-5"', '"-"', '"5x"', '"1,0"']
REALS = ['0', '1', '-1.5', '0.1', '1e38', '3.4028236e38', '-3.5e38', '1e308',
         '1.8e308', '1e-400', '1e-45', '1.17549429e-38', '123456789.123456789',
         '9007199254740993', '-0.0', '"1.5"', '"-7"', '"1e3"', '"NaN"',
         '"Infinity"', '"-Infinity"', '"nan"', '"0x1p4"', '""', '"x"', '[]',
         '{}', 'null', '"1.' + '0' * 80 + '1"', '3.' + '14159' * 20]
BOOLS = ['true', 'false', '"true"', '0', '1', 'null', '"TRUE"', '[]', '{}']
BYTES = ['""', '"AA=="', '"AA"', '"AA="', '"A"', '"AAA"', '"AAAA"', '"-_-_"',
         '"+/+/"', '"-/-/"', '"AB=="', '"A==="', '"AAAAA"', '5', 'null', 'true',
         '"AAEC/wA="', '"_-8"', '["AA=="]']
STRINGS = ['', 'a', 'é漢\U0001f600', '"\\/\b\f\n\r\t', '\0', '\x7f', "'", '5']
OTHERS = ['5', 'true', 'null', '[]', '{}', '1.5', '["a"]', '"\\ud800"',
          '"\\udc00\\ud800"', '"\\x"', '"\\', "'a'", '"\t"', 'NaN']
TIMES = ['2026-11-25T12:00:00Z', '2026-11-25T12:00:00.123456789Z',
         '2026-11-25T12:00:00.1Z', '2026-11-25T12:00:00.1234567891Z',
         '2026-11-25T12:00:00+01:00', '2026-11-25T12:00:00.5-23:59',
         '2026-11-25t12:00:00z', '2026-11-25T12:00:00z', '2026-02-30T12:00:00Z',
         '2024-02-29T12:00:00Z', '2023-02-29T12:00:00Z', '2026-11-25T24:00:00Z',
         '2026-11-25T12:60:00Z', '0001-01-01T00:00:00Z',
         '1969-12-31T23:59:59.5Z',
         '9999-12-31T23:59:59.999999999Z', '0000-01-01T00:00:00Z',
         '10000-01-01T00:00:00Z', '2026-11-25 12:00:00Z', '2026-11-25T12:00:00',
         '2026-11-25T12:00:00,5Z', '2026-11-25T12:00:00+0100', '2026-11-25',
         '2026-13-25T12:00:00Z', '', 'x', '2026-11-25T12:00:00Zx']
SPANS = ['1s', '1.5s', '-1.5s', '-0.5s', '0.000000001s', '0s', '-0s', '.5s',
         's', '-s', '315576000000s', '315576000001s', '-315576000001s',
         '-315576000000.999999999s', '1', '1S', '1e2s', '00001s', '--1s', '1m',
         '', '1.5', '1.-5s']
MASKS = ['', 'a', 'aB', 'aB,c.dE', ',', 'a,', ',a', 'a_b', '_', 'aB,c_d', 'aBC',
         'A', '*', 'a.B', 'fooBar3', 'a b', 'a,,b']
URLS = ['x/test.Item', 'test.Item', '/old.Part', 'a/b/old.Old', 'a/test.Nope',
        '', 'x/', 'a/google.protobuf.Duration', 'a/google.protobuf.Any',
        'a/google.protobuf.Struct', 'a/google.protobuf.Value',
        'a/google.protobuf.Int64Value', 'a/google.protobuf.Timestamp',
        'a/google.protobuf.FieldMask', 'a/test.Colour', 'a/test.Rich.text']


def quoted(r, text):
    """text as a JSON string, some of it escaped."""
    out = []
    for c in text:
        code = ord(c)
        if c in '"\\' or code < 32 or r.random() < 0.05:
            units = struct.unpack('>%dH' % (len(c.encode('utf-16-be')) // 2),
                                  c.encode('utf-16-be'))
            short = {'"': '"', '\\': '\\', '/': '/', '\b': 'b', '\f': 'f',
                     '\n': 'n', '\r': 'r', '\t': 't'}.get(c)
            c = ('\\' + short if short and r.random() < 0.5 else
                 ''.join('\\u%04x' % u if r.random() < 0.5 else '\\u%04X' % u
                         for u in units))
        out.append(c)
    return '"%s"' % ''.join(out)


def braces(r, members):
    """An object of members, pairs of a key and JSON."""
    blank = r.choice(['', '', ' ', '\n\t'])
    members = ['%s%s%s:%s%s' % (blank, quoted(r, k), blank, v, blank)
               for k, v in members]
    if members and r.random() < 0.01:
        members.append(members[0])
    return '{%s%s}' % (','.join(members), blank)


def some_value(r, depth):
    """Any JSON, as a Value takes it."""
    kind = r.randrange(7 if depth > 0 else 5)
    if kind == 5:
        return '[%s]' % ','.join(some_value(r, depth - 1)
                                 for _ in range(r.randrange(3)))
    if kind == 6:
        return braces(r, {text(r): some_value(r, depth - 1)
                          for _ in range(r.randrange(3))}.items())
    return [lambda: 'null', lambda: r.choice(['true', 'false']),
            lambda: r.choice(['0', '-1.5', '1e100', '-0.0', '9007199254740993'
                              ]),
            lambda: quoted(r, text(r)), lambda: '"NaN"'][kind]()


def text(r):
    return ''.join(r.choice(STRINGS) for _ in range(r.randrange(3)))


def some_any(r, depth):
    if r.random() < 0.1:
        return r.choice(['{}', 'null', '5', '"x"', '[]', '{"@type":5}',
                         '{"@type":"x/test.Item","@type":"x/test.Item"}',
                         '{"name":"x"}'])
    url = r.choice(URLS)
    name = url.split('/')[-1]
    members = [('@type', quoted(r, url))]
    desc = None
    try:
        desc = POOL.FindMessageTypeByName(name)
    except KeyError:
        pass
    if desc and (name.startswith(PACKAGE)) and r.random() < 0.9:
        members.append(('value', some_message(r, desc, depth - 1)))
    elif desc:
        members += some_members(r, desc, depth - 1)
    r.shuffle(members)
    return braces(r, members)


def some_message(r, desc, depth):
    name = desc.full_name[len(PACKAGE):]
    google = desc.full_name.startswith(PACKAGE)
    if google and name.endswith('Value') and 'value' in desc.fields_by_name:
        return some_scalar(r, desc.fields_by_name['value'])
    if google and name in WELL_KNOWN:
        if r.random() < 0.05 and name not in ('Value', 'Any'):
            return r.choice(['5', 'true', '1.5', '{"seconds":1}'])
        return {'Timestamp': lambda: quoted(r, r.choice(TIMES)),
                'Duration': lambda: quoted(r, r.choice(SPANS)),
                'FieldMask': lambda: quoted(r, r.choice(MASKS)),
                'Any': lambda: some_any(r, depth) if depth > 0 else '{}',
                'Value': lambda: some_value(r, 3),
                'ListValue': lambda: '[%s]' % some_value(r, 2),
                'Struct': lambda: braces(r, [(text(r), some_value(r, 2))]),
                }[name]()
    if r.random() < 0.03:
        return r.choice(['5', 'true', 'null', '"x"', '[1]'])
    return braces(r, some_members(r, desc, depth))


def some_scalar(r, field):
    t = field.type
    if t in (field.TYPE_DOUBLE, field.TYPE_FLOAT):
        return r.choice(REALS)
    if t == field.TYPE_BOOL:
        return r.choice(BOOLS)
    if t == field.TYPE_BYTES:
        return r.choice(BYTES)
    if t == field.TYPE_STRING:
        return quoted(r, text(r)) if r.random() < 0.9 else r.choice(OTHERS)
    if t == field.TYPE_ENUM:
        if field.enum_type.full_name == PACKAGE + 'NullValue':
            return r.choice(['null', '"NULL_VALUE"', '0', '"x"'])
        names = list(field.enum_type.values_by_name) + ['red', '', '1', '5',
                                                        '99']
        return (quoted(r, r.choice(names)) if r.random() < 0.6 else
                r.choice(['0', '1', '3', '5', '99', '-3', '2147483648', '1.0',
                          'null', '[]', '{}']))
    return r.choice(NUMBERS if r.random() < 0.3 else INTS[:5])


def some_field(r, field, depth):
    if field.label == field.LABEL_REPEATED and field.message_type and \
            field.message_type.GetOptions().map_entry:
        key, value = (field.message_type.fields_by_name[n]
                      for n in ('key', 'value'))
        def name():
            if key.type == key.TYPE_STRING:
                return text(r)
            if key.type == key.TYPE_BOOL:
                return r.choice(['true', 'false', 'TRUE', '1'])
            return r.choice(['0', '1', '-5', '7', '4294967296', ' 1', 'x', '']
                            if r.random() < 0.1 else ['0', '1', '2', '77'])
        if r.random() < 0.05:
            return r.choice(['null', '5', '"x"', '[1]'])
        return braces(r, {name(): some_one(r, value, depth)
                          for _ in range(r.randrange(4))}.items())
    if field.label == field.LABEL_REPEATED:
        if r.random() < 0.05:
            return r.choice(['null', '5', '"x"', '{"a":1}'])
        return '[%s]' % ','.join(some_one(r, field, depth)
                                 for _ in range(r.randrange(4)))
    return some_one(r, field, depth)


def some_one(r, field, depth):
    if not field.message_type:
        return some_scalar(r, field)
    return some_message(r, field.message_type, depth - 1) if depth > 0 else '{}'


def some_members(r, desc, depth):
    fields = [f for f in desc.fields]
    if desc.full_name == 'old.Old':
        fields += EXTENSIONS
    chosen = r.sample(fields, min(len(fields), r.choice([0, 1, 1, 2, 4])))
    required = [f for f in desc.fields if f.label == f.LABEL_REQUIRED]
    chosen += [f for f in required if f not in chosen and r.random() < 0.95]
    members, oneofs = [], set()
    for f in chosen:
        if f.containing_oneof and f.containing_oneof.name in oneofs and \
                (f.name == 'nothing' or r.random() < 0.9):
            continue
        if f.name == 'nothing' or f.containing_oneof:
            oneofs.add(f.containing_oneof.name)
        name = ('[%s]' % f.full_name if f.is_extension else
                r.choice([f.name, f.json_name]))
        if f.label == f.LABEL_REQUIRED and r.random() < 0.9:
            members.append((name, {f.TYPE_STRING: '"x"'}.get(f.type, '4')))
        else:
            said = some_field(r, f, depth)
            if not f.is_extension or said != 'null':    # Python has no such
                members.append((name, said))
    if r.random() < 0.01:
        members.append((r.choice(['nope', 'I32', '', '[]', '[old.nope]',
                                  '[old.trace', '@type', '[old.Old]',
                                  '[old.Scope.inner.x]']), '1'))
    # Python lets the later of two in a oneof win if that is null.
    if any(k == 'nothing' for k, v in members):
        members = [(k, v) for k, v in members if k == 'nothing' or
                   k not in ('one', 'two', 'three', 'four')]
    return members


def damaged(r, data):
    """data with one byte of its structure changed."""
    at = [i for i, c in enumerate(data) if c in b'{}[],:"\\ ']
    if not at:
        return data
    i = r.choice(at)
    return data[:i] + r.choice([b'', b',', b':', b'{', b'}', b'[', b']', b'"',
                                b'\\', b'\0', b' ']) + data[i + 1:]


# ---- bytes at random ----

def varint(n, pad=0):
    n &= (1 << 64) - 1
    out = b''
    while n > 127 or pad > 0:
        out += bytes([n & 127 | 128])
        n >>= 7
        pad -= 1
    return out + bytes([n])


def some_wire_scalar(r, f):
    """The wire type and the bytes, without a tag, of a value of f."""
    t = f.type
    if t in (f.TYPE_DOUBLE, f.TYPE_FIXED64, f.TYPE_SFIXED64):
        return 1, (struct.pack('<d', r.choice([0.0, -0.0, 0.1, 1e300, -1.5,
                                               float('inf'), float('nan')]))
                   if t == f.TYPE_DOUBLE else r.randbytes(8))
    if t in (f.TYPE_FLOAT, f.TYPE_FIXED32, f.TYPE_SFIXED32):
        return 5, (struct.pack('<f', r.choice([0.0, -0.0, 0.1, 3e38, -1.5,
                                               float('-inf'), float('nan')]))
                   if t == f.TYPE_FLOAT else r.randbytes(4))
    if t in (f.TYPE_STRING, f.TYPE_BYTES):
        data = text(r).encode() if t == f.TYPE_STRING else r.randbytes(
            r.randrange(5))
        return 2, varint(len(data)) + data
    if f.message_type:
        data = some_wire(r, f.message_type, 2)
        if t == f.TYPE_GROUP:
            return 3, data + varint(f.number << 3 | 4)
        return 2, varint(len(data)) + data
    if f.name == 'nothing':
        return 0, b'\0'         # C++ closes an enum that proto2 uses
    n = r.choice([0, 1, 2, 3, 5, -1, -3, 127, 128, 300, 1 << 31, 1 << 32,
                  (1 << 32) + 3, (1 << 63), -(1 << 63), r.getrandbits(64)])
    return 0, varint(n, r.choice([0, 0, 0, 2]) if n >= 0 and n < 1 << 50 else 0)


def some_wire_known(r, desc):
    """A message of google.protobuf that has JSON, mostly."""
    m = made(desc)()
    for _ in range(20):
        try:
            json_format.Parse(some_message(r, desc, 2), m, descriptor_pool=POOL)
            return m.SerializeToString()
        except Exception:
            m.Clear()
    return b''


def some_wire(r, desc, depth):
    if desc.full_name.startswith(PACKAGE):
        return some_wire_known(r, desc)
    fields, out = list(desc.fields), b''
    if desc.full_name == 'old.Old':
        fields += EXTENSIONS
    for _ in range(r.choice([0, 1, 2, 3, 6]) if depth > 0 else 0):
        f = r.choice(fields)
        if r.random() < 0.3 and any(f.containing_oneof for f in fields):
            f = r.choice([f for f in fields if f.containing_oneof])
        number = f.number
        wire, data = some_wire_scalar(r, f) if depth > 1 or not f.message_type \
            else (2, b'\0')
        if wire == 3 and depth <= 1:
            continue
        if r.random() < 0.05 and wire != 3:     # not known
            number = r.choice([4000, 63, 150])
        if r.random() < 0.04 and f.name != 'nothing':   # of another type
            wire, data = r.choice([(0, b'\5'), (1, b'12345678'), (2, b'\1x'),
                                   (5, b'1234'), (3, varint(number << 3 | 4))])
            # Bytes may be packed numbers, or no message.
            if wire == 2 and (f.message_type or
                              f.label == f.LABEL_REPEATED):
                continue
        elif f.label == f.LABEL_REPEATED and wire in (0, 1, 5) and \
                r.random() < 0.5:
            for _ in range(r.randrange(3)):
                data += some_wire_scalar(r, f)[1]
            wire, data = 2, varint(len(data)) + data
        out += varint(number << 3 | wire) + data
        if r.random() < 0.2:                    # once more: merged, replaced
            out += out[-len(varint(number << 3 | wire) + data):]
    return out


# ---- an edition that says the same ----

def as_edition(r):
    """The set with old.proto in edition 2023: each feature is set for the file
    or for the field, at random; the names of groups' types stay."""
    def features(pairs):
        data = b''.join(varint(n << 3) + varint(v) for n, v in pairs)
        return varint(len(data)) + data
    files = descriptor_pb2.FileDescriptorSet()
    files.CopyFrom(FILES)
    f = next(f for f in files.file if f.name == 'old.proto')
    # 3 repeated_field_encoding: packed 1, expanded 2;  5 message_encoding:
    # length-prefixed 1, delimited 2
    usual = {3: r.choice([1, 2]), 5: r.choice([1, 2])}

    def field(x, inherited):
        want = []
        repeated = x.label == x.LABEL_REPEATED
        if x.type in (x.TYPE_GROUP, x.TYPE_MESSAGE):
            group = x.type == x.TYPE_GROUP
            map_entry = x.type_name.endswith('Entry')
            if (group or not map_entry) and (
                    inherited[5] != 1 + group or r.random() < 0.3):
                want.append((5, 1 + group))
            x.type = x.TYPE_MESSAGE
        elif repeated:
            packed = x.options.packed
            x.options.ClearField('packed')
            if inherited[3] != 2 - packed or r.random() < 0.3:
                want.append((3, 2 - packed))
        if x.label == x.LABEL_REQUIRED:
            x.label = x.LABEL_OPTIONAL
            want.append((1, 3))
        if want:
            x.options.MergeFromString(varint(21 << 3 | 2) + features(want))

    def message(m, inherited):
        mine = {}
        if not m.options.map_entry and r.random() < 0.3:
            mine = {n: r.choice([1, 2]) for n in (3, 5)}
            m.options.MergeFromString(varint(12 << 3 | 2) +
                                      features(mine.items()))
        inherited = {**inherited, **mine}
        for x in list(m.field) + list(m.extension):
            field(x, inherited)
        for n in m.nested_type:
            message(n, inherited)

    for m in f.message_type:
        message(m, usual)
    for x in f.extension:
        field(x, usual)
    f.options.MergeFromString(varint(50 << 3 | 2) +
                              features([(2, 2), *usual.items()]))
    f.syntax = 'editions'
    f.MergeFromString(varint(14 << 3) + varint(1000))
    return files


# ---- what Python's protobuf does not do ----

I32, F, RICH, OLD = '{"i32":%s}', '{"real":%s}', 'test.Rich', 'old.Old'
RULES = [       # type, JSON, and JSON that means the same, or None: refused
    # [1]: "exponent notation is accepted in both quoted and unquoted forms"
    (RICH, I32 % '"1e2"', I32 % '100'), (RICH, I32 % '"1.50e1"', I32 % '15'),
    (RICH, I32 % '"1.0"', I32 % '1'), (RICH, I32 % '"1.5"', None),
    # A number keeps all its digits.
    (RICH, '{"i64":9007199254740993.0}', '{"i64":"9007199254740993"}'),
    (RICH, '{"u64":1844674407370955161.5e1}', '{"u64":"18446744073709551615"}'),
    (RICH, '{"u64":1844674407370955161.6e1}', None),
    (RICH, '{"i64":1e-99999999999999999999}', None),
    (RICH, '{"i64":0e99999999999999999999}', '{}'),
    (RICH, '{"i64":1e99999999999999999999}', None),
    # [2]: strings follow the rule of numbers, without blanks
    (RICH, I32 % '"1_0"', None), (RICH, I32 % '"5\\t"', None),
    (RICH, F % '" 1.5"', None), (RICH, F % '"1.5 "', None),
    (RICH, F % '"1_0"', None), (RICH, F % 'true', None),
    # [1]: "NaN", "Infinity" and "-Infinity" are the only words
    (RICH, F % '"inf"', None), (RICH, F % '"infinity"', None),
    (RICH, F % '"+Infinity"', None), (RICH, F % '"NAN"', None),
    # The largest float as protobuf writes it; half a step more is infinity.
    (RICH, F % '3.4028235e38', F % '3.4028234663852886e38'),
    (RICH, F % '3.4028235677973366e+38', None), (RICH, F % '"3.5e38"', None),
    (RICH, '{"bigReal":"1e400"}', None),
    (RICH, F % '-0', F % '-0.0'),
    # [1]: a Value has no infinity
    (RICH, '{"value":1e400}', None), (RICH, '{"value":{"a":[1e400]}}', None),
    # RFC 4648: a decoder refuses other characters
    (RICH, '{"data":"A A="}', None), (RICH, '{"data":"AA\\n=="}', None),
    (RICH, '{"data":"AA==AA=="}', None), (RICH, '{"data":"*"}', None),
    # [1]: an enum is a name or an integer
    (RICH, '{"colour":1.5}', None), (RICH, '{"colour":true}', None),
    # RFC 3339; [1]: from 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999999Z
    (RICH, '{"when":"2026-11-25T12:00:00.Z"}', None),
    (RICH, '{"when":"2026-11-25T12:00:00+24:00"}', None),
    (RICH, '{"when":"2026-1-5T1:2:3Z"}', None),
    (RICH, '{"when":"2026-11-25T12:00:60Z"}', None),
    (RICH, '{"when":"0001-01-01T00:00:00+00:01"}', None),
    (RICH, '{"when":"0001-01-01T00:00:00-00:01"}',
     '{"when":"0001-01-01T00:01:00Z"}'),
    (RICH, '{"when":"9999-12-31T23:59:59-01:00"}', None),
    # Digits, a point and digits
    (RICH, '{"lasts":"1.0000000001s"}', None), (RICH, '{"lasts":"5.s"}', None),
    (RICH, '{"lasts":"+1s"}', None), (RICH, '{"lasts":"1 s"}', None),
    # [2]: FieldNameDuplicateDifferentCasing
    (RICH, '{"bigReal":1,"big_real":2}', None),
    (RICH, '{"byNumber":{"1":"x","01":"y"}}', None),
    (RICH, '{"i32":null,"i32":1}', None),
    (RICH, '[]', None), (RICH, '""', None), (RICH, '{"item":[]}', None),
    (RICH, '{"item":""}', None),
    # RFC 8259 8.1: a parser may ignore a byte order mark
    (RICH, '\ufeff{"i32":5}', '{"i32":5}'), (RICH, '{\ufeff"i32":5}', None),
    # [2]: NullValueInOtherOneof
    (OLD, '{"name":"","nothing":null}', '{"name":"","nothing":"NULL_VALUE"}'),
    (OLD, '{"name":"","nothing":null,"one":""}', None),
    (OLD, '{"name":"","nothing":"NULL_VALUE","one":null}',
     '{"name":"","nothing":0}'),
    # An extension is as any other field, null or repeated
    (OLD, '{"name":"","[old.more]":null,"[old.trace]":null}', '{"name":""}'),
    (OLD, '{"name":"","[old.counts]":[1,2]}',
     '{"name":"","[old.counts]":["1",2.0]}'),
    ('google.protobuf.StringValue', '"\\u0061"', '"a"'),
    ('google.protobuf.Timestamp', '"1970-01-01T00:00:0\\u0031Z"',
     '"1970-01-01T00:00:01Z"'),
]
SAID = [        # type, bytes, and the JSON that is said of them
    (RICH, '9a02001206', None),                         # cut off
    (RICH, '9a02030a0161', {'mask': 'a'}),
    (RICH, '9a02050a000a0161', {'mask': ',a'}),
    (RICH, '9a020a0a08666f6f5f5f626172', {'mask': 'foo__bar'}),
    (RICH, '9a02080a06666f6f426172', {'mask': 'fooBar'}),
    (RICH, '7203ff6162', {'text': '\ufffdab'}),
    (RICH, 'ba02070a05782f792e5a', {'any': {'@type': 'x/y.Z'}}),
    (RICH, '8a020d08ffffffffffffffffff011005',
     {'when': '1969-12-31T23:59:59.000000005Z'}),
    (OLD, '1314', {'hit': {}}), (OLD, '13', None), (OLD, '131314', None),
    (OLD, '14', None), (OLD, '130a016114', {'hit': {'url': 'a'}}),
    (OLD, 'b006' + '01' + 'b206' + '020203', {'[old.counts]': [1, 2, 3]}),
    (OLD, '0a00', {'name': ''}),
]


# ---- the comparison ----

WRONG = []


def wrong(name, why):
    WRONG.append(name)
    if len(WRONG) <= 10:
        print('FAIL %s: %s' % (name, why.replace('\n', ' ')[:600]))


def like(name, a, b):
    """True if both are the same message; Python sorts no maps in an Any."""
    a, b = bytes.fromhex(a[2:]), bytes.fromhex(b[2:])
    return a == b or (sorted(a) == sorted(b) and
                      same(judge_decode(name, a), judge_decode(name, b)))


def shown(data):
    return data.decode('utf-8', 'replace')[:300]


def compare_encode(cases):
    answers = ask([('E', name, data) for name, data in cases])
    taken = 0
    for (name, data), a in zip(cases, answers):
        b = judge_encode(name, data)
        taken += b[0] == 'W'
        if a[0] != b[0] or (a[0] == 'W' and not like(name, a, b)):
            wrong('JSON to messages', '%s %s: %s, protobuf: %s' % (
                name, shown(data), a[:120], b[:120]))
    return taken


def compare_decode(cases):
    """Return the JSON that both say, as cases of another comparison."""
    answers = ask([('D', name, data) for name, data in cases])
    again, none = [], 0
    stderr = os.dup(2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)    # protobuf logs bad UTF-8
    wants = [judge_decode(*c) for c in cases]
    os.dup2(stderr, 2)
    for (name, data), a, want in zip(cases, answers, wants):
        if want is None:
            continue
        if want == 'E':
            none += 1
            if a[0] != 'E':
                wrong('messages to JSON', '%s %s: %s, protobuf: not one' % (
                    name, data.hex(), a[:200]))
            continue
        try:
            got = json.loads(a[2:])
        except ValueError as e:
            got = str(e)
        if a[0] != 'J' or not same(want, got):
            wrong('messages to JSON', '%s %s: %s, protobuf: %s' % (
                name, data.hex(), a[:200], json.dumps(want)[:200]))
        else:
            again.append((name, a[2:].encode()))
    return again, none


def compare_rules():
    want = [(name, other if other is not None else one)
            for name, one, other in RULES]
    cases = [(name, one) for name, one, other in RULES] + want
    got = ask([('E', name, one.encode()) for name, one in cases])
    for (name, one, other), a, b in zip(RULES, got, got[len(RULES):]):
        if a[0] != ('E' if other is None else 'W') or (a[0] == 'W' and a != b):
            wrong('rules', '%s %s: %s, want %s' % (name, one, a, other))
    got = ask([('D', name, bytes.fromhex(one)) for name, one, other in SAID])
    for (name, one, other), a in zip(SAID, got):
        if other is None and a[0] == 'E':
            continue
        if a[0] != 'J' or json.loads(a[2:]) != other:
            wrong('rules', '%s %s: %s, want %s' % (name, one, a, other))


def main():
    r = random.Random(SEED)
    descs = [POOL.FindMessageTypeByName(n) for n in (RICH, OLD)]
    encode, decode = [], []
    for i in range(CASES):
        desc = descs[i % 2]
        data = some_message(r, desc, 3).encode()
        encode.append((desc.full_name,
                       damaged(r, data) if r.random() < 0.05 else data))
        data = some_wire(r, desc, 3)
        if r.random() < 0.05 and data:
            data = data[:r.randrange(len(data))]
        decode.append((desc.full_name, data))
    compare_rules()
    taken = compare_encode(encode)
    again, none = compare_decode(decode)
    compare_encode(again)
    for _ in range(4):
        cases = ([('E', *c) for c in encode if c[0] == OLD] +
                 [('D', *c) for c in decode if c[0] == OLD])
        files = as_edition(r)
        for c, a, b in zip(cases, ask(cases), ask(cases, files)):
            if a != b and (a[0] != 'E' or b[0] != 'E'):
                wrong('editions', '%s %s: %s, of an edition %s' % (
                    c[1], shown(c[2]) if c[0] == 'E' else c[2].hex(), a, b))
    if not WRONG:
        print('ok   %d rules' % (len(RULES) + len(SAID)))
        print('ok   JSON to messages: %d, of which protobuf takes %d' % (
            len(encode), taken))
        print('ok   messages to JSON: %d, of which %d are none; %d back' % (
            len(decode), none, len(again)))
        print('ok   editions say what proto2 does')
    else:
        print('FAIL mapping: %d differences' % len(WRONG))


main()
