"""Words that do not belong into the repository: paths of one machine, hosts nobody else has, promises to finish later."""

import re

from lintlib import Lint

# Hosts that a URL may name. A new one is added here on purpose, with the change that needs it.
HOSTS = {'github.com', 'wrapdb.mesonbuild.com', 'www.boost.org', 'json-schema.org', 'www.fixtrading.org', 'example.com',
         'en.cppreference.com', 'semver.org', 'keepachangelog.com', 'man7.org', 'docs.rs'}

RULES = [
    (re.compile(r'(?<![\w.}-])/(work|home|root|mnt|Users)/'), 'a path of one machine'),
    (re.compile(r'(?<![\w.}:-])/tmp\b'), 'a fixed temporary folder: take TMPDIR or std::filesystem::temp_directory_path()'),
    (re.compile(r'\b(TODO|FIXME|XXX|HACK)\b'), 'a promise to finish later'),
]
URL = re.compile(r'https?://([\w.-]+)')
TEXT = r'\.(hpp|cpp|in|py|md|txt|build|sh|json|cmake|yml|wrap|patch|supp)$|^[^.]*$|^\.'


def main():
    lint = Lint()
    for path in lint.files(TEXT):
        if path.startswith('test/lint/'):
            continue  # names the words in order to find them
        for number, line in enumerate(lint.lines(path), 1):
            for pattern, what in RULES:
                match = pattern.search(line)
                if match:
                    lint.find(path, number, f'"{match.group(0)}": {what}')
            for host in URL.findall(line):
                if host not in HOSTS:
                    lint.find(path, number, f'"{host}" is no host that the project refers to')
    lint.done('nothing in the repository depends on one machine, and nothing is left for later')


main()
