"""engines.py GRPCPROF TONIC - what `grpcprof run` costs a server, by timer.

The Greeter on tonic (tests/bench/tonic) answers the same calls alone and under
`run`, in turns: CPU time per call, as the server prints it at its end.
  busy    some 300 us of work a call, one call at a time for each thread
  sleepy  no work, one client: the threads sleep and wake at every call
Prints for each timer: the CPU time per call, and its increase over that alone
(median and quartiles of ROUNDS pairs).

  ROUNDS=N   pairs (9)      CALLS=N  calls of the sleepy server (100000)"""
import os, signal, statistics, subprocess, sys

grpcprof, tonic = sys.argv[1:3]
rounds = int(os.environ.get("ROUNDS", 9))
calls = int(os.environ.get("CALLS", 100000))
SERVERS = [("busy", 1000000, 2, calls // 50), ("sleepy", 0, 1, calls)]
WAYS = [("250 Hz, timers", ["--timer", "thread"]),
        ("250 Hz, perf", ["--timer", "perf", "--hz", "250"]),
        ("1,000 Hz, perf", ["--timer", "perf", "--hz", "1000"])]


def once(work, clients, n, how):
    """CPU time per call in us, of n calls; how: options of run, or None for the
    server alone."""
    run = [] if how is None else [grpcprof, "run", *how, "-o", "/dev/null",
                                  "--svg", "none", "--"]
    p = subprocess.Popen([*run, tonic, "-port", "0", "-sum", "1", "-work",
                          str(work)], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    address = p.stdout.readline().split()[-1]
    subprocess.run([grpcprof, "load", "-q", "-c", str(clients), "-N", str(n),
                    address], check=True, stdout=subprocess.DEVNULL)
    p.send_signal(signal.SIGTERM)
    out, err = p.communicate(timeout=60)
    sums = out.strip().splitlines()[-1].split()
    sums = dict(zip(sums[::2], map(int, sums[1::2])))
    if sums["calls"] != n:
        sys.exit(f"{sums['calls']} calls instead of {n}: {err}")
    return sums["cpu_ns"] / n / 1e3


print(f"{rounds} pairs; load average", open("/proc/loadavg").read()[:14])
print(f"{'server':8}{'sampled':16}{'us per call':>12}{'more CPU':>10}"
      f"{'quartiles':>18}")
for name, work, clients, n in SERVERS:
    alone, sampled = [], {w: [] for w, _ in WAYS}
    for _ in range(rounds):
        alone.append(once(work, clients, n, None))
        for w, how in WAYS:
            sampled[w].append(once(work, clients, n, how))
    print(f"{name:8}{'alone':16}{statistics.median(alone):12.2f}")
    for w, _ in WAYS:
        more = [100 * (s / a - 1) for s, a in zip(sampled[w], alone)]
        low, _, high = statistics.quantiles(more, n=4)
        between = f"{low:.1f} to {high:.1f}%"
        print(f"{name:8}{w:16}{statistics.median(sampled[w]):12.2f}"
              f"{statistics.median(more):9.1f}%{between:>18}")
