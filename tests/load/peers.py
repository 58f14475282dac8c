#!/usr/bin/python3
"""Servers that misbehave, and how load must treat each.

  peers.py BIN [NAME]     runs load against each (or those whose name contains
                          NAME); prints "ok name" or "FAIL name: why"
  peers.py serve NAME     starts one of them: prints "listening on HOST:PORT",
                          and ends after two minutes
  peers.py names          prints the names

Each run must end, with counts that add up, and use no more memory than with a
good server; other requirements are in its class.  L1 to L14 number gRPC's rules
for clients.
"""
import concurrent.futures
import gzip
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib

import hpack

from wire import (ACK, CONT, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS,
                  MAGIC, PING, PUSH, RST, SETTINGS, WINDOW, frame, message, say,
                  setting, window)

REPLY = message(b'\x0a\x02ok')
GRPC = [(':status', '200'), ('content-type', 'application/grpc')]
TABLE, _, STREAMS, INITIAL, MAX_FRAME, MAX_LIST = range(1, 7)
CODES = """OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND
    ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION
    ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS
    UNAUTHENTICATED""".split()
CASES = {}


class Over(Exception):
    """The connection has ended."""


class Stream:
    def __init__(self, ident, headers, number):
        self.id, self.headers, self.number = ident, headers, number
        self.data, self.window, self.answered = b'', 0, False


class Conn:
    """One connection of load; keeps what load sent."""

    def __init__(self, sock, case, number):
        self.sock, self.case, self.number = sock, case, number
        self.decoder, self.encoder = hpack.Decoder(), hpack.Encoder()
        self.streams, self.calls, self.acks, self.most = {}, 0, 0, 0
        self.pongs, self.resets, self.goaways = [], [], []
        self.pings = []                 # calls that were open at each
        self.window, self.initial, self.wrong = 65535, 65535, []

    def send(self, *frames):
        self.sock.sendall(b''.join(frames))

    def exactly(self, n):
        out = b''
        while len(out) < n:
            more = self.sock.recv(n - len(out))
            if not more:
                raise Over
            out += more
        return out

    def head(self, s, headers=None, end=False):
        block = self.encoder.encode(headers or GRPC)
        self.send(frame(HEADERS, END_HEADERS | (END_STREAM if end else 0),
                        s.id, block))
        s.answered |= end

    def data(self, s, data, pad=None, end=False):
        size = len(data) + (0 if pad is None else pad + 1)
        while min(self.window, s.window) < size:
            self.step()
        self.window -= size
        s.window -= size
        flags = (END_STREAM if end else 0) | (0 if pad is None else 8)
        self.send(frame(DATA, flags, s.id, data if pad is None else
                        bytes([pad]) + data + bytes(pad)))

    def good(self, s, body=REPLY, status='0', more=()):
        self.head(s, GRPC + list(more))
        for at in range(0, len(body), 16384):
            self.data(s, body[at:at + 16384])
        self.head(s, [('grpc-status', status)], True)

    def reset(self, s, code):
        self.send(frame(RST, 0, s.id, struct.pack('>I', code)))
        s.answered = True

    def goaway(self, last, code=0, said=b''):
        self.send(frame(GOAWAY, 0, 0, struct.pack('>II', last, code) + said))

    def settings(self, *pairs):
        self.send(frame(SETTINGS, 0, 0, b''.join(
            setting(k, v) for k, v in pairs)))

    def open(self):
        return sum(not s.answered for s in self.streams.values())

    def step(self):
        """Take one frame."""
        size, kind, flags, ident = struct.unpack(
            '>IBBI', b'\0' + self.exactly(9))
        body = self.exactly(size)
        if kind == HEADERS:
            while not flags & END_HEADERS:
                n, _, more, _ = struct.unpack(
                    '>IBBI', b'\0' + self.exactly(9))
                body += self.exactly(n)
                flags |= more & END_HEADERS
            if flags & 8:
                body = body[1:len(body) - body[0]]
            if flags & 32:
                body = body[5:]
            s = Stream(ident, self.decoder.decode(body), self.calls)
            if self.streams and ident <= max(self.streams):
                self.wrong.append('stream %d again' % ident)
            self.calls += 1
            s.window = self.initial
            self.streams[ident] = s
            self.most = max(self.most, self.open())
            self.case.began(self, s)
            if flags & END_STREAM:
                self.case.call(self, s)
        elif kind == DATA:
            if flags & 8:
                body = body[1:len(body) - body[0]]
            s = self.streams[ident]
            s.data += body
            self.case.came(self, s, size)
            if flags & END_STREAM:
                self.case.call(self, s)
        elif kind == SETTINGS and flags & ACK:
            self.acks += 1
            self.case.acked(self)
        elif kind == SETTINGS:
            for at in range(0, size, 6):
                k, v = struct.unpack('>HI', body[at:at + 6])
                if k == INITIAL:
                    for s in self.streams.values():
                        s.window += v - self.initial
                    self.initial = v
            if self.case.acks:
                self.send(frame(SETTINGS, ACK))
        elif kind == PING and flags & ACK:
            self.pongs.append(body)
        elif kind == PING:
            self.pings.append(self.open())
            self.send(frame(PING, ACK, 0, body))
        elif kind == RST:
            self.resets.append((ident, struct.unpack('>I', body)[0]))
            if ident in self.streams:
                self.streams[ident].answered = True
        elif kind == GOAWAY:
            self.goaways.append(struct.unpack('>II', body[:8])[1])
        elif kind == WINDOW:
            more = struct.unpack('>I', body)[0]
            if ident == 0:
                self.window += more
            elif ident in self.streams:
                self.streams[ident].window += more

    def run(self):
        try:
            self.sock.settimeout(15)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.exactly(len(MAGIC)) != MAGIC:
                self.wrong.append('no preface')
                return
            self.case.start(self)
            while True:
                self.step()
        except (Over, OSError):
            pass
        except hpack.HPACKError as e:
            self.wrong.append('HPACK: %s' % e)
        finally:
            self.sock.close()


