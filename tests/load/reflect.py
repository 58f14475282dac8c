#!/usr/bin/python3
"""A server of any FileDescriptorSet by python3-grpcio, with reflection.

  reflect.py serve SET LOG   prints "listening on HOST:PORT"; echoes each
                             message of each method, and writes its path and hex
                             bytes to LOG; ends after two minutes
  reflect.py relative SET    writes SET to stdout, with each type name as short
                             as its scope allows, and without the field `type`
  reflect.py differ SET MADE NAME...
                             prints how the messages NAME differ in the two sets
  reflect.py hostile SET BIN [lenient]
                             serves the hostile modes to BIN, which must answer
                             or fail within 100 MB; lenient: with any memory

The header "mode" of a reflection request selects how the server behaves:

  alone   a file at a time, without its imports
  auth    UNAUTHENTICATED without "authorization: Bearer t"
  host    PERMISSION_DENIED unless :authority is shop.example
  nodep   as alone; an ErrorResponse for files called opts.proto
  abort   as nodep, but the call fails instead
  types   as alone; only answers requests by symbol
  deflate as alone, in compressed messages
  twice   as alone; lists each service twice
  nolist  an ErrorResponse for the list of services
  empty   lists no services, and has none
  silent  no answer
  chain   each file imports another, without end
  names   100,000 messages in a package with a name of 100 KB
  same    100,000 messages without a name
  many    600,000 messages
  slow    a message of 40,000 fields
  twins   40,000 extensions of the same message with the same number
  deep    a message in a message, 10,000 times
"""
import concurrent.futures
import os
import signal
import subprocess
import sys
import threading
import time

import grpc
from google.protobuf import descriptor_pb2

SET = descriptor_pb2.FileDescriptorSet()
LOCK = threading.Lock()


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out) + bytes([n])


def part(number, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | 2) + varint(len(data)) + data


def count(number, n):
    return varint(number << 3) + varint(n)


def field(name, number, kind=5):
    return part(1, name) + count(3, number) + count(4, 1) + count(5, kind)


SERVICE = part(6, part(1, 'S') + part(2, part(1, 'M') + part(2, '.p.In') +
                                      part(3, '.p.In')))


def nested(depth):
    m = part(1, 'In')
    for _ in range(depth):
        m = part(1, 'In') + part(3, m)
    return m


HOSTILE = {
    'names': lambda: part(2, 'p' * 100000) + b'\x22\x00' * 100000 +
        part(6, part(1, 'S')),
    'same': lambda: part(2, 'p') + b'\x22\x00' * 100000 +
        part(4, part(1, 'In')) + SERVICE,
    'many': lambda: part(2, 'p') + part(4, part(1, 'In')) + SERVICE +
        b''.join(b'\x22\x08\x0a\x06%06d' % i for i in range(600000)),
    'slow': lambda: part(2, 'p') + part(4, part(1, 'In') + b''.join(
        part(2, field('a%d' % i, 40000 - i)) for i in range(40000))) +
        SERVICE + part(12, 'proto3'),
    'twins': lambda: part(2, 'p') + part(4, part(1, 'In')) + SERVICE +
        b''.join(part(7, field('a%d' % i, 9) + part(2, '.p.In'))
                 for i in range(40000)),
    'deep': lambda: part(2, 'p') + part(4, nested(10000)) + SERVICE,
}
MADE = {}


def closure(file):
    """A file, and all that it imports."""
    out, todo = [], [file]
    while todo:
        f = todo.pop()
        if f not in out:
            out.append(f)
            todo += [g for g in SET.file if g.name in f.dependency]
    return out


def has(file, symbol):
    """True if file defines the symbol."""
    if not symbol.startswith(file.package + '.'):
        return False
    first = symbol[len(file.package) + 1:].split('.')[0]
    return any(x.name == first for x in [*file.message_type, *file.enum_type,
                                         *file.service, *file.extension])


def answer(data, mode, context):
    what, name = data[0] >> 3, data[-data[1]:].decode() if data[1] < 128 else ''
    if mode in HOSTILE:
        if mode not in MADE:
            MADE[mode] = part(4, part(1, part(1, 'f.proto') + HOSTILE[mode]()))
        return MADE[mode]
    if mode == 'chain':
        n = int(name[1:]) if what == 3 else 0
        return part(4, part(1, part(1, 'f%d' % n) + part(2, 'p') +
                    part(3, 'f%d' % (n + 1)) + (SERVICE + part(4, part(1, 'In'))
                                                if not n else b'')))
    if what == 7:
        names = ['%s.%s' % (f.package, s.name) for f in SET.file
                 for s in f.service]
        if mode == 'nolist':
            return part(7, count(1, 12) + part(2, 'no list\there'))
        names *= {'empty': 0, 'twice': 2}.get(mode, 1)
        return part(6, b''.join(part(1, part(1, n)) for n in names))
    found = [f for f in SET.file if (f.name == name if what == 3 else
                                     has(f, name))]
    if mode in ('nodep', 'abort') and name == 'opts.proto' or (
            mode == 'types' and what == 3) or mode == 'empty':
        found = []
    if not found and mode == 'abort':
        context.abort(grpc.StatusCode.NOT_FOUND, 'no file ' + name)
    if not found:
        return part(7, count(1, 5) + part(2, 'no such thing: ' + name))
    if not mode:
        found = closure(found[0])
    return part(4, b''.join(part(1, f.SerializeToString()) for f in found[:99]))


