# SPDX-License-Identifier: Apache-2.0
"""An image of our own, booted: our kernel and its nsm driver, vsock, enclaved as first process.

The registers, the states and the frames are checked with Python's own means.
"""
import gzip
import json
import pathlib
import secrets
import socket
import struct
import subprocess
import threading

import pytest

import eif_tools
import boot_tools
import vm_tools
from enclave_tools import Connection, open_state, wait_until

pytestmark = [pytest.mark.skipif(boot_tools.missing() is not None, reason=str(boot_tools.missing())),
              pytest.mark.timeout(600), pytest.mark.slow]

CHANGE = boot_tools.ROOT / "scripts" / "change-image"


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    return boot_tools.Programs(tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="module")
def key():
    return secrets.token_bytes(32)


@pytest.fixture(scope="module")
def world(programs, key, tmp_path_factory):
    """A whole world: KMS, relay, and the enclave in 64 MiB, configured."""
    folder = tmp_path_factory.mktemp("vm") / "world"
    tsk = folder.parent / "tsk.hex"
    tsk.write_text(key.hex())
    dev = boot_tools.dev(programs, folder, "--tsk-file", tsk)
    dev.folder = folder
    dev.tsk = tsk
    yield dev
    assert dev.stop() == 0, dev.log()
    assert not pathlib.Path(f"/proc/{dev.process.pid}").exists()


def sections(image):
    """(type, data) of each section, read as the header says."""
    data = image.read_bytes()
    count = struct.unpack_from(">H", data, 0x1A)[0]
    for offset in struct.unpack_from(f">{count}Q", data, 0x1C):
        kind, _, size = struct.unpack_from(">HHQ", data, offset)
        yield kind, data[offset + 12:offset + 12 + size]


def registers(image):
    measured = [data for kind, data in sections(image) if kind in (1, 2, 3)]
    return {"PCR0": eif_tools.register(*measured).hex(),
            "PCR1": eif_tools.register(*measured[:3]).hex(),
            "PCR2": eif_tools.register(*measured[3:]).hex()}


# --- the way through ------------------------------------------------------------------------------

def test_what_was_built_is_what_is_attested(world):
    with Connection(world.address) as client:
        health = client.ask({"op": "health"})
    assert health["state"] == "ready" and health["debug_mode"] is False
    wanted = registers(world.folder / "enclaved.eif")
    assert {name: health["measurements"][name] for name in wanted} == wanted
    policy = (world.folder / "policy.json").read_text()
    assert wanted["PCR0"] in policy


def test_a_to_b_through_vsock(world, key):
    with Connection(world.address) as client:
        a = client.ask({"mode": "A", "payload": {"amount": 12345678901234567890}})
        b = client.ask({"mode": "B", "payload": a["ciphertext"]})
    state = json.loads(open_state(b["ciphertext"], key))
    assert state["agent"] == "B" and state["iteration"] == 2
    assert state["data"]["input_received"] == {"amount": 12345678901234567890}


def test_frames_of_all_sizes(world, key):
    """Across the credit of a connection, and to the limit of the configuration."""
    with Connection(world.address, timeout=120) as client:
        for size in (1, 4096, 65536, 300000, 1900000):
            text = "x" * size
            a = client.ask({"mode": "A", "payload": text})
            assert json.loads(open_state(a["ciphertext"], key))["data"]["input_received"] == text
        client.socket.sendall(struct.pack(">I", (4 << 20) + 1))
        assert client.receive()["code"] == "frame_too_large"


def test_a_client_that_has_said_all_is_answered(world):
    """Half-close reaches the enclave, and its answer the client."""
    with Connection(world.address) as client:
        client.send({"op": "health"})
        client.socket.shutdown(socket.SHUT_WR)
        assert client.receive()["state"] == "ready"
        assert client.socket.recv(1) == b""


def test_many_at_once(world):
    def work():
        with Connection(world.address, timeout=120) as client:
            for _ in range(10):
                a = client.ask({"mode": "A", "payload": secrets.token_hex(500)})
                answers.append(client.ask({"mode": "B", "payload": a["ciphertext"]})["status"])

    answers = []
    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["success"] * 160


def test_more_than_its_memory(world):
    """Sixteen frames of three megabytes at once are more than an enclave of 64 MiB has: each is
    answered or refused, and the service goes on."""
    body = json.dumps({"mode": "A", "payload": "y" * 3_000_000}).encode()

    def work():
        with Connection(world.address, timeout=240) as client:
            try:
                client.send(body)
                answers.append(client.receive())
            except (OSError, EOFError, AssertionError, struct.error):
                answers.append({"code": "closed"})

    answers = []
    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 16
    outcomes = {answer.get("code", answer.get("status")) for answer in answers}
    assert outcomes <= {"success", "busy", "out_of_memory", "response_too_large", "closed",
                        "internal"}, outcomes
    with Connection(world.address) as client:
        assert client.ask({"op": "health"})["state"] == "ready"


