# SPDX-License-Identifier: Apache-2.0
"""The sealed form, against the reference Python program and Python's cryptography."""
import datetime
import json
import os
import random
import socket
import struct
import subprocess
import sys

import pytest

from enclave_tools import open_state, seal_state, wait_until
from kms_tools import ROOT

REFERENCE = os.environ.get("PYTHON_REFERENCE",
                           os.path.join(ROOT, "..", "shared", "peers", "python-reference"))


class Reference:
    """The reference Python program; it takes one request a connection."""

    def __init__(self, key):
        # Below the ports that the kernel gives to clients; another program may have it all the same.
        for self.port in random.sample(range(20000, 32000), 5):
            self.process = subprocess.Popen([sys.executable, "app.py", str(self.port), key.hex()],
                                            cwd=REFERENCE, stderr=subprocess.DEVNULL)
            if wait_until(lambda: self.process.poll() is not None or self.listens(),
                          what="the reference program") and self.process.poll() is None:
                return
        raise AssertionError("the reference program does not start")

    def listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        except OSError:
            return False

    def ask(self, request):
        data = json.dumps(request).encode()
        with socket.create_connection(("127.0.0.1", self.port)) as s:
            s.sendall(struct.pack(">I", len(data)) + data)
            with s.makefile("rb") as file:
                return json.loads(file.read(struct.unpack(">I", file.read(4))[0]))


@pytest.fixture(scope="module")
def reference(world):
    if not os.path.exists(os.path.join(REFERENCE, "app.py")):
        pytest.skip("no Python reference program here")
    program = Reference(world.tsk)
    yield program
    program.process.kill()
    program.process.wait()


def check_time(text):
    stamp = datetime.datetime.fromisoformat(text)
    assert stamp.tzinfo is None
    assert abs(datetime.datetime.utcnow() - stamp) < datetime.timedelta(hours=1)


def test_the_state_is_exactly_the_documents(server, world):
    text = open_state(server.agent_a("in"), world.tsk).decode()
    state = json.loads(text)
    assert list(state) == ["agent", "iteration", "data"]
    assert list(state["data"]) == ["message", "input_received", "timestamp"]
    assert state["data"]["message"] == "Initial state from Agent A"
    check_time(state["data"]["timestamp"])
    assert json.dumps(state) == text  # to the byte what the reference would have written


def test_b_continues_a(server, world):
    sealed = server.agent_a({"n": 1})
    answer = server.ask({"mode": "B", "payload": sealed})
    text = open_state(answer["ciphertext"], world.tsk).decode()
    state = json.loads(text)
    assert state["agent"] == "B" and state["iteration"] == 2
    assert state["data"]["processed_by_b"] is True
    assert state["data"]["b_message"] == "State modified by Agent B"
    check_time(state["data"]["b_timestamp"])
    assert json.dumps(state) == text


def random_json(dice, depth=0):
    kind = dice.randrange(7 if depth < 4 else 5)
    if kind == 0:
        return dice.choice([None, True, False])
    if kind == 1:
        return dice.choice([0, -1, 10 ** dice.randrange(60), -dice.randrange(10 ** 30)])
    if kind == 2:
        return dice.uniform(-1e9, 1e9)
    if kind in (3, 4):
        return "".join(dice.choice("az\"\\/\n\t\0é€😀 {}[]:,") for _ in range(dice.randrange(12)))
    if kind == 5:
        return [random_json(dice, depth + 1) for _ in range(dice.randrange(5))]
    return {f"{dice.randrange(10 ** 6)}é\"": random_json(dice, depth + 1)
            for _ in range(dice.randrange(5))}


def test_the_reference_opens_what_we_seal(server, reference, world):
    dice = random.Random(1)
    for _ in range(40):
        payload = random_json(dice)
        sealed = server.agent_a(payload)
        answer = reference.ask({"mode": "B", "payload": sealed})
        state = json.loads(open_state(answer["ciphertext"], world.tsk))
        assert state["agent"] == "B" and state["iteration"] == 2
        assert state["data"]["input_received"] == payload


@pytest.mark.slow
def test_we_open_what_the_reference_seals(server, reference, world):
    dice = random.Random(2)
    for _ in range(40):
        payload = random_json(dice)
        sealed = reference.ask({"mode": "A", "payload": payload})["ciphertext"]
        before = json.loads(open_state(sealed, world.tsk))
        answer = server.ask({"mode": "B", "payload": sealed})
        after = json.loads(open_state(answer["ciphertext"], world.tsk))
        assert after["data"].pop("b_timestamp")
        assert after["data"].pop("b_message") and after["data"].pop("processed_by_b")
        assert after == {**before, "agent": "B", "iteration": 2}


def test_a_long_chain_over_both(server, reference, world):
    sealed = server.agent_a("chain")
    for step in range(20):
        peer = server if step % 2 else reference
        sealed = peer.ask({"mode": "B", "payload": sealed})["ciphertext"]
    assert json.loads(open_state(sealed, world.tsk))["iteration"] == 21


def test_what_is_not_changed_survives_to_the_byte(server, world):
    before = ('{"big":123456789012345678901234567890,"exact":0.10000000000000000000000001,'
              '"e":1E+2,"iteration":7,"u":"\\u00e9\\ud83d\\ude00","raw":"é😀","lone":"\\ud800",\n'
              ' "agent":"A" , "data":{"z":1,"a":{"z":-0.0,"b":[ ]}} }')
    answer = server.ask({"mode": "B", "payload": seal_state(before.encode(), world.tsk)})
    after = open_state(answer["ciphertext"], world.tsk).decode()
    for piece in ('{"big":123456789012345678901234567890,"exact":0.10000000000000000000000001,'
                  '"e":1E+2,"iteration":8,"u":"\\u00e9\\ud83d\\ude00","raw":"é😀","lone":"\\ud800",\n'
                  ' "agent":"B" , "data":{"z":1,"a":{"z":-0.0,"b":[ ]}, "processed_by_b": true,'):
        assert piece in after
    assert after.endswith("} }")


def test_upper_case_and_escaped_hex(server, world):
    sealed = server.agent_a(1)
    for payload in (json.dumps(sealed.upper()), '"\\u00' + f"{ord(sealed[0]):02x}" + sealed[1:] + '"'):
        request = b'{"payload": ' + payload.encode() + b', "mode": "\\u0042"}'
        assert server.ask(request)["status"] == "success"
