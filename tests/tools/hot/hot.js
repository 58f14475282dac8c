'use strict';
// audit_orders of JavaScript: node --cpu-prof hot.js SECONDS, of CPU time
const crypto = require('node:crypto');
const util = require('node:util');

const orders = {};
for (let i = 0; i < 40; i++)
    orders['item' + i] = ['sku-' + i + '-red', i, { price: 1.5 }];

function audit_orders(n) {
    orders.id = n;
    return util.inspect(orders, { depth: 5 }).length;
}

function ship_order(n) {
    const hash = crypto.createHash('sha256');
    for (let i = 0; i < 20; i++)
        hash.update('sku-' + (n * 7919 + i));
    return hash.digest('hex').length;
}

function place_order(n) {
    return audit_orders(n) + ship_order(n);
}

function main() {
    const end = 1e6 * Number(process.argv[2]);
    for (let n = 0; process.cpuUsage().user < end;)
        for (let i = 0; i < 20; i++)
            place_order(n++);
}

main();
