# SPDX-License-Identifier: Apache-2.0
"""What enclave-sim vm refuses before a guest runs: no QEMU and no kernel are needed for these."""
import os
import re
import struct
import subprocess
import zlib

import pytest

from vm_tools import CMDLINE, SECONDS, SIM, eif, initramfs

pytestmark = pytest.mark.slow  # it waits for what never starts


def kernel():
    """The least that a kernel for x86 says of itself (Linux, arch/x86/boot.rst); it does not run."""
    head = bytearray(4096)
    head[0x1f1] = 1  # one sector of set-up after the first
    head[0x1fe:0x200] = b"\x55\xaa"
    head[0x202:0x206] = b"HdrS"
    head[0x206:0x208] = struct.pack("<H", 0x020f)
    head[0x211] = 1  # loaded high
    head[0x20e:0x210] = struct.pack("<H", 0x400)  # the version's text, at 0x600
    head[0x600:0x60f] = b"6.12.0 (test) #"
    return bytes(head)


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "test.eif"
    path.write_bytes(eif(kernel(), CMDLINE, [initramfs(b"#!")]))
    return path


@pytest.fixture
def fake_qemu(tmp_path):
    """Makes a program in QEMU's place."""
    def make(script):
        path = tmp_path / "qemu"
        path.write_text("#!/bin/sh\n" + script + "\n")
        path.chmod(0o755)
        return path
    return make


def run(*arguments, **env):
    done = subprocess.run([SIM, "vm", *arguments], capture_output=True, text=True,
                          timeout=SECONDS, env=dict(os.environ, **env))
    assert done.stdout == ""
    return done.returncode, done.stderr


@pytest.mark.parametrize("arguments, says", [
    ([], "vm needs FILE"),
    (["a.eif", "b.eif"], "unexpected argument b.eif"),
    (["a.eif", "--memory", "0"], "--memory must be an integer from 1 to"),
    (["a.eif", "--memory", "12x"], "--memory must be an integer"),
    (["a.eif", "--memory", "99999999999999999999"], "--memory must be an integer"),
    (["a.eif", "--cpus", "65"], "--cpus must be an integer from 1 to 64"),
    (["a.eif", "--cid", "3"], "--cid must be an integer from 4 to"),
    (["a.eif", "--boot-timeout", "0"], "--boot-timeout must be an integer from 1 to 3600"),
    (["a.eif", "--accel", "hvf"], "--accel is auto, kvm or tcg"),
    (["a.eif", "--listen", "unix:/x"], "--listen takes PORT=ADDRESS"),
    (["a.eif", "--listen", "x=unix:/x"], "the port of --listen must be an integer"),
    (["a.eif", "--listen", "5000=vsock:3:5000"], "--listen takes unix:PATH or tcp:HOST:PORT"),
    (["a.eif", "--listen", "5000=unix:/x,cid=-1"], "cid= must be an integer"),
    (["a.eif", "--listen", "5000=unix:" + "x" * 400], "too long"),
    (["a.eif", "--listen", "5000=nowhere"], "is not an address"),
    (["a.eif", *["--listen", "5000=unix:/x"] * 17], "at most 16 times --listen"),
    (["a.eif", "--connect", "9000=unix:/x"], "port 9000 is for the heartbeat"),
    (["a.eif", "--connect", "1=unix:/x", "--connect", "1=unix:/y"], "port 1 is given twice"),
    (["a.eif", "--pcr", "2=" + "00" * 48], "measured from the image"),
    (["a.eif", "--pcr", "3=00"], "96 hex digits"),
    (["a.eif", "--fault", "nonsense"], "fault"),
    (["a.eif", "--nonsense"], "unknown option --nonsense; see enclave-sim vm --help"),
])
def test_wrong_usage(arguments, says):
    code, log = run(*arguments)
    assert code == 2 and says in log, log


def test_help_has_examples():
    done = subprocess.run([SIM, "vm", "--help"], stdout=subprocess.PIPE, text=True, timeout=SECONDS)
    assert done.returncode == 0 and "examples:" in done.stdout
    assert all(len(line) <= 100 for line in done.stdout.splitlines())


def test_no_qemu_names_the_remedy(image, tmp_path):
    code, log = run(image, PATH=str(tmp_path), HOME=str(tmp_path), ENCLAVED_CACHE="", XDG_CACHE_HOME="",
                    ENCLAVE_QEMU="")
    assert code == 1 and "run scripts/fetch-qemu" in log


def test_a_qemu_that_is_none(image):
    code, log = run(image, "--qemu", "/nonexistent/qemu")
    assert code == 1 and "--qemu: /nonexistent/qemu cannot be run: No such file" in log


@pytest.mark.parametrize("name, variable", [("qemu/run", "ENCLAVED_CACHE"),
                                            ("enclaved/qemu/run", "XDG_CACHE_HOME"),
                                            (".cache/enclaved/qemu/run", "HOME"),
                                            ("qemu-system-x86_64", "PATH")])
def test_where_qemu_is_looked_for(image, tmp_path, fake_qemu, name, variable):
    place = tmp_path / "place" / name
    place.parent.mkdir(parents=True)
    fake_qemu("echo found >&2; exit 3").rename(place)
    env = {"ENCLAVED_CACHE": "", "XDG_CACHE_HOME": "", "ENCLAVE_QEMU": "", "HOME": str(tmp_path),
           "PATH": "/usr/bin:/bin", variable: str(tmp_path / "place")}
    code, log = run(image, **env)
    assert code == 1 and "QEMU ended with status 3: found" in log, log


