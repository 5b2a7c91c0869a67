# SPDX-License-Identifier: Apache-2.0
"""enclavectl relay: bytes, ends, limits, the list of destinations, and what it reports of itself."""
import contextlib
import json
import os
import re
import resource
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

from enclave_tools import Enclaved, wait_until
from host_tools import CTL, ctl
from relay_tools import (Destination, Relay, ends_without_a_byte, notify_socket, read_all, read_exactly,
                         reset)

MIB = 1 << 20


@pytest.fixture
def run(tmp_path):
    """Starts relays; each must end well."""
    started = []

    def start(to, *options, **more):
        folder = tmp_path / str(len(started))
        folder.mkdir()
        relay = Relay(folder, to, *options, **more)
        started.append(relay)
        return relay

    yield start
    with contextlib.ExitStack() as ends:
        for relay in started:
            ends.callback(relay.end)


@pytest.fixture
def destination():
    made = []

    def make(serve=None, **options):
        made.append(Destination(serve, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


# --- bytes and their ends ------------------------------------------------------------------------

def test_the_clients_end_is_passed_on_and_the_answer_comes_back(run, destination):
    """The destination answers only after the end of what it was sent: half-close, this way."""
    got = []

    def serve(connection):
        got.append(read_all(connection))
        connection.sendall(got[0][::-1])
        connection.close()

    relay = run(destination(serve).name)
    data = os.urandom(5 * MIB + 7)
    with relay.connect() as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == data[::-1]
    assert got == [data]
    route = relay.wait_for(lambda r: r["complete"] == 1, "complete")
    assert (route["bytes_up"], route["bytes_down"]) == (len(data), len(data))
    assert route["open"] == 0 and route["accepted"] == 1 and not any(route["failed"].values())


def test_the_destinations_end_is_passed_on_and_the_client_goes_on(run, destination):
    """And the other way round: the client sends after the end of what it got."""
    data = os.urandom(3 * MIB + 1)
    got = []

    def serve(connection):
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        got.append(read_all(connection))
        connection.close()

    relay = run(destination(serve).name)
    with relay.connect() as client:
        assert read_all(client) == data
        client.sendall(data[1:])
        client.shutdown(socket.SHUT_WR)
        relay.wait_for(lambda r: r["complete"] == 1, "complete")
    assert wait_until(lambda: got, what="all at the destination") == [data[1:]]
    assert relay.route()["bytes_up"] == len(data) - 1


def test_both_directions_at_once(run, destination):
    relay = run(destination().name)
    data = os.urandom(24 * MIB)
    with relay.connect() as client:
        sender = threading.Thread(target=lambda: (client.sendall(data),
                                                  client.shutdown(socket.SHUT_WR)))
        sender.start()
        assert read_all(client) == data
        sender.join()
    relay.wait_for(lambda r: r["complete"] == 1, "complete")


def test_what_was_sent_before_an_end_arrives_however_slowly_it_is_read(run, destination):
    """The destination sends, closes and is gone; the client begins to read only then."""
    data = os.urandom(6 * MIB)
    gone = threading.Event()

    def serve(connection):
        connection.sendall(data)
        connection.close()
        gone.set()

    relay = run(destination(serve).name)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        client.settimeout(30)
        host, port = relay.addresses[0][4:].split(":")
        client.connect((host, int(port)))
        got = read_exactly(client, 1000)
        gone.wait(1)  # as far as the kernels' buffers take it
        client.shutdown(socket.SHUT_WR)
        assert got + read_all(client) == data
    assert gone.wait(30)


def test_a_client_that_sends_and_leaves_loses_nothing(run, destination, tmp_path):
    got = []
    arrived = threading.Event()

    def serve(connection):
        got.append(read_all(connection))
        arrived.set()
        connection.close()

    relay = run(destination(serve).name, listen=f"unix:{tmp_path}/in.sock")
    client = relay.connect()
    client.sendall(b"the last words")
    client.close()
    assert arrived.wait(30) and got == [b"the last words"]


@pytest.mark.parametrize("who", ["destination", "client"])
def test_a_reset_is_passed_on_behind_what_was_sent(run, destination, who):
    there = destination(lambda connection: None)
    relay = run(there.name)
    client = relay.connect()
    client.sendall(b"q")
    far = there.taken()
    assert read_exactly(far, 1) == b"q"
    breaker, other = (far, client) if who == "destination" else (client, far)
    breaker.sendall(b"x" * 1000)
    assert read_exactly(other, 1000) == b"x" * 1000
    reset(breaker)
    with pytest.raises(ConnectionResetError):
        other.recv(1)
    other.close()
    route = relay.wait_for(lambda r: r["failed"]["reset"] == 1, "reset counted")
    assert route["open"] == 0 and route["complete"] == 0
    assert f"the {who} broke the connection off" in relay.log() and "xxxx" not in relay.log()


def test_a_client_that_leaves_before_the_last_bytes(run, destination):
    """It has ended properly and does not wait for more: no failure, and the destination learns of it."""
    told = threading.Event()

    def serve(connection):
        connection.sendall(b"answer")
        assert read_all(connection) == b"request"
        try:
            while True:
                connection.sendall(b"farewell" * 1000)
        except ConnectionError:
            told.set()

    relay = run(destination(serve).name)
    with relay.connect() as client:
        client.sendall(b"request")
        assert read_exactly(client, 6) == b"answer"
    route = relay.wait_for(lambda r: r["left"] == 1, "left")
    assert told.wait(30)
    assert route["open"] == 0 and route["complete"] == 0 and not any(route["failed"].values())
    assert "broke" not in relay.log()


def test_an_answer_before_the_request_was_read_arrives(run, destination):
    """The destination answers and leaves while it is still being sent to, so that a reset follows."""
    def serve(connection):
        connection.recv(1)
        connection.sendall(b"no more of that" * 1000)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)
        connection.close()  # with bytes unread: a reset

    relay = run(destination(serve).name)
    with relay.connect() as client:
        client.sendall(b"y" * 200_000)
        assert read_all(client) == b"no more of that" * 1000


# --- one never holds another ---------------------------------------------------------------------

def test_two_hundred_and_some_that_hang(run, destination):
    """One client never reads what is pushed at it, one never writes, one destination never reads; 200
    others are served meanwhile, all at once."""
    def serve(connection):
        kind = connection.recv(1)
        if kind == b"p":
            while True:
                connection.sendall(bytes(65536))
        if kind == b"h":
            time.sleep(60)
        connection.sendall(kind)
        Destination.echo(connection)

    there = destination(serve)
    relay = run(there.name)
    silent = relay.connect()
    deaf = relay.connect()
    deaf.sendall(b"p")
    stuffed = relay.connect()
    stuffed.sendall(b"h")
    stuffed.setblocking(False)
    relay.wait_for(lambda r: r["bytes_down"] > 65536, "bytes for the one that does not read")
    with pytest.raises(BlockingIOError):
        while True:
            stuffed.send(bytes(65536))
    clients = [relay.connect() for _ in range(200)]
    for number, client in enumerate(clients):
        client.sendall(b"e%d" % number)
    for number, client in enumerate(clients):
        assert read_exactly(client, len(b"e%d" % number)) == b"e%d" % number
    assert relay.route()["open"] == 203
    payload = os.urandom(300_000)
    for client in clients:
        threading.Thread(target=client.sendall, args=(payload,), daemon=True).start()
    for client in clients:
        assert read_exactly(client, len(payload)) == payload
        client.close()
    route = relay.wait_for(lambda r: r["complete"] == 200, "the 200 complete")
    assert route["open"] == 3
    for client in (silent, deaf, stuffed):
        client.close()


def memory_kib(process):
    with open(f"/proc/{process.pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1))


def test_memory_does_not_grow_with_what_is_not_read(run, destination):
    def serve(connection):
        while True:
            connection.sendall(bytes(1 << 16))

    relay = run(destination(serve).name)
    with relay.connect() as first:
        first.recv(1)
        before = memory_kib(relay.process)
        clients = [relay.connect() for _ in range(20)]
        counts = []

        def stands_still(route):
            counts.append(route["bytes_down"])
            return route["open"] == 21 and len(counts) > 20 and len(set(counts[-20:])) == 1
        relay.wait_for(stands_still, "nothing more taken")
        # one read for each is kept at most, 64 KiB
        assert memory_kib(relay.process) - before < 16 * 1024  # KiB; sanitizers multiply it
        for client in clients:
            client.close()


@pytest.mark.slow
def test_a_dead_destination_holds_nobody_and_is_told(run, destination):
    """The kernel of a listener whose queue is full answers nothing, as if there were no host."""
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        dead.listen(0)
        address = dead.getsockname()
        fill = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(address)
            fill.append(filler)
        relay = run([f"127.0.0.1:{address[1]}", destination().name], "--connect-seconds", 2)
        waiting = relay.connect(0)
        relay.wait_for(lambda r: r["open"] == 1, "one that waits")
        with relay.connect(1) as other:
            other.sendall(b"meanwhile")
            assert read_exactly(other, 9) == b"meanwhile"
        assert relay.route(0)["failed"]["connect"] == 0
        assert ends_without_a_byte(waiting)
        waiting.close()
        assert relay.route(0)["failed"]["connect"] == 1
        assert "cannot be reached: 127.0.0.1: no answer within 2 s" in relay.log()
        for filler in fill:
            filler.close()


def test_nobody_listens(run, nobody):
    relay = run(nobody)
    assert relay.turns_away()
    status = relay.status()
    assert status["routes"][0]["failed"]["connect"] == 1
    assert "Connection refused" in status["last_failure"]["cause"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", status["last_failure"]["time"])


@pytest.mark.slow
def test_idle_connections_end(run, destination):
    relay = run(destination().name, "--idle-seconds", 1)
    with relay.connect() as client:
        client.sendall(b"x")
        assert read_exactly(client, 1) == b"x"
        assert ends_without_a_byte(client)
    assert relay.route()["failed"]["idle"] == 1


def test_more_than_the_limit_are_turned_away(run, destination):
    relay = run(destination().name, "--connections", 2)
    held = [relay.connect() for _ in range(2)]
    relay.wait_for(lambda r: r["open"] == 2, "two open")
    assert relay.turns_away()
    route = relay.route()
    assert route["refused"]["too_many"] == 1 and route["open"] == 2
    held.pop().close()
    relay.wait_for(lambda r: r["open"] == 1, "one gone")
    with relay.connect() as third:
        third.sendall(b"now")
        assert read_exactly(third, 3) == b"now"
    held.pop().close()


def test_few_descriptors_mean_few_connections(run, destination):
    def lower():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    relay = run(destination().name, preexec_fn=lower)
    most = relay.status()["connections"]
    assert 0 < most < 16 and f"leaves room for {most}" in relay.log()
    held = [relay.connect() for _ in range(most)]
    relay.wait_for(lambda r: r["open"] == most, "all taken")
    assert relay.turns_away()
    for client in held:
        client.sendall(b"?")
        assert read_exactly(client, 1) == b"?"
        client.close()


def test_descriptors_that_run_out_are_survived(run, destination):
    """The limit is taken away while it runs: clients are refused at once, not left waiting, the open
    connection goes on, the status can still be read, and clients are accepted again once there are
    descriptors."""
    relay = run(destination().name)
    with relay.connect() as client:
        client.sendall(b"a")
        assert read_exactly(client, 1) == b"a"
        before = resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE)
        try:
            used = {int(name) for name in os.listdir(f"/proc/{relay.process.pid}/fd")}
        except PermissionError:  # it cannot be looked into, as all of enclavectl
            pytest.skip("only root sees its descriptors")
        free = min(set(range(len(used) + 1)) - used)
        resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, (free, before[1]))
        for _ in range(20):
            assert relay.turns_away()
        assert relay.route()["open"] == 1
        client.sendall(b"b")
        assert read_exactly(client, 1) == b"b"
        resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, before)
        with relay.connect() as more:
            more.sendall(b"c")
            assert read_exactly(more, 1) == b"c"
        assert relay.route()["refused"]["no_descriptors"] == 20


