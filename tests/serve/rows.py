#!/usr/bin/python3
"""What gRPC over HTTP/2 requires of a server, row by row, in frames.

  rows.py PORT                calls of Greeter
  rows.py PORT interop        rows that need grpc.testing.TestService to echo
  rows.py PORT queue          of a server whose greetings take long
  rows.py PORT idle|age|ping  of one with --idle, --max-age, --keepalive of 1s
  rows.py PORT leaving        of one with --max-age 1s --keepalive 1s
  rows.py PORT full PID MIB   of one that may grow by MIB at most
  rows.py PORT total          of one with --max-buffered 8M
  rows.py PORT reasons WEB    of one with --idle 1s, and --debug on port WEB
  rows.py PORT end PID        of one that gets SIGTERM in the middle

S admission, F framing, R responses, D deadlines, C connections.  Rows that need
no special frames are in raw.py, under such names.
"""
import base64
import contextlib
import gzip
import os
import re
import signal
import struct
import sys
import threading
import time
import urllib.request
import zlib

import wire
from wire import (CHAT, DATA, HEADERS, HELLO, PING, PRIORITY, RST, Wire,
                  frame, hello, message, say, setting, window)

PORT = int(sys.argv[1])
CHECK = '/grpc.health.v1.Health/Check'
REFLECTION = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo'
NUMBER = re.compile(rb'\(request #(\d+)\)')


def row(name, run):
    """run() returns '' or what is wrong."""
    try:
        wrong = run()
    except Exception as e:
        wrong = '%s %s' % (type(e).__name__, e)
    say(name, not wrong, wrong)


def is_one_of(got, want):
    if got in want.split('|'):
        return ''
    return 'answered %s, want %s' % (got, want)


def one(name, want, body=None, also=None, **how):
    """A single call on a connection of its own ends with one of `want`;
    also(stream) says what else is wrong."""
    def run():
        with Wire(PORT) as w:
            w.refill = True
            w.open(1, **how)
            if body is None or body:
                w.upload(1, hello() if body is None else body)
            got = w.answer(1)
            return is_one_of(got, want) or (also(w.streams[1]) if also else '')
    row(name, run)


def number(w, stream):
    """Make a call; return the number in the greeting."""
    w.call(stream)
    got = w.answer(stream)
    if got != '0':
        raise ValueError('answered ' + got)
    return int(NUMBER.search(w.streams[stream].data).group(1))


def still_good(w, stream):
    w.call(stream)
    got = w.answer(stream)
    return '' if got == '0' else 'the next call is answered ' + got


# ---- admission ----

def admission():
    one('S3 content-type in capitals', '0', kind='Application/GRPC+Proto')
    one('S4 content-type application/grpc+json', '12|13|http 415',
        body=message(b'{"name":"you"}'), kind='application/grpc+json')
    for path in ('/' + HELLO, HELLO + '/', HELLO.lower(), '/', '//',
                 HELLO.replace('Greeter/', 'Greeter//'), '*',
                 '/./helloworld.Greeter/SayHello', HELLO + '#x', HELLO + '%20'):
        one('S6 path ' + path, '12|reset 1|http 400', path=path)
    one('S6 path of nothing', '12|reset 1|http 400', path='')
    one('S7 no te', '0', te=None)
    one('S7 te of gzip', '13|reset 1|http 400', te='gzip')
    one('S8 connection header', 'reset 1',
        more=[('connection', 'keep-alive')])
    row('S9 two :authority', lambda: twice(':authority'))
    row('S9 two host', lambda: twice('host'))
    row('S10 header list above the limit', lambda: long_headers(24))
    row('S10 header list far above it', lambda: long_headers(66))
    row('S11 trailers that end the request', lambda: trailers(True, '0'))
    row('S11 trailers that do not', lambda: trailers(False, 'reset 1'))
    row('S13 two messages do not run twice', not_twice)
    row('S14 above the limit of streams', above_limit)


def twice(name):
    with Wire(PORT) as w:
        head = [(':method', 'POST'), (':scheme', 'http'), (':path', HELLO)]
        pair = [(name, 'localhost'), (name, 'localhost')]
        rest = [('te', 'trailers'), ('content-type', 'application/grpc')]
        w.send(w.headers(1, head + pair + rest))
        w.data(1, hello(), True)
        return is_one_of(w.answer(1), 'reset 1|13|http 400')


def long_headers(kib):
    with Wire(PORT) as w:
        w.open(1, more=[('x-%d' % i, 'v' * 1000) for i in range(kib)])
        w.data(1, hello(), True)
        return (is_one_of(w.answer(1), '8|http 431|reset 2|reset 6|reset 11') or
                still_good(w, 3))


def trailers(end, want):
    with Wire(PORT) as w:
        w.open(1)
        w.data(1, hello())
        w.send(w.headers(1, [('x-checksum', '1')], end))
        return is_one_of(w.answer(1), want) or still_good(w, 3)


def not_twice():
    with Wire(PORT) as w:
        first = number(w, 1)
        w.call(3, hello() * 2)
        w.answer(3)
        last = number(w, 5)
        return '' if last - first <= 2 else 'ran %d times' % (last - first - 1)


