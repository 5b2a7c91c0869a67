# SPDX-License-Identifier: Apache-2.0
"""The trusted binary itself, without any help for development."""
import itertools
import json
import os
import shutil
import subprocess

import pytest

from enclave_tools import is_sanitized
from kms_tools import BUILD

ENCLAVED = os.path.join(BUILD, "enclaved")
DEV = os.path.join(BUILD, "enclaved-dev")
CONFIG = {"listen": "vsock:any:5000",
          "kms": {"key_arn": "arn:aws:kms:eu-central-1:111122223333:key/1234abcd",
                  "roots_file": "roots.pem"}}


def is_static():
    out = subprocess.run(["readelf", "-d", ENCLAVED], stdout=subprocess.PIPE, check=True).stdout
    return b"NEEDED" not in out


@pytest.fixture
def config(tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-keyout", tmp_path / "key.pem", "-out", tmp_path / "roots.pem",
                    "-subj", "/CN=root", "-days", "2"], check=True, stderr=subprocess.DEVNULL)
    path = tmp_path / "enclaved.json"
    path.write_text(json.dumps(
        {**CONFIG, "kms": {**CONFIG["kms"], "roots_file": str(tmp_path / "roots.pem")}}))
    return path


def run(*arguments, program=ENCLAVED, **options):
    return subprocess.run([program, *map(str, arguments)], capture_output=True,
                          text=True, timeout=60, **options)


def test_it_runs_in_an_empty_root(tmp_path):
    if not is_static():
        pytest.skip("this build of enclaved is not static (a sanitizer's)")
    if os.geteuid() != 0:
        pytest.skip("chroot needs root")
    shutil.copy(ENCLAVED, tmp_path / "init")
    result = subprocess.run(["chroot", str(tmp_path), "/init", "--version"], stdout=subprocess.PIPE)
    assert result.returncode == 0 and result.stdout.startswith(b"enclaved ")
    result = subprocess.run(["chroot", str(tmp_path), "/init"], stderr=subprocess.PIPE)
    assert result.returncode == 3 and b"/etc/enclaved/enclaved.json" in result.stderr


def test_it_has_no_switch_for_a_simulator(config):
    for arguments in (["--nsm", "unix:/tmp/x"], ["--nsm=unix:/tmp/x"]):
        result = run("--config", config, *arguments)
        assert result.returncode == 2 and "nsm" in result.stderr
    assert "--nsm" not in run("--help").stdout
    assert "--nsm" in run("--help", program=DEV).stdout
    with open(ENCLAVED, "rb") as file:
        binary = file.read()
    assert b"simulated module" not in binary


@pytest.mark.parametrize("address", ["tcp:127.0.0.1:0", "unix:/tmp/x"])
def test_it_speaks_vsock_only(config, address):
    """The error names the program that has the other addresses; that program takes them."""
    result = run("--config", config, "--listen", address, "--check-config")
    assert result.returncode == 3
    assert "vsock:CID:PORT" in result.stderr and "enclaved-dev" in result.stderr
    whole = json.loads(config.read_text())
    for part in ({"listen": address}, {"kms": {**whole["kms"], "relay": address}}):
        config.write_text(json.dumps({**whole, **part}))
        result = run("--config", config, "--check-config")
        assert result.returncode == 3 and "enclaved-dev" in result.stderr
        assert run("--config", config, "--check-config", program=DEV).returncode == 0


def test_without_the_module_it_says_why_and_what_to_do(config):
    if os.path.exists("/dev/nsm"):
        pytest.skip("this machine has an NSM")
    for program in (ENCLAVED, DEV):
        result = run("--config", config, program=program)
        assert result.returncode == 4
        assert "/dev/nsm" in result.stderr and "not a Nitro enclave" in result.stderr
        assert len(result.stderr.strip().splitlines()) <= 2
        assert "ready" not in result.stdout


def test_check_config(config, tmp_path):
    result = run("--config", config, "--check-config")
    assert result.returncode == 0
    assert "kms.eu-central-1.amazonaws.com" in result.stdout
    (tmp_path / "roots.pem").write_text("no certificate")
    result = run("--config", config, "--check-config")
    assert result.returncode == 3 and "root" in result.stderr
    (tmp_path / "roots.pem").unlink()
    result = run("--config", config, "--check-config")
    assert result.returncode == 3 and "roots.pem" in result.stderr
    config.write_text("{")
    result = run("--config", config, "--check-config")
    assert result.returncode == 3 and "JSON" in result.stderr


def test_check_config_with_other_roots(config, tmp_path):
    """The file that the configuration names is in the image, not on the machine that builds it."""
    whole = json.loads(config.read_text())
    roots = whole["kms"]["roots_file"]
    whole["kms"]["roots_file"] = "/etc/enclaved/roots.pem"
    config.write_text(json.dumps(whole))
    assert run("--config", config, "--check-config").returncode == 3
    result = run("--config", config, "--check-config", "--roots", roots)
    assert result.returncode == 0, result.stderr
    other = tmp_path / "other.pem"
    other.write_text("no certificate")
    result = run("--config", config, "--check-config", "--roots", other)
    assert result.returncode == 3 and "root" in result.stderr
    result = run("--config", config, "--check-config", "--roots", tmp_path / "nowhere.pem")
    assert result.returncode == 3 and "nowhere.pem" in result.stderr


def test_roots_are_configured_and_never_an_option_of_the_service(config):
    for program in (ENCLAVED, DEV):
        result = run("--config", config, "--roots", config, program=program)
        assert result.returncode == 2 and "--check-config" in result.stderr


@pytest.mark.parametrize("arguments", [
    ["--unknown"], ["stray"], ["--config"], ["--conf", "x"], ["--verbose=1"], ["--check-config="], [""],
    ["--"]])
def test_wrong_usage(arguments):
    result = run(*arguments)
    assert result.returncode == 2
    assert "--help" in result.stderr
    assert len(result.stderr.strip().splitlines()) <= 2


def test_an_option_and_its_value_may_be_joined(config):
    assert run(f"--config={config}", "--check-config").returncode == 0


def test_help_and_version():
    text = run("--help").stdout
    for word in ("--config", "--listen", "--check-config", "ENCRYPTED_TSK", "examples"):
        assert word in text
    assert run("--version").stdout.split()[0] == "enclaved"


def test_without_vsock_the_alternatives_are_named(config):
    """On a kernel without AF_VSOCK; where it is there, the address simply works."""
    result = run("--config", config, "--listen", "vsock:any:70000000000")
    assert result.returncode == 3 and "vsock:CID:PORT" in result.stderr


def test_memory_that_cannot_be_locked_is_fatal_in_an_enclave(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("dropping privileges needs root")
    if is_sanitized():
        pytest.skip("a sanitizer needs more memory than may be locked here")
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all",
            "--bounding-set=-all"]
    # 8 MiB, a developer's usual limit, would take the process but not a thread's stack
    for limit, (program, code, text) in itertools.product((0, 65536, 8 << 20), (
            (ENCLAVED, 1, "RLIMIT_MEMLOCK"), (DEV, 3, "memory is not locked"))):
        with open(program, "rb") as file:  # an unprivileged user may not reach the build folder
            command = ["prlimit", f"--memlock={limit}:{limit}", *drop,
                       f"/proc/self/fd/{file.fileno()}", "--config", "/nonexistent"]
            result = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=60,
                                    pass_fds=[file.fileno()])
        assert result.returncode == code and text in result.stderr, result.stderr
