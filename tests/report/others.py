#!/usr/bin/python3
"""Is report right about profiles as other profilers write them?

  others.py GRPCPROF FOLDER   makes them in FOLDER; prints "ok name" or
                              "FAIL name: why", a line for each check
"""
import json
import os
import subprocess
import sys

from made_profile import Profile
from wire import say

BIN, FOLDER = sys.argv[1:3]
MS = 10 ** 6
CPU = [('samples', 'count'), ('cpu', 'nanoseconds')]
PERIOD = ('cpu', 'nanoseconds', 10 * MS)


def cpu(stacks, **more):
    """A CPU profile at 100 Hz: {stack, leaf first: samples}."""
    p = Profile(CPU, PERIOD, 12, **more)
    for stack, n in stacks.items():
        p.add(stack, (n, n * 10 * MS))
    return p


def report(*args):
    """Status, output and errors of report."""
    done = subprocess.run([BIN, 'report', *args], capture_output=True,
                          text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


class Read:
    """A report on a profile: its JSON, and its text in one line."""

    def __init__(self, name, profile, *args):
        self.name = name
        self.path = os.path.join(FOLDER, name.replace(' ', '-') + '.pb')
        profile.write(self.path)
        self.status, out, self.err = report('-f', 'json', *args, self.path)
        self.json = json.loads(out) if self.status == 0 else {}
        self.text = ' '.join(report(*args, self.path)[1].split())
        self.check('is read', self.status == 0, self.err)

    def check(self, what, good, why=''):
        say('%s: %s' % (self.name, what), good, why)

    def share(self, category):
        return next((c['share'] for c in self.json['categories']
                     if c['name'] == category), 0)

    def shares(self, **wanted):
        """Shares of categories in %; an underscore stands for a blank."""
        for name, percent in wanted.items():
            name = name.replace('_', ' ')
            got = 100 * self.share(name)
            self.check(name, abs(got - percent) < 0.05,
                       '%.1f%%, want %.1f%%' % (got, percent))

    def first(self, *names):
        """Check the first functions of the application, in this order."""
        got = [a['name'] for a in self.json['applications']]
        self.check('the application first', got[:len(names)] == [*names],
                   got[:5])

    def says(self, *texts):
        for t in texts:
            self.check('says ' + t[:40], t in self.text, self.text[:2000])

    def lacks(self, *texts):
        for t in texts:
            self.check('does not say ' + t[:40], t not in self.text, self.text)

    def verdict(self, kind, text=''):
        v = self.json['verdict']
        self.check('verdict', v['kind'] == kind and text in v['text'], v)


def languages():
    """A category belongs to a function in its language, file and module."""
    js = 'file:///srv/app/node_modules/ws/index.js'
    r = Read('javascript', cpu({
        (('(anonymous)', 'file:///srv/app/total.js'), 'serve'): 800,
        (('(anonymous)', js), 'serve'): 100, ('(idle)',): 100}, main=None))
    r.shares(application=80)
    r.check('files apart', sorted(
        (f['flat_samples'], os.path.basename(f['file'] or ''))
        for f in r.json['functions'] if '(anonymous)' in f['name']) ==
        [(100, 'index.js'), (800, 'total.js')], r.json['functions'])
    r.says('(anonymous) app/total.js:7 takes 80.0% of the CPU time',
           '800 8.00 s 8.00 s (anonymous) app/total.js:7')
    r = Read('java', cpu({
        (('net.minefield.Server.tick', 'Server.java'),
         ('java.lang.Thread.run', 'Thread.java')): 700,
        (('java.util.HashMap.get', 'HashMap.java'),
         ('net.minefield.World.at', 'World.java'),
         ('java.lang.Thread.run', 'Thread.java')): 300}, main=None))
    r.shares(application=70, network_system_calls=0, other_system_calls=0)
    r.first('net.minefield.Server.tick', 'net.minefield.World.at')
    python = '/srv/shop/cart.py'
    r = Read('python', cpu({(('select', python), ('main', python)): 500,
                            (('time', python), ('main', python)): 300,
                            (('send', python), ('main', python)): 200},
                           main=None))
    r.shares(application=100, reading_the_time=0, network_system_calls=0)
    r = Read('dotnet', cpu({
        ('System.Private.CoreLib!System.String.Concat', 'Store!Basket.Sum'):
        800, ('Store!Basket.Sum',): 200}, main=None))
    r.shares(application=20)
    r.first('Store!Basket.Sum')
    r = Read('ruby', cpu({
        (('Hash#each', '<cfunc>'), ('Shop#total', '/srv/app/shop.rb')): 300,
        (('(marking)', ''),): 200,
        (('parse', '/usr/lib/ruby/gems/3.2.0/gems/json-2.6/lib/json.rb'),
         ('Shop#total', '/srv/app/shop.rb')): 400,
        (('Shop#total', '/srv/app/shop.rb'),): 100}, main=None))
    r.shares(application=10)
    r.first('Shop#total')
    r = Read('rust', cpu({
        ('hashbrown::raw::RawTable<T,A>::reserve_rehash', 'shop::audit'): 300,
        ('<bytes::bytes_mut::BytesMut as bytes::buf::buf_mut::BufMut>::put',
         'shop::audit'): 300,
        ('tokio::runtime::scheduler::multi_thread::worker::Context::park',): 300,
        ('shop::audit',): 100}))
    r.shares(application=10)
    r.first('shop::audit')
    r = Read('go assembly', cpu({
        (('aeshashbody', '/usr/local/go/src/runtime/asm_amd64.s'),
         ('runtime.mapaccess1_faststr', '/usr/local/go/src/runtime/map.go'),
         ('main.find', '/srv/app/main.go')): 500,
        (('sync.(*Pool).Get', '/usr/local/go/src/sync/pool.go'),
         ('main.find', '/srv/app/main.go')): 500}))
    r.shares(application=0, memory_management=50, runtime_and_libraries=50)
    r.first('main.find')
    kernel = '[kernel.kallsyms]'
    r = Read('kernel', cpu({
        (('copy_user_generic', '', kernel), ('tcp_sendmsg', '', kernel),
         ('entry_SYSCALL_64_after_hwframe', '', kernel), 'work'): 500,
        (('ext4_file_write_iter', '', kernel), ('vfs_write', '', kernel),
         ('entry_SYSCALL_64_after_hwframe', '', kernel), 'work'): 300,
        (('strlen', '', '/usr/lib/libc.so.6'), 'work'): 200}))
    r.shares(application=0, network_system_calls=50, other_system_calls=30,
             runtime_and_libraries=20)
    r.first('work')
    fast = 'math/big.addVV', '/usr/local/go/src/math/big/arith_amd64.s'
    fib = 'main.Fib', '/srv/app/fib.go'
    r = Read('hot library', cpu({(fast, fib): 980, (fib,): 20}))
    r.first('main.Fib')
    r.verdict('mixed', 'main.Fib takes 100.0% of the CPU time, 98.0 points of '
              'it in runtime and libraries below it, most of it in math/big.addVV')
    r.lacks('nothing is large enough')


def kinds():
    """Types of values, and how the report treats each."""
    p = Profile(CPU, ('cpu', 'nanoseconds', 1), 0)
    p.add(['Store!Tax.Rate'], (170, 170 * 9 * MS))
    r = Read('period of 1 ns', p.add(['Store!Basket.Sum'],
                                     (150, 150 * 9 * MS)))
    r.says('320 samples', '47.7 to 58.5%')
    r.lacks('1,000,000,000 Hz', 'requested')
    r.check('an assertion counts samples',
            report('--assert', 'samples>=1000', r.path)[0] == 4)
    for name, types, kind in (
            ('datadog cpu', [('cpu-samples', 'count'),
                             ('cpu-time', 'nanoseconds')], 'CPU time'),
            ('datadog wall', [('sample', 'count'),
                              ('wall-time', 'nanoseconds')],
             'wall-clock time')):
        p = Profile(types, None, 10)
        for thread in 'thread name', 'thread_name', 'thread':
            p.add(['time.sleep'], (450, 4500 * MS), {thread: 'in ' + thread})
            p.add(['work'], (50, 500 * MS), {thread: 'in ' + thread})
        r = Read(name, p)
        r.says('15.0 s of ' + kind)
        r.check('threads', {t['name'] for t in r.json['use']['threads']} ==
                {'in thread name', 'in thread_name', 'in thread'},
                r.json['use'])
    p = Profile([('samples', 'count'), ('wall', 'nanoseconds')],
                ('wall', 'nanoseconds', 20 * MS), 20, main=None)
    p.add(['java/lang/Thread.sleep', 'org/shop/Poll.run'], (900, 18000 * MS))
    p.add(['org/shop/Sum.run'], (100, 2000 * MS))
    r = Read('wall clock without states', p)
    r.verdict('withheld', 'how much of it was waiting is not known')
    r.lacks('Waiting 0.0%', 'CPU time.')
    p = Profile([('samples', 'count'), ('time', 'nanoseconds')],
                ('wall', 'nanoseconds', 10 * MS), 10)
    p.add(['runtime.gopark', 'main.wait'], (900, 9000 * MS))
    p.add(['main.sum'], (100, 1000 * MS))
    r = Read('fgprof by samples', p, '--sample', 'samples')
    r.check('no verdict on CPU', r.json['verdict']['kind'] == 'withheld',
            r.json['verdict'])
    r.check('no advice', not r.json['recommendations'])
    p = Profile([('goroutine', 'count')], ('goroutine', 'count', 1))
    r = Read('census', p.add(['runtime.gopark', 'main.wait'], (7,)).add(
        ['main.sum'], (3,)))
    r.lacks('too few', 'to 9')
    r.check('no interval', r.json['functions'][0]['flat_ci'] == [None, None] or
            r.json['functions'][0]['flat_ci'] is None,
            r.json['functions'][0])
    p = Profile(CPU + [('contention', 'nanoseconds')], PERIOD, 10)
    r = Read('last type without samples',
             p.add(['main.sum'], (500, 5000 * MS, 0)))
    r.says('no contention samples; cpu has 500: --sample cpu')


def whole():
    """Stacks of languages that unwind their own stacks count as complete."""
    lib = '/usr/lib/python3.11/threading.py'
    r = Read('python threads', cpu({
        (('wait', lib), ('run', lib), ('_bootstrap', lib)): 900}, main=None))
    r.check('no stack is broken', r.json['trust']['no_app_frame'] == 1 and
            '0.0% broken off or truncated' in r.text and
            'too low' not in r.text, r.json['trust'])
    asm = 'runtime.systemstack', '/usr/local/go/src/runtime/asm_amd64.s'
    r = Read('assembly of go', cpu({
        (('runtime.unlock', '/usr/local/go/src/runtime/lock.go'), asm,
         ('main.audit', '/srv/main.go')): 900}))
    r.check('is not the application',
            [a['name'] for a in r.json['applications']] == ['main.audit'],
            r.json['applications'])


def endpoints():
    """CPU by the call that samples worked for, where a label names it."""
    p = Profile([('cpu-samples', 'count'), ('cpu-time', 'nanoseconds')], None,
                10)
    for name, n in ('/shop.Orders/Place', 600), ('/shop.Orders/List', 300):
        p.add(['work'], (n, n * 10 * MS), {'trace endpoint': name,
                                           'span id': str(n)})
    r = Read('endpoints', p.add(['work'], (100, 1000 * MS)))
    r.check('of Datadog', [(e['name'], e['samples'], e['share'])
                           for e in r.json['endpoints']] ==
            [('/shop.Orders/Place', 600, .6), ('/shop.Orders/List', 300, .3)],
            r.json['endpoints'])
    r.says('Endpoints (label trace endpoint)',
           '60.0% 56.9 to 63.0% 600 6.00 s /shop.Orders/Place')
    p = cpu({('work',): 10})
    p.add(['work'], (90, 900 * MS), {'http.route': '/cart'})
    r = Read('routes of OpenTelemetry', p)
    r.says('(label http.route)', '90.0%')


def several():
    """Two profiles at once."""
    def of(types, n):
        return Profile(types, PERIOD, 6).add(['main.sum'], n)
    a, b = Read('one type', of(CPU[1:], (5000 * MS,))), \
        Read('two types', of(CPU, (700, 7000 * MS)))
    status, out, err = report('-f', 'json', a.path, b.path)
    say('merge: what both have', status == 0 and
        json.loads(out)['profile']['total'] == 12000 * MS, out[:500] + err)
    say('merge: a note', 'samples' in report(a.path, b.path)[1])
    a, b = (Read('rust hash ' + h, cpu({
        ('shop::audit::h%s' % (h * 16), 'shop::serve::h%s' % (h * 16)): 600,
        ('shop::serve::h%s' % (h * 16),): 400})) for h in 'ab')
    status, out, err = report('-f', 'json', '--base', a.path, b.path)
    changes = json.loads(out)['diff']['functions'] if status == 0 else []
    say('rust hash: nothing changed', status == 0 and
        all(c['delta'] == 0 for c in changes) and
        {c['name'] for c in changes} <= {'shop::audit', 'shop::serve'},
        out[:2000] + err)


languages()
kinds()
whole()
endpoints()
several()
