"""HTTP/2 frame by frame, for tests that must send what no library would send.

A Wire is one connection to serve.  It keeps what it receives, by stream, and
answers SETTINGS and PING; it opens windows only when told to.
"""
import socket
import struct
import time

import hpack

from pb import varint

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONT = \
    range(10)
END_STREAM = ACK = 1
END_HEADERS = 4
MAGIC = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
HELLO = '/helloworld.Greeter/SayHello'
MANY = '/helloworld.Greeter/SayHelloStreamReply'
CHAT = '/helloworld.Greeter/SayHelloBidiStream'
BIG = (1 << 31) - 1


def frame(kind, flags=0, stream=0, payload=b''):
    return (struct.pack('>I', len(payload))[1:] +
            struct.pack('>BBI', kind, flags, stream) + payload)


def message(data, flag=0):
    return struct.pack('>BI', flag, len(data)) + data


def hello(name=b'you'):
    return message(b'\x0a' + varint(len(name)) + name)


def setting(key, value):
    return struct.pack('>HI', key, value)


def window(stream, more):
    return frame(WINDOW, 0, stream, struct.pack('>I', more))


def say(name, good, why=''):
    why = str(why).replace('\n', ' ')[:300]
    line = 'ok   ' + name if good else 'FAIL %s: %s' % (name, why)
    print(line + '\n', end='', flush=True)     # whole, where threads say it
    return good


class Stream:
    """What was received on one stream."""

    def __init__(self):
        self.blocks = []        # header lists, in order
        self.data = b''
        self.frames = []        # (kind, flags), in order
        self.reset = None       # code
        self.ended = False      # END_STREAM seen
        self.sent = 0           # bytes of DATA, of upload()

    @property
    def over(self):
        return self.ended or self.reset is not None

    def header(self, name):
        """The last value of header name in the first block that has it."""
        for block in self.blocks:
            for k, v in block:
                if k == name:
                    return v

    def messages(self):
        """[(compressed flag, bytes)] of the complete messages received."""
        at, out = 0, []
        while len(self.data) - at >= 5:
            flag, n = struct.unpack_from('>BI', self.data, at)
            if len(self.data) - at - 5 < n:
                break
            out.append((flag, self.data[at + 5:at + 5 + n]))
            at += 5 + n
        return out

    def status(self):
        """grpc-status, or what came instead of it, in a word or two."""
        http = self.header(':status')
        if http not in (None, '200'):
            return 'http ' + http
        got = self.header('grpc-status')
        if got is not None:
            return got
        return 'reset %d' % self.reset if self.reset is not None else 'none'


