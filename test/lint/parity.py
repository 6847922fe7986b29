"""The seed's names and clauses: each has its row in both tables, a proof or a reason, and code cites only what exists."""

import os
import re
import sys

from lintlib import Lint, code_only

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'tools', 'lib'))
from seed_parity import CITED, CONTRACT, DATA, PAGE, THE_HEADER, Parity, expand  # noqa: E402

MISSING = 'lacks a proof: name it in the test that proves it, or say in not_applicable why it does not apply'


def line_of(text, what):
    return text.count('\n', 0, max(text.find(what), 0)) + 1


def contract(lint, parity):
    """The data and the contract have the same ids."""
    listed = set(parity.clauses) | set(parity.cited_only)
    text = lint.read(CONTRACT)
    for what in sorted(listed - set(parity.contract)):
        lint.find(CONTRACT, 1, f'has no sentence for {what}')
    for what in sorted(set(parity.contract) - listed):
        lint.find(CONTRACT, line_of(text, f'| {what} |'), f'{what} is not in {DATA}')
    for what in parity.contract:
        if text.count(f'\n| {what} |') > 1:
            lint.find(CONTRACT, line_of(text, f'| {what} |'), f'{what} has two sentences')


def proofs(lint, parity):
    text = lint.read(DATA)
    awaited = parity.data['awaited']
    for what in parity.everything:
        missing = parity.verdict(what) == 'missing'
        if missing and what not in awaited:
            lint.find(DATA, line_of(text, f'"{what}"'), f'{what} {MISSING}')
        if not missing and what in awaited:
            lint.find(DATA, line_of(text, f'"{what}"'), f'{what} is awaited no longer: tools/parity --write')
        if what in parity.proofs and what in parity.reasons:
            lint.find(DATA, line_of(text, f'"{what}"'), f'{what} is proven and not applicable at once')
    for what in awaited + list(parity.reasons):
        if not parity.known(what):
            lint.find(DATA, line_of(text, f'"{what}"'), f'{what} is neither a clause nor a name')
    for path, line, problem in parity.problems:
        lint.find(path, line, problem)


def counterparts(lint, parity):
    """What a name of the seed is called here is declared in the header that is named."""
    text = lint.read(DATA)
    for name, entry in parity.names.items():
        if name in parity.data['awaited']:
            continue
        if 'nexus' not in entry:
            lint.find(DATA, line_of(text, f'"{name}"'), f'{name} has no counterpart')
            continue
        header = entry.get('header', '')
        identifier = entry['nexus'].split('::')[-1]
        found = os.path.isfile(os.path.join(lint.source, header)) and (
            entry['nexus'] == THE_HEADER or re.search(rf'\b{identifier}\b', code_only(lint.read(header))))
        if not found:
            lint.find(DATA, line_of(text, f'"{name}"'), f'{entry["nexus"]} is not in {header or "any header"}')


def citations(lint, parity):
    families = set(parity.families) | set(parity.data['cited_only'])
    known = set(parity.clauses) | set(parity.cited_only)
    for path in lint.files(r'^(nexus|test|docs|benchmarks|tools)/.*\.(hpp|cpp|py|md|patch)$'):
        if path.startswith('test/lint/') or path in (CONTRACT, PAGE):
            continue
        for number, line in enumerate(lint.lines(path), 1):
            for family, at in CITED.findall(line):
                if family in families and f'{family}-{at}' not in known:
                    lint.find(path, number, f'cites {family}-{at}, which {CONTRACT} does not have')


def main():
    lint = Lint()
    absent = [path for path in (DATA, CONTRACT) if not os.path.isfile(os.path.join(lint.source, path))]
    for path in absent:
        lint.find(path, 1, 'is missing')
    if not absent:
        parity = Parity(lint.source)
        for family, ranges in parity.families.items():
            if len(set(expand(ranges))) != len(expand(ranges)):
                lint.find(DATA, 1, f'{family} lists an id twice')
        contract(lint, parity)
        proofs(lint, parity)
        counterparts(lint, parity)
        citations(lint, parity)
        stale = not os.path.isfile(os.path.join(lint.source, PAGE)) or lint.read(PAGE) != parity.page()
        if stale:
            lint.find(PAGE, 1, 'is not what the tests say: tools/parity --write')
    lint.done(f'{CONTRACT} and {PAGE} have every name and clause of the seed, and nothing claims what does not exist')


main()
