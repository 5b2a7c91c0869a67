# SPDX-License-Identifier: Apache-2.0
"""enclavectl relay and names: the system's own resolver asks a name server whose answers are decided
here. The relay runs with an /etc/resolv.conf of its own, which takes root."""
import contextlib
import socket
import threading

import pytest

from enclave_tools import wait_until
from relay_tools import Destination, NameServer, Relay, ends_without_a_byte, may_change_names, read_exactly

pytestmark = pytest.mark.skipif(not may_change_names(), reason="only root can give a command its own "
                                                               "/etc/resolv.conf")


def tells(word):
    def serve(connection):
        connection.sendall(word)
        connection.close()
    return serve


@pytest.fixture
def twins():
    """Two destinations on one port, at 127.0.0.2 and 127.0.0.3, that say which they are."""
    for _ in range(50):
        second = Destination(tells(b"2"), ("127.0.0.2", 0))
        try:
            third = Destination(tells(b"3"), ("127.0.0.3", second.port))
        except OSError:
            second.close()
            continue
        yield second
        second.close()
        third.close()
        return
    raise AssertionError("no port is free twice")


@pytest.fixture
def names():
    server = NameServer({})
    yield server
    server.close()


@pytest.fixture
def run(names, tmp_path):
    started = []

    def start(to, *options, near=(), **more):
        port = to[0].split(":")[1]
        for address in near:
            options += ("--allow", f"[{address}]:{port}" if ":" in address else f"{address}:{port}")
        started.append(Relay(tmp_path, to, *options, wrapper=names.wrapper(tmp_path), **more))
        return started[-1]

    yield start
    with contextlib.ExitStack() as ends:
        for relay in started:
            ends.callback(relay.end)


def says(relay, number=0):
    """What the destination said, or None where the relay turned the client away, with a reset."""
    try:
        with relay.connect(number) as client:
            return client.recv(1)
    except ConnectionResetError:
        return None


def test_a_name_is_resolved_anew_for_each_connection(run, names, twins):
    relay = run([f"kms.test:{twins.port}"], near=["127.0.0.2", "127.0.0.3"])
    for address in ("127.0.0.2", "127.0.0.3", "127.0.0.2"):
        names.table["kms.test"] = [address]
        assert says(relay) == address[-1].encode()
    assert len([name for name, _ in names.asked if name == "kms.test"]) >= 6  # A and AAAA, three times


def test_all_addresses_are_tried(run, names, twins):
    """Nobody listens at two of them, one of these IPv6; the third answers."""
    names.table["kms.test"] = ["::1", "127.0.0.9", "127.0.0.3"]
    relay = run([f"kms.test:{twins.port}"], near=["::1", "127.0.0.9", "127.0.0.3"])
    for _ in range(5):
        assert says(relay) == b"3"
    names.table["kms.test"] = ["::1", "127.0.0.9"]
    assert says(relay) is None
    assert relay.route()["failed"]["connect"] == 1
    assert "(the last of 2 addresses)" in relay.log()


def test_an_address_that_is_dead_costs_its_time_limit_only(run, names, twins):
    """One address takes no connection (its queue is full), the other is tried after the limit."""
    with socket.socket() as dead:
        dead.bind(("127.0.0.4", twins.port))
        dead.listen(0)
        fill = [socket.socket() for _ in range(4)]
        for filler in fill:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.4", twins.port))
        names.table["kms.test"] = ["127.0.0.4", "127.0.0.3"]
        relay = run([f"kms.test:{twins.port}"], "--connect-seconds", 1,
                    near=["127.0.0.4", "127.0.0.3"])
        for _ in range(4):
            assert says(relay) == b"3"
        for filler in fill:
            filler.close()


@pytest.mark.slow
def test_a_name_that_does_not_resolve_holds_no_other(run, names, twins):
    """The name server says nothing for one name; connections to another go through meanwhile. The
    lookup that hangs does not keep the relay from ending either."""
    names.table.update({"slow.test": ["127.0.0.2"], "kms.test": ["127.0.0.3"]})
    names.wanted = lambda name, port: name != "slow.test"
    relay = run([f"slow.test:{twins.port}", f"kms.test:{twins.port}"], "--connect-seconds", 3,
                near=["127.0.0.2", "127.0.0.3"])
    waiting = [relay.connect(0) for _ in range(10)]
    relay.wait_for(lambda r: r["open"] == 10, "ten that wait")
    for _ in range(20):
        assert says(relay, 1) == b"3"
    for client in waiting:
        assert ends_without_a_byte(client)
        client.close()
    route = relay.route(0)
    assert route["failed"]["name"] == 10 and route["open"] == 0
    assert "the name does not resolve: no answer within 3 s" in relay.log()


@pytest.mark.slow
def test_a_lookup_that_hangs_is_not_waited_for_alone(run, names, twins):
    """The first lookup's datagrams are lost, and it does not ask again for longer than this takes.
    Another begins beside it, and its answer serves all that wait."""
    names.table["kms.test"] = ["127.0.0.2"]
    lost = set()
    losing = threading.Event()
    losing.set()

    def wanted(name, port):
        if losing.is_set():
            lost.add(port)
        return port not in lost

    names.wanted = wanted
    relay = run([f"kms.test:{twins.port}"], "--connect-seconds", 100, near=["127.0.0.2"])
    clients = [relay.connect() for _ in range(3)]
    wait_until(lambda: len(names.asked) >= 2, what="the first lookup")
    losing.clear()
    for client in clients:
        assert client.recv(1) == b"2"
        client.close()
    assert len({port for _, port in names.asked} - lost) == 1


def test_a_name_that_does_not_exist(run, names, twins):
    relay = run([f"kms.test:{twins.port}"])
    assert says(relay) is None
    assert relay.route()["failed"]["name"] == 1
    assert "the name does not resolve: " in relay.log()
    names.table["kms.test"] = []
    assert says(relay) is None
    assert relay.route()["failed"]["name"] == 2


@pytest.mark.parametrize("address", ["127.0.0.2", "169.254.169.254", "::1", "fd00:ec2::254"])
def test_a_name_must_not_lead_to_this_machine(run, names, twins, address):
    """Unless the address is allowed itself: who answers for a name decides where it leads."""
    names.table["kms.test"] = [address]
    relay = run([f"kms.test:{twins.port}"])
    assert says(relay) is None
    assert relay.route()["failed"]["connect"] == 1
    assert f"{address}: an address of this machine or its link" in relay.log()


def test_many_at_once_share_a_lookup(run, names, twins):
    names.table["kms.test"] = ["127.0.0.2"]
    relay = run([f"kms.test:{twins.port}"], near=["127.0.0.2"])
    clients = [relay.connect() for _ in range(100)]
    for client in clients:
        assert read_exactly(client, 1) == b"2"
        client.close()
    relay.wait_for(lambda r: r["open"] == 0, "all ended")
    assert 2 <= len(names.asked) <= 200
