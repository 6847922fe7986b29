"""Each rule finds what is planted for it, and stays silent where nothing is wrong. Argument: the folder of the rules."""

import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.abspath(sys.argv[1])
sys.path.insert(0, os.path.join(HERE, '..', '..', 'tools', 'lib'))
from seed_parity import Parity  # noqa: E402

HEADER = '// Lives here for a test.\n#pragma once\n'



def parity_cases():
    """A seed of one name and two clauses, and what may be wrong with it. The text of a case is a tree of files here."""
    good = {
        'docs/seed-contract.md': '| EX-1 | it does | same |\n| EX-2 | it has | same |\n',
        'docs/seed-parity.json': json.dumps({
            'clauses': {'EX': '1-2'}, 'cited_only': {}, 'names': [{'seed': 'Task', 'nexus': 'f', 'header': 'nexus/a.hpp'}],
            'tests': [{'group': 'a.rs', 'suites': 'A', 'first': 1, 'tests': 'it_does it_has'}],
            'not_applicable': {'EX-2 S-2': 'It is otherwise.'}, 'awaited': []}),
        'nexus/a.hpp': HEADER + 'void f(); // EX-1\n',
        'test/a_test.cpp': '// proves: Task\nTEST(A, EX1_it_does) {}\n',
    }

    def case(expected, page=True, **changes):
        tree = dict(good)
        for path, text in changes.items():
            tree[{'contract': 'docs/seed-contract.md', 'data': 'docs/seed-parity.json', 'header': 'nexus/a.hpp',
                  'test': 'test/a_test.cpp'}[path]] = text
        return ('parity', 'docs/seed-parity.md' if page else None, tree, expected)

    changed = good['docs/seed-parity.json'].replace
    return [
        case(None),
        case('is not what the tests say', page=False),
        case('EX-2 lacks a proof', data=changed('"EX-2 S-2": "It is otherwise."', '')),
        case('S-2 lacks a proof', data=changed('EX-2 S-2', 'EX-2')),
        case('S-1 lacks a proof', test='// proves: Task\nTEST(B, EX1_it_does) {}\n'),
        case('EX-2 is proven and not applicable', test='// proves: EX-2, Task\nTEST(A, EX1_it_does) {}\n'),
        case('EX-1 lacks a proof', test='// proves: Task\nTEST(A, DISABLED_EX1_it_does) {}\n'),
        case('Task lacks a proof', test='TEST(A, EX1_it_does) {}\n'),
        case('EX-1 is awaited no longer', data=changed('"awaited": []', '"awaited": ["EX-1"]')),
        case('has no sentence for EX-3', data=changed('1-2', '1-3')),
        case('EX-3 is not in', contract=good['docs/seed-contract.md'] + '| EX-3 | more | same |\n'),
        case('EX-1 has two sentences', contract='\n' + good['docs/seed-contract.md'] + '| EX-1 | more | same |\n'),
        case('"EX-9" is neither', test='// proves: EX-9, Task\nTEST(A, EX1_it_does) {}\n'),
        case('stands above no test', test='// proves: Task\n\nTEST(A, EX1_it_does) {}\n'),
        case('cites EX-3, which', header=HEADER + 'void f(); // EX-3\n'),
        case('f is not in nexus/a.hpp', header=HEADER + '// f was here\n'),
    ]


