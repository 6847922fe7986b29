"""clang-format leaves every C++ file as it is. Version 14 decides: others differ in details."""

import re
import shutil
import subprocess

from lintlib import Lint


def formatter():
    for name in ('clang-format-14', 'clang-format'):
        if shutil.which(name):
            version = subprocess.run([name, '--version'], capture_output=True, text=True, check=True).stdout
            if re.search(r'version 14\.', version):
                return name
    return None


def main():
    lint = Lint()
    program = formatter()
    if program is None:
        lint.skip('clang-format 14 is not installed')
    files = lint.cpp_files('nexus', 'test', 'benchmarks', 'docs', 'tools')
    for path in files:
        result = subprocess.run([program, '--dry-run', '-Werror', '--ferror-limit=1', path], cwd=lint.source,
                                capture_output=True, text=True, check=False)
        if result.returncode != 0:
            place = re.match(r'[^:]+:(\d+):', result.stderr)
            lint.find(path, place.group(1) if place else 1, f'run: {program} -i {path}')
    lint.done('C++ files are formatted by clang-format 14 with .clang-format of the root')


main()
