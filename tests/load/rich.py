#!/usr/bin/python3
"""Messages of tests/load/rich.proto: JSON for load, and what it must send.

  rich.py make SET OUT.json OUT.hex [N]   N (200) messages of test.Rich by the
                                          FileDescriptorSet SET: as a JSON array,
                                          and as hex lines, by protobuf
  rich.py serve SET LOG [reflect]         test.Echo on a free port, which it
                                          prints; writes each message to LOG as
                                          a hex line; with reflect it answers
                                          reflection v1alpha
  rich.py replies SET BIN TO N            echoes of N messages, as load shows them
"""
import concurrent.futures
import json
import random
import subprocess
import sys
import threading

from google.protobuf import (any_pb2, descriptor_pb2, descriptor_pool,
                             json_format, message_factory)
from same_json import same

SET = descriptor_pb2.FileDescriptorSet()
with open(sys.argv[2], 'rb') as f:
    SET.ParseFromString(f.read())
POOL = descriptor_pool.DescriptorPool()
for file in SET.file:
    POOL.Add(file)
RICH = message_factory.MessageFactory(POOL).GetPrototype(
    POOL.FindMessageTypeByName('test.Rich'))


def text(r):
    return ''.join(r.choice('ab \u00e9\u6f22\U0001f600"\\/\n\t\x01<')
                   for _ in range(r.randrange(8)))


def number(r, low, high):
    return r.choice([low, high, 0, 1, r.randint(low, high),
                     max(low, min(high, r.randint(-200, 200)))])


def item(r, m, depth=0):
    m.name = text(r)
    m.price = r.choice([0, 1.5, -2.25, 1e300, r.random()])
    if depth < 3:
        for _ in range(r.randrange(3)):
            item(r, m.parts.add(), depth + 1)


def value(r, depth=0):
    kind = r.randrange(6 if depth < 3 else 4)
    if kind == 4:
        return [value(r, depth + 1) for _ in range(r.randrange(3))]
    if kind == 5:
        return {text(r): value(r, depth + 1) for _ in range(r.randrange(4))}
    return [None, r.random() < 0.5, r.choice([0, 1, -1.5, 1e100]), text(r)][kind]


def fill(r, m):
    def some():
        return r.random() < 0.4
    ints = (('i32', -1 << 31, (1 << 31) - 1), ('i64', -1 << 63, (1 << 63) - 1),
            ('u32', 0, (1 << 32) - 1), ('u64', 0, (1 << 64) - 1),
            ('s32', -1 << 31, (1 << 31) - 1), ('s64', -1 << 63, (1 << 63) - 1),
            ('f32', 0, (1 << 32) - 1), ('f64', 0, (1 << 64) - 1),
            ('sf32', -1 << 31, (1 << 31) - 1),
            ('sf64', -1 << 63, (1 << 63) - 1),
            ('maybe', -1 << 31, (1 << 31) - 1),
            ('last_one', -1 << 31, (1 << 31) - 1))
    for name, low, high in ints:
        if some():
            setattr(m, name, number(r, low, high))
    inf = float('inf')
    reals = [0.0, -0.0, 1.5, -1e-30, 3e38, inf, -inf, float('nan'), r.random()]
    for name in 'real', 'big_real':
        if some():
            setattr(m, name, r.choice(reals))
    if some():
        m.flag = r.random() < 0.5
    if some():
        m.text = text(r)
    if some():
        m.perhaps = text(r)
    if some():
        m.data = r.randbytes(r.randrange(20))
    if some():
        m.colour = r.choice([0, 1, 5, -3, 77])
    if some():
        item(r, m.item)
    for _ in range(r.randrange(3)):
        item(r, m.items.add())
    m.numbers.extend(number(r, -1 << 31, (1 << 31) - 1)
                     for _ in range(r.randrange(5)))
    m.words.extend(text(r) for _ in range(r.randrange(3)))
    m.colours.extend(r.choice([0, 1, 5, -3]) for _ in range(r.randrange(3)))
    m.reals.extend(r.choice(reals) for _ in range(r.randrange(3)))
    for _ in range(r.randrange(4)):
        m.by_name[text(r)] = number(r, -1 << 31, (1 << 31) - 1)
        m.by_number[number(r, -1 << 31, (1 << 31) - 1)] = text(r)
        item(r, m.by_flag[r.random() < 0.5], 2)
        m.by_big[number(r, 0, (1 << 64) - 1)] = r.randbytes(r.randrange(5))
        m.by_sign[number(r, -1 << 31, (1 << 31) - 1)] = r.choice([0, 1, -3])
        json_format.ParseDict(value(r), m.values[text(r)])
    kind = r.randrange(4)
    if kind == 1:
        m.one = text(r)
    elif kind == 2:
        m.other = number(r, -100, 100)
    elif kind == 3:
        item(r, m.third)
    if some():
        m.when.seconds = r.randint(-62135596800, 253402300799)
        m.when.nanos = r.choice([0, 1, 500000000, 999999999, 120000])
    if some():
        sign = r.choice([1, -1])
        m.lasts.seconds = sign * r.choice([0, 1, 315576000000])
        m.lasts.nanos = sign * r.choice([0, 1, 500000000])
    if some():
        m.mask.paths.extend(r.choice(['a', 'one_two.three', 'b.c_d'])
                            for _ in range(r.randrange(1, 3)))
    if some():
        json_format.ParseDict({text(r): value(r) for _ in range(3)}, m.object)
    if some():
        json_format.ParseDict(value(r), m.value)
    if some():
        json_format.ParseDict([value(r), value(r)], m.list)
    for name in 'boxed', 'boxed_text', 'boxed_flag', 'boxed_data', 'boxed_real':
        if some():
            getattr(m, name).SetInParent()
    if m.HasField('boxed') and some():
        m.boxed.value = number(r, -1 << 63, (1 << 63) - 1)
    if m.HasField('boxed_text') and some():
        m.boxed_text.value = text(r)
    if some():
        inner = RICH()
        inner.i32 = 7
        inner.words.append(text(r))
        m.any.Pack(inner)
        if some():
            m.any.Pack(r.choice([m.when, m.boxed, m.mask]))
        if some():
            inside = type(m.any)()
            inside.CopyFrom(m.any)
            m.any.Pack(inside)
    for _ in range(r.randrange(3)):
        m.times.add().seconds = r.randint(0, 1 << 31)


