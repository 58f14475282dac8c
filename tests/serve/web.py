#!/usr/bin/python3
"""Valid and invalid HTTP/1.1 requests to the debug endpoint, written by hand.

  web.py PORT DIR http PID GRPC    requests, good and bad; GRPC is the address
                                   that serve listens on for calls
  web.py PORT DIR slow             requests that come a byte at a time
  web.py PORT DIR crowd PID        more connections than it can have, clients
                                   that go away and one that does not read
  web.py PORT DIR windows TIMES    profiles started and stopped TIMES times, and
                                   by 20 clients at once
  web.py PORT DIR signals PID N    SIGUSR1 N times to a serve with --profile,
                                   which writes DIR/profile.pb each time
  web.py PORT DIR metrics CALLS    /metrics after so many calls of SayHello

Prints "ok name" or "FAIL name: why".  DIR holds profile_pb2.py, made by protoc
from proto/profile.proto.
"""
import json
import os
import re
import resource
import signal
import socket
import sys
import threading
import time
import zlib

PORT, DIR, MODE = int(sys.argv[1]), sys.argv[2], sys.argv[3]
sys.path.insert(0, DIR)
HOST = '127.0.0.1:%d' % PORT
PROFILE = '/debug/pprof/profile'


def say(name, good, why=''):
    line = 'ok   ' + name if good else 'FAIL %s: %s' % (name, why)
    print(line + '\n', end='', flush=True)     # whole, where threads say it


def connect(receive=0):
    sock = socket.socket()
    if receive:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    sock.settimeout(20)
    sock.connect(('127.0.0.1', PORT))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


class Answer:
    """One answer from the stream f; status 0: the connection ended instead."""

    def __init__(self, f, method='GET'):
        self.status, self.headers, self.body = 0, {}, b''
        try:
            first = f.readline().decode('latin-1')
            m = re.fullmatch(r'HTTP/1\.1 (\d{3}) [^\r\n]+\r\n', first)
            if not m:
                self.status = -1 if first else 0
                self.body = first.encode()
                return
            for line in iter(f.readline, b'\r\n'):
                m2 = re.fullmatch(r'([A-Za-z-]+): ([^\r\n]*)\r\n',
                                  line.decode('latin-1'))
                if not m2:
                    self.status, self.body = -1, line
                    return
                self.headers[m2[1].lower()] = m2[2]
            size = 0 if method == 'HEAD' else int(
                self.headers['content-length'])
            self.body = b'' if method == 'HEAD' else f.read(size)
            self.status = int(m[1])
            if method != 'HEAD' and len(self.body) != size:
                self.status = -1        # cut off
        except ConnectionError:
            self.status = 0
        except socket.timeout:
            self.status = -2

    def __str__(self):
        what = {0: 'closed', -1: 'malformed', -2: 'no answer'}
        return '%s %r' % (what.get(self.status, self.status), self.body[:80])


def head(method='GET', path='/healthz', *more, host=HOST, version='1.1'):
    lines = ['%s %s HTTP/%s' % (method, path, version)]
    lines += ['Host: ' + host] if host is not None else []
    return ('\r\n'.join(lines + list(more)) + '\r\n\r\n').encode('latin-1')


def ask(method='GET', path='/healthz', *more, body=b'', **how):
    """Make one request on a connection of its own; return the answer."""
    return raw(head(method, path, *more, **how) + body, method)


def raw(data, method='GET'):
    """The answer to these bytes."""
    with connect() as sock, sock.makefile('rb') as f:
        try:
            sock.sendall(data)
        except ConnectionError:
            pass                        # refused before all of it was sent
        return Answer(f, method)


def get(path):
    return ask('GET', path)


def expect(name, want, answer):
    """Check that the answer has one of the statuses; return it."""
    want = want if isinstance(want, tuple) else (want,)
    say(name, answer.status in want, 'answered %s, want %s' % (answer, want))
    return answer


def over(f):
    """True if the connection that f reads ends without more data."""
    try:
        return f.read() == b''
    except ConnectionError:
        return True
    except socket.timeout:
        return False


def status():
    return json.loads(get('/debug/status').body)


