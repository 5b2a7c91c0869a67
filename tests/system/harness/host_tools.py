# SPDX-License-Identifier: Apache-2.0
"""What tests of enclavectl share: the program, a service with scripted answers, and a fake instance
metadata service. Nothing here uses code of the project but the binary under test."""
import contextlib
import http.server
import json
import os
import pathlib
import pty
import socket
import struct
import subprocess
import threading

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
CTL = os.path.join(BUILD, "enclavectl")
# Inputs with their right answers, beside the project as the vectors are.
CASES = pathlib.Path(os.environ.get("VECTORS", os.path.join(ROOT, "..", "shared", "vectors")),
                     "..", "cases").resolve()
KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def clean_environment(home, **more):
    """No credentials but those a test gives, and no metadata service but its own."""
    env = {k: v for k, v in os.environ.items()
           if not k.startswith("AWS_") and k not in ("ENCRYPTED_TSK", "ENCLAVED_ADDRESS")}
    env.update(HOME=str(home), AWS_EC2_METADATA_DISABLED="true", **more)
    return env


def ctl(*arguments, env, stdin=None, timeout=60):
    return subprocess.run([CTL, *map(str, arguments)], input=stdin, env=env, timeout=timeout,
                          capture_output=True, **({"stdin": subprocess.DEVNULL} if stdin is None else {}))


def open_terminal():
    """A pair of descriptors, the outer and the inner end of a terminal; skips where there is none."""
    try:
        return pty.openpty()
    except OSError as error:
        pytest.skip(f"no terminal can be opened here (is /dev/pts mounted?): {error}")


def frame(content):
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return struct.pack(">I", len(data)) + data


class Raw(bytes):
    """An answer that is sent as it is, without a frame; then the connection closes."""


SILENCE = object()  # an answer that never comes


def hang_up(connection):
    """Ends every wait in it, of whatever thread; it stays open."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class Server:
    """Accepts connections; serve(peer) runs in a thread for each, and need not close it.

    close() closes no number in which a thread still waits: were the process stopped and continued then,
    the kernel would begin that wait anew, with what has the number by now. A thread of one test took
    the connection of another so, and answered it."""

    def __init__(self, listener, serve, timeout=None):
        self.listener = listener
        self.serve = serve
        self.timeout = timeout  # of each connection, seconds
        self.peers = []
        self.threads = []
        self.accepting = threading.Thread(target=self.accept, daemon=True)
        self.accepting.start()

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            peer.settimeout(self.timeout)
            self.peers.append(peer)
            self.threads.append(threading.Thread(target=self.run, args=(peer,), daemon=True))
            self.threads[-1].start()

    def run(self, peer):
        with contextlib.suppress(OSError):
            self.serve(peer)

    def close(self):
        hang_up(self.listener)
        self.accepting.join(60)
        for peer in self.peers:
            hang_up(peer)
        for thread in self.threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in [self.accepting, *self.threads])
        for end in [self.listener, *self.peers]:
            end.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class FakeService(Server):
    """Speaks frames. answer(request) gives an object, bytes (framed), Raw or SILENCE."""

    def __init__(self, answer, address=("127.0.0.1", 0)):
        self.answer = answer
        self.requests = []
        listener = socket.create_server(address)
        self.host, self.port = listener.getsockname()
        self.address = f"tcp:{self.host}:{self.port}"
        super().__init__(listener, self.serve_frames)

    @property
    def connections(self):
        return len(self.peers)

    @staticmethod
    def exactly(peer, count):
        data = bytearray()
        while len(data) < count:
            chunk = peer.recv(min(1 << 20, count - len(data)))
            if not chunk:
                return None
            data += chunk
        return bytes(data)

    def serve_frames(self, peer):
        with peer:
            while request := self.receive(peer):
                self.requests.append(request)
                answer = self.answer(request)
                if answer is SILENCE:
                    continue
                peer.sendall(answer if isinstance(answer, Raw) else frame(answer))
                if isinstance(answer, Raw):
                    return

    def receive(self, peer):
        head = self.exactly(peer, 4)
        body = head and self.exactly(peer, struct.unpack(">I", head)[0])
        return body and json.loads(body)


class FakeEnclaved(FakeService):
    """As enclaved answers: agents, health, configure; KMS says yes."""

    def __init__(self, **options):
        self.state = "awaiting_configuration"
        self.context = {"app": "t"}
        self.last_error = None
        super().__init__(self.reply, **options)

    def reply(self, request):
        if request.get("op") == "health":
            return {"status": "success", "state": self.state, "version": "0.1.0",
                    "uptime_seconds": 7, "connections": 1, "requests": 2, "errors": 0,
                    "ended": {"closed": 5, "reset": 0, "slow_reader": 12},
                    "kms_key": KEY, "encryption_context": self.context,
                    "credentials_expire": None, "last_error": self.last_error}
        if request.get("op") == "configure":
            self.state = "ready"
            return {"status": "success", "state": "ready", "key_id": KEY, "rotated": False}
        if request.get("mode") == "A":
            return {"status": "success", "ciphertext": "aa" * 28}
        if request.get("mode") == "B":
            return {"status": "success", "ciphertext": "bb" * 28}
        return {"status": "error", "code": "unknown_mode", "error": "no agent serves this mode"}

    def configured(self):
        return [r for r in self.requests if r.get("op") == "configure"]


class FakeAws:
    """A service of AWS on this machine, over plain HTTP: answer(body) is status and body of each POST."""

    def __init__(self, answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                status, body = answer(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class FakeMetadata:
    """EC2 instance metadata, version 2: every GET needs the token of a PUT. put_status SILENCE: the
    request is taken and the answer never arrives, as where the hop limit is too low."""

    def __init__(self, credentials, role="enclave-role", list_status=200, put_status=200):
        outer = self
        self.credentials, self.role, self.list_status = credentials, role, list_status
        self.put_status = put_status
        self.closing = threading.Event()
        self.paths = []
        self.issued = "TOKEN-of-metadata"

        class Handler(http.server.BaseHTTPRequestHandler):
            def reply(self, status, text):
                data = text.encode()
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_PUT(self):
                outer.paths.append(f"PUT {self.path}")
                self.rfile.read(int(self.headers.get("content-length") or 0))
                ttl = self.headers.get("x-aws-ec2-metadata-token-ttl-seconds")
                good = self.path == "/latest/api/token" and ttl is not None
                if outer.put_status is SILENCE:
                    outer.closing.wait()
                elif outer.put_status != 200:
                    self.reply(outer.put_status, "")
                else:
                    self.reply(200 if good else 400, outer.issued if good else "")

            def do_GET(self):
                outer.paths.append(f"GET {self.path}")
                base = "/latest/meta-data/iam/security-credentials/"
                if self.headers.get("x-aws-ec2-metadata-token") != outer.issued:
                    self.reply(401, "")
                elif self.path == base:
                    self.reply(outer.list_status, outer.role)
                elif self.path == base + outer.role:
                    self.reply(200, json.dumps(outer.credentials))
                else:
                    self.reply(404, "")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