# --- the list of destinations --------------------------------------------------------------------

@pytest.mark.parametrize("to, options, told", [
    ("s3.eu-central-1.amazonaws.com:443", [], "to allow it: --allow s3.eu-central-1"),
    ("kms.eu-central-1.amazonaws.com:80", [], "is not allowed"),
    ("169.254.169.254:80", [], "is not allowed"),
    ("kms.eu-central-1.amazonaws.com", [], "want HOST:PORT"),
    ("127.1:443", ["--allow", "127.0.0.1:443"], "an address must be complete"),
    ("kms.eu-central-1.amazonaws.com:443", ["--allow", "*:443"], "some label must be named"),
    ("kms.eu-central-1.amazonaws.com:443", ["--destination", "x.example:443"],
     "each --listen needs its --destination"),
    ("kms.eu-central-1.amazonaws.com:443", ["--cid", "16"], "--cid is for --listen vsock"),
    ("kms.eu-central-1.amazonaws.com:443", ["--status", "vsock:any:1"], "--status is unix:PATH or"),
    ("kms.eu-central-1.amazonaws.com:443", ["--idle-seconds", "0"], "--idle-seconds must be"),
])
def test_what_is_refused_at_the_start(env, to, options, told):
    done = ctl("relay", "--listen", "tcp:127.0.0.1:0", "--destination", to, *options, "--json", env=env)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr.decode() and told in json.loads(done.stdout)["cause"]
    assert len(done.stderr.splitlines()) == 1