def until(good, seconds=10):
    """Wait until good() is true; return whether it is."""
    end = time.monotonic() + seconds
    while not good():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def profile_of(answer):
    """The profile in the answer; ValueError where there is none."""
    if answer.status != 200:
        raise ValueError('answered %s' % answer)
    return unpack(answer.body)


def unpack(data):
    """The profile in the bytes of a file; ValueError where it is not valid."""
    import profile_pb2
    one = zlib.decompressobj(31)
    data = one.decompress(data)
    if not one.eof or one.unused_data:
        raise ValueError('not exactly one gzip member')
    p = profile_pb2.Profile.FromString(data)
    s = p.string_table
    kinds = ['%s/%s' % (s[v.type], s[v.unit]) for v in p.sample_type]
    if kinds != ['samples/count', 'cpu/nanoseconds'] or not p.duration_nanos:
        raise ValueError('it has %s, %d ns' % (kinds, p.duration_nanos))
    if any(not 0 < i <= len(p.location) for x in p.sample
           for i in x.location_id):
        raise ValueError('a sample points to no location')
    return p


def good_profile(name, answer):
    try:
        p = profile_of(answer)
        say(name, True)
        return p
    except Exception as e:
        say(name, False, '%s: %s' % (type(e).__name__, e))


def samples(p):
    return sum(x.value[0] for x in p.sample)


# ---- http ----

def paths(pid, grpc):
    a = expect('/healthz', 200, get('/healthz'))
    say('/healthz says ok', a.body.strip() == b'ok', a)
    a = expect('the index', 200, get('/debug/pprof/'))
    say('the index is HTML', a.headers.get('content-type', '')
        .startswith('text/html') and b'<html' in a.body, a)
    for link in set(re.findall(rb'href="([^"?]+)', a.body)):
        link = link.decode()
        expect('the index leads to ' + link, 200, ask('HEAD', link))
    say('the index has links', b'href="/debug/pprof/profile' in a.body, a)
    a = expect('cmdline', 200, get('/debug/pprof/cmdline'))
    with open('/proc/%d/cmdline' % pid, 'rb') as f:
        want = f.read().rstrip(b'\0')
    say('cmdline has zeros between the words',
        a.body.rstrip(b'\0') == want and b'\0serve\0' in a.body, a)
    expect('an unknown path', 404, get('/debug/pprof/nothing'))
    expect('a path that goes up', 404, get('/debug/pprof/../../etc/passwd'))

    a = expect('/debug/status', 200, get('/debug/status'))
    say('status is JSON', a.headers.get('content-type') == 'application/json',
        a.headers)
    d = json.loads(a.body)
    say('status has the pid', d.get('pid') == pid, d)
    say('status has the addresses', d.get('listen') == [grpc], d)
    say('status has a version', bool(re.match(r'\d+\.\d+', d['version'])), d)
    say('status counts requests', isinstance(d.get('requests'), int), d)
    say('status has no engine while nothing is sampled',
        'engine' in d and d['engine'] is None, d)