class Case:
    """A good server; the classes below override what a misbehaving one does."""
    args = '-n 3'
    status, ok, failed = 0, 3, 0        # of load; None: it may vary
    errors = ()                         # each a regex of kind, status, detail
    said = ''                           # a regex of the error if status is 1
    acks = True                         # it acknowledges SETTINGS

    def __init__(self):
        self.conns = []

    def start(self, c):
        c.settings()

    def began(self, c, s):
        pass

    def came(self, c, s, size):
        if size:
            c.send(window(0, size), window(s.id, size))

    def call(self, c, s):
        c.good(s)

    def acked(self, c):
        pass

    def check(self, result):
        """Return what else is wrong, or nothing."""

    def accept(self, listener):
        while True:
            sock, _ = listener.accept()
            c = Conn(sock, self, len(self.conns))
            self.conns.append(c)
            c.thread = threading.Thread(target=c.run, daemon=True)
            c.thread.start()


def case(cls):
    CASES[(cls.__doc__ or cls.__name__).replace('\n', ' ')] = cls
    return cls


def answers(name, respond, **more):
    """A case that differs from a good server in how it answers a call."""
    CASES[name] = type('Answers', (Case,), dict(
        more, call=lambda self, c, s: respond(c, s), __doc__=name))


def fails(name, respond, *errors, **more):
    answers(name, respond, **dict(dict(
        status=3, ok=0, failed=3, errors=errors), **more))


def breaks(name, respond, **more):
    """A case that violates HTTP/2: the calls fail, in one of two ways, because
    a stream error may be treated as a connection error."""
    fails(name, respond, r'(transport UNAVAILABLE|(protocol|rst_stream) '
          r'INTERNAL|(protocol|http) UNKNOWN) ', **more)


# ---- good servers, whose runs give the memory limit for the others ----

@case
class Good(Case):
    """good: L1 the headers are gRPC's, in their order; L2 and end"""
    args = "-n 3 -H x-own:1 --timeout 3s"

    def call(self, c, s):
        if not c.acks:
            c.wrong.append('our SETTINGS are not acknowledged yet')
        c.good(s)

    def check(self, result):
        s = self.conns[0].streams[1]
        names = [k for k, _ in s.headers]
        h = dict(s.headers)
        if names[:4] != [':method', ':scheme', ':path', ':authority']:
            return names
        for k, v in ((':method', 'POST'), (':scheme', 'http'), (
                ':path', '/helloworld.Greeter/SayHello'), ('te', 'trailers'),
                     ('content-type', r'application/grpc(\+proto)?'),
                     ('grpc-timeout', r'[0-9]{1,8}[HMSmun]'),
                     ('user-agent', r'.*grpcprof.*'), ('x-own', '1'),
                     ('grpc-accept-encoding', 'identity,deflate,gzip')):
            if not re.fullmatch(v, h.get(k, '')):
                return '%s is %r' % (k, h.get(k))
        if names.index('x-own') < names.index('content-type'):
            return names
        return s.data != message(b'\x0a\x05world') and s.data


@case
class Own(Case):
    """a user-agent of -H is the only one; keys are sent in lower case"""
    args = "-n 3 -H User-Agent:mine/1 -H X-Own-Key:V"

    def check(self, result):
        got = self.conns[0].streams[1].headers
        got = [(k, v) for k, v in got if k.lower() in (
            'user-agent', 'x-own-key')]
        return sorted(got) != [('user-agent', 'mine/1'),
                               ('x-own-key', 'V')] and got


# ---- statuses ----

def each(*steps):
    """A step for each call of a connection."""
    return lambda c, s: steps[s.number % len(steps)](c, s)


def http(code, grpc=None):
    return lambda c, s: c.head(s, [(':status', str(code)), (
        'content-type', 'text/html')] + (
            [('grpc-status', grpc)] if grpc else []), True)


def statuses(**want):
    def check(self, result):
        got = {s['name']: s['count'] for s in result['status']}
        return got != want and got
    return check


fails('L3 the HTTP status counts where gRPC\'s is missing',
      each(*map(http, (400, 401, 403, 404, 429, 431, 500, 502, 503, 504))),
      'http INTERNAL', 'http UNAUTHENTICATED', 'http PERMISSION_DENIED',
      'http UNIMPLEMENTED', 'http UNAVAILABLE', 'http UNKNOWN',
      args='-n 10', failed=10, check=statuses(
          INTERNAL=2, UNAUTHENTICATED=1, PERMISSION_DENIED=1, UNIMPLEMENTED=1,
          UNAVAILABLE=4, UNKNOWN=1))
fails('L3 gRPC\'s status wins over HTTP\'s', http(503, '9'),
      ' FAILED_PRECONDITION ')
fails('L4 another content-type', lambda c, s: (c.head(s, [
    (':status', '200'), ('content-type', 'application/json')]),
    c.data(s, b'{"message":"ok"}', end=True)), 'UNKNOWN')
fails('L5 RST_STREAM by its code', each(*[
    lambda c, s, k=k: c.reset(s, k)
    for k in (0, 1, 2, 3, 4, 6, 9, 10, 8, 11, 12)]),
      'rst_stream INTERNAL', 'rst_stream CANCELLED',
      'rst_stream RESOURCE_EXHAUSTED', 'rst_stream PERMISSION_DENIED',
      args='-n 11', failed=11, check=statuses(
          INTERNAL=8, CANCELLED=1, RESOURCE_EXHAUSTED=1, PERMISSION_DENIED=1))
for part, sent in (('the headers', b''), ('part of the message', REPLY[:-3]),
                   ('the message', REPLY)):
    fails('L5 RST_STREAM(NO_ERROR) after %s, without trailers' % part,
          lambda c, s, sent=sent: (c.head(s), c.data(s, sent), c.reset(s, 0)),
          '^rst_stream INTERNAL NO_ERROR')
fails('L5 RST_STREAM after some of the answer', lambda c, s: (
    c.head(s), c.data(s, REPLY), c.reset(s, 8)), 'rst_stream CANCELLED')
answers('L6 RST_STREAM(NO_ERROR) behind the trailers',
        lambda c, s: (c.good(s), c.reset(s, 0)))


