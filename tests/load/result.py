#!/usr/bin/python3
"""Checks on what load writes.  Prints "ok name" or "FAIL name: why".

  result.py schema JSON...          each matches load.schema.json; counts and
                                    histograms agree
  result.py same JSON CSV PROM HTML all have the same figures; HTML is the DOM
                                    that a browser made of the page
  result.py text JSON TEXT          TEXT has the figures of the JSON, rounded
  result.py hgrm JSON HGRM          HdrHistogram's percentiles of the one are
                                    those of the other
  result.py hdr JSON...             HdrHistogram itself reads the histograms,
                                    and finds the same percentiles
  result.py merged ALL JSON...      ALL is the others together
  result.py values JSON LOG...      its histograms are those that HdrHistogram
                                    makes of the calls that were logged
  result.py verdict JSON WANT...    its verdict is one of WANT, or another one
                                    because of other programs, which it counts
  result.py recorded JSON LOG TEXT  the counts of JSON and its log of calls are
                                    those in TEXT, which record.c counted
  result.py memory BIN TO CALLS     load needs no more memory for CALLS calls
                                    than for a tenth of them
  result.py stall LOG JSON          4,000 calls, one a ms, to a server that stood
                                    still for a second, have the right delays
  result.py simulated JSON US MS [M]
                                    response is as wrk2 defines it: within 2% of
                                    a simulation of stall.c with -s US -b MS (0:
                                    no stall), with at most M in flight
"""
import csv
import datetime
import json
import math
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def say(name, wrong=''):
    print('FAIL %s: %s' % (name, str(wrong)[:300]) if wrong
          else 'ok   ' + name)


def read(path):
    with open(path, encoding='utf-8') as f:
        return json.load(f)


def times(d):
    return {k: v for k, v in d['latency'].items() if v and v['count']}


def sums(d):
    c = d['counts']
    if c['planned'] != c['ok'] + c['failed'] + c['cut_off'] + c['not_sent']:
        return 'planned is not the sum: %s' % c
    if sum(s['count'] for s in d['status']) != c['ok'] + c['failed']:
        return 'statuses do not add up'
    for name, h in times(d).items():
        if sum(n for _, n in h['hdr']['buckets']) != h['count']:
            return name + ': the buckets do not add up'
    main = d['latency']['response']
    if main['count'] != c['ok']:
        return '%d latencies of %d calls' % (main['count'], c['ok'])
    if sum(i['ok'] for i in d['intervals']) != c['ok'] and d['intervals']:
        return 'the intervals do not add up'
    each = d['blocks']['each']
    if each and (sum(sum(b[2::2]) for b in each) != c['ok'] or
                 sum(b[0] for b in each) != c['failed']):
        return 'the blocks do not add up'
    return ''


def schema(*paths):
    import jsonschema
    rules = read(os.path.join(HERE, 'load.schema.json'))
    for path in paths:
        d, name = read(path), os.path.basename(path)
        errors = sorted(str(e.message) for e in
                        jsonschema.Draft7Validator(rules).iter_errors(d))
        say('%s is as its schema has it' % name, errors and errors[0])
        say('%s adds up' % name, sums(d))


def close(a, b, name=''):
    """True if a and b are equal; JSON has six digits of a quotient."""
    room = 5.1e-6 if re.search('rps|_per_call', name) else 1e-9
    return abs(a - b) <= room * max(abs(a), abs(b), 1)


def figures(d):
    """Each single number of the JSON, under its name in other formats: its key,
    preceded by its group's where the key alone would be ambiguous."""
    want = {}
    for group, of in d.items():
        short = group in ('window', 'counts', 'throughput')
        for key, v in of.items() if isinstance(of, dict) else ():
            if isinstance(v, (int, float)) and key != 'start_unix_ns' and \
                    group not in ('tool', 'config', 'tls', 'verdict', 'reply',
                                  'blocks'):
                want[key if short else group + '_' + key] = v
    want['errors_of_other_kinds'] = d['errors_of_other_kinds']
    return want


def histograms(d):
    return dict(times(d), connect_settings=d['connect']['settings'])


