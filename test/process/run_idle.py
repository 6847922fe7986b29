#!/usr/bin/env python3
"""run_idle.py PROGRAM: an idle parked runtime makes no system call in a second."""
import pathlib
import re
import sys
import tempfile

import strace

CALL = re.compile(r"^(\d+) +(\d+\.\d+) (\w+)\(")
IDLE_S = 1.1
SILENT_S = 1.0
# Arm the timer, sleep; then find out what woke, and read the timer.
AT_MOST = 5


def calls_while_idle(lines: list[str]) -> list[tuple[float, str]]:
    """What was called between the two marks, with the second mark."""
    calls = [(float(match.group(2)), match.group(3)) for line in lines if (match := CALL.match(line))]
    marks = [at for at, (_, name) in enumerate(calls) if name == "getpgid"]
    assert len(marks) == 2, f"{len(marks)} marks"
    return calls[marks[0] + 1 : marks[1] + 1]


def main() -> int:
    strace.require()
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "trace"
        program = strace.start(["-ttt"], report, [sys.argv[1]])
        assert program.wait(60) == 0, f"exit code {program.returncode}"
        calls = calls_while_idle(strace.read_when_complete(report, r"\+\+\+ exited"))
    for at, name in calls:
        print(f"{at:.6f} {name}")
    longest = max(later - earlier for (earlier, _), (later, _) in zip(calls, calls[1:]))
    made = len(calls) - 1
    print(f"{made} calls in {IDLE_S} s, none of them for {longest:.3f} s")
    return 0 if longest >= SILENT_S and made <= AT_MOST else 1


if __name__ == "__main__":
    sys.exit(main())
