# SPDX-License-Identifier: Apache-2.0
"""What tests of the relay share: the relay as a process, destinations, and a name server whose answers
a test decides. Nothing here uses code of the project but the binary under test."""
import json
import os
import re
import socket
import struct
import subprocess
import threading

from enclave_tools import wait_until
from host_tools import CTL, Server, hang_up


class Relay:
    """One `enclavectl relay`. to: one destination or several, each with a listener of its own."""

    def __init__(self, folder, to, *options, allow=True, listen="tcp:127.0.0.1:0", wrapper=(), env=None,
                 **popen):
        folder = str(folder)
        targets = [to] if isinstance(to, str) else list(to)
        self.log_path = os.path.join(folder, "relay.log")
        arguments = [CTL, "relay", "--status", f"unix:{folder}/relay.sock"]
        for target in targets:
            arguments += ["--listen", listen, "--destination", target]
            arguments += ["--allow", target] if allow else []
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*wrapper, *arguments, *map(str, options)], stderr=log,
                                            stdout=subprocess.PIPE, env=env, **popen)
        lines = [self.process.stdout.readline().decode() for _ in targets]
        assert all(line.startswith("ready ") for line in lines), self.log()
        self.ready = lines
        self.addresses = [line.split()[1] for line in lines]
        self.status_at = re.search(r"counts at (\S+)", self.log()).group(1)

    def connect(self, number=0, timeout=30):
        return connect(self.addresses[number], timeout)

    def status(self):
        with connect(self.status_at) as client:
            return json.loads(read_all(client))

    def route(self, number=0):
        return self.status()["routes"][number]

    def wait_for(self, condition, what, number=0):
        def met():
            route = self.route(number)
            return route if condition(route) else None
        return wait_until(met, what=what)

    def turns_away(self, number=0):
        """Whether a connection is ended without a byte; the reset may come before connect returns."""
        try:
            with self.connect(number) as client:
                return ends_without_a_byte(client)
        except ConnectionResetError:
            return True

    def end(self):
        """Stops it, whatever comes of the checks; it must end well."""
        try:
            if self.process.returncode is None:
                self.check_counts()
        finally:
            code = self.stop()
        assert code == 0, self.log()

    def check_counts(self):
        """Each connection that came is counted in one place."""
        for route in self.status()["routes"]:
            ended = route["complete"] + route["left"]
            ended += sum(route["refused"].values()) + sum(route["failed"].values())
            assert route["accepted"] == route["open"] + ended, route

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        code = self.process.wait(60)
        self.process.stdout.close()
        return code

    def stop(self):
        if self.process.returncode is None:
            self.process.terminate()
            return self.wait()
        return self.process.returncode


def connect(address, timeout=30):
    kind, _, rest = address.partition(":")
    if kind == "unix":
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout)
        connection.connect(rest)
        return connection
    host, _, port = rest.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=timeout)


def read_all(connection):
    data = bytearray()
    while chunk := connection.recv(1 << 18):
        data += chunk
    return bytes(data)


def read_exactly(connection, count):
    data = bytearray()
    while len(data) < count:
        chunk = connection.recv(min(1 << 18, count - len(data)))
        if not chunk:
            raise EOFError(f"{len(data)} of {count} bytes")
        data += chunk
    return bytes(data)


def ends_without_a_byte(connection):
    """Waits for the end, of whatever kind; False if a byte came before it."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def reset(connection):
    """Closes with a reset (socket(7): no linger time)."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Destination(Server):
    """Listens; serve(connection), in a thread for each, is what it does. Default: an echo that, at the
    end of what it gets, ends too."""

    def __init__(self, serve=None, address=("127.0.0.1", 0), family=socket.AF_INET):
        listener = socket.create_server(address, family=family, backlog=512)
        self.host, self.port = listener.getsockname()[:2]
        self.name = f"localhost:{self.port}"
        super().__init__(listener, serve or self.echo, timeout=60)

    @staticmethod
    def echo(connection):
        while chunk := connection.recv(1 << 16):
            connection.sendall(chunk)
        connection.close()

    def taken(self, number=0):
        wait_until(lambda: len(self.peers) > number, what="connection at the destination")
        return self.peers[number]


class NameServer:
    """Answers A and AAAA over UDP from a table {name: [address, ...]}; a name that is not in it does not
    exist. wanted(name, source port), if set, says whether a question is answered at all."""

    def __init__(self, table):
        self.table = table
        self.wanted = None
        self.asked = []  # (name, source port)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for _ in range(50):  # an unused address of this machine
            self.address = "127." + ".".join(str(1 + byte % 250) for byte in os.urandom(3))
            try:
                self.socket.bind((self.address, 53))
                break
            except OSError as error:
                failure = error
        else:
            raise failure
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            question, peer = self.socket.recvfrom(4096)
            if not question:
                return
            answer = self.answer(question, peer[1])
            if answer:
                self.socket.sendto(answer, peer)

    def answer(self, question, port):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        name = ".".join(labels)
        kind = struct.unpack(">H", question[at + 1:at + 3])[0]
        self.asked.append((name, port))
        if self.wanted is not None and not self.wanted(name, port):
            return None
        addresses = self.table.get(name)
        records = b""
        count = 0
        for address in addresses or []:
            v6 = ":" in address
            if kind == (28 if v6 else 1):
                raw = socket.inet_pton(socket.AF_INET6 if v6 else socket.AF_INET, address)
                records += struct.pack(">HHHIH", 0xc00c, kind, 1, 0, len(raw)) + raw
                count += 1
        code = 3 if addresses is None else 0
        return (question[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, count, 0, 0) +
                question[12:at + 5] + records)

    def wrapper(self, folder):
        """What runs a command so that it asks this server: files of /etc bound over, for it alone."""
        files = {"resolv.conf": f"nameserver {self.address}\noptions timeout:30 attempts:1\n",
                 "nsswitch.conf": "hosts: files dns\n"}
        script = ""
        for name, text in files.items():
            path = os.path.join(str(folder), name)
            with open(path, "w") as file:
                file.write(text)
            if os.path.exists(f"/etc/{name}"):
                script += f"mount --bind '{path}' /etc/{name} && "
        return ["unshare", "--mount", "sh", "-c", script + 'exec "$@"', "sh"]

    def close(self):
        hang_up(self.socket)
        self.thread.join(60)
        self.socket.close()


def may_change_names():
    """Whether this user may have an /etc/resolv.conf of its own for a command."""
    return os.geteuid() == 0 and subprocess.run(
        ["unshare", "--mount", "sh", "-c", "mount --bind /etc/hosts /etc/hosts"],
        stderr=subprocess.DEVNULL, timeout=30).returncode == 0


def notify_socket(folder):
    """A service manager's socket, and the environment that names it."""
    path = os.path.join(str(folder), "notify.sock")
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(path)
    manager.settimeout(30)
    return manager, {**os.environ, "NOTIFY_SOCKET": path}