def csv_has(d, path):
    with open(path, encoding='utf-8', newline='') as f:
        rows = dict(csv.reader(f))
    want = figures(d)
    for s in d['status']:
        want['status_' + s['name']] = s['count']
    for name, h in histograms(d).items():
        want[name + '_count'] = h['count']
        want[name + '_max_ns'] = h['max']
        for p, v in h['percentiles'].items():
            if v is not None:
                want['%s_p%s_ns' % (name, p)] = v
    say('CSV has the figures of the JSON', [k for k, v in want.items()
        if k not in rows or not close(float(rows[k]), v, k)])
    day = datetime.datetime.fromtimestamp(d['window']['start_unix_ns'] // 10**9,
                                          datetime.timezone.utc)
    said = {'call': d['config']['call'], 'name': 'value',
            'target': ' '.join(d['config']['targets']),
            'start': day.strftime('%Y-%m-%dT%H:%M:%SZ'),
            **{'label_' + k: v for k, v in d['config']['labels'].items()}}
    say('CSV has what the JSON is of', [(k, v, rows.get(k))
        for k, v in said.items() if rows.get(k) != v])


def prometheus_has(d, path):
    from prometheus_client.parser import text_string_to_metric_families
    with open(path, encoding='utf-8') as f:
        families = list(text_string_to_metric_families(f.read()))
    got, bounds, bad = {}, {}, []
    for m in families:
        if not m.documentation or m.type == 'unknown':
            bad.append('no HELP or TYPE of ' + m.name)
        for s in m.samples:
            got[s.name, s.labels.get('le')] = s.value
            if s.labels.get('call') != d['config']['call'] or any(
                    s.labels.get('label_' + k) != v
                    for k, v in d['config']['labels'].items()):
                bad.append('labels of ' + s.name)
            if 'le' in s.labels:
                bounds.setdefault(s.name, []).append(float(s.labels['le']))
    say('Prometheus has HELP, TYPE and labels of all', bad)
    want, bad = {}, []
    for k, v in figures(d).items():
        want[k.replace('_ns', '_seconds')] = v / 1e9 if '_ns' in k else v
    bad = [k for k, v in want.items() if not close(
        got.get(('grpcprof_load_' + k, None), -1), v, k)]
    same_for_all = [2 ** k / 1000 for k in range(-10, 24)] + [math.inf]
    for name, h in histograms(d).items():
        name = 'grpcprof_load_%s_seconds_bucket' % name
        if got.get((name, '+Inf')) != h['count']:
            bad.append(name)
        if [float('%.8g' % b) for b in bounds.pop(name, ())] != [
                float('%.8g' % b) for b in same_for_all]:
            bad.append('buckets of ' + name)
    say('and Prometheus has', bad or list(bounds))


def same(path, table, prom, html):
    d = read(path)
    csv_has(d, table)
    prometheus_has(d, prom)
    with open(html, encoding='utf-8') as f:
        page = f.read()
    cells = dict(re.findall(r'data-key="([^"]+)" data-value="([^"]*)"', page))
    bad = [k for k, v in figures(d).items()
           if k not in cells or not close(float(cells[k]), v, k)]
    for name, h in times(d).items():
        for p, v in h['percentiles'].items():
            key = '%s_p%s_ns' % (name, p)
            if v is not None and (
                    key not in cells or not close(float(cells[key]), v)):
                bad.append(key)
    cells = re.findall(r'data-value="([^"]*)"[^>]*>([^<]*)<', page)
    say('and shows them', [c for c in cells if c[0] and
                           not rounds(c[1], float(c[0]))] or
        len(cells) < 30 and cells)
    main = d['latency']['response']
    drawn = sum(int(n) for n in re.findall(r'data-bin="(\d+)"', page))
    late = d['latency']['failed']
    if sum(int(n) for n in re.findall(r'data-failed="(\d+)"', page)) != (
            late['count'] if late else 0):
        bad.append('bars of failed calls')
    say('and the page has', bad or (drawn != main['count'] and
                                    'bars of %d calls' % drawn))
    say('the page loads nothing', re.findall(r'(?:src|href)=|<script', page))
    parts(d, page)


def parts(d, page):
    """Check that a page has all that a reader needs to understand the run."""
    bad = [] if re.search(r'<title>[^<]*%s' % re.escape(d['config']['call']),
                          page) else ['title']
    lines = len(d['intervals']) > 1
    for name, least, what in (
            ('axes with units', 2 * lines, r'class="y"><span>[^<]*(?:/s|s)</span>'),
            ('a legend', 4 * lines, r'class="key [ab]"'),
            ('tooltips', 2 * (len(d['intervals']) - 1) * lines,
             r'<rect [^>]*><title>[^<]+ to [^<]+: '),
            ('tooltips of bars', 1, r'class="bin" title="[^"]+ calls, '),
            ('dark colours', 1, r'prefers-color-scheme:\s*dark'),
            ("a phone's width", 1, r'max-width:\s*40rem'),
            ('a viewport', 1, r'name="viewport"')):
        if len(re.findall(what, page)) < least:
            bad.append(name)
    say('and the page explains itself', bad)


