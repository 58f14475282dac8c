"""Profiles made for tests from stacks of names, encoded by protoc."""
import subprocess

import pb


def quoted(text):
    return '"%s"' % ''.join('\\%03o' % b for b in text.encode('utf-8'))


class Profile:
    """Samples of the types, a list of (type, unit).

    A frame is a name, or (name, file, module); modules are mappings in the
    order of their first use, main first."""

    def __init__(self, types, period=None, seconds=0, main='/opt/app/server',
                 default=None, comments=()):
        self.strings, self.lines = {'': 0}, []
        self.mappings, self.functions, self.when = {}, {}, []
        for kind, unit in types:
            self.lines.append('sample_type { %s }' % self.type(kind, unit))
        if period:
            self.lines.append('period_type { %s } period: %d' %
                              (self.type(*period[:2]), period[2]))
        self.lines.append('time_nanos: 1700000000000000000 duration_nanos: %d' %
                          (seconds * 10 ** 9))
        if default:
            self.lines.append('default_sample_type: %d' % self.text(default))
        for comment in comments:
            self.lines.append('comment: %d' % self.text(comment))
        self.main = main
        if main:
            self.mapping(main)

    def text(self, s):
        return self.strings.setdefault(s, len(self.strings))

    def type(self, kind, unit):
        return 'type: %d unit: %d' % (self.text(kind), self.text(unit))

    def mapping(self, module):
        if module not in self.mappings:
            n = self.mappings[module] = len(self.mappings) + 1
            self.lines.append(
                'mapping { id: %d memory_start: %d memory_limit: %d '
                'filename: %d has_functions: true }' %
                (n, n << 24, (n + 1) << 24, self.text(module)))
        return self.mappings[module]

    def location(self, frame):
        name, file, module = (frame, '', None) if isinstance(frame, str) \
            else (*frame, None)[:3]
        key = name, file, module or self.main
        if key not in self.functions:
            n = self.functions[key] = len(self.functions) + 1
            where = ''
            if key[2]:
                m = self.mapping(key[2])
                where = 'mapping_id: %d address: %d' % (m, (m << 24) + 16 * n)
            self.lines.append(
                'function { id: %d name: %d system_name: %d filename: %d }' %
                (n, self.text(name), self.text(name), self.text(file)))
            self.lines.append('location { id: %d %s line { function_id: %d '
                              'line: 7 } }' % (n, where, n))
        return self.functions[key]

    def add(self, stack, values, labels=(), when=()):
        """Add a row: its stack, leaf first, a value of each type, and when its
        samples were taken, {block: samples}."""
        self.when.append(dict(when))
        self.lines.append('sample { location_id: %s value: %s %s }' % (
            [self.location(f) for f in stack], list(values),
            ' '.join('label { key: %d str: %d }' % (self.text(k), self.text(v))
                     for k, v in dict(labels).items())))
        return self

    def write(self, path, blocks=0, block_ns=10 ** 8):
        table = ['string_table: ' + quoted(s) for s in self.strings]
        encoded = subprocess.run(
            ['protoc', '-Iproto', '--encode=perftools.profiles.Profile',
             'profile.proto'], input='\n'.join(table + self.lines).encode(),
            check=True, stdout=subprocess.PIPE).stdout
        with open(path, 'wb') as f:
            f.write(encoded)
            if blocks:
                f.write(pb.blocks(blocks, block_ns, self.when))
