#!/usr/bin/python3
"""A table of HTTP/2's frames: type, flags, and the state of the stream.

  frames.py PORT          for each cell, flood serve on PORT with that frame
  frames.py PORT print    print how each flood ended, for changes of the table

A flood ends with GOAWAY ENHANCE_YOUR_CALM and its own reason, or with the error
that RFC 9113 requires; what a well-behaved client may send is accepted.
"""
import struct
import sys

from wire import (CHAT, CONT, DATA, GOAWAY, HEADERS, PING, PRIORITY,
                  PUSH, RST, SETTINGS, WINDOW, BIG, NONE, Wire, frame, hello,
                  say, setting)

PORT = int(sys.argv[1])
FRAMES = 10000              # of a flood, at most
STREAMS = 2000              # likewise, each with a frame
END, PADDED, OVER, PRIO = 1, 8, 4, 32
CALM = 11
FIELD = b'\x0f\x10\x01a'           # a header field


def u32(x):
    return struct.pack('>I', x)


def zero(w):
    """Stream 0, while another stream is open."""
    w.open(1, CHAT)
    return 0


def opened(w):
    w.open(1, CHAT)
    return 1


def half_closed(w):
    """The client closed its side; its window of 0 holds up the answer."""
    w.send(frame(SETTINGS, 0, 0, setting(4, 0)))
    w.call(1)
    w.until(lambda: w.streams.get(1) and w.streams[1].blocks, 5)
    return 1


def ended(w):
    """The client closed its side, and has its answer."""
    w.call(1)
    if w.answer(1) != '0':
        raise ValueError('answered ' + w.answer(1))
    return 1


def reset(w):
    w.open(1, CHAT)
    w.send(frame(RST, 0, 1, u32(8)))
    return 1


def answered(w):
    """The server closed it, while the client could have gone on."""
    w.open(1, '/no.Such/Method')
    if w.answer(1) != '12':
        raise ValueError('answered ' + w.answer(1))
    w.until(lambda: w.streams[1].reset is not None, 5)
    return 1


def block(w):
    w.send(frame(HEADERS, 0, 1, FIELD))
    return 1


# (state, function that makes it and returns the stream's number; or a path, of
# new streams with one frame each)
STATES = (('stream 0', zero), ('an idle stream', lambda w: 101),
          ('an open stream', opened), ('a half-closed stream', half_closed),
          ('an ended stream', ended), ('a stream reset by the client', reset),
          ('a stream closed by the server', answered),
          ('new streams', CHAT),
          ('new streams, answered at once', '/no.Such/Method'),
          ('a stream in a header block', block))

