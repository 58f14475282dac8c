#!/usr/bin/python3
"""Targets of load in every form, compared with grpcio, which takes the same.

  targets.py GRPCPROF DIR     a server listens on TCP, on a socket file in DIR
                              and on an abstract one, and notes each :authority
"""
import os
import socket
import subprocess
import sys
import threading

import grpc
import hpack

from wire import (DATA, HEADERS, PING, SETTINGS, MAGIC, ACK, END_HEADERS,
                  END_STREAM, HELLO, frame, message, say)

BIN, DIR = sys.argv[1:]
NAME = 'grpcprof-test/%d' % os.getpid()
seen = []                       # the :authority of each call


def exactly(conn, n):
    data = b''
    while len(data) < n:
        more = conn.recv(n - len(data))
        if not more:
            raise OSError('closed')
        data += more
    return data


def talk(conn):
    """Answer each call with an empty message."""
    coder, decoder = hpack.Encoder(), hpack.Decoder()
    try:
        exactly(conn, len(MAGIC))
        conn.sendall(frame(SETTINGS))
        while True:
            head = exactly(conn, 9)
            kind, flags = head[3], head[4]
            stream = int.from_bytes(head[5:], 'big')
            body = exactly(conn, int.from_bytes(head[:3], 'big'))
            if kind in (SETTINGS, PING) and not flags & ACK:
                conn.sendall(frame(kind, ACK, 0, body if kind == PING else b''))
            elif kind == HEADERS:
                fields = dict((k.lower(), v) for k, v in decoder.decode(body))
                seen.append(fields[':authority'])
            if kind in (DATA, HEADERS) and flags & END_STREAM:
                conn.sendall(
                    frame(HEADERS, END_HEADERS, stream, coder.encode([
                        (':status', '200'),
                        ('content-type', 'application/grpc')])) +
                    frame(DATA, 0, stream, message(b'')) +
                    frame(HEADERS, END_HEADERS | END_STREAM, stream,
                          coder.encode([('grpc-status', '0')])))
    except OSError:
        conn.close()


def accept(listener):
    while True:
        threading.Thread(target=talk, args=(listener.accept()[0],),
                         daemon=True).start()


def listen(family, address):
    s = socket.socket(family)
    s.bind(address)
    s.listen(64)
    threading.Thread(target=accept, args=(s,), daemon=True).start()
    return s


def theirs(target):
    with grpc.insecure_channel(target, [('grpc.enable_http_proxy', 0)]) as c:
        c.unary_unary(HELLO)(b'', timeout=20)
    return seen.pop()


def ours(target):
    p = subprocess.run([BIN, 'load', '-q', '-n', '1', '--timeout', '20s',
                        target], stdin=subprocess.DEVNULL, capture_output=True,
                       text=True)
    if p.returncode or len(seen) != 1:
        raise RuntimeError('status %d: %s%s' % (p.returncode, p.stderr,
                                                p.stdout[-200:]))
    return seen.pop()


port = listen(socket.AF_INET, ('127.0.0.1', 0)).getsockname()[1]
six = listen(socket.AF_INET6, ('::1', 0)).getsockname()[1]
path = os.path.join(DIR, 'targets.sock')
listen(socket.AF_UNIX, path)
listen(socket.AF_UNIX, '\0' + NAME)
closed = socket.socket()                # bound, but nobody listens
closed.bind(('127.0.0.1', 0))
none = closed.getsockname()[1]

for form in ('127.0.0.1:P', '[::1]:S', 'dns:127.0.0.1:P', 'dns:///127.0.0.1:P',
             'dns:///[::1]:S', 'ipv4:127.0.0.1:P', 'ipv6:[::1]:S',
             'unix:FILE', 'unix://FILE', 'unix-abstract:NAME'):
    to = (form.replace('P', str(port)).replace('S', str(six))
          .replace('FILE', path).replace('NAME', NAME))
    try:
        a, b = theirs(to), ours(to)
        say('target %s, :authority as grpcio sends' % form, a == b,
            '%s, grpcio %s' % (b, a))
    except (RuntimeError, grpc.RpcError) as e:
        say('target %s, :authority as grpcio sends' % form, False, e)

for form, want in (('grpc://127.0.0.1:P', '127.0.0.1:P'),
                   ('http://127.0.0.1:P/', '127.0.0.1:P'),
                   ('P', '127.0.0.1:P'),
                   ('ipv4:127.0.0.1:X,127.0.0.1:P', '127.0.0.1:X'),
                   ('ipv4:127.0.0.1:P,127.0.0.1:X', '127.0.0.1:P')):
    to, want = (t.replace('P', str(port)).replace('X', str(none))
                for t in (form, want))
    try:
        a = ours(to)
        say('target %s' % form, a == want, 'authority %s, want %s' % (a, want))
    except RuntimeError as e:
        say('target %s' % form, False, e)
