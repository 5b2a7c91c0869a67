# SPDX-License-Identifier: Apache-2.0
"""enclavectl image build, inspect and pcr: what is in an image, by readers of Python's and cpio(1),
the same twice, and nothing left where it fails."""
import base64
import gzip
import hashlib
import json
import os
import pathlib
import resource
import shutil
import signal
import stat
import subprocess
import tempfile
import time

import pytest

from host_tools import BUILD, CTL, KEY
from image_tools import (ARM_CMDLINE, CMDLINE, KERNEL, METADATA, RAMDISK, X86_CMDLINE, Certificate,
                         Eif, Files, arm_image, config, elf, image, register, unpack)


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path / "in")


def told(done):
    return json.loads(done.stdout)["Measurements"]


def said(done):
    """The one line of a failure."""
    line = done.stderr.decode()
    assert line.startswith("enclavectl: ") and line.count("\n") == 1, line
    return line


def left_over(files):
    return sorted(p.name for p in files.folder.iterdir() if p.name.startswith("image.eif"))


# --- what is in it --------------------------------------------------------------------------------

def test_sections_and_registers(files):
    done = files.build("--write-measurements", files.folder / "pcrs.json")
    eif = Eif(files.output)
    assert [kind for kind, _ in eif.sections] == [KERNEL, CMDLINE, METADATA, RAMDISK, RAMDISK]
    assert eif.one(KERNEL) == files.kernel.read_bytes() and eif.flags == 0
    assert eif.one(CMDLINE) == X86_CMDLINE.encode()
    assert told(done) == {"HashAlgorithm": "Sha384 { ... }", **eif.registers()}
    assert (files.folder / "pcrs.json").read_bytes() == done.stdout
    assert stat.S_IMODE(files.output.stat().st_mode) == 0o644
    assert done.stderr == b"" and left_over(files) == ["image.eif"]


def test_ramdisks(files):
    files.build()
    boot, application = map(unpack, Eif(files.output).of(RAMDISK))
    assert list(boot) == ["dev", "dev/console", "init", "modules", "proc", "run", "sys", "tmp"]
    assert list(application) == ["etc", "etc/enclaved", "etc/enclaved/enclaved.json",
                                 "etc/enclaved/roots.pem"]
    modes = {name: e.mode for name, e in (boot | application).items()}
    assert modes["dev/console"] == stat.S_IFCHR | 0o600 and boot["dev/console"].device == (5, 1)
    assert modes["init"] == stat.S_IFREG | 0o755 and modes["tmp"] == stat.S_IFDIR | 0o1777
    assert modes["etc/enclaved/enclaved.json"] == stat.S_IFREG | 0o644
    for entries in boot, application:
        assert [e.inode for e in entries.values()] == list(range(1, len(entries) + 1))
        assert {(e.uid, e.gid, e.mtime) for e in entries.values()} == {(0, 0, 0)}
    assert boot["init"].data == files.enclaved.read_bytes()
    assert application["etc/enclaved/enclaved.json"].data == files.config.read_bytes()
    assert application["etc/enclaved/roots.pem"].data == files.roots.read_bytes()


def test_cpio_and_gzip_unpack_them(files, tmp_path):
    """The two programs read one ramdisk after the other, as a loader hands them to the kernel."""
    if shutil.which("cpio") is None:
        pytest.skip("no cpio")
    module = files.write("nsm.ko", elf(1))
    files.build("--module", module)
    boot, application = Eif(files.output).of(RAMDISK)
    for ramdisk in boot, application:
        archive = subprocess.run(["gzip", "-dc"], input=ramdisk, capture_output=True,
                                 timeout=30)
        assert archive.returncode in (0, 2), archive.stderr  # 2: a warning about the zeros after it
        assert archive.stdout == gzip.decompress(ramdisk)
        # Devices need root: the rest is unpacked.
        done = subprocess.run(["cpio", "-idm", "--quiet", "--nonmatching", "dev/console"],
                              input=archive.stdout, cwd=tmp_path, stderr=subprocess.PIPE, timeout=30)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "init").read_bytes() == files.enclaved.read_bytes()
    assert os.access(tmp_path / "init", os.X_OK)
    assert (tmp_path / "modules/01-nsm.ko").read_bytes() == module.read_bytes()
    assert (tmp_path / "etc/enclaved/enclaved.json").read_bytes() == files.config.read_bytes()
    listing = subprocess.run(["cpio", "-itv", "--quiet"], input=gzip.decompress(boot),
                             stdout=subprocess.PIPE, env={"LC_ALL": "C"}, timeout=30).stdout
    console, = [line for line in listing.decode().splitlines() if line.endswith("dev/console")]
    assert console.startswith("crw-------") and "5,   1" in console