def test_kms_is_allowed_without_being_told(run):
    relay = run(["kms.eu-central-1.amazonaws.com:443", "kms-fips.us-gov-west-1.amazonaws.com:443"],
                allow=False)
    assert relay.ready == [f"ready {relay.addresses[0]} -> kms.eu-central-1.amazonaws.com:443\n",
                           f"ready {relay.addresses[1]} -> kms-fips.us-gov-west-1.amazonaws.com:443\n"]


def test_a_list_takes_the_place_of_kms(env, tmp_path):
    listed = tmp_path / "list"
    listed.write_text("vault.example:8200\n")
    done = ctl("relay", "--listen", "tcp:127.0.0.1:0", "--destination", "kms.eu-central-1.amazonaws.com:443",
               "--allow-file", listed, env=env)
    assert done.returncode == 2 and b"or a line in --allow-file" in done.stderr
    listed.write_text("vault.example:8200\nkms.example\n")
    done = ctl("relay", "--listen", "tcp:127.0.0.1:0", "--destination", "vault.example:8200",
               "--allow-file", listed, env=env)
    assert done.returncode == 5 and b"/list, line 2: " in done.stderr


def test_the_list_is_read_again(run, destination, tmp_path):
    """In the form of vsock-proxy's file, and ours. A bad one changes nothing; one that leaves the
    destination out ends no connection, but lets no new one through."""
    there = destination()
    listed = tmp_path / "vsock-proxy.yaml"
    good = f"allowlist:\n- {{address: localhost, port: {there.port}}}\n"
    listed.write_text(good)
    relay = run(there.name, "--allow-file", listed, allow=False)
    assert relay.status()["allow"] == [there.name]

    def reload(text, said):
        before = len(relay.log())
        listed.write_text(text)
        relay.signal(signal.SIGHUP)
        wait_until(lambda: said in relay.log()[before:], what=said)
        return relay.status()

    with relay.connect() as old:
        old.sendall(b"1")
        assert read_exactly(old, 1) == b"1"
        # a bad file is refused as a whole, its good lines too
        status = reload(f"other.example:1\n{there.name}\nnonsense\n", "line 3: ")
        assert status["allow"] == [there.name] and status["routes"][0]["allowed"]
        assert "the old one stays" in relay.log()
        reload("", "does not name a destination")
        with relay.connect() as new:
            new.sendall(b"2")
            assert read_exactly(new, 1) == b"2"
        # narrowed
        status = reload("# only\nother.example:1\n", "is not allowed now")
        assert status["allow"] == ["other.example:1"] and not status["routes"][0]["allowed"]
        assert relay.turns_away()
        assert relay.route()["refused"]["not_allowed"] == 1
        old.sendall(b"3")
        assert read_exactly(old, 1) == b"3"
        # and widened
        status = reload(good, "is allowed now")
        with relay.connect() as new:
            new.sendall(b"4")
            assert read_exactly(new, 1) == b"4"
    os.remove(listed)
    relay.signal(signal.SIGHUP)
    wait_until(lambda: "cannot open" in relay.log(), what="a missing file told")
    assert relay.route()["allowed"]


