"""Atomics come from nexus/base/atomic.hpp only, so that a model checker can stand in for them."""

import re

from lintlib import Lint, code_only

DOOR = 'nexus/base/atomic.hpp'
# Files that need the standard's own, each with its reason.
ALLOWED = {}

PATTERN = re.compile(r'#\s*include\s*<(atomic|stdatomic\.h)>|\bstd::(atomic|memory_order)\w*|\b__(atomic|sync)_\w+')


def main():
    lint = Lint()
    for path in lint.cpp_files('nexus'):
        if path == DOOR or path in ALLOWED:
            continue
        for number, line in enumerate(code_only(lint.read(path)).split('\n'), 1):
            match = PATTERN.search(line)
            if match:
                lint.find(path, number, f'{match.group(0)}: use nexus::base::Atomic of {DOOR}')
    lint.done(f'atomics only through {DOOR}')


main()