def test_the_configuration_changes_pcr2_only(files):
    before = told(files.build())
    files.config.write_text(config(total_seconds=30))
    after = told(files.build())
    assert before["PCR1"] == after["PCR1"]
    assert before["PCR2"] != after["PCR2"] and before["PCR0"] != after["PCR0"]
    files.enclaved.write_bytes(elf(2, size=5001))
    program = told(files.build())
    assert program["PCR2"] == after["PCR2"]
    assert program["PCR1"] != after["PCR1"] and program["PCR0"] != after["PCR0"]


def test_modules_keep_their_order(files):
    paths = [files.write(name, elf(1, size=n)) for n, name in
             enumerate(["vsock.ko", "a_transport.ko", "nsm.ko"], 100)]
    files.build(*[a for p in paths for a in ("--module", p)])
    boot = unpack(Eif(files.output).of(RAMDISK)[0])
    assert [n for n in boot if n.startswith("modules/")] == [
        "modules/01-vsock.ko", "modules/02-a_transport.ko", "modules/03-nsm.ko"]
    assert [boot[f"modules/0{i + 1}-{p.name}"].data for i, p in enumerate(paths)] == [
        p.read_bytes() for p in paths]


def test_the_wrapped_tsk(files):
    wrapped = files.write("tsk", b"c2VhbGVk\n")
    files.config.write_text(config(wrapped_tsk_file="/etc/enclaved/wrapped-tsk"))
    done = files.build("--wrapped-tsk-file", wrapped)
    application = unpack(Eif(files.output).of(RAMDISK)[1])
    assert application["etc/enclaved/wrapped-tsk"].data == b"c2VhbGVk\n" and done.stderr == b""
    printed = files.write("json", b'{"CiphertextBlob": "c2VhbGVk", "KeyId": "arn:aws:kms:x"}')
    files.build("--wrapped-tsk-file", printed)
    application = unpack(Eif(files.output).of(RAMDISK)[1])
    assert application["etc/enclaved/wrapped-tsk"].data == b"c2VhbGVk\n"


def test_a_wrapped_tsk_that_enclaved_could_not_read(files):
    files.config.write_text(config(wrapped_tsk_file="/etc/enclaved/wrapped-tsk"))
    done = files.build("--wrapped-tsk-file", files.write("tsk", b"not a key"), code=5)
    assert "is text of several words, not base64" in said(done)


@pytest.mark.parametrize("kms, line", [
    ({"roots_file": "/other.pem"}, "kms.roots_file is /other.pem, but --roots is in the image as"),
    ({"wrapped_tsk_file": "/tsk"}, "kms.wrapped_tsk_file is /tsk, and --wrapped-tsk-file is not given"),
])
def test_paths_that_do_not_meet_are_refused(files, kms, line):
    """enclaved would not start, unless another ramdisk brings the file."""
    files.config.write_text(config(**kms))
    refused = said(files.build(code=5))
    assert line in refused and "would not start" in refused and left_over(files) == []
    done = files.build("--ramdisk", files.write("more.gz", gzip.compress(b"more")))
    assert f"note: the configuration's {line}" in said(done)


def test_a_wrapped_tsk_that_is_not_pinned(files):
    """enclaved would start, and never have a key."""
    pin = hashlib.sha256(b"sealed").hexdigest()
    tsk = files.write("tsk", b"c2VhbGVk")
    for pins, code in ([pin], 0), (["00" * 32, pin], 0), ([], 0), (["00" * 32], 5):
        files.config.write_text(config(wrapped_tsk_file="/etc/enclaved/wrapped-tsk",
                                       wrapped_tsk_sha256=pins))
        done = files.build("--wrapped-tsk-file", tsk, code=code)
        if code:
            assert pin in said(done) and "kms.wrapped_tsk_sha256" in said(done)


def test_a_wrapped_tsk_that_is_not_configured_is_told(files):
    done = files.build("--wrapped-tsk-file", files.write("tsk", b"c2VhbGVk"))
    assert "the configuration has no kms.wrapped_tsk_file; --wrapped-tsk-file is in" in said(done)


