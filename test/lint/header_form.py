"""A header begins with a comment that says what lives in it, and has #pragma once."""

from lintlib import Lint


def main():
    lint = Lint()
    for path in lint.cpp_files('nexus', 'test', 'docs', 'benchmarks'):
        if not path.endswith('.hpp'):
            continue
        lines = lint.lines(path)
        if not lines[0].startswith('// '):
            lint.find(path, 1, 'the first line is no comment that says what lives here')
        if '#pragma once' not in lines:
            lint.find(path, 1, 'no #pragma once')
    lint.done('a header says first what lives in it')


main()
