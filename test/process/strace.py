"""Runs a program under strace. Ends the test as skipped (77) where strace is missing or tracing is refused."""
import pathlib
import re
import shutil
import subprocess
import sys
import time

SKIPPED = 77


def require() -> None:
    if shutil.which("strace") is None:
        print("skipped: strace is not installed (apt-get install strace)")
        sys.exit(SKIPPED)
    probe = subprocess.run(["strace", "-f", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        print(f"skipped: strace may not trace here: {probe.stderr.strip()}")
        sys.exit(SKIPPED)


def start(options: list[str], report: pathlib.Path, command: list[str]) -> subprocess.Popen:
    """The program is the child, not strace (-D): it can be signalled and waited for."""
    return subprocess.Popen(["strace", "-D", "-f", *options, "-o", str(report), *command])


def read_when_complete(report: pathlib.Path, last_line: str) -> list[str]:
    """strace writes its report a moment after the program has ended."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        lines = report.read_text(encoding="utf-8").splitlines()
        if lines and re.search(last_line, lines[-1]):
            return lines
        time.sleep(0.05)
    raise RuntimeError("strace did not finish its report")
