# SPDX-License-Identifier: Apache-2.0
"""enclave-sim vm with a real kernel in QEMU and an init of the tests' own (vm_init.c)."""
import hashlib
import os
import select
import signal
import socket
import threading
import time

import pytest
from cryptography import x509

import vm_tools
from nsm_tools import verify
from vm_tools import SECONDS, Image, Vm, children_of, compile_init, read_all

pytestmark = [pytest.mark.skipif(vm_tools.missing() is not None, reason=str(vm_tools.missing())),
              pytest.mark.slow]


@pytest.fixture(scope="module")
def init(tmp_path_factory):
    return compile_init(tmp_path_factory.mktemp("init"))


@pytest.fixture(scope="module")
def image(init, tmp_path_factory):
    return Image(tmp_path_factory.mktemp("image") / "test.eif", init)


class Host:
    """A server here that the guest connects to: each connection is given to answer."""

    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(8)
        self.address = f"unix:{path}"

    def accept(self):
        self.listener.settimeout(SECONDS)
        sock, _ = self.listener.accept()
        sock.settimeout(SECONDS)
        return sock


@pytest.fixture(scope="module")
def machine(image, tmp_path_factory):
    """One guest for all tests that leave it as it was. Address 0: from CID 3; 1: from CID 7, over
    TCP."""
    folder = tmp_path_factory.mktemp("vm")
    host = Host(folder / "host.sock")
    dead = folder / "nobody.sock"
    vm = Vm(folder, image.path, "--listen", f"5000=unix:{folder}/guest.sock",
            "--listen", "5000=tcp:127.0.0.1:0,cid=7", "--connect", f"8000={host.address}",
            "--connect", f"8001=unix:{dead}", "--write-nsm-root", folder / "root.pem", "--memory", "64",
            "--pcr", "3=" + "ab" * 48, "--cid", "42", "--state", folder / "state")
    vm.host = host
    vm.root = folder / "root.pem"
    try:
        vm.wait_ready()
        yield vm
    finally:
        status = vm.stop()
    assert status == 0, vm.log()
    assert not (folder / "guest.sock").exists()


def test_ready_tells_the_addresses_in_their_order(machine):
    assert machine.addresses[0].endswith("/guest.sock") and machine.addresses[0].startswith("unix:")
    assert machine.addresses[1].startswith("tcp:127.0.0.1:") and not machine.addresses[1].endswith(":0")


def test_registers_are_the_images(machine, image):
    for index, value in image.registers.items():
        told = machine.nsm({"DescribePCR": {"index": index}})
        assert told == {"DescribePCR": {"lock": True, "data": value}}
    assert machine.nsm({"DescribePCR": {"index": 3}})["DescribePCR"]["data"] == b"\xab" * 48
    assert machine.nsm({"DescribePCR": {"index": 15}})["DescribePCR"]["lock"]
    assert not machine.nsm({"DescribePCR": {"index": 16}})["DescribePCR"]["lock"]


def test_the_log_tells_the_registers(machine, image):
    assert f"PCR0 {image.registers[0].hex()}" in machine.log()


def test_registers_of_the_application_can_be_extended(machine):
    before = machine.nsm({"DescribePCR": {"index": 20}})["DescribePCR"]["data"]
    after = machine.nsm({"ExtendPCR": {"index": 20, "data": b"more"}})["ExtendPCR"]["data"]
    assert after == hashlib.sha384(before + b"more").digest()
    assert machine.nsm({"ExtendPCR": {"index": 0, "data": b"more"}}) == {"Error": "ReadOnlyIndex"}


def test_a_document_verifies_under_the_root(machine, image):
    answer = machine.nsm({"Attestation": {"user_data": b"u" * 512, "nonce": b"n", "public_key": None}})
    root = x509.load_pem_x509_certificate(machine.root.read_bytes())
    payload = verify(answer["Attestation"]["document"], root)
    assert payload["pcrs"][0] == image.registers[0] and payload["user_data"] == b"u" * 512