# --- what it reports -------------------------------------------------------------------------------

def test_query_for_people_and_programs(run, destination, env):
    relay = run(destination().name)
    with relay.connect() as client:
        client.sendall(b"12345")
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b"12345"
    relay.wait_for(lambda r: r["complete"] == 1, "complete")
    done = ctl("relay", "--query", relay.status_at, env=env)
    assert done.returncode == 0
    text = done.stdout.decode()
    assert re.search(r"^state +ready$", text, re.M) and f"{relay.addresses[0]} -> localhost:" in text
    assert re.search(r"^  bytes up +5$", text, re.M) and re.search(r"^  failed +none$", text, re.M)
    assert re.search(r"^allowed +kms\.\*\.amazonaws\.com:443$", text, re.M)
    done = ctl("relay", "--query", relay.status_at, "--json", env=env)
    assert json.loads(done.stdout)["routes"][0]["bytes_down"] == 5


def test_query_without_a_relay(env, tmp_path):
    done = ctl("relay", "--query", f"unix:{tmp_path}/none", env=env)
    assert done.returncode == 3 and b"check that a relay runs" in done.stderr
    with Destination(lambda connection: (connection.sendall(b"{}"), connection.close())) as other:
        done = ctl("relay", "--query", f"tcp:127.0.0.1:{other.port}", env=env)
    assert done.returncode == 6 and b"not the status of a relay" in done.stderr


