#!/usr/bin/python3
"""Fetches profiles by HTTP, as pprof fetches the same addresses.

  fetch.py BIN PPROFS PROFILE [NAME]

Serves PROFILE in every way that HTTP has, by Python's http.server, to grpcprof
and pprof: either both must accept it, or neither, with listed exceptions.  NAME
is a name of 127.0.0.1 and of ::1.  Prints "ok name",
"SKIP name: why" or "FAIL name: why".
"""
import base64
import gzip
import http.server
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import zlib

BIN, PPROFS, PROFILE = sys.argv[1:4]
NAME = sys.argv[4] if len(sys.argv) > 4 else ''
DATA = open(PROFILE, 'rb').read()
asked = []


def zipped(data):
    return gzip.compress(data)


def raw_deflate(data):
    z = zlib.compressobj(9, zlib.DEFLATED, -15)
    return z.compress(data) + z.flush()


def chunks(data, n, extra=b''):
    out = b''
    for i in range(0, len(data), n):
        part = data[i:i + n]
        out += b'%x%s\r\n%s\r\n' % (len(part), extra, part)
    return out


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *args):
        pass

    def say(self, head, body=b''):
        """Write an answer as it is."""
        self.wfile.write(b'HTTP/1.1 ' + head.replace('\n', '\r\n').encode(
            'latin-1') + b'\r\n\r\n' + body)
        self.close_connection = True

    def body(self, data, *headers, status=200):
        self.send_response(status)
        for key, value in headers:
            self.send_header(key, value)
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def go(self, status, location):
        self.send_response(status)
        self.send_header('Location', location)
        self.send_header('Content-Length', '5')
        self.end_headers()
        self.wfile.write(b'moved')

    def do_GET(self):
        path, _, query = self.path.partition('?')
        word = path.strip('/').split('/')
        asked.append((self.path, dict(self.headers)))
        host = self.headers['Host']
        n = len(DATA)
        if word[0] == 'redirect' and int(word[1]) > 0:
            self.go(int(word[2]), '/redirect/%d/%s' % (int(word[1]) - 1,
                                                       word[2]))
        elif word[0] == 'to':           # /to/STATUS/LOCATION, in base64
            self.go(int(word[1]), base64.urlsafe_b64decode(
                word[2]).decode().replace('HOST', host))
        elif word[0] == 'a' and word[-1] != 'p' and query != 'x=1':
            self.go(302, {'same': 'p', 'up': '../p', 'top': '/p',
                          'dots': './../../a/.././p', 'host': '//%s/p' % host,
                          'query': '?x=1'}[word[2]])
        elif word[0] in ('p', 'redirect', 'a') or path == '/debug/pprof/profile':
            self.body(DATA)
        elif word[0] == 'loop':
            self.go(302, '/loop')
        elif word[0] == 'nowhere':
            self.body(b'', status=302)
        elif word[0] == 'coding':
            data = {'gzip': zipped, 'x-gzip': zipped, 'GZIP': zipped,
                    'deflate': zlib.compress, 'raw': raw_deflate,
                    'identity': bytes, 'br': bytes, 'lie': gzip.decompress,
                    'cut': lambda d: zipped(d)[:-9]}[word[1]](DATA)
            name = {'raw': 'deflate', 'lie': 'gzip', 'cut': 'gzip'}
            self.body(data, ('Content-Encoding', name.get(word[1], word[1])))
        elif word[0] == 'chunked':
            self.say('200 OK\nTransfer-Encoding: chunked', chunks(
                DATA, 7, b';x="y"') + b'0\r\nTrailer: x\r\n\r\n')
        elif word[0] == 'zipped-chunks':
            self.say('200 OK\nTransfer-Encoding: Chunked\n'
                     'content-encoding: gzip',
                     chunks(zipped(DATA), 100) + b'0\r\n\r\n')
        elif word[0] == 'close':
            self.say('200 OK', DATA)
        elif word[0] == 'http10':
            self.wfile.write(b'HTTP/1.0 200 OK\n\n' + DATA)
            self.close_connection = True
        elif word[0] == 'hints':
            self.say('103 Early Hints\nLink: x\n\nHTTP/1.1 100 Continue\n\n'
                     'HTTP/1.1 200 OK\nContent-Length: %d' % n, DATA)
        elif word[0] == 'open':         # says how long it is, and stays open
            self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s'
                             % (n, DATA))
            self.wfile.flush()
            self.connection.recv(1)
        elif word[0] == 'open-chunks':
            self.wfile.write(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked'
                             b'\r\n\r\n' + chunks(DATA, 4096) + b'0\r\n\r\n')
            self.wfile.flush()
            self.connection.recv(1)
        elif word[0] == 'short':
            self.say('200 OK\nContent-Length: %d' % (n + 1), DATA)
        elif word[0] == 'short-chunks':
            self.say('200 OK\nTransfer-Encoding: chunked', chunks(DATA, 50))
        elif word[0] == 'bad-chunk':
            self.say('200 OK\nTransfer-Encoding: chunked',
                     b'zz\r\n' + DATA + b'\r\n0\r\n\r\n')
        elif word[0] == 'huge-chunk':
            self.say('200 OK\nTransfer-Encoding: chunked',
                     b'ffffffffffffffff\r\n' + DATA)
        elif word[0] == 'lengths':
            self.say('200 OK\nContent-Length: 1\nContent-Length: %d' % n, DATA)
        elif word[0] == 'minus':
            self.say('200 OK\nContent-Length: -1', DATA)
        elif word[0] == 'transfer':
            self.say('200 OK\nTransfer-Encoding: gzip, chunked',
                     chunks(zipped(DATA), 100) + b'0\r\n\r\n')
        elif word[0] == 'long-head':
            self.say('200 OK\n' + 'X: %s\n' % ('x' * 1000) * 2000 +
                     'Content-Length: %d' % n, DATA)
        elif word[0] == 'bomb':
            self.body(gzip.compress(bytes(1 << 20)) * 270,
                      ('Content-Encoding', 'gzip'))
        elif word[0] == 'empty':
            self.close_connection = True
        elif word[0] == 'error':        # as net/http/pprof writes one
            self.body(b'\nhot \x1b[31m\xe2\x80\xae\nsecond\n',
                      ('X-Go-Pprof', '1'), ('Content-Type', 'text/plain'),
                      status=int(word[1]))
        else:
            self.send_error(404, 'Nothing here')


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host, port=0):
        self.address_family = socket.AF_INET6 if ':' in host else \
            socket.AF_INET
        super().__init__((host, port), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.port = self.server_address[1]


many = subprocess.Popen([PPROFS], stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        env=dict(os.environ, PATH='/nonexistent',
                                 PPROF_TMPDIR=tempfile.gettempdir()))


def pprof(address):
    many.stdin.write(json.dumps(['-symbolize=none', '-top', address]).encode()
                     + b'\n')
    many.stdin.flush()
    a = json.loads(many.stdout.readline())
    return a['status'], base64.b64decode(a['out'] or '').decode()


def ours(address, *args, cwd=None):
    p = subprocess.run([BIN, 'report', *(args or ('-f', 'top')), address],
                       capture_output=True, text=True, cwd=cwd, timeout=60,
                       errors='replace')
    return p.returncode, p.stdout, p.stderr


def show(name, good, why=''):
    print('ok ' + name if good else 'FAIL %s: %s' % (
        name, str(why).replace('\n', ' | ')[-300:]))


def both(name, address):
    """Check that pprof and grpcprof get the same profile."""
    p, o = pprof(address), ours(address)
    show(name, not p[0] and not o[0] and 'handle' in o[1] and p[1] == o[1],
         (p, o))


def more(name, address):
    """Check that grpcprof accepts what pprof refuses."""
    p, o = pprof(address), ours(address)
    show(name, p[0] and not o[0] and 'handle' in o[1], (p, o))


def refused(name, address, regex):
    """Check that grpcprof refuses it, in a line that matches regex."""
    o = ours(address)
    show(name, o[0] == 1 and not o[1] and o[2].count('\n') == 1 and
         re.search(regex, o[2]) and
         not re.search('[\x00-\x09\x0b-\x1f\x7f\u202e]', o[2]), o)


def neither(name, address, regex):
    """Check that grpcprof and pprof refuse it."""
    p = pprof(address)
    show(name + ', by pprof too', p[0], p)
    refused(name, address, regex)


def bodies(http):
    for what in ('p', 'chunked', 'zipped-chunks', 'close', 'http10', 'hints',
                 'open', 'open-chunks', 'coding/gzip', 'coding/identity'):
        both('fetched, ' + what, http + what)
    for what in ('coding/deflate', 'coding/raw', 'coding/x-gzip'):
        more('fetched, ' + what, http + what)
    refused('refused, coding/br', http + 'coding/br',
            'Content-Encoding br; gzip and deflate')
    refused('refused, long-head', http + 'long-head',
            'head of more than 64 KiB')
    refused('refused, bomb', http + 'bomb', 'inflates to more than 256 MiB')
    for what, regex in (
            ('coding/lie', 'not what its Content-Encoding says'),
            ('coding/cut', 'not what its Content-Encoding says, or is damaged'),
            ('short', 'answer is incomplete'),
            ('short-chunks', 'answer is incomplete'),
            ('bad-chunk', 'malformed chunk'), ('huge-chunk', 'malformed chunk'),
            ('lengths', 'no valid Content-Length'),
            ('minus', 'no valid Content-Length'),
            ('transfer', 'Transfer-Encoding other than chunked'),
            ('empty', 'not HTTP/1.1; is it a debug endpoint')):
        neither('refused, ' + what, http + what, regex)


def to(location, status=302):
    return 'to/%d/%s' % (status, base64.urlsafe_b64encode(
        location.encode()).decode())


def redirects(http):
    for status in (301, 302, 303, 307, 308):
        both('redirect, %d' % status, '%sredirect/1/%d' % (http, status))
    for kind in ('same', 'up', 'top', 'dots', 'host', 'query'):
        both('redirect, relative: ' + kind, http + 'a/b/' + kind)
    both('redirect, absolute', http + to('http://HOST/p'))
    both('redirect, a fragment is not asked for', http + to('/p#frag'))
    both('redirect, nine', http + 'redirect/9/302')
    neither('redirect, ten', http + 'redirect/10/302',
            'stopped after 10 redirects')
    neither('redirect, a loop', http + 'loop', 'is it a loop')
    neither('redirect, without Location', http + 'nowhere',
            'HTTP status 302 Found.*leads nowhere')
    neither('redirect, 300 is none', http + to('/p', 300), 'HTTP status 300')
    neither('redirect, to https', http + to('https://HOST/p'),
            'https://.* the server answered without TLS; use http://')
    neither('redirect, to a file', http + to('file:///etc/passwd'),
            'redirects to .*begins with http://')
    neither('redirect, to a closed port', http + to('http://127.0.0.1:1/p'),
            '127.0.0.1:1: Connection refused')
    asked.clear()
    ours(http + to('/p%20q r'))
    show('redirect, a blank is escaped', asked[-1][0] == '/p%20q%20r', asked)


def errors(http):
    neither('an error of net/http/pprof', http + 'error/500',
            r'/error/500: HTTP status 500 Internal Server Error: hot '
            r'\S+ \(if another profile is being taken')
    neither('an error page', http + 'none',
            r'HTTP status 404 Nothing here: Error response \(does the server '
            'import net/http/pprof')
    neither('an error that asks for a password', http + 'error/401',
            'HTTP status 401 .*curl -u USER')
    neither('an error that nobody knows', http + 'error/418',
            "HTTP status 418 I'm a [Tt]eapot: hot ")


def addresses(port):
    both('an address without http://', '127.0.0.1:%d/p' % port)
    both('an address with HTTP://', 'HTTP://127.0.0.1:%d/p' % port)
    both('an address with a query', '127.0.0.1:%d/p?seconds=1' % port)
    both('a name without http://', 'localhost:%d/p' % port)
    both('a port alone', ':%d/p' % port)
    more('an address without a path', '127.0.0.1:%d' % port)
    show('an address without a path, the default',
         asked[-1][0] == '/debug/pprof/profile', asked[-1])
    ours('localhost:%d/?seconds=3' % port)
    show('an address with a query alone',
         asked[-1][0] == '/debug/pprof/profile?seconds=3', asked[-1])
    show('headers of a request', asked[-1][1]['Host'] == 'localhost:%d' % port
         and asked[-1][1]['Accept-Encoding'] == 'gzip', asked[-1])
    neither('https', 'https://127.0.0.1:%d/p' % port,
            'https://.* the server answered without TLS; use http://')
    o = ours('http://me:secret@127.0.0.1:%d/p' % port)
    show('a password', o[0] == 1 and 'secret' not in o[2] and
         'curl -u USER' in o[2], o)
    neither('a scheme that is none', 'ftp://127.0.0.1:%d/p' % port,
            'No such file|begins with http://')
    with tempfile.TemporaryDirectory() as d:
        name = 'localhost:%d' % port
        with open(os.path.join(d, name), 'wb') as f:
            f.write(DATA)
        n = len(asked)
        o = ours(name, cwd=d)
        show('a file called like an address', not o[0] and len(asked) == n, o)
    try:
        six = Server('::1')
    except OSError as e:
        print('SKIP IPv6: %s' % e)
        return
    both('IPv6', 'http://[::1]:%d/p' % six.port)
    both('IPv6, without http://', '[::1]:%d/p' % six.port)
    if not NAME:
        print('SKIP a name of several addresses: none here')
        return
    four = Server('127.0.0.1')
    both('a name of two addresses, IPv6 listens', '%s:%d/p' % (NAME, six.port))
    both('a name of two addresses, IPv4 listens', '%s:%d/p' % (NAME, four.port))
    four.shutdown()
    four.server_close()
    neither('a name of two addresses, none listens', '%s:%d/p' % (
        NAME, four.port), 'Connection refused, at each of its 2 addresses')


def main():
    web = Server('127.0.0.1')
    http = 'http://127.0.0.1:%d/' % web.port
    bodies(http)
    redirects(http)
    errors(http)
    addresses(web.port)


main()
