#!/usr/bin/python3
"""A proxy of another server that writes the client's messages to a file.

  tap.py HOST:PORT OUT [PATH]     prints "listening on HOST:PORT"; writes each
                                  message (with PATH, of its calls only) to OUT
                                  as a hex line; ends after a minute
"""
import socket
import sys
import threading
import time

import hpack

from wire import DATA, END_HEADERS, HEADERS, MAGIC


def copy(source, to, look=None):
    try:
        while True:
            data = source.recv(65536)
            if look:
                look(data)
            if not data:
                break
            to.sendall(data)
    except OSError:
        pass
    finally:
        for s in source, to:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Ear:
    """Parses what the client of one connection sends, in any pieces."""

    def __init__(self, out, path):
        self.out, self.path, self.rest = out, path, b''
        self.skip, self.decoder = len(MAGIC), hpack.Decoder()
        self.paths, self.bodies = {}, {}

    def __call__(self, data):
        self.rest += data
        if self.skip and len(self.rest) >= self.skip:
            self.rest, self.skip = self.rest[self.skip:], 0
        while not self.skip and len(self.rest) >= 9:
            size = int.from_bytes(self.rest[:3], 'big')
            if len(self.rest) < 9 + size:
                break
            self.frame(self.rest[3], self.rest[4],
                       int.from_bytes(self.rest[5:9], 'big'),
                       self.rest[9:9 + size])
            self.rest = self.rest[9 + size:]

    def frame(self, kind, flags, stream, body):
        if kind == HEADERS:
            assert flags & END_HEADERS and not flags & 40
            self.paths[stream] = dict(self.decoder.decode(body))[':path']
        elif kind == DATA and self.path in (None, self.paths[stream]):
            assert not flags & 8
            body = self.bodies.pop(stream, b'') + body
            while len(body) >= 5:
                size = int.from_bytes(body[1:5], 'big')
                if len(body) < 5 + size:
                    break
                self.out.write(body[5:5 + size].hex() + '\n')
                body = body[5 + size:]
            self.out.flush()
            self.bodies[stream] = body


def main():
    host, port = sys.argv[1].rsplit(':', 1)
    out = open(sys.argv[2], 'w', encoding='ascii')
    path = sys.argv[3] if sys.argv[3:] else None
    listener = socket.create_server(('127.0.0.1', 0))
    print('listening on 127.0.0.1:%d' % listener.getsockname()[1], flush=True)
    threading.Thread(target=accept, args=(listener, (host, int(port)), out,
                                          path), daemon=True).start()
    time.sleep(60)


def accept(listener, to, out, path):
    while True:
        client, _ = listener.accept()
        server = socket.create_connection(to)
        for s in client, server:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=copy, args=(client, server, Ear(out, path)),
                         daemon=True).start()
        threading.Thread(target=copy, args=(server, client),
                         daemon=True).start()


main()
