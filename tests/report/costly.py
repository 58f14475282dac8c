#!/usr/bin/python3
"""costly.py BIN DIR: costly regular expressions, in a profile's drop_frames and
keep_frames and as --focus, over thousands of functions.  Each must be accepted,
or refused in one line, with at most SECONDS of CPU (a normal build takes less
than one) and MIB of memory.  Prints "ok name" or "FAIL name: why"."""
import os
import resource
import sys

from pb import number, part, varint

BIN, DIR = sys.argv[1:3]
SECONDS, MIB = 20, 100
NAMES = ['a' * 100 + '%04d' % i for i in range(2000)] + [
    'pkg/path.Type%d.method\u00e9' % (i * 7919 % 10007) for i in range(8000)]
COSTLY = {
    'nested counts': '((((a{1,6}){1,6}){1,6}){1,4})*b', 'long counts': '.*a.{900}b',
    'many counts': '(.*a.{490}){2}b|(.*e.{490}){2}z', 'nested stars': '(a*)*(a*)*(a*)*b',
    'a long alternation': '|'.join('name%d.*x' % i for i in range(1300)),
    'empty alternatives': '(' + '|' * 5000 + ')*x', 'many stars': '(.+)+' * 2500 + 'z',
    'large classes': '(?i)' + '[\\x{0}-\\x{10fffe}]*' * 600,
    'conditions': '(?:\\b|\\B|^|$)*' * 900 + 'q', 'optional ones': '(e?){1000}' * 8 + 'zz',
    'too many states': '(a?){1000}' * 99,
}


def profile(drop, keep):
    n, base = len(NAMES), 5
    out = [part(1, number(1, 1) + number(2, 2))] + [
        part(6, s) for s in ['', 'cpu', 'nanoseconds', drop, keep] + NAMES]
    for i in range(1, n + 1):
        out.append(part(5, number(1, i) + number(2, base + i - 1)) +
                   part(4, number(1, i) + number(3, 16 * i) + part(4, number(1, i))))
    for a in range(1, n + 1, 50):
        ids = b''.join(varint(i) for i in range(a, a + 50))
        out.append(part(2, part(1, ids) + part(2, varint(1000000))))
    return b''.join(out) + number(7, 3) + number(8, 4)


def run(name, path, *options):
    """Run report on path; check its memory and CPU time."""
    err = os.open(DIR + '/err', os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    null = os.open('/dev/null', os.O_WRONLY)
    pid = os.posix_spawn(BIN, [BIN, 'report', '-q', '-f', 'top', *options, path],
                         os.environ, file_actions=[
                             (os.POSIX_SPAWN_DUP2, null, 1),
                             (os.POSIX_SPAWN_DUP2, err, 2)])
    _, status, used = os.wait4(pid, 0)
    os.close(err), os.close(null)
    with open(DIR + '/err', errors='replace') as f:
        said = f.read()
    cpu, mib = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, 1, 2) or (code and said.count('\n') != 1):
        print('FAIL %s: status %d: %s' % (name, code, said[-300:].strip()))
    elif cpu > SECONDS or mib > MIB:
        print('FAIL %s: %.1f s of CPU, %d MiB' % (name, cpu, mib))
    else:
        print('ok %s' % name)


resource.setrlimit(resource.RLIMIT_CPU, (900, 900))
for what, text in COSTLY.items():
    for field, pair in (('drop_frames', (text, '')), ('keep_frames', ('.*', text))):
        with open(DIR + '/costly.pb', 'wb') as f:
            f.write(profile(*pair))
        run('%s in %s' % (what, field), DIR + '/costly.pb')
with open(DIR + '/costly.pb', 'wb') as f:
    f.write(profile('', ''))
for what, text in COSTLY.items():
    run('%s in --focus' % what, DIR + '/costly.pb', '--focus', text, '--hide', text)
