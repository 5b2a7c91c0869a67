# SPDX-License-Identifier: Apache-2.0
"""A program on the parent attacks an enclave's memory: it opens many connections, sends requests
without end, and reads no answer. What it sends then waits in the guest's kernel, which neither
limits.buffered_bytes nor the kernel's account of promised memory counts."""
import json
import secrets
import socket
import struct
import time

import pytest

import boot_tools
from enclave_tools import Connection, open_state

pytestmark = [pytest.mark.skipif(boot_tools.missing() is not None, reason=str(boot_tools.missing())),
              pytest.mark.timeout(1200), pytest.mark.slow]

CONTENT = json.dumps({"op": "health"}).encode()  # an answer is sixty times as long
REQUEST = struct.pack(">I", len(CONTENT)) + CONTENT
REQUESTS = memoryview(REQUEST * 1000)

# Sizes of what is sent in each round: first what fills the way of the answers, then what stays in the
# kernel. Each packet of more than 128 bytes takes a page there.
FILL = [16 * len(REQUEST)] * 30
FLOOD = [16384] * 30
TRICKLE = [129] * 400


class Deaf:
    """A client that sends requests as long as anybody takes them."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(address.removeprefix("unix:"))
        self.socket.setblocking(False)
        self.at = 0

    def push(self, count):
        """Sends up to count bytes; False: the connection is gone."""
        try:
            self.at += self.socket.send(REQUESTS[self.at:self.at + count])
            self.at %= len(REQUEST)
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True


def health(address):
    """Who comes while more wait than the kernel lets wait is reset, and comes again."""
    for _ in range(20):
        try:
            with Connection(address, timeout=120) as client:
                return client.ask({"op": "health"})
        except (ConnectionError, EOFError):
            time.sleep(0.1)
    raise AssertionError("no health")


def attack(address, clients, sizes):
    """Those that are gone come back; health is answered in between."""
    for size in sizes:
        for i, client in enumerate(clients):
            if not client.push(size):
                client.socket.close()
                clients[i] = Deaf(address)
        assert health(address)["state"] == "ready"


@pytest.mark.parametrize("sizes", [FLOOD, TRICKLE], ids=["flood", "trickle"])
@pytest.mark.parametrize("memory, count", [(64, 200), (256, 900)])
def test_clients_that_read_nothing_do_not_end_an_enclave(memory, count, sizes, tmp_path):
    key, tsk = secrets.token_bytes(32), tmp_path / "tsk.hex"
    tsk.write_text(key.hex())
    programs = boot_tools.Programs(tmp_path)
    dev = boot_tools.dev(programs, tmp_path / "world", "--tsk-file", tsk,
                         "--listen", f"unix:{tmp_path}/enclaved.sock", memory=memory)
    try:
        with Connection(dev.address) as client:
            state = client.ask({"mode": "A", "payload": "before"})["ciphertext"]
        clients = [Deaf(dev.address) for _ in range(count)]
        attack(dev.address, clients, FILL[:4])  # more than are let in push one another out …
        admitted = health(dev.address)["connections"] - 1
        assert 20 < admitted < count
        for client in clients[admitted:]:
            client.socket.close()
        attack(dev.address, clients[:admitted], FILL + sizes)  # … and these stay
        with Connection(dev.address) as client:
            opened = client.ask({"mode": "B", "payload": state})["ciphertext"]
        assert json.loads(open_state(opened, key))["iteration"] == 2
        for client in clients:
            client.socket.close()
    finally:
        assert dev.stop() == 0, dev.log()
