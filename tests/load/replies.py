#!/usr/bin/python3
"""Greeters on python3-grpcio, each with another kind of reply.

  replies.py        prints "NAME HOST:PORT" for each, then "ready"; ends after
                    two minutes
"""
import itertools
import threading
import time
from concurrent import futures

import grpc

TEXTS = itertools.cycle([
    'field items[3].price.currency_code must be one of EUR, USD, GBP (got XXX)',
    'order 18 not found',
    '\u65e5\u672c\u8a9e\u306e\u3068\u3066\u3082\u9577\u3044\u30a8\u30e9\u30fc'])
NUMBERS = itertools.count()


def reply(size):
    """A HelloReply whose message has that many bytes."""
    head, n = b'\x0a', size
    while n > 127:
        head, n = head + bytes([n & 127 | 128]), n >> 7
    return head + bytes([n]) + b'a' * size


def fails(text):
    def hello(request, context):
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, text(context))
    return hello


def late(request, context):
    """No answer before the deadline."""
    gone = threading.Event()
    context.add_callback(gone.set)
    gone.wait(60)
    return reply(2)


def slow(request, context):
    time.sleep(0.4)
    return reply(2)


def endless(request, context):
    while context.is_active():
        yield reply(2)
        time.sleep(0.01)


def keys(context):
    """The metadata of a call, without what the library adds."""
    return ' '.join('%s=%s' % (m.key, m.value) for m in sorted(
        context.invocation_metadata()) if m.key in ('user-agent', 'x-own-key'))


# name: how SayHello and SayHelloStreamReply answer, and the server's options
KINDS = {
    'gzip': (lambda r, c: reply(1000), lambda r, c: (reply(1000),) * 3,
             {'compression': grpc.Compression.Gzip}),
    'deflate': (lambda r, c: reply(1000), lambda r, c: (reply(1000),) * 3,
                {'compression': grpc.Compression.Deflate}),
    'texts': (fails(lambda c: next(TEXTS)), None, {}),
    'numbers': (fails(lambda c: 'order %d not found' % next(NUMBERS)), None, {}),
    'big': (lambda r, c: reply(17000000), lambda r, c: (), {
        'options': [('grpc.max_send_message_length', -1)]}),
    'empty': (lambda r, c: b'', None, {}),
    'endless': (late, endless, {}),
    'keys': (fails(keys), None, {}),
    'aging': (slow, None, {
        'options': [('grpc.max_connection_age_ms', 200),
                    ('grpc.max_connection_age_grace_ms', 5000)]}),
    'idle': (lambda r, c: reply(2), None, {
        'options': [('grpc.max_connection_idle_ms', 100)]}),
}


def start(name, hello, stream, more):
    options = more.pop('options', []) + [('grpc.so_reuseport', 0)]
    server = grpc.server(futures.ThreadPoolExecutor(16), options=options, **more)
    methods = {'SayHello': grpc.unary_unary_rpc_method_handler(hello)}
    if stream:
        methods['SayHelloStreamReply'] = grpc.unary_stream_rpc_method_handler(
            lambda r, c: iter(stream(r, c)))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(
        'helloworld.Greeter', methods),))
    print(name, '127.0.0.1:%d' % server.add_insecure_port('127.0.0.1:0'))
    server.start()
    return server


servers = [start(name, *kind) for name, kind in KINDS.items()]
print('ready', flush=True)
time.sleep(120)
for one in servers:
    one.stop(0)
