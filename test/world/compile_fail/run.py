#!/usr/bin/env python3
"""Compiles each program beside this file, which must fail with the sentence that its first line asks for.

The first line reads `// expect: TEXT`; `// expect-ok` marks the control that must compile. Usage:
run.py DIRECTORY COMPILER ARGUMENT...
"""
import pathlib
import subprocess
import sys


def check(source: pathlib.Path, command: list[str]) -> str | None:
    """Returns what is wrong, or None."""
    first_line = source.read_text(encoding="utf-8").splitlines()[0]
    done = subprocess.run(command + ["-fsyntax-only", str(source)], capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    if first_line == "// expect-ok":
        return None if done.returncode == 0 else f"must compile:\n{output}"
    wanted = first_line.removeprefix("// expect: ")
    if done.returncode == 0:
        return "compiled, but must not"
    errors = [line for line in output.splitlines() if "error:" in line]
    if not any(wanted in line for line in errors):
        return f"no error says '{wanted}':\n{output}"
    if len(errors) > 1:
        return "more than the one error:\n" + "\n".join(errors)
    return None


def main() -> int:
    directory, command = pathlib.Path(sys.argv[1]), sys.argv[2:]
    failures = 0
    sources = sorted(directory.glob("*.cpp"))
    for source in sources:
        problem = check(source, command)
        print(f"{'not ok' if problem else 'ok'}: {source.name}")
        if problem:
            failures += 1
            print(problem)
    return 1 if failures or not sources else 0


if __name__ == "__main__":
    sys.exit(main())
