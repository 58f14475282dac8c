#!/usr/bin/python3
"""An HTTP/2 server whose answers look like success and are none.

  liar.py MODE          prints "listening on HOST:PORT"; ends by SIGTERM
    good       what they should be: one message, then grpc-status 0
    nostatus   HTTP 200 and a message, but no trailers
    nomessage  grpc-status 0 and no message
    two        grpc-status 0 after two messages
    short      grpc-status 0 after a message that is cut
    html       HTTP 200, text/html, END_STREAM
    http503    HTTP 503 without a grpc-status
    reset      RST_STREAM instead of an answer
    goaway     GOAWAY that disowns the call, then a close
    close      closes each connection once the preface is there
    silent     accepts, and never says a word
    http1      answers in HTTP/1.1
  gRPC's negative HTTP/2 interop cases, and what else a client must bear:
    rst_after_header, rst_during_data, rst_after_data    RST_STREAM(NO_ERROR)
    ping       PINGs around each answer
    max_streams    allows one stream, once the first has been answered
    data_frame_padding   a large reply in padded frames
    every1000  GOAWAY after each 1,000 calls, which are all answered
    no_streams     allows no stream at first, and then ten
    weird_status   grpc-status 77
    trailers_only  an error in one frame
    compressed     a compressed message without grpc-encoding
    interim    1xx headers before the answer
    big_headers    headers of 16 MiB
    continuation   a header block that does not end
    settings_flood SETTINGS without end
    cut        closes in the middle of a message
    garbage    bytes that are no frame
    stall      begins an answer and never ends it
"""
import socket
import struct
import sys
import threading
import time

import h2.config
import h2.connection
import h2.events
import h2.settings

MESSAGE = b'\0\0\0\0\x04\x0a\x02ok'
OK = [('grpc-status', '0')]


def answer(conn, stream, mode):
    def head(status='200', kind='application/grpc', end=False):
        conn.send_headers(stream, [(':status', status), ('content-type', kind)],
                          end_stream=end)

    if mode == 'html':
        head(kind='text/html')
        conn.send_data(stream, b'<p>hello', end_stream=True)
    elif mode == 'http503':
        head('503', 'text/plain', True)
    elif mode == 'reset':
        conn.reset_stream(stream, 2)
    elif mode == 'goaway':
        conn.close_connection(0, last_stream_id=0)
    elif mode == 'nostatus':
        head()
        conn.send_data(stream, MESSAGE, end_stream=True)
    elif mode == 'trailers_only':
        conn.send_headers(stream, [(':status', '200'), (
            'content-type', 'application/grpc'), ('grpc-status', '9'),
            ('grpc-message', 'not%20now')], end_stream=True)
    elif mode == 'rst_after_header':
        head()
        conn.reset_stream(stream, 0)
    elif mode in ('rst_during_data', 'rst_after_data', 'cut', 'stall'):
        head()
        conn.send_data(stream, MESSAGE if mode == 'rst_after_data'
                       else MESSAGE[:-3])
        if mode.startswith('rst'):
            conn.reset_stream(stream, 0)
    elif mode == 'weird_status':
        head()
        conn.send_data(stream, MESSAGE)
        conn.send_headers(stream, [('grpc-status', '77')], end_stream=True)
    elif mode == 'compressed':
        head()
        conn.send_data(stream, b'\1' + MESSAGE[1:])
        conn.send_headers(stream, OK, end_stream=True)
    elif mode == 'data_frame_padding':
        head()
        body = b'\0\0\0\x75\x30' + b'\x0a\xad\xea\1' + b'x' * 29996
        for at in range(0, len(body), 5):
            conn.send_data(stream, body[at:at + 5], pad_length=5)
            if conn.local_flow_control_window(stream) < 100:
                break
        if at + 5 >= len(body):
            conn.send_headers(stream, OK, end_stream=True)
    elif mode == 'interim':
        conn.send_headers(stream, [(':status', '103')])
        head()
        conn.send_data(stream, MESSAGE)
        conn.send_headers(stream, OK, end_stream=True)
    else:
        head()
        body = {'two': MESSAGE * 2, 'short': MESSAGE[:-1],
                'nomessage': b''}.get(mode, MESSAGE)
        if body:
            conn.send_data(stream, body)
        conn.send_headers(stream, OK, end_stream=True)


