#!/usr/bin/python3
"""What an idle connection costs a server: its resident memory before and with
N of them, in KiB each.

  idle.py PORT PID N       prints "KIB ANSWERED", or says why not and exits 1

Each has had the preface and SETTINGS, the server's SETTINGS, and ACKs of both.
"""
import socket
import sys
import time

PORT, PID, N = (int(word) for word in sys.argv[1:])
SETTINGS, ACK = 4, 1


def frame(flags):
    return bytes((0, 0, 0, SETTINGS, flags, 0, 0, 0, 0))


def resident_kib():
    with open('/proc/%d/smaps_rollup' % PID, encoding='ascii') as f:
        return next(int(line.split()[1]) for line in f
                    if line.startswith('Rss:'))


def settled_kib():
    """What it is once it is the same for a while."""
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
except OSError as e:
    print('%s after %d connections' % (e, len(held)), file=sys.stderr)
    sys.exit(1)
time.sleep(0.5)
print('%.1f %d' % ((settled_kib() - before) / N, len(held)))