# How a flood may end: by a reason of ENHANCE_YOUR_CALM, by an error of the
# connection that RFC 9113 asks for, or not at all.
ENDS = {
    'e': 'calm too_many_empty_frames', 'c': 'calm too_many_continuations',
    'o': 'calm too_many_priorities', 's': 'calm too_many_settings',
    'p': 'calm too_many_pings', 'w': 'calm too_many_window_updates',
    'u': 'calm too_many_unknown_frames', 'r': 'calm too_many_resets',
    'x': 'calm too_many_errors', 'g': 'calm too_many_goaways',
    'l': 'calm too_many_frames_on_closed_streams',
    'P': 'error 1', 'F': 'error 3', 'S': 'error 5', 'Z': 'error 6',
    '.': 'open',
}
# Each frame, with how its flood ends, in the order of STATES; -: nothing new.
# A frame may change the state: the first END_STREAM is on an open stream, later
# ones are on a stream that the client ended.
ROWS = (
    ('DATA', DATA, 0, b'\0' * 256, 'P P lF S S S l xP . -'),
    ('DATA, empty', DATA, 0, b'', 'P P e S S S e ex e -'),
    ('DATA, padding alone', DATA, PADDED, b'\x03\0\0\0',
     'P P e S S S e ex e -'),
    ('DATA, padded', DATA, PADDED, b'\x03' + b'\0' * 256,
     'P P lF S S S l xP . -'),
    ('DATA, END_STREAM', DATA, END, b'\0' * 5, 'P P S S S S S . . -'),
    ('DATA, END_STREAM, empty', DATA, END, b'', 'P P S S S S S . . -'),
    ('DATA, END_STREAM, padding alone', DATA, END | PADDED, b'\1\0',
     'P P S S S S S . . -'),
    ('HEADERS', HEADERS, OVER, FIELD, 'P l l S S S l x x P'),
    ('HEADERS, END_STREAM', HEADERS, OVER | END, FIELD, 'P S S S S S S . . P'),
    ('HEADERS, END_STREAM, PRIORITY', HEADERS, OVER | END | PRIO,
     b'\0\0\0\0\x10' + FIELD, 'P S S S S S S . . P'),
    ('HEADERS, END_STREAM, padded', HEADERS, OVER | END | PADDED,
     b'\2' + FIELD + b'\0\0', 'P S S S S S S . . P'),
    ('HEADERS, a block without an end', HEADERS, END, FIELD,
     'P P P S S S P P P P'),
    ('PRIORITY', PRIORITY, 0, b'\0\0\0\0\x10', 'P o o o o o o ox o P'),
    ('RST_STREAM, NO_ERROR', RST, 0, u32(0), 'P P r r r r r r r P'),
    ('RST_STREAM, CANCEL', RST, 0, u32(8), 'P P r r r r r r r P'),
    ('RST_STREAM, an unknown code', RST, 0, u32(0x12345),
     'P P r r r r r r r P'),
    ('SETTINGS, empty', SETTINGS, 0, b'', 's P P P P P P - - sP'),
    ('SETTINGS', SETTINGS, 0, setting(4, 65535), 's P P P P P P - - sP'),
    ('SETTINGS, unknown ones', SETTINGS, 0, setting(0x99, 1) * 30,
     's P P P P P P - - sP'),
    ('SETTINGS, ACK', SETTINGS, 1, b'', 'P P P P P P P - - sP'),
    ('SETTINGS, ACK with a payload', SETTINGS, 1, setting(4, 65535),
     'Z Z Z Z Z Z Z - - sP'),
    ('PUSH_PROMISE', PUSH, OVER, u32(2) + FIELD, 'P P P P P P P P P uP'),
    ('PING', PING, 0, b'12345678', 'p P P P P P P - - pP'),
    ('PING, ACK', PING, 1, b'12345678', 'p P P P P P P - - pP'),
    ('GOAWAY, NO_ERROR', GOAWAY, 0, u32(0) + u32(0), 'g P P P P P P - - gP'),
    ('GOAWAY, INTERNAL_ERROR', GOAWAY, 0, u32(0) + u32(2) + b'why',
     'g P P P P P P - - gP'),
    ('WINDOW_UPDATE of 1', WINDOW, 0, u32(1), 'w P w w w w w wx . wP'),
    ('WINDOW_UPDATE of 0', WINDOW, 0, u32(0), 'P P P P w w w P P wP'),
    ('WINDOW_UPDATE of 2^31 - 1', WINDOW, 0, u32(BIG),
     'F P w w w w w xF xF wP'),
    ('CONTINUATION', CONT, 0, FIELD, 'P P P P P P P P P c'),
    ('CONTINUATION, END_HEADERS', CONT, OVER, FIELD, 'P P P P P P P P P cP'),
    ('ALTSVC', 10, 0, b'\0\0h2=":1"', 'u u u u u u u ux u uP'),
    ('PRIORITY_UPDATE', 16, 0, u32(1) + b'u=1', 'u u u u u u u ux u uP'),
    ('an unknown type', 0x7f, 0xff, b'x' * 20, 'u u u u u u u ux u uP'),
)