def apart(c, s):
    """The reset is sent once load has answered a PING sent after the trailers:
    it reads the two apart."""
    seen = len(c.pongs)
    c.good(s)
    c.send(frame(PING, 0, 0, b'trailers'))
    while len(c.pongs) == seen:
        c.step()
    c.reset(s, 0)


answers('L6 RST_STREAM(NO_ERROR) in a read after the one with the trailers',
        apart, args='-c 1 -n 3')
fails('HTTP 200 and a message, without trailers', lambda c, s: (
    c.head(s), c.data(s, REPLY, end=True)))
fails('grpc-status 0 without a message', lambda c, s: (
    c.head(s), c.head(s, [('grpc-status', '0')], True)))
fails('grpc-status 0 after two messages', lambda c, s: c.good(s, REPLY * 2))
fails('grpc-status 0 after a message that is cut',
      lambda c, s: c.good(s, REPLY[:-1]))
fails('HTTP 200 with text/html', lambda c, s: (c.head(
    s, [(':status', '200'), ('content-type', 'text/html')]),
    c.data(s, b'<p>hello', end=True)))
fails('an error in one frame of headers', lambda c, s: c.head(s, GRPC + [
    ('grpc-status', '9'), ('grpc-message', 'not%20now')], True),
      '^grpc_status FAILED_PRECONDITION not now')
for bad in ('abc', '', '77', '-1', '0x0', '4294967296', '18446744073709551616',
            '1.0'):
    fails('L7 grpc-status %r' % bad,
          lambda c, s, bad=bad: c.good(s, status=bad),
          '^grpc_status UNKNOWN grpc-status is not 0 to 16')
ZIP, PACKED = dict(args='-n 3 --compression gzip'), gzip.compress(REPLY[5:])


def zipped(body, name='gzip'):
    return lambda c, s: c.good(s, message(body, 1),
                               more=[('grpc-encoding', name)])


answers('a gzip answer to a gzip call', zipped(PACKED), **ZIP)
answers('a gzip answer to a call that is not compressed', zipped(PACKED))
fails('L7 a gzip answer that is damaged', zipped(PACKED[:-9] + b'123456789'),
      'protocol INTERNAL', **ZIP)
fails('L7 a gzip answer that is cut', zipped(PACKED[:-9]),
      'protocol INTERNAL', **ZIP)
DEFLATED = zlib.compress(REPLY[5:])
answers('a deflate answer', zipped(DEFLATED, 'deflate'))
answers('a deflate answer, in capitals', zipped(DEFLATED, 'Deflate'))
fails('a deflate answer that is damaged', zipped(DEFLATED[:-4] + b'1234',
                                                 'deflate'),
      'protocol INTERNAL invalid deflate message')
fails('a deflate answer that is cut', zipped(DEFLATED[:-4], 'deflate'),
      'protocol INTERNAL invalid deflate message')
fails('a deflate answer in gzip', zipped(PACKED, 'deflate'),
      'protocol INTERNAL invalid deflate message')
fails('L7 an encoding that was not offered', lambda c, s: c.good(
    s, message(REPLY[5:], 1), more=[('grpc-encoding', 'snappy')]),
      'protocol INTERNAL message compressed with snappy; only gzip and deflate')
fails('L7 compressed, without an encoding', lambda c, s: c.good(
    s, message(REPLY[5:], 1)),
      'protocol INTERNAL compressed message without grpc-encoding')
fails('L7 compressed, and encoding identity', lambda c, s: c.good(
    s, message(REPLY[5:], 1), more=[('grpc-encoding', 'identity')]),
      'protocol INTERNAL message compressed with identity; only gzip and')
answers('not compressed, and encoding snappy', lambda c, s: c.good(
    s, more=[('grpc-encoding', 'snappy')]))
fails('a flag byte of 7', lambda c, s: c.good(s, message(REPLY[5:], 7)),
      'protocol INTERNAL')
fails('a message of 4 GiB, announced', lambda c, s: c.good(
    s, b'\0\xff\xff\xff\xff' + bytes(100)),
      r'protocol (INTERNAL|RESOURCE_EXHAUSTED)')
answers('a message of 3 MiB', lambda c, s: c.good(
    s, message(b'\x0a' + b'\xfd\xff\xbf\1' + b'x' * ((3 << 20) - 3))))


# What inflates to 256 MiB, and what to more; of a method whose replies load
# does not show, so that it keeps none of them.
BOMB, UNKNOWN = gzip.compress(bytes(64 << 20), 1), (
    '-n 1 --call a.B/C -b /dev/null')
answers('a gzip answer of 256 MiB', lambda c, s: zipped(BOMB * 4)(c, s),
        args=UNKNOWN, ok=1)
fails('a deflate answer of 320 MiB', lambda c, s: zipped(
    zlib.compress(bytes(320 << 20), 1), 'deflate')(c, s),
      'protocol INTERNAL a message inflates to more than 256 MiB',
      args=UNKNOWN, failed=1)
fails('a gzip answer of 320 MiB', lambda c, s: zipped(BOMB * 5)(c, s),
      'protocol INTERNAL a message inflates to more than 256 MiB',
      args=UNKNOWN, failed=1)


@case
class Texts(Case):
    """a row for each of 16 error texts, one for the others, one for a kind"""
    args, status, ok, failed = '-n 60', 3, 0, 60

    def call(self, c, s):
        text = 'order %d not found' % (s.number % 20)
        c.head(s, GRPC + ([('grpc-status', '3')] if s.number == 59 else [
            ('grpc-status', '5'), ('grpc-message', text.replace(' ', '%20'))]),
            True)

    def check(self, result):
        got = [(e['status'], e['detail'], e['count'], e['varies'])
               for e in result['errors']]
        want = [(5, 'order %d not found' % i, 3, False) for i in range(16)] + [
            (5, 'order 16 not found', 11, True), (3, '', 1, False)]
        return got != want and got


