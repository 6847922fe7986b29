"""What of the seed is there: reads the contract, the data beside it and the tests, and makes docs/seed-parity.md.

Called by tools/parity as `seed_parity.py ROOT yes|no` (yes: write the table); test/lint/parity.py uses the functions.

  docs/seed-contract.md   one row for each clause: `| EX-22 | what the seed does | what nexus does |`
  docs/seed-parity.json   clauses: all ids by family; cited_only: ids without a proof of their own; names: the seed's public
                          names, what they are called here and in which header; not_applicable: a sentence for an id or a
                          name; tests: the seed's own tests, S-1 to S-414, in groups; awaited: what is known to lack its
                          proof
  test/                   a test proves the ids in its own name (EX22_..., CH_LOC_7_..., ..._A15) and the ids and names in
                          a comment directly above it: `// proves: EX-22, RT-3, Executor::poll`; a test of the seed also
                          has its C++ form in a test of that name in one of the suites of its group
"""

import json
import os
import re
import sys

CONTRACT = 'docs/seed-contract.md'
DATA = 'docs/seed-parity.json'
PAGE = 'docs/seed-parity.md'
THE_HEADER = 'the header'  # in place of a name: for a module

ROW = re.compile(r'^\| ([A-Z]+(?:-[A-Z]+)?-\d+) \| (.+?) \| (.+?) \|$', re.M)
TEST = re.compile(r'^(TEST|TEST_F|TEST_P|TYPED_TEST|TYPED_TEST_P|NEXUS_TEST|NEXUS_TEST_F)\(\s*(\w+),\s*(\w+)\s*\)|^int main\(',
                  re.M)
IN_NAME = re.compile(r'(?<![A-Za-z0-9])(CH_?(?:LOC|MP|SP|BY)|[A-Z]{1,3})_?(\d+)(?![A-Za-z0-9])')
LEADING_IDS = re.compile(r'^(?:[A-Z]{1,3}\d+_)+')
PROVES = re.compile(r'^\s*(?://|#) proves: (.*)$')
CITED = re.compile(r'(?<![\w-])([A-Z]{1,3}|CH-(?:LOC|MP|SP|BY))-(\d+)\b')

TITLES = [('EX', 'Executor and task'), ('CW', 'Waking across threads'), ('RT', 'Runtime'), ('SL', 'Slab allocation'),
          ('TM', 'Timers and time'), ('IO', 'I/O'), ('NET', 'Net'), ('CH', 'Channels'), ('CH-LOC', 'Channels: local'),
          ('CH-MP', 'Channels: mpsc'), ('CH-SP', 'Channels: spsc'), ('CH-BY', 'Channels: bytes'),
          ('CA', 'Cancellation'), ('BO', 'Backoff'), ('SH', 'Shutdown'), ('WC', 'World access'), ('TK', 'Bridge'),
          ('A', 'List A: incidents of the seed'), ('H', 'List H: faults found by reading')]


def read(root, path):
    with open(os.path.join(root, path), encoding='utf-8') as file:
        return file.read()


def expand(ranges):
    """'1-3 7' -> [1, 2, 3, 7]"""
    numbers = []
    for part in ranges.split():
        first, _, last = part.partition('-')
        numbers += range(int(first), int(last or first) + 1)
    return numbers


