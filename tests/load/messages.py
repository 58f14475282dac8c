#!/usr/bin/python3
"""A server of test.Echo (rich.proto) that logs the calls that it gets, and of
given.Keeper (given.proto), which sends back what it gets.

  messages.py serve SET LOG   on a free port, which it prints; appends to LOG a
                              line of JSON for each call: its method, metadata,
                              and messages as protobuf reads them.  Unary sends
                              back the message; Download sends it three times,
                              with i32 0, 1, 2, or not at all if its text is
                              "none"; Upload sends back an empty message
  messages.py given SET       prints for each field of given.Given an expression
                              of --check that holds if the field is left out,
                              by Python's protobuf
  messages.py judge LOG EXPR  evaluates EXPR, Python, with c, the calls of LOG,
                              and v(name), the values of a field of their first
                              messages; exits 1 unless it is true
"""
import base64
import concurrent.futures
import json
import math
import sys
import threading


def load(path, name):
    from google.protobuf import (descriptor_pb2, descriptor_pool, json_format,
                                 message_factory)
    files = descriptor_pb2.FileDescriptorSet()
    with open(path, 'rb') as f:
        files.ParseFromString(f.read())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    made = message_factory.MessageFactory(pool).GetPrototype(
        pool.FindMessageTypeByName(name))
    return made, lambda m: json_format.MessageToDict(m, descriptor_pool=pool)


def serve(path, log):
    import grpc
    rich, to_dict = load(path, 'test.Rich')
    lock = threading.Lock()
    out = open(log, 'a', encoding='utf-8')

    def note(method, context, messages):
        line = {'method': method, 'messages': [to_dict(m) for m in messages],
                'metadata': {k: v for k, v in context.invocation_metadata()}}
        with lock:
            out.write(json.dumps(line) + '\n')
            out.flush()

    def unary(m, context):
        note('Unary', context, [m])
        return m

    def upload(stream, context):
        note('Upload', context, list(stream))
        return rich()

    def download(m, context):
        note('Download', context, [m])
        for i in range(0 if m.text == 'none' else 3):
            m.i32 = i
            yield m

    codec = dict(request_deserializer=rich.FromString,
                 response_serializer=rich.SerializeToString)
    handlers = {'Unary': grpc.unary_unary_rpc_method_handler(unary, **codec),
                'Upload': grpc.stream_unary_rpc_method_handler(upload, **codec),
                'Download':
                    grpc.unary_stream_rpc_method_handler(download, **codec)}
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((
        grpc.method_handlers_generic_handler('test.Echo', handlers),
        grpc.method_handlers_generic_handler('given.Keeper', {
            'Do': grpc.unary_unary_rpc_method_handler(lambda m, context: m)})))
    print('listening on 127.0.0.1:%d' % server.add_insecure_port('127.0.0.1:0'),
          flush=True)
    server.start()
    server.wait_for_termination(120)


def value(field, v):
    """What --check says of v, a value of the field: an operator and a value."""
    if field.enum_type:
        v = field.enum_type.values_by_number[v].name
    elif isinstance(v, float) and not math.isfinite(v):
        return '> 3e38' if v > 0 else '< -3e38' if v < 0 else '!= 0'
    elif isinstance(v, bytes):
        v = base64.b64encode(v).decode()
    elif isinstance(v, str) or isinstance(v, bool):
        v = json.dumps(v)
    return '== %s' % v


def given(path):
    made, _ = load(path, 'given.Given')
    for field in made.DESCRIPTOR.fields:
        if field.label != field.LABEL_REPEATED and not field.message_type:
            print(field.name, value(field, getattr(made(), field.name)))


def judge(log, expression):
    with open(log, encoding='utf-8') as f:
        c = [json.loads(line) for line in f]

    def v(name):
        return [x['messages'][0].get(name) for x in c]

    try:
        good = eval('(' + expression + ')', {'c': c, 'v': v})
    except (KeyError, IndexError, TypeError, ValueError) as e:
        good = False
        print(repr(e), file=sys.stderr)
    if not good:
        print(json.dumps(c)[:600], file=sys.stderr)
    return 0 if good else 1


if sys.argv[1] == 'serve':
    serve(*sys.argv[2:])
elif sys.argv[1] == 'given':
    given(*sys.argv[2:])
else:
    sys.exit(judge(*sys.argv[2:]))