def test_a_wrapped_tsk_that_enclaved_would_refuse(files):
    """One limit, 6,144 bytes, for what is built and for what is started."""
    files.config.write_text(config(wrapped_tsk_file="/etc/enclaved/wrapped-tsk"))
    def wrapped(content):
        return "--wrapped-tsk-file", files.write("tsk", content)
    files.build(*wrapped(base64.b64encode(b"\xff" * 6144) + b"\n"))
    files.output.unlink()
    for content in base64.b64encode(b"\xff" * 6145), b"no base64!", b"", b" \n":
        said(files.build(*wrapped(content), code=5))
        assert left_over(files) == []
    said(files.build(*wrapped(base64.b64encode(b"\xff" * 20000)), code=2))
    assert left_over(files) == []


def test_further_ramdisks_as_they_are(files):
    first = files.write("first.cpio", b"070701" + bytes(2))
    second = files.write("second.gz", gzip.compress(b"x"))
    done = files.build("--ramdisk", first, "--ramdisk", second)
    assert Eif(files.output).of(RAMDISK)[2:] == [first.read_bytes(), second.read_bytes()]
    assert told(done) == {"HashAlgorithm": "Sha384 { ... }", **Eif(files.output).registers()}
    # The kernel finds an uncompressed archive at multiples of four only.
    first.write_bytes(gzip.compress(b"xyz") + bytes(3))
    assert len(first.read_bytes()) % 4 != 0
    second.write_bytes(b"070701")
    assert "multiple of four" in said(files.build("--ramdisk", first, "--ramdisk", second, code=2))


def test_aarch64(files):
    files.kernel.write_bytes(arm_image())
    files.enclaved.write_bytes(elf(2, machine=183))
    files.build()
    eif = Eif(files.output)
    assert eif.flags == 1 and eif.one(CMDLINE) == ARM_CMDLINE.encode()
    line = said(files.build("--arch", "x86_64", code=2))
    assert "is a kernel for aarch64, not for x86_64" in line


def test_metadata(files):
    lock = files.write("lock.json", b'{"source": "linux", "sha256": ["ab"]}\n')
    files.build("--image-name", "näme", "--image-version", "9", "--metadata", "commit=a=b",
                "--metadata", "x=", "--kernel-lock", lock, "--cmdline", "quiet",
                env={"SOURCE_DATE_EPOCH": "1700000000"})
    eif = Eif(files.output)
    assert json.loads(eif.one(METADATA)) == {
        "ImageName": "näme", "ImageVersion": "9",
        "BuildMetadata": {"BuildTime": "2023-11-14T22:13:20+00:00", "BuildTool": "enclavectl",
                          "BuildToolVersion": "0.1.0", "OperatingSystem": "Linux",
                          "KernelVersion": "6.1.2-test"},
        "DockerInfo": {},
        "CustomMetadata": {"commit": "a=b", "x": "",
                           "KernelSource": {"source": "linux", "sha256": ["ab"]}}}
    assert eif.one(CMDLINE) == b"quiet"


# --- twice the same -------------------------------------------------------------------------------

def test_the_same_files_give_the_same_image(files, tmp_path):
    files.build()
    others = Files(tmp_path / "another folder, with spaces")
    for name in ("kernel", "enclaved", "config", "roots"):
        copy = getattr(others, name)
        copy.write_bytes(getattr(files, name).read_bytes())
        copy.chmod(0o600)
        os.utime(copy, (12345, 67890))
    os.sync()
    done = subprocess.run(
        ["sh", "-c", 'umask 077; exec "$@"', "sh", os.path.abspath(CTL), *map(str, others.arguments())],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
        cwd="/", env={"LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Tokyo", "USER": "nobody", "HOME": "/"})
    assert done.returncode == 0, done.stderr
    assert others.output.read_bytes() == files.output.read_bytes()


