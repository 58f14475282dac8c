"""gfm.py FILE... -- NAMES.json FILE: check reports in Markdown by GitHub's
renderer.  Each table must be rendered as one, with the same columns in each
row; title, the line below it and headings must be rendered as such.  The tables
of the FILE after -- must show each of the names unchanged.  Prints "ok NAME" or
"FAIL NAME: why"."""
import html.parser
import json
import os
import re
import sys

import cmarkgfm


class Page(html.parser.HTMLParser):
    """Elements as (tag, text); tables as lists of rows of cells."""
    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.blocks, self.tables = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == 'table':
            self.tables.append([])
        elif tag == 'tr':
            self.tables[-1].append([])
        elif tag in ('td', 'th'):
            self.tables[-1][-1].append('')
        elif tag in ('h1', 'h2', 'p', 'li', 'pre'):
            self.blocks.append([tag, ''])

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if 'td' in self.open or 'th' in self.open:
            self.tables[-1][-1][-1] += data
        elif self.blocks:
            self.blocks[-1][1] += data


def say(name, why):
    print('FAIL %s: %s' % (name, str(why)[:300]) if why else 'ok ' + name)


def rendered(path):
    with open(path, encoding='utf-8', newline='') as f:
        text = f.read()
    page = Page(cmarkgfm.github_flavored_markdown_to_html(text))
    name = os.path.basename(path)
    wanted = len(re.findall(r'^\| -', text, re.M))
    say('each table is one, ' + name, wanted < 3 or len(page.tables) != wanted
        and (wanted, len(page.tables)))
    rows = [(t[0], r) for t in page.tables for r in t if len(r) != len(t[0])]
    say('rows have the columns of their head, ' + name, rows[:2])
    say('no table stands in a text, ' + name,
        [b for b in page.blocks if re.search(r'^\| ?-|\| -+', b[1], re.M)][:2])
    first = [b[0] for b in page.blocks[:3]]
    say('a title, a line and a heading, ' + name,
        first != ['h1', 'p', 'h2'] and first)
    heads = len(re.findall(r'^## ', text, re.M))
    say('each heading is one, ' + name,
        sum(b[0] == 'h2' for b in page.blocks) != heads and heads)
    return page


*files, dashes, names, hurt = sys.argv[1:]
for file in files:
    rendered(file)
cells = [c for t in rendered(hurt).tables for r in t for c in r]
with open(names, encoding='utf-8') as file:
    say('names are what they were, in Markdown', [
        n for n in json.load(file) if not any(c.startswith(n) for c in cells)])
