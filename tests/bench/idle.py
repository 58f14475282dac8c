#!/usr/bin/python3
"""What an idle connection costs a server: its resident memory before and with
N of them, in KiB each.

  idle.py PORT PID N [CALLS]   prints "KIB ANSWERED", or says why not and exits
                               1; each connection has made CALLS calls of
                               SayHello before

Both sides of each connection have sent SETTINGS and got the ACK.
"""
import socket
import struct
import sys
import time

import hpack

PORT, PID, N = (int(word) for word in sys.argv[1:4])
CALLS = int(sys.argv[4]) if len(sys.argv) > 4 else 0
DATA, HEADERS, SETTINGS, ACK, END = 0, 1, 4, 1, 1
AT_ONCE = 50


def frame(flags):
    return bytes((0, 0, 0, SETTINGS, flags, 0, 0, 0, 0))


def request(block, stream):
    body = b'\0\0\0\0\5\x0a\3you'
    return (struct.pack('>I', len(block))[1:] +
            struct.pack('>BBI', HEADERS, 4, stream) + block +
            struct.pack('>I', len(body))[1:] +
            struct.pack('>BBI', DATA, END, stream) + body)


def ended(data):
    """The number of responses that end in data, and data's incomplete end."""
    at = n = 0
    while len(data) - at >= 9:
        size = 9 + int.from_bytes(data[at:at + 3], 'big')
        if len(data) - at < size:
            break
        n += data[at + 3] in (DATA, HEADERS) and data[at + 4] & END
        at += size
    return n, data[at:]


def call(sock):
    """Make CALLS calls, some at a time."""
    encoder, made, rest = hpack.Encoder(), 0, b''
    head = [(':method', 'POST'), (':scheme', 'http'),
            (':path', '/helloworld.Greeter/SayHello'),
            (':authority', 'localhost'), ('te', 'trailers'),
            ('content-type', 'application/grpc')]
    block, again = encoder.encode(head), encoder.encode(head)
    while made < CALLS:
        k = min(AT_ONCE, CALLS - made)
        sock.sendall(b''.join(request(again if made + i else block,
                                      2 * (made + i) + 1) for i in range(k)))
        made += k
        while k:
            more = sock.recv(65536)
            if not more:
                raise ConnectionError('hung up')
            n, rest = ended(rest + more)
            k -= n


def resident_kib():
    with open('/proc/%d/smaps_rollup' % PID, encoding='ascii') as f:
        return next(int(line.split()[1]) for line in f
                    if line.startswith('Rss:'))


def settled_kib():
    """Resident KiB of the server, once it does not change for a while."""
    last, now = None, resident_kib()
    while last != now:
        time.sleep(0.3)
        last, now = now, resident_kib()
    return now


def idle():
    """A connection after SETTINGS and their ACKs, both ways."""
    sock = socket.create_connection(('127.0.0.1', PORT), 10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + frame(0))
    data, seen = b'', set()
    while seen != {0, ACK}:
        more = sock.recv(65536)
        if not more:
            raise ConnectionError('hung up')
        data += more
        while len(data) >= 9:
            size = 9 + int.from_bytes(data[:3], 'big')
            if len(data) < size:
                break
            if data[3] == SETTINGS:
                seen.add(data[4] & ACK)
                if not data[4] & ACK:
                    sock.sendall(frame(ACK))
            data = data[size:]
    return sock


before = settled_kib()
held = []
try:
    for _ in range(N):
        held.append(idle())
        call(held[-1])
except OSError as e:
    print('%s after %d connections' % (e, len(held)), file=sys.stderr)
    sys.exit(1)
time.sleep(0.5)
print('%.1f %d' % ((settled_kib() - before) / N, len(held)))
