#!/usr/bin/python3
"""Profiles for the tests, encoded by protoc, and names that need escaping.

  profiles.py tree SEED FILE     2,000 samples of a program with many functions
                                 of all kinds, in deep stacks
  profiles.py small FILE         all fields that a profile can have, once or twice
  profiles.py legacy FILE        gperftools' format of CPU profiles
  profiles.py hurt FILE          functions, files, modules and labels with names
                                 that need escaping
  profiles.py names FILE         those names as JSON, as they must be shown
  profiles.py check FORMAT FILE  is the report of "hurt" right, in this format?
                                 Prints "ok name" or "FAIL name: why"
"""
import html.parser
import json
import random
import re
import subprocess
import sys
import xml.etree.ElementTree as xml

# Protobuf's text format must be UTF-8: other bytes, of the same length, replace
# these afterwards.
NOT_UTF8, INSTEAD = b'bad\xff\xfe\xc0\x80utf8', 'bad~~~~utf8'
NAMES = [
    '<script>window.hurt=1</script>', '</script><script>window.hurt=2</script>',
    ']]><script>window.hurt=3</script>', '--><b onload=window.hurt=4>',
    '"><img src=x onerror="window.hurt=5">', "' onmouseover='window.hurt=6",
    'javascript:window.hurt=7', '</svg></style></title><svg onload=hurt=8>',
    '&lt;&amp;&#60;&nosuch;', 'quote " and \' and ` and \\ and \\n',
    'esc\x1b[31mred\x07\x01\x7f\x9b', 'two\nlines\r\nand\ttab',
    '\u0645\u0631\u062d\u0628\u0627::\u0639\u0627\u0644\u0645',
    'turned\u202eround\u2066', 'line\u2028end\u2029s', 'emoji \U0001f525 \ufeff',
    'semi;colon;name', '%s%n%1000000d', '$(touch hurt) `touch hurt`',
    '{"json": [null]}', '#frag?query=1&x=<y>', '=cmd|\'/C calc\'!A1',
    'x' * 10000, '\u4e2d' * 3000, INSTEAD,
]
FIT = '\ufffd'


def shown(name):
    """How a name must be shown to people."""
    name = name.replace(INSTEAD, 'bad' + 4 * FIT + 'utf8').replace('\t', ' ')
    return re.sub('[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]', FIT, name)


def quoted(s):
    return '"%s"' % ''.join('\\%03o' % b for b in s.encode('utf-8'))


def encode(lines, path):
    encoded = subprocess.run(
        ['protoc', '-Iproto', '--encode=perftools.profiles.Profile',
         'profile.proto'], input='\n'.join(lines).encode(), check=True,
        stdout=subprocess.PIPE).stdout
    with open(path, 'wb') as f:
        f.write(encoded.replace(INSTEAD.encode(), NOT_UTF8))


def make_hurt(path):
    out = ['string_table: ""']
    for s in ['cpu', 'nanoseconds', 'main', *NAMES]:
        out.append('string_table: ' + quoted(s))
    out.append('sample_type { type: 1 unit: 2 } period_type { type: 1 unit: 2 }'
               'period: 1000000 default_sample_type: 1')
    out.append('mapping { id: 1 filename: 3 } function { id: 1 name: 3 } '
               'location { id: 1 mapping_id: 1 line { function_id: 1 } }')
    for i in range(len(NAMES)):
        n, s = i + 2, i + 4
        out.append(
            'mapping { id: %d memory_start: %d memory_limit: %d filename: %d } '
            'function { id: %d name: %d filename: %d } location { id: %d '
            'mapping_id: %d line { function_id: %d line: 7 } } sample { '
            'location_id: [%d, 1] value: 40000000 label { key: %d str: %d } }'
            % (n, n << 20, (n << 20) + 4096, s, n, s, s, n, n, n, n, s, s))
    encode(out, path)


