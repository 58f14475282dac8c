"""audit_orders of Python: hot.py SECONDS, of CPU time."""
import hashlib
import json
import re
import sys
import time

ORDERS = {'item%d' % i: ['sku-%d-red' % i, i, 1.5] for i in range(40)}


def audit_orders(n):
    ORDERS['id'] = n
    return len(json.dumps(ORDERS, indent=1))


def ship_order(n):
    text = ' '.join('sku-%d' % (n * 7919 + i * 104729) for i in range(40))
    return len(re.sub('sku-([0-9]+)', hashlib.sha256(b'x').hexdigest(), text))


def place_order(n):
    return audit_orders(n) + ship_order(n)


def main():
    n = 0
    while time.process_time() < float(sys.argv[1]):
        for n in range(n, n + 20):
            place_order(n)


main()