@pytest.mark.parametrize("family", ["unix", "tcp"])
def test_a_status_at_the_longest_list_is_whole(run, destination, tmp_path, env, family):
    listed = tmp_path / "list"
    there = destination()
    label = "a" * 60
    names = [f"{label}.{label}.{label}.{label}.h{n}:443" for n in range(511)]
    listed.write_text("\n".join([there.name, *names]))
    at = f"unix:{tmp_path}/status" if family == "unix" else "tcp:127.0.0.1:0"
    relay = run(there.name, "--allow-file", listed, "--status", at, allow=False)
    done = ctl("relay", "--query", relay.status_at, "--json", env=env)
    assert json.loads(done.stdout)["allow"] == [there.name, *names], done.stderr


def test_counts_in_the_log(run, destination):
    relay = run(destination().name)
    relay.signal(signal.SIGUSR1)
    wait_until(lambda: "0 open, 0 accepted, 0 complete, 0 left, 0 refused, 0 failed, 0 bytes up, 0 down"
               in relay.log(), what="counts")


def test_a_client_in_a_loop_cannot_flood_the_log(run, nobody):
    relay = run(nobody)
    for _ in range(300):
        assert relay.turns_away()
    relay.wait_for(lambda r: r["failed"]["connect"] == 300, "all counted")
    assert relay.stop() == 0
    lines = [line for line in relay.log().splitlines() if "cannot be reached" in line]
    told = [line for line in lines if "more times" not in line]
    more = [int(re.search(r"(\d+) more times", line).group(1)) for line in lines if line not in told]
    assert len(told) + sum(more) == 300 and more
    # five for each time that a gate opened
    assert len(told) == 5 * len(more) and len(told) < 100


