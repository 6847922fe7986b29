"""Every header of the library compiles alone, and twice in one file, without a warning. Third argument: the compiler.

ccache makes the second run quick: headers that did not change are not compiled again.
"""

import concurrent.futures
import os
import shlex
import shutil
import subprocess
import sys

from lintlib import Lint

WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Wshadow', '-Wconversion', '-Wsign-conversion', '-Wnon-virtual-dtor',
            '-Wold-style-cast', '-Werror']


def compile_one(lint, compiler, flags, header):
    stem = os.path.join(lint.build, 'lint-headers', os.path.basename(compiler[-1]), header.replace('/', '_'))
    os.makedirs(os.path.dirname(stem), exist_ok=True)
    text = f'#include "{header}"\n#include "{header}"\n'
    if not os.path.exists(stem + '.cpp') or open(stem + '.cpp', encoding='utf-8').read() != text:
        with open(stem + '.cpp', 'w', encoding='utf-8') as file:
            file.write(text)
    command = compiler + ['-std=c++20', '-O0', *WARNINGS, f'-I{lint.source}', f'-I{lint.build}', *flags, '-c',
                          stem + '.cpp', '-o', stem + '.o']
    return subprocess.run(command, capture_output=True, text=True, check=False)


def main():
    lint = Lint()
    compiler = sys.argv[3]
    if shutil.which(compiler) is None:
        lint.skip(f'{compiler} is not installed')
    command = (['ccache'] if shutil.which('ccache') else []) + [compiler]
    flags = shlex.split(subprocess.run(['pkg-config', '--cflags', 'spdlog', 'nlohmann_json'], capture_output=True,
                                       text=True, check=False).stdout)
    headers = [f for f in lint.cpp_files('nexus') if f.endswith('.hpp')]
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        results = pool.map(lambda h: compile_one(lint, command, flags, h), headers)
        for header, result in zip(headers, results):
            if result.returncode != 0:
                lint.find(header, 1, 'does not compile alone with ' + compiler + '\n' + result.stderr)
    lint.done('every header compiles alone and may be included twice')


main()
