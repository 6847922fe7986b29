"""Papers agree with the tree: links lead somewhere, decisions have numbers of their own, the code that a page shows is in
the program that it names, and a table of names and headers (docs/tour.md) names what those headers hold.

A page names its programs in a comment, from the root of the project: <!-- code from: docs/examples/chat/chat.cpp -->
"""

import os
import re

from lintlib import Lint

LINK = re.compile(r'\]\(([^)#\s]+)(#[^)]*)?\)')
PROGRAM = 'test/consumers/hello.cpp'
CODE_FROM = re.compile(r'<!-- code from: (.*?) -->')
CODE = re.compile(r'```cpp\n(.*?)```', flags=re.S)
NAME_AND_HEADER = re.compile(r'^\| (`.*?`) \| `(nexus/\S+\.hpp)` \|')


def without_comments(text):
    code = re.sub(r'^//.*\n', '', text, flags=re.M)
    return '\n'.join(line.rstrip() for line in code.split('\n') if line.strip())


def without_indent(text):
    return '\n'.join(line.strip() for line in text.split('\n') if line.strip())


def check_code(lint, path):
    text = lint.read(path)
    sources = ' '.join(CODE_FROM.findall(text)).split()
    if not sources:
        return
    missing = [source for source in sources if not os.path.exists(os.path.join(lint.source, source))]
    for source in missing:
        lint.find(path, 1, f'shows code from {source}, which does not exist')
    programs = '\n'.join(without_indent(lint.read(source)) for source in sources if source not in missing)
    for block in CODE.finditer(text):
        if without_indent(block.group(1)) not in programs:
            lint.find(path, text.count('\n', 0, block.start()) + 1, f'this code is not in {" or ".join(sources)}')


def check_names(lint, path, number, line):
    row = NAME_AND_HEADER.match(line)
    if not row:
        return
    names, header = row.groups()
    if not os.path.exists(os.path.join(lint.source, header)):
        lint.find(path, number, f'{header} does not exist')
        return
    for name in re.findall(r'`([^`]*)`', names):
        word = re.findall(r'\w+', re.sub(r'[<(].*', '', name))[-1]
        if not re.search(rf'\b{word}\b', lint.read(header)):
            lint.find(path, number, f'{header} does not know {word}')


def main():
    lint = Lint()
    numbers = {}
    for path in lint.files(r'\.md$'):
        check_code(lint, path)
        for number, line in enumerate(lint.lines(path), 1):
            check_names(lint, path, number, line)
            for target, _ in LINK.findall(line):
                if re.match(r'[a-z]+:', target):
                    continue
                where = os.path.normpath(os.path.join(lint.source, os.path.dirname(path), target))
                if not os.path.exists(where):
                    lint.find(path, number, f'the link to {target} leads nowhere')
        record = re.match(r'docs/decisions/(\d+)-', path)
        if record:
            if record.group(1) in numbers:
                lint.find(path, 1, f'has the number of {numbers[record.group(1)]}')
            numbers[record.group(1)] = path
    if os.path.exists(os.path.join(lint.source, 'README.md')):
        programs = CODE.findall(lint.read('README.md'))
        if without_comments(lint.read(PROGRAM)) not in [without_comments(p) for p in programs]:
            lint.find('README.md', 1, f'does not show {PROGRAM} as it is tested')
    lint.done('papers agree with the tree')


main()
