"""What the lint scripts share: which files there are, comments apart from code, and how findings are reported.

Every script is called as `rule.py SOURCE_ROOT BUILD_ROOT` and exits 0 (clean), 1 (findings) or 77 (cannot run here).
"""

import os
import re
import subprocess
import sys

SKIP = 77


class Lint:
    def __init__(self):
        self.source = os.path.abspath(sys.argv[1])
        self.build = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else None
        self.findings = []

    def find(self, path, line, text):
        self.findings.append(f'{path}:{line}: {text}')

    def done(self, rule):
        """Prints the findings, each with its place, and the rule they break; ends the process."""
        for finding in self.findings:
            print(finding)
        if self.findings:
            print(f'\n{len(self.findings)} finding(s). The rule: {rule}')
        sys.exit(1 if self.findings else 0)

    def skip(self, why):
        print(f'skipped: {why}')
        sys.exit(SKIP)

    def files(self, *patterns):
        """Files of the project, relative and sorted, that match one of the regular expressions."""
        return [f for f in project_files(self.source) if any(re.search(p, f) for p in patterns)]

    def cpp_files(self, *roots):
        roots = '|'.join(re.escape(r) for r in roots)
        return self.files(rf'^({roots})/.*\.(hpp|cpp)$')

    def read(self, path):
        with open(os.path.join(self.source, path), encoding='utf-8', errors='replace') as file:
            return file.read()

    def lines(self, path):
        return self.read(path).split('\n')


def project_files(source):
    try:
        out = subprocess.run(['git', '-C', source, 'ls-files', '-co', '--exclude-standard'], capture_output=True,
                             text=True, check=True).stdout
        listed = [f for f in out.split('\n') if f and os.path.isfile(os.path.join(source, f))]
        if listed:
            return sorted(listed)
    except (OSError, subprocess.CalledProcessError):
        pass  # no git, or a release archive: look for ourselves
    found = []
    for folder, folders, names in os.walk(source):
        folders[:] = [d for d in folders if not d.startswith(('.git', 'build', '__pycache__'))]
        found += [os.path.relpath(os.path.join(folder, n), source) for n in names]
    return sorted(found)


def code_only(text):
    """The text with comments and the insides of literals blanked out; lines stay where they are."""
    out = []
    i = 0
    while i < len(text):
        two = text[i:i + 2]
        if two == '//':
            end = text.find('\n', i)
            end = len(text) if end < 0 else end
            out.append(' ' * (end - i))
            i = end
        elif two == '/*':
            end = text.find('*/', i + 2)
            end = len(text) if end < 0 else end + 2
            out.append(re.sub(r'[^\n]', ' ', text[i:end]))
            i = end
        elif text.startswith('R"', i) and not (i and (text[i - 1].isalnum() or text[i - 1] == '_')):
            delimiter = text[i + 2:text.index('(', i)]
            end = text.find(')' + delimiter + '"', i)
            end = len(text) if end < 0 else end + len(delimiter) + 2
            out.append('""' + re.sub(r'[^\n]', ' ', text[i + 2:end]))
            i = end
        elif text[i] == '"' or (text[i] == "'" and not (i and text[i - 1].isalnum())):
            quote, end = text[i], i + 1
            while end < len(text) and text[end] != quote and text[end] != '\n':
                end += 2 if text[end] == '\\' else 1
            out.append(quote + ' ' * (min(end, len(text)) - i - 1) + quote)
            i = end + 1
        else:
            out.append(text[i])
            i += 1
    return ''.join(out)
