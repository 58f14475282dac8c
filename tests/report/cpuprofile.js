'use strict';
// cpuprofile.js FILE -- what each function of a V8 .cpuprofile used itself, in
// lines "NANOSECONDS NAME", as the Chrome DevTools Protocol defines the format:
// timeDeltas are the microseconds between adjacent samples, the first one since
// the start.  (idle) is no CPU time.
const fs = require('node:fs');
const p = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const names = new Map(p.nodes.map(n =>
    [n.id, n.callFrame.functionName || '(anonymous)']));
const self = new Map();
let now = p.startTime;
p.samples.forEach((id, i) => {
    now += p.timeDeltas[i];
    const last = i + 1 === p.samples.length;
    const us = last ? Math.max(0, p.endTime - now) : p.timeDeltas[i + 1];
    const name = names.get(id);
    if (name !== '(idle)')
        self.set(name, (self.get(name) || 0) + us);
});
for (const [name, us] of self)
    console.log(us * 1000, name);
