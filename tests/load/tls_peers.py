#!/usr/bin/python3
"""Servers that speak TLS correctly, in an unexpected way, or not at all.

  tls_peers.py DIR      DIR has ca.pem, and NAME.pem and NAME.key of each server.
                        Prints "NAME HOST:PORT" for each, then "ready".
  tls_peers.py call DIR HOST:PORT [NAME]    a call by grpcio with NAME.pem, or
                                            none; prints the reply or status
  tls_peers.py drop HOST:PORT    five clients that disconnect after ClientHello

On python3-grpcio, by the certificate: server other expired future self via, and
client (which requires a client certificate) and plain (which has no TLS).
On Python's ssl: noalpn, http1 (ALPN without h2), tls11 (nothing newer), and
https, which serves DIR/profile.pb.  By hand: mute, shut, bye (answers with
close_notify), junk (HTTP without TLS) and huge (a handshake message of 16 MB).
"""
import os
import socket
import ssl
import struct
import sys
import threading
from concurrent import futures

HELLO = '/helloworld.Greeter/SayHello'


def say_hello(data, _):
    return b'\x0a' + bytes([len(data) + 4]) + b'Hello ' + data[2:]


def of_grpc(d):
    import grpc
    server = grpc.server(futures.ThreadPoolExecutor(4),
                         options=[('grpc.so_reuseport', 0)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(
        'helloworld.Greeter',
        {'SayHello': grpc.unary_unary_rpc_method_handler(say_hello)}),))

    def text(name):
        with open(os.path.join(d, name), 'rb') as f:
            return f.read()

    ports = {'plain': server.add_insecure_port('127.0.0.1:0')}
    for name in ('server', 'other', 'expired', 'future', 'self', 'via',
                 'client'):
        of = 'server' if name == 'client' else name
        ca = text('ca.pem') if name == 'client' else None
        ports[name] = server.add_secure_port(
            '127.0.0.1:0', grpc.ssl_server_credentials(
                [(text(of + '.key'), text(of + '.pem'))], ca, ca is not None))
    server.start()
    return server, ports


def of_ssl(d, name, handle, alpn=None, old=False):
    def serve():
        while True:
            s = listener.accept()[0]
            try:
                with context.wrap_socket(s, server_side=True) as t:
                    handle(t)
            except (OSError, ssl.SSLError):
                s.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(d, 'server.pem'),
                            os.path.join(d, 'server.key'))
    if alpn:
        context.set_alpn_protocols(alpn)
    if old:
        context.set_ciphers('ALL:@SECLEVEL=0')
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    listener = socket.create_server(('127.0.0.1', 0))
    threading.Thread(target=serve, daemon=True).start()
    return {name: listener.getsockname()[1]}


def by_hand(name, data, close):
    kept = []

    def serve():
        while True:
            s = listener.accept()[0]
            try:
                if close is not None:
                    s.recv(4096 if data else 1)
                    s.sendall(data)
            except OSError:
                pass
            if close:
                s.close()
            else:
                kept.append(s)

    listener = socket.create_server(('127.0.0.1', 0))
    threading.Thread(target=serve, daemon=True).start()
    return {name: listener.getsockname()[1]}


def read_all(t):
    while t.recv(4096):
        pass


def https(d):
    def answer(t):
        t.recv(4096)
        with open(os.path.join(d, 'profile.pb'), 'rb') as f:
            data = f.read()
        t.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % len(data)
                  + data)

    return of_ssl(d, 'https', answer)


def call(d, address, name):
    import grpc

    def text(which):
        with open(os.path.join(d, which), 'rb') as f:
            return f.read()

    credentials = grpc.ssl_channel_credentials(
        text('ca.pem'), *([text(name + '.key'), text(name + '.pem')]
                          if name else []))
    with grpc.secure_channel(address, credentials) as channel:
        try:
            for _ in range(3):
                reply = channel.unary_unary(HELLO)(b'\x0a\x03you', timeout=10)
            print('reply', reply[2:].decode())
        except grpc.RpcError as e:
            print('status', e.code().name)


def drop(address):
    hello = ssl.MemoryBIO()
    context = ssl.create_default_context()
    try:
        context.wrap_bio(ssl.MemoryBIO(), hello, server_hostname='localhost'
                         ).do_handshake()
    except ssl.SSLWantReadError:
        pass
    hello, (host, port) = hello.read(), address.split(':')
    for _ in range(5):
        with socket.create_connection((host, int(port))) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                         struct.pack('ii', 1, 0))       # RST, not FIN
            s.sendall(hello)


def main():
    if sys.argv[1] == 'drop':
        drop(sys.argv[2])
        return
    if sys.argv[1] == 'call':
        call(sys.argv[2], sys.argv[3], sys.argv[4] if len(sys.argv) > 4 else '')
        return
    d = sys.argv[1]
    server, ports = of_grpc(d)
    ports.update(of_ssl(d, 'noalpn', read_all))
    ports.update(of_ssl(d, 'http1', read_all, ['http/1.1']))
    ports.update(of_ssl(d, 'tls11', read_all, None, True))
    ports.update(https(d))
    ports.update(by_hand('mute', b'', None))
    ports.update(by_hand('shut', b'', True))
    ports.update(by_hand('bye', b'\x15\x03\x03\0\2\1\0', True))
    ports.update(by_hand('junk', b'HTTP/1.1 400 Bad Request\r\n\r\n', True))
    # A ServerHello of 0xffffff bytes, in records of 16 KiB.
    record = b'\x16\x03\x03\x40\x00'
    ports.update(by_hand('huge', record + b'\x02\xff\xff\xff' + b'x' * 16380 +
                         (record + b'x' * 16384) * 1023, False))
    for name, port in ports.items():
        print('%s 127.0.0.1:%d' % (name, port))
    print('ready', flush=True)
    server.wait_for_termination()


main()
