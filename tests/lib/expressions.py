"""Random regular expressions in RE2's syntax, and texts that they may match:
expression() and text_like(), by the state of the module random.  Some of the
expressions are invalid, or not UTF-8; none has a zero byte.
"""
import collections
import random
import re

CHARS = list('abkKsS019_ -.:/\n\t~&#@%,<>=!') + [
    'é', 'É', 'ß', 'ẞ', '€', '\U0001f600', 'ı', 'İ', 'ſ', '\u212a', 'σ', 'ς',
    'Σ', 'ǆ', 'ǅ', 'µ', 'μ', 'θ', 'ϑ', 'Ω', '\u2126', '\ufffd', '\u4e2d',
    '\U00010400', '\U00010428', '\x7f', '\x80', '\u1e9b', 'ა', 'Ა', 'Ꭰ', 'ꭰ']
TEXT = [c.encode() for c in CHARS] + [b'\0', b'\r', b'\x0b', b'\\', b'(', b'{',
                                      b'}', b']', b'^', b'$', b'*', b'|', b'?']
BROKEN = [b'\xff', b'\xc3', b'\x80', b'\xe2\x82', b'\xed\xa0\x80', b'\xc0\x80',
          b'\xf4\x90\x80\x80', b'\xf0\x9f\x98']
POSIX = ['alnum', 'alpha', 'ascii', 'blank', 'cntrl', 'digit', 'graph', 'lower',
         'print', 'punct', 'space', 'upper', 'word', 'xdigit']
PERL = ['\\d', '\\D', '\\s', '\\S', '\\w', '\\W']
EDGES = ['^', '$', '\\A', '\\z', '\\b', '\\B']
REFUSED = ['\\pL', '\\PN', '\\p{Greek}', '\\p{^Lu}', '\\P{Any}', '\\pX',
           '\\p{Foo}', '\\p', '\\C', '(?P<é>a)']
BAD = ['(?=a)', '(?!a)', '(?<=a)', '(?P=n)', '(?x)', '(?P<>a)', '(?P<n', '(?#a)',
       '(?-)', '(?i-)', '(?--i)', '(?P<a-b>c)', '\\1', '\\8', '\\Z', '\\E',
       '\\G', '\\h', '\\e', '\\xg', '\\x6', '\\x{}', '\\x{110000}', '\\x{61',
       '\\x{g}', '[b-a]', '[a', '[]', '[^]', '[[:foo:]]', '[a-\\d]', '[\\pL]',
       '[\\C]', '[\\Qa\\E]', '[[:alpha:]', '[\\', '[a-', '(', ')', '*', '+?',
       'a**', 'a*{2}', 'a{2}{3}', 'a{1001}', 'a{2,1}', '(a{40}){40}', '|*', '(|*)',
       '(?i)*', '(*)', '\\é', '\\', '(?', '(?i', '(?i:', '(?P', '(?P<', 'a{3', '[[:',
       '(?<a', 'a{,', '\\Q', 'x{1000}{0}', '(x{0}){2}', '((a{2}){500}){1}',
       '((a{2}){501}){1}', '(a{999,}){2}', '(?:a{0,1000}){0}', 'a{99999999999}']
META = list('\\[](){}|*+?^$.-:,<>P') + ['(?', '[^', '[:', ':]', '{2}', '\\Q', '\\E',
                                        '\\x{', '(?i)', '(?m)', '{0,', '*?']


def pick(from_):
    return random.choice(from_)


def escape(c):
    """One of the ways to write the character c."""
    way, code = random.random(), ord(c)
    if way < .4 and (c.isalnum() or c in '_ -:/~&#@%,<>=!' or code > 127):
        return c
    if way < .5 and code < 128 and not c.isalnum():
        return '\\' + c
    if way < .6:
        return '\\x{%s%X}' % ('0' * random.randrange(8), code)
    if way < .7 and code < 256:
        return '\\x%02x' % code
    if way < .8 and code < 512:
        return '\\%03o' % code if code > 63 else '\\%o' % (code + 0) \
            if code > 7 else '\\0%o' % code
    if c in '\n\t\r\f\v\a':
        return '\\' + 'ntrfva'['\n\t\r\f\v\a'.index(c)]
    return re.sub(r'([\\.+*?()|\[\]{}^$])', r'\\\1', c)


def in_class():
    """The inside of a character class, and a character that it may match."""
    a, b = sorted((pick(CHARS), pick(CHARS)))
    return pick([
        lambda: (escape(a), a), lambda: (escape(a), a),
        lambda: (escape(a) + '-' + escape(b), pick((a, b))),
        lambda: ('a-z', 'q'), lambda: (pick(PERL), a), lambda: ('[', '['),
        lambda: ('[:%s%s:]' % (pick(('', '', '^')), pick(POSIX)), a),
        lambda: (pick('.$*+?(){}|^'), '.'), lambda: ('&&', '&'),
        lambda: ('\\x{%x}-\\x{%x}' % (ord(a), ord(b) + random.randrange(3)), b),
    ])()


def class_():
    parts = [in_class() for _ in range(random.randrange(1, 4))]
    head = pick(('', '', '', '^', ']', '^]', '-', '^-'))
    tail = pick(('', '', '', '-'))
    return '[%s%s%s]' % (head, ''.join(p[0] for p in parts), tail), \
        lambda: pick(parts)[1] if head[:1] != '^' else pick(CHARS)