UNITS = {'ns': 1, 'us': 1e3, 'ms': 1e6, 's': 1e9, 'm': 60e9, 'h': 3600e9}


def rounds(shown, value):
    """True if `shown`, of three digits or more, is value rounded."""
    if value is None:
        return shown == 'n/a'
    m = re.fullmatch(r'([0-9.,]+) ?([a-z]*)', shown)
    if not m or m.group(2) not in (*UNITS, ''):
        return False
    got = float(m.group(1).replace(',', '')) * UNITS.get(m.group(2), 1)
    return abs(got - value) <= (0.0051 * abs(value) if m.group(2) else 0.51)


def text(path, shown):
    d, bad, names, seen, rows = read(path), [], [], [], False
    with open(shown, encoding='utf-8') as f:
        lines = [re.sub(r'(\d) (?=(ns|us|ms|s)\b)', r'\1', line).split()
                 for line in f]            # a number and its unit are one word
    want = times(d)
    for words in lines:
        if words[:1] == ['done']:
            got = [int(w.replace(',', '')) for w in words if w[0].isdigit()]
            c = d['counts']
            if got != [c['ok'], c['failed'], c['cut_off'], c['not_sent']]:
                bad.append(words)
        elif words[:1] == ['elapsed']:
            want_rates = [('req/s', 'rps_ok')] if d['throughput']['rps_ok'] == \
                d['throughput']['rps_all'] else [('ok/s', 'rps_ok'),
                                                 ('calls/s', 'rps_all')]
            got = dict(zip(words[3::2], words[2::2]))
            if not rounds(words[1], d['window']['elapsed_ns']) or [
                    k for k, v in want_rates if k not in got or
                    not rounds(got[k], d['throughput'][v])]:
                bad.append(words)
        elif words[:1] == ['status']:
            if words[1:] != [w for s in d['status'] for w in (
                    s['name'], '{:,}'.format(s['count']))]:
                bad.append(words)
        elif words[:1] == ['latency']:
            names, rows = words[1:], True
        elif not words:
            rows = False
        elif rows and len(words) == len(names) + 1:
            seen.append(words[0])
            for name, w in zip(names, words[1:]):
                h = want[name]
                if not rounds(w, h['percentiles'][words[0][1:]]
                              if words[0][0] == 'p' else h[words[0]]):
                    bad.append('%s %s %s' % (name, words[0], w))
    known = ['p' + p for p in d['latency']['response']['percentiles']
             if any(h['percentiles'][p] is not None for h in want.values())]
    if want and (names != list(want) or seen != known + ['max', 'mean']):
        bad.append('latencies %s %s' % (names, seen))
    bars = [line for line in lines if line[:1] == ['<=']]
    main = d['latency']['response']
    if sum(int(line[-1].replace(',', '')) for line in bars) != main['count']:
        bad.append('bars')
    say('text has the figures of the JSON', bad)


def hgrm(path, text):
    main = read(path)['latency']['response']
    buckets, seen, bad, last = main['hdr']['buckets'], 0, [], None
    with open(text, encoding='utf-8') as f:
        lines = f.read().splitlines()
    for line in lines:
        m = re.match(r' *([0-9.]+) +([0-9.]+) +(\d+)', line)
        if not m:
            continue
        value, total = float(m.group(1)), int(m.group(3))
        seen, at = 0, 0
        for upper, n in buckets:
            seen += n
            if seen >= total:
                at = upper
                break
        if abs(at / 1e6 - value) > 0.0006 or seen != total:
            bad.append(line)
        last = total
    say('hgrm has the counts of the JSON', bad[:2] or
        (last != main['count'] and 'ends with %s' % last))


def hdr(*paths):
    from hdrh.histogram import HdrHistogram
    for path in paths:
        for name, h in times(read(path)).items():
            theirs = HdrHistogram.decode(h['hdr']['v2'])
            again = HdrHistogram(1, 3600000000000, 3)
            for upper, n in h['hdr']['buckets']:
                again.record_value(upper, n)
            bad = []
            if theirs.get_total_count() != h['count']:
                bad.append('%d values' % theirs.get_total_count())
            for p, v in h['percentiles'].items():
                a = theirs.get_value_at_percentile(float(p))
                b = again.get_value_at_percentile(float(p))
                if v is not None and (min(a, h['max']) != v or a != b):
                    bad.append('p%s is %d, and %d theirs' % (p, v, a))
            say('HdrHistogram reads %s of %s' % (name, os.path.basename(path)),
                bad)