def above_limit():
    """Before the client has acknowledged the limit, and after it."""
    for acks, want in (False, 'reset 7'), (True, 'reset 7|reset 1|goaway 1'):
        with Wire(PORT, acks=acks) as w:
            w.until(lambda: w.settings)
            most = w.settings.get(3)
            if not most:
                return 'announces no limit'
            for i in range(most + 1):
                w.open(2 * i + 1)
            wrong = is_one_of(w.answer(2 * most + 1), want)
            if not wrong and not acks:
                w.data(1, hello(), True)
                wrong = is_one_of(w.answer(1), '0')
            if wrong:
                return wrong
    return ''


# ---- framing ----

def framing():
    row('F1 prefix in two frames', lambda: in_pieces(2, 5))
    row('F1 prefix and message in one-byte frames, padded', padded)
    row('F1 three messages in a frame', three_at_once)
    row('F1 messages that straddle frames', straddle)
    one('F5 the answer names what is accepted', '12', body=message(b'x', 1),
        more=[('grpc-encoding', 'snappy')], also=lambda s: '' if 'gzip' in
        (s.header('grpc-accept-encoding') or '') else 'it does not')
    one('F6 unknown encoding, no message compressed', '0|12',
        more=[('grpc-encoding', 'snappy')])
    zipped = gzip.compress(hello()[5:])
    one('F7 a gzip message', '0', body=message(zipped, 1), also=greeted,
        more=[('grpc-encoding', 'gzip')])
    for what, data in (
            ('corrupt', zipped[:12] + b'\xff\xff' + zipped[14:]),
            ('cut short', zipped[:-9]), ('without its trailer', zipped[:-8]),
            ('with bytes after it', zipped + b'xx'),
            ('with a wrong checksum', zipped[:-8] + b'abcd' + zipped[-4:]),
            ('with a wrong length', zipped[:-4] + b'abcd'),
            ('of no bytes', b''), ('that is none', b'hello world')):
        one('F7 gzip ' + what, '13', body=message(data, 1),
            more=[('grpc-encoding', 'gzip')])
    one('F9 gzip that inflates past the limit', '8',
        body=message(gzip.compress(b'\0' * (5 << 20)), 1),
        more=[('grpc-encoding', 'gzip')])
    zipped = zlib.compress(hello()[5:])
    one('F7 a deflate message', '0', body=message(zipped, 1), also=greeted,
        more=[('grpc-encoding', 'deflate')])
    for what, data in (
            ('corrupt', zipped[:4] + b'\xff\xff' + zipped[6:]),
            ('cut short', zipped[:-4]), ('with bytes after it', zipped + b'xx'),
            ('of no bytes', b''), ('that is gzip', gzip.compress(b'x'))):
        one('F7 deflate ' + what, '13', body=message(data, 1),
            more=[('grpc-encoding', 'deflate')])
    one('F9 deflate that inflates past the limit', '8',
        body=message(zlib.compress(b'\0' * (5 << 20)), 1),
        more=[('grpc-encoding', 'deflate')])
    row('F12 DATA after the end', after_the_end)
    row('F13 each message its own gzip', own_context)
    one('F13 not compressed unless accepted', '0', body=hello(b'n' * 5000),
        also=lambda s: 'compressed' if any(f for f, _ in s.messages()) else '')
    for what, more in (
            ('spaces', [('grpc-accept-encoding', 'identity ,  gzip')]),
            ('two headers', [('grpc-accept-encoding', 'identity'),
                             ('grpc-accept-encoding', 'gzip')]),
            ('unknown names', [('grpc-accept-encoding', 'br,zstd,,gzip')]),
            ('only unknown names', [('grpc-accept-encoding', 'br')]),
            ('identity', [('grpc-accept-encoding', 'identity')]),
            ('nothing', [('grpc-accept-encoding', '')])):
        one('F14 accepts ' + what, '0', more=more, also=greeted)


def greeted(s):
    """One reply, a greeting for you, compressed or not."""
    got = [zlib.decompress(data, 31) if flag else data
           for flag, data in s.messages()]
    if len(got) != 1 or b'Hello you! (request #' not in got[0]:
        return 'replied %r' % got
    return ''


def in_pieces(*cuts):
    with Wire(PORT) as w:
        w.open(1)
        body, at = hello(), 0
        for cut in cuts + (len(body),):
            w.data(1, body[at:cut], cut == len(body))
            w.take(0.02)                # so that it comes apart
            at = cut
        return is_one_of(w.answer(1), '0') or greeted(w.streams[1])


def padded():
    """3,000 bytes that, with padding, use 600,000 of the window."""
    with Wire(PORT) as w:
        w.open(1)
        w.until(lambda: w.settings)
        body = hello(b'n' * 3000)
        spent = 0
        for i, b in enumerate(body):
            while min(65535 + w.credit.get(0, 0), w.settings.get(4, 65535) +
                      w.credit.get(1, 0)) - spent < 201:
                before = dict(w.credit)
                if not w.until(lambda: w.credit != before, 5):
                    return 'no window after %d bytes' % i
            spent += 201
            last = i == len(body) - 1
            w.send(frame(DATA, 8 | last, 1,
                         b'\xc7' + bytes([b]) + bytes(199)))
        return is_one_of(w.answer(1), '0')


