#!/usr/bin/python3
"""A Greeter of python3-grpcio that answers status 13 to every K-th call.

  badserver.py K        0: never.  Prints "listening on HOST:PORT", and on
                        SIGTERM "N calls, M refused".
"""
import signal
import sys
import threading
from concurrent import futures

import grpc


def main():
    every, lock, calls = int(sys.argv[1]), threading.Lock(), [0]

    def say_hello(data, context):
        with lock:
            calls[0] += 1
            n = calls[0]
        if every and n % every == 0:
            context.abort(grpc.StatusCode.INTERNAL, 'the %d-th' % n)
        name = data[2:] if data else b''        # names below 128 bytes
        text = b'Hello ' + name + b'! (request #%d)' % n
        return b'\x0a' + bytes([len(text)]) + text

    server = grpc.server(futures.ThreadPoolExecutor(4),
                         options=[('grpc.so_reuseport', 0)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(
        'helloworld.Greeter',
        {'SayHello': grpc.unary_unary_rpc_method_handler(say_hello)}),))
    port = server.add_insecure_port('127.0.0.1:0')
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    server.start()
    print('listening on 127.0.0.1:%d' % port, flush=True)
    stop.wait()
    server.stop(1).wait()
    refused = calls[0] // every if every else 0
    print('%d calls, %d refused' % (calls[0], refused), flush=True)


main()