def values(path, *logs):
    from hdrh.histogram import HdrHistogram
    d = read(path)['latency']
    theirs = {k: HdrHistogram(1, 3600000000000, 3)
              for k in ('response', 'service', 'failed')}
    for log in logs:
        with open(log, encoding='ascii') as f:
            for line in f:
                due, sent, end, status, _ = map(int, line.split('\t'))
                if status:
                    theirs['failed'].record_value(end - sent)
                else:
                    theirs['response'].record_value(end - due)
                    theirs['service'].record_value(end - sent)
    for name, h in theirs.items():
        if not d[name] or not d[name]['count']:
            continue
        bad = []
        if h.get_total_count() != d[name]['count']:
            bad.append('%d values' % h.get_total_count())
        if h.get_max_value() != h.get_highest_equivalent_value(d[name]['max']):
            bad.append('max %d' % h.get_max_value())
        for p, v in d[name]['percentiles'].items():
            want = min(h.get_value_at_percentile(float(p)), d[name]['max'])
            if v is not None and v != want:
                bad.append('p%s is %d, and %d theirs' % (p, v, want))
        got = [[i.value_iterated_to, i.count_added_in_this_iter_step]
               for i in h.get_recorded_iterator()]
        if got != d[name]['hdr']['buckets']:
            bad.append('other buckets')
        say("%s is HdrHistogram's of the same values" % name, bad)


def merged(path, *parts):
    a, all_of = read(path), [read(p) for p in parts]
    bad = [k for k in a['counts']
           if a['counts'][k] != sum(d['counts'][k] for d in all_of)]
    say('counts add', bad)
    for name in times(a):
        buckets = {}
        for d in all_of:
            h = d['latency'][name]
            for upper, n in h['hdr']['buckets'] if h else ():
                buckets[upper] = buckets.get(upper, 0) + n
        got = dict(a['latency'][name]['hdr']['buckets'])
        say('%s is the histogram of all values' % name,
            got != buckets and 'other buckets')
        rank, seen, wrong = {}, 0, []
        total = sum(buckets.values())
        for p, v in a['latency'][name]['percentiles'].items():
            if v is not None:
                rank[p] = math.ceil(float(p) / 100 * total - 1e-9)
        for upper in sorted(buckets):
            seen += buckets[upper]
            for p in [p for p in rank if rank[p] <= seen]:
                del rank[p]
                v = a['latency'][name]['percentiles'][p]
                if v != min(upper, a['latency'][name]['max']):
                    wrong.append('p%s' % p)
        say('and its percentiles are theirs', wrong)


def recorded(path, log, counted):
    """Check that the counts of the result, of its log and of the server are
    equal, and that percentiles of the logged times are those of the result.
    """
    d = read(path)
    with open(counted) as f:
        words = re.findall(r'([a-z]+) (\d+)', f.read().splitlines()[-1])
    server = {k: int(n) for k, n in words}
    with open(log) as f:
        rows = [[int(x) for x in line.split()] for line in f]
    errors = {(e['kind'], e['code']): e['count'] for e in d['errors']}
    client = {'ok': d['counts']['ok'],
              'failed': errors.pop(('grpc_status', 0), 0),
              'refused': errors.pop(('rst_stream', 7), 0),
              'reset': errors.pop(('rst_stream', 2), 0),
              'lost': sum(errors.pop(k) for k in list(errors)
                          if k[0] == 'transport')}
    say('the counts agree to the call', (client != server or errors) and
        (client, server, errors))
    say('each way to end came up', min(server.values()) == 0 and server)
    say('GOAWAY and lost connections too', not (
        d['connect']['goaways'] and d['connect']['lost'] and
        d['counts']['retried_after_goaway']) and d['connect'])
    say('the log has each call', len(rows) != sum(server.values()) and
        len(rows))
    took = sorted(end - due for due, _, end, status, *_ in rows if status == 0)
    wrong = []
    for p, v in d['latency']['response']['percentiles'].items():
        exact = took[max(math.ceil(float(p) / 100 * len(took) - 1e-9), 1) - 1]
        if v is not None and not exact <= v <= exact * 1.001 + 1:
            wrong.append((p, v, exact))
    say('a sort of the log has the same percentiles', wrong)


