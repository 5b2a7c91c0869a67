# SPDX-License-Identifier: Apache-2.0
"""Fetching from Debian's archive: scripts/debian-archive and scripts/fetch-qemu."""
import hashlib
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from archive_tools import ARCHITECTURE, Archive, Key, run, script

pytestmark = pytest.mark.slow  # it fetches packages again and again

# A file system of a megabyte over $1 for what follows; users may do that in a space of their own.
SMALL_DISK = ["unshare", "-rm", "sh", "-c",
              'mount -t tmpfs -o size=1m none "$1" && shift && exec "$@"', "sh"]


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    key = Key(tmp_path_factory.mktemp("key") / "home")
    yield key
    key.close()


@pytest.fixture
def archive(tmp_path, key):
    made = Archive(tmp_path / "debian", key)
    made.folder.mkdir()
    made.add("trixie", "base", "1.0", {"usr/share/base": b"base"})
    made.add("trixie", "tool", "1:2.0-1", {"usr/share/tool": b"tool"}, depends="base")
    return made.publish()


def fetch(archive, tmp_path, *words, **env):
    return script("debian-archive", "--suite", "trixie", "--to", tmp_path / "to", *words,
                  env=archive.environment(tmp_path / "cache", **env))


def refused(result, *parts, status=1):
    """One line, at the end, that names the cause; and nothing on standard output."""
    assert (result.returncode, result.stdout) == (status, ""), result.stderr
    line = result.stderr.splitlines()[-1]
    assert line.startswith("debian-archive: "), result.stderr
    for part in parts:
        assert part in line, line


# --- debian-archive -------------------------------------------------------------------------------

def test_a_package_comes_with_what_it_depends_on(archive, tmp_path):
    result = fetch(archive, tmp_path, "tool")
    assert result.returncode == 0, result.stderr
    lines = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()}
    assert {name: line[0] for name, line in lines.items()} == {"base": "1.0", "tool": "1:2.0-1"}
    for name, (_, digest, path) in lines.items():
        data = pathlib.Path(path).read_bytes()
        assert hashlib.sha256(data).hexdigest() == digest
        assert data == next((archive.folder / "pool").glob(f"{name}_*")).read_bytes()
    assert sorted(p.suffix for p in (tmp_path / "to").iterdir()) == [".deb", ".deb"]


def test_alone_means_alone_and_a_listing_fetches_nothing(archive, tmp_path):
    result = fetch(archive, tmp_path, "--alone", "--list", "tool")
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["tool"], result.stderr
    assert list((tmp_path / "to").iterdir()) == []
    result = fetch(archive, tmp_path, "--alone", "tool=1:2.0-1")
    assert len(result.stdout.splitlines()) == 1, result.stderr


def test_what_is_there_is_not_fetched_again_unless_it_was_changed(archive, tmp_path):
    path = pathlib.Path(fetch(archive, tmp_path, "--alone", "base").stdout.split()[3])
    before = path.stat()
    result = fetch(archive, tmp_path, "--alone", "base")
    assert "fetching" not in result.stderr and path.stat().st_mtime_ns == before.st_mtime_ns
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"x")
    assert "fetching" in fetch(archive, tmp_path, "--alone", "base").stderr
    assert path.read_bytes() == whole


def test_the_wanted_suite_goes_before(archive, tmp_path):
    archive.add("trixie-backports", "tool", "3.0", depends="base")
    archive.publish()
    words = ("--suite", "trixie-backports", "--list", "tool")
    assert "tool 1:2.0-1" in fetch(archive, tmp_path, *words).stdout
    result = fetch(archive, tmp_path, "--target", "trixie-backports", *words)
    # An epoch beats none: the version that a suite is preferred for need not be the higher.
    assert "tool 3.0" in result.stdout, result.stderr


def test_another_s_signature_is_refused(archive, tmp_path):
    stranger = Key(tmp_path / "stranger")
    try:
        archive.publish(key=stranger)
        refused(fetch(archive, tmp_path, "tool"), "signature does not verify", "refused")
    finally:
        stranger.close()


