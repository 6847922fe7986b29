"""Counts test cases: `count_tests.py LEG=BUILD_FOLDER...` after `meson test` ran there.

A GoogleTest program counts with each of its cases, every other test as one. A program that failed without a failed case
of its own (it crashed, ran out of time, leaked) counts as one failure. Prints a line a leg when there are several, then
the total, and exits 1 unless something passed and nothing failed.
"""

import json
import os
import sys
import xml.etree.ElementTree as ElementTree

OK, SKIPPED = 'OK', 'SKIP'


def cases_of(path):
    """(passed, failed, skipped) of one GoogleTest report."""
    passed = failed = skipped = 0
    for case in ElementTree.parse(path).getroot().iter('testcase'):
        if case.get('status') == 'notrun':
            continue
        if case.find('failure') is not None or case.find('error') is not None:
            failed += 1
        elif case.find('skipped') is not None or case.get('result') == 'skipped':
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def count(folder):
    totals = {'passed': 0, 'failed': 0, 'skipped': 0, 'programs': 0, 'failures': []}
    with open(os.path.join(folder, 'meson-logs', 'testlog.json'), encoding='utf-8') as log:
        runs = [json.loads(line) for line in log if line.strip()]
    for run in runs:
        name = run['name'].split(' / ')[-1].strip()
        totals['programs'] += 1
        report = os.path.join(folder, name + '.xml')
        passed = failed = skipped = 0
        if os.path.exists(report):
            try:
                passed, failed, skipped = cases_of(report)
            except ElementTree.ParseError:
                pass
        elif run['result'] == OK:
            passed = 1
        elif run['result'] == SKIPPED:
            skipped = 1
        if run['result'] not in (OK, SKIPPED) and failed == 0:
            failed = 1
        if failed:
            totals['failures'].append(name)
        totals['passed'] += passed
        totals['failed'] += failed
        totals['skipped'] += skipped
    return totals


def line(title, totals):
    return (f'{title}: {totals["passed"]} passed, {totals["failed"]} failed, {totals["skipped"]} skipped '
            f'({totals["programs"]} programs)')


def main():
    total = {'passed': 0, 'failed': 0, 'skipped': 0, 'programs': 0, 'failures': []}
    legs = [argument.split('=', 1) for argument in sys.argv[1:]]
    for leg, folder in legs:
        counted = count(folder)
        if len(legs) > 1:
            print(line('  ' + leg, counted))
        for key, value in counted.items():
            total[key] += [f'{leg}: {name}' for name in value] if key == 'failures' else value
    for failure in total['failures']:
        print('FAILED ' + failure)
    print(line('tests', total))
    sys.exit(0 if total['passed'] > 0 and total['failed'] == 0 else 1)


main()
