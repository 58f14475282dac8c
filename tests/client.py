#!/usr/bin/python3
"""Calls serve with python3-grpcio, a client that is not ours.

  client.py HOST:PORT calls N FLIGHT   N calls on one channel, FLIGHT at a time
  client.py HOST:PORT names            names of all lengths and alphabets
  client.py HOST:PORT once NAME        one call; prints the reply's text

Messages are put together and taken apart by hand, so that nothing has to be
generated; another test compares them with protoc.
"""
import re
import sys
import threading

import grpc


def varint(n):
    out = b''
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


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
        else:
            print(text_of(hello(channel)(request(sys.argv[3]), timeout=30)))


main()