def told(encoded, text):
    """A case whose grpc-message must be shown as text."""
    fails('grpc-message %.30s' % encoded, lambda c, s: c.head(s, GRPC + [
        ('grpc-status', '3'), ('grpc-message', encoded)], True), check=lambda
        self, result: [e['detail'] for e in result['errors']] != [text] and
        result['errors'])


told('field%20items%5B3%5D.price.currency_code%20must%20be%20one%20of%20EUR%2C'
     '%20USD%2C%20GBP%20%28got%20XXX%29', 'field items[3].price.currency_code '
     'must be one of EUR, USD, GBP (got XXX)')
told('%E6%97%A5%E6%9C%AC%E8%AA%9E', '\u65e5\u672c\u8a9e')
told('%ff%00%E6%97ok', '\ufffd\ufffd\ufffd\ufffdok')
told('m' * 9000, 'm' * 4096)
told('%E2%98%BA' * 1500, '\u263a' * 1365)
fails('L8 grpc-message with a bad escape', lambda c, s: c.head(s, GRPC + [
    ('grpc-status', '5'), ('grpc-message', '100% of %zz%41')], True),
      r'grpc_status NOT_FOUND 100% of %zzA')


@case
class Escapes(Case):
    """grpc-message with terminal escapes, and a blank for its line end"""
    status, ok, failed, errors = 3, 0, 3, (r'grpc_status NOT_FOUND .*red',)

    def call(self, c, s):
        c.head(s, GRPC + [('grpc-status', '5'), (
            'grpc-message', '%1b[31mred%0d%0aline%9b%C2%9b')], True)

    def check(self, result):
        text = run_load(self, 'text').stdout
        return (re.search(rb'[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\x9b',
                          text) or text.count(b'red line') != 2) and text


# ---- the end of a call, of a connection ----

@case
class Deadline(Case):
    """L9 no answer in time: DEADLINE_EXCEEDED, and RST_STREAM(CANCEL)"""
    args = '-n 2 --timeout 200ms'
    status, ok, failed, errors = 3, 0, 2, ('deadline DEADLINE_EXCEEDED',)

    def call(self, c, s):
        pass

    def check(self, result):
        got = [r for c in self.conns for r in c.resets]
        return (not got or any(code != 8 for _, code in got)) and got


def at_deadline(name, end):
    """The server's own timer ends each call as the deadline passes."""
    fails('L9 at the deadline: ' + name, lambda c, s: (
        time.sleep(0.05), end(c, s)), '^deadline DEADLINE_EXCEEDED no answer',
          args='-c 8 -n 5 --timeout 50ms', failed=40, check=lambda self, result:
          len(result['errors']) != 1 and result['errors'])


at_deadline('RST_STREAM(CANCEL)', lambda c, s: c.reset(s, 8))
at_deadline('RST_STREAM(CANCEL) after headers', lambda c, s: (
    c.head(s), c.reset(s, 8)))
at_deadline('CANCELLED', lambda c, s: c.head(
    s, GRPC + [('grpc-status', '1')], True))
at_deadline('DEADLINE_EXCEEDED', lambda c, s: c.head(
    s, GRPC + [('grpc-status', '4'), ('grpc-message', 'late')], True))
fails('DEADLINE_EXCEEDED long before the deadline is the server\'s own',
      lambda c, s: c.head(s, GRPC + [
          ('grpc-status', '4'), ('grpc-message', 'database')], True),
      '^grpc_status DEADLINE_EXCEEDED database$')


@case
class Early(Case):
    """L10 trailers before our end: RST_STREAM(NO_ERROR)"""
    args = ('--call helloworld.Greeter/SayHelloBidiStream -n 2 '
            '--messages 1000 --message-interval 20ms')
    ok = 2

    def came(self, c, s, size):
        if not s.answered:
            c.good(s)

    def call(self, c, s):
        pass

    def check(self, result):
        got = [r for c in self.conns for r in c.resets]
        sent = [len(s.data) // 12 for c in self.conns
                for s in c.streams.values()]
        return ([code for _, code in got] != [0, 0] or
                max(sent) >= 1000) and (got, sent)


@case
class Goaway(Case):
    """L11 GOAWAY after the first answer: the next call on a new connection"""
    args, ok = '-n 2', 2

    def call(self, c, s):
        c.good(s)
        if c.number == 0:
            c.goaway(s.id)

    def check(self, result):
        return len(self.conns) != 2 and '%d connections' % len(self.conns)


@case
class Disowned(Case):
    """L11 GOAWAY that disowns two of four: they are sent again"""
    args, ok = '-m 4 -N 4', 4

    def call(self, c, s):
        if c.number:
            c.good(s)
        elif c.calls == 4 and s.number == 3:
            c.goaway(3)
            for i in 1, 3:
                c.good(c.streams[i])

    def check(self, result):
        again = result['counts']['retried_after_goaway']
        return (again, len(self.conns)) != (2, 2) and (
            again, len(self.conns))


@case
class DisownsMost(Case):
    """L11 GOAWAY that disowns 59 of 60: each is sent again"""
    args, ok = '-m 60 -n 60', 60

    def call(self, c, s):
        if c.number:
            c.good(s)
        elif c.calls == 60:
            c.good(c.streams[1])
            c.goaway(1)

    def check(self, result):
        again = result['counts']['retried_after_goaway']
        return again != 59 and again


@case
class Leaves(Case):
    """L11 GOAWAY before each answer: the client reconnects without pauses"""
    args, ok = '-n 20', 20

    def call(self, c, s):
        c.goaway(s.id)
        c.good(s)

    def check(self, result):            # pauses would last over 7 s
        took = result['window']['elapsed_ns']
        return took > 5e9 and '%d ns' % took


@case
class DisownsAll(Case):
    """GOAWAY that disowns every call, on every connection: all of them fail"""
    args, status, ok, failed = '-n 10', 3, 0, 10

    def call(self, c, s):
        c.goaway(0)
        raise Over


@case
class DisownsEleven(Case):
    """GOAWAY that disowns a call on 11 connections: the 12th answers it"""
    args, ok = '-n 1', 1

    def call(self, c, s):
        if c.number == 11:
            c.good(s)
            return
        c.goaway(0)
        raise Over