def chat(bodies, want):
    """Send bodies on one call; the names greeted must be `want`."""
    with Wire(PORT) as w:
        w.open(1, CHAT)
        for i, body in enumerate(bodies):
            w.data(1, body, i == len(bodies) - 1)
        wrong = is_one_of(w.answer(1), '0')
        got = re.findall(rb'Hello (\w+)!', b''.join(
            m for _, m in w.streams[1].messages()))
        return wrong or ('' if got == want else 'greeted %s' % got)


def three_at_once():
    return chat([hello(b'a') + hello(b'b') + hello(b'c')], [b'a', b'b', b'c'])


def straddle():
    body = hello(b'abc') + hello(b'def') + hello(b'ghi')
    return chat([body[i:i + 7] for i in range(0, len(body), 7)],
                [b'abc', b'def', b'ghi'])


def after_the_end():
    with Wire(PORT) as w:
        w.open(1)
        w.send(frame(DATA, 1, 1, hello()) + frame(DATA, 1, 1, hello()))
        w.until(lambda: w.goaways or w.streams.get(1, wire.NONE).reset is not
                None, 5)
        got = w.code() if w.goaways else w.streams[1].reset
        return '' if got == 5 else 'ended with %s' % got


def own_context():
    with Wire(PORT) as w:
        w.open(1, CHAT, more=[('grpc-encoding', 'gzip'),
                              ('grpc-accept-encoding', 'gzip')])
        for name in b'a', b'b':
            w.data(1, message(gzip.compress(hello(name)[5:]), 1))
        w.data(1, hello(b'c'), True)    # this one is not compressed
        wrong = is_one_of(w.answer(1), '0')
        got = [zlib.decompress(m, 31) if f else m
               for f, m in w.streams[1].messages()]
        names = re.findall(rb'Hello (\w)!', b''.join(got))
        return wrong or ('' if names == [b'a', b'b', b'c'] else
                         'greeted %s' % names)


# ---- responses ----

def responses():
    row('R1 headers, data, trailers', whole_response)
    one('R2 an error is one HEADERS', '12', path='/no.Such/Method',
        also=trailers_only)
    one('R3 status 0 is said', '0', also=lambda s: '' if
        [v for k, v in s.blocks[-1] if k == 'grpc-status'] == ['0'] else
        '%s' % s.blocks)
    for path in '/no.Such/M%25', '/no.Such/\u00fc\u4e16', '/no.Such/a\tb':
        one('R4 message of an error, path ' + ascii(path), '12|reset 1',
            path=path, also=lambda s: '' if re.fullmatch(
                r'([ -$&-~]|%[0-9A-F]{2})*', s.header('grpc-message') or '')
            else s.header('grpc-message'))
    row('R6 an early answer ends the stream without an error', early)
    for what, value in (('padded', 'AAECAw=='), ('unpadded', 'AAECAw'),
                        ('two values', 'AAEC,AwQF'), ('empty', '')):
        one('R7 -bin metadata, ' + what, '0', more=[('x-some-bin', value)])
    row('R7 -bin metadata, bad, harms no other call', bad_bin)
    row('R8 a name in capitals harms no other call', lambda: odd('X-Upper'))
    one('R8 value in UTF-8', '0', more=[('x-note', 'gr\u00fcn \u4e16')])
    one('R8 reserved names are ignored', '0', more=[
        ('grpc-status', '7'), ('grpc-message', 'no'), ('grpc-unheard-of', '1')])
    one('R9 a key twice', '0', more=[('x-a', '1'), ('x-a', '2')])
    one('R10 a reflection request that is none has no reply', '13',
        body=message(b'\x0a\x02hi\xff'), path=REFLECTION, also=no_data)


def no_data(s):
    return '%d bytes of DATA' % len(s.data) if s.data else ''


def whole_response():
    with Wire(PORT) as w:
        w.call(1)
        wrong = is_one_of(w.answer(1), '0')
        s = w.streams[1]
        kinds = [k for k, _ in s.frames if k in (DATA, HEADERS)]
        if wrong:
            return wrong
        if kinds[0] != HEADERS or kinds[-1] != HEADERS or \
                set(kinds[1:-1]) != {DATA}:
            return 'frames %s' % kinds
        ends = [f & 1 for k, f in s.frames if k in (DATA, HEADERS)]
        if ends != [0] * (len(ends) - 1) + [1]:
            return 'END_STREAM %s' % ends
        first = dict(s.blocks[0])
        if first.get(':status') != '200' or 'grpc-status' in first or \
                not first.get('content-type', '').startswith(
                    'application/grpc'):
            return 'headers %s' % first
        if any(k.startswith(':') for k, _ in s.blocks[-1]):
            return 'trailers %s' % s.blocks[-1]
        return ''


def trailers_only(s):
    if len(s.blocks) != 1 or s.data:
        return '%d blocks, %d bytes' % (len(s.blocks), len(s.data))
    names = [k for k, _ in s.blocks[0]]
    for name in ':status', 'content-type', 'grpc-status':
        if names.count(name) != 1:
            return 'headers %s' % s.blocks[0]
    return ''


