"""Files and functions stay readable: 600 lines a file, 70 lines a function, 120 columns a line."""

import re

from lintlib import Lint, code_only

MAX_FILE = 600
MAX_FUNCTION = 70
MAX_LINE = 120

NO_FUNCTION = re.compile(r'^\s*(namespace|class|struct|union|enum|extern|if|else|for|while|switch|do|try|catch|case|'
                         r'template|concept|public|private|protected|asm)\b')


def functions(code):
    """Yields (first line, last line) of what looks like a function's body; relies on the house's format."""
    for at, line in enumerate(code):
        if not line.rstrip().endswith('{') or NO_FUNCTION.search(line):
            continue
        indent = len(line) - len(line.lstrip())
        start = at
        # A signature over several lines is indented deeper than its first line.
        while start > 0 and ')' in line and '(' not in line and code[start - 1].strip():
            start -= 1
            line = code[start] + line
            indent = len(code[start]) - len(code[start].lstrip())
        if '(' not in line or NO_FUNCTION.search(line):
            continue
        for end in range(at + 1, len(code)):
            text = code[end]
            if text.strip().startswith('}') and len(text) - len(text.lstrip()) <= indent:
                yield start, end
                break


def main():
    lint = Lint()
    for path in lint.cpp_files('nexus', 'test', 'benchmarks', 'docs'):
        text = lint.read(path)
        lines = text.rstrip('\n').split('\n')
        for number, line in enumerate(lines, 1):
            if len(line) > MAX_LINE:
                lint.find(path, number, f'{len(line)} columns, at most {MAX_LINE}')
        if not path.startswith(('nexus/', 'docs/')):
            continue
        if len(lines) > MAX_FILE:
            lint.find(path, MAX_FILE, f'{len(lines)} lines, at most {MAX_FILE}: split it by concepts')
        for start, end in functions(code_only(text).split('\n')):
            if end - start + 1 > MAX_FUNCTION:
                lint.find(path, start + 1, f'a function of {end - start + 1} lines, at most {MAX_FUNCTION}')
    lint.done(f'{MAX_FILE} lines a file, {MAX_FUNCTION} lines a function, {MAX_LINE} columns')


main()
