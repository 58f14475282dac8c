#!/usr/bin/python3
"""Interoperability cases that grpc-go's client lacks: the compressed ones.

  interop.py PORT          with python3-grpcio, and by the frame where a library
                           does not show whether a message came compressed
  interop.py PORT absent   the service must not be there

testing_pb2 is what protoc makes of proto/testing.proto.
"""
import sys
import zlib

import wire
from wire import say

PORT = int(sys.argv[1])
SERVICE = '/grpc.testing.TestService/'
SIZE = 314159


def payload(n):
    return pb.Payload(body=b'\0' * n)


def yes(value):
    return pb.BoolValue(value=value)


def simple(expect=None, answer=None):
    r = pb.SimpleRequest(response_size=SIZE, payload=payload(271828))
    if expect is not None:
        r.expect_compressed.value = expect
    if answer is not None:
        r.response_compressed.value = answer
    return r


def piece(n, expect):
    return pb.StreamingInputCallRequest(payload=payload(n),
                                        expect_compressed=yes(expect))


def method(channel, kind, name, reply):
    return getattr(channel, kind)(SERVICE + name, lambda m:
                                  m.SerializeToString(), reply.FromString)


def code_of(call, *args, **how):
    """The status that a call ends with, and its reply."""
    try:
        return 'OK', call(*args, timeout=20, **how)
    except grpc.RpcError as e:
        return e.code().name, None


def case(name, run):
    """run() yields (what, got, want); the case passes if got is want in all."""
    wrong = ''
    try:
        for what, got, want in run():
            if got != want and not wrong:
                wrong = '%s is %s, not %s' % (what, got, want)
    except Exception as e:
        wrong = '%s %s' % (type(e).__name__, e)
    say(name, not wrong, wrong)


def client_compressed_unary():
    call = method(channel, 'unary_unary', 'UnaryCall', pb.SimpleResponse)
    code, _ = code_of(call, simple(expect=True))
    yield 'a compressed message promised and not sent', code, 'INVALID_ARGUMENT'
    code, r = code_of(call, simple(expect=True), compression=gzip)
    yield 'compressed', code, 'OK'
    yield 'its payload', len(r.payload.body), SIZE
    code, r = code_of(call, simple(expect=False))
    yield 'not compressed', code, 'OK'
    yield 'its payload', len(r.payload.body), SIZE


def client_compressed_streaming():
    call = method(channel, 'stream_unary', 'StreamingInputCall',
                  pb.StreamingInputCallResponse)
    code, _ = code_of(call, iter([piece(27182, True), piece(45904, False)]))
    yield 'a compressed message promised and not sent', code, 'INVALID_ARGUMENT'
    # One message compressed and one not is more than grpcio's calls can say.
    with wire.Wire(PORT) as w:
        w.open(1, SERVICE + 'StreamingInputCall',
               more=[('grpc-encoding', 'gzip')])
        w.data(1, squeezed(piece(27182, True).SerializeToString()))
        w.upload(1, wire.message(piece(45904, False).SerializeToString()))
        yield 'both kinds in one call', w.answer(1), '0'
        got = plain(w.streams[1])
        yield 'replies', len(got), 1
        yield 'the size', pb.StreamingInputCallResponse.FromString(
            got[0]).aggregated_payload_size, 73086


def server_compressed_unary():
    call = method(channel, 'unary_unary', 'UnaryCall', pb.SimpleResponse)
    for flag in True, False:
        code, r = code_of(call, simple(answer=flag))
        yield 'response_compressed %s' % flag, code, 'OK'
        yield 'its payload', len(r.payload.body), SIZE
    for flag in True, False:
        for accepts in 'identity,gzip', 'gzip', 'identity':
            with wire.Wire(PORT) as w:
                w.refill = True
                w.open(1, SERVICE + 'UnaryCall',
                       more=[('grpc-accept-encoding', accepts)])
                r = simple(answer=flag)
                r.payload.Clear()
                w.data(1, wire.message(r.SerializeToString()), True)
                yield 'status by frames', w.answer(1), '0'
                want = flag and 'gzip' in accepts
                yield from flags(w.streams[1], pb.SimpleResponse,
                                 [(want, SIZE)])


def server_compressed_streaming():
    r = pb.StreamingOutputCallRequest()
    for flag, size in (True, 31415), (False, 92653):
        r.response_parameters.add(size=size, compressed=yes(flag))
    call = method(channel, 'unary_stream', 'StreamingOutputCall',
                  pb.StreamingOutputCallResponse)
    yield 'sizes', [len(m.payload.body) for m in call(r, timeout=20)], \
        [31415, 92653]
    with wire.Wire(PORT) as w:
        w.refill = True
        w.open(1, SERVICE + 'StreamingOutputCall',
               more=[('grpc-accept-encoding', 'gzip')])
        w.data(1, wire.message(r.SerializeToString()), True)
        yield 'status by frames', w.answer(1), '0'
        yield from flags(w.streams[1], pb.StreamingOutputCallResponse,
                         [(True, 31415), (False, 92653)])


def squeezed(data):
    z = zlib.compressobj(6, zlib.DEFLATED, 31)
    return wire.message(z.compress(data) + z.flush(), 1)


def plain(stream):
    """The messages, decompressed where they say that they are compressed."""
    return [zlib.decompress(data, 31) if flag else data
            for flag, data in stream.messages()]


def flags(stream, kind, want):
    """Which messages are compressed, and how long their payloads are."""
    got = [(bool(flag), len(kind.FromString(data).payload.body))
           for (flag, _), data in zip(stream.messages(), plain(stream))]
    yield 'compressed and size', got, want
    if any(flag for flag, _ in want):
        yield 'grpc-encoding', stream.header('grpc-encoding'), 'gzip'


def absent():
    for path in 'EmptyCall', 'UnaryCall':
        with wire.Wire(PORT) as w:
            w.call(1, wire.message(b''), SERVICE + path)
            yield path, w.answer(1), '12'


if sys.argv[2:] == ['absent']:
    case('no TestService unless asked', absent)
else:
    import grpc
    import testing_pb2 as pb
    gzip = grpc.Compression.Gzip
    with grpc.insecure_channel('127.0.0.1:%d' % PORT,
                               [('grpc.enable_http_proxy', 0)]) as channel:
        for run in (client_compressed_unary, client_compressed_streaming,
                    server_compressed_unary, server_compressed_streaming):
            case('compressed, ' + run.__name__, run)