# rule, path, text, what the report must say (None: clean)
CASES = [
    ('include_table', 'nexus/time/a.hpp', '#include "nexus/os/fd.hpp"\n', 'module time may not include nexus/os/fd.hpp'),
    ('include_table', 'nexus/exec/a.hpp', '#include "nexus/exec/b.hpp"\n#include "nexus/time/x.hpp"\n', None),
    ('include_table', 'nexus/exec/a.hpp', '#include "nexus/time/private/x.hpp"\n', 'private to module time'),
    ('include_table', 'nexus/exec/a.cpp', '#include <boost/context/fiber.hpp>\n', 'may only be named in'),
    ('include_table', 'nexus/fiber/a.cpp', '#include <boost/context/fiber.hpp>\n#include <vector>\n', None),
    ('include_table', 'nexus/os/a.cpp', '#include <sys/epoll.h>\n#include <errno.h>\n', None),
    ('include_table', 'nexus/net/a.hpp', '#include <spdlog/spdlog.h>\n', 'may only be named in'),
    ('include_table', 'nexus/net/a.cpp', '#include <spdlog/spdlog.h>\n', None),
    ('include_table', 'nexus/world/a.hpp', '#include <nlohmann/json.hpp>\n', 'may only be named in'),
    ('include_table', 'nexus/net/a.cpp', '#include <folly/fiber.h>\n', 'no third party'),
    ('include_table', 'nexus/net/a.cpp', '#include "a.hpp"\n', 'named from the root'),
    ('include_table', 'nexus/nexus.hpp', '#include "nexus/config/config.hpp"\n', 'the umbrella may not include'),
    ('include_table', 'nexus/stray/a.hpp', '', 'no module of the table'),
    ('atomics', 'nexus/os/a.cpp', '#include <atomic>\n', 'use nexus::base::Atomic'),
    ('atomics', 'nexus/os/a.cpp', 'int f() { return __atomic_load_n(&x, 0); }\n', 'use nexus::base::Atomic'),
    ('atomics', 'nexus/os/a.cpp', '// std::atomic would not do here\n', None),
    ('atomics', 'nexus/base/atomic.hpp', '#include <atomic>\n', None),
    ('safety_comments', 'nexus/os/a.cpp', 'int* p = reinterpret_cast<int*>(q);\n', 'reinterpret_cast without'),
    ('safety_comments', 'nexus/os/a.cpp', 'auto p = const_cast<int*>(q);\n', 'const_cast without'),
    ('safety_comments', 'nexus/os/a.cpp', 'auto p = (char*)q;\n', 'cast in C style without'),
    ('safety_comments', 'nexus/os/a.cpp', 'x.load_relaxed();\n', 'relaxed atomic without'),
    ('safety_comments', 'nexus/os/a.cpp', 'auto t = jump_fcontext(to, 0);\n', 'switch of context without'),
    ('safety_comments', 'nexus/os/a.cpp', '// SAFETY: one thread.\nx.load_relaxed();\ny.load_relaxed();\n', None),
    ('safety_comments', 'nexus/os/a.cpp', '// SAFETY: layout.\nf(a,\n  reinterpret_cast<int*>(q));\n', None),
    ('safety_comments', 'nexus/os/a.cpp', '// SAFETY: of x.\nint x;\n\nauto p = const_cast<int*>(q);\n', 'const_cast'),
    ('safety_comments', 'nexus/os/a.cpp', '// SAFETY: counts.\nint f() {\n    return x.load_relaxed();\n}\n', None),
    ('sizes', 'nexus/os/a.cpp', 'int x;\n' * 601, '601 lines'),
    ('sizes', 'nexus/os/a.cpp', 'void f() {\n' + '    g();\n' * 69 + '}\n', 'a function of 71 lines'),
    ('sizes', 'nexus/os/a.cpp', 'void f(int a,\n       int b) {\n' + '    g();\n' * 68 + '}\n', '71 lines'),
    ('sizes', 'nexus/os/a.cpp', 'struct S {\n' + '    int f();\n' * 80 + '};\n', None),
    ('sizes', 'test/os/a.cpp', '//' + 'x' * 119 + '\n', '121 columns'),
    ('words', 'docs/a.md', 'see /home/someone/notes\n', 'a path of one machine'),
    ('words', 'test/os/a.cpp', 'open("/tmp/x");\n', 'a fixed temporary folder'),
    ('words', 'tools/a.sh', 'mktemp -d "${TMPDIR:-/tmp}/x"\n', None),
    ('words', 'nexus/os/a.cpp', '// TODO: more\n', 'a promise'),
    ('words', 'subprojects/a.wrap', 'url = https://mirror.example.net/x\n', 'no host that the project refers to'),
    ('format', 'nexus/os/a.cpp', 'int  x ;\n', 'clang-format'),
    ('format', 'nexus/os/a.cpp', 'int x;\n', None),
    ('header_form', 'nexus/os/a.hpp', '#pragma once\n', 'the first line is no comment'),
    ('header_form', 'nexus/os/a.hpp', '// Files.\nint x;\n', 'no #pragma once'),
    ('header_form', 'nexus/os/a.hpp', HEADER, None),
    ('docs', 'docs/a.md', 'see [this](missing.md)\n', 'leads nowhere'),
    ('docs', 'docs/a.md', 'see [this](a.md#part) and [that](https://example.com/)\n', None),
    ('docs', 'docs/a.md', '<!-- code from: docs/b.cpp -->\n', 'which does not exist'),
    ('docs', None, {'docs/a.md': '<!-- code from: b.cpp -->\n```cpp\nf();\ng();\n```\n',
                    'b.cpp': '    f();\n\n    g();\n'}, None),
    ('docs', None, {'docs/a.md': '<!-- code from: b.cpp -->\n```cpp\ng();\n```\n', 'b.cpp': 'f();\n'}, 'is not in b.cpp'),
    ('docs', 'docs/a.md', '| `nexus::f(x)` | `nexus/os/a.hpp` | does it |\n', 'a.hpp does not exist'),
    ('docs', None, {'docs/a.md': '| `nexus::f(x)` | `nexus/a.hpp` | it |\n', 'nexus/a.hpp': 'g();\n'}, 'not know f'),
    ('docs', None, {'docs/a.md': '| `A<T>::f(x)`, `g` | `nexus/a.hpp` | it |\n', 'nexus/a.hpp': 'g(A);\n'}, None),
    *parity_cases(),
    ('headers_alone', 'nexus/os/a.hpp', HEADER + 'inline std::string s;\n', 'does not compile alone'),
    ('headers_alone', 'nexus/os/a.hpp', '// No guard.\nstruct S {};\n', 'does not compile alone'),
    ('headers_alone', 'nexus/os/a.hpp', HEADER + '#include <string>\ninline std::string s;\n', None),
]