@case
class Early(Case):
    """grpc-message of a call that timed out is not that of the next one"""
    args, status, ok, failed = '-n 2 --timeout 300ms', 3, 0, 2
    errors = '^grpc_status NOT_FOUND $', '^deadline '

    def call(self, c, s):
        c.head(s, GRPC + ([('grpc-status', '5')] if s.number else [
            ('grpc-message', 'early')]), bool(s.number))


@case
class NoQuestions(Case):
    """GOAWAY with the SETTINGS, before a question of reflection"""
    args, status, said = '--list', 1, 'reflection of .*server sent GOAWAY'

    def start(self, c):
        c.send(frame(SETTINGS), frame(GOAWAY, 0, 0, bytes(8)))


@case
class Often(Case):
    """L11 GOAWAY after each 1,000 calls: none fails, some are sent again"""
    args, ok = '-c 2 -m 3 -n 2500', 5000

    def call(self, c, s):
        if c.calls < 1000:
            c.good(s)
        elif not c.gone:                # the calls after it are never answered
            c.gone = True
            c.good(s)
            c.goaway(s.id)

    def start(self, c):
        c.gone = False
        c.settings()

    def check(self, result):
        got = (result['connect']['goaways'],
               result['counts']['retried_after_goaway'])
        return 0 in got and got


@case
class Twice(Case):
    """L11 GOAWAY in two steps"""
    args, ok = '-m 2 -N 20', 20

    def call(self, c, s):
        if s.number == 2:
            c.goaway(0x7fffffff)
            c.send(frame(PING, 0, 0, b'graceful'))
        c.good(s)
        if s.number == 4:
            c.goaway(s.id)


@case
class Calm(Case):
    """L13 GOAWAY(ENHANCE_YOUR_CALM, too_many_pings)"""
    args = '-n 4'
    status, ok, failed = (0, 3), None, None

    def call(self, c, s):
        c.goaway(s.id if s.number else 0, 11, b'too_many_pings')
        c.good(s)
        raise Over


@case
class Said(Case):
    """L13 the debug data of a GOAWAY is shown, in printable characters"""
    args, status, ok, failed = '-n 2 --no-reconnect', 3, 0, 1
    errors = (r'^transport UNAVAILABLE the server\'s GOAWAY: '
              r'ENHANCE_YOUR_CALM, too many\?\[31m$',)

    def call(self, c, s):
        c.goaway(s.id, 11, b'too many\x1b[31m')
        raise Over


@case
class Leaves(Case):
    """GOAWAY(NO_ERROR) before load closes its connections"""
    args, ok, want = '-c 3 -n 2', 6, 3

    def check(self, result):
        for c in self.conns:
            c.thread.join(10)
        got = [c.goaways for c in self.conns]
        return got != [[0]] * self.want and got


@case
class LeavesEach(Leaves):
    """GOAWAY(NO_ERROR) on each of --max-requests-per-connection"""
    args = '-n 6 --max-requests-per-connection 2'


@case
class Unacked(Case):
    """SETTINGS that are not acknowledged in --connect-timeout"""
    args, status, ok, failed = '-n 2 --connect-timeout 300ms', 3, 0, 2
    acks = False
    errors = (r'^transport UNAVAILABLE the server violated HTTP/2: '
              r'no acknowledgement of SETTINGS in time$',)

    def call(self, c, s):
        while not c.goaways:
            c.step()
        if c.goaways != [4]:            # SETTINGS_TIMEOUT
            c.wrong.append(c.goaways)
        raise Over


@case
class Garbled(Case):
    """the result says how a server violated HTTP/2"""
    status, ok, failed = 3, 0, 3
    errors = (r'the server violated HTTP/2: size of PING$',)

    def call(self, c, s):
        c.send(frame(PING, 0, 0, b'short'))


@case
class Slow(Case):
    """L13 keepalive PINGs while a call waits, and only then"""
    args = '-n 2 --keepalive 200ms'
    ok = 2

    def call(self, c, s):
        """Each call waits for two PINGs."""
        want = len(c.pings) + 2
        while len(c.pings) < want:
            c.step()
        c.good(s)

    def check(self, result):
        got = self.conns[0].pings
        most = result['window']['elapsed_ns'] / 200e6 + 2
        return (not 4 <= len(got) <= most or 0 in got) and got


@case
class Mute(Case):
    """L13 no answer to a PING ends the connection, not the run"""
    args = '-n 5 --keepalive 100ms --timeout 1s'
    status, ok, failed = 3, None, None
    errors = (r'^timeout DEADLINE_EXCEEDED|^deadline',)

    def call(self, c, s):
        if c.number == 0 and s.number == 1:
            time.sleep(5)
            raise Over
        c.good(s)

    def check(self, result):
        return (len(self.conns) < 2 or result['counts']['ok'] < 3) and \
            result['errors']


@case
class TooMany(Case):
    """L13 GOAWAY(ENHANCE_YOUR_CALM) makes keepalive PINGs rarer"""
    args = '-n 3 --keepalive 100ms'

    def call(self, c, s):
        if c.number < 2:
            c.good(s)
            c.goaway(s.id, 11, b'too_many_pings')
        else:
            while len(c.pings) < 2:     # 400 ms apart by now
                c.step()
            c.good(s)

    def check(self, result):
        got = [len(c.pings) for c in self.conns]
        took = result['window']['elapsed_ns']
        return (got[2:] != [2] or took < 800e6) and (got, took)


@case
class Never(Case):
    """GOAWAY on each connection: load reconnects with pauses"""
    args = '-d 1s --drain 1s --timeout 1s'
    status, ok, failed = (1, 3), None, None

    def start(self, c):
        c.settings()
        c.goaway(0)
        raise Over

    def check(self, result):
        # Pauses that double from 10 ms leave room for less than ten.
        return len(self.conns) > 60 and '%d connections' % len(self.conns)


@case
class NeverAtOnce(Never):
    """SETTINGS and GOAWAY at once: load reconnects with pauses, too"""
    def start(self, c):
        c.send(frame(SETTINGS, 0, 0, b''),
               frame(GOAWAY, 0, 0, struct.pack('>II', 0, 0)))
        raise Over


