# table.awk -- the tables of tests/bench/serve.sh, from lines of two kinds:
#   TABLE SHAPE SERVER SYSCALLS
#   TABLE ROUND SHAPE SERVER US_A_CALL CALLS_A_SECOND
# of which it shows those of -v table=; -v shapes= and servers= are lists in the
# order to show, and ours= is the server that the others are compared with too.

function sorted(v, n,    i, j, x) {
    for (i = 2; i <= n; i++) {
        x = v[i]
        for (j = i - 1; j > 0 && v[j] > x; j--) v[j + 1] = v[j]
        v[j + 1] = x
    }
}
function median(v, n) {
    sorted(v, n)
    return (v[int((n + 1) / 2)] + v[int(n / 2) + 1]) / 2
}
# How many values at each end the sign test leaves out, and one; 0: too few.
function edge(n,    k, p, sum) {
    p = 0.5 ^ n
    for (k = 0; 2 * (sum += p) <= 0.05; k++) p *= (n - k) / (k + 1)
    return k
}
function ratio(shape, over, under,    r, n, v, m, k) {
    for (r = 1; r <= rounds; r++)
        if ((shape, over, r) in us && (shape, under, r) in us)
            v[++n] = us[shape, over, r] / us[shape, under, r]
    if (!n) return "-"
    m = median(v, n)
    if (!(k = edge(n))) return sprintf("%.2f", m)
    return sprintf("%.2f [%.2f %.2f]", m, v[k], v[n + 1 - k])
}
$1 != table { next }
NF == 4 { calls[$2, $3] = $4; next }
{ us[$3, $4, $2] = $5; rps[$3, $4, $2] = $6; if ($2 > rounds) rounds = $2 }
END {
    nshapes = split(shapes, shape); nservers = split(servers, server)
    line = "%-8s %-10s %9s  %-19s %-19s %9s %9s\n"
    printf line, "clients", "server", "us a call", "to " server[1],
        ours " to it", "syscalls", "calls/s"
    for (i = 1; i <= nshapes; i++)
        for (j = 1; j <= nservers; j++) {
            a = shape[i]; b = server[j]; n = 0
            for (r = 1; r <= rounds; r++)
                if ((a, b, r) in us) { v[++n] = us[a, b, r]
                                       w[n] = rps[a, b, r] }
            if (!n) continue
            printf line, a, b, sprintf("%.2f", median(v, n)),
                b == server[1] ? "1" : ratio(a, b, server[1]),
                b == ours ? "1" : ratio(a, ours, b), calls[a, b],
                sprintf("%.0f", median(w, n))
        }
}
