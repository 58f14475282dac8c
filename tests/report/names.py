#!/usr/bin/python3
"""Does report give each stack of a table the right category?

  names.py GRPCPROF ROWS FOLDER   a profile in FOLDER for each of the rows in the
                                  file ROWS, whose head says what they are;
                                  prints "ok name" or "FAIL name: why", a line
                                  for each language
"""
import json
import os
import re
import subprocess
import sys

from made_profile import Profile
from wire import say

BIN, ROWS, FOLDER = sys.argv[1:4]
WORDS = {'application': 'application', 'network': 'network system calls',
         'syscalls': 'other system calls', 'memory': 'memory management',
         'protocol': 'HTTP/2 and gRPC protocol', 'locks': 'atomics and locks',
         'serialisation': 'serialisation', 'crypto': 'TLS and cryptography',
         'compression': 'compression', 'time': 'reading the time',
         'libraries': 'runtime and libraries'}


def read(path):
    """{language: [(category, stack, applications or None, main)]}"""
    modules, out = {}, {}

    def frame(text, main):
        name, _, file = text.partition(' #')
        name, _, module = name.partition(' @')
        return name, file, modules.get(module, module) or main

    for line in open(path):
        line = line.rstrip('\n')
        head = re.match(r'\[(\S+)\] main=(\S+) root=(.*)', line)
        if head:
            rows = out.setdefault(head[1], [])
            main = None if head[2] == '-' else head[2]
            root = head[3].split(' < ') if head[3] else []
        elif line.startswith('@'):
            name, _, modules[name[1:]] = line.partition('=')
        elif line.startswith('= '):
            rows[-1][2] = line[2:].split(', ')
        elif line and not line.startswith('#'):
            word, stack = line.split(None, 1)
            rows.append([WORDS[word], [frame(f, main) for f in
                                       stack.split(' < ') + root], None, main])
    return out


def wrong(row, path):
    """What is wrong with report's answer for a row, or nothing."""
    want, stack, apps, main = row
    p = Profile([('samples', 'count'), ('cpu', 'nanoseconds')],
                ('cpu', 'nanoseconds', 10 ** 6), 10, main=main)
    p.mapping('/lib/x86_64-linux-gnu/libc.so.6') if any(
        'libc.so' in (f[2] or '') for f in stack) else None
    p.add(stack, (1000, 10 ** 9)).write(path)
    done = subprocess.run([BIN, 'report', '-q', '-f', 'json', path],
                          capture_output=True, text=True, timeout=60)
    r = json.loads(done.stdout)
    got = max(r['categories'], key=lambda c: c['share'])['name']
    named = [a['name'] for a in r['applications']]
    if got != want:
        return '%s is %s, not %s; ' % (stack[0][0], want, got)
    if apps is not None and named != apps:
        return '%s: %s, not %s; ' % (stack[0][0], apps, named)
    return ''


os.makedirs(FOLDER, exist_ok=True)
for language, rows in read(ROWS).items():
    path = os.path.join(FOLDER, 'row.pb')
    why = ''.join(wrong(row, path) for row in rows)
    say('%d stacks of %s' % (len(rows), language), not why and rows, why)
