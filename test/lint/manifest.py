"""No dead files: every source is built, every header is installed or private, every test is compiled.

A header of nexus/ that is not below private/ must be listed in its module's meson.build (then it is installed), and no
installed header may include one that is not.
"""

import json
import os
import re

from lintlib import Lint

INCLUDE = re.compile(r'^\s*#\s*include\s*"(nexus/[^"]+)"', re.M)


def load(lint, name):
    with open(os.path.join(lint.build, name), encoding='utf-8') as file:
        return json.load(file)


def main():
    lint = Lint()
    compiled = set()
    for entry in load(lint, 'compile_commands.json'):
        compiled.add(os.path.relpath(os.path.normpath(os.path.join(entry['directory'], entry['file'])), lint.source))
    installed = set()
    for path in load(lint, 'meson-info/intro-installed.json'):
        for root in (lint.source, lint.build):
            if path.startswith(root + os.sep):
                installed.add(os.path.relpath(path, root))

    for path in lint.cpp_files('nexus'):
        if path.endswith('.cpp') and path not in compiled:
            lint.find(path, 1, 'is in no nexus_sources: nothing builds it')
        if path.endswith('.hpp') and '/private/' not in path and path not in installed:
            lint.find(path, 1, 'is in no nexus_headers: list it, or move it below private/')
    for path in sorted(installed):
        if not path.startswith('nexus/') or not os.path.isfile(os.path.join(lint.source, path)):
            continue
        for included in INCLUDE.findall(lint.read(path)):
            if included not in installed:
                lint.find(path, 1, f'is installed, but {included}, which it includes, is not')
    options = {o['name']: o['value'] for o in load(lint, 'meson-info/intro-buildoptions.json')}
    if options['tests'] != 'disabled':
        for path in lint.files(r'^test/.*_test\.cpp$'):
            if path not in compiled:
                lint.find(path, 1, 'no meson.build builds this test')
    lint.done('every file is built, installed or private')


main()