def test_the_edges_of_the_device(machine):
    assert machine.nsm_raw(b"\x60" * 0x1001) == "Message too long"  # the kernel's own limit
    assert machine.nsm_raw(b"\x60" * 0x1000) == {"Error": "InvalidOperation"}
    # the driver always has room for a whole answer and cuts what it hands on
    whole = machine.ask(f"nsm 12288 {b'kDescribeNSM'.hex()}")
    assert machine.ask(f"nsm 24 {b'kDescribeNSM'.hex()}") == whole[:48]
    assert "DescribeNSM" in machine.nsm("DescribeNSM")  # and it goes on


def test_only_what_qemu_adds_is_added_to_the_command_line(machine, image):
    line = machine.ask("file /proc/cmdline").decode().strip()
    assert line.startswith(image.cmdline + " ")
    added = line[len(image.cmdline):].split()
    devices = [word for word in added if word.startswith("virtio_mmio.device=")]
    others = [word for word in added if word not in devices]
    assert len(devices) == 2
    assert {word.split("=")[0] for word in others} <= {"no_timer_check", "tsc", "tsc_early_khz"}
    assert "added to the command line, not measured:" in machine.log()
    assert "virtio_mmio.device=..." in machine.log()
    assert all(word in machine.log() for word in others)


def test_the_longest_command_line_starts(init, tmp_path):
    """1,960 bytes and what QEMU appends fit what the kernel takes, to the last device."""
    pad = 1960 - len(f"{vm_tools.CMDLINE} quiet ")
    image = Image(tmp_path / "test.eif", init, extra="x" * pad)
    assert len(image.cmdline) == 1960
    vm = Vm(tmp_path, image.path, "--listen", f"5000=unix:{tmp_path}/guest.sock")
    try:
        vm.wait_ready()
        line = vm.ask("file /proc/cmdline").decode().strip()
        assert line.startswith(image.cmdline + " ") and len(line) <= 2047
        assert line[1960:].count(" virtio_mmio.device=") == 2
        assert "DescribeNSM" in vm.nsm("DescribeNSM")
    finally:
        vm.stop()


def test_the_guests_clock_keeps_up(machine):
    """Its uptime against ours, read inside its own: however busy the machine is, it may not be less."""
    def uptime():
        return float(machine.ask("file /proc/uptime").split()[0])
    theirs, ours = uptime(), time.monotonic()
    machine.ask("send 30000000")  # something to do meanwhile
    time.sleep(1)
    ours = time.monotonic() - ours
    assert uptime() - theirs > 0.99 * ours - 0.02


def test_the_second_ramdisk_is_there(machine):
    assert machine.ask("file /second") == b"the second ramdisk\n"


def test_where_connections_seem_to_come_from(machine):
    assert machine.ask("peer") == b"3"
    assert machine.ask("peer", index=1) == b"7"


def test_bytes_go_both_ways_unchanged(machine):
    data = os.urandom(3 << 20)
    with machine.command("echo") as sock:
        sender = threading.Thread(target=lambda: (sock.sendall(data), sock.shutdown(socket.SHUT_WR)))
        sender.start()
        got = read_all(sock)
        sender.join()
    assert got == data


@pytest.mark.parametrize("index", [0, 1], ids=["unix", "tcp"])
def test_the_host_ends_first(machine, index):
    with machine.command("count", index) as sock:
        sock.sendall(b"x" * 300_000)
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b"300000"


@pytest.mark.parametrize("index", [0, 1], ids=["unix", "tcp"])
def test_the_guest_ends_first(machine, index):
    with machine.command("endfirst", index) as sock:
        assert read_all(sock) == b"over"
        sock.sendall(b"y" * 300_000)
        sock.shutdown(socket.SHUT_WR)
        # the guest closes once it has read all; its note is there then
        while machine.ask("file /dev/shm-note") != b"300000":
            assert machine.process.poll() is None


