#!/usr/bin/python3
"""Opens a flame graph in headless Chromium, looks at it and uses it.

  flame.py CHROMIUM SVG DIR NAME   NAME is a function that must be drawn; DIR
                                   takes the browser's files.  Prints "ok name"
                                   or "FAIL name: why"
"""
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as xml

CHROMIUM, SVG, DIR, NAME = sys.argv[1:5]
SPACE = '{http://www.w3.org/2000/svg}'
FLAGS = ('--headless --no-sandbox --disable-gpu --disable-quic --no-first-run '
         '--disable-background-networking --disable-component-update '
         '--disable-sync --hide-scrollbars --window-size=1200,800 '
         '--virtual-time-budget=5000').split()

# What a user does, at the end of a copy of the file: points at a frame, clicks
# on it, searches.  What came of it is noted in attributes of the root.
USE = '''<script><![CDATA[
addEventListener('load', () => setTimeout(() => {
  const root = document.documentElement;
  const note = (k, v) => root.setAttribute('data-' + k, v);
  const wide = e => e.getBoundingClientRect().width;
  const said = () => [...root.querySelectorAll('text, title')]
    .map(e => e.textContent).join(' | ');
  const frames = [...document.querySelectorAll('#f path, #f rect')];
  const name = e => (e.getAttribute('aria-label') || '') +
    (e.querySelector('title') || e.parentNode.querySelector('title') ||
     { textContent: '' }).textContent;
  note('frames', frames.length);
  note('named', frames.filter(e => name(e).includes('NAME')).length);
  const e = frames.find(e => wide(e) > wide(root) * .02 &&
                             wide(e) < wide(root) * .7);
  if (!e) return;
  const mouse = kind =>
    e.dispatchEvent(new MouseEvent(kind, { bubbles: true, view: window }));
  note('before', wide(e));
  const quiet = said();
  mouse('mouseover');
  note('tip', said() === quiet ? '' :
    (said().match(/[0-9,]+ samples/) || [''])[0]);
  mouse('mousedown'); mouse('mouseup'); mouse('click');
  note('after', wide(e));
  const input = document.querySelector('input');
  if (!input) return;
  input.value = 'NAME';
  input.dispatchEvent(new Event('input', { bubbles: true }));
  note('found', (said().match(/match[a-z]*:? [^|]*%/i) || [''])[0]);
}, 300));
]]></script>'''


def say(name, good, why=''):
    print('ok   ' + name if good else 'FAIL %s: %s' % (name, why), flush=True)


def browse(*arguments):
    out = subprocess.run([CHROMIUM, *FLAGS, '--user-data-dir=' + DIR + '/user',
                          *arguments], capture_output=True, text=True,
                         errors='replace', timeout=120)
    return out.stdout


def still(source):
    """What the file is before any script runs."""
    root = xml.parse(SVG).getroot()
    texts = [e.text or '' for e in root.iter(SPACE + 'text')]
    say('without scripts, %s is written' % NAME,
        any(t.startswith(NAME) for t in texts), texts[-5:])
    links = r'(?:href|src|url)\s*[=(]\s*["\']?\s*([^"\')\s]+)'
    far = [u for u in re.findall(links, source) if not u.startswith('#')]
    far += re.findall(r'@import[^;]*', source)
    say('loads nothing from elsewhere', not far, far[:2])


def looks(url):
    """The picture, by its pixels."""
    shot = os.path.join(DIR, 'shot.png')
    browse('--screenshot=' + shot, url)
    reader = os.path.join(os.path.dirname(__file__), 'png.py')
    look = subprocess.run([sys.executable, reader, shot], capture_output=True,
                          text=True)
    colours, most = ([int(x) for x in look.stdout.split()] or [0, 100])[:2]
    say('the screenshot has colours', colours >= 5,
        look.stderr[-80:] or colours)
    say('the screenshot is not blank', most < 97, '%d %% one colour' % most)


def used(source):
    """The copy that uses itself."""
    end = source.rindex('</svg>')
    copy = os.path.join(DIR, 'used.svg')
    with open(copy, 'w', encoding='utf-8') as f:
        f.write(source[:end] + USE.replace('NAME', NAME) + source[end:])
    dom = browse('--dump-dom', 'file://' + os.path.abspath(copy))
    seen = dict(re.findall(r' data-([a-z]+)="([^"]*)"', dom))
    number = {k: float(seen.get(k) or 0)
              for k in ('frames', 'named', 'before', 'after')}
    say('frames in the browser', number['frames'] >= 5, seen)
    say('frames of %s in the browser' % NAME, number['named'] >= 1, seen)
    say('a frame pointed at tells its samples', seen.get('tip'), seen)
    say('a click makes a frame wider',
        number['after'] > number['before'] * 1.2, seen)
    say('a search tells the share that matched', seen.get('found'), seen)


def main():
    with open(SVG, encoding='utf-8') as f:
        source = f.read()
    url = 'file://' + os.path.abspath(SVG)
    still(source)
    dom = browse('--dump-dom', url)
    say('the browser shows %s' % NAME, NAME in dom and '<path' in dom, dom[:80])
    say('the browser finds no error in it', 'parsererror' not in dom)
    looks(url)
    used(source)


main()