def run(rule, path, text):
    with tempfile.TemporaryDirectory() as tree:
        source, build = os.path.join(tree, 'source'), os.path.join(tree, 'out')
        os.makedirs(source)
        os.makedirs(build)
        shutil.copy(os.path.join(HERE, '..', '..', '.clang-format'), source)
        for name, content in (text if isinstance(text, dict) else {path: text}).items():
            os.makedirs(os.path.join(source, os.path.dirname(name)), exist_ok=True)
            with open(os.path.join(source, name), 'w', encoding='utf-8') as file:
                file.write(content)
        if isinstance(text, dict) and path:
            with open(os.path.join(source, path), 'w', encoding='utf-8') as file:
                file.write(Parity(source).page())
        command = [sys.executable, '-B', os.path.join(HERE, rule + '.py'), source, build]
        return subprocess.run(command + ['g++'], capture_output=True, text=True, check=False)


def main():
    wrong = 0
    for rule, path, text, expected in CASES:
        result = run(rule, path, text)
        good = result.returncode == 77 or (result.returncode == 0 if expected is None else
                                           result.returncode == 1 and expected in result.stdout)
        if not good:
            wrong += 1
            print(f'{rule} on {path} {str(text)[:60]!r}: expected {expected!r}, got exit {result.returncode}\n'
                  f'{result.stdout}{result.stderr}')
    print(f'{len(CASES)} cases, {wrong} wrong')
    sys.exit(1 if wrong else 0)


main()
