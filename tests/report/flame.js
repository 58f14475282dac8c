// Uses a flame graph in headless Chromium as a person would.
//
//   node flame.js MODULES CHROMIUM DIR WHAT FILE... [-- WHAT FILE...]...
//
//   use SVG FOLDED    differs SVG    calls SVG    names SVG HTML NAMES.json
//   page HTML    labels SVG    sized SVG    speedscope JSON FOLDED
//   load HTML
//
// One browser does all that is asked: its start takes ten seconds of CPU.
// MODULES has puppeteer-core, axe-core and speedscope; DIR takes screenshots.
// FOLDED are the same stacks as text, NAMES what must stand for the names that
// hurt.  Prints "ok   name" or "FAIL name: why".
'use strict';
const fs = require('fs'), path = require('path'), url = require('url');
const [MODULES, CHROMIUM, DIR, ...ASKED] = process.argv.slice(2);
const WIDE = { width: 1280, height: 800 }, NARROW = { width: 390, height: 844 };
let browser;

function say(name, good, why) {
  console.log(good ? 'ok   ' + name : 'FAIL ' + name + ': ' +
    JSON.stringify(why === undefined ? good : why).slice(0, 300));
}
const text = file => fs.readFileSync(file, 'utf8');
const address = file => url.pathToFileURL(path.resolve(file)).href;

// A page that notes what it must not do: errors, dialogs, other addresses.
async function open(file, size, scripts = true) {
  const page = await browser.newPage();
  page.wrong = [];
  page.on('pageerror', e => page.wrong.push(e.message));
  page.on('dialog', d => { page.wrong.push(d.message()); d.dismiss(); });
  page.on('request', r => {
    if (!/^(file|data|blob):/.test(r.url())) page.wrong.push(r.url());
  });
  await page.setJavaScriptEnabled(scripts);
  await page.setViewport(size);
  await page.goto(address(file));
  return page;
}

// How many colours the page has on screen, and the share of the commonest.
async function colours(page, name) {
  const shot = await page.screenshot({ path: path.join(DIR, name + '.png') });
  const blank = await browser.newPage();
  const seen = await blank.evaluate(async data => {
    const image = new Image();
    image.src = 'data:image/png;base64,' + data;
    await image.decode();
    const c = new OffscreenCanvas(image.width, image.height).getContext('2d');
    c.drawImage(image, 0, 0);
    const p = new Uint32Array(
      c.getImageData(0, 0, image.width, image.height).data.buffer);
    const count = new Map();
    p.forEach(x => count.set(x, (count.get(x) || 0) + 1));
    const most = [...count].reduce((a, b) => b[1] > a[1] ? b : a);
    return { n: count.size, most: most[1] / p.length,
             light: (most[0] & 255) + (most[0] >> 8 & 255) };
  }, Buffer.from(shot).toString('base64'));
  await blank.close();
  return seen;
}

async function accessible(page, state) {
  await page.evaluate(text(path.join(MODULES, 'axe-core/axe.min.js')));
  const found = await page.evaluate(() => axe.run(document));
  say('axe-core has no violation, ' + state, found.passes.length > 10 &&
    !found.violations.length, found.violations.map(v => [v.id,
      v.nodes.length, v.nodes[0].html.slice(0, 80)]));
}

