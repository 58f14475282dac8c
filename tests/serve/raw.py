#!/usr/bin/python3
"""Sends invalid requests to serve, in raw HTTP/2 frames; checks the answers.

  raw.py PORT              prints "ok name" or "FAIL name: why" for each case
  raw.py PORT FILE REPLY   sends the message in FILE, writes the one it gets
"""
import os
import socket
import struct
import sys

import h2.config
import h2.connection
import h2.events

PORT = int(sys.argv[1])
HELLO = '/helloworld.Greeter/SayHello'
NAME = b'\x0a\x03you'
GOOD = b'\0' + struct.pack('>I', len(NAME)) + NAME


def connect():
    sock = socket.create_connection(('127.0.0.1', PORT), 10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


class Call:
    """One connection with one call; its fields have what came back."""

    def __init__(self, path=HELLO, method='POST', kind='application/grpc',
                 body=GOOD, cut=None, end=True, more=()):
        self.sock = connect()
        self.conn = h2.connection.H2Connection(h2.config.H2Configuration(
            validate_outbound_headers=False, normalize_outbound_headers=False))
        self.headers, self.data, self.over, self.reset = {}, b'', False, None
        self.conn.initiate_connection()
        head = [(':method', method), (':scheme', 'http'), (':path', path),
                (':authority', 'localhost'), ('te', 'trailers')]
        if kind:
            head.append(('content-type', kind))
        self.conn.send_headers(1, head + list(more),
                               end_stream=end and not body)
        step = cut or len(body) or 1
        for at in range(0, len(body), step):
            piece = body[at:at + step]
            last = end and at + len(piece) == len(body)
            self.conn.send_data(1, piece, end_stream=last)
            self.flush()
        self.flush()

    def flush(self):
        self.sock.sendall(self.conn.data_to_send())

    def answer(self):
        """Read until the stream is over; the status, as gRPC or HTTP has it."""
        while not self.over:
            data = self.sock.recv(65536)
            if not data:
                return 'closed'
            for e in self.conn.receive_data(data):
                if isinstance(e, (h2.events.ResponseReceived,
                                  h2.events.TrailersReceived)):
                    self.headers.update(
                        (text(k), text(v)) for k, v in e.headers)
                elif isinstance(e, h2.events.DataReceived):
                    self.data += e.data
                elif isinstance(e, h2.events.StreamReset):
                    self.reset, self.over = e.error_code, True
                elif isinstance(e, h2.events.StreamEnded):
                    self.over = True
                elif isinstance(e, h2.events.ConnectionTerminated):
                    return 'goaway %d' % e.error_code
            self.flush()
        http = self.headers.get(':status')
        if http not in (None, '200'):
            return 'http ' + http
        return self.headers.get('grpc-status', 'reset %s' % self.reset)


def text(x):
    return x.decode() if isinstance(x, bytes) else x


def say(name, good, why=''):
    print('ok   ' + name if good else 'FAIL %s: %s' % (name, why), flush=True)


def expect(name, want, **how):
    """Check that the call is answered with one of the statuses `want`."""
    try:
        call = Call(**how)
        with call.sock:
            got = call.answer()
        say(name, got in want.split('|'), 'answered %s, want %s' % (got, want))
        return call
    except Exception as e:
        say(name, False, '%s %s' % (type(e).__name__, e))


def closes(name, data):
    """Check that bytes that are not HTTP/2 get an HTTP error, a GOAWAY or
    nothing, and that the connection is closed then."""
    got = b''
    try:
        with connect() as sock:
            sock.sendall(data)
            while True:
                more = sock.recv(65536)
                if not more:
                    break
                got += more
    except socket.timeout:
        return say(name, False, 'still open after 10 s, said %r' % got[:60])
    except ConnectionError:
        pass                            # a reset is an end too
    frames = len(got) > 9 and got[3] in (4, 6, 7, 8)
    say(name, not got or got.startswith(b'HTTP/1.1 4') or frames,
        'said %r' % got[:60])


def prefix(flag, n):
    return bytes([flag]) + struct.pack('>I', n)


def framing():
    expect('F3 wrong flag byte', '13', body=b'\x02' + GOOD[1:])
    expect('F3 flag byte 255', '13', body=b'\xff' + GOOD[1:])
    expect('F4 compressed, no encoding named', '13', body=b'\x01' + GOOD[1:])
    expect('F5 compressed, unknown encoding', '12', body=b'\x01' + GOOD[1:],
           more=[('grpc-encoding', 'snappy')])
    expect('F10 message cut short', '13', body=prefix(0, 100) + NAME)
    expect('F10 prefix cut short', '13', body=b'\0\0\0')
    expect('S12 no message', '12|13', body=b'')
    expect('S13 two messages', '12|13', body=GOOD * 2)
    # Without an end: the answer must not wait for the bytes.
    expect('F8 message of 4 GiB', '8', end=False,
           body=prefix(0, 0xffffffff) + NAME)
    expect('F8 message of 1 GiB', '8', body=prefix(0, 1 << 30))
    for what, body in (('length past the end', b'\x0a\x7fx'),
                       ('varint that does not end', b'\x08' + b'\xff' * 11),
                       ('field number 0', b'\x02\x00'),
                       ('wire type 7', b'\x0f'), ('cut tag', b'\x80')):
        expect('F11 bad protobuf, ' + what, '13',
               body=prefix(0, len(body)) + body)
    expect('unknown fields', '0',
           body=prefix(0, 9) + b'\x10\x01' + NAME + b'\x1a\0')
    expect('F1 one byte a DATA frame', '0', cut=1)
    expect('F1 two bytes a DATA frame', '0', cut=2)
    call = expect('F2 empty message', '0', body=prefix(0, 0))
    say('F2 empty message is answered',
        call and b'Hello ! (request #' in call.data, call and call.data)


def admission():
    expect('S5 unknown method', '12', path='/helloworld.Greeter/SayGoodbye')
    expect('S5 unknown service', '12', path='/no.Such/SayHello')
    expect('S6 path without a slash', '12|reset 1|goaway 1|http 400',
           path='helloworld.Greeter/SayHello')
    expect('S6 path with a query', '12', path=HELLO + '?x=1')
    expect('S6 path with one part', '12', path='/SayHello')
    expect('S6 path with three parts', '12', path=HELLO + '/more')
    expect('S6 path of 4 KiB', '12|8', path='/' + 'x' * 4096)
    expect('S1 GET', 'http 405', method='GET', body=b'')
    expect('S1 PUT', 'http 405', method='PUT')
    for kind in (None, 'text/plain', 'application/json', 'application/grpc-web',
                 'application/grpcfoo'):
        expect('S2 content-type %s' % kind, 'http 415', kind=kind)
    for kind in ('application/grpc+proto', 'application/grpc;charset=utf-8'):
        expect('S3 content-type %s' % kind, '0', kind=kind)


def endings():
    """Connections that end too early; the server must go on."""
    try:
        for i in range(1, 40):
            call = Call(body=GOOD[:i % len(GOOD) or 1], end=False)
            if i % 2:                   # a reset instead of an end
                call.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                     struct.pack('ii', 1, 0))
            call.sock.close()
        for i in range(40):             # the answer finds nobody
            Call().sock.close()
        say('D6 connections that end in a call', True)
    except OSError as e:
        say('D6 connections that end in a call', False, e)
    call = Call(end=False, body=GOOD[:3])
    call.conn.reset_stream(1, 8)
    call.conn.ping(b'12345678')
    call.flush()
    got = []
    try:
        while not any(isinstance(e, h2.events.PingAckReceived) for e in got):
            data = call.sock.recv(65536)
            if not data:
                break
            got = call.conn.receive_data(data)
            call.flush()
        say('D5 a call cancelled, then a PING', bool(data), 'closed')
    except OSError as e:
        say('D5 a call cancelled, then a PING', False, e)
    call.sock.close()