@case
class Refused(Case):
    """REFUSED_STREAM: UNAVAILABLE, or sent again"""
    args = '-n 4'
    status, ok, failed = (0, 3), None, None

    def call(self, c, s):
        if s.number % 2 == 0:
            c.reset(s, 7)
        else:
            c.good(s)

    def check(self, result):
        bad = [e for e in result['errors']
               if CODES[e['status']] != 'UNAVAILABLE']
        return bad or result['counts']['ok'] < 2 and result['counts']


@case
class Linger(Case):
    """the connection is reset in a call"""
    status, ok, failed, errors = 3, 0, 3, ('transport UNAVAILABLE',)

    def call(self, c, s):
        c.head(s)
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                          struct.pack('ii', 1, 0))
        c.sock.close()
        raise Over


@case
class Unsent(Case):
    """a call that was not sent before the connection was reset is sent again"""
    args = '-n 3 -t 1'

    def call(self, c, s):
        if c.number or s.number:
            c.good(s)
            return
        os.kill(self.load.pid, signal.SIGSTOP)  # it finds both at once
        time.sleep(0.05)
        c.good(s)
        time.sleep(0.05)
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                          struct.pack('ii', 1, 0))
        c.sock.close()
        time.sleep(0.05)
        os.kill(self.load.pid, signal.SIGCONT)
        raise Over

    def check(self, result):
        again = result['counts']['retried_after_goaway']
        return again != 1 and '%d sent again' % again


@case
class OneEach(Case):
    """the connection ends after each answer, without GOAWAY"""
    args = '-n 10'
    status, ok, failed = (0, 3), None, None

    def call(self, c, s):
        c.good(s)
        raise Over

    def check(self, result):
        n = result['counts']['ok'], result['connect']['reconnects']
        return (n[0] < 5 or n[1] < 4) and n


@case
class NoReconnect(OneEach):
    """--no-reconnect: there is one connection"""
    args = '-n 10 --no-reconnect'
    status = (0, 1, 3)

    def check(self, result):
        return len(self.conns) != 1 and '%d connections' % len(self.conns)


# ---- streams, windows, settings ----

class Slowly(Case):
    """Answers calls only after a while, so that they could pile up."""
    def call(self, c, s):
        if c.open() < self.limit(c):
            c.send(frame(PING, 0, 0, b'anymore?'))
            return
        self.flush(c)

    def flush(self, c):
        time.sleep(0.005)
        for s in list(c.streams.values()):
            if not s.answered:
                c.good(s)


@case
class OneStream(Slowly):
    """L12 one stream at a time"""
    args, ok = '-m 10 -N 30', 30

    def start(self, c):
        c.settings((STREAMS, 1))

    def limit(self, c):
        return 1

    def check(self, result):
        # Before our SETTINGS came it could not know.
        return max(c.most for c in self.conns) > 1 and [
            c.most for c in self.conns]


@case
class Fewer(Slowly):
    """L12 ten streams, then two"""
    args, ok = '-m 10 -N 60', 60

    def start(self, c):
        c.settings((STREAMS, 10))

    def limit(self, c):
        return 1 if c.calls > 20 else 10

    def began(self, c, s):
        if c.calls == 20:
            c.settings((STREAMS, 2))
        if c.acks >= 2 and c.calls > 30 and c.open() > 2:
            c.wrong.append('%d streams open' % c.open())


@case
class NoneAtFirst(Case):
    """L12 no stream at first, then ten"""
    args, ok = '-m 2 -N 6', 6

    def start(self, c):
        c.settings((STREAMS, 0))

    def acked(self, c):
        if c.acks == 1:
            if c.calls:
                c.wrong.append('%d streams where none was allowed' % c.calls)
            c.settings((STREAMS, 10))


@case
class Shut(Case):
    """the window is never opened"""
    args = '-n 2 --timeout 200ms'
    status, ok, failed, errors = 3, 0, 2, ('deadline DEADLINE_EXCEEDED',)

    def start(self, c):
        c.settings((INITIAL, 0))

    def check(self, result):
        return any(s.data for s in self.conns[0].streams.values()) and 'DATA'


@case
class Crumbs(Case):
    """a window of one byte, again and again"""
    def start(self, c):
        c.settings((INITIAL, 0))

    def began(self, c, s):
        c.send(window(s.id, 1))

    def came(self, c, s, size):
        c.send(window(s.id, 1))


@case
class Full(Case):
    """the connection's window is used up"""
    args = '-n 2 --payload-size 100000 --timeout 300ms'
    status, ok, failed, errors = 3, 0, 2, ('deadline DEADLINE_EXCEEDED',)

    def came(self, c, s, size):
        pass


@case
class NoTable(Case):
    """a header table of size 0"""
    args, ok = '-n 20 -H x-a:{{seq}} -H x-b:1', 20

    def start(self, c):
        c.settings((TABLE, 0))
        c.decoder.max_allowed_table_size = 4096

    def acked(self, c):
        c.decoder.max_allowed_table_size = 0


@case
class Pings(Case):
    """L14 PINGs are answered with the same bytes"""
    def call(self, c, s):
        c.send(frame(PING, 0, 0, b'ping%04d' % s.number))
        c.good(s)

    def check(self, result):
        got = self.conns[0].pongs
        # The last may come behind the run's end.
        return got[:2] != [b'ping0000', b'ping0001'] and got


def padded(c, s):
    body = message(b'\x0a' + b'\xfc\xa7\x12' + b'x' * 299996)[:300005]
    c.head(s)
    for at in range(0, len(body), 5):
        c.data(s, body[at:at + 5], 255)
    c.head(s, [('grpc-status', '0')], True)


answers('L15 60,000 frames of 5 bytes and 255 of padding', padded, ok=1,
        args='-n 1 --timeout 1h')
answers('an answer byte by byte', lambda c, s: (
    c.head(s), [c.data(s, REPLY[i:i + 1]) for i in range(len(REPLY))],
    c.data(s, b''), c.head(s, [('grpc-status', '0')], True)))
