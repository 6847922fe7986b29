"""Papers agree with the tree: links lead somewhere, decisions have numbers of their own, the README's program is tested."""

import os
import re

from lintlib import Lint

LINK = re.compile(r'\]\(([^)#\s]+)(#[^)]*)?\)')
PROGRAM = 'test/consumers/hello.cpp'


def without_comments(text):
    code = re.sub(r'^//.*\n', '', text, flags=re.M)
    return '\n'.join(line.rstrip() for line in code.split('\n') if line.strip())


def main():
    lint = Lint()
    numbers = {}
    for path in lint.files(r'\.md$'):
        for number, line in enumerate(lint.lines(path), 1):
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
        programs = re.findall(r'```cpp\n(.*?)```', lint.read('README.md'), flags=re.S)
        if without_comments(lint.read(PROGRAM)) not in [without_comments(p) for p in programs]:
            lint.find('README.md', 1, f'does not show {PROGRAM} as it is tested')
    lint.done('papers agree with the tree')


main()