def head_of(path):
    return [(':method', 'POST'), (':scheme', 'http'), (':path', path),
            (':authority', 'localhost'), ('te', 'trailers'),
            ('content-type', 'application/grpc')]


def over(w):
    return w.goaways or w.closed or w.broken


def ask(w):
    """Send SETTINGS and wait for the answer: has the connection ended?"""
    def acks():
        return w.streams.get(0, NONE).frames.count((SETTINGS, 1))
    n = acks()
    w.send(frame(SETTINGS))
    w.until(lambda: over(w) or acks() > n, 10)
    return over(w)


def flood(make, kind, flags, payload, batch=50):
    """How a connection ends: 'calm REASON', 'error CODE', 'closed', 'open'.
    New streams come batch by batch."""
    with Wire(PORT) as w:
        w.until(lambda: w.settings, 10)
        if callable(make):
            one = frame(kind, flags, make(w), payload)
            if make is not block:       # is the first one an error?
                w.send(one)
                ask(w)
            for sent in range(0, 0 if over(w) else FRAMES, 250):
                if not w.send(one * 250) or not w.take(0) or over(w):
                    break
        else:
            for i in range(1, 2 * STREAMS, 2 * batch):
                w.send(b''.join(w.headers(s, head_of(make)) +
                                frame(kind, flags, s, payload)
                                for s in range(i, i + 2 * batch, 2)))
                if ask(w):
                    break
        if not over(w):
            ask(w)
        if over(w):
            w.end(5)
        if w.goaways:
            _, code, why = w.goaways[-1]
            return 'calm ' + why if code == CALM else 'error %d' % code
        return 'closed' if over(w) else 'open'


def ended_by(make, kind, flags, payload):
    """flood(); if the SETTINGS of ask() exhausted the budget, flood again, with
    ask() at other times."""
    for batch in 50, 47, 43:
        got = flood(make, kind, flags, payload, batch)
        if got != ENDS['s'] or kind == SETTINGS:
            break
    return got


def table():
    for name, kind, flags, payload, want in ROWS:
        cells = []
        for (state, make), may in zip(STATES, want.split(), strict=True):
            try:
                got = '' if may == '-' else ended_by(
                    make, kind, flags, payload)
            except (OSError, ValueError) as e:
                got = '%s %s' % (type(e).__name__, e)
            cells.append(([k for k, v in ENDS.items() if v == got] or ['-'])[0])
            if got and len(sys.argv) == 2:
                say('%s on %s' % (name, state), cells[-1] in may, got)
        if len(sys.argv) > 2:
            print('%-32s %s' % (name, ' '.join(cells)), flush=True)


def at_once(name, want, *frames):
    """Send frames of an open stream that arrive in one read, in this order;
    check the connection's next call."""
    with Wire(PORT) as w:
        w.until(lambda: w.settings, 10)
        w.open(1, CHAT)
        ask(w)
        w.send(b''.join(frame(*f) for f in frames))
        w.call(3)
        got = w.answer(3)
        say(name, got == want, 'the next call: %s, want %s' % (got, want))


def sequences():
    trailers = (HEADERS, OVER | END, 1, FIELD)
    rst = (RST, 0, 1, u32(8))
    last = (DATA, END, 1, hello())
    more = (DATA, 0, 1, hello())
    at_once('trailers, then RST_STREAM', '0', trailers, rst)
    at_once('the last DATA, then RST_STREAM', '0', last, rst)
    at_once('DATA, then RST_STREAM', '0', more, rst)
    at_once('DATA, trailers, then RST_STREAM', '0', more, trailers, rst)
    at_once('RST_STREAM, then DATA', 'goaway 5', rst, more)
    at_once('RST_STREAM, then trailers', 'goaway 5', rst, trailers)
    at_once('trailers, then DATA', 'goaway 5', trailers, more, more)


table()
if len(sys.argv) == 2:
    sequences()