def atom():
    way = random.random()
    if way < .5:
        c = pick(CHARS)
        return escape(c), lambda: c
    if way < .58:
        return pick(('.', '.', '[\\s\\S]', '[^\\n]')), lambda: pick(CHARS)
    if way < .66:
        return pick(PERL), lambda: pick(CHARS)
    if way < .84:
        return class_()
    if way < .93:
        return pick(EDGES), lambda: ''
    if way < .97:
        s = ''.join(pick('ab.*[(\\|{é') for _ in range(random.randrange(4)))
        return '\\Q%s\\E' % s, lambda: s
    return pick(('()', '(|a)', '(?:)', '(a|)', '(?:|)', '{', '}', ']', 'a{', '{,2}',
                 'a{,2}', 'a{1', '::', '{a}', 'a{01}', 'a{1,2', 'a{ 1}')), lambda: 'a'


def repeated(e, text, depth):
    n, m = random.randrange(4), random.randrange(4)
    if depth < 2 and random.random() < .03:
        n, m = pick(((40, 2), (0, 60), (25, 0)))
    how, least, most = pick((
        ('*', 0, 3), ('+', 1, 3), ('?', 0, 1), ('{%d}' % n, n, n),
        ('{%d,}' % n, n, n + 1), ('{%d,%d}' % (n, n + m), n, n + m)))
    return e + how + pick(('', '', '?')), lambda: ''.join(
        text() for _ in range(random.randint(least, most)))


def group(e, text):
    flags = pick(('', '', 'i', 's', 'm', 'U', '-i', '-s', 'i-s', 'sm', 'mi-Us', '-m'))
    return pick(('(%s)', '(?:%s)', '(?P<x%d>%%s)' % random.randrange(10 ** 6),
                 '(?<y%d>%%s)' % random.randrange(10 ** 6),
                 '(?%s:%%s)' % flags)) % e, text


def made(depth):
    """An expression, and a function that makes texts that it may match."""
    way = random.random()
    if depth <= 0 or way < .2:
        e, text = atom()
        if len(e) > 1 and e[-1] in 'abé ' and e[0] not in '\\[(':
            e = '(?:%s)' % e
        return repeated(e, text, depth) if random.random() < .25 else (e, text)
    a, s = made(depth - 1)
    if way < .55:
        b, t = made(depth - 1)
        flag = pick(('(?i)', '(?s)', '(?m)', '(?U)', '(?-i)', '(?)')) \
            if random.random() < .04 else ''
        return a + flag + b, lambda: s() + t()
    if way < .7:
        b, t = made(depth - 1)
        return a + '|' + b, lambda: pick((s, t))()
    if way < .85:
        return group(a, s)
    e, s = group(a, s)
    return repeated(e, s, depth)


def mutated(e):
    """e with one or two changes, which often make it invalid."""
    for _ in range(random.randrange(1, 3)):
        at = random.randrange(len(e) + 1)
        how = random.random()
        if how < .4:
            e = e[:at] + pick(META).encode() + e[at:]
        elif how < .6:
            e = e[:at] + e[at + random.randrange(1, 4):]
        elif how < .7:
            e = e[:at] + pick(BAD).encode() + e[at:]
        elif how < .75:
            e = e[:at] + pick(BROKEN) + e[at:]
        elif how < .8:
            e = e[:at] + pick(REFUSED).encode() + e[at:]
        else:
            end = at + random.randrange(6)
            e = e[:end] + e[at:end] + e[end:]
    return e.replace(b'\0', b'')


def expression():
    e, text = made(random.randrange(6))
    if random.random() < .2:
        e = pick(('(?i)', '(?i)', '(?s)', '(?m)', '(?U)', '(?im)')) + e
    if random.random() < .1:
        e = '^' + e + pick(('$', ''))
    if random.random() < .02:
        e += pick(BAD + REFUSED)
    e = e.encode()
    return (mutated(e) if random.random() < .2 else e)[:4000], text


def text_like(sample):
    """A text near one that the expression may match, or any text."""
    def any_():
        return b''.join(pick(TEXT) for _ in range(random.randrange(5)))
    if random.random() < .3:
        t = any_() + any_()
    else:
        t = sample()[:300]
        way = random.random()
        t = t.swapcase() if way < .15 else t.upper() if way < .2 else t
        t = t.encode()
        if random.random() < .3:
            t = any_() + t + any_()
    for _ in range(random.randrange(3) if random.random() < .2 else 0):
        at = random.randrange(len(t) + 1)
        t = t[:at] + pick(BROKEN + TEXT) + t[at + random.randrange(2):]
    return t


def cases_of_letters():
    """All characters that have another case, their neighbours, and those that
    Python takes for the same letter; "-" stands for all others."""
    same = collections.defaultdict(set)
    for c in map(chr, range(0x1f000)):
        if 0xd800 <= ord(c) <= 0xdfff:
            continue
        for d in {c.lower(), c.upper(), c.title(), c.casefold(), c.swapcase()}:
            if d != c and len(d) == 1:
                same[c].add(d)
                same[d].add(c)
    for c in sorted(same):
        near = set(same[c])
        for d in same[c]:
            near |= same[d]
        near |= {chr(max(0, ord(c) + k)) for k in (-1, 0, 1, 32, -32)
                 if not 0xd800 <= ord(c) + k <= 0xdfff}
        yield '(?i)^\\x{%x}$' % ord(c), sorted(near)


def seeds(folder, n):
    """Write n files of an expression, a zero byte and a text it may match."""
    random.seed(1)
    for i in range(n):
        e, sample = expression()
        with open('%s/%d' % (folder, i), 'wb') as f:
            f.write(e + b'\0' + text_like(sample))
