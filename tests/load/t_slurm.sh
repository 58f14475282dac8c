# Many machines: load as a two-node job of Slurm, in a cluster of the test's own
# on 127.0.0.1, with a common start and merged results; the Kubernetes job, by
# its schema.

free_ports() { # N
    "$PY" -c 'import socket, sys
s = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(x.getsockname()[1] for x in s))' "$1"
}

cluster() {
    local dir=$T/slurm ports i
    mkdir -p "$dir"/{ctld,d0,d1} && chmod 755 "$T" "$dir" || return
    read -ra ports < <(free_ports 3)
    head -c 1024 /dev/urandom >"$dir/key" && chmod 400 "$dir/key"
    bg munged --foreground --force --socket="$dir/munge" --key-file="$dir/key" \
        --pid-file="$dir/munged.pid" --log-file="$dir/munged.log" \
        --seed-file="$dir/seed"
    CLUSTER=("$PID")
    wait_for 20 test -S "$dir/munge" || return
    cat >"$dir/slurm.conf" <<CONF
ClusterName=own
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=${ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/linear
StateSaveLocation=$dir/ctld
SlurmctldPidFile=$dir/ctld.pid
SlurmctldLogFile=$dir/ctld.log
SlurmdSpoolDir=$dir/%n
SlurmdPidFile=$dir/%n.pid
SlurmdLogFile=$dir/%n.log
ReturnToService=2
MpiDefault=none
NodeName=d0 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=${ports[1]} CPUs=1
NodeName=d1 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=${ports[2]} CPUs=1
PartitionName=all Nodes=d0,d1 Default=YES State=UP
CONF
    export SLURM_CONF=$dir/slurm.conf
    bg slurmctld -D
    CLUSTER=("$PID" "${CLUSTER[@]}")    # ended in this order
    for i in 0 1; do
        bg slurmd -D -N "d$i"
        CLUSTER=("$PID" "${CLUSTER[@]}")
    done
    wait_for 30 both_idle
}
both_idle() { [ "$(sinfo -h -t idle -o %D)" = 2 ]; }

on_two_nodes() {
    local start
    check 'srun on two nodes' 0 srun -N2 -n2 -t1 \
        sh -c 'echo "$SLURMD_NODENAME $SLURM_PROCID"'
    same 'each has one of the two tasks' "$(sort "$OUT" | xargs)" 'd0 0 d1 1'
    start_server -w 100 || return
    start=$(($(date +%s) + 3))
    LIMIT=60 check 'load on two nodes, begun together' 0 srun -N2 -n2 -t1 \
        bash -c "$BIN load -q -c 4 -n 500 --start-at $start -f json \
            -o $T/node.\$SLURM_PROCID.json \
            --log-requests $T/node.\$SLURM_PROCID.log 127.0.0.1:$PORT"
    check 'report merges what they found' 0 "$BIN" report -f json \
        -o "$T/nodes.json" "$T/node.0.json" "$T/node.1.json"
    tally 'two nodes' "$PY" tests/load/result.py merged "$T/nodes.json" \
        "$T/node.0.json" "$T/node.1.json"
    need 'two nodes, all values together' hdrhistogram &&
        tally 'two nodes, all values together' \
            env PYTHONPATH="$HDRHISTOGRAM" "$PY" tests/load/result.py values \
            "$T/nodes.json" "$T/node.0.log" "$T/node.1.log"
    "$PY" -c 'import json, sys
a, b, both = (json.load(open(p)) for p in sys.argv[1:])
apart = abs(a["window"]["start_unix_ns"] - b["window"]["start_unix_ns"])
print("ok", both["counts"]["ok"], "together", apart < 200e6)' \
        "$T/node.0.json" "$T/node.1.json" "$T/nodes.json" >"$OUT"
    has 'all calls, at the same time' "$OUT" '^ok 4000 together True$'
    stop_server 'ends with status 0'
}

if need 'the Kubernetes job' kubernetes; then
    check 'the Kubernetes job is as its schema has it' 0 \
        env PYTHONPATH="$KUBERNETES" "$PY" -c 'import sys, yaml
import kubernetes_validate as k
with open(sys.argv[1]) as f:
    job = yaml.safe_load(f)
k.validate(job, "1.30", strict=True)
job["spec"]["completionMode"] = 5
try:
    k.validate(job, "1.30", strict=True)
except k.ValidationError:
    sys.exit(0)
sys.exit("a wrong one passes, too")' tests/examples/load-job.yaml
fi
if [ "$(id -u)" -ne 0 ]; then
    missing 'Slurm' 'needs root'
elif need 'Slurm' slurmctld slurmd srun munged; then
    if cluster; then on_two_nodes
    else fail 'a cluster of its own' "$(tail -n 3 "$T"/slurm/*.log 2>&1)"; fi
    for pid in "${CLUSTER[@]}"; do kill "$pid" && ended "$pid" 20; done
    unset SLURM_CONF
fi