class Wire:
    def __init__(self, port, settings=b'', magic=MAGIC, start=True, acks=True,
                 recv_buffer=0):
        self.sock = socket.socket()
        if recv_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF,
                                 recv_buffer)
        self.sock.settimeout(10)
        self.sock.connect(('127.0.0.1', port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.decoder.max_header_list_size = 1 << 20
        self.streams, self.buffer, self.block = {}, b'', None
        self.goaways = []       # (last stream, code, debug text)
        self.settings = {}      # of the server
        self.pongs = []         # what came back
        self.pings = 0          # the server's own
        self.asked = b''        # what the last of them held
        self.answers = acks
        self.refill = False     # give back window for the DATA that comes
        self.credit = {}        # WINDOW_UPDATE by stream
        self.sent = 0           # bytes of DATA, of upload()
        self.closed = None      # how it ended: 'closed', 'reset'
        self.broken = False     # the server no longer takes anything
        self.stuck = False      # nor reads it, for as long as the time-out is
        if start:
            self.send(magic + frame(SETTINGS, 0, 0, settings))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        """Send data; False if the server no longer accepts it."""
        try:
            self.sock.sendall(data)
            return True
        except ConnectionError:
            self.broken = True          # what it said before can still be read
            return False
        except socket.timeout:
            self.stuck = True
            return False

    def open(self, stream, path=HELLO, end=False, more=(), method='POST',
             kind='application/grpc', te='trailers', leave=()):
        """Send HEADERS, without those named in `leave`."""
        head = [(':method', method), (':scheme', 'http'), (':path', path),
                (':authority', 'localhost'), ('te', te),
                ('content-type', kind)]
        head = [h for h in head if h[1] is not None and h[0] not in leave]
        return self.send(self.headers(stream, head + list(more), end))

    def headers(self, stream, head, end=False):
        block = self.encoder.encode(head, huffman=False)
        kind, out = HEADERS, b''
        while True:
            piece, block = block[:16384], block[16384:]
            flags = 0 if block else END_HEADERS
            if kind == HEADERS and end:
                flags |= END_STREAM
            out += frame(kind, flags, stream, piece)
            if not block:
                return out
            kind = CONT

    def data(self, stream, data, end=False):
        return self.send(frame(DATA, END_STREAM if end else 0, stream, data))

    def upload(self, stream, body, end=True, seconds=5):
        """Send body as DATA, within the server's windows; False if the server
        accepts no more, or has answered already."""
        at, s = 0, self.streams.setdefault(stream, Stream())
        while at < len(body):
            room = min(16384, 65535 + self.credit.get(0, 0) - self.sent,
                       self.settings.get(4, 65535) +
                       self.credit.get(stream, 0) - s.sent)
            if room <= 0:
                before = dict(self.credit)
                if not self.until(lambda: self.credit != before or s.over or
                                  self.goaways or self.closed, seconds) or \
                        s.over or self.goaways or self.closed:
                    return False
                continue
            piece = body[at:at + room]
            at += len(piece)
            self.sent += len(piece)
            s.sent += len(piece)
            if not self.data(stream, piece, end and at == len(body)):
                return False
        return True

    def call(self, stream, body=None, path=HELLO, **how):
        """Send a whole request."""
        self.open(stream, path, **how)
        return self.data(stream, hello() if body is None else body, True)

    def take(self, seconds):
        """Read once, for at most `seconds`; False if the connection ended."""
        if self.closed == 'closed':
            return False
        self.sock.settimeout(max(seconds, 0.001))
        try:
            data = self.sock.recv(1 << 18)
        except (socket.timeout, BlockingIOError):
            return True
        except ConnectionError:
            self.closed = 'reset'
            return False
        finally:
            self.sock.settimeout(10)
        if not data:
            self.closed = 'closed'
            return False
        self.buffer += data
        at = 0
        while len(self.buffer) - at >= 9:
            n = int.from_bytes(self.buffer[at:at + 3], 'big')
            if len(self.buffer) - at - 9 < n:
                break
            kind, flags = self.buffer[at + 3], self.buffer[at + 4]
            stream = int.from_bytes(self.buffer[at + 5:at + 9], 'big')
            self.frame(kind, flags, stream & BIG,
                       self.buffer[at + 9:at + 9 + n])
            at += 9 + n
        self.buffer = self.buffer[at:]
        return True

    def frame(self, kind, flags, stream, payload):
        s = self.streams.setdefault(stream, Stream())
        s.frames.append((kind, flags))
        if kind == DATA:
            if flags & 8:
                payload = payload[1:len(payload) - payload[0]]
            s.data += payload
            s.ended = s.ended or bool(flags & END_STREAM)
            if self.refill and payload:
                self.send(window(0, len(payload)) +
                          window(stream, len(payload)))
        elif kind in (HEADERS, CONT):
            self.block = payload if kind == HEADERS else self.block + payload
            s.ended = s.ended or kind == HEADERS and bool(flags & END_STREAM)
            if flags & END_HEADERS:
                s.blocks.append([(text(k), text(v)) for k, v in
                                 self.decoder.decode(self.block)])
        elif kind == RST:
            s.reset = int.from_bytes(payload, 'big')
        elif kind == SETTINGS and not flags & ACK:
            for at in range(0, len(payload), 6):
                key, value = struct.unpack_from('>HI', payload, at)
                self.settings[key] = value
            if self.answers:
                self.send(frame(SETTINGS, ACK))
        elif kind == PING:
            if flags & ACK:
                self.pongs.append(payload)
            else:
                self.pings += 1
                self.asked = payload
                if self.answers:
                    self.send(frame(PING, ACK, 0, payload))
        elif kind == GOAWAY:
            last, code = struct.unpack_from('>II', payload)
            self.goaways.append((last, code, payload[8:].decode('latin-1')))
        elif kind == WINDOW:
            self.credit[stream] = (self.credit.get(stream, 0) +
                                   int.from_bytes(payload, 'big'))

    def until(self, true, seconds=10):
        """Read until true() holds; return whether it does."""
        end = time.monotonic() + seconds
        while not true():
            left = end - time.monotonic()
            if left <= 0 or not self.take(left):
                return true()
        return True

    def answer(self, stream, seconds=10):
        """Read until the stream or the connection ends; return its status."""
        def over():
            return self.streams.get(stream, NONE).over
        self.until(over, seconds)
        s = self.streams.get(stream, NONE)
        if not s.over:
            if self.goaways:
                return 'goaway %d' % self.goaways[-1][1]
            return self.closed or 'none'
        return s.status()

    def end(self, seconds=10):
        """Read until the connection is closed; return whether it is."""
        self.until(lambda: self.closed is not None, seconds)
        return self.closed is not None

    def code(self):
        """The code of the last GOAWAY."""
        return self.goaways[-1][1] if self.goaways else None


NONE = Stream()


def text(x):
    return x.decode('latin-1') if isinstance(x, bytes) else x