answers('L3 1xx before the answer', lambda c, s: (
    c.head(s, [(':status', '100')]), c.head(s, [(':status', '103'), (
        'link', '</x>')]), c.good(s)))
answers('frames and settings that nobody knows', lambda c, s: (
    c.send(frame(0x42, 255, s.id, b'x' * 100), frame(10, 0, 0, b'\0\0x'),
           frame(SETTINGS, 0, 0, setting(0x77, 7))), c.good(s)))
answers('headers in pieces of a byte', lambda c, s: (
    lambda b: c.send(frame(HEADERS, 0, s.id, b[:1]), *[
        frame(CONT, END_HEADERS if i == len(b) - 1 else 0, s.id, b[i:i + 1])
        for i in range(1, len(b))]))(c.encoder.encode(GRPC)) or (
            c.data(s, REPLY), c.head(s, [('grpc-status', '0')], True)))


@case
class Backwards(Case):
    """answers in reverse order, frame by frame in turn"""
    args, ok = '-m 8 -N 40', 40

    def call(self, c, s):
        if s.number % 8 != 7:
            return
        last = [x for x in c.streams.values() if not x.answered][::-1]
        for x in last:
            c.head(x)
        for i in range(len(REPLY)):
            for x in last:
                c.data(x, REPLY[i:i + 1])
        for x in last:
            c.head(x, [('grpc-status', '0')], True)


# ---- no HTTP/2 ----

class NoServer(Case):
    """A peer that load cannot use: one line says what it is."""
    args, status = '-c 2 -n 5', 1


@case
class Closes(NoServer):
    """each connection is closed after the preface"""
    def start(self, c):
        raise Over


@case
class Silent(NoServer):
    """a server that never sends a byte"""
    args = '-c 2 -n 5 --connect-timeout 500ms'

    def start(self, c):
        pass


@case
class OldHttp(NoServer):
    """a server that answers in HTTP/1.1"""
    def start(self, c):
        c.send(b'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')
        raise Over


# ---- violations of HTTP/2 ----

def disconnect(c, s):
    c.head(s)
    c.data(s, REPLY[:-3])
    raise Over



def raw(*make):
    return lambda c, s: c.send(*[m(s) for m in make])


breaks('PUSH_PROMISE', raw(lambda s: frame(
    PUSH, END_HEADERS, s.id, struct.pack('>I', 2) + b'\x82\x86\x84')))
breaks('a frame of 17 KiB', raw(lambda s: frame(DATA, 0, s.id, bytes(17408))))
breaks('DATA on stream 0', raw(lambda s: frame(DATA, 0, 0, b'x')))
breaks('DATA on a stream that nobody opened',
       raw(lambda s: frame(DATA, 0, s.id + 100, b'x')))
breaks('padding longer than its frame',
       raw(lambda s: frame(DATA, 8, s.id, b'\xffx')))
breaks('a header block that is none',
       raw(lambda s: frame(HEADERS, END_HEADERS, s.id, b'\xff\xff\xff\xff')))
breaks('another frame inside a header block', raw(
    lambda s: frame(HEADERS, 0, s.id, b'\x88'),
    lambda s: frame(PING, 0, 0, bytes(8))))
fails('bytes that are no frame', lambda c, s: c.send(bytes(range(256)) * 40),
      '^transport UNAVAILABLE the server violated HTTP/2')
fails('a flood of SETTINGS', lambda c, s: [
    c.send(frame(SETTINGS, 0, 0) * 1000) for _ in range(200)],
      '^transport UNAVAILABLE the server violated HTTP/2')
fails('the connection ends in the middle of a message', disconnect,
      '^transport UNAVAILABLE the server closed')
fails('an answer that begins and never ends', lambda c, s: (
    c.head(s), c.data(s, REPLY[:-3])), 'deadline DEADLINE_EXCEEDED',
      args='-n 2 --timeout 300ms', failed=2)
breaks('headers of 16 MiB', lambda c, s: [c.send(
    frame(HEADERS, 0, s.id, b'\x88'))] and [c.send(
        frame(CONT, 0, s.id, b'\0\1x\x7f\x81\x7c' + b'v' * 16000 + b'\0\1x'
              b'\x7f\xe9\1' + b'v' * 360)) for _ in range(1024)])
breaks('CONTINUATION without end', lambda c, s: [c.send(
    frame(HEADERS, 0, s.id, b'\x88'))] and [
        c.send(frame(CONT, 0, s.id) * 1000) for _ in range(1000)])
breaks('a window that overflows', raw(lambda s: window(0, 0x7fffffff),
                                      lambda s: window(0, 0x7fffffff)))
breaks('an initial window of 4 GiB', raw(lambda s: frame(
    SETTINGS, 0, 0, setting(INITIAL, 0xffffffff))))
breaks('a largest frame of 10 bytes', raw(lambda s: frame(
    SETTINGS, 0, 0, setting(MAX_FRAME, 10))))
breaks('SETTINGS of 5 bytes', raw(lambda s: frame(SETTINGS, 0, 0, b'12345')))
breaks('PING of 7 bytes', raw(lambda s: frame(PING, 0, 0, b'1234567')))
breaks('RST_STREAM of stream 0', raw(lambda s: frame(RST, 0, 0, bytes(4))))


def malformed(name, why, respond):
    """A malformed response fails its call, with the reason; the connection
    stays usable."""
    def check(self, result):
        got = self.conns[0].resets
        return (len(self.conns) != 1 or [code for _, code in got[:2]] !=
                [1, 1]) and (len(self.conns), got)
    fails('malformed: ' + name, respond,
          '^protocol INTERNAL malformed response: %s$' % why, check=check)


def field(name, value='1'):
    return lambda c, s: c.head(s, GRPC + [(name, value)])


for name, value in (('connection', 'close'), ('keep-alive', 'timeout=5'), (
        'transfer-encoding', 'chunked'), ('upgrade', 'h2c'), ('te', 'gzip'), (
            'proxy-connection', 'close')):
    malformed('%s: %s' % (name, value), 'connection-specific field: ' + name,
              field(name, value))
