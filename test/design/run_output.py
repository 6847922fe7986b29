#!/usr/bin/env python3
"""run_output.py PROGRAM TEXT: the program must end with exit code 0 and write this line, and nothing else."""
import subprocess
import sys


def main() -> int:
    program, text = sys.argv[1:]
    done = subprocess.run([program], capture_output=True, text=True, check=False, timeout=50)
    if done.returncode == 0 and done.stdout == text + "\n" and not done.stderr:
        return 0
    print(f"exit code {done.returncode}\nstdout: {done.stdout!r}\nstderr: {done.stderr!r}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