def test_a_service_manager_is_told(run, destination, tmp_path):
    manager, env = notify_socket(tmp_path)
    with manager:
        relay = run(destination().name, env=env)
        assert manager.recv(4096).startswith(b"READY=1\nSTATUS=")
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        relay.signal(signal.SIGHUP)
        reloading = manager.recv(4096).decode()
        stamp = int(re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=(\d+)", reloading).group(1))
        assert before <= stamp <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        assert manager.recv(4096).startswith(b"READY=1\nSTATUS=list read again")
        assert relay.stop() == 0
        assert manager.recv(4096) == b"STOPPING=1"


def test_ready_as_json(destination, tmp_path, env):
    with subprocess.Popen([CTL, "relay", "--listen", f"unix:{tmp_path}/in.sock", "--destination",
                           "kms.eu-central-1.amazonaws.com:443", "--json"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, env=env) as relay:
        assert json.loads(relay.stdout.readline()) == {"status": "success", "ready": [
            {"listen": f"unix:{tmp_path}/in.sock", "to": "kms.eu-central-1.amazonaws.com:443"}]}
        assert os.stat(tmp_path / "in.sock").st_mode & 0o777 == 0o600
        relay.terminate()
        assert relay.wait(30) == 0
    assert not os.path.exists(tmp_path / "in.sock")


# --- the end -------------------------------------------------------------------------------------

def test_at_the_end_what_is_open_may_end(run, destination):
    relay = run(destination().name, "--drain-seconds", 60)
    with relay.connect() as client:
        client.sendall(b"before")
        assert read_exactly(client, 6) == b"before"
        relay.signal(signal.SIGTERM)
        wait_until(lambda: "1 open ones may end" in relay.log(), what="draining")
        assert relay.status()["state"] == "stopping"
        with pytest.raises(ConnectionRefusedError):
            relay.connect()
        data = os.urandom(MIB)
        sender = threading.Thread(target=lambda: (client.sendall(data),
                                                  client.shutdown(socket.SHUT_WR)))
        sender.start()
        assert read_all(client) == data
        sender.join()
    assert relay.wait() == 0
    assert "1 complete" in relay.log() and "cut off" not in relay.log()
    assert not os.path.exists(relay.status_at[len("unix:"):])


@pytest.mark.slow
@pytest.mark.parametrize("how", ["time", "again"])
def test_the_end_is_bounded(run, destination, how):
    relay = run(destination().name, "--drain-seconds", 1 if how == "time" else 3600)
    with relay.connect() as client:
        client.sendall(b"x")
        assert read_exactly(client, 1) == b"x"
        relay.signal(signal.SIGTERM)
        if how == "again":
            wait_until(lambda: "may end within" in relay.log(), what="draining")
            relay.signal(signal.SIGINT)
        assert relay.wait() == 0
        assert ends_without_a_byte(client)
    assert "1 connections were still open and are cut off" in relay.log()


# --- vsock and TLS -------------------------------------------------------------------------------

def test_it_listens_on_vsock(run, destination):
    try:
        socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).close()
    except OSError:
        pytest.skip("this kernel has no AF_VSOCK")
    port = struct.unpack(">I", b"\x40" + os.urandom(3))[0]
    relay = run(destination().name, "--cid", 16, listen=f"vsock:any:{port}")
    assert relay.ready == [f"ready vsock:any:{port} -> {relay.route()['to']}\n"]


def test_tls_through_it(run, destination, tmp_path):
    """openssl on one side, Python on the other; the relay between them does not see it."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj",
                    "/CN=kms.test", "-addext", "subjectAltName=DNS:kms.test"],
                   check=True, stderr=subprocess.DEVNULL, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def serve(connection):
        with context.wrap_socket(connection, server_side=True) as secured:
            secured.sendall(b"you said: " + secured.recv(100))
            secured.unwrap()

    relay = run(destination(serve).name)
    done = subprocess.run(["openssl", "s_client", "-connect", relay.addresses[0][4:], "-servername",
                           "kms.test", "-verify_hostname", "kms.test", "-CAfile", certificate,
                           "-verify_return_error", "-quiet"], input=b"hello\n",
                          capture_output=True, timeout=60)
    assert b"you said: hello" in done.stdout, done.stderr


@pytest.mark.slow
def test_an_enclave_gets_its_key_through_it(run, world, tmp_path):
    relay = run(f"localhost:{world.kms.port}")
    enclave = Enclaved(world, tmp_path, kms={"relay": relay.addresses[0]})
    try:
        enclave.ready()
    finally:
        assert enclave.stop() == 0
    route = relay.wait_for(lambda r: r["accepted"] >= 1 and r["open"] == 0, "the end")
    assert route["failed"]["name"] == route["failed"]["connect"] == 0
    assert route["bytes_up"] > 1000 and route["bytes_down"] > 1000
