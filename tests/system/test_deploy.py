# SPDX-License-Identifier: Apache-2.0
"""deploy/ and docs/deploying.md: the units by systemd's own checks and against the system calls that
the programs make, the wrapper of the enclave against a stand-in for nitro-cli, and every command that
the document names against the program that it names."""
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess

import pytest

from host_tools import BUILD, CTL, FakeEnclaved, FakeMetadata, clean_environment

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
SERVICES = [u for u in UNITS if u.suffix == ".service"]
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd")


def run(*command, **more):
    return subprocess.run([str(c) for c in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=120, **more)


# --- installing, and the units ---

@pytest.fixture
def installed(tmp_path):
    """The tree after deploy/install, whose units name programs that are there."""
    prefix = tmp_path / "usr"
    done = run(DEPLOY / "install", "--prefix", prefix, "--destdir", tmp_path / "root",
               env=dict(os.environ, BUILD=os.path.relpath(BUILD, ROOT)))
    assert done.returncode == 0, done.stdout
    shutil.copytree(f"{tmp_path}/root{prefix}", prefix)
    return tmp_path / "root"


def test_install_keeps_what_is_configured(installed, tmp_path):
    env_file = installed / "etc/enclaved/host.env"
    env_file.write_text("KMS_ENDPOINT=mine\n")
    unit = installed / "etc/systemd/system/enclaved-relay.service"
    unit.write_text("old")
    done = run(DEPLOY / "install", "--prefix", tmp_path / "usr", "--destdir", installed,
               env=dict(os.environ, BUILD=os.path.relpath(BUILD, ROOT)))
    assert done.returncode == 0 and f"kept {env_file}" in done.stdout
    assert env_file.read_text() == "KMS_ENDPOINT=mine\n"
    assert "ExecStart=" in unit.read_text() and "/usr/local/" not in unit.read_text()
    assert not list(installed.rglob("*.new"))
    assert sorted(p.name for p in unit.parent.iterdir()) == [u.name for u in UNITS]


@pytest.mark.parametrize("arguments", [["--prefix"], ["--nonsense", "x"], ["x"]])
def test_install_refuses(arguments):
    done = run(DEPLOY / "install", *arguments)
    assert done.returncode == 2 and done.stdout.startswith("usage:")


def test_install_without_a_build(tmp_path):
    done = run(DEPLOY / "install", "--destdir", tmp_path / "x", env=dict(os.environ, BUILD="nowhere"))
    assert done.returncode == 1 and "run make" in done.stdout and not (tmp_path / "x").exists()


@needs_systemd
def test_units_are_what_systemd_takes(installed):
    units = sorted((installed / "etc/systemd/system").iterdir())
    done = run("systemd-analyze", "verify", "--man=no", *units)
    # what it says of units of this machine is not about ours
    told = [line for line in done.stdout.splitlines() if "enclaved" in line]
    assert done.returncode == 0 and told == [], done.stdout


@needs_systemd
def test_verify_would_notice(installed):
    unit = installed / "etc/systemd/system/enclaved-relay.service"
    unit.write_text(unit.read_text().replace("PrivateUsers=yes", "PrivateUser=yes"))
    assert "PrivateUser" in run("systemd-analyze", "verify", "--man=no", unit).stdout


@needs_systemd
@pytest.mark.parametrize("unit", SERVICES, ids=lambda u: u.name)
def test_units_are_hardened(unit):
    """As docs/deploying.md says: a figure of systemd's own, from 0 (sealed) to 10."""
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", unit)
    level = re.search(r"exposure level for \S+: ([0-9.]+) (\w+)", done.stdout)
    assert done.returncode == 0 and float(level.group(1)) <= 2.0, done.stdout
    if " 252 " not in run("systemd-analyze", "--version").stdout:
        return  # the figure in docs/deploying.md is that of Debian 12's systemd, and Amazon Linux 2023's
    row = next(line for line in (ROOT / "docs/deploying.md").read_text().splitlines()
               if line.startswith(f"| `{unit.name}`"))
    assert row.rstrip(" |").endswith(f"{level.group(1)} {level.group(2)}"), level.group(0)


def settings(unit):
    """The settings of a unit; lines that go on are joined."""
    text = unit.read_text().replace("\\\n", " ")
    return [line.split("=", 1) for line in text.splitlines() if "=" in line and line[0] not in "#["]


def command_of(unit, which="ExecStart"):
    return shlex.split(next(v for k, v in settings(unit) if k == which))


def test_units_name_one_another():
    known = {u.name for u in UNITS} | {"nitro-enclaves-allocator.service", "network-online.target",
                                       "multi-user.target"}
    for unit in UNITS:
        for key, value in settings(unit):
            if key in ("After", "Wants", "PartOf", "WantedBy"):
                assert set(value.split()) <= known, (unit.name, value)
    order = {u.name: dict(settings(u)).get("After", "") for u in SERVICES}
    assert "enclaved-relay.service" in order["enclaved-enclave.service"]
    assert "nitro-enclaves-allocator.service" in order["enclaved-enclave.service"]
    assert "enclaved-enclave.service" in order["enclaved-configure.service"]


def test_the_relays_status_has_one_path():
    """Unit, pages, manual and help; by default doctor looks there."""
    helps = "".join(run(CTL, command, "--help").stdout for command in ("relay", "doctor"))
    texts = [helps, *(path.read_text() for folder in ("deploy", "docs") for path in
                      sorted((ROOT / folder).rglob("*")) if path.is_file())]
    found = [re.findall(r"unix:(/run/[\w/-]*relay[\w./-]*)", text) for text in texts]
    assert len(found[0]) > 2 and sum(map(bool, found)) > 3
    assert {path for paths in found for path in paths} == {"/run/enclaved-relay/status"}


@needs_systemd
def test_units_do_not_go_round_in_circles(installed):
    done = run("systemd-analyze", "verify", "--man=no",
               installed / "etc/systemd/system/enclaved.target",
               env=dict(os.environ,
                        SYSTEMD_UNIT_PATH=f"{installed}/etc/systemd/system:/lib/systemd/system"))
    assert "cycle" not in done.stdout.lower(), done.stdout


# --- what the programs do under the units' filters ---

def allowed_calls(unit):
    """The system calls that a unit's SystemCallFilter leaves, by systemd's own lists."""
    def members(group):
        names = set()
        for line in run("systemd-analyze", "syscall-filter", "--no-pager", group).stdout.splitlines()[1:]:
            word = line.strip()
            if word and word[0] != "#":
                names |= members(word) if word[0] == "@" else {word}
        return names

    allowed = set()
    for key, value in settings(unit):
        if key == "SystemCallFilter":
            taken = set().union(*(members(g.lstrip("~")) for g in value.split()))
            allowed = allowed - taken if value[0] == "~" else allowed | taken
    assert "read" in allowed and "mount" not in allowed
    return allowed


def calls_in(trace):
    return set(re.findall(r"^(?:\d+ +)?(\w+)\(", trace.read_text(errors="replace"), re.M))


def child_of(pid):
    """Of strace the program that it watches."""
    return int(pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


needs_strace = pytest.mark.skipif(shutil.which("strace") is None or "asan" in BUILD or "tsan" in BUILD,
                                  reason="no strace, or a build that it does not go with")


@needs_systemd
@needs_strace
def test_configuration_makes_no_call_that_its_unit_forbids(tmp_path):
    trace, unit = tmp_path / "trace", DEPLOY / "systemd/enclaved-configure.service"
    tsk = tmp_path / "tsk.b64"
    tsk.write_text("AAAA\n")
    credentials = {"Code": "Success", "AccessKeyId": "A", "SecretAccessKey": "s", "Token": "t",
                   "Expiration": "2999-01-01T00:00:00Z"}
    with FakeEnclaved() as fake, FakeMetadata(credentials) as metadata:
        env = clean_environment(tmp_path, AWS_EC2_METADATA_SERVICE_ENDPOINT=metadata.url)
        env.pop("AWS_EC2_METADATA_DISABLED")
        arguments = [fake.address if a.startswith("vsock:") else str(tsk) if a == "%d/tsk" else a
                     for a in command_of(unit)[1:]]
        process = subprocess.Popen(["strace", "-f", "-qq", "-o", trace, CTL, *arguments], env=env,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout.readline(), process.communicate()[1]
        os.kill(child_of(process.pid), signal.SIGTERM)
        process.communicate(timeout=60)
    assert len(fake.configured()) == 1
    made = calls_in(trace)
    assert {"connect", "execve"} <= made and made - allowed_calls(unit) == set()


@needs_systemd
@needs_strace
def test_the_relay_makes_no_call_that_its_unit_forbids(tmp_path):
    trace, unit = tmp_path / "trace", DEPLOY / "systemd/enclaved-relay.service"
    target = socket.create_server(("127.0.0.1", 0))
    port = target.getsockname()[1]
    status = tmp_path / "status"
    command = [w.replace("${KMS_ENDPOINT}:443", f"127.0.0.1:{port}").replace("${ENCLAVE_CID}", "16")
               .replace("vsock:any:8000", f"unix:{tmp_path}/relay").replace("/run/enclaved-relay/status",
                                                                            str(status))
               for w in command_of(unit)[1:]]
    at = command.index("--cid")
    command[at:at + 2] = ["--allow", f"127.0.0.1:{port}"]  # a unix socket has no CID
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(tmp_path / "notify"))
    notify.settimeout(30)
    process = subprocess.Popen(["strace", "-f", "-qq", "-o", trace, CTL, *command],
                               env=dict(clean_environment(tmp_path),
                                        NOTIFY_SOCKET=str(tmp_path / "notify")),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        ready = process.stdout.readline()
        assert ready.startswith(b"ready "), process.communicate()[1]
        assert b"READY=1" in notify.recv(4096)
        with socket.socket(socket.AF_UNIX) as enclave:
            enclave.settimeout(30)
            enclave.connect(str(tmp_path / "relay"))
            peer, _ = target.accept()
            enclave.sendall(b"ping")
            assert peer.recv(4) == b"ping"
            peer.close()
        assert run(CTL, "relay", "--query", f"unix:{status}").returncode == 0
        relay = child_of(process.pid)
        os.kill(relay, signal.SIGHUP)
        os.kill(relay, signal.SIGTERM)
        process.communicate(timeout=60)
    finally:
        process.kill()
        notify.close()
        target.close()
    made = calls_in(trace)
    assert {"accept4", "connect"} <= made and made - allowed_calls(unit) == set()


# --- the enclave as a service ---

NITRO_CLI = """#!/bin/sh
# stands in for nitro-cli: enclaves are files
cd "$FAKE"
echo "$*" >>calls
[ ! -e fail-$1 ] || { echo "[ E29 ] failed" >&2; exit 1; }
case $1 in
run-enclave) touch running ;;
terminate-enclave) rm -f running ;;
describe-enclaves)
    if [ -e running ]; then
        printf '[\\n  {\\n    "EnclaveName": "%s",\\n    "State": "RUNNING"\\n  }\\n]\\n' "$NAME"
    else echo '[]'; fi ;;
esac
"""


class Service:
    """enclaved-run, as its unit starts it, with a nitro-cli that this test made."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "bin").mkdir()
        fake = folder / "bin/nitro-cli"
        fake.write_text(NITRO_CLI)
        fake.chmod(0o755)
        self.config = folder / "run.json"
        shutil.copy(DEPLOY / "etc/enclaved/run-enclave.json", self.config)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(folder / "notify"))
        self.notify.settimeout(60)
        self.env = dict(os.environ, PATH=f"{folder}/bin:{os.environ['PATH']}", FAKE=str(folder),
                        NAME="enclaved", ENCLAVED_POLL_SECONDS="0.1",
                        NOTIFY_SOCKET=str(folder / "notify"))
        self.process = None

    def start(self):
        self.process = subprocess.Popen([DEPLOY / "libexec/enclaved-run", "start", self.config],
                                        env=self.env, stderr=subprocess.PIPE, text=True)
        return self

    def ready(self):
        """As systemd takes it: the state, then the barrier, whose descriptor is let go of."""
        told = b""
        while b"BARRIER=1" not in told:
            told += self.notify.recv(4096)
        assert b"READY=1" in told
        return self

    def ended(self):
        error = self.process.communicate(timeout=60)[1]
        return self.process.returncode, error

    def stop(self):
        return run(DEPLOY / "libexec/enclaved-run", "stop", self.config, env=self.env)

    def running(self):
        return (self.folder / "running").exists()

    def calls(self):
        return [c.split()[0] for c in (self.folder / "calls").read_text().splitlines()]


@pytest.fixture
def service(tmp_path):
    made = Service(tmp_path)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.communicate()
    made.notify.close()


notified = pytest.mark.skipif(shutil.which("systemd-notify") is None, reason="no systemd-notify")


@notified
def test_the_service_lives_as_long_as_the_enclave(service):
    service.start().ready()
    assert service.running() and service.process.poll() is None
    assert f"run-enclave --config {service.config}" in (service.folder / "calls").read_text()
    (service.folder / "running").unlink()  # it panicked
    code, error = service.ended()
    assert code == 1 and "the enclave enclaved has ended" in error


@notified
def test_stopping_the_service_terminates_the_enclave(service):
    service.start().ready()
    assert service.stop().returncode == 0 and not service.running()
    service.process.terminate()
    assert service.ended()[0] in (0, 1)  # it may have seen the end before the signal
    assert service.stop().returncode == 0  # once more is fine


@notified
def test_a_signal_is_no_failure(service):
    service.start().ready()
    service.process.terminate()
    assert service.ended() == (0, "")


@notified
def test_what_was_left_is_cleared_first(service):
    (service.folder / "running").touch()
    service.start().ready()
    assert service.calls()[:3] == ["describe-enclaves", "terminate-enclave", "run-enclave"]


@pytest.mark.slow
@notified
def test_a_name_that_only_starts_alike_is_another_enclave(service):
    service.env["NAME"] = "enclaved-debug"
    (service.folder / "running").touch()
    service.start()
    assert service.ended()[0] == 1  # it does not see its own come up
    assert "terminate-enclave" not in service.calls()


@notified
def test_nitro_cli_that_fails(service):
    (service.folder / "fail-run-enclave").touch()
    service.start()
    code, error = service.ended()
    assert code != 0 and "E29" in error
    (service.folder / "fail-run-enclave").unlink()
    service.start().ready()
    (service.folder / "fail-describe-enclaves").touch()
    code, error = service.ended()
    assert code == 1 and "is not known" in error


@pytest.mark.parametrize("arguments, told", [
    ([], "usage"), (["start"], "usage"), (["restart", "x"], "usage"), (["start", "a", "b"], "usage"),
    (["start", "{empty}"], "no enclave_name"), (["start", "{evil}"], "no enclave_name"),
    (["start", "/nowhere"], "nowhere"),
])
def test_what_the_wrapper_refuses(tmp_path, arguments, told):
    (tmp_path / "empty").write_text("{}")
    (tmp_path / "evil").write_text('{"enclave_name": "a\\"; rm -rf /"}')
    done = run(DEPLOY / "libexec/enclaved-run",
               *[str(tmp_path / a[1:-1]) if a.startswith("{") else a for a in arguments])
    assert done.returncode == 2 and told in done.stdout


# --- files ---

@pytest.mark.parametrize("path", sorted(DEPLOY.rglob("*.json")), ids=lambda path: path.name)
def test_json(path):
    json.loads(path.read_text())


@pytest.mark.parametrize("name, debug", [("run-enclave.json", False), ("run-enclave-debug.json", True)])
def test_what_nitro_cli_reads(name, debug):
    config = json.loads((DEPLOY / "etc/enclaved" / name).read_text())
    # the members of its RunEnclavesArgs; it refuses others
    assert set(config) <= {"enclave_name", "enclave_cid", "eif_path", "memory_mib", "cpu_ids",
                           "debug_mode", "attach_console", "cpu_count"}
    # what the allocator sets aside is enough for it
    assert config["memory_mib"] == 64 and config["debug_mode"] is debug
    assert config["cpu_count"] == 2 and config["enclave_cid"] > 3
    env_file = (DEPLOY / "etc/enclaved/host.env").read_text()
    assert f"ENCLAVE_CID={config['enclave_cid']}\n" in env_file


def test_yaml():
    yaml = pytest.importorskip("yaml")
    allocator = (DEPLOY / "etc/nitro_enclaves/allocator.yaml").read_text()
    assert yaml.safe_load(allocator) == {"memory_mib": 128, "cpu_count": 2}
    # the allocator is a shell script: it reads the lines after ---, each KEY: VALUE and nothing more
    lines = allocator.splitlines()
    assert lines[0] == "---"
    assert all(re.fullmatch(r"#.*|(memory_mib|cpu_count): [0-9]+", line) for line in lines[1:])
    proxy = yaml.safe_load((DEPLOY / "etc/nitro_enclaves/vsock-proxy.yaml").read_text())
    assert proxy == {"allowlist": [{"address": "kms.eu-central-1.amazonaws.com", "port": 443}]}


def test_the_configuration_is_one(tmp_path):
    """But for the roots, which lie in the image."""
    config = json.loads((DEPLOY / "image/enclaved.json").read_text())
    roots = tmp_path / "roots.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "/dev/null",
                    "-subj", "/CN=root", "-out", roots], check=True, stderr=subprocess.DEVNULL)
    config["kms"]["roots_file"] = str(roots)
    path = tmp_path / "enclaved.json"
    path.write_text(json.dumps(config))
    done = run(os.path.join(BUILD, "enclaved"), "--config", path, "--check-config")
    assert done.returncode == 0, done.stdout
    memory = json.loads((DEPLOY / "etc/enclaved/run-enclave.json").read_text())["memory_mib"]
    assert config["limits"]["frame_bytes"] * 16 <= memory << 20


def test_dockerfile_copies_what_is_there():
    """What a linter cannot know: files of this repository, and what nitro-cli makes of the image."""
    text = (DEPLOY / "docker/Dockerfile").read_text().replace("\\\n", " ")
    steps = [line.split(None, 1) for line in text.splitlines() if line and line[0] != "#"]
    stages = [rest for step, rest in steps if step == "FROM"]
    assert stages == ["debian:bookworm-slim AS builder", "scratch"]
    last = steps[[i for i, (step, _) in enumerate(steps) if step == "FROM"][-1]:]
    arguments = dict(rest.split("=", 1) for step, rest in last if step == "ARG")
    for source in (rest.split()[0] for step, rest in last
                   if step == "COPY" and not rest.startswith("--from")):
        assert (ROOT / arguments[source[2:-1]]).is_file()
    names = [step for step, _ in last]
    assert "CMD" in names and "ENV" in names and "ENTRYPOINT" not in names
    assert json.loads(next(rest for step, rest in last if step == "CMD")) == ["/enclaved"]


# What Amazon Linux 2023 has: the libraries, and of each the newest version of a symbol. glibc 2.34,
# OpenSSL 3.0.8, zlib 1.2.11 (whose newest symbols have the version 1.2.9), expat, whose symbols have no
# version there nor in Debian. Its libcurl is not among them: its symbols have no version, those of
# Debian's have one, and the loader complains of the difference.
AMAZON_LINUX = {"libc.so.6": (2, 34), "libcrypto.so.3": (3, 0, 0), "libssl.so.3": (3, 0, 0),
                "libz.so.1": (1, 2, 9), "libexpat.so.1": ()}


def needs_of(program):
    """The libraries that a program is linked to, and of each the versions of symbols that it needs."""
    dynamic = run("readelf", "--dynamic", "--wide", program).stdout
    needs = {library: set() for library in re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)}
    library = None
    for line in run("readelf", "--version-info", "--wide", program).stdout.splitlines():
        if found := re.search(r"Version: \d+ +File: (\S+)", line):
            library = found.group(1)
        elif found := re.search(r"Name: \w+?_([0-9.]+) ", line):
            needs[library].add(tuple(map(int, found.group(1).split("."))))
    return needs


@pytest.mark.skipif(shutil.which("readelf") is None or "asan" in BUILD or "tsan" in BUILD
                    or "cov" in BUILD, reason="not the build that is deployed")
def test_enclavectl_runs_on_amazon_linux():
    needs = needs_of(CTL)
    assert needs["libc.so.6"] and needs["libcrypto.so.3"]
    assert needs.keys() <= AMAZON_LINUX.keys()
    for library, versions in needs.items():
        assert all(version <= AMAZON_LINUX[library] for version in versions), (library, versions)


def test_libcurl_is_wanted_only_where_it_is_used(tmp_path):
    """Without it the other commands run, and those that need it say what to install."""
    (tmp_path / "libcurl.so.4").touch()  # the loader finds this one first, and refuses it
    (tmp_path / "tsk").write_text("AAAA\n")
    env = clean_environment(tmp_path, LD_LIBRARY_PATH=str(tmp_path))
    env.pop("AWS_EC2_METADATA_DISABLED")
    assert run(CTL, "version", env=env).returncode == 0
    done = run(CTL, "configure", "--to", f"unix:{tmp_path}/none", "--wrapped-tsk-file", tmp_path / "tsk",
               env=env)
    assert done.returncode != 0 and "install libcurl" in done.stdout


# --- the pages ---

def commands_in(page):
    """Every command line of a page: indented blocks, continued lines joined, and code in text."""
    text = (ROOT / page).read_text()
    blocks = re.sub(r"\\\n\s*", "", "\n".join(
        line[4:] for line in text.splitlines() if line.startswith("    ")))
    inline = re.findall(r"`([^`]+)`", re.sub(r"(?m)^    .*$", "", text))
    return [line for line in [*blocks.splitlines(), *inline]
            if re.match(r"(build/)?(enclavectl|enclave-sim) [a-z]", line)]


HELP = {}  # by the words of a command: its help


def help_of(words):
    """The text of --help for the longest command that these words name."""
    program = os.path.basename(words[0])
    names = []
    for word in words[1:3]:
        if word.startswith("-") or not re.fullmatch("[a-z]+", word):
            break
        names.append(word)
    if len(names) > 1 and names[0] not in ("image", "policy"):
        names = names[:1]
    key = (program, *names)
    if key not in HELP:
        done = run(os.path.join(BUILD, program), *names, "--help")
        assert done.returncode == 0, f"{' '.join(key)} --help: {done.stdout}"
        HELP[key] = done.stdout
    return HELP[key]


PAGES = ["README.md", *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES)
def test_commands_exist_with_their_options(page):
    lines = commands_in(page)
    assert len(lines) >= 5 or page not in ("docs/deploying.md", "docs/key-policy.md")
    for line in lines:
        words = shlex.split(line.replace("…", ""))
        known = set(re.findall(r"^ +(--[a-z0-9-]+)", help_of(words), re.M))
        used = {w.split("=")[0] for w in words if w.startswith("--")}
        assert used <= known | {"--help"}, line


def test_files_that_the_page_names_exist():
    text = (ROOT / "docs/deploying.md").read_text()
    for name in re.findall(r"\bdeploy/[\w./-]*\w", text):
        assert (ROOT / name).exists(), name
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    for target in re.findall(r"\bmake ([a-z-]+)", "\n".join(
            line for line in text.splitlines() if line.startswith("    "))):
        assert target in targets, target
    for unit in re.findall(r"`(enclaved-\w+\.service)`", text):
        assert (DEPLOY / "systemd" / unit).exists()


def test_what_was_not_run_is_marked():
    """Each section that needs Nitro, Docker or AWS says that it has not been run."""
    sections = re.split(r"^## ", (ROOT / "docs/deploying.md").read_text(), flags=re.M)[1:]
    for section in sections:
        title, body = section.split("\n", 1)
        blocks = "\n".join(line.partition(" #")[0] for line in body.splitlines()
                           if line.startswith("    ") and "sudo apt-get" not in line)
        if re.search(r"\b(aws|docker|sudo|systemctl) ", blocks):
            assert "¹" in section, title