def test_a_guest_that_reads_no_more_is_felt(machine):
    with machine.command("deaf") as sock:
        assert sock.recv(4) == b"deaf"
        with pytest.raises(BrokenPipeError):
            while True:
                sock.sendall(b"z" * 65536)


def test_the_guest_reaches_what_it_may(machine):
    with machine.command("connect 3 8000") as sock:
        with machine.host.accept() as peer:
            assert read_all(peer) == b"hello from the guest"  # to its end: half-closed
            peer.sendall(b"and back")
            peer.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b"and back"


@pytest.mark.parametrize("where", ["3 8001", "3 8002", "2 8000", "3 9000", "99 8000"])
def test_all_else_is_refused(machine, where):
    """Nobody listens; no --connect; not CID 3; after the heartbeat nobody is there; no such CID."""
    assert machine.ask(f"connect {where}") == b"Connection reset by peer"


def test_a_port_where_the_guest_does_not_listen(image, tmp_path):
    vm = Vm(tmp_path, image.path, "--listen", f"6000=unix:{tmp_path}/a",
            "--listen", f"5000=unix:{tmp_path}/b")
    try:
        vm.wait_ready()
        with vm.connect(0) as sock:
            assert sock.recv(1) == b""
        assert vm.ask("peer", index=1) == b"3"
    finally:
        assert vm.stop(signal.SIGINT) == 0


def test_slow_connections_hold_nobody(machine):
    """Eight that the guest does not read, filled until their sockets are full, and one that works."""
    slow = [machine.command("sleep") for _ in range(8)]
    for sock in slow:
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                sock.send(b"s" * 65536)
    # and one whose host does not read what the guest sends
    unread = machine.command("send 50000000")
    assert machine.ask("peer") == b"3"
    data = os.urandom(1 << 20)
    with machine.command("count") as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b"1048576"
    assert len(read_all(unread)) == 50_000_000
    for sock in [*slow, unread]:
        sock.close()


def test_many_connections_at_once(machine):
    socks = [machine.command("echo") for _ in range(100)]
    for i, sock in enumerate(socks):
        sock.sendall(b"%d" % i)
        sock.shutdown(socket.SHUT_WR)
    assert [read_all(sock) for sock in socks] == [b"%d" % i for i in range(100)]
    for sock in socks:
        sock.close()


def test_without_debug_mode_nothing_of_the_console_is_shown(machine):
    assert machine.ask("say") == b"said"
    assert "x1b[31m" not in machine.log() and "console" not in machine.log()


def test_debug_mode(image, tmp_path):
    vm = Vm(tmp_path, image.path, "--debug-mode", "--cpus", "2")
    try:
        vm.wait_ready()
        for index in (0, 1, 2, 8):
            assert vm.nsm({"DescribePCR": {"index": index}})["DescribePCR"]["data"] == bytes(48)
        assert vm.nsm({"DescribePCR": {"index": 4}})["DescribePCR"]["data"] != bytes(48)
        assert vm.ask("say") == b"said"
        while "console: console \\x1b[31mred\n" not in vm.log():
            assert vm.process.poll() is None
        assert "zeros in debug mode" in vm.log()
        assert vm.ask("reboot") == b""
        assert vm.wait() == 0
        assert "the guest has ended" in vm.log()
        folder = os.path.dirname(vm.addresses[0].removeprefix("unix:"))
        assert not os.path.exists(folder)
    finally:
        vm.stop()


def test_a_flood_of_the_console_stalls_nothing(image, tmp_path):
    vm = Vm(tmp_path, image.path, "--debug-mode")
    try:
        vm.wait_ready()
        with vm.command("flood"):
            while "lines left out" not in vm.log():
                assert vm.process.poll() is None
            assert vm.ask("peer") == b"3"
        assert vm.stop() == 0
    finally:
        vm.stop()


