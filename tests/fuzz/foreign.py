#!/usr/bin/python3
"""foreign.py DIR: write small profiles in the text formats of other tools."""
import json
import sys

FRAME = {'scriptId': '1', 'url': 'file:///app/index.js', 'lineNumber': 21,
         'columnNumber': 4}


def node(number, name, *children):
    return {'id': number, 'callFrame': dict(FRAME, functionName=name),
            'hitCount': number, 'children': list(children),
            'positionTicks': [{'line': 22, 'ticks': number}]}


def speedscope(*profiles):
    return json.dumps({
        '$schema': 'https://www.speedscope.app/file-format-schema.json',
        'shared': {'frames': [{'name': 'main', 'file': 'a.py', 'line': 3},
                              {'name': 'work'}, {'name': 'read', 'col': 1}]},
        'profiles': list(profiles), 'name': 'made', 'activeProfileIndex': 0})


SAMPLED = {'type': 'sampled', 'name': 'one', 'unit': 'milliseconds',
           'startValue': 0, 'endValue': 9, 'samples': [[0, 1], [0, 1, 2], []],
           'weights': [4, 4, 1]}
EVENTED = {'type': 'evented', 'name': 'two', 'unit': 'bytes', 'startValue': 0,
           'endValue': 9, 'events': [
               {'type': 'O', 'frame': 0, 'at': 0}, {'type': 'O', 'frame': 1, 'at': 2},
               {'type': 'C', 'frame': 1, 'at': 7}, {'type': 'C', 'frame': 0, 'at': 9}]}
MAPS = '\nMAPPED_LIBRARIES:\n00400000-00500000 r-xp 00000000 08:01 12 /srv/web\n'

FILES = {
    'stacks': 'main;work (app.py:12);read_[k] 7\nmain;work (app.py:13) 5\n'
              '# a comment\nthread-1;main;[libc.so.6] 12\n',
    'perf': 'web 812/813 [001] 4.1: 250000 cpu-clock:pppH: \n'
            '\t55d0 work+0x10 (/srv/web)\n\t5500 main+0x4 (/srv/web)\n'
            '\tffffffff81 [unknown] ([kernel.kallsyms])\n\n'
            'web 812 4.2: cycles: \n\t55d0 work+0x10 (inlined)\n\n',
    'goheap': 'heap profile: 1: 96 [2: 192] @ heap/1048576\n'
              '1: 96 [2: 192] @ 0x4a10 0x4b20\n'
              '#\t0x4a0f\tmain.f+0x2f\t/x/main.go:12\n'
              '#\t0x4b1f\tmain.main+0x1f\t/x/main.go:20\n\n# runtime.MemStats\n',
    'heap': 'heap profile:   3:  1024 [  9:  4096] @ heapprofile\n'
            '  3:  1024 [  9:  4096] @ 0x00401234 0x00402345\n' + MAPS,
    'growth': 'heap profile:   3:  1024 [  3:  1024] @ growthz\n'
              '  3:  1024 [  3:  1024] @ 0x00401234\n' + MAPS,
    'goroutine': 'goroutine profile: total 7\n4 @ 0x4a10 0x4b20\n'
                 '# labels: {"k":"v"}\n#\t0x4a0f\tmain.f+0x2f\t/x/main.go:12\n\n'
                 '3 @ 0x4c10\n',
    'threads': 'threadcreate profile: total 2\n2 @ 0x4a10 0x4b20\n',
    'mutex': '--- mutex:\ncycles/second=2000000000\nsampling period=5\n'
             '4000 2 @ 0x4a10 0x4b20\n#\t0x4a0f\tmain.f+0x2f\t/x/main.go:12\n',
    'contention': '--- contentionz 1 ---\ncycles/second = 3000000000\n'
                  'sampling period = 100\nms since reset = 16502830\n'
                  'discarded samples = 0\n  19490304 27 @ 0x401234 0x402345\n' + MAPS,
    'jemalloc': 'heap_v2/524288\n  t*: 28106: 56637512 [0: 0]\n'
                '@ 0x401234 0x402345\n  t*: 13: 6688 [0: 0]\n  t0: 12: 6496 [0: 0]\n'
                + MAPS,
    'cpuprofile': json.dumps({
        'nodes': [node(1, '(root)', 2, 4), node(2, 'main', 3), node(3, ''),
                  node(4, '(idle)')], 'startTime': 1000, 'endTime': 5000,
        'samples': [3, 3, 2, 4], 'timeDeltas': [1000, 1000, 1000, 1000]}),
    'sampled': speedscope(SAMPLED), 'evented': speedscope(EVENTED),
    'both': speedscope(SAMPLED, dict(SAMPLED, unit='none'), EVENTED),
}

for name, text in FILES.items():
    with open('%s/%s' % (sys.argv[1], name), 'w') as f:
        f.write(text)
