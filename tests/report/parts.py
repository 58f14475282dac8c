#!/usr/bin/python3
"""`grpcprof report` on several profiles together, on a part of one, and with
other groupings of one.

  parts.py GRPCPROF ONE TWO FOLDER

ONE and TWO are profiles as t_report.sh makes them: 6,000 samples of 1 ms each,
half in handle, a third in nghttp2, a sixth in send; ONE of 600 calls and TWO of
200 of another method.  Prints "ok NAME" and "FAIL NAME: WHY" lines.
"""
import json
import subprocess
import sys

BIN, ONE, TWO, FOLDER = sys.argv[1:]
OUT = FOLDER + '/part.pb'


def run(*args):
    return subprocess.run([BIN, 'report', *args], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60)


def report(*args):
    p = run('-f', 'json', *args)
    assert p.returncode in (0, 4), p.stderr
    return json.loads(p.stdout)


def check(name, got, want):
    good = got == want
    print('ok %s' % name if good else
          'FAIL %s: %r, want %r' % (name, got, want))


def digits(v):
    """v with 6 digits, as JSON has it."""
    return float('%.6g' % v)


def merged(name, r):
    c = r['profile']['comments']
    check(name + ', calls', (r['calls']['total'], r['calls']['by_method']),
          (800, {'/a.B/C': 600, '/a.B/D': 200}))
    check(name + ', CPU of a call', r['calls']['cpu_ns_per_call'], 15e6)
    check(name + ', CPU of the window', r['use']['cpu_of_window'], 1)
    check(name + ', what both count', (r['trust']['lost'], c['cpu_ns'],
                                       r['trust']['coverage']),
          (9, '12000000000', 1))
    check(name + ', what only one says, or each otherwise',
          [k for k in ('engine', 'hz_delivered', 'work', 'busy_wall_ns')
           if k in c], [])
    check(name + ', what both say alike', c['clock'], 'cpu')
    check(name + ', a stranger\'s remark', c['note'], 'mine')
    check(name + ', the weights', round(r['trust']['effective']), 10909)


merged('two profiles', report(ONE, TWO))
run('-f', 'pprof', '-o', OUT, ONE, TWO)
merged('two profiles, written', report(OUT))
text = run(ONE, TWO).stdout.decode()
check('two profiles, text', '800, 15.0 ms of CPU each' in text, True)


def part(name, r):
    c = r['profile']['comments']
    check(name + ', the weights', round(r['trust']['effective']), 909)
    check(name + ', what was of the whole',
          [k for k in ('samples', 'lost', 'cpu_ns', 'process_cpu_ns', 'coverage',
                       'hz_delivered') if k in c], [])
    check(name + ', says so', c['filtered'], '1000000000/6000000000')
    check(name + ', CPU of a call', digits(r['calls']['cpu_ns_per_call']),
          digits(1e9 / 600))
    v = r['verdict']
    check(name + ', no verdict', (v['kind'], v['next_command']),
          ('withheld', None))
    check(name + ', why', ['was filtered' in w for w in v['why']],
          [True])


r = report('--focus', 'send', ONE)
part('a sixth', r)
f = {f['name']: f for f in r['functions']}
check('a sixth, its shares are of all', [f['send']['flat_share'],
      f['send']['cum_share'], f['handle']['cum_share']], [digits(1 / 6)] * 3)
a = json.loads(run('-f', 'json', '--focus', 'send', '--base', ONE, '--assert',
                   'delta(send)>-1%', '--assert', 'share(send)<20%',
                   TWO).stdout)['asserts']
check('a sixth, asserted', [(x['value'], x['outcome']) for x in a],
      [(0, 'not resolved'), (digits(1 / 6), 'holds')])
check('a sixth, kept', (r['profile']['kept'], r['profile']['filters']),
      (digits(1 / 6), ['focus=send']))
run('-f', 'pprof', '--focus', 'send', '-o', OUT, ONE)
part('a sixth, written', report(OUT))
text = run('--focus', 'send', ONE).stdout.decode()
check('a sixth, text', 'not known after filters' in text, True)
check('a sixth, text, calls',
      'of CPU each, after filters' in ' '.join(text.split()), True)
r = report('--tagleaf', 'a', ONE)
check('labels as leaves, their level',
      {f['level'] for f in r['functions'] if f['flat']} <=
      {'application', 'system'}, True)
r = report('-q', '--focus', 'no such name', ONE)
check('nothing left', (r['verdict']['why'], r['profile']['total']),
      (['no samples are left after filtering'], 0))
check('no filter', (report(ONE)['profile']['kept'],
                    report(ONE)['profile']['filters']), (None, []))

# Only the tables of functions differ.
whole = report(ONE)
for option in (['--by', 'file'], ['--by', 'module'], ['--by', 'address'],
               ['--by', 'line'], ['--tagroot', 'a'], ['--tagleaf', 'a,b']):
    r = report('-q', *option, ONE)
    name = ' '.join(option)
    for what in 'categories', 'verdict':
        check('%s, %s' % (name, what), r[what], whole[what])
    check(name + ', trust', r['trust'], whole['trust'])
