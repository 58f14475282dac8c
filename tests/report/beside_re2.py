#!/usr/bin/python3
"""Compare grpcprof's regular expressions with RE2.

  beside_re2.py UNIT PAIRS SEED     PYTHONPATH has google-re2, tests/lib

UNIT is .build/unit.  PAIRS random pairs of an expression and a text are made by
SEED: grpcprof and RE2 must agree on whether the expression is valid and whether
it matches the text.  Prints "ok NAME", with counts, or "FAIL NAME: WHY" for
each difference, up to ten.  These do not count as differences:

  refused by name   \\pN, \\p{Greek}, \\C, names of groups beyond ASCII, and bytes
                    of surrogates (not UTF-8): the message must name the construct
  too large         one of the two says that the expression is too large
  not UTF-8         RE2 matches bytes that are not UTF-8 with nothing, Go's
                    regexp and grpcprof with U+FFFD.  RE2 is asked about the text
                    with U+FFFD for each such byte, and must agree.
  \\B                matches between any two bytes in RE2, between characters in
                    Go's regexp and grpcprof.  RE2 is asked whether the
                    expression matches after any number of characters, and must
                    agree.
"""
import collections
import random
import re
import struct
import subprocess
import sys

import re2

from expressions import cases_of_letters, expression, text_like


def as_go(text):
    """text with U+FFFD for each byte that is not UTF-8, as Go reads it."""
    try:
        text.decode()
        return text
    except UnicodeDecodeError:
        pass
    out, at = b'', 0
    while at < len(text):
        for n in (1, 2, 3, 4):
            try:
                out += text[at:at + n].decode().encode()
                break
            except UnicodeDecodeError:
                pass
        else:
            out, n = out + '\ufffd'.encode(), 1
        at += n
    return out


OPTIONS = re2.Options()
OPTIONS.log_errors = False
JUDGE = re2._re2.RE2
ANY = re2._re2.RE2.Anchor.UNANCHORED


class Judge:
    """What RE2 says of one expression."""

    def __init__(self, e):
        self.re = JUDGE(e, OPTIONS)
        self.error = '' if self.re.ok() else self.re.error().decode(
            'utf-8', 'replace')
        self.between = None
        if not self.error and b'\\B' in e:
            for end in (b')', b'\\E)'):
                self.between = JUDGE(b'\\A(?s:.)*?(?:' + e + end, OPTIONS)
                if self.between.ok():
                    break

    def matches(self, text):
        text = as_go(text)
        r = self.re
        if self.between and not text.isascii():
            r = self.between
        return r.Match(ANY, text, 0, len(text))[0] != (-1, -1)


def refused_by_name(e, why):
    try:
        e.decode()
    except UnicodeDecodeError:
        if "not UTF-8: '" in why:
            return True
    for sign, says in ((rb'\\[pP]', "Unicode classes are not supported: '"),
                       (rb'\\C', "unsupported escape: '\\C"),
                       (rb'\(\?P?<[^>]*[\x80-\xff]', "not a name of a group: '")):
        if re.search(sign, e) and says in why:
            return True
    return False


def compare(e, texts, answer, tally):
    """Return a difference, or None."""
    judge = Judge(e)
    refused = answer.startswith('R ')
    if judge.error and refused:
        tally['refused by both'] += len(texts)
        return None
    if judge.error or refused:
        if judge.error.startswith('pattern too large') or \
                'too large, use less repetition' in answer:
            tally['too large for one'] += len(texts)
            return None
        if refused and refused_by_name(e, answer):
            tally['refused by name'] += len(texts)
            return None
        return '%r: RE2 says %r, ours %r' % (e, judge.error or 'valid', answer)
    for text, ours in zip(texts, answer):
        says = 'M' if judge.matches(text) else 'N'
        if says != ours:
            return '%r on %r: RE2 says %s, ours %s' % (e, text, says, ours)
        tally['matches' if says == 'M' else 'does not match'] += 1
    return None


def main():
    unit, pairs, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    random.seed(seed)
    letters = [(e.encode(), [t.encode() for t in near])
               for e, near in cases_of_letters()]
    # All of them, or a share where few pairs are asked for.
    some = letters[::max(1, len(letters) * 50 // pairs)]
    n, cases = sum(len(t) for _, t in some), some
    while n < pairs:
        e, sample = expression()
        cases.append((e, [text_like(sample) for _ in range(5)]))
        n += 5
    blob = b''.join(struct.pack('<II', len(e), len(texts)) + e + b''.join(
        struct.pack('<I', len(t)) + t for t in texts) for e, texts in cases)
    run = subprocess.run([unit, '-expressions'], input=blob,
                         stdout=subprocess.PIPE)
    answers = run.stdout.decode('utf-8', 'replace').split('\n')[:-1]
    if run.returncode or len(answers) != len(cases):
        sys.exit('status %d, %d answers for %d expressions' % (
            run.returncode, len(answers), len(cases)))
    tally, bad = collections.Counter(), 0
    for (e, texts), answer in zip(cases, answers):
        why = compare(e, texts, answer, tally)
        if why:
            bad += 1
            if bad <= 10:
                print('FAIL expressions as RE2: ' + why)
    if bad > 10:
        print('FAIL expressions as RE2: %d more' % (bad - 10))
    if not bad:
        print('ok expressions as RE2, %d pairs of seed %d (%s)' % (n, seed, ', '.join(
            '%d %s' % (v, k) for k, v in sorted(tally.items()))))
    sys.exit(bad > 0)


main()