def verdict(path, *want):
    """Check that the verdict is one of WANT.  Other programs on the machine may
    be the limit instead; then the result must show it: a client thread waited
    for a CPU more than 20 us at a time, in 5% of the run, or the server did for
    a fifth of the time that it needed one, or load sent calls late repeatedly.
    """
    d = read(path)
    limit, server = d['verdict']['limit'], d['server']
    waits = [t['wait_ns'] - 20e3 * t['timeslices'] > 0.05 * t['wall_ns']
             for t in d['client']['threads']]
    if server:
        wait = server['wait_ns'] - 20e3 * server['timeslices']
        waits.append(wait > 0.2 * (wait + server['cpu_ns']))
    late = d['client']['late_spells'] >= 5
    excused = limit == 'machine' and any(waits) or \
        limit in ('client', 'machine') and late
    say('the %s is the limit' % ' or '.join(want),
        limit not in want and not excused and d['verdict'])


def memory(program, to, calls):
    peak = []
    for n in int(calls) // 10, int(calls):
        p = subprocess.Popen(
            [program, 'load', '-q', '-c', '10', '-m', '10', '-N', str(n), to],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        with p.stdout as f:
            said = f.read().decode()
        _, status, used = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        peak.append(used.ru_maxrss)
        if '{:,} ok'.format(n) not in said:
            say('%d calls' % n, said)
    say('%s calls take no more memory than a tenth of them' % calls,
        peak[1] > peak[0] + 1024 and '%d and %d KiB' % tuple(peak))


def served(t, left, begins, lasts=10**9, every=10**10):
    """When a call that starts at t ends, on tests/load/stall.c's server."""
    at = begins
    while begins is not None:
        if at + lasts > t:
            if t + left < at:
                break
            left -= max(0, at - t)
            t = at + lasts
        at += every
    return t + left


def queue(d, service, begins=None, most=10**9):
    """Response times of calls that are due one by one and served in order, with
    at most `most` in flight; calls beyond that are not sent."""
    step, ends, out, first = 1e9 / d['config']['rate'], [0], [], 1
    for k in range(d['counts']['planned']):
        due = k * step
        while first < len(ends) and ends[first] <= due:
            first += 1
        if len(ends) - first < most:
            ends.append(served(max(due, ends[-1]), service, begins))
            out.append(ends[-1] - due)
    return sorted(out)


def apart(d, sim, low=0):
    bad = []
    for p, got in d['latency']['response']['percentiles'].items():
        want = sim[math.ceil(float(p) / 100 * len(sim) - 1e-9) - 1]
        if float(p) > low and (got is None or abs(got - want) > 0.02 * want):
            bad.append('p%s: %s ns, simulated %d' % (p, got, want))
    return bad


def stall(log, path):
    d = read(path)
    with open(log, encoding='ascii') as f:
        rows = [tuple(map(int, line.split('\t'))) for line in f]
    say('every call is answered',
        (d['counts']['ok'], len(rows)) != (4000, 4000) and
        (d['counts'], len(rows)))
    due = sorted(row[0] for row in rows)
    apart = {b - a for a, b in zip(due, due[1:])}
    say('the schedule goes on during the stall, 1 ms apart',
        not apart <= {999999, 1000000, 1000001} and apart)
    # Of 1,000 calls due in the stall, at most ten are in flight at its start.
    late = sum(end - due > 5e8 for due, sent, end, *_ in rows)
    say('response counts from the schedule: 500 calls wait 500 ms and more',
        late < 450 and late)
    slow = sum(end - sent > 9e8 for due, sent, end, *_ in rows)
    say('service shows the stall on calls in flight alone',
        not 1 <= slow <= 10 and slow)
    p99 = d['latency']['response']['percentiles']['99']
    say('the p99 of response is at least 900 ms', p99 < 900e6 and p99)


def simulated(path, service, begins, most=10**9):
    d = read(path)
    sim = queue(d, int(service) * 1000,
                int(begins) * 10**6 if int(begins) else None, int(most))
    c = d['counts']
    say('what its queue cannot take is not sent', abs(
        c['sent'] - len(sim)) > 2 and '%s, simulated %d' % (c, len(sim)))
    # Calls that did not wait take the machine's time.
    say('response is as simulated, to 2%',
        apart(d, sim, 90 if int(begins) else 0))


{'schema': schema, 'same': same, 'text': text, 'hgrm': hgrm, 'hdr': hdr,
 'values': values, 'merged': merged, 'memory': memory, 'verdict': verdict,
 'recorded': recorded, 'stall': stall,
 'simulated': simulated}[sys.argv[1]](*sys.argv[2:])