def test_an_old_qemu_names_the_remedy(image, fake_qemu):
    old = fake_qemu("echo \"'vhost-user-test-device' is not a valid device model name\" >&2; exit 1")
    code, log = run(image, "--qemu", old)
    assert code == 1 and "QEMU 11.1 or newer is needed: run scripts/fetch-qemu" in log


def test_a_qemu_that_crashes_or_hangs(image, fake_qemu, tmp_path):
    code, log = run(image, "--qemu", fake_qemu("kill -SEGV $$"))
    assert code == 1 and "QEMU was killed by signal 11" in log
    code, log = run(image, "--qemu", fake_qemu(f"sleep 600 & echo $! >{tmp_path}/pid; wait"),
                    "--boot-timeout", "1")
    assert code == 1 and "no heartbeat within 1 s" in log
    left = int((tmp_path / "pid").read_text())
    assert not os.path.exists(f"/proc/{left}") or is_zombie(left)  # what it started went with it


def is_zombie(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def test_what_qemu_is_given(image, fake_qemu, tmp_path):
    """The image's bytes through descriptors, a clean environment, and none of our other files."""
    script = (f"env >{tmp_path}/env; for i in $(ls /proc/self/fd); do echo $i; done >{tmp_path}/fds; "
              f"cat <&5 >{tmp_path}/k; cat /dev/fd/5 >{tmp_path}/kernel; cat /dev/fd/6 >{tmp_path}/ramdisk; "
              f"for a; do printf '%s\\n' \"$a\"; done >{tmp_path}/args; exit 1")
    code, _ = run(image, "--qemu", fake_qemu(script), "--accel", "tcg", "--memory", "77", "--cpus", "2",
                  AWS_SECRET_ACCESS_KEY="secret")
    assert code == 1
    assert (tmp_path / "kernel").read_bytes() == kernel()
    assert (tmp_path / "ramdisk").read_bytes() == initramfs(b"#!")
    assert "secret" not in (tmp_path / "env").read_text()
    arguments = (tmp_path / "args").read_text().splitlines()
    line = arguments[arguments.index("-append") + 1]
    assert re.fullmatch(re.escape(CMDLINE) + r" no_timer_check( tsc=reliable tsc_early_khz=\d+)?", line)
    assert arguments[arguments.index("-m") + 1] == "77M" and arguments[arguments.index("-smp") + 1] == "2"
    assert arguments[arguments.index("-sandbox") + 1].startswith("on,")
    fds = {int(fd) for fd in (tmp_path / "fds").read_text().split()}
    assert {0, 1, 2, 3, 4, 5, 6} <= fds and max(fds) < 12, fds


def test_the_root_does_not_replace_the_image(image, tmp_path):
    before, alias = image.read_bytes(), tmp_path / "alias"
    os.link(image, alias)
    for output in image, alias:
        code, said = run(image, "--write-nsm-root", output)
        assert code == 2 and "is also given as" in said
    assert image.read_bytes() == before


def test_the_longest_command_line_leaves_no_room_for_other_words(fake_qemu, tmp_path):
    """QEMU still has room for its devices; what emulation would like to add is left out, and told."""
    path = tmp_path / "image.eif"
    for length, added in ((1960, ""), (1945, " no_timer_check")):
        path.write_bytes(eif(kernel(), "x" * length, [initramfs(b"#!")]))
        script = f"for a; do printf '%s\\n' \"$a\"; done >{tmp_path}/args; exit 1"
        _, said = run(path, "--qemu", fake_qemu(script), "--accel", "tcg")
        arguments = (tmp_path / "args").read_text().splitlines()
        assert arguments[arguments.index("-append") + 1] == "x" * length + added
        assert ("has no room for no_timer_check" in said) == (added == "")


@pytest.mark.parametrize("change, says", [
    (lambda data: data[:-1], ""),
    (lambda data: data + b"\0", ""),
    (lambda data: data[:700] + bytes([data[700] ^ 1]) + data[701:], "CRC"),
    (lambda data: b"", ""),
    (lambda data: b"\x7fELF" + data[4:], ""),
], ids=["cut", "longer", "one bit", "empty", "no image"])
def test_images_that_are_none(image, fake_qemu, change, says):
    image.write_bytes(change(image.read_bytes()))
    code, log = run(image, "--qemu", fake_qemu("exit 0"))
    assert code == 1 and str(image) in log and says in log, log
    assert "MiB" not in log  # QEMU was not started


def test_a_kernel_that_is_no_kernel(tmp_path, fake_qemu):
    path = tmp_path / "bad.eif"
    path.write_bytes(eif(b"no kernel" * 1000, CMDLINE, [initramfs(b"#!")]))
    code, log = run(path, "--qemu", fake_qemu("exit 0"))
    assert code == 1 and f"kernel of {path}" in log and "MiB" not in log, log


def test_images_for_another_machine(image, fake_qemu):
    data = bytearray(image.read_bytes())
    data[7] = 1
    data[0x220:0x224] = struct.pack(">I", zlib.crc32(data[0x224:], zlib.crc32(data[:0x220])))
    image.write_bytes(data)
    code, log = run(image, "--qemu", fake_qemu("exit 0"))
    assert code == 1 and str(image) in log


def test_memory_is_four_times_the_image(tmp_path, fake_qemu):
    path = tmp_path / "large.eif"
    path.write_bytes(eif(kernel(), CMDLINE, [initramfs(os.urandom(20 << 20))]))
    code, log = run(path, "--qemu", fake_qemu("exit 0"), "--memory", "64")
    assert code == 2 and "needs --memory 81 or more" in log, log


def test_a_place_that_cannot_be_listened_on(image, fake_qemu, tmp_path):
    code, log = run(image, "--qemu", fake_qemu("exit 0"), "--listen", f"5000=unix:{tmp_path}/no/such")
    assert code == 1 and "cannot listen on unix:" in log
