"""A `// SAFETY:` comment stands above (or beside) what the compiler cannot check.

That is: reinterpret_cast, const_cast, casts in C style, relaxed atomic operations, and switches of context. One comment
covers the statement below it and the lines of the same kind that follow without a gap; above a function it covers the
function's first statement.
"""

import re

from lintlib import Lint, code_only

KINDS = [
    ('reinterpret_cast', re.compile(r'\breinterpret_cast\s*<')),
    ('const_cast', re.compile(r'\bconst_cast\s*<')),
    ('cast in C style', re.compile(r'(?<![\w>\])])\((?:const )?(?:unsigned |signed )?(?:int|long|char|short|float|double'
                                   r'|(?:std::)?(?:size_t|u?int\d+_t|uintptr_t|byte)|void)(?: const)?\s*\*+\)\s*[\w(&*]')),
    ('relaxed atomic', re.compile(r'[.>]\w+_relaxed\(')),
    ('switch of context', re.compile(r'\bjump_fcontext\(|\bontop_fcontext\(')),
]
# Defines the relaxed operations themselves.
EXEMPT = {'nexus/base/atomic.hpp'}


def covered(lines, code, at, flagged):
    """Is there a SAFETY comment for the statement that line `at` belongs to?"""
    if 'SAFETY:' in lines[at]:
        return True
    above = at - 1
    # Up to the start of the statement: a few lines at most.
    for _ in range(6):
        text = code[above].rstrip() if above >= 0 else ''
        if above < 0 or not text.strip() or text.endswith((';', '{', '}', ':')):
            break
        above -= 1
    if above >= 0 and code[above].strip():
        # A line of code ends the search, unless it is a covered one of the same kind, or begins the body that the
        # statement is the first of: then the comment may stand above the function.
        return flagged.get(above, False) or (code[above].rstrip().endswith('{') and covered(lines, code, above, {}))
    while above >= 0 and lines[above].lstrip().startswith('//'):
        if 'SAFETY:' in lines[above]:
            return True
        above -= 1
    return False


def main():
    lint = Lint()
    for path in lint.cpp_files('nexus'):
        if path in EXEMPT:
            continue
        text = lint.read(path)
        lines, code = text.split('\n'), code_only(text).split('\n')
        for kind, pattern in KINDS:
            flagged = {}
            for at, line in enumerate(code):
                if pattern.search(line):
                    flagged[at] = covered(lines, code, at, flagged)
                    if not flagged[at]:
                        lint.find(path, at + 1, f'{kind} without a // SAFETY: comment that says why it is right')
    lint.done('what the compiler cannot check is argued for in a SAFETY comment')


main()