class Parity:
    def __init__(self, root):
        self.root = root
        self.data = json.loads(read(root, DATA))
        self.clauses = self.ids('clauses')
        self.cited_only = self.ids('cited_only')
        self.names = {entry['seed']: entry for entry in self.data['names']}
        self.tests = {}      # S-n -> (group, name)
        self.namesakes = {}  # suite.name -> S-n
        for group in self.data['tests']:
            for number, name in enumerate(group['tests'].split(), group['first']):
                self.tests[f'S-{number}'] = (group['group'], name)
                for suite in group['suites'].split():
                    self.namesakes.setdefault(f'{suite}.{name}', []).append(f'S-{number}')
        self.reasons = {what: reason for whats, reason in self.data['not_applicable'].items() for what in whats.split()}
        self.contract = {row[0]: (row[1], row[2]) for row in ROW.findall(read(root, CONTRACT))}
        self.proofs = {}     # id or name -> [(file, test)]
        self.problems = []   # (file, line, text): comments and names that claim what does not exist
        for folder, _, files in sorted(os.walk(os.path.join(root, 'test'))):
            for name in sorted(files):
                self.scan(os.path.relpath(os.path.join(folder, name), root))

    def ids(self, key):
        return [f'{family}-{number}' for family, ranges in self.data[key].items() for number in expand(ranges)]

    def known(self, what):
        return what in self.names or what in self.tests or what in self.clause_set

    @property
    def clause_set(self):
        return set(self.clauses)

    @property
    def everything(self):
        return list(self.names) + self.clauses + list(self.tests)

    def prove(self, what, path, test, line):
        if not self.known(what):
            self.problems.append((path, line, f'"{what}" is neither a clause of {CONTRACT} nor a name of the seed'))
            return
        found = self.proofs.setdefault(what, [])
        if (path, test) not in found:
            found.append((path, test))

    def scan(self, path):
        if path.startswith('test/lint/') or not path.endswith(('.cpp', '.py')):
            return
        text = read(self.root, path)
        lines = text.split('\n')
        used = set()
        for match in TEST.finditer(text):
            at = text.count('\n', 0, match.start())
            test = f'{match.group(2)}.{match.group(3)}' if match.group(2) else None
            if test and match.group(3).startswith('DISABLED_'):
                continue
            if test:
                for family, number in IN_NAME.findall(match.group(3)):
                    family = family.replace('_', '').replace('CH', 'CH-', 1) if len(family) > 3 else family
                    if family in self.families:
                        self.prove(f'{family}-{number}', path, test, at + 1)
                for what in self.namesakes.get(f'{match.group(2)}.{LEADING_IDS.sub("", match.group(3))}', []):
                    self.prove(what, path, test, at + 1)
            for above in range(at - 1, -1, -1):
                if not lines[above].startswith('//'):
                    break
                self.comment(lines, above, path, test, used)
        for at, line in enumerate(lines):
            if PROVES.match(line) and at not in used:
                if path.endswith('.py'):
                    self.comment(lines, at, path, None, used)
                else:
                    self.problems.append((path, at + 1, 'stands above no test'))

    def comment(self, lines, at, path, test, used):
        match = PROVES.match(lines[at])
        if match:
            used.add(at)
            for what in match.group(1).split(','):
                self.prove(what.strip(), path, test, at + 1)

    @property
    def families(self):
        return self.data['clauses']

    # --- verdicts ---

    def verdict(self, what):
        if what in self.proofs and ('nexus' in self.names[what] if what in self.names else True):
            return 'proven'
        return 'not applicable' if what in self.reasons else 'missing'

    def missing(self, whats):
        return [what for what in whats if self.verdict(what) == 'missing']

    def totals(self, whats):
        whats = list(whats)
        verdicts = [self.verdict(what) for what in whats]
        return (f'{len(whats)}: {verdicts.count("proven")} proven, {verdicts.count("not applicable")} not applicable, '
                f'{verdicts.count("missing")} missing')

    def has_mutant(self, what):
        return os.path.exists(os.path.join(self.root, 'test/mutants', what + '.patch'))

    # --- the page ---

    def proof(self, what):
        if what not in self.proofs:
            return self.reasons.get(what, '**missing**')
        by_file = {}
        for path, test in self.proofs[what]:
            by_file.setdefault(path, []).append(test)
        parts = []
        for path in sorted(by_file):
            tests = ', '.join(f'`{test}`' for test in by_file[path] if test)
            link = f'[{path[len("test/"):]}](../{path})'
            parts.append(f'{tests} ({link})' if tests else link)
        if self.has_mutant(what):
            parts.append(f'[mutant](../test/mutants/{what}.patch)')
        return '; '.join(parts)

    def page(self):
        out = ['# Parity with the seed', '',
               f'Made by `tools/parity --write` from [seed-contract.md]({os.path.basename(CONTRACT)}), '
               f'[seed-parity.json]({os.path.basename(DATA)}) and the tests; do not edit. A test proves the ids in its name and '
               'those in a comment `// proves:` directly above it. `tools/parity --bite` puts the faults back that have a '
               'mutant, and expects the tests to fail.', '',
               f'* names of the seed: {self.totals(self.names)}',
               f'* clauses: {self.totals(self.clauses)}',
               f'* tests of the seed: {self.totals(self.tests)}', '',
               '## Names', '', '| the seed | nexus | proven by |', '|---|---|---|']
        for name, entry in self.names.items():
            there = ''
            if 'nexus' in entry and self.verdict(name) != 'missing':
                link = f'[{os.path.basename(entry["header"])}](../{entry["header"]})'
                there = link if entry['nexus'] == THE_HEADER else f'`{entry["nexus"]}` ({link})'
            out.append(f'| `{name}` | {there} | {self.proof(name)} |')
        for family, title in TITLES:
            if family not in self.families:
                continue
            out += ['', f'## {title}', '', '| id | proven by |', '|---|---|']
            out += [f'| {family}-{number} | {self.proof(f"{family}-{number}")} |'
                    for number in expand(self.families[family])]
        out += ['', '## Tests of the seed', '',
                'In the order and the groups of its source; where a test is called otherwise here, the name says more.', '',
                '| id | group | the seed | here |', '|---|---|---|---|']
        out += [f'| {what} | {group} | {name} | {self.proof(what)} |' for what, (group, name) in self.tests.items()]
        return '\n'.join(out) + '\n'

    def data_text(self):
        """The data in the one form it is kept in, without what is awaited no longer."""
        awaited = [what for what in self.data['awaited'] if self.verdict(what) == 'missing']
        parts = []
        for key, value in self.data.items():
            if key in ('names', 'tests'):
                rows = ',\n'.join('  ' + json.dumps(entry, ensure_ascii=False) for entry in value)
                parts.append(f' "{key}": [\n{rows}\n ]')
            elif key == 'awaited':
                rows = ',\n'.join('  ' + json.dumps(what) for what in awaited)
                parts.append(f' "awaited": [\n{rows}\n ]' if awaited else ' "awaited": []')
            else:
                rows = ',\n'.join(f'  {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}' for k, v in value.items())
                parts.append(f' "{key}": {{\n{rows}\n }}')
        return '{\n' + ',\n'.join(parts) + '\n}\n'


def main():
    root, write = sys.argv[1], sys.argv[2] == 'yes'
    parity = Parity(root)
    for path, line, text in parity.problems:
        print(f'{path}:{line}: {text}')
    if write:
        for path, text in ((DATA, parity.data_text()), (PAGE, parity.page())):
            with open(os.path.join(root, path), 'w', encoding='utf-8') as file:
                file.write(text)
    for title, whats in (('names', list(parity.names)), ('clauses', parity.clauses), ('tests of the seed', parity.tests)):
        missing = parity.missing(whats)
        if missing:
            print(f'missing {title}: ' + ', '.join(missing))
    print('names of the seed: ' + parity.totals(parity.names))
    print('clauses: ' + parity.totals(parity.clauses))
    print('tests of the seed: ' + parity.totals(parity.tests))
    sys.exit(1 if parity.problems or parity.missing(parity.everything) else 0)


if __name__ == '__main__':
    main()
