#!/usr/bin/env python3
"""run_echo_calls.py ECHO_SERVER: a 64-byte echo at 50 connections costs at most 2.1 system calls a request.

All calls of the server's life count: start-up, connections and teardown too.
"""
import json
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

import echo_load
import strace

CONNECTIONS = 50
REQUESTS = 20_000
CALLS_A_REQUEST = 2.1


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_it_listens(server: subprocess.Popen, port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=30).close()
            return
        except ConnectionRefusedError:
            assert server.poll() is None and time.monotonic() < deadline, "the server does not listen"
            time.sleep(0.05)


def measure(program: str, folder: pathlib.Path) -> list[str]:
    port = free_port()
    config = folder / "echo.json"
    config.write_text(json.dumps({"runtime": {"signal_handlers": True},
                                  "resources": {"listen": {"address": f"127.0.0.1:{port}"}}}), encoding="utf-8")
    report = folder / "counts"
    server = strace.start(["-c"], report, [program, str(config)])
    try:
        wait_until_it_listens(server, port)
        answered = echo_load.run(port, CONNECTIONS, REQUESTS)
        assert answered == REQUESTS, f"{answered} of {REQUESTS} requests were answered"
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0, f"exit code {server.returncode}"
    finally:
        server.kill()
        server.wait()
    return strace.read_when_complete(report, r"total$")


def main() -> int:
    strace.require()
    with tempfile.TemporaryDirectory() as folder:
        lines = measure(sys.argv[1], pathlib.Path(folder))
    print("\n".join(lines[:8]))
    total = int(re.split(r" +", lines[-1].strip())[3])
    each = total / REQUESTS
    print(f"{total} calls for {REQUESTS} requests: {each:.3f} each")
    return 0 if each <= CALLS_A_REQUEST else 1


if __name__ == "__main__":
    sys.exit(main())