malformed('capitals in a name', 'upper case in the name of a field: X-Upper',
          field('X-Upper'))
malformed('capitals in a trailer', 'upper case in .*: Grpc-Status',
          lambda c, s: (c.head(s), c.data(s, REPLY), c.head(
              s, [('Grpc-Status', '0')], True)))
malformed('a blank in a name', 'invalid name of a field: x.a', field('x a'))
malformed('a line end in a value', 'invalid byte in the value of a field: x',
          field('x', 'a\nb'))
malformed('a blank after a value', 'blank around the value of a field: x',
          field('x', 'a '))
malformed('no :status', 'no :status', lambda c, s: c.head(s, GRPC[1:]))
malformed(':status twice', 'pseudo-header field twice: :status',
          lambda c, s: c.head(s, GRPC[:1] + GRPC))
malformed(':status after another field', 'pseudo-header field after another '
          'field: :status', lambda c, s: c.head(s, GRPC[::-1]))
malformed(':path', 'pseudo-header field that no response has: :path',
          lambda c, s: c.head(s, GRPC[:1] + [(':path', '/')] + GRPC[1:]))
malformed(':status in trailers', 'pseudo-header field in trailers: :status',
          lambda c, s: (c.head(s), c.data(s, REPLY), c.head(
              s, [(':status', '200'), ('grpc-status', '0')], True)))
malformed('trailers that do not end', 'trailers without END_STREAM',
          lambda c, s: (c.head(s), c.data(s, REPLY), c.head(
              s, [('grpc-status', '0')])))
malformed('more than content-length', 'more data than content-length',
          lambda c, s: (c.head(s, GRPC + [('content-length', '3')]),
                        c.data(s, REPLY)))
malformed('less than content-length', 'less data than content-length',
          lambda c, s: (c.head(s, GRPC + [('content-length', '100')]),
                        c.data(s, REPLY),
                        c.head(s, [('grpc-status', '0')], True)))
malformed('data before headers', 'data before headers',
          lambda c, s: c.data(s, REPLY, end=True))
breaks('a wrong answer after a good one', lambda c, s: (
    c.good(s), c.send(frame(DATA, 0, 0, b'x'))), status=(0, 3), ok=None,
       failed=None, errors=())
breaks('100,000 PINGs', lambda c, s: c.send(
    *[frame(PING, 0, 0, b'12345678')] * 100000) or c.good(s), status=(0, 3),
       ok=None, failed=None, errors=())
answers('100,000 empty DATA frames', lambda c, s: (
    c.head(s), c.send(*[frame(DATA, 0, s.id)] * 100000), c.data(s, REPLY),
    c.head(s, [('grpc-status', '0')], True)), status=(0, 3), ok=None,
        failed=None)


# ---- the runs ----

def run_load(a, form='json'):
    listener = socket.create_server(('127.0.0.1', 0), backlog=256)
    threading.Thread(target=a.accept, args=(listener,), daemon=True).start()
    to = '127.0.0.1:%d' % listener.getsockname()[1]
    args = a.args.split()
    if '--timeout' not in args:
        args += ['--timeout', '20s']
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        p = subprocess.Popen([BIN, 'load', '-q', '-f', form] + args + [to],
                             stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        a.load = p
        end = time.monotonic() + 40
        pid = 0
        while not pid and time.monotonic() < end:
            time.sleep(0.01)
            pid, status, used = os.wait4(p.pid, os.WNOHANG)
        if not pid:
            p.kill()
            p.wait()
            raise TimeoutError('still runs after 40 s')
        p.returncode = os.waitstatus_to_exitcode(status)
        p.rss = used.ru_maxrss
        out.seek(0)
        err.seek(0)
        p.stdout, p.stderr = out.read(), err.read()
    listener.close()
    return p


def judge(a, p):
    """Return what is wrong with this run of load, or nothing."""
    want = a.status if isinstance(a.status, tuple) else (a.status,)
    said = p.stderr.decode(errors='replace')
    if 'Sanitizer' in said or 'runtime error' in said:
        return said
    if p.returncode not in want:
        return 'status %d, want %s: %s %s' % (p.returncode, want, said,
                                              p.stdout[:300])
    if p.returncode == 1 and not p.stdout:
        return (said.count('\n') != 1 or not re.search(
            r'127\.0\.0\.1:\d+.*' + a.said, said)) and said
    d = json.loads(p.stdout)
    n = d['counts']
    if n['planned'] != n['ok'] + n['failed'] + n['cut_off'] + n['not_sent']:
        return 'does not add up: %s' % n
    for k in 'ok', 'failed':
        if getattr(a, k) not in (None, n[k]):
            return '%s is %d, want %d: %s' % (k, n[k], getattr(a, k),
                                              d['errors'])
    errors = ['%s %s %s' % (e['kind'], CODES[e['status']], e['detail'])
              for e in d['errors']]
    for want in a.errors:
        if not any(re.search(want, e) for e in errors):
            return 'no error as %r in %s' % (want, errors)
    wrong = [w for c in a.conns for w in c.wrong]
    return wrong or a.check(d)


def one(name):
    a = CASES[name]()
    try:
        p = run_load(a)
        return name, judge(a, p), p.rss
    except Exception as e:
        return name, '%s: %s' % (type(e).__name__, e), 0


def main():
    names = [n for n in CASES if len(sys.argv) < 3 or sys.argv[2] in n]
    base = 0
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for name, wrong, rss in pool.map(one, names):
            base = base or rss
            if not wrong and rss > base + 65536:
                wrong = '%d KiB, %d with a good one' % (rss, base)
            say(name, not wrong, wrong)


if sys.argv[1] == 'names':
    print('\n'.join(CASES))
elif sys.argv[1] == 'serve':
    alone = socket.create_server(('127.0.0.1', 0), backlog=256)
    print('listening on 127.0.0.1:%d' % alone.getsockname()[1], flush=True)
    threading.Thread(target=CASES[sys.argv[2]]().accept, args=(alone,),
                     daemon=True).start()
    time.sleep(120)
else:
    BIN = sys.argv[1]
    main()