def early():
    """Answered before the request has ended: RST_STREAM(NO_ERROR) follows."""
    with Wire(PORT) as w:
        w.open(1, '/no.Such/Method')
        w.until(lambda: w.streams.get(1, wire.NONE).reset is not None, 5)
        s = w.streams.get(1, wire.NONE)
        kinds = [k for k, _ in s.frames if k in (HEADERS, RST)]
        if kinds != [HEADERS, RST] or s.reset != 0 or s.status() != '12':
            return 'frames %s, reset %s, status %s' % (kinds, s.reset,
                                                       s.status())
        return still_good(w, 3)


def bad_bin():
    with Wire(PORT) as w:
        w.call(1, more=[('x-some-bin', '!not base64!')])
        w.answer(1)
        return still_good(w, 3)


def odd(name):
    with Wire(PORT) as w:
        w.call(1, more=[(name, 'x')])
        return is_one_of(w.answer(1), 'reset 1|13|http 400') or still_good(w, 3)


# ---- deadlines ----

def deadlines():
    for value in '1H', '1M', '20S', '20000m', '20000000u', '99999999n', \
            '99999999H', '00000020S':
        one('D1 grpc-timeout %s' % value, '0', more=[('grpc-timeout', value)])
    for value in '123456789m', '5', '5x', '5s', '-5m', '+5m', '5 m', 'S', '', \
            '0x5m', '1e3m', '5mm', '5.5S':
        one('D1 grpc-timeout %s is malformed' % (value or 'of nothing'),
            '13|http 400|reset 1', more=[('grpc-timeout', value)])
    row('D2 past when it comes, is not run', late)
    row('D3 of a stream that says nothing', lambda: expires(CHAT, b''))
    row('D3 of half a message', lambda: expires(HELLO, hello()[:7]))
    row('D3 of a stream that has talked', lambda: expires(CHAT, hello()))
    row('D5 after a reset nothing comes', after_reset)


def late():
    with Wire(PORT) as w:
        first = number(w, 1)
        for i, value in enumerate(('0m', '0n', '0S', '1n') * 5):
            w.call(2 * i + 3, more=[('grpc-timeout', value)])
            wrong = is_one_of(w.answer(2 * i + 3), '4|reset 8')
            if wrong:
                return wrong
        last = number(w, 101)
        return '' if last == first + 1 else 'ran %d' % (last - first - 1)


def expires(path, body):
    with Wire(PORT) as w:
        w.open(1, path, more=[('grpc-timeout', '200m')])
        if body:
            w.data(1, body)
        return is_one_of(w.answer(1), '4|reset 8') or still_good(w, 3)


def after_reset():
    with Wire(PORT) as w:
        w.open(1, CHAT)
        w.data(1, hello())
        w.until(lambda: w.streams.get(1, wire.NONE).messages())
        s = w.streams.get(1, wire.NONE)
        if len(s.messages()) != 1:
            return 'no reply: ' + s.status()
        w.send(frame(DATA, 0, 1, hello() * 3) +
               frame(RST, 0, 1, struct.pack('>I', 8)))
        w.send(frame(PING, 0, 0, b'the last'))
        w.until(lambda: w.pongs)
        n = len(s.frames)
        wrong = still_good(w, 3)
        return wrong or ('' if len(s.frames) == n else
                         'frames %s' % s.frames[n:])


def queue():
    """A hundred calls that are reset at once, and a hundred whose deadline is
    over before their turn comes: hardly any may run."""
    for what in 'reset', 'late':
        with Wire(PORT) as w:
            w.until(lambda: w.settings)
            first = number(w, 1)
            out, ids = b'', range(3, 201, 2)
            more = [('grpc-timeout', '30m')] if what == 'late' else []
            for s in ids:
                out += w.headers(s, [
                    (':method', 'POST'), (':scheme', 'http'), (':path', HELLO),
                    (':authority', 'localhost'), ('te', 'trailers'),
                    ('content-type', 'application/grpc')] + more)
                out += frame(DATA, 1, s, hello())
            if what == 'reset':
                out += b''.join(frame(RST, 0, s, struct.pack('>I', 8))
                                for s in ids)
            w.send(out)
            if what == 'late':
                for s in ids:
                    w.answer(s)
            last = number(w, 201)
            say('D4 %s before they run' % what, last - first <= 30,
                '%d of 99 ran' % (last - first - 1))


