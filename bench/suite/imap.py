"""A small blocking client of IMAP and LMTP, for what the load tool cannot do: to lose its connection and come again."""
import socket
import time

from . import servers


class Lost(Exception):
    """The connection ended, or an answer was no OK."""


class Client:
    """Connected, and logged in if there is a user."""

    def __init__(self, port, user=None, timeout=60):
        self.tags = 0
        try:
            self.sock = socket.create_connection(('127.0.0.1', port), timeout=timeout)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.file = self.sock.makefile('rb')
            self.line()
            if user is not None:
                self.command(f'LOGIN {user} {servers.PASSWORD}')
        except OSError as error:
            raise Lost(str(error)) from error

    def line(self):
        try:
            line = self.file.readline()
        except OSError as error:
            raise Lost(str(error)) from error
        if not line.endswith(b'\n'):
            raise Lost('the connection ended')
        return line

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Lost(str(error)) from error

    def command(self, text):
        """All untagged lines; literals are lines like others."""
        self.tags += 1
        tag = b'tag%d ' % self.tags
        self.send(tag + text.encode() + b'\r\n')
        out = []
        while True:
            line = self.line()
            if line.startswith(tag):
                if not line.startswith(tag + b'OK'):
                    raise Lost(line.decode(errors='replace'))
                return out
            out.append(line)

    def timed_ms(self, text):
        start = time.monotonic()
        self.command(text)
        return (time.monotonic() - start) * 1e3

    def exists(self):
        """Messages of INBOX."""
        for line in self.command('SELECT INBOX'):
            if line.endswith(b' EXISTS\r\n'):
                return int(line.split()[1])
        raise Lost('SELECT told no EXISTS')

    def close(self):
        self.sock.close()


class Deliverer(Client):
    """LMTP."""

    def __init__(self, port, timeout=60):
        super().__init__(port, timeout=timeout)
        self.answer(b'LHLO bench\r\n')

    def answer(self, data):
        self.send(data)
        while True:
            line = self.line()
            if line[3:4] != b'-':
                if line[:1] not in b'23':
                    raise Lost(line.decode(errors='replace'))
                return

    def deliver(self, user, subject):
        """Returns once it is acknowledged. A server may store what is the same as before once only: no two should have a subject."""
        self.answer(b'MAIL FROM:<bench@example.net>\r\n')
        self.answer(f'RCPT TO:<{user}@{servers.DOMAIN}>\r\n'.encode())
        self.answer(b'DATA\r\n')
        self.answer(f'From: bench@example.net\r\nSubject: {subject}\r\n\r\n'.encode() + b'text\r\n' * 50 + b'.\r\n')
