"""Which module may include which, and where third parties may be named: the table of docs/architecture.md.

A row holds what the files of a module may include directly; what those include in turn is their own row's business,
and the rows have no cycle.
"""

import re

from lintlib import Lint

ALL = ['base', 'os', 'fiber', 'world', 'time', 'exec', 'reactor', 'runtime', 'sync', 'net', 'config', 'log', 'inspect',
       'compat', 'testing']


def above(module):
    return ALL[:ALL.index(module)]


TABLE = {
    'base': [],
    'os': ['base'],
    'fiber': ['base', 'os'],
    'world': ['base'],
    'time': ['base'],
    'exec': ['base', 'os', 'fiber', 'time'],
    'reactor': ['base', 'os', 'exec'],
    'runtime': above('runtime'),
    'sync': ['base', 'exec', 'time', 'runtime'],
    'net': ['base', 'os', 'exec', 'sync', 'reactor', 'runtime'],
    'config': ['base', 'world', 'runtime'],
    'log': ['base'],
    'inspect': ['base', 'world', 'runtime', 'sync', 'net'],
    'compat': above('compat'),
    'testing': above('testing'),
}
# The umbrella holds base to net; config, log, inspect, compat and testing have their own.
UMBRELLA = ALL[:ALL.index('config')]

# A third party's headers, and the files that may name them.
THIRD_PARTIES = {
    r'boost/context/': r'^nexus/fiber/',
    r'boost/system/': r'^nexus/(base|compat)/',
    r'boost/version\.hpp': r'^nexus/fiber/',
    r'nlohmann/': r'^nexus/config/',
    r'spdlog/': r'^nexus/log/|\.cpp$',
    r'fmt/': r'^nexus/log/|\.cpp$',
    r'valgrind/': r'^nexus/fiber/',
    r'sanitizer/': r'^nexus/fiber/',
    r'gtest/': r'^nexus/testing/',
    r'boost/|asio': r'^nexus/compat/',
}
# The C and C++ libraries and the kernel.
SYSTEM = r'^(sys|netinet|arpa|net|linux|asm)/|^[a-z0-9_]+(\.h)?$'

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def check_own(lint, path, line, module, included):
    parts = included.split('/')
    if len(parts) == 2:
        lint.find(path, line, f'{included}: the library itself includes the small headers, not the umbrella')
        return
    target = parts[1]
    if target == module:
        return
    allowed = UMBRELLA if module is None else TABLE[module]
    if target not in allowed:
        what = 'the umbrella' if module is None else f'module {module}'
        lint.find(path, line, f'{what} may not include {included}; it may include: {" ".join(allowed) or "nothing"}')
    elif 'private' in parts:
        lint.find(path, line, f'{included} is private to module {target}')


def check_third_party(lint, path, line, included):
    for pattern, where in THIRD_PARTIES.items():
        if re.match(pattern, included):
            if not re.search(where, path):
                lint.find(path, line, f'<{included}> may only be named in files that match {where}')
            return
    if not re.search(SYSTEM, included):
        lint.find(path, line, f'<{included}> belongs to no third party that this project knows')


def main():
    lint = Lint()
    for path in lint.cpp_files('nexus'):
        parts = path.split('/')
        module = parts[1] if len(parts) > 2 else None
        if module is not None and module not in TABLE:
            lint.find(path, 1, f'{module} is no module of the table')
            continue
        text = lint.read(path)
        for match in INCLUDE.finditer(text):
            line = text.count('\n', 0, match.start()) + 1
            quote, included = match.groups()
            if included.startswith('nexus/'):
                if quote == '<':
                    lint.find(path, line, f'own headers are included with quotes: "{included}"')
                check_own(lint, path, line, module, included)
            elif quote == '"':
                lint.find(path, line, f'own headers are named from the root: "nexus/.../{included}"')
            else:
                check_third_party(lint, path, line, included)
    lint.done('a module includes only what its row of the include table allows')


main()