def make(out, hexes, n):
    r = random.Random(5)
    lines, texts = [], []
    for i in range(n):
        m = RICH()
        fill(r, m)
        said = json_format.MessageToJson(
            m, descriptor_pool=POOL, indent=None,
            preserving_proto_field_name=i % 2 == 1)
        again = RICH()
        json_format.Parse(said, again, descriptor_pool=POOL)
        texts.append(said)
        lines.append(again.SerializeToString(deterministic=True).hex() + '\n')
    with open(out, 'w', encoding='utf-8') as f:
        f.write('[' + ',\n'.join(texts) + ']')
    with open(hexes, 'w', encoding='ascii') as f:
        f.writelines(lines)


def serve(log, reflect):
    import grpc
    lock = threading.Lock()
    out = open(log, 'w', encoding='ascii')

    def note(data):
        with lock:
            out.write(data.hex() + '\n')
            out.flush()

    def unary(data, context):
        note(data)
        return data

    def upload(stream, context):
        for data in stream:
            note(data)
        return b''

    def download(data, context):
        note(data)
        for _ in range(3):
            yield data

    def chat(stream, context):
        for data in stream:
            note(data)
            yield data

    def info(stream, context):
        for data in stream:
            yield answer(data)

    def field(number, data):
        size, k = b'', len(data)
        while k > 127:
            size += bytes([k & 127 | 128])
            k >>= 7
        return bytes([number << 3 | 2]) + size + bytes([k]) + data

    def answer(data):
        """One file at a time, as some servers do, so that imports are asked
        for."""
        what, name = data[0] >> 3, data[2:2 + data[1]].decode()
        for f in SET.file:
            if (what == 3 and f.name == name or what == 4 and
                    name.startswith('test.') and f.package == 'test'):
                return field(4, field(1, f.SerializeToString()))
        return field(7, b'\x08\x05' + field(2, b'no such thing'))

    handlers = {'Unary': grpc.unary_unary_rpc_method_handler(unary),
                'Upload': grpc.stream_unary_rpc_method_handler(upload),
                'Download': grpc.unary_stream_rpc_method_handler(download),
                'Chat': grpc.stream_stream_rpc_method_handler(chat)}
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((
        grpc.method_handlers_generic_handler('test.Echo', handlers),))
    if reflect:
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(
            'grpc.reflection.v1alpha.ServerReflection',
            {'ServerReflectionInfo':
             grpc.stream_stream_rpc_method_handler(info)}),))
    print('listening on 127.0.0.1:%d' % server.add_insecure_port('127.0.0.1:0'),
          flush=True)
    server.start()
    server.wait_for_termination(120)


def replies(program, set_file, to, n):
    """Check that load shows an echoed reply as the JSON that protobuf makes."""
    r, bad = random.Random(11), []
    for i in range(n):
        m = RICH()
        fill(r, m)
        said = json_format.MessageToJson(m, descriptor_pool=POOL)
        out = subprocess.run(
            [program, 'load', '-q', '-n', '1', '--protoset', set_file, '-f',
             'json', '--call', 'test.Echo/Unary', '--data', '@-', to],
            input=said, capture_output=True, text=True, timeout=30)
        want = json_format.MessageToDict(m, descriptor_pool=POOL)
        try:
            got = json.loads(out.stdout)['reply']
        except ValueError as e:
            got = '%s: %s' % (e, out.stderr)
        if not same(want, got):
            wrong = [k for k in want if not isinstance(got, dict) or
                     not same(want[k], got.get(k))]
            bad.append('message %d: %s: %s' % (i, wrong, [
                (want[k], isinstance(got, dict) and got.get(k))
                for k in wrong][:1] or got))
    print('FAIL replies: %d wrong, %s' % (len(bad), bad[0][:300]) if bad
          else 'ok   %d replies in JSON are what protobuf makes of them' % n)


if sys.argv[1] == 'replies':
    replies(sys.argv[3], sys.argv[2], sys.argv[4], int(sys.argv[5]))
elif sys.argv[1] == 'make':
    make(sys.argv[3], sys.argv[4], int(sys.argv[5]) if sys.argv[5:] else 200)
else:
    serve(sys.argv[3], sys.argv[4:] == ['reflect'])