def test_faults_of_the_module(image, tmp_path):
    vm = Vm(tmp_path, image.path, "--fault", "error:InternalError:DescribeNSM")
    try:
        vm.wait_ready()
        assert vm.nsm("DescribeNSM") == {"Error": "InternalError"}
        assert "GetRandom" in vm.nsm("GetRandom")
    finally:
        assert vm.stop() == 0


def test_a_kept_state_has_the_same_root(image, tmp_path):
    roots = []
    for n in range(2):
        vm = Vm(tmp_path, image.path, "--state", tmp_path / "state",
                "--write-nsm-root", tmp_path / f"root{n}")
        try:
            vm.wait_ready()
        finally:
            assert vm.stop() == 0
        roots.append((tmp_path / f"root{n}").read_bytes())
    assert roots[0] == roots[1]


def test_killed_it_takes_qemu_along(image, tmp_path):
    # what it could not remove then stays in the test's folder
    vm = Vm(tmp_path, image.path, env=dict(os.environ, XDG_RUNTIME_DIR="", TMPDIR=str(tmp_path))).wait_ready()
    qemu, = children_of(vm.process.pid)
    ended = os.pidfd_open(qemu)  # readable once it has ended, even if its number is used again
    assert vm.stop(signal.SIGKILL) == -signal.SIGKILL
    assert select.select([ended], [], [], SECONDS)[0]
    os.close(ended)


def failing(tmp_path, image, *options):
    """Runs what must fail by itself; returns its log."""
    vm = Vm(tmp_path, image, *options)
    try:
        assert vm.process.stdout.read() == ""  # never ready
        assert vm.wait() == 1, vm.log()
        assert children_of(vm.process.pid) == []
        return vm.log()
    finally:
        vm.stop(signal.SIGKILL)


@pytest.mark.parametrize("how, options, says", [
    ("panic", [], "the guest's kernel panicked; --debug-mode shows its console"),
    ("panic", ["--debug-mode"], "the guest's kernel panicked: "),
    ("reboot", [], "the guest ended before its heartbeat; --debug-mode shows its console"),
    ("silent", ["--boot-timeout", "8"], "no heartbeat within 8 s"),
    ("flood", ["--boot-timeout", "8"], "no heartbeat within 8 s"),
    ("flood", ["--boot-timeout", "8", "--debug-mode"], "no heartbeat within 8 s"),
    ("wrongbyte", ["--boot-timeout", "8"], "heartbeat is 0x42 instead of 0xb7"),
])
def test_guests_that_never_start(init, tmp_path, how, options, says):
    image = Image(tmp_path / "bad.eif", init, f"vmtest={how}")
    log = failing(tmp_path, image.path, *options)
    assert says in log
    if how == "flood" and "--debug-mode" in options:
        assert "lines left out" in log and len(log) < 5_000_000


def test_a_kernel_that_goes_nowhere(init, tmp_path):
    """A header that says it is a kernel, followed by nothing that runs."""
    kernel = bytearray(vm_tools.kernel_file().read_bytes())
    start = (kernel[0x1f1] + 1) * 512
    kernel[start:start + 4096] = b"\xeb\xfe" * 2048  # jumps to itself
    image = Image(tmp_path / "bad.eif", init, kernel=bytes(kernel))
    assert "no heartbeat within 3 s" in failing(tmp_path, image.path, "--boot-timeout", "3")


def test_a_memory_too_small_for_the_kernel_is_refused_before_the_start(image, tmp_path):
    vm = Vm(tmp_path, image.path, "--memory", "63")
    assert vm.wait() == 2
    assert "needs --memory 64 or more" in vm.log()


def test_the_guest_is_a_linux_of_its_own(machine):
    """The guest is a Linux of its own, with the drivers that Nitro would need."""
    assert b"Linux version" in machine.ask("file /proc/version")
    assert b"nsm" in machine.ask("file /proc/misc")