def rapid_reset():
    """Whole calls, each reset at once, as fast as they can be sent: the server
    ends it and says why, and next to none of the work has run.  Resets of calls
    with a deadline are allowed 10,000 and 5,000 more per second: where client
    and server are slower than that, they may go on."""
    for what, more, most in ('without a deadline', [], 1000), \
            ('of calls with one', [('grpc-timeout', '5S')], 100000):
        with Wire(PORT) as w:
            first = number(w, 1)
            out, sent, began = b'', 0, time.monotonic()
            while sent < most and not w.closed and not w.goaways:
                out = b''
                for _ in range(20):
                    s = 2 * sent + 3
                    out += w.headers(s, [
                        (':method', 'POST'), (':scheme', 'http'),
                        (':path', HELLO), (':authority', 'localhost'),
                        ('te', 'trailers'),
                        ('content-type', 'application/grpc')] + more)
                    out += frame(DATA, 1, s, hello())
                    out += frame(RST, 0, s, struct.pack('>I', 8))
                    sent += 1
                if not w.send(out):
                    break
                w.take(0)
            w.end(5)
            why = w.goaways[-1:] and w.goaways[-1][1:]
            allowed = more and 10000 + 5000 * (time.monotonic() - began)
        say('D4 rapid reset %s is ended' % what,
            why == (11, 'too_many_resets') or (more and not why and
                                               sent <= allowed),
            '%s after %d' % (w.goaways, sent))
        with Wire(PORT) as w:
            ran = number(w, 1) - first - 1
        say('D4 and runs no work', ran <= 100, '%d of %d ran' % (ran, sent))


# ---- connections ----

def refused(w, stream):
    """Have the server answer before the request's end, and reset it."""
    w.open(stream, HELLO, more=[('grpc-timeout', 'soon')])
    return w.until(lambda: w.streams.get(stream, wire.NONE).reset is not None)


def late_frames():
    """Frames under way when the server resets a stream are no error; frames
    after the client's own END_STREAM are."""
    def late(what):
        with Wire(PORT) as w:
            if not refused(w, 1):
                return 'no RST_STREAM'
            if what == 'DATA':
                w.data(1, hello(), True)
            else:
                w.send(w.headers(1, [('trailer', 'x')], True))
            return still_good(w, 3)

    def after(how, what):
        with Wire(PORT) as w:
            if how == 'RST_STREAM':
                w.open(1)
                w.send(frame(RST, 0, 1, struct.pack('>I', 8)))
            else:
                number(w, 1)
            for i in range(50):
                number(w, 3 + 2 * i)
            if what == 'DATA':
                w.data(1, hello(), True)
            else:
                w.send(w.headers(1, [('trailer', 'x')], True))
            w.end(5)
            return '' if w.code() == 5 else 'GOAWAY %s' % w.goaways

    def passed_over():
        with Wire(PORT) as w:
            number(w, 5)
            w.send(w.headers(3, [('trailer', 'x')], True))
            w.end(5)
            return '' if w.code() == 1 else 'GOAWAY %s' % w.goaways

    for what in 'DATA', 'trailers':
        row('late %s of a stream that was reset' % what, lambda: late(what))
        for how in 'END_STREAM', 'RST_STREAM':
            row('%s 50 calls after %s end the connection' % (what, how),
                lambda: after(how, what))
    row('HEADERS on a number passed over end the connection', passed_over)


def connections():
    row('C5 PINGs without calls', too_many_pings)
    row('C6 PINGs between replies', pings_between)
    row('C9 what is unknown is ignored', unknown)
    row('C10 a stream without window holds up no other', one_without_window)
    row('C11 who does not read is not read', back_pressure)
    row('C12 a message larger than the window', large_message)
    row('C13 a page, while a reply is held up and then reset', page_between)


def too_many_pings():
    with Wire(PORT) as w:
        for i in range(50):
            w.send(frame(PING, 0, 0, struct.pack('>Q', i)))
            w.until(lambda: w.closed or len(w.pongs) > i, 1)
        if not w.end(5):
            return 'still open after 50'
        if w.goaways[-1:] == [] or w.code() != 11 or \
                w.goaways[-1][2] != 'too_many_pings':
            return 'GOAWAY %s' % w.goaways
        return ''


def pings_between():
    """PINGs between DATA, as clients send to measure bandwidth."""
    with Wire(PORT) as w:
        for i in range(200):
            w.send(frame(PING, 0, 0, struct.pack('>Q', i)))
            wrong = still_good(w, 2 * i + 1)
            if wrong:
                return '%s, GOAWAY %s' % (wrong, w.goaways)
        w.until(lambda: len(w.pongs) == 200, 5)
        return '' if len(w.pongs) == 200 else '%d answers' % len(w.pongs)


def unknown():
    with Wire(PORT, setting(0x99, 7) + setting(0xf000, 1)) as w:
        w.send(frame(0xbe, 0xff, 0, b'hello') + frame(0x0a, 0, 0, b'') +
               frame(PRIORITY, 0, 5, b'\0\0\0\0\x10') +
               frame(PRIORITY, 0, 7, b'\0\0\0\5\x10'))
        w.open(1)
        w.send(frame(0xbe, 0, 1, b'x') + frame(DATA, 1, 1, hello()))
        return is_one_of(w.answer(1), '0')


def one_without_window():
    with Wire(PORT, setting(4, 0)) as w:
        w.until(lambda: w.settings)
        w.open(1)
        w.upload(1, hello(b'n' * 60000))
        for i in range(3, 43, 2):
            w.call(i)
            w.send(window(i, 1000))
            wrong = is_one_of(w.answer(i), '0')
            if wrong:
                return wrong
        s = w.streams.get(1, wire.NONE)
        if s.data or s.over:
            return 'stream 1 has %d bytes, %s' % (len(s.data), s.status())
        for _ in range(70):
            w.send(window(1, 1000) + window(0, 1000))
        wrong = is_one_of(w.answer(1), '0')
        return wrong or ('' if len(s.messages()) == 1 else 'no message')