// What the drawing says of itself now.
const state = page => page.evaluate(() => {
  const box = e => { const b = e.getBoundingClientRect();
    return { x: b.x, y: b.y, w: b.width, h: b.height }; };
  return {
    frames: [...document.querySelectorAll('#f path')].map((e, i) => [e, i])
      .filter(([e]) => getComputedStyle(e).display !== 'none')
      .map(([e, i]) => ({ ...box(e), i, name: e.frame && e.frame.name,
      depth: +e.getAttribute('aria-level'), hit: e.classList.contains('h'),
      off: getComputedStyle(e).visibility === 'hidden' ||
           !!e.closest('g.x') })),
    texts: [...document.querySelectorAll('#t text')].map(
      e => ({ ...box(e), text: e.textContent })),
    info: document.getElementById('i').textContent,
    words: [...document.querySelectorAll('.t, .q tspan, #i tspan')].map(box),
    foot: box(document.getElementById('i')), high: innerHeight,
    hash: location.hash, wide: innerWidth,
    scroll: document.documentElement.scrollWidth,
    marked: ['.k', '.a'].map(c => {
      const e = document.querySelector(c);
      return { ...box(e), n: e.getAttribute('d').split('M').length - 1 };
    }),
    legend: [...document.querySelectorAll('.l')].map(
      e => ({ ...box(e), on: e.getAttribute('aria-checked') })),
  };
});
// Move to element i of those that selector finds, and perhaps click.
async function point(page, selector, i, click) {
  const at = await page.evaluate((selector, i) => {
    const e = document.querySelectorAll(selector)[i];
    e.scrollIntoView({ block: 'center' });
    const b = e.getBoundingClientRect();
    return [b.x + b.width / 2, b.y + b.height / 2];
  }, selector, i);
  await (click ? page.mouse.click(...at) : page.mouse.move(...at));
}
const press = (page, label) =>
  point(page, '[aria-label="' + label + '"]', 0, true);
const type = (page, s) => page.keyboard.type(s);

// The share of the stacks with a frame that matches, in percent.
function folded(file, re) {
  let all = 0, sum = 0;
  for (const line of text(file).trim().split('\n')) {
    const at = line.lastIndexOf(' '), n = +line.slice(at + 1);
    all += n;
    if (line.slice(0, at).split(';').some(f => re.test(f))) sum += n;
  }
  return 100 * sum / all;
}

