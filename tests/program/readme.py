"""readme.py README BIN SHOP - run the commands that README shows, and compare
the shape of what they print with what README says that they print.

  readme.py README BIN SHOP -v     print the real output too, to paste

A block of README is what is indented by four.  In it a line "$ CMD" is run, and
its output must have the lines below it in the same order; numbers, units and
the length of bars may differ, and "..." stands for lines that are left out.
Because the runs here are shorter, any text may follow "Verdict", and "holds"
may be "not resolved".  A CMD that ends with "&" is a server that later commands
use.  A command without "$" is run for its exit status, or is in ELSEWHERE, with
the test that runs it.

The commands run in a directory of their own, with the program BIN, other ports
and shorter runs than in README.  Prints "ok NAME" or "FAIL NAME: why"."""
import os, re, shlex, signal, subprocess, sys, tempfile, time

ORDER = '{"customer":"ann","items":[{"sku":"tea","count":2}]}'
readme, binary, shop = sys.argv[1:4]
verbose = "-v" in sys.argv
binary, shop = os.path.abspath(binary), os.path.abspath(shop)
os.environ.update(NO_COLOR="1", COLUMNS="80")

ELSEWHERE = [                       # command, and who runs it
    (r"make( |$)", "t_build, and demo of t_readme"),
    (r"(at=|srun |grpcprof report /shared/)", "t_slurm"),
]
failed = 0


def said(name, why=""):
    global failed
    failed += bool(why)
    print(f"FAIL {name}: {why}" if why else f"ok {name}", flush=True)


def shape(line):
    """The line without what may differ between two runs.  All rows of functions
    are alike, because their order depends on the run."""
    line = re.sub(r"\s+\(the first\)$", "", line)
    line = re.sub(r"\b[0-9a-f]{12,}\b", "HEX", line)
    line = re.sub(r"\d[\d,]*(\.\d+)?", "N", line)
    line = re.sub(r"N ?(ns|us|ms|s|B|kB|MB|KiB|MiB)\b", "N U", line)
    line = re.sub(r"#+", "#", line.replace("~", " ")).replace(" %", "%")
    if re.match(r" *(verdict|note)\b", line):
        return line.split()[0]
    line = re.sub(r"^(holds|not resolved) ", "outcome ", " ".join(line.split()))
    return "row" if re.match(r"N U N U to N U N N U ", line) else line


def shapes(lines):
    out = []
    for line in lines:
        s = shape(line)
        if s and s != (out[-1] if out else None):
            out.append(s)
    return out


def differs(want, got):
    """The first line of want that got lacks, or None.  Both are shapes."""
    at, free, skip = 0, True, False
    for line in want:
        if line == "...":
            free, skip = True, False
            continue
        if skip:
            continue
        begin = line.removesuffix("...").rstrip()
        found = [i for i in range(at, len(got) if free else min(at + 1,
                 len(got))) if got[i].startswith(begin)]
        if not found:
            return line
        at, free = found[0] + 1, False
        if line == "Verdict":
            if at == len(got):
                return "a text below Verdict"
            skip = free = True
    return None


def blocks(text):
    """The blocks of text, each a list of its lines."""
    block, out = [], []
    for line in text.split("\n") + ["x"]:
        if line.startswith("    ") or (not line and block):
            block.append(line[4:])
        elif block:
            out.append(block)
            block = []
    return out


def commands(block):
    at = 0
    while at < len(block):
        line = block[at]
        at += 1
        if not re.match(r"(\$ )?(grpcprof|make|srun|at=)\b", line):
            continue
        shown = line.startswith("$ ")
        while line.endswith("\\"):
            line = line[:-1] + " " + block[at].strip()
            at += 1
        end = at
        while shown and end < len(block) and not block[end].startswith("$ "):
            end += 1
        yield line.removeprefix("$ "), shown, block[at:end]
        at = end


def adapted(command):
    """The command with our binary and ports, and with shorter runs."""
    command = re.sub(r"\s+#.*", "", command)
    command = re.sub(r"^grpcprof", shlex.quote(binary), command)
    command = re.sub(r"-d \d+s", "-d 3s", command)
    command = re.sub(r"--profile \d+s", "--profile 3s", command)
    command = command.replace("./target/release/shop",
                              shlex.quote(shop) + " -listen 127.0.0.1:0")
    command = command.replace("--debug 6060", "--debug 127.0.0.1:0")
    for old, new in ports.items():
        command = command.replace(old, new)
    return command


def start(command, *what):
    """Start a server; return it, and the addresses that it prints for what."""
    p = subprocess.Popen(shlex.split(command), stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True)
    found = {}
    while len(found) < len(what):
        line = p.stdout.readline()
        if not line:
            raise SystemExit(f"{command} did not start")
        for w in what:
            at = re.search(w + r" on (?:http://)?(\S+:\d+)", line)
            if at:
                found[w] = at[1]
    return p, [found[w] for w in what]


def start_run(command):
    """Start, under grpcprof run, the server that the next commands load."""
    server, (web, grpc) = start(adapted(command.removesuffix("&")),
                                "debug endpoint", "listening")
    ports.update({"127.0.0.1:50051": grpc, ":6060": ":" + web.split(":")[1]})
    said(command)
    return server


def run_one(command, shown, want):
    real = adapted(command)
    p = subprocess.run(real, shell=True, capture_output=True, text=True,
                       timeout=60)
    out = p.stdout if p.stdout.strip() else p.stderr
    name = command if len(command) < 60 else command[:57] + "..."
    if verbose:
        print(f"$ {real}\n{p.stdout}[stderr] {p.stderr}[{p.returncode}]")
    if p.returncode not in ((0, 4) if "--assert" in command else (0,)):
        said(name, f"status {p.returncode}: {p.stderr.strip()[-200:]}")
        return
    line = differs(shapes(want), shapes(out.split("\n"))) if shown else None
    said(name, f"no line like '{line}'" if line else "")


def serve_beside(block):
    """Run a block that starts `grpcprof serve`; the others in it call that."""
    cmds = [c for c, _, _ in commands(block)]
    server, (address,) = start(adapted(cmds[0]) + " -l 127.0.0.1:0 --debug off "
                               "--exit", "listening")
    ports["127.0.0.1:50051"] = address
    for c in (c.split('#')[0].strip() for c in cmds[1:]):
        if " report " in c:
            server.wait(30)
        elif not re.search(r"\d+:\d+", c):
            c += " " + address
        run_one(c, False, [])
    said(cmds[0], "" if server.wait(30) == 0 else f"status {server.returncode}")


ports = {}
with open(readme) as f:
    text = f.read()
all_blocks = blocks(text)
with tempfile.TemporaryDirectory() as d:
    os.chdir(d)
    with open("orders.json", "w") as f:
        f.write(ORDER)
    said("orders.json", "" if ORDER in text else "README has another one")
    servers = []
    try:
        for block in all_blocks:
            if any(c.startswith("grpcprof serve") for c, _, _ in
                   commands(block)):
                serve_beside(block)
                continue
            for command, shown, want in commands(block):
                by = [w for r, w in ELSEWHERE if re.match(r, command)]
                if by:
                    said(f"{command.split('#')[0].strip()[:50]} (by {by[0]})")
                elif command.endswith("&"):
                    servers.append(start_run(command))
                else:
                    run_one(command, shown, want)
                    if not os.path.exists("main.pb"):   # for --base
                        os.system("cp profile.pb main.pb")
    finally:
        for p in servers:
            p.send_signal(signal.SIGTERM)
            p.wait()
sys.exit(failed > 0)