def info(stream, context):
    headers = dict(context.invocation_metadata())
    mode = headers.get('mode', '')
    host = context._rpc_event.call_details.host.decode()
    if mode == 'auth' and headers.get('authorization') != 'Bearer t':
        context.abort(grpc.StatusCode.UNAUTHENTICATED, 'no token')
    if mode == 'host' and host != 'shop.example':
        context.abort(grpc.StatusCode.PERMISSION_DENIED, 'not at ' + host)
    if mode == 'deflate':
        context.set_compression(grpc.Compression.Deflate)
    for data in stream:
        if mode == 'silent':
            print('asked', flush=True)
            time.sleep(20)
        yield answer(data, mode, context)


class Handler(grpc.GenericRpcHandler):
    def __init__(self, log):
        self.log = log

    def service(self, details):
        path = details.method
        if path.endswith('/ServerReflectionInfo'):
            return grpc.stream_stream_rpc_method_handler(info) \
                if '.v1alpha.' in path else None

        def echo(data, context):
            with LOCK:
                self.log.write('%s %s\n' % (path, data.hex()))
                self.log.flush()
            return data
        return grpc.unary_unary_rpc_method_handler(echo)


def serve(log):
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(16), options=[
        ('grpc.max_send_message_length', 64 << 20)])
    server.add_generic_rpc_handlers((Handler(open(log, 'a')),))
    port = server.add_insecure_port('127.0.0.1:0')
    server.start()
    print('listening on 127.0.0.1:%d' % port, flush=True)
    server.wait_for_termination(120)


def attack(program, server, address, mode, most):
    """Return what is wrong with load's answer to a mode, or None."""
    p = subprocess.Popen(
        [program, 'load', '-n', '1', '--call', 'p.S/M', '--data', '{}',
         '-H', 'mode: ' + mode, address], stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE)
    if mode == 'silent':
        server.stdout.readline()        # "asked"
        p.send_signal(signal.SIGINT)
    said = p.stderr.read().decode()
    _, status, used = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    if mode == 'silent':
        return None if p.returncode == -signal.SIGINT else \
            'not ended by SIGINT, but with %d: %s' % (p.returncode, said)
    if p.returncode not in (0, 1) or p.returncode == 1 and (
            said.count('\n') != 1 or 'reflection' not in said):
        return 'status %d: %s' % (p.returncode, said)
    if used.ru_maxrss > most:
        return '%d KB' % used.ru_maxrss
    return None


def hostile(program, most):
    # In a process of its own: what it grows to would count as load's.
    with subprocess.Popen([sys.executable, __file__, 'serve', sys.argv[2],
                           os.devnull], stdout=subprocess.PIPE,
                          text=True) as server:
        address = server.stdout.readline().split()[-1]
        for mode in [*HOSTILE, 'chain', 'silent']:
            wrong = attack(program, server, address, mode, most)
            print('FAIL %s: %s' % (mode, wrong) if wrong else 'ok   ' + mode,
                  flush=True)
        server.kill()


def differ(made, names):
    """Print how messages differ that should be the same in both sets."""
    other = descriptor_pb2.FileDescriptorSet()
    with open(made, 'rb') as f:
        other.ParseFromString(f.read())
    for name in names:
        pair = [m for s in (SET, other) for f in s.file
                for m in [*f.message_type, *f.enum_type]
                if f.package + '.' + m.name == name]
        for m in pair:                  # entries of maps have other places
            if isinstance(m, descriptor_pb2.DescriptorProto):
                m.nested_type.sort(key=lambda n: n.name)
        if len(pair) != 2 or pair[0] != pair[1]:
            print(name, 'differs:', *pair)


def shorten(scope, name):
    """The shortest name of a type in scope."""
    for end in ('.' + scope + '.', '.' + scope.rsplit('.', 1)[0] + '.'):
        if name.startswith(end):
            return name[len(end):]
    return name


def relative(messages, scope):
    for m in messages:
        full = scope + '.' + m.name
        for f in m.field:
            if f.type_name:
                f.type_name = shorten(full, f.type_name)
                f.ClearField('type')
        relative(m.nested_type, full)


if __name__ == '__main__':
    with open(sys.argv[2], 'rb') as file:
        SET.ParseFromString(file.read())
    if sys.argv[1] == 'serve':
        serve(sys.argv[3])
    elif sys.argv[1] == 'hostile':
        hostile(sys.argv[3], 1 << 40 if sys.argv[4:] else 100000)
    elif sys.argv[1] == 'differ':
        differ(sys.argv[3], sys.argv[4:])
    else:
        for f in SET.file:
            relative(f.message_type, f.package)
            for s in f.service:
                for m in s.method:
                    m.input_type = shorten(f.package, m.input_type)
                    m.output_type = shorten(f.package, m.output_type)
        sys.stdout.buffer.write(SET.SerializeToString())
