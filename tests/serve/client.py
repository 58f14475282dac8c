#!/usr/bin/python3
"""Calls of serve by python3-grpcio.

  client.py HOST:PORT calls N FLIGHT   N calls on one channel, FLIGHT at a time
  client.py HOST:PORT names            names of many lengths and alphabets
  client.py HOST:PORT once NAME        one call; prints the reply's text
  client.py HOST:PORT streams          both streaming methods, deadlines
  client.py HOST:PORT late             deadlines on calls that take long
  client.py HOST:PORT drain PID PROBE  a call in flight while serve, which is
                                       PID, ends; PROBE is grpc_health_probe

Messages are put together and taken apart by hand, so that nothing has to be
generated; another test compares them with protoc.
"""
import os
import queue
import re
import signal
import subprocess
import sys
import threading

import grpc

from pb import varint


def request(name):
    data = name.encode()
    return b'\x0a' + varint(len(data)) + data if data else b''


def text_of(reply):
    """The one field of a HelloReply."""
    if reply[:1] != b'\x0a':
        raise ValueError('field 1 is not first: %r' % reply[:20])
    n = at = shift = 0
    for at in range(1, len(reply)):
        n |= (reply[at] & 127) << shift
        shift += 7
        if reply[at] < 128:
            break
    if len(reply) != at + 1 + n:
        raise ValueError('%d bytes, not %d' % (len(reply), at + 1 + n))
    return reply[at + 1:].decode()


def number_of(reply, name):
    text = text_of(reply)
    m = re.fullmatch(re.escape('Hello %s! (request #' % name) + r'(\d+)\)',
                     text)
    if not m:
        raise ValueError('answered %r' % text[:80])
    return int(m.group(1))


def hello(channel):
    return channel.unary_unary('/helloworld.Greeter/SayHello')


def calls(channel, total, flight):
    """Keep `flight` calls open until `total` are done; each must be right."""
    call, lock = hello(channel), threading.Lock()
    room = threading.Semaphore(flight)
    numbers, wrong, open_now, most = [], [], [0], [0]

    def done(name, future):
        try:
            n = number_of(future.result(), name)
            with lock:
                numbers.append(n)
        except Exception as e:
            with lock:
                wrong.append(str(e).replace('\n', ' ')[:200])
        with lock:
            open_now[0] -= 1
        room.release()

    for i in range(total):
        room.acquire()
        with lock:
            open_now[0] += 1
            most[0] = max(most[0], open_now[0])
        name = 'caller-%d' % i
        future = call.future(request(name), timeout=60)
        future.add_done_callback(lambda f, name=name: done(name, f))
    for _ in range(flight):
        room.acquire()
    say('%d calls, each with the right reply' % total, not wrong and
        len(numbers) == total, '%d wrong, first: %s' % (len(wrong), wrong[:1]))
    say('%d in flight at once' % flight, most[0] == flight, str(most[0]))
    say('%d distinct request numbers' % total, len(set(numbers)) == total,
        str(len(set(numbers))))
    say('numbers without a gap', numbers and
        max(numbers) - min(numbers) == total - 1, 'a gap')


def names(channel):
    call = hello(channel)
    for what, name in (
            ('empty name', ''), ('one letter', 'x'), ('127 bytes', 'y' * 127),
            ('128 bytes', 'z' * 128), ('16 KiB', 'n' * 16384),
            ('64 KiB', 'm' * 65536), ('1 MiB', 'k' * 1048576),
            ('other alphabets', 'Grüße, мир, 世界, \U0001f600'),
            ('a format', '%s%n%d'), ('a NUL byte', 'a\0b')):
        try:
            number_of(call(request(name), timeout=30), name)
            say('name: ' + what, True, '')
        except Exception as e:
            say('name: ' + what, False, str(e).replace('\n', ' ')[:200])


class Chat:
    """A bidi call, a turn at a time."""

    def __init__(self, channel, timeout=30):
        self.out = queue.Queue()
        self.call = channel.stream_stream(
            '/helloworld.Greeter/SayHelloBidiStream')(
                iter(self.out.get, None), timeout=timeout)

    def turn(self, name):
        self.out.put(request(name))
        return number_of(next(self.call), name)

    def end(self):
        self.out.put(None)
        rest = list(self.call)
        if rest:
            raise ValueError('%d replies too many' % len(rest))


def ends(code, run):
    """The call that run() makes ends with this code."""
    try:
        run()
    except grpc.RpcError as e:
        if e.code().name != code:
            raise ValueError('ended with ' + e.code().name)
        return
    raise ValueError('ended well')