# Names of functions: leaves of each category, and inner ones.
LEAVES = ['send', 'epoll_wait', 'malloc', 'nghttp2_session_mem_recv', 'inflate',
          'pthread_mutex_lock', 'memcpy', 'runtime.mallocgc', 'SSL_read',
          'google::protobuf::internal::WireFormat::Serialize(int, char const*)']
MIDDLE = ['main.(*Table).Insert', 'std::vector<int>::push_back', 'handle_call',
          'net_loop', 'encode_record', 'app::cache::<impl Lookup>::get',
          'parse', 'a_function_with_quite_a_long_name_indeed', 'visit', 'sort']


def make_tree(seed, path):
    at, strings = random.Random(seed), ['', 'samples', 'count', 'cpu',
                                        'nanoseconds', '/opt/app/server', 'k']
    out = ['sample_type { type: 1 unit: 2 } sample_type { type: 3 unit: 4 } '
           'period_type { type: 3 unit: 4 } period: 1000000 mapping { id: 1 '
           'memory_start: 4096 memory_limit: 99999999 filename: 5 }'
           'duration_nanos: 4000000000']
    names = ['main', 'serve'] + MIDDLE + LEAVES
    for i, name in enumerate(names, 1):
        out.append('function { id: %d name: %d system_name: %d } location { id: '
                   '%d mapping_id: 1 address: %d line { function_id: %d line: '
                   '%d } }' % (i, len(strings), len(strings), i, 4096 + 16 * i,
                               i, i))
        strings.append(name)
    left = 2000
    while left > 0:
        n = min(left, int(at.paretovariate(1)))
        left -= n
        depth = at.randrange(0, 18)
        stack = [1, 2] + [3 + int(len(MIDDLE) * at.random() ** 2)
                          for _ in range(depth)]
        if at.random() < 0.7:
            stack.append(3 + len(MIDDLE) + at.randrange(len(LEAVES)))
        out.append('sample { location_id: [%s] value: [%d, %d] }' % (
            ', '.join(map(str, reversed(stack))), n, n * 1000000))
    encode(['string_table: ' + quoted(s) for s in strings] + out, path)


def make_small(path):
    encode(['string_table: ' + quoted(s) for s in [
        '', 'samples', 'count', 'cpu', 'nanoseconds', '/bin/a', 'build', 'main',
        'a.c', 'thread', 'one', 'bytes', 'kilobytes', 'key=value', 'ma.*',
        'requests=7']] + ['''
        sample_type { type: 1 unit: 2 } sample_type { type: 3 unit: 4 }
        sample { location_id: [1, 2] value: [3, 3000000]
                 label { key: 9 str: 10 } label { key: 11 num: 5 num_unit: 12 } }
        sample { location_id: 2 value: [-1, -1000000] }
        sample { location_id: [2, 2, 3] value: [2, 2000000] }
        mapping { id: 1 memory_start: 4096 memory_limit: 8192 file_offset: 16
                  filename: 5 build_id: 6 has_functions: true has_filenames: true
                  has_line_numbers: true has_inline_frames: true }
        location { id: 1 mapping_id: 1 address: 4100 is_folded: true
                   line { function_id: 1 line: 7 }
                   line { function_id: 2 line: 9 } }
        location { id: 2 mapping_id: 1 address: 4200 line { function_id: 2 } }
        location { id: 3 address: 99 }
        function { id: 1 name: 7 system_name: 7 filename: 8 start_line: 5 }
        function { id: 2 name: 10 }
        drop_frames: 14 keep_frames: 9 time_nanos: 1700000000000000000
        duration_nanos: 1000000000 period_type { type: 3 unit: 4 }
        period: 1000000 comment: 13 comment: 15 default_sample_type: 3
        blocks { number: 3 length_nanos: 333333333 rows: [2, 0, 1]
                 step: [0, 2, 1] count: [1, 2, 2] }'''], path)


