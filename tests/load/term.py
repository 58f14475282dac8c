#!/usr/bin/python3
"""What a command prints on a terminal.  Prints "ok name" or "FAIL name: why".

  term.py COLUMNS TERM WANT PROGRAM ARGS...

WANT: redrawn  progress is redrawn in place, with p50, p99 and failed calls
      narrow   the same, without room for all of that
      lines    progress is plain lines, and there is no escape sequence
      none     no progress at all
      fits     a text that fits any width
"""
import fcntl
import os
import pty
import re
import struct
import sys
import termios

COLUMNS, TERM, WANT, PROGRAM = int(sys.argv[1]), *sys.argv[2:5]


def say(name, wrong=''):
    name = '%s at %d columns, %s: %s' % (TERM, COLUMNS, WANT, name)
    print('FAIL %s: %s' % (name, str(wrong)[:300]) if wrong
          else 'ok   ' + name)


def run():
    """Run PROGRAM on a terminal; return its status and what it wrote."""
    ready, go = os.pipe()
    pid, fd = pty.fork()
    if pid == 0:
        os.read(ready, 1)               # the terminal has its size
        os.environ['TERM'] = TERM
        os.environ.pop('NO_COLOR', None)
        os.environ.pop('COLUMNS', None)
        os.execv(PROGRAM, sys.argv[4:])
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 24, COLUMNS, 0, 0))
    os.write(go, b'x')
    out = b''
    while True:
        try:
            some = os.read(fd, 65536)
        except OSError:
            break
        if not some:
            break
        out += some
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status, out.decode().replace('\r\n', '\n')


status, out = run()
say('status 0', status and (status, out))
shown = re.sub('\x1b\\[[0-9;]*[mK]', '', out)
wide = [line for text in shown.split('\n') for line in text.split('\r')
        if len(line) > COLUMNS]
if COLUMNS >= 80 or WANT == 'fits':
    say('no line is wider', wide)
drawn = [x for x in shown.split('\n') if '\r' in x]
steps = [x for text in drawn for x in text.split('\r') if x]
if WANT in ('redrawn', 'narrow'):
    least = r'[0-9,]+ ok, [0-9,]+ failed'
    if WANT == 'redrawn':
        least += r', [0-9,]+/s, p50 \S+ \S+, p99 \S+ \S+'
    say('progress is drawn', not steps and out)
    say('progress says what it should',
        [x for x in steps if not re.match(least, x)])
    say('each drawing erases the rest of the line',
        out.count('\r') != len(re.findall('\r[^\r\n]*\x1b\\[K', out)) and out)
    say('and leaves the last column free',
        [x for x in steps if len(x) >= COLUMNS])
    say('in colour', '\x1b[32m' not in out and out)
elif WANT == 'fits':
    say('there is a text', len(shown.split('\n')) < 9 and out)
else:
    say('nothing is drawn', steps)
    say('no escape sequence', '\x1b' in out and TERM == 'dumb' and out)
    lines = re.findall(r'^[0-9,]+ ok, [0-9,]+ failed, .*p50 .*p99 ', out, re.M)
    say('lines of progress', bool(lines) != (WANT == 'lines') and out)