def frame(kind, flags, stream, payload):
    return (struct.pack('>I', len(payload))[1:] +
            struct.pack('>BBI', kind, flags, stream) + payload)


def strangers():
    magic = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
    settings = frame(4, 0, 0, b'')
    closes('C7 HTTP/1.1 request', b'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    closes('C7 HTTP/1.1 POST',
           b'POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}' %
           HELLO.encode())
    closes('C7 TLS hello', b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' +
           bytes(range(200)))
    closes('garbage', b'\xde\xad\xbe\xef' * 500)
    closes('random bytes', os.urandom(4000))
    closes('garbage after the preface', magic + b'\xff' * 400)
    closes('frame of 16 MiB announced',
           magic + settings + b'\xff\xff\xff\0\0\0\0\0\1')
    closes('bad HPACK', magic + settings + frame(1, 5, 1, b'\xff' * 40))
    closes('DATA on stream 0', magic + settings + frame(0, 0, 0, b'x'))
    closes('HEADERS on an even stream',
           magic + settings + frame(1, 5, 2, b'\x82'))
    closes('window of 0', magic + settings + frame(8, 0, 0, b'\0\0\0\0'))


def once(name, reply):
    """One good call; the bytes come from elsewhere and go elsewhere."""
    with open(name, 'rb') as f:
        data = f.read()
    call = Call(body=prefix(0, len(data)) + data)
    status = call.answer()
    if status != '0' or call.data[:5] != prefix(0, len(call.data) - 5):
        sys.exit('status %s, %r' % (status, call.data[:40]))
    with open(reply, 'wb') as f:
        f.write(call.data[5:])


def main():
    if len(sys.argv) > 2:
        return once(*sys.argv[2:])
    expect('a good call', '0')
    framing()
    admission()
    endings()
    strangers()
    expect('a good call after all that', '0')


main()