def frame(kind, flags, stream, payload):
    return (struct.pack('>I', len(payload))[1:] +
            struct.pack('>BBI', kind, flags, stream) + payload)


def big_headers(sock, stream):
    """:status 200 and a thousand headers of 16 KiB, never indexed."""
    field = b'\0\1x\x7f\x81\x7f' + b'v' * 16384
    sock.sendall(frame(1, 0, stream, b'\x88'))
    for i in range(1000):
        for at in range(0, len(field), 16000):
            sock.sendall(frame(9, 0, stream, field[at:at + 16000]))
    sock.sendall(frame(9, 4, stream, b''))
    drain(sock)


def continuation(sock, stream):
    sock.sendall(frame(1, 0, stream, b'\x88'))
    for _ in range(200000):
        sock.sendall(frame(9, 0, stream, b''))
    drain(sock)


def settings_flood(sock, stream):
    for _ in range(200000):
        sock.sendall(frame(4, 0, 0, b''))
    drain(sock)


def garbage(sock, stream):
    sock.sendall(bytes(range(256)) * 40)
    drain(sock)


def drain(sock):
    sock.settimeout(3)
    while sock.recv(65536):
        pass


RAW = {'big_headers': big_headers, 'continuation': continuation,
       'settings_flood': settings_flood, 'garbage': garbage}


def talk(sock, mode):
    if mode == 'silent':
        while sock.recv(65536):
            pass
        return
    if mode == 'http1':
        sock.recv(65536)
        sock.sendall(b'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')
        return
    if mode == 'close':
        sock.recv(65536)
        return
    conn = h2.connection.H2Connection(h2.config.H2Configuration(
        client_side=False, validate_outbound_headers=False))
    if mode == 'no_streams':
        conn.local_settings = h2.settings.Settings(client=False, initial_values={
            h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 0})
    conn.initiate_connection()
    sock.sendall(conn.data_to_send())
    calls = 0
    if mode == 'no_streams':
        time.sleep(0.3)
        conn.update_settings(
            {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 10})
        sock.sendall(conn.data_to_send())
    while True:
        data = sock.recv(65536)
        if not data:
            return
        for event in conn.receive_data(data):
            if isinstance(event, h2.events.DataReceived):
                conn.acknowledge_received_data(
                    event.flow_controlled_length, event.stream_id)
            if isinstance(event, h2.events.StreamEnded):
                calls += 1
                if mode in RAW:
                    sock.sendall(conn.data_to_send())
                    RAW[mode](sock, event.stream_id)
                    return
                if mode == 'ping':
                    conn.ping(b'12345678')
                answer(conn, event.stream_id, mode)
                if mode == 'ping':
                    conn.ping(b'87654321')
                if mode == 'max_streams' and calls == 1:
                    conn.update_settings(
                        {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1})
                if mode == 'every1000' and calls == 1000:
                    sock.sendall(conn.data_to_send() + frame(
                        7, 0, 0, struct.pack('>II', event.stream_id, 0)))
                    while sock.recv(65536):     # what comes now is too late
                        pass
                    return
        sock.sendall(conn.data_to_send())
        if mode == 'cut' and calls:
            return
        if mode == 'goaway' and conn.state_machine.state.name == 'CLOSED':
            return


def serve(sock, mode):
    try:
        with sock:
            talk(sock, mode)
    except (OSError, h2.exceptions.ProtocolError):
        pass


def main():
    listener = socket.create_server(('127.0.0.1', 0), backlog=256)
    print('listening on 127.0.0.1:%d' % listener.getsockname()[1], flush=True)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=serve, args=(sock, sys.argv[1]),
                         daemon=True).start()


main()
