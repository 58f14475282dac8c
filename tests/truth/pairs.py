#!/usr/bin/env python3
"""Compare profiles of one unchanged server, and of two that differ by a known
amount; count how often `report` calls them different.

    pairs.py GRPCPROF [PAIRS] [SECONDS] [busy]

Equal: PAIRS pairs of profiles of SECONDS each, one after the other, of one
server (serve -w 50000) under constant load; at most one pair in fifteen may
have a significant function.  Dearer: two profiles of that server against two
of another one whose handler works 20% longer (-w 60000), taken alternately; by
time per call, at least nine pairs in ten must have svc_work as significant.
The number by shares, which rise only where others fall, is printed too.
busy: beside a busy loop."""
import json, multiprocessing, os, subprocess, sys, tempfile, time
import urllib.request

program = os.path.abspath(sys.argv[1])
pairs = int(sys.argv[2]) if len(sys.argv) > 2 else 30
seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 3
busy = len(sys.argv) > 4
folder = tempfile.TemporaryDirectory()
LIMIT_NS = 20 * 60 * 10**9


class Server:
    """serve with a load of its own, until close()."""

    def __init__(self, work, end_s):
        self.serve = subprocess.Popen(
            [program, "serve", "-l", "127.0.0.1:0", "-w", str(work), "-t", "1",
             "--debug", "127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        lines = [self.serve.stdout.readline()]
        self.listen = lines[0].split()[-1]
        self.debug = None
        while not self.debug:
            line = self.serve.stderr.readline()
            if not line:
                raise SystemExit("serve does not say where its endpoint is")
            if "/debug/pprof" in line:
                self.debug = line.split("http://")[1].split("/")[0]
        self.load = subprocess.Popen(
            [program, "load", "-q", "-c", "4", "-t", "1", "-d", f"{end_s}s",
             self.listen], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)

    def window(self, name):
        """Profile `seconds` of the server to a file; return its path."""
        url = f"http://{self.debug}/debug/pprof/profile?start"
        token = urllib.request.urlopen(url).read().decode().strip()
        time.sleep(seconds)
        url = f"http://{self.debug}/debug/pprof/profile?stop={token}"
        path = os.path.join(folder.name, name)
        with open(path, "wb") as f:
            f.write(urllib.request.urlopen(url).read())
        return path

    def close(self):
        for p in (self.load, self.serve):
            p.terminate()
            p.wait()


def significant(base, now, *options):
    """Return the functions that report calls changed, by name."""
    arg = [program, "report", "-q", "-f", "json", *options]
    for path in base:
        arg += ["--base", path]
    arg += ["--runs"] if len(now) > 1 else []
    out = subprocess.run(arg + now, capture_output=True, text=True)
    if out.returncode:
        raise SystemExit(out.stderr)
    rows = json.loads(out.stdout)["diff"]["functions"]
    return {f["name"]: f for f in rows
            if f["significant"] or f["cum_significant"]}


def spin():
    """Keep a CPU busy, for LIMIT_NS at most."""
    end = time.monotonic_ns() + LIMIT_NS
    while time.monotonic_ns() < end:
        pass


def main():
    spinner = multiprocessing.Process(target=spin, daemon=True)
    if busy:
        spinner.start()
    length = int(pairs * 6 * (seconds + 0.3)) + 30
    server = Server(50000, length)
    time.sleep(1)
    wrong = 0
    for i in range(pairs):
        a, b = server.window("a"), server.window("b")
        found = significant([a], [b])
        wrong += bool(found)
        for name, f in found.items():
            print(f"  pair {i}: {name[:40]}", flush=True)
    print(f"equal pairs: {wrong} of {pairs} significant", flush=True)
    dearer = Server(60000, length)
    server.load.send_signal(19)         # SIGSTOP: one load at a time
    hit = by_share = 0
    for i in range(pairs):
        path = {0: [], 1: []}
        for k in (0, 1, 0, 1):
            (server, dearer)[1 - k].load.send_signal(19)
            (server, dearer)[k].load.send_signal(18)
            time.sleep(0.1)
            path[k].append((server, dearer)[k].window(f"{k}.{len(path[k])}"))
        hit += "svc_work" in significant(path[0], path[1], "--per-call")
        by_share += "svc_work" in significant(path[0], path[1])
    print(f"20% dearer: found in {hit} of {pairs} by time per call, "
          f"{by_share} by shares", flush=True)
    for s in (server, dearer):
        s.load.send_signal(18)
        s.close()
    if busy:
        spinner.terminate()
    return wrong > pairs / 15 or hit < 0.9 * pairs


sys.exit(main())