def back_pressure():
    """If replies cannot be sent, the server stops reading requests."""
    with Wire(PORT, setting(4, 0)) as w:
        w.until(lambda: w.settings)
        w.open(1, CHAT)
        piece, taken = hello(b'n' * 60000), 0
        while taken < 64 << 20 and w.upload(1, piece, False, 2):
            taken += len(piece)
        if w.streams[1].over or w.goaways or w.closed:
            return 'ended: ' + w.answer(1, 1)
        if taken >= 64 << 20:
            return 'took it all'
        return still_good_with_window(w, 3)


def still_good_with_window(w, stream):
    """A small call, because the connection's window may be used up."""
    w.open(stream, HELLO, True)
    got = w.answer(stream)
    return is_one_of(got, '12|13')


def large_message():
    with Wire(PORT) as w:
        w.refill = True
        w.until(lambda: w.settings)
        w.open(1)
        name = b'n' * (3 << 20)
        if not w.upload(1, hello(name)):
            return 'no window; answered ' + w.answer(1, 1)
        wrong = is_one_of(w.answer(1, 30), '0')
        if wrong:
            return wrong
        got = w.streams[1].messages()
        return '' if len(got) == 1 and name in got[0][1] else 'another reply'


def page_between():
    """An answer to plain HTTP does not disturb the count of buffered bytes."""
    with Wire(PORT, setting(4, 0)) as w:
        w.until(lambda: w.settings)
        w.call(1)
        w.until(lambda: w.streams.get(1, wire.NONE).blocks)
        w.open(3, '/x', True, method='GET')
        w.until(lambda: w.streams.get(3, wire.NONE).blocks)
        w.send(window(3, 10000))
        http = w.answer(3)
        w.send(frame(RST, 0, 1, struct.pack('>I', 8)) +
               frame(wire.SETTINGS, 0, 0, setting(4, 65535)))
        if not http.startswith('http 4') or not w.streams[3].data:
            return 'the page is %s' % http
        return still_good(w, 5)


def no_ack():
    """SETTINGS that are never acknowledged: within some 10 s."""
    with Wire(PORT, acks=False) as w:
        if not w.end(25):
            return 'still open'
        return '' if w.code() in (4, None) else 'GOAWAY %s' % w.goaways


# ---- echoes of the interop service ----

ECHO = '/grpc.testing.TestService/UnaryCall'


def status_request(code, text):
    data = text.encode()
    inner = b'\x08' + bytes([code]) + b'\x12' + wire.varint(len(data)) + data
    return message(b'\x3a' + wire.varint(len(inner)) + inner)


def echoes():
    special = '\t\ntest with whitespace\r\nand Unicode BMP \u263a and ' \
        'non-BMP \U0001f608\t\n'
    one('R4 the message with all that needs a %', '2', path=ECHO,
        body=status_request(2, special), also=lambda s: '' if
        s.header('grpc-message') == '%09%0Atest with whitespace%0D%0Aand '
        'Unicode BMP %E2%98%BA and non-BMP %F0%9F%98%88%09%0A' else
        s.header('grpc-message'))
    one('R4 a percent sign', '9', path=ECHO, body=status_request(9, '100%'),
        also=lambda s: '' if s.header('grpc-message') == '100%25' else
        s.header('grpc-message'))
    for what, text in ('ASCII', 'm' * 60000), ('alphabet', '\u4e16' * 20000):
        one('R5 a long message, ' + what, '9', path=ECHO, also=is_short,
            body=status_request(9, text))
    key = 'x-grpc-test-echo-trailing-bin'
    for what, value, want in (
            ('padded', 'AAECAw==', b'\0\1\2\3'),
            ('unpadded', 'AAECAw', b'\0\1\2\3'),
            ('whole', 'q6ur', b'\xab' * 3)):
        one('R7 -bin metadata comes back, ' + what, '0', path=ECHO,
            body=message(b''), more=[(key, value)], also=lambda s, want=want:
            '' if plain_of(s.header(key)) == want else s.header(key))
    one('R8 a long name comes back', '0', path=ECHO, body=message(b''),
        more=[('x-grpc-test-echo-initial', 'v' * 4000)], also=lambda s: '' if
        dict(s.blocks[0]).get('x-grpc-test-echo-initial') == 'v' * 4000
        else 'it does not')
    row('D6 behind replies that are held up', held_deadline)
    row('R11 the interval of a reply, with a half-close in it', interval)


def held_deadline():
    """Replies that cannot be sent delay the calls behind them, but not the
    deadlines of these calls."""
    with Wire(PORT, setting(4, 0)) as w:
        w.until(lambda: w.settings)
        for i in 1, 3:
            w.call(i, message(b'\x10' + wire.varint(3000000)), ECHO)
            w.until(lambda: w.streams.get(i, wire.NONE).blocks)
        w.call(5, more=[('grpc-timeout', '300m')])
        return is_one_of(w.answer(5, 20), '4')