async function mouse(page) {
  const before = await state(page);
  const f = before.frames.find(f => f.depth > 2 && f.w > 40 &&
    f.w < before.wide * 0.6);
  await point(page, '#f path', f.i);
  let s = await state(page);
  say('pointing tells name, total, interval, samples and self',
    s.info.includes(f.name) && /total [\d.]+ ms, [\d.]+% \(95% interval [\d.]+%/
      .test(s.info) && /, [\d,]+ samples; self [\d.]+ m?s, [\d.]+%/
      .test(s.info), s.info);
  say('within the window', s.foot.h > 5 && s.foot.y + s.foot.h <= s.high,
    [s.foot, s.high]);
  const callees = before.frames.filter(g => g.depth === f.depth + 1 &&
    g.x > f.x - 0.5 && g.x + g.w < f.x + f.w + 0.5);
  const self = f.w - callees.reduce((sum, g) => sum + g.w, 0);
  const told = parseFloat(s.info.match(/self .* ([\d.]+)%/)[1]);
  say('its self is what its callees leave', Math.abs(told - 100 * self /
    (before.wide - 20)) < 0.2, [told, self, s.info]);
  const [here, above] = s.marked;
  say('and marks it and each of its callers', here.n === 1 &&
    Math.abs(here.x - f.x) < 2 && Math.abs(here.w - f.w) < 3 &&
    Math.abs(here.y - f.y) < 2 && above.n === f.depth - 1 &&
    Math.abs(above.w - (before.wide - 20)) < 3, [f, s.marked]);
  await page.mouse.move(f.x, 5);
  s = await state(page);
  say('pointing elsewhere marks nothing', s.marked[0].n + s.marked[1].n === 0 &&
    s.info === before.info, [s.marked, s.info]);
  await point(page, '#f path', f.i, true);
  s = await state(page);
  const big = s.frames.find(g => g.depth === f.depth && g.name === f.name);
  say('a click makes a frame as wide as the picture',
    Math.abs(big.w - (s.wide - 20)) < 2, [f.w, big.w, s.wide]);
  say('and tells the share of the visible part and of the whole',
    /%.*100\.0% of the visible part/.test(s.info), s.info);
  say('the address has the zoom', /z=\d+,\d+/.test(s.hash), s.hash);
  await press(page, 'Reset zoom');
  s = await state(page);
  say('the button shows everything again', s.frames.length ===
    before.frames.length && !/z=/.test(s.hash), s.hash);
}

async function keys(page) {
  await page.evaluate(() => document.getElementById('f').focus());
  await page.keyboard.press('Home');
  for (const k of ['ArrowUp', 'ArrowUp', 'ArrowUp'])
    await page.keyboard.press(k);
  let s = await state(page);
  const at = await page.evaluate(() => document.getElementById(
    document.getElementById('f').getAttribute('aria-activedescendant'))
    .getAttribute('aria-level'));
  say('arrows lead three frames up', at === '4', at);
  const name = s.info.replace(/:.*/, '');
  await page.keyboard.press('Enter');
  s = await state(page);
  say('Enter zooms', /z=3,/.test(s.hash) && s.info.startsWith(name), s.hash);
  say('arrows mark the frame and its callers', s.marked[0].n === 1 &&
    s.marked[1].n === 3, s.marked);
  await page.keyboard.press('Escape');
  s = await state(page);
  say('Escape shows everything again', !/z=/.test(s.hash), s.hash);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.down('Control');
  await page.keyboard.press('f');
  await page.keyboard.up('Control');
  say('Ctrl-F leads to the search', await page.evaluate(
    () => document.activeElement.tagName.toLowerCase()) === 'input');
}

async function search(page, stacks) {
  const expression = 'a[bc]|main\\.|e+t';
  await type(page, expression);
  let s = await state(page);
  const want = folded(stacks, new RegExp(expression, 'i'));
  const got = parseFloat((s.info.match(/Matched: ([\d.]+)%/) || [])[1]);
  say('a search counts each sample once', Math.abs(got - want) < 0.2,
    [got, want, s.info]);
  say('and marks frames', s.frames.some(f => f.hit) &&
    s.frames.some(f => !f.hit));
  say('the address has the search', s.hash.includes('s='), s.hash);
  const told = (s.info.match(/in ([\d,]+) frames/) || [])[1];
  say('and says how many', +told.replace(',', '') ===
    await page.evaluate(() => document.querySelectorAll('#f .h').length), told);
  const f = s.frames.find(g => g.depth > 3 && g.w > 40);
  await point(page, '#f path', f.i);
  s = await state(page);
  await page.mouse.move(1, 1);
  say('pointing tells of a frame, and what was found comes back',
    s.info.includes(f.name) && (await state(page)).info.includes('in ' + told),
    s.info);
  await point(page, '#f path', f.i, true);
  await page.mouse.move(1, 1);
  await page.keyboard.press('Escape');
  s = await state(page);
  say('Escape takes back zoom, search and its counts', s.hash === '' &&
    /^\u2068all\u2069: total .*100\.0%/.test(s.info) &&
    !s.frames.some(g => g.hit) &&
    s.frames.some(g => g.name === f.name && Math.abs(g.w - f.w) < 0.1) &&
    await page.evaluate(() => document.querySelector('input').value) === '',
    [s.hash, s.info]);
  await page.focus('input');
  await type(page, '(');
  s = await state(page);
  say('an invalid regular expression is reported',
    s.info === 'Invalid regular expression: (', s.info);
  await page.keyboard.press('Escape');
}

async function legend(page) {
  let s = await state(page);
  await point(page, '.l', 0, true);
  s = await state(page);
  say('a click on the legend switches a category off',
    s.legend[0].on === 'false' && s.frames.some(f => f.off) &&
    /h=c\d+/.test(s.hash), [s.legend[0], s.hash]);
  await page.evaluate(() => document.querySelector('.l').focus());
  await page.keyboard.press('Space');
  s = await state(page);
  say('the space bar on again', s.legend[0].on === 'true' &&
    !s.frames.some(f => f.off), s.legend[0]);
}

async function turned(page) {
  const root = s => s.frames.find(f => f.depth === 1);
  const a = await state(page);
  await press(page, 'Invert the picture');
  const b = await state(page);
  say('inverted, the root is at the other end',
    Math.abs(root(b).y - root(a).y) > 50 && /i=1/.test(b.hash), b.hash);
  await press(page, 'Invert the picture');
  const c = await state(page);
  say('and back', root(c).y === root(a).y && !/i=1/.test(c.hash), c.hash);
}

// All that can be switched is in the address: another page shows the same.
async function remembered(page, file) {
  let s = await state(page);
  const f = s.frames.find(f => f.depth === 3 && f.w > 60);
  await point(page, '#f path', f.i, true);
  s = await state(page);
  await point(page, '.l', s.legend.length - 1, true);
  await press(page, 'Invert the picture');
  await page.focus('input');
  await type(page, 'ma');
  await page.evaluate(() => scrollTo(0, 0));
  const a = await state(page);
  const other = await open(file, WIDE);
  await other.goto('about:blank');      // an address alone would not load it
  await other.goto(address(file) + a.hash);
  const b = await state(other);
  say('the address shows the same again', a.hash.split('&').length === 4 &&
    JSON.stringify([a.frames, a.legend, a.texts]) ===
    JSON.stringify([b.frames, b.legend, b.texts]), [a.hash, b.hash]);
  await accessible(other, 'zoomed, searched, inverted, a category off');
  await other.goto('about:blank');
  await other.goto(address(file) + '#z=99,1e99&s=%E0%A4%A&h=c77,"],c0.&i=&q');
  const c = await state(other);
  say('an address of nonsense shows everything',
    c.frames.length > 5 && !other.wrong.length, other.wrong);
  await other.close();
}

// Pairs of the title, the line below it, tools and legend that overlap, with
// the button that a zoom shows; a title may be long.
const covered = page => page.evaluate(() => {
  const title = document.querySelector('.t'), was = title.textContent;
  title.textContent = 'Differential flame graph: wall-clock-time';
  dispatchEvent(new Event('resize'));
  const all = [...document.querySelectorAll('.t, .q, foreignObject, .o, .l')];
  const hidden = all.filter(e => e.style.display === 'none');
  hidden.forEach(e => { e.style.display = ''; });
  const box = all.map(e => [e.textContent, e.getBoundingClientRect()]);
  hidden.forEach(e => { e.style.display = 'none'; });
  title.textContent = was;
  dispatchEvent(new Event('resize'));
  const over = [];
  box.forEach(([a, p], i) => box.slice(i + 1).forEach(([b, q]) => {
    if (p.left < q.right && q.left < p.right && p.top + 2 < q.bottom &&
        q.top + 2 < p.bottom)
      over.push([a, b]);
  }));
  return { n: box.length, over, right: box.filter(
    ([, b]) => b.right > innerWidth).map(([a]) => a) };
});

async function sizes(page, file) {
  for (const size of [NARROW, { width: 2000, height: 900 }, WIDE]) {
    await page.setViewport(size);
    const drawn = s => s.frames.find(f => f.depth === 1);
    const fits = s => Math.abs(drawn(s).w - (s.wide - 20)) < 2;
    let s = await state(page);          // it is drawn again a frame later
    for (let i = 0; i < 200 && !(s.wide === size.width && fits(s)); i++) {
      await new Promise(r => setTimeout(r, 50));
      s = await state(page);
    }
    const root = drawn(s);
    const off = [...s.legend, ...s.texts, ...s.words].filter(
      b => b.x < 0 || b.x + b.w > s.wide + 1);
    say('a window of ' + size.width, s.wide === size.width && fits(s) &&
      s.scroll <= s.wide && !off.length, [root, s.scroll, off.slice(0, 2)]);
    const over = s.texts.filter(t => !s.frames.some(f => Math.abs(
      f.y + f.h / 2 - t.y - t.h / 2) < f.h / 2 && t.x >= f.x - 1 &&
      t.x + t.w <= f.x + f.w + 2));
    say('its names stay in their frames, ' + size.width, !over.length, over);
    const head = await covered(page);
    say('its title and tools do not cover each other, ' + size.width,
      head.n > 4 && !head.over.length && !head.right.length, head);
    if (size === NARROW) await accessible(page, 'narrow');
  }
  const narrow = await open(file, NARROW);
  await colours(narrow, path.basename(file) + '-narrow');
  await narrow.close();
}

// Dark, printed, without scripts, in an image tag.
async function pictures(page, file) {
  const name = path.basename(file), light = await colours(page, name);
  say('the picture has colours', light.n > 8 && light.most < 0.97, light);
  await page.emulateMediaFeatures([
    { name: 'prefers-color-scheme', value: 'dark' }]);
  const dark = await colours(page, name + '-dark');
  say('dark where that is preferred', dark.n > 8 && dark.light < 120 &&
    light.light > 400, [light, dark]);
  await accessible(page, 'dark');
  await page.emulateMediaFeatures([]);
  const pdf = await page.pdf();
  say('prints', pdf.length > 5000, pdf.length);
  const still = await open(file, WIDE, false);
  const plain = await colours(still, name + '-still');
  say('a picture without scripts', plain.n > 8 && plain.most < 0.97, plain);
  await still.close();
  const html = path.join(DIR, 'image.html');
  fs.writeFileSync(html, '<!doctype html><img alt="" style="width:100%" src="' +
    address(file) + '">');
  const image = await open(html, WIDE);
  const inside = await colours(image, name + '-image');
  say('a picture in an image tag', inside.n > 8 && inside.most < 0.97, inside);
  await image.close();
}

async function use(file, stacks) {
  const page = await open(file, WIDE);
  await accessible(page, 'as it opens');
  await pictures(page, file);
  await mouse(page);
  await keys(page);
  await search(page, stacks);
  await legend(page);
  await turned(page);
  await sizes(page, file);
  await remembered(page, file);
  say('no error, no dialog, nothing loaded', !page.wrong.length, page.wrong);
}

// A differential graph: it tells both sides, and what is significant.
async function differs(file) {
  const page = await open(file, WIDE), s = await state(page);
  await accessible(page, 'of two profiles');
  const f = s.frames.find(f => f.depth > 2 && f.w > 40);
  await point(page, '#f path', f.i);
  const info = (await state(page)).info;
  say('pointing tells now, before and the difference',
    new RegExp('now [\\d.]+%, [\\d,]+ samples; base [\\d.]+%, [\\d,]+ samples; ' +
      '[-+][\\d.]+ points, (larger share|smaller share|no sig|new|gone)')
      .test(info), info);
  const kinds = await page.evaluate(() => [...document.querySelectorAll('.l')]
    .map(e => e.textContent.trim()));
  say('its legend', kinds.includes('no significant change') &&
    kinds.includes('larger share') && kinds.includes('smaller share'), kinds);
  await pictures(page, file);
  await legend(page);
  await turned(page);
  await sizes(page, file);
  say('no error, nothing loaded', !page.wrong.length, page.wrong);
}

// A difference in time per call: pointing tells both times.
async function calls(file) {
  const page = await open(file, WIDE), s = await state(page);
  const f = s.frames.find(f => f.depth > 2 && f.w > 40);
  await point(page, '#f path', f.i);
  const info = (await state(page)).info, t = '[\\d.,]+ [mun]?s';
  say('pointing tells what a call took and takes', new RegExp('now ' + t +
    ' a call, [\\d,]+ samples; base ' + t + ' a call, [\\d,]+ samples; [-+]' +
    t + ', (more per call|less per call|no sig|new|gone)').test(info), info);
  say('no error, nothing loaded', !page.wrong.length, page.wrong);
}

// Each name is the text of a frame, and none of them has run.
async function names(svg, html, list) {
  const want = JSON.parse(text(list));
  for (const file of [svg, html]) {
    const kind = path.extname(file), page = await open(file, WIDE);
    const seen = await page.evaluate(() => ({
      hurt: window.hurt,
      labels: [...document.querySelectorAll('#f path')].map(
        e => e.getAttribute('aria-label')),
      text: document.documentElement.textContent,
      handlers: [...document.querySelectorAll('*')].filter(e =>
        [...e.attributes].some(a => /^on/.test(a.name) ||
          /^\s*javascript:/.test(a.value))).map(e => e.outerHTML),
    }));
    const missing = want.filter(n => !seen.text.includes(n) ||
      !seen.labels.some(l => l.includes('\u2068' + n + '\u2069')));
    say('each name is on the page, ' + kind, !missing.length, missing);
    for (let i = 0; i < 30; i++) {
      await page.mouse.move(30 + i * 40, 200 + i * 3);
      await page.mouse.click(30 + i * 40, 120);
    }
    say('no name has run, ' + kind, seen.hurt === undefined &&
      !seen.handlers.length && !page.wrong.length &&
      await page.evaluate(() => window.hurt) === undefined,
      [seen.hurt, seen.handlers, page.wrong]);
    await colours(page, 'hurt' + kind);
    await page.close();
  }
}

// With and without the script, the same labels, and each keeps a name's end.
async function labels(file) {
  const size = { width: 1200, height: 900 }, found = [];
  for (const scripts of [false, true]) {
    const page = await open(file, size, scripts);
    found.push(await page.evaluate(() => [...document.querySelectorAll('#t text')]
      .map(e => e.textContent + '@' + e.getAttribute('y') + ',' +
        Math.round(e.getAttribute('x'))).sort()));
    await page.close();
  }
  const [still, script] = found, name = path.basename(file);
  say('labels are the same without a script, ' + name, still.length > 9 &&
    JSON.stringify(still) === JSON.stringify(script), [
    still.filter(t => !script.includes(t)).slice(0, 3),
    script.filter(t => !still.includes(t)).slice(0, 3)]);
  if (name.startsWith('labels'))
    for (const want of ['..(*loopyWriter).run', '..run', '..Cart<int>::total',
      '[unkn..'])
      say('a label is ' + want, script.some(t => t.startsWith(want + '@')),
        script.slice(0, 9));
}

// By size: a frame's first callee starts where it does, the next is not wider.
async function sized(file) {
  const page = await open(file, WIDE), { frames } = await state(page);
  const wrong = frames.filter(f => {
    const callees = frames.filter(g => g.depth === f.depth + 1 &&
      g.x > f.x - 0.5 && g.x + g.w < f.x + f.w + 0.5).sort((a, b) => a.x - b.x);
    return callees.some((g, i) => i ? g.w > callees[i - 1].w + 0.5
      : g.x > f.x + 0.5);
  });
  say('by size, the widest callee stands first', frames.length > 50 &&
    !wrong.length, wrong.slice(0, 2));
  await page.close();
}

// A column of a table, as it stands, and what its head says.
const column = (page, table, i) => page.evaluate((table, i) => {
  const t = document.querySelectorAll('table')[table];
  return { sort: t.tHead.rows[0].cells[i].getAttribute('aria-sort'),
    sorted: t.querySelectorAll('[aria-sort]').length,
    all: [...t.tBodies[0].rows].map(r => r.cells[i].textContent),
    last: [...t.tBodies[0].rows].map(r => r.lastChild.textContent) };
}, table, i);

async function tables(page) {
  const heads = await page.evaluate(() => [...document.querySelectorAll('table')]
    .map(t => [...t.tHead.rows[0].cells].map(c => c.textContent)));
  const twice = heads.filter(h => new Set(h).size < h.length);
  say('no table has two columns of one name', heads.length > 3 &&
    !twice.length, twice);
  const t = heads.findIndex(h => h[0] === 'self');
  const self = heads[t].indexOf('self time'), total = heads[t].indexOf('total');
  // Values of each unit, one of them unknown, two equal, in no order.
  const given = ['98.0 ms', '1.48 s', 'n/a', '465 ns', '8.00 us', '465 ms',
    '98.0 ms'];
  await page.evaluate((t, i, given) => {
    const rows = document.querySelectorAll('table')[t].tBodies[0].rows;
    while (rows.length > given.length) rows[given.length].remove();
    given.forEach((g, k) => { rows[k].cells[i].textContent = g; });
  }, t, self, given);
  const before = await column(page, t, self);
  const sort = (i, key) => page.evaluate((t, i) =>
    document.querySelectorAll('table')[t].tHead.rows[0].cells[i].firstChild
      .focus(), t, i).then(() => page.keyboard.press(key));
  await sort(self, 'Enter');
  const fall = await column(page, t, self);
  const order = [1, 5, 0, 6, 4, 3, 2];
  say('a head sorts its column by value, the largest first, unknown last',
    fall.sort === 'descending' && JSON.stringify(fall.all) ===
    JSON.stringify(order.map(i => given[i])), fall);
  say('whole rows move, equal ones keep their order', JSON.stringify(fall.last)
    === JSON.stringify(order.map(i => before.last[i])), [before, fall]);
  await sort(self, 'Space');
  const rise = await column(page, t, self);
  say('again: the smallest first', rise.sort === 'ascending' &&
    JSON.stringify(rise.all) === JSON.stringify(
      [3, 4, 0, 6, 5, 1, 2].map(i => given[i])), rise);
  await sort(heads[t].length - 1, 'Enter');
  const names = await column(page, t, heads[t].length - 1);
  say('names sort as text', names.sort === 'ascending' && names.sorted === 1 &&
    JSON.stringify(names.all) === JSON.stringify([...names.all].sort()) &&
    JSON.stringify(names.all) !== JSON.stringify(before.last), names);
  await sort(total, 'Enter');
  const shares = (await column(page, t, total)).all.map(parseFloat);
  say('shares sort as numbers', shares.length === given.length &&
    shares.every((x, i) => !i || x <= shares[i - 1]), shares);
}

// A name in a table leads to its frames: they are what the row says.
async function linked(page) {
  const row = await page.evaluate(() => {
    const b = [...document.querySelectorAll('td .n button')].find(
      e => /^visit/.test(e.textContent));
    const cells = [...b.closest('tr').cells];
    b.focus();
    return { name: b.textContent, total: cells[4].textContent };
  });
  await page.keyboard.press('Enter');
  const s = await state(page), hits = s.frames.filter(f => f.hit);
  say('a name in a table finds its frames', hits.length > 1 &&
    hits.every(f => f.name === row.name) &&
    s.info.startsWith('Matched: ' + row.total + ' in ' + hits.length + ' frames'),
    [row, hits.length, s.info]);
  const shown = await page.evaluate(() => document.getElementById('f')
    .getBoundingClientRect().top < innerHeight &&
    document.activeElement.id === 'f');
  say('and shows them', shown);
  await page.keyboard.press('Escape');
  say('until Escape', !(await state(page)).frames.some(f => f.hit));
}

// What in a narrow page must be scrolled, and names that break inside a word.
const narrow = page => page.evaluate(() => {
  const wide = [...document.querySelectorAll('.s, pre')].filter(
    e => e.scrollWidth > e.clientWidth).map(e => e.textContent.slice(0, 40));
  const broken = [], broke = [];
  for (const e of document.querySelectorAll('td .n')) {
    const walk = document.createTreeWalker(e, NodeFilter.SHOW_TEXT);
    let before = '', low = null;
    for (let node; (node = walk.nextNode());)
      for (let i = 0; i < node.length; i++) {
        const at = document.createRange();
        at.setStart(node, i);
        at.setEnd(node, i + 1);
        const y = at.getBoundingClientRect().bottom;
        if (low !== null && y > low + 2)
          (/[/.,: ]/.test(before) ? broke : broken).push(e.textContent);
        low = y;
        before = node.data[i];
      }
  }
  return { wide, broken, broke };
});

async function report(file) {
  const still = await open(file, NARROW, false);
  say('report without a script: no control that does nothing',
    await still.evaluate(() => document.querySelectorAll(
      'button, a, input, [role=button]').length) === 0);
  await still.close();
  const page = await open(file, WIDE);
  await accessible(page, 'report');
  await colours(page, 'report');
  await linked(page);
  await tables(page);
  await accessible(page, 'report, sorted');
  await page.setViewport(NARROW);
  await accessible(page, 'report, narrow');
  const lines = await narrow(page);
  say('report: no table of a narrow page is wider than it', !lines.wide.length,
    lines.wide);
  say('report: a long name breaks at a separator', lines.broke.length &&
    !lines.broken.length, lines);
  await colours(page, 'report-narrow');
  await page.emulateMediaFeatures([
    { name: 'prefers-color-scheme', value: 'dark' }]);
  await accessible(page, 'report, narrow and dark');
  const wide = await page.evaluate(() => [document.documentElement.scrollWidth,
    innerWidth]);
  say('report: a narrow page does not scroll sideways', wide[0] <= wide[1],
    wide);
  say('report: no error, nothing loaded', !page.wrong.length, page.wrong);
}

// A page of load, wide and on a phone, light and dark.
async function load(file) {
  const page = await open(file, WIDE, false);
  await page.setJavaScriptEnabled(true);
  for (const size of [WIDE, NARROW])
    for (const scheme of ['light', 'dark']) {
      const name = `load, ${size.width} wide, ${scheme}`;
      await page.setViewport(size);
      await page.emulateMediaFeatures([
        { name: 'prefers-color-scheme', value: scheme }]);
      await accessible(page, name);
      const seen = await colours(page, `load-${size.width}-${scheme}`);
      say(`${name}: its background`,
        (scheme === 'light') === seen.light > 256, seen);
      const wide = await page.evaluate(() => [
        document.documentElement.scrollWidth, innerWidth]);
      say(`${name}: does not scroll sideways`, wide[0] <= wide[1], wide);
    }
  const lines = await page.evaluate(() =>
    [...document.querySelectorAll('.plot')].map(p => ({
      shown: p.querySelector('path.a').getBoundingClientRect().width > 1,
      axis: [...p.querySelectorAll('.x span, .y span')].map(e => e.textContent),
      tip: p.querySelector('rect title').textContent,
      // The tooltips' areas cover the picture, side by side.
      covers: p.querySelectorAll('rect').length * 10 ===
        p.querySelector('svg').viewBox.baseVal.width })));
  say('load: two charts, each with a line and tooltips', lines.length === 2 &&
    lines.every(l => l.shown && l.covers), lines);
  say('load: axes have units', lines.every(l => l.axis.length === 6 &&
    l.axis.every(a => a === '0' || /(\/s| [mun]?s)$/.test(a))), lines);
  say('load: tooltips say when and how many', lines.length === 2 &&
    / to .*: ok .*\/s, failed 0\/s$/.test(lines[0].tip) &&
    / to .*: p50 .*s, p99 .*s$/.test(lines[1].tip), lines);
  say('load: no error, nothing loaded', !page.wrong.length, page.wrong);
}

// speedscope itself imports it, the way its own command hands it a file: it
// names the heaviest function in its table.
async function speedscope(file, stacks) {
  const script = path.resolve(DIR, 'speedscope.js');
  fs.writeFileSync(script, 'speedscope.loadFileFromBase64(' +
    JSON.stringify([path.basename(file),
      Buffer.from(text(file)).toString('base64')]).slice(1, -1) + ')');
  const page = await browser.newPage();
  page.wrong = [];
  page.on('pageerror', e => page.wrong.push(e.message));
  await page.setViewport(WIDE);
  await page.goto(address(path.join(MODULES,
    'speedscope/dist/release/index.html')) + '#localProfilePath=' + script);
  await page.waitForSelector('canvas', { timeout: 20000 });
  await page.keyboard.press('3');              // its table of functions
  await page.waitForFunction(() => /Self/.test(document.body.textContent) &&
    document.querySelectorAll('td').length > 4, { timeout: 20000 });
  const body = await page.evaluate(() => document.body.textContent);
  const first = text(stacks).trim().split('\n').map(l => {
    const at = l.lastIndexOf(' ');
    return [l.slice(0, at).split(';').pop(), +l.slice(at + 1)];
  });
  const sum = new Map();
  first.forEach(([k, v]) => sum.set(k, (sum.get(k) || 0) + v));
  const top = [...sum].reduce((a, b) => b[1] > a[1] ? b : a);
  say('speedscope imports it and names ' + top[0], body.includes(top[0]),
    body.slice(0, 200));
  say('speedscope has no error', !page.wrong.length, page.wrong);
}

async function main() {
  const { default: puppeteer } = await import(
    address(path.join(MODULES, 'puppeteer-core/lib/esm/puppeteer/') +
            'puppeteer-core.js'));
  browser = await puppeteer.launch({ executablePath: CHROMIUM, headless: true,
    userDataDir: path.join(DIR, 'user'), args: ['--no-sandbox',
      '--disable-gpu', '--disable-background-networking', '--disable-sync'] });
  try {
    for (let at = 0, end; at < ASKED.length; at = end + 1) {
      end = ASKED.indexOf('--', at);
      end = end < 0 ? ASKED.length : end;
      const [what, ...files] = ASKED.slice(at, end);
      try {
        await { use, differs, calls, names, page: report, labels, sized,
          load, speedscope }[what](...files);
      } catch (e) {
        console.log('FAIL ' + what + ': ' + e.stack);
      }
    }
  } finally {
    await browser.close();
  }
}

main().catch(e => { console.log('FAIL browser: ' + e.stack); });