def test_another_user_builds_the_same(files, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    files.build()
    shared = pathlib.Path(tempfile.mkdtemp(dir="/tmp"))
    shared.chmod(0o777)
    try:
        program = shared / "enclavectl"
        shutil.copy(CTL, program)
        copies = Files(shared)
        for name in ("kernel", "enclaved", "config", "roots"):
            copy = getattr(copies, name)
            copy.write_bytes(getattr(files, name).read_bytes())
            copy.chmod(0o644)
        done = subprocess.run([program, *map(str, copies.arguments())], user=65534, group=65534,
                              extra_groups=[], stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=120)
        assert done.returncode == 0, done.stderr
        assert copies.output.read_bytes() == files.output.read_bytes()
        assert copies.output.stat().st_uid == 65534
    finally:
        shutil.rmtree(shared)


# --- streaming ------------------------------------------------------------------------------------

def peak_of(arguments, limit=None):
    """(status, peak resident KiB) of enclavectl."""
    def before():
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    child = subprocess.Popen([CTL, *map(str, arguments)], stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, preexec_fn=before)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode, usage.ru_maxrss


@pytest.mark.slow
def test_memory_does_not_grow_with_the_image(files):
    small = files.write("small", gzip.compress(b"x"))
    large = files.folder / "large"
    with large.open("wb") as file:
        file.truncate(300 << 20)
    code, base = peak_of(files.arguments("--ramdisk", small))
    assert code == 0
    code, peak = peak_of(files.arguments("--ramdisk", large))
    assert code == 0 and files.output.stat().st_size > 300 << 20
    assert peak < base + 4096, f"{peak} KiB for 300 MiB, {base} KiB for none"
    # And with a program as large as that, which is compressed on its way.
    files.enclaved.write_bytes(elf(2))
    with files.enclaved.open("r+b") as file:
        file.truncate(300 << 20)
    code, peak = peak_of(files.arguments())
    assert code == 0 and peak < base + 4096
    for verb in "inspect", "verify":
        code, peak = peak_of(["image", verb, files.output])
        assert code == 0 and peak < base + 4096


# --- what is not built ----------------------------------------------------------------------------

@pytest.mark.parametrize("content, why", [
    (b"", "empty"),
    (b"#!/bin/sh\n", "a script"),
    (elf(2), "an ELF file"),
    (gzip.compress(b"kernel"), "compressed with gzip: run gunzip"),
    (b"\xfd7zXZ\0", "compressed with xz: run unxz"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd: run unzstd"),
    (b"MZ\0\0zimg" + bytes(16) + b"gzip".ljust(32, b"\0") + b"\xcd\x23\x82\x81",
     "(zboot, vmlinuz.efi): take the Image"),
    (b"MZ\0\0" + bytes(4096), "something else"),
    (bytes(4096), "something else"),
])
def test_a_kernel_that_is_none(files, content, why):
    files.kernel.write_bytes(content)
    line = said(files.build(code=5))
    assert f"{files.kernel} is not a kernel" in line and why in line and left_over(files) == []


@pytest.mark.parametrize("name, content, code, why", [
    ("nsm.ko.xz", b"\xfd7zXZ\0", 2, "uncompressed file (unxz, unzstd)"),
    ("nsm.ko.zst", b"\x28\xb5\x2f\xfd", 2, "uncompressed file (unxz, unzstd)"),
    ("nsm.ko", b"\x28\xb5\x2f\xfd", 5, "run unzstd on it first"),
    ("nsm.ko", elf(2), 5, "is not a kernel module: it is a program"),
    ("nsm.ko", elf(1, machine=183), 5, "for a machine other than x86_64"),
    ("n s m.ko", elf(1), 2, "cannot be the name of a module"),
])
def test_a_module_that_is_none(files, name, content, code, why):
    line = said(files.build("--module", files.write(name, content), code=code))
    assert why in line and left_over(files) == []


@pytest.mark.parametrize("content, why", [
    (b"#!/bin/sh\n", "is not a program: it is a script"),
    (elf(1), "an object file"),
    (elf(2, machine=183), "for a machine other than x86_64"),
    (elf(2, interpreter=True), "is linked dynamically"),
])
def test_a_program_that_is_none(files, content, why):
    files.enclaved.write_bytes(content)
    assert why in said(files.build(code=5)) and left_over(files) == []


@pytest.mark.parametrize("text, why", [
    ("{", "not valid JSON"),
    ("{}", "kms.key_arn: required"),
    ('{"kms": {"key_arn": 5}}', "kms.key_arn: must be a string"),
    ('{"kms": {}, "kms": {}}', "two members of one name"),
])
def test_a_configuration_that_is_none(files, text, why):
    files.config.write_text(text)
    done = image(*files.arguments())
    assert done.returncode == 5 and why in said(done) and left_over(files) == []


ROOTS = "/etc/enclaved/roots.pem"
SETTINGS = {
    "the least": ({"kms": {}}, True),
    "an unknown member": ({"kms": {"key": "x"}}, False),
    "an unknown section": ({"kms": {}, "limit": {}}, False),
    "an alias": ({"kms": {"key_arn": "arn:aws:kms:eu-central-1:111122223333:alias/tsk"}}, False),
    "another service": ({"kms": {"key_arn": KEY.replace(":kms:", ":s3:")}}, False),
    "no roots": ({"kms": {"roots_file": ""}}, False),
    "a relay by vsock": ({"kms": {"relay": "vsock:3:8001"}}, True),
    "a relay by TCP": ({"kms": {"relay": "tcp:127.0.0.1:8000"}}, False),
    "a relay without a port": ({"kms": {"relay": "vsock:3"}}, False),
    "a unix socket": ({"kms": {}, "listen": "unix:/tmp/x"}, False),
    "an endpoint with a port": ({"kms": {"endpoint": "kms.eu-central-1.amazonaws.com:443"}}, False),
    "a context of numbers": ({"kms": {"encryption_context": {"a": 1}}}, False),
    "a frame too large": ({"kms": {}, "limits": {"frame_bytes": 1 << 40}}, False),
    "less room than a frame": ({"kms": {}, "limits": {"frame_bytes": 4096, "buffered_bytes": 4095}}, False),
    "no connection": ({"kms": {}, "limits": {"connections": 0}}, False),
    "a time below its least": ({"kms": {"attempt_seconds": 0}}, False),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_what_enclaved_refuses_is_not_built(files, name):
    """The two read the configuration with one reader, and say the same."""
    settings, good = SETTINGS[name]
    settings["kms"] = {"key_arn": KEY, "roots_file": ROOTS} | settings["kms"]
    files.config.write_text(json.dumps(settings))
    checked = subprocess.run([os.path.join(BUILD, "enclaved"), "--check-config", "--config", files.config,
                              "--roots", files.roots], stdin=subprocess.DEVNULL, capture_output=True,
                             timeout=60)
    assert checked.returncode == (0 if good else 3), checked.stderr
    built = files.build(code=0 if good else 5)
    if not good:
        assert said(built).split(": ", 1)[1] in checked.stderr.decode() and left_over(files) == []


@pytest.mark.parametrize("option, value, why", [
    ("--cmdline", "", "1 to 1960"),
    ("--cmdline", "x" * 1961, "has 1961 bytes"),
    ("--cmdline", "a\nb", "byte 1 of the kernel's command line is 0x0a"),
    ("--cmdline", "a\tb", "byte 1 of the kernel's command line is 0x09"),
    ("--arch", "riscv64", "x86_64 or aarch64"),
    ("--metadata", "novalue", "KEY=VALUE"),
    ("--metadata", "KernelSource=x", "--kernel-lock"),
])
def test_wrong_usage(files, option, value, why):
    assert why in said(files.build(option, value, code=2)) and left_over(files) == []


def test_the_longest_command_line(files):
    """What the kernel takes, less what QEMU appends for the two devices of an enclave."""
    files.build("--cmdline", "x" * 1960)
    assert image("image", "verify", files.output).returncode == 0
    parts = ["image", "pcr", "--kernel", files.kernel, "--ramdisk", files.kernel, "--cmdline"]
    assert image(*parts, "x" * 1960).returncode == 0
    for line in "x" * 1961, "a\nb", "":
        done = image(*parts, line)
        assert done.returncode == 2 and "the kernel's command line" in said(done)


def test_what_is_missing_is_named(files):
    for name in "kernel", "config", "roots", "output":
        arguments = files.arguments()
        at = arguments.index(f"--{name}")
        line = said(image(*arguments[:at], *arguments[at + 2:]))
        assert f"image build needs --{name} FILE" in line
    assert "given twice" in said(files.build("--metadata", "a=1", "--metadata", "a=2", code=2))
    assert "SOURCE_DATE_EPOCH" in said(files.build(code=2, env={"SOURCE_DATE_EPOCH": "soon"}))
    failed = json.loads(files.build("--arch", "vax", "--json", code=2).stdout)
    assert failed["status"] == "error" and failed["code"] == "usage"


def test_files_that_cannot_be_read(files):
    files.roots.write_text("no certificate")
    assert "roots.pem: no root certificate in PEM is given" in said(files.build(code=5))
    files.roots = files.folder / "nowhere.pem"
    assert "nowhere.pem: No such file" in said(files.build(code=5))
    files.kernel = files.folder
    assert "is not a regular file" in said(files.build(code=5))
    fifo = files.folder / "fifo"
    os.mkfifo(fifo)
    files.kernel = fifo
    assert "is not a regular file" in said(files.build(code=5))
    assert left_over(files) == []


def test_outputs_that_cannot_be_written(files):
    files.output = files.folder / "no/such/folder.eif"
    assert "cannot write" in said(files.build(code=5))
    files.output = files.folder
    assert "not a regular file" in said(files.build(code=5))


def test_an_output_that_is_an_input(files):
    """By its name, and by another name of the same file."""
    lock, module = files.write("lock.json", b"{}"), files.write("nsm.ko", elf(1))
    ramdisk, tsk = files.write("more.gz", gzip.compress(b"more")), files.write("tsk", b"c2VhbGVk")
    files.config.write_text(config(wrapped_tsk_file="/etc/enclaved/wrapped-tsk"))
    more = ["--kernel-lock", lock, "--module", module, "--ramdisk", ramdisk, "--wrapped-tsk-file", tsk]
    alias = files.folder / "alias"
    inputs = [files.kernel, files.enclaved, files.config, files.roots, lock, module, ramdisk, tsk]
    for path in inputs:
        content = path.read_bytes()
        os.link(path, alias)
        for name in path, alias, files.folder / "." / ".." / files.folder.name / path.name:
            output = files.output
            files.output = name
            assert "is also given as" in said(files.build(*more, code=2))
            files.output = output
            assert "is also given as" in said(files.build(*more, "--write-measurements", name, code=2))
        alias.unlink()
        assert path.read_bytes() == content and left_over(files) == []
    said(files.build(*more, "--write-measurements", files.output, code=2))
    files.build(*more)


def test_standard_output(files, tmp_path):
    """The image and nothing else; the measurements then go to a file only."""
    told_before = files.build().stdout
    image_before = files.output.read_bytes()
    files.output = "-"
    done = files.build("--write-measurements", tmp_path / "pcrs.json", env={"TMPDIR": str(tmp_path)})
    assert done.stdout == image_before and done.stderr == b""
    assert (tmp_path / "pcrs.json").read_bytes() == told_before
    assert [p.name for p in tmp_path.glob("enclavectl*")] == [] and not pathlib.Path("-").exists()
    for more in ["--json"], ["--write-measurements", "-"]:
        assert "nothing else can be printed" in said(files.build(*more, code=2))
    files.output = files.folder / "image.eif"
    assert files.build("--write-measurements", "-").stdout == told_before  # once
    with open("/dev/full", "wb") as full:
        files.output = "-"
        done = subprocess.run([CTL, *map(str, files.arguments())], stdin=subprocess.DEVNULL, stdout=full,
                              stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 5 and b"standard output" in done.stderr


def test_a_terminal_gets_no_image(files):
    files.output = "-"
    parent, child = os.openpty()
    done = subprocess.run([CTL, *map(str, files.arguments())], stdin=subprocess.DEVNULL, stdout=child,
                          stderr=subprocess.PIPE, timeout=60)
    os.close(child)
    os.close(parent)
    assert done.returncode == 2 and b"is a terminal" in done.stderr


def test_a_full_disk_leaves_the_old_image(files):
    files.build()
    before = files.output.read_bytes()
    large = files.write("large", bytes(2 << 20))

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    done = subprocess.run([CTL, *map(str, files.arguments("--ramdisk", large))], preexec_fn=limit,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    assert done.returncode == 5 and f"cannot write {files.output}: File too large" in said(done)
    assert files.output.read_bytes() == before and left_over(files) == ["image.eif"]
    done = subprocess.run(["sh", "-c", '"$@" >/dev/full', "sh", CTL, *map(str, files.arguments())],
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=120)
    assert done.returncode == 5 and b"standard output cannot be written" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_build_leaves_nothing(files, number):
    files.build()
    before = files.output.read_bytes()
    large = files.folder / "large"
    with large.open("wb") as file:
        file.truncate(20 << 30)  # far more than is read before the signal comes
    child = subprocess.Popen([CTL, *map(str, files.arguments("--ramdisk", large))],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    while len(left_over(files)) < 2 and time.monotonic() < until and child.poll() is None:
        time.sleep(0.01)
    assert len(left_over(files)) == 2, "the new file was not begun"
    child.send_signal(number)
    out, err = child.communicate(timeout=60)
    assert child.returncode == -number and b"interrupted: nothing has been written" in err
    assert out == b"" and left_over(files) == ["image.eif"]
    assert files.output.read_bytes() == before


# --- inspect --------------------------------------------------------------------------------------

def test_inspect_as_text(files):
    files.build("--image-name", "x\x1b[2Jy")
    done = image("image", "inspect", files.output)
    text, eif = done.stdout.decode(), Eif(files.output)
    assert done.returncode == 0 and "\x1b" not in text and "x\\x1b[2Jy" in text
    for name, value in eif.registers().items():
        assert f"{name} " in text and value in text
    assert f"{eif.crc:08x} good" in text and "signature        none" in text
    for i, (_, data) in enumerate(eif.sections):
        assert any(line.split()[1:] == [str(eif.offsets[i] + 12), str(len(data))]
                   for line in text.splitlines())


def test_inspect_as_nitro_cli(files):
    signer = Certificate(files.folder)
    files.build("--metadata", "team=a", "--metadata", "BuildTime=mine")
    plain = json.loads(image("image", "inspect", files.output, "--json").stdout)
    assert plain["IsSigned"] is False and "SigningCertificate" not in plain
    done = image("image", "sign", files.output, "--private-key", signer.key_path, "--certificate",
                 signer.path)
    assert done.returncode == 0, done.stderr
    shown = json.loads(image("image", "inspect", files.output, "--json").stdout)
    assert list(shown)[:9] == ["EifVersion", "Measurements", "IsSigned", "SigningCertificate",
                               "CheckCRC", "SignatureCheck", "ImageName", "ImageVersion",
                               "Metadata"]
    assert shown["EifVersion"] == 4 and shown["CheckCRC"] is shown["SignatureCheck"] is True
    assert shown["Measurements"] == {"HashAlgorithm": "Sha384 { ... }",
                                     **Eif(files.output).registers()}
    certificate = shown["SigningCertificate"]
    assert certificate["IssuerName"] == {"countryName": "DE", "commonName": "signer"}
    assert certificate["Algorithm"] == "ecdsa-with-SHA384"
    assert bytes.fromhex(certificate["Signature"].replace(":", "")) == signer.certificate.signature
    assert shown["Metadata"] == {"BuildTime": "1970-01-01T00:00:00+00:00",
                                 "BuildTool": "enclavectl", "BuildToolVersion": "0.1.0",
                                 "OperatingSystem": "Linux", "KernelVersion": "6.1.2-test",
                                 "DockerInfo": {}, "team": "a"}
    assert [s["Type"] for s in shown["Sections"]] == ["kernel", "cmdline", "metadata", "ramdisk",
                                                      "ramdisk", "signature"]


def test_inspect_what_is_none(files):
    assert "not an EIF: it begins with" in said(image("image", "inspect", files.kernel))
    assert "needs FILE" in said(image("image", "inspect"))


# --- pcr ------------------------------------------------------------------------------------------

def test_registers_from_parts(files):
    files.build()
    eif = Eif(files.output)
    parts = [files.write(f"part{i}", data) for i, data in enumerate(eif.of(RAMDISK))]
    done = image("image", "pcr", "--kernel", files.kernel, *[a for p in parts
                                                             for a in ("--ramdisk", p)], "--json")
    assert json.loads(done.stdout) == {"status": "success", **eif.registers()}
    done = image("image", "pcr", "--kernel", files.kernel, "--ramdisk", parts[0], "--cmdline", "q")
    whole = files.kernel.read_bytes() + b"q" + parts[0].read_bytes()
    assert done.stdout.decode().split() == ["PCR0", register(whole), "PCR1", register(whole),
                                            "PCR2", register(b"")]


def test_registers_of_host_certificate_and_file(files):
    done = image("image", "pcr", "--instance-role", "arn:aws:iam::123456789012:role/Webserver",
                 "--instance-id", "i-1234567890abcdef0", "--certificate", files.roots, "--file",
                 files.kernel, "--json")
    found = json.loads(done.stdout)
    # The first two as the AWS Nitro Enclaves user guide computes them, the first as it prints it.
    assert found["PCR3"] == ("78fce75db17cd4e0a3fb8dad3ad128ca5e77edbb2b2c7f75329dccd99aa5f6ef"
                             "4fc1f1a452e315b9e98f9e312e6921e6")
    assert found["PCR4"] == hashlib.sha384(bytes(48) + b"i-1234567890abcdef0").hexdigest()
    assert found["PCR8"] == register(files.certificate.der)
    assert found["PCR"] == register(files.kernel.read_bytes())


@pytest.mark.parametrize("arguments, why", [
    ([], "give a register"),
    (["--ramdisk", "x"], "need --kernel"),
    (["--instance-role", "arn:aws:sts::123456789012:assumed-role/a/b"], "the ARN of a session"),
    (["--instance-role", "role"], "is the ARN of a role"),
    (["--instance-id", "i-12"], "hex digits"),
    (["--instance-id", "i-1234567890abcdef0x"], "hex digits"),
])
def test_wrong_parts(arguments, why):
    done = image("image", "pcr", *arguments)
    assert done.returncode == 2 and why in said(done)


# --- make image, and the binaries in it -----------------------------------------------------------

ROOT = pathlib.Path(__file__).resolve().parents[2]


def is_static(program):
    shown = subprocess.run(["readelf", "-lW", program], stdout=subprocess.PIPE, timeout=30).stdout
    return b"INTERP" not in shown


def test_make_image(files):
    """What is built by default; where enclaved is linked for sanitizers, that it is refused."""
    done = subprocess.run(
        [ROOT / "scripts/image", "--out", files.output], stdin=subprocess.DEVNULL, timeout=120,
        capture_output=True,
        env=dict(os.environ, KERNEL=files.kernel, CONFIG=ROOT / "deploy/image/enclaved.json",
                 ROOTS=files.roots, BUILD=os.path.abspath(BUILD)))
    program = next(p for p in (pathlib.Path(BUILD) / n for n in ("enclaved-init", "enclaved"))
                   if p.exists())
    if not is_static(program):
        assert done.returncode == 1 and b"is linked dynamically" in done.stderr
        return
    assert done.returncode == 0 and done.stderr == b"", done.stderr
    eif = Eif(files.output)
    written = json.loads((files.folder / "image.eif.json").read_text())["Measurements"]
    assert written == {"HashAlgorithm": "Sha384 { ... }", **eif.registers()}
    assert all(value in done.stdout.decode() for value in eif.registers().values())
    boot, application = map(unpack, eif.of(RAMDISK))
    assert boot["init"].data == program.read_bytes()
    assert application["etc/enclaved/enclaved.json"].data == (
        ROOT / "deploy/image/enclaved.json").read_bytes()


def test_the_example_is_a_configuration(files):
    """enclaved itself takes it, but for the file with the roots, which is in the image."""
    example = ROOT / "deploy/image/enclaved.json"
    assert json.loads(example.read_text())["kms"]["roots_file"] == ROOTS
    done = subprocess.run([os.path.join(BUILD, "enclaved"), "--check-config", "--config", example,
                           "--roots", files.roots], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_two_clones_build_the_same_program(tmp_path):
    """At different paths, in folders of different names, from files of different age."""
    if os.path.basename(os.path.abspath(BUILD)) != "build":
        pytest.skip("once, with the plain build: it is a build of its own")
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "meson.build",
                             "meson_options.txt", "src", "tests", "bench", "fuzz"], cwd=ROOT,
                            stdout=subprocess.PIPE, check=True, timeout=30).stdout
    programs = []
    for top, folder in (("a", "build"), ("a path that is longer, with spaces", "out/here")):
        for name in listed.decode().split("\n"):
            if name and (ROOT / name).is_file():
                to = tmp_path / top / name
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, to)
        build = tmp_path / top / folder
        build.parent.mkdir(exist_ok=True)
        names = ["enclaved"] + (["enclaved-init"] if os.path.exists(f"{BUILD}/enclaved-init") else [])
        for command in (["meson", "setup", build, tmp_path / top], ["ninja", "-C", build, *names]):
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=280)
            assert done.returncode == 0, done.stdout.decode()
        programs.append([(build / name).read_bytes() for name in names])
    assert programs[0] == programs[1]
    assert all(str(tmp_path).encode() not in program for program in programs[0])