def interval():
    """A half-close in between does not make the reply come earlier."""
    with Wire(PORT) as w:
        inner = b'\x08\x05\x10' + wire.varint(1000000)
        w.until(lambda: w.settings)
        began = time.monotonic()
        w.open(1, '/grpc.testing.TestService/FullDuplexCall')
        w.data(1, message(b'\x12' + wire.varint(len(inner)) + inner))
        w.until(lambda: w.streams.get(1, wire.NONE).data, 0.2)
        w.data(1, b'', True)
        w.until(lambda: w.streams.get(1, wire.NONE).data, 20)
        took = time.monotonic() - began
        wrong = is_one_of(w.answer(1, 20), '0')
        if not wrong and len(w.streams[1].messages()) != 1:
            wrong = '%d replies' % len(w.streams[1].messages())
        return wrong or ('' if took >= 0.8 else 'replied after %.2f s' % took)


def is_short(s):
    """Below 8 KiB, and not cut inside a character."""
    got = s.header('grpc-message') or ''
    if not got or len(got) > 8192:
        return '%d bytes' % len(got)
    if not re.fullmatch(r'([ -$&-~]|%[0-9A-F]{2})*', got):
        return got[-20:]
    re.sub('%(..)', lambda m: chr(int(m.group(1), 16)),
           got).encode('latin-1').decode()
    return ''


def plain_of(value):
    if value is None or '=' in value:
        return None                     # ours go out unpadded
    return base64.b64decode(value + '=' * (-len(value) % 4))


# ---- limits on a connection's life ----

def talk(w, stream, name=b'you'):
    """One message and its reply on an open bidi call."""
    s = w.streams.setdefault(stream, wire.Stream())
    n = len(s.messages())
    w.data(stream, hello(name))
    w.until(lambda: len(s.messages()) > n or s.over)
    return '' if len(s.messages()) > n else 'no reply: ' + s.status()


def ended_well(w, words):
    if not w.end(20):
        return 'still open'
    if not w.goaways or any(code for _, code, _ in w.goaways):
        return 'GOAWAY %s' % w.goaways
    if not any(words in text for _, _, text in w.goaways):
        return 'GOAWAY %s does not say %s' % (w.goaways, words)
    return ''


def idle():
    def without_call():
        with Wire(PORT) as w:
            return still_good(w, 1) or ended_well(w, 'max_idle')

    def with_call():
        with Wire(PORT) as w:
            w.open(1, CHAT)
            wrong = talk(w, 1)
            w.until(lambda: w.goaways, 2.5)
            if w.goaways:
                return 'GOAWAY %s in a call' % w.goaways
            wrong = wrong or talk(w, 1)
            w.data(1, b'', True)
            return wrong or is_one_of(w.answer(1), '0') or \
                ended_well(w, 'max_idle')
    row('C2 idle, without a call', without_call)
    row('C2 idle, never in a call', with_call)


def age():
    def run():
        with Wire(PORT) as w:
            w.open(1, CHAT)
            wrong = talk(w, 1)
            w.until(lambda: w.goaways, 10)
            if not w.goaways:
                return 'no GOAWAY'
            wrong = wrong or talk(w, 1)
            w.data(1, b'', True)
            return wrong or is_one_of(w.answer(1), '0') or \
                ended_well(w, 'max_age')
    row('C3 old: told to go, calls in flight finished', run)


def leaving():
    """A client that got GOAWAY and has a call open still gets keepalive PINGs,
    and keeps its connection if it answers them."""
    def run():
        with Wire(PORT) as w:
            w.open(1, CHAT)
            wrong = talk(w, 1)
            if not w.until(lambda: any('max_age' in text for _, _, text in
                                       w.goaways), 10):
                return 'GOAWAY %s' % w.goaways
            w.pings = 0
            w.until(lambda: w.pings >= 3, 15)
            if w.pings < 3:
                return '%d PINGs, %s' % (w.pings, w.closed or 'open')
            wrong = wrong or talk(w, 1)
            w.data(1, b'', True)
            return wrong or is_one_of(w.answer(1), '0') or \
                ended_well(w, 'max_age')
    row('C4 a peer that leaves is asked, too', run)


def resident(pid):
    """MiB of memory."""
    with open('/proc/%d/statm' % pid) as f:
        return int(f.read().split()[1]) * os.sysconf('SC_PAGESIZE') >> 20


def full(pid, most):
    """Streams whose replies cannot be sent, with 4 MB of requests for each: the
    server refuses the rest, or leaves it with the client."""
    def run():
        with Wire(PORT, setting(4, 0)) as w:
            w.until(lambda: w.settings)
            before, grown, taken, held = resident(pid), 0, 0, 0
            end = time.monotonic() + 30
            for i in range(1, 101, 2):
                w.open(i, CHAT)
                if w.upload(i, hello(b'a' * 70000) + hello(b'b' * 4000000),
                            False, 1):
                    taken += 1
                elif not w.streams[i].over:
                    held += 1
                grown = max(grown, resident(pid) - before)
                if held >= 3 or w.closed or time.monotonic() > end:
                    break
            w.take(0.3)
            grown = max(grown, resident(pid) - before)
            if w.closed or w.goaways:
                return 'ended: %s, %s' % (w.closed, w.goaways)
            got = {s.status() for s in w.streams.values() if s.over}
            if got - {'8'}:
                return 'statuses %s' % got
            if not got and not held:
                return 'took all of %d' % taken
            return '' if grown < most else 'grew by %d MiB' % grown
    row('C14 what waits for a connection is bounded', run)
    row('C14 and another is served', lambda: still_good_new(1))


