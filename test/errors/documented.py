#!/usr/bin/env python3
"""documented.py SOURCE_ROOT: docs/errors.md has every text that the library throws as a UsageError.

Of each throw the longest run of string literals is looked for: the longer of what is before and after its first colon
or semicolon.
"""
import pathlib
import re
import sys

THROW = re.compile(r"\b(?:UsageError|violate|refuse)\(")
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
COMMENT = re.compile(r'("(?:[^"\\]|\\.)*")|//[^\n]*')
FEWEST_TEXTS = 30  # less than that: the search itself is broken


def literal_runs(code: str, at: int) -> list[str]:
    """The strings in the argument list that begins at `at`; literals with nothing but space between them are one."""
    runs, depth, joins = [], 1, False
    while depth > 0:
        if literal := STRING.match(code, at):
            runs[-1:] = [runs[-1] + literal.group(1)] if joins else [*runs[-1:], literal.group(1)]
            at, joins = literal.end(), True
            continue
        depth += {"(": 1, ")": -1}.get(code[at], 0)
        joins = joins and code[at].isspace()
        at += 1
    return runs


def essence(runs: list[str]) -> str:
    longest = max(runs, key=len).replace('\\"', '"').replace("\\n", " ")
    return max(re.split(r"[:;](?: |$)", longest)[:2], key=len).strip()


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def main() -> int:
    root = pathlib.Path(sys.argv[1])
    page = squeezed((root / "docs" / "errors.md").read_text(encoding="utf-8"))
    missing, seen = [], 0
    for path in sorted((root / "nexus").rglob("*.[ch]pp")):
        code = COMMENT.sub(lambda found: found.group(1) or "", path.read_text(encoding="utf-8"))
        for throw in THROW.finditer(code):
            runs = literal_runs(code, throw.end())
            if not runs:
                continue
            seen += 1
            if squeezed(essence(runs)) not in page:
                missing.append(f"{path.relative_to(root)}: {squeezed(essence(runs))}")
    print("\n".join(missing) or f"{seen} texts, all of them documented")
    return 1 if missing or seen < FEWEST_TEXTS else 0


if __name__ == "__main__":
    sys.exit(main())