def test_a_signature_over_something_else_is_refused(archive, tmp_path):
    release = archive.folder / "dists/trixie/InRelease"
    text = release.read_text()
    assert "Codename: trixie\n" in text
    release.write_text(text.replace("Codename: trixie\n", "Codename: trixie\nLabel: x\n"))
    refused(fetch(archive, tmp_path, "tool"), "signature does not verify")


def test_no_signature_is_refused(archive, tmp_path):
    release = archive.folder / "dists/trixie/InRelease"
    lines = release.read_text().splitlines()
    end = lines.index("-----BEGIN PGP SIGNATURE-----")
    (release.parent / "Release").write_text("\n".join(lines[3:end]) + "\n")
    release.unlink()
    refused(fetch(archive, tmp_path, "tool"), "signature does not verify", "refused")


def test_an_index_that_was_changed_is_refused(archive, tmp_path):
    index, = archive.folder.glob("dists/trixie/main/*/Packages.gz")
    data = bytearray(index.read_bytes())
    data[-1] ^= 1
    index.write_bytes(data)
    refused(fetch(archive, tmp_path, "tool"), "signed hash", "refused")


def test_a_package_that_was_changed_is_refused(archive, tmp_path):
    package, = archive.folder.glob("pool/tool_*")
    data = bytearray(package.read_bytes())
    data[-1] ^= 1
    package.write_bytes(data)
    refused(fetch(archive, tmp_path, "tool"), "signed hash", "refused")
    assert not list((tmp_path / "to").glob("tool*"))


def test_a_package_or_a_suite_that_is_not_there(archive, tmp_path):
    refused(fetch(archive, tmp_path, "nonsense"), "nonsense: not in trixie", status=3)
    refused(fetch(archive, tmp_path, "--alone", "tool=9"), "tool=9: not in trixie", status=3)
    refused(fetch(archive, tmp_path, "--suite", "tricksy", "tool"), "no suite trixie tricksy", status=3)
    archive.remove("trixie", "base")
    archive.publish()
    refused(fetch(archive, tmp_path, "tool"), "tool: not in trixie", status=3)


def test_an_archive_that_cannot_be_reached(archive, tmp_path, nobody):
    archive.url = f"http://{nobody}/debian"
    result = fetch(archive, tmp_path, "tool")
    refused(result, "cannot read trixie from http://127.0.0.1", "refused", "ENCLAVED_DEBIAN_MIRROR")


def test_a_keyring_or_a_cache_that_cannot_be_used(archive, tmp_path):
    refused(fetch(archive, tmp_path, "tool", ENCLAVED_DEBIAN_KEYRING=str(tmp_path / "none")),
            "no keyring", "debian-archive-keyring")
    (tmp_path / "file").write_text("")
    refused(fetch(archive, tmp_path, "tool", ENCLAVED_CACHE=str(tmp_path / "file")),
            "cannot write", "ENCLAVED_CACHE")


