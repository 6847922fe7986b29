#!/usr/bin/env python3
"""chat.py PROGRAM: the chat of docs/examples/chat over TCP, as its clients see it."""
import json
import signal
import socket
import subprocess
import sys
import tempfile

PATIENCE = 30  # seconds after which something that should have happened has not


def check(condition, what):
    if not condition:
        raise AssertionError(what)


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(('127.0.0.1', port), timeout=PATIENCE)
        self.lines = self.socket.makefile('r', encoding='utf-8')

    def send(self, text):
        self.socket.sendall(text.encode())

    def expect(self, line):
        got = self.lines.readline()
        check(got == line, f'expected {line!r}, got {got!r}')

    def expect_end(self):
        try:
            rest = self.lines.read()
        except ConnectionResetError:
            rest = ''  # closed with something of ours unread
        check(rest == '', f'expected the end, got {rest!r}')

    def close(self):
        self.lines.close()
        self.socket.close()


class Chat:
    def __init__(self, program, **options):
        self.config = tempfile.NamedTemporaryFile('w', suffix='.json')
        json.dump({'resources': {'chat': {'listen': '127.0.0.1:0', **options}}}, self.config)
        self.config.flush()
        self.log = ''
        self.process = subprocess.Popen([program, self.config.name], stderr=subprocess.PIPE, text=True)
        self.port = int(self.expect_log('listening on 127.0.0.1:').rsplit(':', 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.process.kill()
        self.log += self.process.stderr.read()
        self.process.stderr.close()
        self.process.wait()
        if kind is not None:
            print(self.log, file=sys.stderr)

    def expect_log(self, text):
        """Reads the log up to a line that holds `text`, and returns that line."""
        for line in self.process.stderr:
            self.log += line
            if text in line:
                return line
        raise AssertionError(f'the log ended without {text!r}')

    def client(self):
        """A client whose session runs: what the first one says, it hears."""
        return Client(self.port)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)

    def expect_exit(self, code):
        self.log += self.process.stderr.read()
        got = self.process.wait(PATIENCE)
        check(got == code, f'exit code {got} instead of {code}')


def meet(speaker, listener, name):
    """The listener's session may still be starting: the speaker speaks until it is heard."""
    listener.socket.settimeout(0.05)
    heard = b''
    while not heard:
        speaker.send('ping\n')
        try:
            heard = listener.socket.recv(1, socket.MSG_PEEK)
        except socket.timeout:
            pass
    listener.socket.settimeout(PATIENCE)
    speaker.send('now\n')
    while (line := listener.lines.readline()) != f'{name}: now\n':
        check(line == f'{name}: ping\n', f'unexpected {line!r}')


def two_clients_and_a_failing_one(program):
    with Chat(program) as chat:
        first, second = chat.client(), None
        second = chat.client()
        meet(first, second, 1)
        second.send('half a ')
        second.send('line\nand another\n')
        first.expect('2: half a line\n')
        first.expect('2: and another\n')

        failing = chat.client()
        failing.send('x' * 5000)  # its session throws
        failing.expect_end()
        check('a line of more than 4 KiB' in chat.expect_log('fiber "session" failed'), 'the failure is not named')
        first.send('still here\n')
        second.expect('1: still here\n')

        chat.stop()
        for client in (first, second):
            client.expect('* the server stops\n')
            client.expect_end()
            client.close()
        chat.expect_exit(0)
        check('still there' not in chat.log, 'a session was left')


def silence_ends_a_session(program):
    with Chat(program, idle_limit_ms=200) as chat:
        silent = chat.client()
        silent.expect_end()
        check('imed out' in chat.expect_log('client 1 is gone'), 'not gone for its silence')
        chat.stop()
        chat.expect_exit(0)


def grace_is_limited(program):
    with Chat(program, grace_ms=50) as chat:
        first, stays = chat.client(), chat.client()
        meet(first, stays, 1)
        first.close()
        chat.stop()
        stays.expect('* the server stops\n')  # and does not close
        chat.expect_log('still there')
        check('session' in chat.expect_log('session'), 'not named')
        chat.expect_exit(0)


def mistakes_in_the_configuration(program):
    done = subprocess.run([program, '/does/not/exist.json'], capture_output=True, text=True, timeout=PATIENCE)
    check(done.returncode == 1 and '/does/not/exist.json' in done.stderr, f'unexpected {done!r}')


def main():
    for case in (two_clients_and_a_failing_one, silence_ends_a_session, grace_is_limited,
                 mistakes_in_the_configuration):
        case(sys.argv[1])
        print('ok', case.__name__)


main()
