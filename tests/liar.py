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
"""
import socket
import sys
import threading

import h2.config
import h2.connection
import h2.events

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
    else:
        head()
        body = {'two': MESSAGE * 2, 'short': MESSAGE[:-1],
                'nomessage': b''}.get(mode, MESSAGE)
        if body:
            conn.send_data(stream, body)
        conn.send_headers(stream, OK, end_stream=True)


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
    conn.initiate_connection()
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
                answer(conn, event.stream_id, mode)
        sock.sendall(conn.data_to_send())
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
