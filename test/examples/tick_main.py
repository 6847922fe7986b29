#!/usr/bin/env python3
"""tick_main.py PROGRAM: the game loop of docs/examples/tick_main runs its frames and leaves nothing behind."""
import json
import subprocess
import sys
import tempfile

with tempfile.NamedTemporaryFile('w', suffix='.json') as config:
    json.dump({'resources': {'arena': {'monsters': 2, 'spawn_every_ms': 20}}}, config)
    config.flush()
    done = subprocess.run([sys.argv[1], config.name, '20'], capture_output=True, text=True, timeout=50)
lines = done.stdout.splitlines()
waves = [line for line in lines if line.startswith('wave: ')]
good = done.returncode == 0 and waves and any(line.startswith('assets loaded after ') for line in lines)
if not (good and lines[-1].startswith('20 frames, ')):
    sys.exit(f'exit code {done.returncode}\nstdout: {done.stdout!r}\nstderr: {done.stderr!r}')