def test_nothing_of_the_console_is_shown(world):
    log = (world.folder / "enclaved.log").read_text()
    assert "Linux version" not in log and "listening on" not in log


# --- who may connect ------------------------------------------------------------------------------

def test_only_the_parent_is_served(programs, world, tmp_path):
    image = world.folder / "enclaved.eif"
    parent, stranger = tmp_path / "parent", tmp_path / "stranger"
    alone = boot_tools.vm(programs, image, tmp_path, "--listen", f"5000=unix:{parent}",
                        "--listen", f"5000=unix:{stranger},cid=4")
    try:
        assert alone.address
        with Connection(f"unix:{parent}") as client:
            assert client.ask({"op": "health"})["refused_peers"] == 0
            with Connection(f"unix:{stranger}") as other:
                assert other.is_closed()
            health = client.ask({"op": "health"})
            assert health["refused_peers"] == 1 and health["refused_connections"] == 0
    finally:
        assert alone.stop() == 0, alone.log()


# --- what KMS refuses -----------------------------------------------------------------------------

def kms_log(world):
    return (world.folder / "kms.log").read_text()


def boot_in_vain(programs, world, tmp_path, *options):
    """Another machine in a copy of the world's files; how it failed."""
    folder = tmp_path / "world"
    subprocess.run(["cp", "-a", world.folder, folder], check=True)
    (folder / "kms.log").unlink()
    failed = boot_tools.dev(programs, folder, "--tsk-file", world.tsk, *options)
    assert failed.first == "" and failed.wait() != 0
    return failed.log(), (folder / "kms.log").read_text(), (folder / "enclaved.log").read_text()


def test_a_changed_image_is_refused(programs, world, tmp_path):
    image, changed = world.folder / "enclaved.eif", tmp_path / "changed.eif"
    subprocess.run([CHANGE, image, changed], check=True)
    verified = programs.run("image", "verify", changed)
    assert verified.returncode == 1 and "CRC" in verified.stdout + verified.stderr
    subprocess.run([CHANGE, "--checksum", image, changed], check=True)
    assert programs.run("image", "verify", changed).returncode == 0
    told, kms, _ = boot_in_vain(programs, world, tmp_path, "--boot", changed)
    assert "AccessDenied" in told
    wanted, actual = registers(image)["PCR0"], registers(changed)["PCR0"]
    assert wanted != actual
    assert f"ImageSha384 wanted {wanted}, actual {actual}: does not match" in kms


def test_debug_mode_is_refused_and_shows_the_console(programs, world, tmp_path):
    told, kms, console = boot_in_vain(programs, world, tmp_path, "--debug-mode")
    assert "AccessDenied" in told
    assert f"actual {'0' * 96}: does not match" in kms
    assert "the NSM answers; entropy seeded" in console
    assert "RLIMIT_NOFILE" not in console
    assert "Linux version" in console


# --- what ends badly ------------------------------------------------------------------------------

def test_the_console_says_why_it_ends(programs, world, tmp_path):
    """image build refuses such a configuration, but does not look into a ramdisk of the caller, and the
    kernel keeps what it unpacked last."""
    good = world.folder / "enclaved.json"
    config = json.loads(good.read_text())
    config["limits"]["frame_bytes"] = "much"
    ramdisk, image = tmp_path / "bad.cpio.gz", tmp_path / "bad.eif"
    ramdisk.write_bytes(gzip.compress(vm_tools.cpio(
        [("etc/enclaved/enclaved.json", 0o100644, json.dumps(config).encode(), (0, 0))])))
    built = programs.run("image", "build", "--kernel", boot_tools.KERNEL, "--config", good, "--roots",
                         world.folder / "kms-ca.pem", "--ramdisk", ramdisk, "--output", image)
    assert built.returncode == 0, built.stderr
    bad = boot_tools.vm(programs, image, tmp_path, "--debug-mode")
    assert bad.first == "" and bad.wait() == 1
    wait_until(lambda: "rebooting" in bad.log(), what="the last words")
    assert "frame_bytes" in bad.log()
    assert "init: enclaved exited with status 3" in bad.log()


def test_elsewhere_it_says_what_it_is(programs):
    done = subprocess.run([programs.folder / "enclaved-init"], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 2 and "/init of an enclave image" in done.stderr