def make_legacy(path):
    words = [0, 3, 0, 10000, 0] + [5, 2, 0x401000, 0x402000] + [
        1, 1, 0x403000] + [0, 1, 0]
    with open(path, 'wb') as f:
        f.write(b''.join(w.to_bytes(8, 'little') for w in words))
        f.write(b'build=/opt\n00400000-00404000 r-xp 00000000 08:01 7 '
                b'$build/server\n')


def say(name, good, why=''):
    print('ok   ' + name if good else 'FAIL %s: %s' % (name, str(why)[:300]))


class Page(html.parser.HTMLParser):
    """The text of a page, its tags and attributes."""
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.text, self.tags, self.names = '', set(), set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.names |= {k for k, _ in attrs}

    def handle_data(self, data):
        self.text += data

    def handle_endtag(self, tag):
        self.text += '\n'


def check_html(text, wanted):
    page = Page()
    page.feed(text)
    say('html, each name', all(n in page.text for n in wanted),
        [n for n in wanted if n not in page.text][:2])
    say('html, no image', not page.tags & {'img', 'b', 'iframe', 'object'},
        page.tags)
    say('html, no event attributes',
        not [n for n in page.names if n.startswith('on')], page.names)
    say('html, two scripts', text.count('<script') == 2, text.count('<script'))


def check_svg(text, wanted):
    root = xml.fromstring(text)
    names = next(e for e in root.iter() if e.get('id') == 'n').text.split('\n')
    say('svg, each name', set(wanted) <= set(names), set(wanted) - set(names))
    say('svg, one script', sum('script' in e.tag for e in root.iter()) == 1)
    say('svg, no event attributes', not [
        k for e in root.iter() for k in e.attrib if k.startswith('on')])


def check_json(text, wanted):
    names = {f['name'] for f in json.loads(text)['functions']}
    mended = {n.replace(INSTEAD, 'bad' + 4 * FIT + 'utf8') for n in NAMES}
    say('json, each name as it was', mended <= names, mended - names)


def check_speedscope(text, wanted):
    names = {f['name'] for f in json.loads(text)['shared']['frames']}
    mended = {n.replace(INSTEAD, 'bad' + 4 * FIT + 'utf8') for n in NAMES}
    say('speedscope, each name as it was', mended <= names, mended - names)


def check_folded(text, wanted):
    lines = text.rstrip('\n').split('\n')
    say('folded, a line each', len(lines) == len(NAMES), len(lines))
    say('folded, two frames a line', all(
        re.fullmatch(r'main;[^;]+ 40000000', n) for n in lines), lines[:2])


def check_md(text, wanted):
    bad = re.search(r'(?<!\\)<|(?<!\\)\]\(', text)
    say('md, no markup', not bad, bad and text[bad.start() - 20:bad.end() + 20])
    rows = [len(re.findall(r'(?<!\\)\|', n)) for n in text.split('\n')
            if n.startswith('|')]
    say('md, tables keep their columns', rows and set(rows) <= {6, 7}, rows)


def check_text(text, wanted):
    bad = re.search('[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]',
                    text)
    say('nothing that a terminal obeys', not bad, bad)
    say('names', sum(n[:20] in text for n in wanted) > len(wanted) // 2)


def main():
    what, path = sys.argv[1], sys.argv[-1]
    makers = {'hurt': make_hurt, 'small': make_small, 'legacy': make_legacy}
    if what in makers:
        makers[what](path)
    elif what == 'tree':
        make_tree(int(sys.argv[2]), path)
    elif what == 'names':
        with open(path, 'w', encoding='utf-8') as f:
            json.dump([shown(n) for n in NAMES], f)
    else:
        kind = sys.argv[2]
        with open(path, encoding='utf-8', newline='') as f:   # or it raises
            text = f.read()
        check = {'html': check_html, 'svg': check_svg, 'json': check_json,
                 'speedscope': check_speedscope, 'folded': check_folded,
                 'md': check_md}
        check.get(kind, check_text)(text, [shown(n) for n in NAMES])


main()
