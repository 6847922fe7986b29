#!/usr/bin/env python3
"""Runs a wrong program and compares its report with the golden text, word by word.

    run.py [--update] EXPECTED run PROGRAM
    run.py [--update] EXPECTED compile SOURCE COMPILER ARGUMENT...

The golden file begins with how the program ended ("exit 0", "signal SIGSEGV", "compile error"), then an empty line,
then what it wrote to both streams. What differs between machines and compilers is evened out first: folders, offsets
into functions, and callers that are not the program's own. --update writes the golden file instead of comparing.
"""
import difflib
import os
import pathlib
import re
import signal
import subprocess
import sys

CALLER = re.compile(r"^ {12}\S")
OWN_CALLER = re.compile(r"^ {12}(?!nexus::|std::|void nexus::|void std::|decltype)[\w:]+\(.*\)\+0xN$")


def even_out(text: str) -> list[str]:
    text = re.sub(r"\S*(test/errors/programs/)", r"\1", text)
    text = re.sub(r"\+0x[0-9a-f]+", "+0xN", text)
    text = text.replace("void (", "void(")
    lines = [line.rstrip() for line in text.splitlines()]
    return [line for line in lines if not CALLER.match(line) or OWN_CALLER.match(line)]


def run(program: str) -> tuple[str, list[str]]:
    done = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          timeout=50)
    how = f"exit {done.returncode}" if done.returncode >= 0 else f"signal {signal.Signals(-done.returncode).name}"
    return how, even_out(done.stdout)


def compile_source(source: str, command: list[str]) -> tuple[str, list[str]]:
    """Keeps the sentences of the static assertions, and how many errors there are besides."""
    done = subprocess.run(command + ["-fsyntax-only", source], capture_output=True, text=True, check=False,
                          env=os.environ | {"LC_ALL": "C"})
    errors = [line for line in (done.stdout + done.stderr).splitlines() if "error:" in line]
    sentences = [match.group(1) for line in errors if (match := re.search(r'(nexus: .*?)"?$', line))]
    others = [line for line in errors if "nexus: " not in line]
    return ("compiled" if done.returncode == 0 else "compile error"), sentences + others


def main() -> int:
    arguments = sys.argv[1:]
    update = arguments[0] == "--update"
    golden, mode, subject, *command = arguments[1:] if update else arguments
    how, lines = run(subject) if mode == "run" else compile_source(subject, command)
    text = "\n".join([how, "", *lines]) + "\n"
    if update:
        pathlib.Path(golden).write_text(text, encoding="utf-8")
        return 0
    expected = pathlib.Path(golden).read_text(encoding="utf-8")
    if text == expected:
        return 0
    print("".join(line + "\n" for line in difflib.unified_diff(expected.splitlines(), text.splitlines(), golden,
                                                              "this run", lineterm="")))
    return 1


if __name__ == "__main__":
    sys.exit(main())