rows = {f['name']: f['flat_samples'] for f in
        report('--by', 'module', ONE)['functions']}
check('--by module', rows, {'server': 3000, 'libnghttp2.so.14': 2000,
                            'libc.so.6': 1000})
d = report('--by', 'module', '--base', ONE, TWO)['diff']
check('--by module, compared', {f['name']: f['delta'] for f in d['functions']},
      dict.fromkeys(rows, 0))
# No function has a file here: the group is its module, not another's name.
check('--by file', {f['name'] for f in report('--by', 'file', ONE)['functions']},
      {'[%s]' % m for m in rows})

# Outcomes, with the exit status without and with --strict.
HOLDS, VIOLATED = ('holds', 0, 0), ('violated', 4, 4)
OPEN, UNKNOWN = ('not resolved', 0, 4), ('cannot be judged', 1, 1)

# What a call takes, 1e9 / 200 less 1e9 / 600 ns; and shares, which are equal.
for expr, want, value in (
        ('delta(send)<2us', VIOLATED, 1e9 / 200 - 1e9 / 600),
        ('delta(send)<4ms', HOLDS, 1e9 / 200 - 1e9 / 600),
        ('delta(send)>-1us', HOLDS, 1e9 / 200 - 1e9 / 600),
        ('delta(send)<=0', OPEN, 0), ('delta(send)<-1%', OPEN, 0),
        ('delta(send)<-10%', VIOLATED, 0), ('delta(send)<10%', HOLDS, 0),
        ('share(send)<20%', HOLDS, 1 / 6), ('share(send)<0.1', VIOLATED, 1 / 6),
        ('share(send)<17%', OPEN, 1 / 6), ('share(send)>17%', OPEN, 1 / 6),
        ('self(handle)>=50%', OPEN, .5), ('self(handle)>=40%', HOLDS, .5),
        ('self(handle)>=60%', VIOLATED, .5), ('samples>=6000', HOLDS, 6000),
        ('samples>6000', VIOLATED, 6000), ('cpu_per_call<30ms', VIOLATED, 3e7),
        ('cpu_per_call<=30ms', HOLDS, 3e7), ('cpu_per_call>1ns', HOLDS, 3e7),
        ('self(no such)<1%', UNKNOWN, 0)):
    p = run('-f', 'json', '--base', ONE, '--assert', expr, TWO)
    a = json.loads(p.stdout)['asserts'][0]
    strict = run('--strict', '--base', ONE, '--assert', expr, TWO)
    check(expr, (a['outcome'], p.returncode, strict.returncode, a['value']),
          (*want, digits(value)))
    exact = a['low'] == a['high']
    check(expr + ', its interval', a['low'] <= a['value'] <=
          a['high'] and (exact or a['low'] < a['high']), True)
    check(expr + ', exact', exact, expr[:2] in ('sa', 'cp'))
    check(expr + ', of sampling alone', a['sampling_error_alone'], not exact)
    check(expr + ', what would resolve it', a['more'] is not None and
          a['more'] >= 1, want == OPEN and value not in (0, .5) or
          expr == 'delta(send)<-1%')
    check(expr + ', said', 'To resolve it: about' in
          ' '.join(strict.stdout.decode().split()),
          a['more'] is not None)
    check(expr + ', its pattern', a['matched'],
          None if expr[:2] in ('sa', 'cp') else int('no such' not in expr))
    check(expr + ', told', b'no function matches' in p.stderr,
          'no such' in expr)

# The CPU per call is measured by clocks, so that one run on each side has no
# interval.
for expr in ('delta(cpu_per_call)<1ns', 'delta(cpu_per_call)>9999%'):
    p = run('-f', 'json', '--base', ONE, '--assert', expr, TWO)
    a = json.loads(p.stdout)['asserts'][0]
    check(expr, (a['outcome'], p.returncode, a['low'], a['matched']),
          ('not resolved', 0, None, None))
p = run('--base', ONE, '--strict', '--assert', expr, TWO)
check(expr + ', said', (p.returncode, 'One run on each side does not show how '
                        'much runs differ' in ' '.join(p.stdout.decode().split())),
      (4, True))
p = run('--assert', expr, TWO)
check(expr + ', without a base', (p.returncode, p.stderr.count(b'\n')), (2, 1))
for expr in ('share(send)<20', 'share(send)<-1%', 'share(send)<8us',
             'self(send)<101%', 'delta(send)<200%', 'delta(send)<',
             'delta(cpu_per_call)<8',
             'cpu_per_call<8', 'cpu_per_call<8%', 'samples>1%', 'samples>5us',
             'samples>', 'samples(send)>1', 'share<1%', 'share(send)=1%',
             'share(send<1%', 'p99<1us'):
    p = run('--base', ONE, '--assert', expr, TWO)
    check('%r is none' % expr, (p.returncode, p.stdout,
                                p.stderr.count(b'\n')), (2, b'', 1))
