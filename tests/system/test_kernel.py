# SPDX-License-Identifier: Apache-2.0
"""The kernel of enclave images: its configuration, its lock, and the script that builds it.

Building the real one takes minutes and is what `make kernel` does. Here the script builds a source of
a few lines that is packaged, signed and made like Linux's, so that every way it can end is seen.
"""
import functools
import hashlib
import importlib.machinery
import importlib.util
import io
import itertools
import json
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import tarfile
import time

import pytest

from archive_tools import ROOT, Archive, Key, script

pytestmark = pytest.mark.slow  # it builds kernels, if small ones

CONFIG = ROOT / "deploy/kernel/enclave.config"
LOCK = ROOT / "deploy/kernel/source.lock"
PACKAGE = "linux-source-6.12"
LOCK_KEYS = {"package", "suite", "version", "deb_sha256", "config_sha256", "compiler", "bzimage_sha256"}


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@functools.cache
def kernel_script():
    loader = importlib.machinery.SourceFileLoader("kernel_script", str(ROOT / "scripts/kernel"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


# --- configuration and lock -----------------------------------------------------------------------

OPTION = re.compile(r"^(CONFIG_\w+)=(\S+)$|^# (CONFIG_\w+) is not set$")


def options():
    """{name: value, or None if it must be off}"""
    found = {}
    for line in CONFIG.read_text().splitlines():
        if match := OPTION.match(line):
            name = match[1] or match[3]
            assert name not in found, f"{name} is there twice"
            found[name] = match[2]
    return found


def test_every_option_has_its_reason_above_it():
    lines = CONFIG.read_text().splitlines()
    for above, line in itertools.pairwise(lines):
        if OPTION.match(line):
            assert re.match(r"# \S", above) and not OPTION.match(above), f"no reason above {line}"
        else:
            assert line == "" or line.startswith("#"), f"not an option: {line}"


@pytest.mark.parametrize("name", [
    "NSM", "HW_RANDOM", "VIRTIO_MMIO", "VIRTIO_MMIO_CMDLINE_DEVICES", "VIRTIO_VSOCKETS", "X86_MPPARSE",
    "EPOLL", "EVENTFD", "SIGNALFD", "FUTEX", "SECCOMP_FILTER", "UNIX", "INET", "DEVTMPFS", "TMPFS",
    "PROC_FS", "BLK_DEV_INITRD", "SERIAL_8250_CONSOLE", "KVM_GUEST", "STRICT_KERNEL_RWX",
    "STACKPROTECTOR_STRONG", "INIT_ON_ALLOC_DEFAULT_ON", "MITIGATION_PAGE_TABLE_ISOLATION",
    "MITIGATION_SPECTRE_V2", "PANIC_ON_OOPS", "KERNEL_GZIP"])
def test_what_enclaved_stands_on_is_on(name):
    assert options()[f"CONFIG_{name}"] == "y"


@pytest.mark.parametrize("name", [
    "MODULES", "BPF_SYSCALL", "IO_URING", "KEYS", "DEVMEM", "PROC_KCORE", "COREDUMP", "MAGIC_SYSRQ",
    "DEBUG_FS", "KEXEC", "KEXEC_FILE", "SWAP", "BLOCK", "USERFAULTFD", "CROSS_MEMORY_ATTACH", "PCI",
    "ACPI", "IPV6", "NETDEVICES", "RANDOMIZE_BASE", "IA32_EMULATION"])
def test_what_would_weaken_it_is_off(name):
    assert options()[f"CONFIG_{name}"] is None


def test_lock_names_one_source_and_one_result():
    lock = json.loads(LOCK.read_text())
    assert set(lock) == LOCK_KEYS
    assert lock["package"] == PACKAGE and re.fullmatch(r"[a-z-]+", lock["suite"])
    assert re.fullmatch(r"6\.12\.\d+-\S+", lock["version"])
    for name in ("deb_sha256", "config_sha256", "bzimage_sha256"):
        assert re.fullmatch(r"[0-9a-f]{64}", lock[name]), name
    assert lock["compiler"].startswith("gcc ") and ", GNU ld " in lock["compiler"]


def test_lock_belongs_to_the_configuration_that_stands_here():
    assert json.loads(LOCK.read_text())["config_sha256"] == sha256(CONFIG.read_bytes()), \
        "the configuration has changed: scripts/kernel --update-lock builds it and writes the lock"


def test_kernel_that_was_built_is_the_one_of_the_lock():
    """Where `make kernel` has run."""
    built = ROOT / "build/bzImage"
    if not built.exists():
        pytest.skip("make kernel has not run here")
    lock, known = json.loads(LOCK.read_text()), json.loads((ROOT / "build/bzImage.json").read_text())
    data = built.read_bytes()
    assert known["bzimage_sha256"] == sha256(data)
    assert len(data) <= 5 << 19 and data[0x202:0x206] == b"HdrS"
    if all(known[name] == lock[name] for name in ("deb_sha256", "config_sha256", "compiler")):
        assert known["bzimage_sha256"] == lock["bzimage_sha256"]


def test_document_speaks_of_options_that_are_set():
    text = (ROOT / "docs/kernel.md").read_text()
    named = set(re.findall(r"`(CONFIG_\w+)`", text))
    assert len(named) > 10 and named <= set(options()), named - set(options())


# --- a source of a few lines ----------------------------------------------------------------------

# It "compiles" what reaches the compiler: version, configuration, environment.
MAKEFILE = """
allnoconfig:
\t@mkdir -p $(O)
\t@sed 's/^CONFIG_BROKEN=y/CONFIG_BROKEN=n/' $(KCONFIG_ALLCONFIG) > $(O)/.config
bzImage:
\t@echo '  CC      one.o'
\t@echo '  CC      two.o'
\t@mkdir -p $(O)/arch/x86/boot
\t@{ head -c 514 /dev/zero; printf HdrS; cat VERSION $(O)/.config; \\
\t   env | grep -E '^(ARCH|LANG|LC_|TZ|KBUILD|KCFLAGS|SOURCE_DATE)' | sort; umask; MORE } \\
\t   > $(O)/arch/x86/boot/bzImage
"""


def source_package(version, more=":;"):
    """The one file in the package of a source."""
    files = {"Makefile": MAKEFILE.replace("MORE", more), "VERSION": version}
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:xz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(f"{PACKAGE}/{name}")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return {f"usr/src/{PACKAGE}.tar.xz": data.getvalue()}


class Place:
    """A copy of the scripts with a configuration, an archive and a cache of its own."""

    def __init__(self, folder, key, cache=None):
        self.root, self.cache = folder / "clone", cache or folder / "cache"
        self.archive = Archive(folder / "debian", key)
        self.archive.folder.mkdir()
        for name in ("kernel", "debian-archive", "install-deps"):
            (self.root / "scripts").mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "scripts" / name, self.root / "scripts" / name)
        (self.root / "deploy/kernel").mkdir(parents=True)
        self.config = self.root / "deploy/kernel/enclave.config"
        self.config.write_text("# because\nCONFIG_ONE=y\n# because\n# CONFIG_TWO is not set\n")
        self.lock = self.root / "deploy/kernel/source.lock"
        self.out = self.root / "build/bzImage"

    def offers(self, version, more=":;"):
        self.archive.packages["trixie"] = []
        self.archive.add("trixie", PACKAGE, version, source_package(version, more))
        self.archive.publish()
        return self

    def environment(self, **more):
        return self.archive.environment(self.cache, **more)

    def kernel(self, *words, prefix=(), **more):
        return script("kernel", *words, env=self.environment(**more), root=self.root, prefix=prefix)

    def failed(self, result, *parts):
        """One line that names the cause; no half file, nothing left of the build."""
        assert result.returncode == 1, result.stderr
        last = result.stderr.splitlines()[-1]
        assert last.startswith("kernel: "), result.stderr
        for part in parts:
            assert part in last, last
        assert not list((self.cache / "kernel").glob(".build.*"))
        build = self.root / "build"
        assert not build.exists() or {p.name for p in build.iterdir()} <= {"bzImage", "bzImage.json"}


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    key = Key(tmp_path_factory.mktemp("key") / "home")
    yield key
    key.close()


@pytest.fixture
def place(tmp_path, key):
    place = Place(tmp_path, key).offers("6.12.1-1")
    result = place.kernel("--update-lock")
    assert result.returncode == 0, result.stderr
    return place


def test_kernel_lies_there_with_what_it_is_made_of(place):
    data, lock = place.out.read_bytes(), json.loads(place.lock.read_text())
    about = json.loads((place.root / "build/bzImage.json").read_text())
    assert set(lock) == LOCK_KEYS and lock == {"suite": "trixie", **about}
    assert about["version"] == "6.12.1-1" and about["bzimage_sha256"] == sha256(data)
    assert about["config_sha256"] == sha256(place.config.read_bytes())
    package, = (place.cache / "kernel/source").glob("*.deb")
    assert about["deb_sha256"] == sha256(package.read_bytes())


def test_nothing_of_the_caller_reaches_the_compiler(place, tmp_path, key):
    (tmp_path / "other folder").mkdir()
    other = Place(tmp_path / "other folder", key, cache=tmp_path / "other-cache")
    shutil.rmtree(other.archive.folder)
    other.archive = place.archive
    shutil.copy(place.lock, other.lock)
    result = other.kernel(KCFLAGS="-O0", LANG="de_DE.UTF-8", LC_ALL="tr_TR.UTF-8", TZ="Asia/Tokyo",
                          KBUILD_BUILD_USER="somebody", SOURCE_DATE_EPOCH="1", MAKEFLAGS="-n",
                          prefix=["sh", "-c", 'umask 077; exec "$@"', "sh"])
    assert result.returncode == 0, result.stderr
    assert "as in source.lock" in result.stderr and "Building" in result.stderr
    assert other.out.read_bytes() == place.out.read_bytes()
    assert b"tr_TR" not in other.out.read_bytes() and b"KBUILD_BUILD_USER=enclaved" in other.out.read_bytes()


def test_it_is_built_once_for_all_clones_and_without_the_archive(place, tmp_path, key):
    (tmp_path / "second").mkdir()
    second = Place(tmp_path / "second", key, cache=place.cache)
    shutil.copy(place.lock, second.lock)
    second.archive.url = f"file:{tmp_path}/nowhere"
    result = second.kernel()
    assert result.returncode == 0 and "Building" not in result.stderr, result.stderr
    assert second.out.read_bytes() == place.out.read_bytes()


def test_what_the_cache_has_damaged_is_built_anew(place):
    kept, = (place.cache / "kernel").glob("*/bzImage")
    kept.write_bytes(kept.read_bytes() + b"x")
    result = place.kernel()
    assert result.returncode == 0 and "Building" in result.stderr, result.stderr
    assert sha256(kept.read_bytes()) == json.loads(place.lock.read_text())["bzimage_sha256"]


def test_a_point_release_that_debian_replaced(place):
    before = json.loads(place.lock.read_text())
    place.offers("6.12.2-1")
    shutil.rmtree(place.cache)
    result = place.kernel()
    assert result.returncode == 0, result.stderr
    assert f"no longer has {PACKAGE} 6.12.1-1" in result.stderr
    assert "measure differently (PCR0, PCR1)" in result.stderr
    about = json.loads((place.root / "build/bzImage.json").read_text())
    assert about["version"] == "6.12.2-1" != before["version"]
    assert before["bzimage_sha256"] in result.stderr and about["bzimage_sha256"] in result.stderr
    # The lock is written when that is asked for, and only then.
    assert json.loads(place.lock.read_text()) == before
    assert place.kernel("--update-lock").returncode == 0
    assert json.loads(place.lock.read_text())["version"] == "6.12.2-1"


def test_the_locked_source_is_kept_though_debian_moved_on(place):
    place.offers("6.12.2-1")
    result = place.kernel("--rebuild")
    assert result.returncode == 0 and "as in source.lock" in result.stderr, result.stderr
    assert json.loads((place.root / "build/bzImage.json").read_text())["version"] == "6.12.1-1"


def image_with(kernel):
    """An EIF of the parts that are measured, and one that is not."""
    parts = [(1, kernel), (2, b"quiet"), (5, b"{}"), (3, b"first"), (3, b"second")]
    head = b".eif" + struct.pack(">HHQQHH", 4, 0, 64 << 20, 2, 0, len(parts))
    at, body, offsets = 548, b"", []
    for kind, data in parts:
        offsets.append(at)
        body += struct.pack(">HHQ", kind, 0, len(data)) + data
        at += 12 + len(data)
    sizes = [len(data) for _, data in parts]
    pad = [0] * (32 - len(parts))
    return head + struct.pack(">32Q32QII", *offsets, *pad, *sizes, *pad, 0, 0) + body


def register(*parts):
    return hashlib.sha384(bytes(48) + hashlib.sha384(b"".join(parts)).digest()).hexdigest()


def test_measurements_before_and_after_are_shown_where_an_image_lies_beside(place):
    image = place.root / "build/enclaved.eif"
    old, new = b"an older kernel", place.out.read_bytes()
    image.write_bytes(image_with(old))
    result = place.kernel()
    for kernel in (old, new):
        for pcr in (register(kernel, b"quiet", b"first", b"second"), register(kernel, b"quiet", b"first")):
            assert pcr in result.stderr
    image.write_bytes(image_with(new))
    assert "PCR0" not in place.kernel().stderr
    image.write_bytes(image_with(old)[:300])
    assert place.kernel().returncode == 0


def test_other_bytes_under_the_same_version_are_refused(place):
    shutil.rmtree(place.cache)
    shutil.rmtree(place.archive.folder / "make")
    place.offers("6.12.1-1", more="echo backdoor;")
    place.failed(place.kernel(), "6.12.1-1 is refused: its SHA-256 is", "source.lock names")


def test_other_bytes_from_the_same_inputs_are_refused(place):
    shutil.rmtree(place.cache)
    lock = json.loads(place.lock.read_text())
    place.lock.write_text(json.dumps({**lock, "bzimage_sha256": "0" * 64}))
    before = place.out.read_bytes()
    place.failed(place.kernel(), "gave different bytes", "0" * 64)
    assert place.out.read_bytes() == before and not list((place.cache / "kernel").glob("*/bzImage"))


def test_another_compiler_or_configuration_is_told_and_does_not_fail(place):
    lock = json.loads(place.lock.read_text())
    place.lock.write_text(json.dumps({**lock, "compiler": "gcc (Elsewhere) 99"}))
    result = place.kernel()
    assert result.returncode == 0 and "gcc (Elsewhere) 99" in result.stderr, result.stderr
    place.lock.write_text(json.dumps(lock))
    place.config.write_text(place.config.read_text() + "# because\nCONFIG_THREE=y\n")
    result = place.kernel()
    assert result.returncode == 0 and "configuration" in result.stderr, result.stderr
    assert "measure differently" in result.stderr


@pytest.mark.parametrize("line", ["CONFIG_BROKEN=y", "# CONFIG_ONE is not set"])
def test_an_option_that_is_not_kept_fails(place, line):
    place.config.write_text(place.config.read_text() + f"# because\n{line}\n")
    place.failed(place.kernel(), "does not accept " + line)


@pytest.mark.parametrize("more, message", [
    ("echo 'one.c:1: error: no such thing'; exit 2;", "make bzImage failed"),
    ("head -c 3000000 /dev/zero;", "more than 2621440 (2.5 MiB)"),
])
def test_a_build_that_goes_wrong(tmp_path, key, more, message):
    place = Place(tmp_path, key).offers("6.12.1-1", more)
    place.failed(place.kernel("--update-lock"), message)
    assert not place.out.exists() and not place.lock.exists()


def test_something_else_than_a_kernel_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(bytes(1000))
    with pytest.raises(kernel_script().Failed, match="not a bzImage"):
        kernel_script().check_image(tmp_path / "x")


def test_archive_without_a_source_or_that_cannot_be_read(tmp_path, key):
    place = Place(tmp_path, key).offers("6.12.1-1")
    place.failed(place.kernel(), "no deploy/kernel/source.lock", "--update-lock")
    place.archive.packages["trixie"] = []
    place.archive.add("trixie", "other", "1")
    place.archive.publish()
    place.failed(place.kernel("--update-lock"), f"{PACKAGE} is no longer in trixie")
    (place.archive.folder / "dists/trixie/InRelease").unlink()
    place.failed(place.kernel("--update-lock"))


def test_cache_where_linux_cannot_be_built_is_named(place, tmp_path):
    result = place.kernel(ENCLAVED_CACHE=str(tmp_path / "a folder"))
    place.failed(result, "neither spaces nor colons", "ENCLAVED_CACHE")


def test_cache_that_cannot_be_written_is_named(place, tmp_path):
    (tmp_path / "file").write_text("")
    place.failed(place.kernel(ENCLAVED_CACHE=str(tmp_path / "file")), "file", "ENCLAVED_CACHE")


def test_lock_that_is_none(place):
    place.lock.write_text("{")
    place.failed(place.kernel(), "source.lock is not JSON")
    place.lock.write_text("{}")
    place.failed(place.kernel(), "source.lock lacks package, suite")


def test_a_full_disk_is_named_before_it_is_full(place, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    prefix = ["unshare", "-rm", "sh", "-c",
              'mount -t tmpfs -o size=8m none "$1" && shift && exec "$@"', "sh", str(small)]
    if subprocess.run([*prefix, "true"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no file system can be mounted here")
    result = place.kernel("--rebuild", prefix=prefix, ENCLAVED_CACHE=str(small))
    place.failed(result, "the disk is too full", str(small))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_interrupted_it_leaves_nothing_behind(tmp_path, key, number):
    mark = tmp_path / "compiling"
    place = Place(tmp_path, key).offers("6.12.1-1", f"echo $$$$ > {mark}; exec sleep 600;")
    process = subprocess.Popen([place.root / "scripts/kernel", "--update-lock"], env=place.environment(),
                               stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not (mark.exists() and mark.read_text().endswith("\n")):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    compiler = os.pidfd_open(int(mark.read_text()))  # readable once it has ended
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == {signal.SIGTERM: 143, signal.SIGINT: 130}[number]
    assert select.select([compiler], [], [], 0)[0]
    os.close(compiler)
    assert not list((place.cache / "kernel").glob(".build.*"))
    assert not place.out.exists() and not place.lock.exists()


def test_what_a_killed_run_left_is_swept_away(place):
    left = place.cache / "kernel/.build.left"
    left.mkdir()
    (left / "source").write_text("")
    assert place.kernel().returncode == 0 and not left.exists()


def test_two_runs_at_once_build_once(place):
    shutil.rmtree(place.cache)
    runs = [subprocess.Popen([place.root / "scripts/kernel"], env=place.environment(),
                             stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in "ab"]
    said = [process.communicate(timeout=200)[1] for process in runs]
    assert [process.returncode for process in runs] == [0, 0], said
    assert sum("Building" in text for text in said) == 1, said