def total():
    """20 connections that do not read, each with 4 MB of replies waiting, on a
    server with --max-buffered 8M: it refuses requests, but not small calls."""
    def run():
        with contextlib.ExitStack() as stack:
            got = set()
            for i in range(20):
                w = stack.enter_context(Wire(PORT, setting(4, 0)))
                w.until(lambda: w.settings)
                for k in range(1, 9, 2):
                    w.open(k, CHAT)
                    w.upload(k, hello(b'a' * 70000) + hello(b'b' * 900000),
                             False, 0.3)
                w.take(0.1)
                got |= {s.status() for s in w.streams.values() if s.over}
                if got:
                    break
            if got != {'8'}:
                return 'statuses %s' % got
            return still_good_new(1)
    row('C14 what waits for all connections together is bounded', run)
    row('C14 and it is taken again when they are gone', lambda: still_good_new(1))


def still_good_new(stream):
    with Wire(PORT) as w:
        return still_good(w, stream)


def reasons(web):
    """Check how /metrics counts the reasons why connections ended."""
    def count(reason):
        with urllib.request.urlopen('http://127.0.0.1:%d/metrics' % web,
                                    timeout=20) as page:
            m = re.search(r'^grpcprof_connections_closed_total\{reason="%s"\} '
                          r'(\d+)$' % reason, page.read().decode(), re.M)
        return int(m.group(1)) if m else 0

    def counted(reason, provoke):
        def run():
            before = count(reason)
            with Wire(PORT) as w:
                w.until(lambda: w.settings)
                provoke(w)
                if not w.end(20):
                    return 'still open'
            for _ in range(100):
                if count(reason) != before:
                    break
                time.sleep(0.05)
            n = count(reason) - before
            return '' if n == 1 else 'counted %d times' % n
        row('C15 counted as ' + reason, run)

    def flood(w):
        for i in range(50):
            w.send(frame(PING, 0, 0, struct.pack('>Q', i)))
            w.until(lambda: w.closed or len(w.pongs) > i, 1)
    counted('protocol', lambda w: w.send(frame(DATA, 0, 0, b'x')))
    counted('too_many_pings', flood)
    counted('max_idle', lambda w: still_good(w, 1))


def keepalive():
    def answered():
        with Wire(PORT) as w:
            w.until(lambda: w.pings >= 2, 10)
            return still_good(w, 1) if w.pings >= 2 else \
                '%d PINGs' % w.pings
    row('C4 a silent peer is asked', answered)


def end(pid):
    def run():
        with Wire(PORT) as w:
            w.open(1, CHAT)
            wrong = talk(w, 1)
            if wrong:
                return wrong
            w.answers, w.pings = False, 0   # so that its PING stays open
            os.kill(pid, signal.SIGTERM)
            w.until(lambda: w.goaways and w.pings, 10)
            if [g[:2] for g in w.goaways] != [(wire.BIG, 0)] or not w.pings:
                return 'GOAWAY %s, %d PINGs' % (w.goaways, w.pings)
            asked = w.asked
            wrong = still_good(w, 3)
            w.call(5, message(b''), CHECK)
            health = w.answer(5), w.streams[5].data
            if health != ('0', message(b'\x08\x02')):     # NOT_SERVING
                return 'Check says %s, %s' % health
            w.send(frame(PING, 1, 0, asked))
            w.until(lambda: len(w.goaways) > 1, 10)
            if len(w.goaways) < 2 or w.goaways[1][:2] != (5, 0):
                return 'GOAWAY %s' % w.goaways
            wrong = wrong or talk(w, 1)
            w.data(1, b'', True)
            wrong = wrong or is_one_of(w.answer(1), '0')
            return wrong or ('' if w.end(10) else 'still open')
    row('C1 two GOAWAYs, and what is in flight is served', run)


def main():
    mode = sys.argv[2] if len(sys.argv) > 2 else ''
    if mode == 'interop':
        echoes()
    elif mode == 'queue':
        queue()
        rapid_reset()
    elif mode == 'idle':
        idle()
    elif mode == 'age':
        age()
    elif mode == 'ping':
        keepalive()
    elif mode == 'leaving':
        leaving()
    elif mode == 'full':
        full(int(sys.argv[3]), int(sys.argv[4]))
    elif mode == 'total':
        total()
    elif mode == 'reasons':
        reasons(int(sys.argv[3]))
    elif mode == 'end':
        end(int(sys.argv[3]))
    else:
        slow = threading.Thread(target=row, args=(
            'C8 SETTINGS never acknowledged', no_ack))
        slow.start()
        admission()
        framing()
        responses()
        deadlines()
        late_frames()
        connections()
        slow.join()


main()