def symbols(pid):
    with open('/proc/%d/maps' % pid) as f:
        maps = [x.split() for x in f]
    code = next(x for x in maps if 'x' in x[1] and 'grpcprof' in x[-1])
    low, high = (int(x, 16) for x in code[0].split('-'))
    some = ['0x%x' % pc for pc in range(low, high, (high - low) // 40)]
    text = '+'.join(some)
    a = expect('symbol by GET', 200, get('/debug/pprof/symbol?' + text))
    b = expect('symbol by POST', 200, ask(
        'POST', '/debug/pprof/symbol', 'Content-Length: %d' % len(text),
        body=text.encode()))
    say('both say the same', a.body == b.body, b)
    lines = a.body.decode().split('\n')
    say('symbol begins as Go\'s', lines[0] == 'num_symbols: 1', lines[0])
    named = [x for x in lines[1:]
             if re.fullmatch(r'0x[0-9a-f]+ [A-Za-z_]\S*', x)]
    say('symbol names addresses of the program',
        len(named) > 10 and all(x.split()[0] in some for x in named), a)
    for bad in '', '0x', '0x1+', '+++', 'zzz', '0x' + 'f' * 40, '0x1+0x0':
        a = get('/debug/pprof/symbol?' + bad)
        if a.status != 200 or b'0x' in a.body:
            say('symbol of %r' % bad, False, a)
            break
    else:
        say('symbol of what is no address', True)
    a = ask('POST', '/debug/pprof/symbol', 'Content-Length: 9999999')
    say('a body that is too large', a.status in (400, 413), a)


def methods():
    whole = get('/debug/pprof/')
    a = expect('HEAD', 200, ask('HEAD', '/debug/pprof/'))
    say('HEAD has the headers of GET',
        a.headers.get('content-length') == whole.headers['content-length'] and
        a.headers.get('content-type') == whole.headers['content-type'],
        a.headers)
    with connect() as sock, sock.makefile('rb') as f:
        sock.sendall(head('HEAD', '/metrics') + head('HEAD', '/nothing') +
                     head())
        got = [Answer(f, 'HEAD'), Answer(f, 'HEAD'), Answer(f)]
    say('HEAD has no body', [x.status for x in got] == [200, 404, 200] and
        got[2].body.strip() == b'ok', [str(x) for x in got])
    for method, path in (('POST', PROFILE), ('POST', '/metrics'),
                         ('DELETE', '/healthz'), ('PUT', '/debug/status'),
                         ('get', '/healthz'), ('OPTIONS', '/metrics')):
        a = expect('%s of %s' % (method, path), 405, ask(method, path))
        say('%s of %s, Allow' % (method, path),
            a.headers.get('allow') == 'GET, HEAD', a.headers)
    a = expect('HEAD of a profile', 200, ask('HEAD', PROFILE))
    say('it promises no length, and a file', 'content-length' not in a.headers
        and 'attachment' in a.headers.get('content-disposition', ''),
        a.headers)
    a = expect('DELETE of symbol', 405, ask('DELETE', '/debug/pprof/symbol'))
    say('symbol allows POST', 'POST' in a.headers.get('allow', ''), a.headers)


def visitors():
    """Requests are answered if Host and Origin are ours, else refused."""
    for host in '127.0.0.1', 'localhost', '[::1]', 'LOCALHOST':
        expect('Host ' + host, 200, ask(host='%s:%d' % (host, PORT)))
    for host in ('evil.example', 'evil.example:%d' % PORT,
                 '127.0.0.1.evil.example:%d' % PORT, '10.0.0.1:%d' % PORT,
                 'localhost.evil:%d' % PORT, '192.0.2.1', '[::2]:%d' % PORT,
                 'a' * 300, '[', ']', '@127.0.0.1', '1'):
        expect('Host ' + host[:30], 403, ask(host=host))
    for host in '127.0.0.1:1', 'localhost:7070':
        expect('Host %s, as through a tunnel' % host, 200, ask(host=host))
    expect('a port that is none', 403, ask(host='127.0.0.1:evil.example'))
    expect('the host in the target', 200,
           ask('GET', 'http://%s/healthz' % HOST, host='evil.example'))
    expect('another host in the target', 403,
           ask('GET', 'http://evil.example/healthz'))
    expect('an Origin without a Host', 403, raw(
        b'GET /healthz HTTP/1.0\r\nOrigin: http://\r\n\r\n'))
    expect('no Host', 400, ask(host=None))
    expect('two Hosts', 400, ask('GET', '/healthz', 'Host: ' + HOST))
    expect('our own Origin', 200,
           ask('GET', '/healthz', 'Origin: http://' + HOST))
    for origin in ('http://evil.example', 'null', 'https://' + HOST, HOST,
                   'http://127.0.0.1', 'http://' + HOST + '.evil.example',
                   'http://127.0.0.1:1', 'http://localhost:%d' % PORT, ''):
        for path in '/debug/status', PROFILE + '?start':
            expect('Origin "%s" of %s' % (origin, path[-6:]), 403,
                   ask('GET', path, 'Origin: ' + origin))
    expect('a picture in a page', 403, ask(
        'GET', PROFILE + '?seconds=1', 'Sec-Fetch-Site: cross-site'))
    expect('an address that a person typed', 200, ask(
        'GET', '/healthz', 'Sec-Fetch-Site: none'))
    say('none of them began a window', status()['windows'] == 0, status())


def connections():
    with connect() as sock, sock.makefile('rb') as f:
        sock.sendall(head())
        one = Answer(f)
        sock.sendall(head('GET', '/debug/status'))
        two = Answer(f)
        say('a connection is kept', (one.status, two.status) == (200, 200),
            '%s, %s' % (one, two))
        sock.sendall(head('GET', '/healthz', 'Connection: close'))
        expect('Connection: close is answered', 200, Answer(f))
        say('Connection: close ends it', over(f))
    n = 100
    with connect() as sock, sock.makefile('rb') as f:
        sock.sendall(b''.join(head('GET', '/nothing' if i % 2 else '/healthz')
                              for i in range(n)))
        got = [Answer(f).status for _ in range(n)]
        say('%d pipelined requests, in order' % n,
            got == [200, 404] * (n // 2), got)
    with connect() as sock, sock.makefile('rb') as f:
        sock.sendall(head('GET', PROFILE + '?seconds=1') + head())
        good_profile('a window, and a request behind it: the profile',
                     Answer(f))
        expect('a window, and a request behind it: the other', 200, Answer(f))
    with connect() as sock, sock.makefile('rb') as f:
        sock.sendall(head('GET', '/healthz', version='1.0'))
        expect('HTTP/1.0', 200, Answer(f))
        say('HTTP/1.0 ends it', over(f))
    expect('HTTP/1.0 without Host', 200,
           raw(b'GET /healthz HTTP/1.0\r\n\r\n'))
    with connect() as sock, sock.makefile('rb') as f:
        data = head('POST', '/debug/pprof/symbol', 'Content-Length: 3') + b'0x1'
        for byte in data + head() + b'\r\n' + head('GET', '/nothing'):
            sock.sendall(bytes([byte]))
            time.sleep(0.002)
        got = [Answer(f).status for _ in range(3)]
        say('three requests, a byte at a time', got == [200, 200, 404], got)


def waits_for_100():
    with connect() as sock, sock.makefile('rb') as f:
        sock.sendall(head('POST', '/debug/pprof/symbol', 'Content-Length: 3',
                          'Expect: 100-continue'))
        first = f.readline() + f.readline()
        say('a client that waits for 100 is told so',
            first == b'HTTP/1.1 100 Continue\r\n\r\n', first)
        sock.sendall(b'0x1')
        expect('and is answered then', 200, Answer(f))


def garbage():
    waits_for_100()
    for bad in ('Content-Length : 1', 'Content-Length: 1\0',
                'Content-Length: 0_1', 'Content-Length: +1', 'A\0: b',
                'A: b\rc', ': b', 'A b: c'):
        expect('the header %r' % bad, 400, ask(
            'POST', '/debug/pprof/symbol', bad, body=b'0'))
    expect('Connection: close among others', 200,
           ask('GET', '/healthz', 'Connection: TE, Close'))
    for name, want, data in (
            ('a header of 1 MiB', 431, b'GET /healthz HTTP/1.1\r\nX: ' +
             b'x' * (1 << 20) + b'\r\n\r\n'),
            ('a path of 1 MiB', (431, 414), b'GET /' + b'x' * (1 << 20)),
            ('a million headers', 431, b'GET /healthz HTTP/1.1\r\n' +
             b'a: b\r\n' * (1 << 18)),
            ('just over 16 KiB', 431, head('GET', '/healthz', 'X: ' +
                                           'x' * 16384)),
            ('just under 16 KiB', 200, head('GET', '/healthz', 'X: ' +
                                            'x' * 16000)),
            ('no HTTP at all', 400, b'hello\r\n\r\n'),
            ('a TLS client', (0, 400), b'\x16\x03\x01\x02\0\x01\0\x01\xfc\x03'
             b'\x03' + bytes(range(256)) + b'\n\n'),
            ('zeros', (0, 400), b'\0' * 300 + b'\r\n\r\n'),
            ('HTTP/2', (0, 400, 505),
             b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + b'\0' * 9),
            ('HTTP/3.0', 505, b'GET / HTTP/3.0\r\n\r\n'),
            ('no version', 400, b'GET /healthz\r\n\r\n'),
            ('a header without a colon', 400, head('GET', '/healthz', 'abc')),
            ('a folded header', 400, head('GET', '/healthz', 'A: b', ' c')),
            ('two lengths', 400, head('GET', '/healthz', 'Content-Length: 0',
                                      'Content-Length: 1')),
            ('a length that is none', 400,
             head('GET', '/healthz', 'Content-Length: -1')),
            ('a length without digits', 400,
             head('GET', '/healthz', 'Content-Length: x')),
            ('a length that overflows', (400, 413),
             head('GET', '/healthz', 'Content-Length: 18446744073709551617')),
            ('chunks', (400, 411, 501), head(
                'POST', '/debug/pprof/symbol', 'Transfer-Encoding: chunked') +
             b'3\r\n0x1\r\n0\r\n\r\n')):
        expect(name, want, raw(data))
    for at in range(len(head())):       # every beginning, and then the end
        with connect() as sock, sock.makefile('rb') as f:
            sock.sendall(head()[:at])
            sock.shutdown(socket.SHUT_WR)
            a = Answer(f)
            if a.status not in (0, 400):
                say('a request cut off after %d bytes' % at, False, a)
                break
    else:
        say('requests that are cut off', True)
    for query in ('seconds=0', 'seconds=-1', 'seconds=3601', 'seconds=x',
                  'seconds=', 'seconds=1.5', 'seconds=99999999999999999999',
                  'seconds=1&hz=0', 'seconds=1&hz=10001', 'hz=x',
                  'start&hz=0'):
        a = expect('profile?' + query, 400, get(PROFILE + '?' + query))
        say('profile?%s, X-Go-Pprof' % query,
            a.headers.get('x-go-pprof') == '1', a.headers)
    for query in ('second=1', 'seconds=1&seconds=2', 'start&stop=x',
                  'start&seconds=1', 'stop=x&hz=7', 'start&start',
                  'seconds=1&x=2', '=1'):
        expect('profile?%s, names' % query, 400, get(PROFILE + '?' + query))
    for query in 'seconds=0', 'start', 'second=1', 'hz=7&hz=7':
        expect('flamegraph?' + query, 400, get('/debug/flamegraph?' + query))
    expect('a token that is none', 404, get(PROFILE + '?stop=abc'))
    expect('no token', 404, get(PROFILE + '?stop='))
    expect('after all that it answers', 200, get('/healthz'))
    say('no window is open', status()['windows'] == 0, status())


def tokens():
    a = expect('start', 200, get(PROFILE + '?start'))
    token = a.body.decode()
    say('start answers a line with a token',
        bool(re.fullmatch(r'[!-~]{8,}\n', token)), a)
    token = token.strip()
    d = status()
    say('status has the engine while it is sampled',
        d['engine'] in ('perf', 'thread', 'itimer'), d)
    a = expect('another rate at the same time', 500,
               get(PROFILE + '?seconds=1&hz=7'))
    say('another rate, X-Go-Pprof', a.headers.get('x-go-pprof') == '1',
        a.headers)
    say('another rate, the reason as text', a.headers.get('content-type', '')
        .startswith('text/plain') and len(a.body) > 20, a)
    expect('another rate, a picture', 500,
           get('/debug/flamegraph?seconds=1&hz=7'))
    expect('another rate, start', 500, get(PROFILE + '?start&hz=7'))
    b = expect('the same rate, start', 200, get(PROFILE + '?start&hz=1000'))
    other = b.body.decode().strip()
    say('another token', other != token, other)

    got = {}                            # windows that overlap
    def window(i):
        time.sleep(i * 0.2)
        got[i] = get(PROFILE + '?seconds=1')
    threads = [threading.Thread(target=window, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for i in range(4):
        good_profile('window %d of four that overlap' % i, got[i])
    whole = good_profile('stop', get(PROFILE + '?stop=' + token))
    expect('stop again', 404, get(PROFILE + '?stop=' + token))
    good_profile('stop of the other', get(PROFILE + '?stop=' + other))
    if whole:
        most = max(samples(profile_of(got[i])) for i in range(4))
        say('the window around them has more samples',
            samples(whole) > most > 0, '%d, %d' % (samples(whole), most))
        say('and lasted longer', whole.duration_nanos >
            profile_of(got[0]).duration_nanos, whole.duration_nanos)
    say('then nothing is sampled',
        status()['engine'] is None and status()['windows'] == 0, status())
    p = good_profile('a rate of its own', get(PROFILE + '?seconds=1&hz=200'))
    say('it asked for that rate', p is not None and
        'hz_asked=200' in [p.string_table[c] for c in p.comment])


# ---- slow ----

def slowly(name, data, gap):
    """Check that bytes that come too slowly get 408 or a closed connection."""
    with connect() as sock, sock.makefile('rb') as f:
        sock.settimeout(gap)
        for byte in data:
            try:
                sock.sendall(bytes([byte]))
                if sock.recv(1, socket.MSG_PEEK) is not None:
                    break
            except socket.timeout:
                pass
            except ConnectionError:
                return say(name, True)
        else:
            return say(name, False, 'it took %d bytes' % len(data))
        sock.settimeout(20)
        return expect(name, (0, 408), Answer(f))


def slow():
    long = head('GET', '/healthz', 'X: ' + 'x' * 200)
    work = [('a header a byte at a time', long, 0.2),
            ('empty lines without end', b'\r\n' * 100, 0.2),
            ('a body a byte at a time', head(
                'POST', '/debug/pprof/symbol', 'Content-Length: 100') +
             b'x' * 100, 0.2)]
    threads = [threading.Thread(target=slowly, args=x) for x in work]
    for t in threads:
        t.start()
    with connect() as sock, sock.makefile('rb') as f:
        sock.sendall(head())
        expect('before it says nothing more', 200, Answer(f))
        say('a connection that says nothing ends', over(f))
    for t in threads:
        t.join()


# ---- crowd ----

def descriptors(pid):
    return len(os.listdir('/proc/%d/fd' % pid))


def crowd(pid):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    before = descriptors(pid)

    sock = connect()
    sock.sendall(head('GET', PROFILE + '?seconds=30'))
    say('a window of 30 s begins', until(lambda: status()['windows'] == 1))
    sock.close()
    say('it ends when its client goes away',
        until(lambda: status()['windows'] == 0), status())
    say('and the sampling ends', until(lambda: status()['engine'] is None),
        status())
    sock = connect()
    sock.sendall(head('GET', PROFILE + '?seconds=30'))
    say('another one begins', until(lambda: status()['windows'] == 1))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
    sock.close()
    say('it ends when its client resets',
        until(lambda: status()['windows'] == 0), status())

    deaf = connect(receive=4096)
    deaf.setblocking(False)
    sent = 0
    while sent < 1 << 16:               # answers of 30 KB each, in their MBs
        try:
            sent += deaf.send(head('GET', '/metrics') * 100)
        except BlockingIOError:
            break
    for i in range(20):
        a = get('/healthz')
        if a.status != 200:
            break
    say('beside a client that never reads', a.status == 200, a)

    deaf.close()
    waiting = []                        # until there is no connection more;
                                        # one not read yet may have to go

    def full():
        while True:
            waiting.append(connect())
            waiting[-1].sendall(head('GET', PROFILE + '?seconds=30'))
            if len(waiting) >= 64:
                return get('/healthz').status in (0, 503)
    say('so many windows and no more', until(full) and len(waiting) < 200,
        len(waiting))
    for sock in waiting:
        sock.close()
    say('they all end with their clients', until(
        lambda: get('/healthz').status == 200 and status()['windows'] == 0))

    idle = []
    for i in range(2000):
        try:
            idle.append(connect())
        except OSError as e:
            say('2,000 idle connections', False, '%d: %s' % (i, e))
            break
        if i % 50 == 0:
            idle[-1].sendall(head()[:20])
    a = expect('beside 2,000 idle connections', 200, get('/healthz'))
    say('it holds a few of them at most', until(
        lambda: descriptors(pid) <= before + 70), descriptors(pid))
    good_profile('beside 2,000 idle connections, a profile',
                 get(PROFILE + '?seconds=1'))
    for sock in idle:
        sock.close()
    say('no descriptor stays open', until(
        lambda: descriptors(pid) <= before + 1),
        '%d before, %d after' % (before, descriptors(pid)))


# ---- windows ----

def given(answer):
    """'' for a profile, 'refused' as documented, or what is wrong."""
    if answer.status == 500 and answer.headers.get('x-go-pprof') == '1' and \
            b'already profiling' in answer.body:
        return 'refused'
    try:
        profile_of(answer)
        return ''
    except Exception as e:
        return '%s: %s' % (type(e).__name__, e)


def start_stop(query=''):
    """Start and stop a profile by its token; return what is wrong, or ''."""
    a = get(PROFILE + '?start' + query)
    if a.status != 200:
        return given(a)
    time.sleep(len(a.body) % 7 / 1000)
    return given(get(PROFILE + '?stop=' + a.body.decode().strip()))


def at_once(n, client):
    """What client(0) to client(n - 1) return, all at the same time."""
    results = []
    threads = [threading.Thread(target=lambda i=i: results.extend(client(i)))
               for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return results


def windows(times):
    got = [start_stop() for _ in range(times)]
    bad = [x for x in got if x]
    say('%d times started and stopped' % times, not bad,
        '%d wrong, first: %s' % (len(bad), bad[:1]))
    say('then nothing is sampled', status()['engine'] is None, status())

    def client(i):                      # a fifth of them wants another rate
        query = '&hz=%d' % (50 + i) if i % 5 == 0 else ''
        got = [start_stop(query) for _ in range(times // 20)]
        if i % 5 == 1 and whole:
            got.append(given(get(PROFILE + '?seconds=1')))
        return got
    whole = get(PROFILE + '?start').body.decode().strip()
    got = at_once(20, client)
    bad = [x for x in got if x not in ('', 'refused')]
    say('20 clients at once', not bad, bad[:1])
    say('those who want another rate are refused, and nobody else',
        got.count('refused') == times // 20 * 4, got.count('refused'))
    p = good_profile('the window around them', get(PROFILE + '?stop=' + whole))
    say('the window around them has samples', p is not None and samples(p) > 0)

    whole = None
    got = at_once(20, client)           # without it, the first one has its rate
    bad = [x for x in got if x not in ('', 'refused')]
    say('20 clients who want two rates', not bad and '' in got, bad[:1])
    say('no window is left', status()['windows'] == 0 and
        until(lambda: status()['engine'] is None), status())


# ---- signals ----

def signals(pid, times):
    path = os.path.join(DIR, 'profile.pb')
    last, bad, wrong, over = None, [], [], threading.Event()

    def beside():
        while not over.is_set():
            wrong.extend(filter(None, [start_stop()]))
    thread = threading.Thread(target=beside)
    thread.start()
    grown, kept = [0], None             # kept open: its inode is not reused
    for i in range(times):
        os.kill(pid, signal.SIGUSR1)
        if not until(lambda: os.path.exists(path) and
                     os.stat(path).st_ino != last):
            bad.append('number %d is not written' % i)
            break
        kept = open(path, 'rb')
        last = os.fstat(kept.fileno()).st_ino
        try:
            grown.append(samples(unpack(kept.read())))
        except Exception as e:
            bad.append('number %d: %s' % (i, e))
    over.set()
    thread.join()
    say('SIGUSR1 %d times, a profile each' % times, not bad, bad[:1])
    say('each has what the last one had', grown == sorted(grown) and
        grown[-1] > grown[1], grown)
    say('windows beside it', not wrong, wrong[:1])
    p = good_profile('a window that says no rate', get(PROFILE + '?seconds=1'))
    say('it has the rate of --hz', p is not None and
        'hz_asked=500' in [p.string_table[c] for c in p.comment])
    expect('another rate than that of --profile', 500,
           get(PROFILE + '?seconds=1&hz=1000'))


# ---- metrics ----

LABELS = r'(?:\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*",?)*\})?'
SAMPLE = re.compile(r'([a-zA-Z_:][\w:]*)(' + LABELS + r') '
                    r'([-+]?(?:[0-9.]+(?:e[-+]?[0-9]+)?|Inf)|NaN)')


def metrics(calls):
    until(lambda: b'\ngrpcprof_connections 0\n' in get('/metrics').body)
    a = expect('/metrics', 200, get('/metrics'))
    say('/metrics has the type of the text format', a.headers.get(
        'content-type', '').startswith('text/plain; version=0.0.4'), a.headers)
    text = a.body.decode()
    kind, value, wrong, seen = {}, {}, [], []
    for line in text.split('\n')[:-1]:
        m = re.fullmatch(r'# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)', line)
        s = SAMPLE.fullmatch(line)
        if m and m[1] == 'TYPE':
            kind[m[2]] = m[3]
        elif s:
            base = re.sub('_(bucket|sum|count)$', '', s[1])
            name = base if kind.get(base) == 'histogram' else s[1]
            if name not in kind or s[1] + s[2] in value:
                wrong.append(line)      # no type before it; twice
            if seen[-1:] != [name]:
                seen.append(name)
            value[s[1] + s[2]] = float(s[3])
        elif not m:
            wrong.append(line)
    say('/metrics, every line', text.endswith('\n') and not wrong, wrong[:2])
    say('/metrics, the lines of each stand together',
        len(seen) == len(set(seen)), seen)
    say('/metrics, every type', set(kind.values()) <=
        {'counter', 'gauge', 'histogram'} and set(seen) <= set(kind), kind)
    say('/metrics, counters end in _total', all(
        k.endswith('_total') for k, v in kind.items() if v == 'counter'), kind)
    try:
        from prometheus_client.parser import text_string_to_metric_families
        families = list(text_string_to_metric_families(text))
        n = sum(len(f.samples) for f in families)
        say('/metrics, prometheus_client reads it', n == len(value),
            '%d, not %d' % (n, len(value)))
    except ImportError:
        print('SKIP /metrics, prometheus_client reads it: not installed')
    except Exception as e:
        say('/metrics, prometheus_client reads it', False, e)

    hello = 'grpc_service="helloworld.Greeter",grpc_method="SayHello"'
    for name, want in (
            ('grpc_server_started_total{%s}' % hello, calls),
            ('grpc_server_handled_total{%s,grpc_code="OK"}' % hello, calls),
            ('grpc_server_handling_seconds_count{%s}' % hello, calls),
            ('grpcprof_calls_in_flight', 0), ('grpcprof_connections', 0),
            ('grpcprof_samples_lost_total', 0)):
        say('/metrics, ' + re.sub('{.*', '', name), value.get(name) == want,
            '%s, not %s' % (value.get(name), want))
    steps = [(float(m[1].replace('+Inf', 'inf')), v) for m, v in (
        (re.search(re.escape(hello) + ',le="([^"]+)"', k), v)
        for k, v in value.items() if '_bucket{' in k) if m]
    say('/metrics, buckets grow', len(steps) > 5 and steps == sorted(steps) and
        [v for _, v in steps] == sorted(v for _, v in steps) and
        steps[-1] == (float('inf'), calls), steps)
    for name in ('grpcprof_received_bytes_total', 'grpcprof_samples_total',
                 'process_cpu_seconds_total', 'grpcprof_sent_bytes_total',
                 'grpcprof_connections_accepted_total'):
        say('/metrics, %s is more than 0' % name, value.get(name, 0) > 0,
            value.get(name))
    closed = [v for k, v in value.items()
              if k.startswith('grpcprof_connections_closed_total{reason=')]
    say('/metrics, closed connections by reason', sum(closed) ==
        value.get('grpcprof_connections_accepted_total'), closed)
    say('status and /metrics agree', status()['requests'] == calls, status())


MODES = {
    'http': (paths, symbols, methods, visitors, connections, garbage, tokens),
    'slow': (slow,), 'crowd': (crowd,), 'windows': (windows,),
    'signals': (signals,), 'metrics': (metrics,),
}


def main():
    args = [int(x) if x.isdigit() else x for x in sys.argv[4:]]
    for part in MODES[MODE]:
        try:
            part(*args[:part.__code__.co_argcount])
        except Exception as e:          # what follows can still be asked
            say(part.__name__, False, '%s: %s' % (type(e).__name__, e))


main()