def test_a_full_disk_is_named(archive, tmp_path):
    archive.add("trixie", "large", "1", {"usr/share/large": os.urandom(3 << 20)})
    archive.publish()
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run([*SMALL_DISK, str(small), "true"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no file system can be mounted here")
    result = script("debian-archive", "--suite", "trixie", "--to", small, "large",
                    env=archive.environment(tmp_path / "cache"), prefix=[*SMALL_DISK, str(small)])
    refused(result, "disk is full", str(small))


# apt of this machine, as it would be elsewhere.

def own_apt(tmp_path, source):
    """A configuration of apt under which the machine has one source, and no index fetched yet."""
    for name in ("lists/partial", "parts"):
        (tmp_path / "apt" / name).mkdir(parents=True)
    sources = tmp_path / "apt/sources.list"
    sources.write_text(source)
    conf = tmp_path / "apt/apt.conf"
    conf.write_text(f'Dir::Etc::sourcelist "{sources}";\nDir::Etc::sourceparts "{tmp_path}/apt/parts";\n'
                    f'Dir::State::lists "{tmp_path}/apt/lists";\nAPT::Architecture "{ARCHITECTURE}";\n'
                    'APT::Sandbox::User "root";\n')
    return str(conf)


def test_where_apt_knows_no_archive_it_says_so(archive, tmp_path):
    result = fetch(archive, tmp_path, "tool", ENCLAVED_DEBIAN_MIRROR="",
                   APT_CONFIG=own_apt(tmp_path, ""))
    refused(result, "knows no Debian archive", "ENCLAVED_DEBIAN_MIRROR")


def test_the_archive_is_the_machine_s_before_and_after_it_fetched_its_index(archive, tmp_path):
    release = re.search(r"^VERSION_CODENAME=(\w+)", pathlib.Path("/etc/os-release").read_text(), re.M)[1]
    archive.add(release, "other", "1.0")
    archive.publish()
    source = f"deb [signed-by={archive.key.public}] {archive.url} {release} main\n"
    conf = own_apt(tmp_path, source)
    result = fetch(archive, tmp_path, "tool", ENCLAVED_DEBIAN_MIRROR="", APT_CONFIG=conf)
    assert result.returncode == 0 and archive.url in result.stderr, result.stderr
    run(["apt-get", "-q", "update"], env={**os.environ, "APT_CONFIG": conf})
    result = fetch(archive, tmp_path, "tool", ENCLAVED_DEBIAN_MIRROR="", APT_CONFIG=conf)
    assert result.returncode == 0 and archive.url in result.stderr, result.stderr


def test_the_machine_s_own_apt_is_left_alone(archive, tmp_path):
    conf = own_apt(tmp_path, f"deb [signed-by={archive.key.public}] {archive.url} trixie main\n")
    run(["apt-get", "-q", "update"], env={**os.environ, "APT_CONFIG": conf})

    def everything():
        return sorted((str(p), p.stat().st_mtime_ns) for p in (tmp_path / "apt").rglob("*"))

    before = everything()
    assert len(before) > 5
    result = fetch(archive, tmp_path, "tool", ENCLAVED_DEBIAN_MIRROR="", APT_CONFIG=conf)
    assert result.returncode == 0, result.stderr
    assert everything() == before and (tmp_path / "cache/apt").is_dir()


def test_another_distribution_s_archive_is_not_taken_for_debian_s(archive, tmp_path):
    archive.publish(origin="Another")
    conf = own_apt(tmp_path, f"deb [signed-by={archive.key.public}] {archive.url} trixie main\n")
    run(["apt-get", "-q", "update"], env={**os.environ, "APT_CONFIG": conf})
    result = fetch(archive, tmp_path, "tool", ENCLAVED_DEBIAN_MIRROR="", APT_CONFIG=conf)
    if "VERSION_CODENAME=trixie" not in pathlib.Path("/etc/os-release").read_text():
        refused(result, "knows no Debian archive")


# --- fetch-qemu -----------------------------------------------------------------------------------

PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv)
{
    int version = argc == 6 && strcmp(argv[5], "--version") == 0; /* after -L FOLDER, twice */
    puts(version ? "QEMU emulator version %s" : "%s");
    return getenv("QEMU_MODULE_DIR") == NULL;
}
"""
BOTH = r'name \"vhost-user-test-device\", name \"vhost-user-vsock-device\"'


def add_qemu(archive, tmp_path, suite, version, says=BOTH):
    """A program that answers as QEMU would, with the loader and library that it runs with."""
    source, program = tmp_path / "qemu.c", tmp_path / f"qemu-{suite}"
    source.write_text(PROGRAM % (version.split(":")[-1], says))
    run(["gcc", "-o", program, source])
    library = "usr/lib/x86_64-linux-gnu"
    archive.add(suite, "libc6", "9.9", {
        "usr/lib64/ld-linux-x86-64.so.2": pathlib.Path("/lib64/ld-linux-x86-64.so.2").read_bytes(),
        f"{library}/libc.so.6": pathlib.Path("/lib/x86_64-linux-gnu/libc.so.6").read_bytes(),
        "usr/bin/other": b"of no use here", "etc/other": b"nor this"})
    archive.add(suite, "qemu-system-x86", version,
                {"usr/bin/qemu-system-x86_64": program.read_bytes()}, depends="libc6")


def fetch_qemu(archive, tmp_path, *words):
    return script("fetch-qemu", *words, env=archive.environment(tmp_path / "cache"))


def test_qemu_is_unpacked_runs_and_is_not_fetched_twice(archive, tmp_path):
    add_qemu(archive, tmp_path, "trixie-backports", "1:11.5")
    archive.publish()
    result = fetch_qemu(archive, tmp_path)
    assert result.returncode == 0, result.stderr
    program = pathlib.Path(result.stdout.splitlines()[-1])
    assert program == tmp_path / "cache/qemu/run"
    assert run([program, "--version"]).stdout == b"QEMU emulator version 11.5\n"
    inside = tmp_path / "cache/qemu/11.5"
    assert not (inside / "etc").exists() and not (inside / "usr/bin/other").exists()
    # With the archive gone, and silently.
    shutil.rmtree(archive.folder)
    again = fetch_qemu(archive, tmp_path)
    assert (again.returncode, again.stdout, again.stderr) == (0, result.stdout, "")
    # The folder may move: nothing in it knows where it was.
    (tmp_path / "cache/qemu").rename(tmp_path / "elsewhere")
    assert run([tmp_path / "elsewhere/run", "--version"]).stdout == b"QEMU emulator version 11.5\n"


def test_a_newer_qemu_comes_when_asked_for(archive, tmp_path):
    add_qemu(archive, tmp_path, "trixie-backports", "1:11.5")
    archive.publish()
    assert fetch_qemu(archive, tmp_path).returncode == 0
    archive.packages.pop("trixie-backports")
    add_qemu(archive, tmp_path, "forky", "1:12.0")
    archive.add("trixie-backports", "nothing", "1")
    archive.publish()
    result = fetch_qemu(archive, tmp_path, "--update")
    assert result.returncode == 0, result.stderr
    assert run([tmp_path / "cache/qemu/run", "--version"]).stdout == b"QEMU emulator version 12.0\n"


def test_a_qemu_that_was_damaged_is_fetched_anew(archive, tmp_path):
    add_qemu(archive, tmp_path, "trixie-backports", "1:11.5")
    archive.publish()
    assert fetch_qemu(archive, tmp_path).returncode == 0
    (tmp_path / "cache/qemu/11.5/usr/bin/qemu-system-x86_64").write_bytes(b"")
    assert fetch_qemu(archive, tmp_path).returncode == 0
    assert run([tmp_path / "cache/qemu/run", "--version"]).stdout == b"QEMU emulator version 11.5\n"


@pytest.mark.parametrize("version, says, message", [
    ("1:10.0", BOTH, "no QEMU 11 or newer in Debian's archive: trixie-backports has 1:10.0; forky has none;"),
    ("1:11.5", "name vhost-user-vsock-device", "lacks one of: microvm vhost-user-test-device"),
])
def test_a_qemu_that_will_not_do_is_not_kept(archive, tmp_path, version, says, message):
    add_qemu(archive, tmp_path, "trixie-backports", version, says)
    archive.publish()
    result = fetch_qemu(archive, tmp_path)
    assert (result.returncode, result.stdout) == (1, ""), result.stderr
    assert message in result.stderr.splitlines()[-1] and "--qemu FILE" in result.stderr
    assert {p.name for p in (tmp_path / "cache/qemu").iterdir()} <= {"lock"}


def test_why_qemu_cannot_be_fetched_is_the_last_line(archive, tmp_path):
    add_qemu(archive, tmp_path, "trixie-backports", "1:11.5")
    archive.publish()
    index, = archive.folder.glob("dists/trixie-backports/main/*/Packages.gz")
    index.unlink()
    result = fetch_qemu(archive, tmp_path)
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr.splitlines()[-1].startswith("debian-archive: cannot read"), result.stderr


def test_debian_s_qemu_has_what_enclave_images_need():
    """The real one; from the cache where it is there."""
    result = script("fetch-qemu", env=dict(os.environ))
    assert result.returncode == 0, result.stderr
    program = result.stdout.splitlines()[-1]
    assert re.search(rb"^microvm ", run([program, "-M", "help"]).stdout, re.M)
    devices = run([program, "-M", "microvm", "-device", "help"]).stdout
    assert b'"vhost-user-test-device"' in devices and b'"vhost-user-vsock-device"' in devices
