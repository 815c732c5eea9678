# SPDX-License-Identifier: MIT OR Apache-2.0
"""A small HTTP/1.1 client for tests: one TCP connection that is never reopened
behind the caller's back, and answers kept byte for byte."""
import socket


class Closed(Exception):
    """The server closed or reset the connection inside an answer."""


class Response:
    def __init__(self, raw_head, body):
        self.raw_head = raw_head
        self.body = body
        lines = raw_head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        self.fields = {}
        for line in lines[1:]:
            if line:
                name, value = line.split(":", 1)
                self.fields[name.lower()] = value.strip()

    def head_without_date(self):
        lines = self.raw_head.split(b"\r\n")
        return b"\r\n".join(x for x in lines if not x.startswith(b"Date:"))


class Connection:
    def __init__(self, host, port=80, timeout=20):
        self.host = "[%s]" % host if ":" in host else host
        self.sock = socket.create_connection((host, port), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buf = b""

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def head(self, method, target, fields=()):
        text = "%s %s HTTP/1.1\r\nHost: %s\r\n" % (method, target, self.host)
        for name, value in fields:
            text += "%s: %s\r\n" % (name, value)
        return text.encode("latin-1") + b"\r\n"

    def fill(self):
        try:
            more = self.sock.recv(1 << 18)
        except (ConnectionError, socket.timeout) as e:
            raise Closed(str(e)) from e
        if not more:
            raise Closed("end of stream, %d bytes left over" % len(self.buf))
        self.buf += more

    def take(self, n):
        parts = []
        while n > len(self.buf):
            parts.append(self.buf)
            n -= len(self.buf)
            self.buf = b""
            self.fill()
        parts.append(self.buf[:n])
        self.buf = self.buf[n:]
        return b"".join(parts)

    def take_line(self):
        while b"\n" not in self.buf:
            self.fill()
        line, _, self.buf = self.buf.partition(b"\n")
        return line + b"\n"

    def take_chunked(self):
        body = b""
        while True:
            size = int(self.take_line().split(b";")[0], 16)
            if size == 0:
                while self.take_line() != b"\r\n":
                    pass
                return body
            body += self.take(size)
            assert self.take(2) == b"\r\n"

    def receive(self, method="GET"):
        while b"\r\n\r\n" not in self.buf:
            self.fill()
        head, _, self.buf = self.buf.partition(b"\r\n\r\n")
        answer = Response(head + b"\r\n\r\n", b"")
        if 100 <= answer.status < 200:
            return self.receive(method)
        if method == "HEAD" or answer.status in (204, 304):
            return answer
        if answer.fields.get("transfer-encoding") == "chunked":
            answer.body = self.take_chunked()
        else:
            answer.body = self.take(int(answer.fields["content-length"]))
        return answer

    def request(self, method, target, fields=(), body=None):
        fields = list(fields)
        if body is not None:
            fields.append(("Content-Length", str(len(body))))
        self.send(self.head(method, target, fields) + (body or b""))
        return self.receive(method)