def case(name, run):
    try:
        run()
        say(name, True, '')
    except Exception as e:
        say(name, False, ('%s %s' % (type(e).__name__, e))
            .replace('\n', ' ')[:200])


def streams(channel):
    many = channel.unary_stream('/helloworld.Greeter/SayHelloStreamReply')

    def server_streaming():
        replies = list(many(request('many'), timeout=30))
        for reply in replies:
            number_of(reply, 'many')
        if len(replies) < 2:
            raise ValueError('%d replies' % len(replies))

    def bidi():
        chat = Chat(channel)
        for i in range(50):
            chat.turn('turn %d' % i)
        chat.end()

    def at_once():
        """All requests first; the replies keep their order."""
        names = ['name %d' % i for i in range(200)]
        replies = list(channel.stream_stream(
            '/helloworld.Greeter/SayHelloBidiStream')(
                map(request, names), timeout=30))
        for name, reply in zip(names, replies):
            number_of(reply, name)
        if len(replies) != len(names):
            raise ValueError('%d replies' % len(replies))

    def abreast():
        chats = [Chat(channel) for _ in range(20)]
        for i in range(10):
            for chat in chats:
                chat.turn('turn %d' % i)
        for chat in chats:
            chat.end()

    def cancelled():
        chat = Chat(channel)
        chat.turn('x')
        chat.call.cancel()
        next(chat.call)

    def of_silence():
        next(Chat(channel, 0.3).call)

    case('server streaming', server_streaming)
    case('bidi, a turn at a time', bidi)
    case('bidi, 200 requests at once', at_once)
    case('bidi, 20 abreast', abreast)
    case('bidi without a request', lambda: list(channel.stream_stream(
        '/helloworld.Greeter/SayHelloBidiStream')(iter(()), timeout=30)))
    case('deadline of a stream', lambda: ends('DEADLINE_EXCEEDED', of_silence))
    case('cancelled', lambda: ends('CANCELLED', cancelled))
    case('a call after all that', lambda: number_of(
        hello(channel)(request('x'), timeout=30), 'x'))


def late(channel):
    case('deadline of a unary call', lambda: ends(
        'DEADLINE_EXCEEDED',
        lambda: hello(channel)(request('x'), timeout=0.05)))
    case('deadline of a bidi call that works', lambda: ends(
        'DEADLINE_EXCEEDED', lambda: Chat(channel, 0.05).turn('x')))
    case('deadline of server streaming', lambda: ends(
        'DEADLINE_EXCEEDED', lambda: list(channel.unary_stream(
            '/helloworld.Greeter/SayHelloStreamReply')(
                request('x'), timeout=0.05))))


def drain(channel, pid, probe):
    """Calls in flight go on, while health checks get NOT_SERVING."""
    chat = Chat(channel)
    told = channel.unary_stream('/grpc.health.v1.Health/Watch')(
        b'', timeout=30)
    statuses = {b'\x08\1': 'SERVING', b'\x08\2': 'NOT_SERVING'}

    def next_is(want):
        got = next(told)
        if statuses.get(got) != want:
            raise ValueError('Watch says %r' % got)

    def asked(wanted):
        got = subprocess.run([probe, '-addr', sys.argv[1]],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if got.returncode not in wanted:
            raise ValueError('status %d: %r' % (got.returncode, got.stdout))

    case('a call before the drain', lambda: chat.turn('before'))
    case('Watch says SERVING', lambda: next_is('SERVING'))
    case('grpc_health_probe says SERVING', lambda: asked([0]))
    os.kill(pid, signal.SIGTERM)
    case('Watch says NOT_SERVING while it drains',
         lambda: next_is('NOT_SERVING'))
    # NOT_SERVING is 4; 2 is no connection at all, once none is accepted.
    case('grpc_health_probe no longer says SERVING', lambda: asked([2, 4]))
    case('the call in flight goes on', lambda: chat.turn('while it drains'))
    case('and ends well', chat.end)


def say(name, good, why):
    name = name.replace(': ', ', ')
    print('ok   ' + name if good else 'FAIL %s: %s' % (name, why), flush=True)


def main():
    options = [('grpc.enable_http_proxy', 0),
               ('grpc.max_receive_message_length', 1 << 24)]
    with grpc.insecure_channel(sys.argv[1], options) as channel:
        mode = sys.argv[2]
        if mode == 'calls':
            calls(channel, int(sys.argv[3]), int(sys.argv[4]))
        elif mode == 'names':
            names(channel)
        elif mode == 'streams':
            streams(channel)
        elif mode == 'late':
            late(channel)
        elif mode == 'drain':
            drain(channel, int(sys.argv[3]), sys.argv[4])
        else:
            print(text_of(hello(channel)(request(sys.argv[3]), timeout=30)))


main()
