#!/usr/bin/python3
"""callgraph.py FILE.ci: is all that functions called *_sig reach in gcc's call
graph (-fcallgraph-info, without inlining) allowed?  Prints "ok name" or
"FAIL name: why"; exits 1 after a FAIL."""
import re
import sys

# No lock, no allocation, no stream: signal-safety(7), and memory.  backtrace()
# is argued for where it is called.  _dl_find_object() is AS-safe by glibc's
# manual.
ALLOWED = set('''clock_gettime syscall memcpy memmove memset memcmp raise signal
    __errno_location backtrace write _exit _dl_find_object'''.split())

# May call through a pointer: a function of struct unw_memory, only where self
# is not set.  Handlers walk their own process, by unw_self_memory_sig, which
# sets self and clears the pointers; the pointers are attach's, outside handlers.
POINTERS = set('unw_read_sig unw_table_sig unw_code_sig unw_text_sig'.split())


def short(title):
    """The function's name, without the file that a static one carries."""
    return title.rsplit(':', 1)[-1]


def main():
    with open(sys.argv[1], encoding='utf-8') as f:
        text = f.read()
    nodes = {t: label for t, label in re.findall(
        r'node: \{ title: "([^"]*)" label: "([^"]*)"', text)}
    calls = {}
    for a, b in re.findall(
            r'edge: \{ sourcename: "([^"]*)" targetname: "([^"]*)"', text):
        calls.setdefault(a, set()).add(b)
    defined = {t for t, label in nodes.items() if 'bytes (' in label}
    roots = sorted(t for t in defined if short(t).endswith('_sig'))
    bad = len(roots) < 3
    if bad:
        print('FAIL finds the handlers: only', roots)
    for root in roots:
        seen, todo, why = {root}, [root], []
        while todo:
            at = todo.pop()
            for to in sorted(calls.get(at, ())):
                if to == '__indirect_call':
                    if short(at) in POINTERS:
                        continue
                    why.append('%s: a call through a pointer' % short(at))
                elif to not in defined and short(to) not in ALLOWED and \
                        not short(to).startswith('__atomic_'):
                    why.append('%s: %s' % (short(at), short(to)))
                elif to not in seen:
                    seen.add(to)
                    todo.append(to)
        bad |= bool(why)
        if why:
            print('FAIL %s calls nothing unsafe: %s' % (short(root),
                                                        ', '.join(why)))
        else:
            print('ok   %s calls nothing unsafe' % short(root))
    return bad


sys.exit(main())
