#!/usr/bin/python3
"""trunc.py BIN FILE DIR STATUS...: run `BIN report` on all truncations of FILE,
from 0 bytes on.  Each must exit with one of STATUS and, unless that is 0, print
one line on stderr that names the file and says why."""
import concurrent.futures
import os
import subprocess
import sys


def main():
    binary, name, work = sys.argv[1:4]
    allowed = [int(s) for s in sys.argv[4:]]
    with open(name, 'rb') as f:
        whole = f.read()

    def one(size):
        cut = os.path.join(work, 'cut%d' % size)
        with open(cut, 'wb') as f:
            f.write(whole[:size])
        r = subprocess.run([binary, 'report', cut], capture_output=True,
                           text=True, errors='replace', timeout=60)
        os.unlink(cut)
        lines = r.stderr.splitlines()
        if r.returncode not in allowed:
            return 'status %d at byte %d: %s' % (r.returncode, size, lines[-3:])
        if r.returncode and (len(lines) != 1 or os.path.basename(cut)
                             not in lines[0]):
            return '%d lines at byte %d: %s' % (len(lines), size, lines[:2])
        return None

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        bad = [x for x in pool.map(one, range(len(whole))) if x]
    if bad:
        sys.exit('%d of %d, first: %s' % (len(bad), len(whole), bad[0]))


main()
