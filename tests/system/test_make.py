# SPDX-License-Identifier: Apache-2.0
"""The Makefile: what installs packages and what does not, and make install and uninstall. The machine
without a package is one whose dpkg-query does not list it, and whose apt-get only says what it was asked."""
import os
import pathlib
import re
import shutil
import stat
import subprocess

import pytest

from host_tools import BUILD

ROOT = pathlib.Path(__file__).resolve().parents[2]
DPKG_QUERY = shutil.which("dpkg-query")
MISSING = "libyaml-dev"
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make")


def make(*arguments, **more):
    return subprocess.run(["make", "-C", ROOT, "--no-print-directory", *map(str, arguments)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, **more)


# --- packages ---

class Bare:
    def __init__(self, folder):
        self.asked = folder / "asked"
        tools = folder / "tools"
        tools.mkdir()
        for name, text in {
                "dpkg-query": f"{DPKG_QUERY} \"$@\" | grep -v '^{MISSING} '",
                "apt-get": f"echo \"$*\" >>{self.asked}; exit 1",
                "id": "echo 0"}.items():
            (tools / name).write_text(f"#!/bin/sh\n{text}\n")
            (tools / name).chmod(0o755)
        self.env = dict(os.environ, PATH=f"{tools}:{os.environ['PATH']}")
        self.build = folder / "build"

    def make(self, *targets):
        return make(f"BUILD={self.build}", *targets, env=self.env)


@pytest.fixture
def bare(tmp_path):
    if DPKG_QUERY is None:
        pytest.skip("no dpkg-query")
    return Bare(tmp_path)


def test_make_alone_installs_nothing_and_says_what_is_missing(bare):
    done = bare.make()
    assert done.returncode != 0 and not bare.asked.exists() and not bare.build.exists()
    assert re.search(rf"^ +{MISSING} +\w", done.stdout, re.M) and "make deps" in done.stdout
    assert "libssl-dev" not in done.stdout


@pytest.mark.parametrize("target", ["deps", "demo", "check", "test", "image", "bench", "tcb"])
def test_other_targets_ask_for_what_is_missing(bare, target):
    """apt-get fails here, and with it the target, before anything is built."""
    done = bare.make(target)
    assert done.returncode != 0 and not bare.build.exists()
    assert bare.asked.read_text() == "-q update\n"
    assert MISSING in done.stdout and "apt-get -q update failed" not in done.stdout


def test_deps_takes_other_tasks(bare):
    done = bare.make("deps", "TASKS=kernel")
    assert done.returncode == 0 and not bare.asked.exists()  # the kernel needs no libyaml


# --- install and uninstall ---

def files_in(folder):
    return {f"/{path.relative_to(folder)}": path for path in folder.rglob("*") if not path.is_dir()}


@pytest.fixture
def install(tmp_path):
    def run(target, **variables):
        given = {"BUILD": BUILD, "DESTDIR": tmp_path / "root", **variables}
        return make(target, *(f"{name}={value}" for name, value in given.items()))
    return run


def test_install_and_uninstall(install, tmp_path):
    root = tmp_path / "root"
    done = install("install", PREFIX="/opt/enclaved")
    assert done.returncode == 0, done.stdout
    files = files_in(root)
    programs = ["enclavectl", "enclave-sim", "enclaved", "enclaved-init", "enclaved-dev"]
    expected = [f"/opt/enclaved/bin/{name}" for name in programs]
    expected += ["/opt/enclaved/libexec/enclaved-run"]
    for name in expected:
        assert stat.S_IMODE(files[name].stat().st_mode) == 0o755
    expected += [f"/opt/enclaved/share/man/man{page[-1]}/{page}"
                 for page in ("enclavectl.1", "enclave-sim.1", "enclaved.8")]
    expected += [f"/opt/enclaved/share/{place}" for name in programs[:2] for place in (
        f"bash-completion/completions/{name}", f"zsh/site-functions/_{name}",
        f"fish/vendor_completions.d/{name}.fish")]
    expected += [f"/etc/systemd/system/{unit.name}" for unit in (ROOT / "deploy/systemd").iterdir()]
    expected += [f"/etc/enclaved/{file.name}" for file in (ROOT / "deploy/etc/enclaved").iterdir()]
    assert sorted(files) == sorted(expected)
    assert (root / "var/lib/enclaved").is_dir()
    for unit in (root / "etc/systemd/system").iterdir():
        assert "/usr/local" not in unit.read_text()
    start = files["/etc/systemd/system/enclaved-relay.service"].read_text()
    assert "ExecStart=/opt/enclaved/bin/enclavectl relay" in start

    done = install("uninstall", PREFIX="/opt/enclaved")
    assert done.returncode == 0 and files_in(root) == {}, done.stdout
    assert not (root / "etc/enclaved").exists() and not (root / "var/lib/enclaved").exists()


@pytest.mark.parametrize("name", ["enclavectl", "enclave-sim"])
def test_what_is_installed_runs(install, tmp_path, name):
    """From its place, and its page and completion are its own."""
    assert install("install").returncode == 0
    local = tmp_path / "root/usr/local"
    done = subprocess.run([local / "bin" / name, "version"], stdout=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout.startswith(name)
    assert name in (local / f"share/man/man1/{name}.1").read_text()
    for place in f"bash-completion/completions/{name}", f"zsh/site-functions/_{name}":
        text = (local / "share" / place).read_text()
        assert name in text and "help" in text


def test_uninstall_keeps_what_was_changed(install, tmp_path):
    root = tmp_path / "root"
    assert install("install", UNITDIR="/usr/lib/systemd/system").returncode == 0
    assert (root / "usr/lib/systemd/system/enclaved.target").exists()
    (root / "etc/enclaved/host.env").write_text("KMS_ENDPOINT=mine\n")
    (root / "etc/enclaved/tsk.b64").write_text("AAAA\n")
    (root / "var/lib/enclaved/enclaved.eif").touch()
    done = install("uninstall", UNITDIR="/usr/lib/systemd/system")
    assert done.returncode == 0 and f"kept {root}/etc/enclaved/host.env" in done.stdout
    assert sorted(files_in(root)) == ["/etc/enclaved/host.env", "/etc/enclaved/tsk.b64",
                                      "/var/lib/enclaved/enclaved.eif"]
    assert install("uninstall").returncode == 0  # once more is fine


@pytest.mark.parametrize("target", ["install", "uninstall"])
def test_destdir_may_be_left_out(target):
    """As whoever types make install leaves it out. Neither touches this machine: the script refuses PREFIX
    after it has read the options."""
    done = make(target, f"BUILD={BUILD}", "PREFIX=relative")
    assert done.returncode != 0 and "relative: want an absolute path" in done.stdout, done.stdout


@pytest.mark.parametrize("variable", ["PREFIX=relative", "PREFIX=/a|b", "UNITDIR=x"])
def test_folders_that_units_cannot_name(install, tmp_path, variable):
    name, value = variable.split("=")
    done = install("install", **{name: f"'{value}'"})
    assert done.returncode != 0 and "want an absolute path" in done.stdout
    assert not (tmp_path / "root").exists()
