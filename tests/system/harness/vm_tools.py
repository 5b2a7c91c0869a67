# SPDX-License-Identifier: Apache-2.0
"""Images made here, byte by byte, without any of our own code, and enclave-sim vm as a process."""

import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import zlib

import cbor2

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = ROOT / os.environ.get("BUILD", "build")
SIM = BUILD / "enclave-sim"
SECONDS = 120  # for what takes a second or two on an idle machine

CMDLINE = ("reboot=k panic=30 pci=off nomodules console=ttyS0 i8042.noaux i8042.nomux i8042.nopnp "
           "i8042.dumbkbd random.trust_cpu=on")


def kernel_file():
    return pathlib.Path(os.environ.get("ENCLAVE_KERNEL", ROOT / "build" / "bzImage"))


def qemu_file():
    """What enclave-sim vm will find, or None."""
    named = os.environ.get("ENCLAVE_QEMU")
    if named:
        return named
    cache = os.environ.get("ENCLAVED_CACHE")
    if not cache:
        cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "enclaved")
    kept = os.path.join(cache, "qemu", "run")
    return kept if os.access(kept, os.X_OK) else shutil.which("qemu-system-x86_64")


def missing():
    """What a boot lacks here, or None."""
    if not kernel_file().exists():
        return f"no kernel at {kernel_file()}: make kernel"
    if qemu_file() is None:
        return "no QEMU: scripts/fetch-qemu"
    return None


def cpio(files):
    """newc: [(name, mode, content, (major, minor) of a device)]."""
    out = bytearray()
    for inode, (name, mode, content, device) in enumerate([*files, ("TRAILER!!!", 0, b"", (0, 0))], 1):
        text = name.encode() + b"\0"
        out += b"070701" + b"".join(b"%08x" % n for n in (
            inode, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(text), 0)) + text
        out += b"\0" * (-len(out) % 4)
        out += content
        out += b"\0" * (-len(out) % 4)
    return bytes(out)


def initramfs(init):
    return cpio([("dev", 0o40755, b"", (0, 0)), ("dev/console", 0o20600, b"", (5, 1)),
                 ("init", 0o100755, init, (0, 0))])


def eif(kernel, cmdline, ramdisks):
    """Version 4: kernel, command line, metadata, ramdisks."""
    metadata = json.dumps({
        "ImageName": "test", "ImageVersion": "1.0", "BuildMetadata": {
            "BuildTime": "2026-01-01T00:00:00+00:00", "BuildTool": "vm_tools.py", "BuildToolVersion": "1",
            "OperatingSystem": "Linux", "KernelVersion": "6.12"},
        "DockerInfo": {}, "CustomMetadata": {}}).encode()
    sections = [(1, kernel), (2, cmdline.encode()), (5, metadata), *((3, r) for r in ramdisks)]
    body, offsets, sizes = bytearray(), [], []
    for kind, data in sections:
        offsets.append(548 + len(body))
        sizes.append(len(data))
        body += struct.pack(">HHQ", kind, 0, len(data)) + data
    head = struct.pack(">4sHHQQHH", b".eif", 4, 0, 1 << 30, 2, 0, len(sections))
    head += struct.pack(">32Q", *offsets, *[0] * (32 - len(offsets)))
    head += struct.pack(">32Q", *sizes, *[0] * (32 - len(sizes))) + bytes(4)
    return head + struct.pack(">I", zlib.crc32(body, zlib.crc32(head))) + bytes(body)


def register(*parts):
    return hashlib.sha384(bytes(48) + hashlib.sha384(b"".join(parts)).digest()).digest()


class Image:
    """An image with our own init, and its registers as Python computes them."""

    def __init__(self, path, init, extra="", kernel=None):
        kernel = kernel_file().read_bytes() if kernel is None else kernel
        self.cmdline = f"{CMDLINE} quiet{extra and ' ' + extra}"
        # In two parts, as nitro-cli makes them: the second is only measured and unpacked.
        ramdisks = [initramfs(init), cpio([("second", 0o100644, b"the second ramdisk\n", (0, 0))])]
        path.write_bytes(eif(kernel, self.cmdline, ramdisks))
        self.path = path
        line = self.cmdline.encode()
        self.registers = {0: register(kernel, line, *ramdisks), 1: register(kernel, line, ramdisks[0]),
                          2: register(ramdisks[1])}


def compile_init(folder):
    program = folder / "init"
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-static", "-D_GNU_SOURCE", "-Wall", "-Wextra",
                    "-o", program, pathlib.Path(__file__).with_name("vm_init.c")], check=True,
                   timeout=SECONDS)
    return program.read_bytes()


class Vm:
    """enclave-sim vm, started; its standard error goes to a file, as a flood would fill a pipe."""

    def __init__(self, folder, image, *options, env=None):
        self.folder = folder
        self.log_path = folder / "vm.log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([SIM, "vm", image, *options], stdout=subprocess.PIPE, stderr=log,
                                            text=True, env=env)
        self.addresses = None

    def wait_ready(self):
        line = self.process.stdout.readline().split()
        if line[:1] != ["ready"]:
            self.process.wait(SECONDS)
            raise RuntimeError(self.log())
        self.addresses = line[1:]
        return self

    def log(self):
        return self.log_path.read_text(errors="replace")

    def connect(self, index=0):
        kind, _, rest = self.addresses[index].partition(":")
        if kind == "unix":
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(rest)
        else:
            host, _, port = rest.rpartition(":")
            sock = socket.create_connection((host, int(port)))
        sock.settimeout(SECONDS)
        return sock

    def command(self, line, index=0):
        """A connection on which a command has been given."""
        sock = self.connect(index)
        sock.sendall(line.encode() + b"\n")
        return sock

    def ask(self, line, index=0):
        with self.command(line, index) as sock:
            return read_all(sock)

    def nsm(self, request, room=0x3000):
        return self.nsm_raw(cbor2.dumps(request), room)

    def nsm_raw(self, request, room=0x3000):
        answer = self.ask(f"nsm {room} {request.hex()}").decode()
        try:
            return cbor2.loads(bytes.fromhex(answer))
        except ValueError:
            return answer

    def wait(self):
        self.process.stdout.close()
        return self.process.wait(SECONDS)

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait()


def read_all(sock):
    parts = []
    while part := sock.recv(65536):
        parts.append(part)
    return b"".join(parts)


def children_of(pid):
    """The processes whose parent it is."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit():
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                if int(parent) == pid:
                    found.append(int(entry.name))
        except (OSError, ValueError):
            pass
    return found
