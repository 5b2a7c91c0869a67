# SPDX-License-Identifier: Apache-2.0
"""enclavectl dev with the real programs: ready, used, renewed, kept, and nothing left over."""
import json
import os
import signal
import subprocess

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from enclave_tools import wait_until
from host_tools import BUILD, CTL, clean_environment, ctl

pytestmark = pytest.mark.skipif(
    not all(os.path.exists(os.path.join(BUILD, p)) for p in ("enclave-sim", "enclaved-dev")),
    reason="enclave-sim or enclaved-dev is not built")


@pytest.fixture
def env(tmp_path):
    return clean_environment(tmp_path)


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def name_of(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        parts = file.read().split(b"\0")
    return os.path.basename(parts[0]).decode() + " " + parts[1].decode()


class Dev:
    def __init__(self, env, *arguments):
        self.process = subprocess.Popen([CTL, "dev", *map(str, arguments)], env=env,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.first = self.process.stdout.readline().decode()
        if not self.first:
            raise AssertionError(self.process.communicate()[1].decode())
        self.children = children_of(self.process.pid)

    @property
    def address(self):
        assert self.first.startswith("ready ") and self.first.endswith("\n")
        return self.first.split()[1]

    def child(self, name):
        return next(pid for pid in self.children if name_of(pid).startswith(name))

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        wait_until(lambda: not any(map(is_alive, self.children)), what="end of the children")
        return self.process.returncode, out.decode(), err.decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate(timeout=30)


def folder_in(err):
    """The state folder that dev names on standard error."""
    return err.split("logs and policy in ")[1].split("\n")[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ready_used_and_gone(env, number):
    with Dev(env) as dev:
        assert dev.address.startswith("tcp:127.0.0.1:") and len(dev.children) == 3
        done = ctl("pipeline", "--to", dev.address, "--payload", '{"n": 1}', "--json", env=env)
        assert done.returncode == 0, done.stderr
        health = json.loads(ctl("health", "--to", dev.address, "--json", env=env).stdout)
        assert health["state"] == "ready"
        code, out, err = dev.stop(number)
    assert (code, out) == (0, "")
    assert not os.path.exists(os.path.dirname(folder_in(err)))
    assert json.loads(done.stdout)["agent_a"] not in err


def test_given_key_opens_what_is_sealed(env, tmp_path):
    tsk = os.urandom(32)
    (tmp_path / "tsk").write_text(tsk.hex() + "\n")
    with Dev(env, "--tsk-file", tmp_path / "tsk", "--state", tmp_path / "kept") as dev:
        done = ctl("pipeline", "--to", dev.address, "--payload", "[1.50]", "--json", env=env)
        sealed = bytes.fromhex(json.loads(done.stdout)["agent_b"])
        code, _, err = dev.stop()
    state = json.loads(AESGCM(tsk).decrypt(sealed[:12], sealed[12:], None), parse_float=str)
    assert (state["agent"], state["iteration"]) == ("B", 2)
    assert state["data"]["input_received"] == ["1.50"]
    # neither the key nor a secret is in the files or the output, except where the simulator reads it
    files = [path for path in (tmp_path / "kept").rglob("*") if path.is_file()]
    logs = [path.read_text() for path in files if path.suffix == ".log"]
    assert len(logs) == 3
    for path in files:
        assert path.stat().st_mode & 0o077 == 0 or path.suffix == ".pem"
        assert tsk.hex().encode() not in path.read_bytes()
    secrets = [c["secret_access_key"]
               for c in json.loads((tmp_path / "kept" / "credentials.json").read_text())]
    said = err + "".join(logs)
    assert secrets and code == 0 and not any(secret in said for secret in secrets + [tsk.hex()])


def test_secrets_on_no_command_line(env, tmp_path):
    with Dev(env, "--state", tmp_path / "kept") as dev:
        secrets = [value for entry in json.loads((tmp_path / "kept/credentials.json").read_text())
                   for name, value in entry.items() if name in ("secret_access_key",
                                                                 "session_token")]
        for pid in [dev.process.pid, *dev.children]:
            for name in ("cmdline", "environ"):
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    text = file.read()
                assert not any(secret.encode() in text for secret in secrets)
        assert dev.stop()[0] == 0


@pytest.mark.slow
def test_kept_folder_is_used_again(env, tmp_path):
    kept = tmp_path / "kept"
    sealed, arns = [], []
    for _ in range(2):
        with Dev(env, "--state", kept, "--json") as dev:
            told = json.loads(dev.first)
            arns.append(told["kms_key"])
            measured = json.loads((kept / "measurements.json").read_text())["Measurements"]["PCR0"]
            assert measured == told["pcr0"]
            if not sealed:
                done = ctl("invoke", "--to", told["ready"], "--mode", "A", "--payload", "1", env=env)
                sealed.append(done.stdout)
            done = ctl("invoke", "--to", told["ready"], "--mode", "B", "-", stdin=sealed[0], env=env)
            assert done.returncode == 0, done.stderr
            assert dev.stop()[0] == 0
    assert arns[0] == arns[1]
    assert sorted(os.listdir(kept)) == ["credentials.json", "enclaved.json", "enclaved.log",
                                        "key-arn", "kms-ca.pem", "kms.db", "kms.log",
                                        "measurements.json", "nsm", "nsm-root.pem", "nsm.log",
                                        "policy.json", "tsk.b64"]


def test_policy_demands_the_measurement(env, tmp_path):
    with Dev(env, "--state", tmp_path / "kept") as dev:
        arguments = ["doctor", "--policy", tmp_path / "kept/policy.json", "--measurements"]
        good = ctl(*arguments, tmp_path / "kept/measurements.json", "--to", dev.address, "--json",
                   env=env)
        checks = {c["check"]: c for c in json.loads(good.stdout)["checks"]}
        assert checks["policy"]["result"] == checks["service"]["result"] == "ok"
        (tmp_path / "other.json").write_text(json.dumps({"PCR0": "ab" * 48}))
        bad = ctl(*arguments, tmp_path / "other.json", "--json", env=env)
        assert bad.returncode == 1
        condition = next(c for c in json.loads(bad.stdout)["checks"] if c["check"] == "condition")
        assert "actual " + "ab" * 48 in condition["cause"]
        assert dev.stop()[0] == 0


@pytest.mark.slow
def test_credentials_are_renewed(env, tmp_path):
    with Dev(env, "--credential-seconds", "10") as dev:
        def expiry():
            return json.loads(ctl("health", "--to", dev.address, "--json",
                                  env=env).stdout)["credentials_expire"]
        # The first renewal has certainly been reported when the second one shows.
        for _ in range(2):
            before = expiry()
            wait_until(lambda last=before: expiry() > last, what="renewal")
        code, _, err = dev.stop()
    assert code == 0 and "session credentials renewed" in err


@pytest.mark.parametrize("name, told", [
    ("enclaved-dev", "enclaved was killed by signal 9"),
    ("enclave-sim kms", "kms was killed by signal 9"),
    ("enclave-sim nsm", "nsm was killed by signal 9"),
])
def test_a_child_dies(env, name, told):
    with Dev(env) as dev:
        os.kill(dev.child(name), signal.SIGKILL)
        _, err = dev.process.communicate(timeout=60)
        assert dev.process.returncode == 1 and told in err.decode()
        assert "its log ends: 2" in err.decode()
        wait_until(lambda: not any(map(is_alive, dev.children)), what="end of the children")
    assert not os.path.exists(os.path.dirname(folder_in(err.decode())))


def test_children_die_with_it(env):
    with Dev(env) as dev:
        dev.process.kill()
        _, err = dev.process.communicate(timeout=30)
        wait_until(lambda: not any(map(is_alive, dev.children)), what="end of the children")
    run = os.path.dirname(folder_in(err.decode()))  # kill -9 leaves no chance to tidy up
    subprocess.run(["rm", "-r", run], check=True)


@pytest.mark.parametrize("arguments, code, told", [
    (["--tsk-file", "/no/such"], 5, "cannot open /no/such"),
    (["--listen", "tcp:1.2.3.4:1"], 5, "enclaved"),
    (["--listen", "nonsense"], 2, "not an address"),
    (["--state", "/proc/none"], 5, "cannot make the folder"),
])
def test_failures(env, arguments, code, told):
    done = ctl("dev", *arguments, env=env)
    assert done.returncode == code, done.stderr
    assert told in done.stderr.decode() and done.stdout == b""


def test_kept_folder_is_used_by_one_at_a_time(env, tmp_path):
    with Dev(env, "--state", tmp_path / "kept") as dev:
        before = (tmp_path / "kept" / "credentials.json").read_text()
        done = ctl("dev", "--state", tmp_path / "kept", env=env)
        assert done.returncode == 5 and b"is in use" in done.stderr
        assert (tmp_path / "kept" / "credentials.json").read_text() == before
        assert dev.stop()[0] == 0


@pytest.mark.parametrize("text", ["", "00", "zz" * 32, "00" * 33])
def test_bad_tsk_file(env, tmp_path, text):
    (tmp_path / "tsk").write_text(text)
    done = ctl("dev", "--tsk-file", tmp_path / "tsk", env=env)
    assert done.returncode == 2 and b"64 hex digits" in done.stderr


def test_unix_socket(env, tmp_path):
    path = tmp_path / "s"
    with Dev(env, "--listen", f"unix:{path}") as dev:
        assert dev.address == f"unix:{path}"
        assert ctl("health", "--to", dev.address, env=env).returncode == 0
        assert dev.stop()[0] == 0


def test_where_its_folder_is(env, tmp_path):
    runtime, temporary = tmp_path / "r", tmp_path / "t"
    runtime.mkdir()
    temporary.mkdir()
    long = tmp_path / ("x" * 80)
    long.mkdir()
    for variables, used in [({"XDG_RUNTIME_DIR": runtime, "TMPDIR": temporary}, runtime),
                            ({"XDG_RUNTIME_DIR": long, "TMPDIR": temporary}, temporary),
                            ({"TMPDIR": temporary}, temporary)]:
        env = {k: v for k, v in env.items() if k not in ("XDG_RUNTIME_DIR", "TMPDIR")}
        with Dev({**env, **{k: str(v) for k, v in variables.items()}}) as dev:
            assert [p.name.split(".")[0] for p in used.iterdir()] == ["enclavectl-dev"]
            assert dev.stop()[0] == 0
        assert list(runtime.iterdir()) == list(temporary.iterdir()) == list(long.iterdir()) == []
