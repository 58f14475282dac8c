#!/usr/bin/python3
"""A Greeter on python3-grpcio: greeter.py WORK.

It prints "listening on HOST:PORT" and, each second and when SIGTERM ends it,
"calls N loop_ns N cpu_ns N": the CPU time of its loops, of WORK steps per call,
and of the process.
"""
import concurrent.futures
import signal
import sys
import threading
import time

import grpc

WORK = int(sys.argv[1])
done = threading.Event()
lock = threading.Lock()
sums = {'calls': 0, 'loop_ns': 0}


def spin(n):
    total = 0
    for i in range(n):
        total += i * i
    return total


def say_hello(request, _):
    began = time.thread_time_ns()
    spin(WORK)
    used = time.thread_time_ns() - began
    with lock:
        sums['calls'] += 1
        sums['loop_ns'] += used
    return request                      # HelloReply has the same field


def print_sums():
    print('calls %d loop_ns %d cpu_ns %d' % (
        sums['calls'], sums['loop_ns'], time.process_time_ns()), flush=True)


server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(
    'helloworld.Greeter',
    {'SayHello': grpc.unary_unary_rpc_method_handler(say_hello)}),))
port = server.add_insecure_port('127.0.0.1:0')
signal.signal(signal.SIGTERM, lambda *_: done.set())
server.start()
print('listening on 127.0.0.1:%d' % port, flush=True)
while not done.wait(1):
    print_sums()
server.stop(0)
print_sums()
