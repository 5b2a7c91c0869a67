# SPDX-License-Identifier: Apache-2.0
"""Listening and framing: what clients may do to the server, and what it does for the others."""
import itertools
import json
import os
import random
import resource
import signal
import socket
import struct
import subprocess
import time

import pytest

from enclave_tools import Enclaved, credentials, is_sanitized, open_state, wait_until

A = {"mode": "A", "payload": 1}


def is_sealed(answer):
    return answer["status"] == "success" and len(answer["ciphertext"]) > 56


def frame(request):
    content = request if isinstance(request, bytes) else json.dumps(request).encode()
    return struct.pack(">I", len(content)) + content


def test_many_requests_on_one_connection(server):
    with server.connect() as c:
        for i in range(300):
            assert is_sealed(c.ask({"mode": "A", "payload": i}))


def test_one_request_a_connection(server):
    for i in range(50):
        assert is_sealed(server.ask({"mode": "A", "payload": i}))


def test_pipelined_requests_are_answered_in_order(server, world):
    with server.connect() as c:
        sizes = [1, 10, 1000, 70000, 300000, 5, 400000, 7, 7] * 3
        data = b""
        for i, size in enumerate(sizes):
            content = json.dumps({"mode": "A", "payload": [i, "x" * size]}).encode()
            data += struct.pack(">I", len(content)) + content
        c.socket.settimeout(60)
        pid = os.fork()
        if pid == 0:
            try:
                c.socket.sendall(data)
            finally:
                os._exit(0)
        for i, size in enumerate(sizes):
            answer = c.receive()
            assert is_sealed(answer), answer
            state = json.loads(open_state(answer["ciphertext"], world.tsk))
            assert state["data"]["input_received"] == [i, "x" * size]
        os.waitpid(pid, 0)


def test_answers_not_taken_yet_stay_before_that_of_configure(world, tmp_path):
    """A socket takes less than the first answer, and the second comes from another thread."""
    enclave = Enclaved(world, tmp_path, listen=f"unix:{tmp_path}/enclaved.sock").ready()
    requests = [{"mode": "A", "payload": "x" * 125_000},
                {"op": "configure", "credentials": credentials(), "wrapped_tsk": world.wrapped},
                {"op": "health"}]
    with enclave.connect(timeout=10) as c:
        c.socket.sendall(b"".join(frame(request) for request in requests))
        wait_until(lambda: "configured: session key from KMS" in enclave.log().split("ready", 1)[-1],
                   what="configure served")
        time.sleep(0.3)
        assert len(c.receive()["ciphertext"]) > 250_000
        assert c.receive()["key_id"] == world.key_arn
        assert c.receive()["state"] == "ready"
        assert is_sealed(c.ask(A))
    assert enclave.stop() == 0


@pytest.mark.slow
def test_earlier_answers_leave_while_configure_waits(world, start, tmp_path):
    silent = socket.create_server(("127.0.0.1", 0))
    enclave = start(listen=f"unix:{tmp_path}/enclaved.sock",
                    kms={"relay": f"tcp:127.0.0.1:{silent.getsockname()[1]}", "attempt_seconds": 60})
    count = 250_000 // len(json.dumps(enclave.health()))
    with enclave.connect(timeout=30) as c:
        c.socket.sendall(frame({"op": "health"}) * count + frame(
            {"op": "configure", "credentials": credentials(), "wrapped_tsk": world.wrapped}))
        time.sleep(0.5)
        for _ in range(count):
            assert c.receive()["status"] == "success"
        silent.close()  # which resets what waits there
        assert c.receive()["status"] == "error"


def test_busy_comes_behind_the_answer_that_is_due(world, tmp_path):
    enclave = Enclaved(world, tmp_path, listen=f"unix:{tmp_path}/enclaved.sock",
                       limits={"frame_bytes": 1 << 17, "buffered_bytes": 180_000}).ready()
    configure = {"op": "configure", "credentials": credentials(), "wrapped_tsk": world.wrapped}
    with enclave.connect() as other, enclave.connect(timeout=10) as c:
        other.socket.sendall(frame(b" " * 131_000)[:-1])
        assert is_sealed(enclave.ask(A))
        c.socket.sendall(frame(configure) + frame(b" " * 100_000)[:-1])
        assert c.receive()["key_id"] == world.key_arn
        assert c.receive()["code"] == "busy"
        assert c.is_closed()
    assert enclave.stop() == 0


@pytest.mark.parametrize("size", [1, 3, 4, 5, 7, 1000])
def test_frames_in_pieces(server, size):
    content = json.dumps({"mode": "A", "payload": "y" * 3000}).encode()
    data = (struct.pack(">I", len(content)) + content) * 2
    if size < 1000:
        data = data[:len(data) // 2] if size == 1 else data
    with server.connect() as c:
        c.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(data), size):
            c.socket.sendall(data[at:at + size])
        for _ in range(len(data) // (len(content) + 4)):
            assert is_sealed(c.receive())


def test_half_close_still_gets_the_answers(server):
    with server.connect() as c:
        c.send(A)
        c.send({"mode": "A", "payload": "z" * 500000})
        c.send(A)
        c.socket.shutdown(socket.SHUT_WR)
        for _ in range(3):
            assert is_sealed(c.receive())
        assert c.is_closed()


@pytest.mark.parametrize("length", [16 * 1024 * 1024 + 1, 0x7fffffff, 0x80000000, 0xffffffff])
def test_a_bad_length_is_answered_then_closed(server, length):
    with server.connect() as c:
        c.send(A)
        c.socket.sendall(struct.pack(">I", length) + b"x" * 100000)
        assert is_sealed(c.receive())
        assert c.receive()["code"] == "frame_too_large"
        assert c.is_closed()
    assert is_sealed(server.ask(A))


def test_errors_leave_the_connection_usable(server):
    bad = [(b"", "frame_empty"), (b"{", "not_json"), (b"\xff\xfe", "not_json"),
           (b"[]", "not_an_object"), (b"{}", "missing_mode"), ({"mode": "Z"}, "unknown_mode"),
           ({"op": "x"}, "unknown_op"), ({"mode": "B", "payload": "00"}, "too_short"),
           (b"[" * 100000, "too_deep"), (b'{"a":1,"a":1}', "duplicate_member"),
           ({"mode": "B", "payload": "00" * 300000}, "authentication_failed")]
    with server.connect() as c:
        for request, code in bad * 2:
            answer = c.ask(request)
            assert answer["code"] == code and answer["status"] == "error" and answer["error"]
            assert set(answer) == {"status", "code", "error"}
            assert is_sealed(c.ask(A))


def test_a_truncated_frame_is_named(server):
    for data in (b"\0", b"\0\0\0", b"\0\0\0\5", b"\0\0\0\5{", b"\0\1\0\0" + b"x" * 50):
        with server.connect() as c:
            c.socket.sendall(data)
            c.socket.shutdown(socket.SHUT_WR)
            assert c.receive()["code"] == "frame_truncated"
            assert c.is_closed()


def test_garbage_never_stops_the_service(server):
    dice = random.Random(7)
    for _ in range(150):
        with server.connect() as c:
            data = dice.randbytes(dice.randrange(1, 2000))
            if dice.random() < 0.7:
                data = struct.pack(">I", dice.randrange(0, 3000)) + data
            try:
                c.socket.sendall(data)
                if dice.random() < 0.5:
                    c.socket.shutdown(socket.SHUT_WR)
                    while c.socket.recv(65536):
                        pass
            except OSError:
                pass
    assert is_sealed(server.ask(A))


def test_reset_connections_are_survived(server):
    for _ in range(50):
        c = server.connect()
        c.send({"mode": "A", "payload": "r" * 400000})
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        c.close()
    assert is_sealed(server.ask(A))
    wait_until(lambda: server.health()["connections"] == 1, what="connections closed")


def test_a_thousand_and_more_connections(server):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    connections = []
    try:
        for _ in range(1100):
            connections.append(server.connect())
        for c in connections:
            c.send(A)
        for c in connections:
            assert is_sealed(c.receive())
        assert server.health()["connections"] >= 1100
    finally:
        for c in connections:
            c.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_stuck_and_slow_clients_delay_nobody(server):
    stuck = []
    for i in range(40):
        c = server.connect()
        if i % 4 == 0:  # half a header
            c.socket.sendall(b"\0\0")
        elif i % 4 == 1:  # a frame that never ends
            c.socket.sendall(struct.pack(">I", 10_000_000) + b"{" * 1000)
        elif i % 4 == 2:  # a reader that does not read
            c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            c.socket.setblocking(False)
            try:
                for _ in range(200):
                    c.send({"mode": "A", "payload": "q" * 20000})
            except BlockingIOError:
                pass
        stuck.append(c)
    for _ in range(100):
        assert is_sealed(server.ask(A))
    for c in stuck:
        c.close()


def test_large_requests_do_not_hold_up_small_ones(server):
    """While the worker has large requests queued, a small one on another connection is answered
    before the last of them."""
    large = [server.connect() for _ in range(6)]
    content = {"mode": "A", "payload": ["v" * 7_000_000]}
    for c in large:
        c.send(content)
    assert is_sealed(server.ask(A))
    large[-1].socket.setblocking(False)
    try:
        unanswered = large[-1].socket.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        unanswered = True
    large[-1].socket.setblocking(True)
    for c in large:
        assert is_sealed(c.receive())
        c.close()
    assert unanswered


def test_the_largest_frame_and_the_largest_answer(server):
    limit = 16 * 1024 * 1024
    with server.connect(60) as c:
        frame = b'{"mode": "A", "payload": "' + b"w" * (limit - 28) + b'"}'
        assert len(frame) == limit
        assert c.ask(frame)["code"] == "response_too_large"
        # What A seals leaves room for what B adds, so B can answer as well.
        assert c.ask({"mode": "A", "payload": "w" * (limit // 2 - 300)})["code"] == \
            "response_too_large"
        answer = c.ask({"mode": "A", "payload": "w" * (limit // 2 - 400)})
        assert is_sealed(answer)
        assert is_sealed(c.ask({"mode": "B", "payload": answer["ciphertext"]}))


@pytest.mark.slow
def test_idle_and_slow_connections_run_out(start):
    enclave = start(limits={"idle_seconds": 1, "frame_seconds": 1, "write_seconds": 1}).ready()
    with enclave.connect() as idle, enclave.connect() as slow, enclave.connect() as deaf:
        slow.socket.sendall(b"\0\0\1\0{")
        deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.socket.setblocking(False)
        try:
            while True:
                deaf.send({"mode": "A", "payload": "q" * 20000})
        except (BlockingIOError, ConnectionError):
            pass
        assert slow.receive()["code"] == "timeout"
        assert slow.is_closed()
        assert idle.is_closed()
        wait_until(lambda: enclave.health()["connections"] == 1, what="the deaf one is dropped")
    assert is_sealed(enclave.ask(A))


@pytest.mark.slow
def test_a_trickle_does_not_extend_a_frames_time(start):
    enclave = start(limits={"frame_seconds": 2}).ready()
    with enclave.connect() as c:
        c.socket.sendall(struct.pack(">I", 1000))
        begun = time.monotonic()
        try:
            while time.monotonic() - begun < 20:
                c.socket.sendall(b"{")
                time.sleep(0.2)
        except OSError:
            pass
        answer = c.receive()
        assert answer["code"] == "timeout"


def test_connections_beyond_the_limit_are_told(start, world):
    """Requests under way keep their places."""
    silent = socket.create_server(("127.0.0.1", 0))
    enclave = start(limits={"connections": 3},
                    kms={"relay": f"tcp:127.0.0.1:{silent.getsockname()[1]}"})
    held = [enclave.connect() for _ in range(3)]
    configure = {"op": "configure", "credentials": credentials(), "wrapped_tsk": world.wrapped}
    for c in held:
        c.socket.sendall(frame({"op": "health"}) + frame(configure))
        assert c.receive()["status"] == "success"  # by then the other has begun
    with enclave.connect() as c:
        assert c.receive()["code"] == "too_many_connections"
        assert c.is_closed()
    silent.close()
    for c in held:
        assert c.receive()["status"] == "error"
    assert held[1].ask({"op": "health"})["refused_connections"] == 1
    for c in held:
        c.close()


def half_a_frame(size):
    return struct.pack(">I", size) + b" " * (size // 2)


@pytest.mark.parametrize("begun", [b"", b"\0\0", half_a_frame(1000), half_a_frame(100_000)],
                         ids=["idle", "header", "small", "large"])
def test_who_came_first_does_not_keep_the_place(start, begun):
    """Clients that only wait, whatever they began, give way to those that ask."""
    enclave = start(limits={"connections": 50}).ready()
    held = [enclave.connect() for _ in range(49)]
    for c in held:
        c.socket.sendall(begun)
    with enclave.connect() as asking:
        for i in range(40):
            assert is_sealed(asking.ask(A))
            time.sleep(0.002)  # so that others have waited longer, and one may go
            assert is_sealed(asking.ask(A))
            time.sleep(0.002)
            with enclave.connect() as newcomer:
                assert is_sealed(newcomer.ask(A)), i
        health = asking.ask({"op": "health"})
    assert health["ended"]["displaced"] >= 1 and health["refused_connections"] == 0
    assert held[0].is_closed()
    for c in held:
        c.close()


def test_who_came_first_does_not_keep_the_memory(start):
    """Half frames fill what all may hold together; a small request in two segments is served."""
    enclave = start(limits={"frame_bytes": 1 << 20, "buffered_bytes": 4 << 20}).ready()
    held = [enclave.connect() for _ in range(60)]
    for c in held:
        c.socket.sendall(half_a_frame(300_000))
    with enclave.connect() as large:
        large.socket.sendall(half_a_frame(900_000))
        assert large.receive()["code"] == "busy"
    for size in (40, 1000, 16_000):
        data = frame({"mode": "A", "payload": "x" * size})
        for cut in (1, 4, 5, len(data) // 2, len(data) - 1):
            with enclave.connect() as c:
                c.socket.sendall(data[:cut])
                assert is_sealed(enclave.ask(A))
                c.socket.sendall(data[cut:])
                assert is_sealed(c.receive())
    for c in held:
        c.close()


@pytest.mark.parametrize("times", [1, 2])
def test_an_idle_server_takes_every_frame_within_its_limit(start, times):
    limit = 1 << 20
    enclave = start(limits={"frame_bytes": limit, "buffered_bytes": times * limit}).ready()
    for size in [limit // 2 - 1, limit // 2, limit // 2 + 1, limit * 3 // 4, limit - 2, limit - 1, limit]:
        with enclave.connect() as c:
            c.socket.sendall(struct.pack(">I", size) + b" " * (size // 2))
            assert is_sealed(enclave.ask(A))
            c.socket.sendall(b" " * (size - size // 2))
            assert c.receive()["code"] == "not_json", size


def test_memory_for_frames_is_bounded(start):
    enclave = start(limits={"frame_bytes": 1 << 20, "buffered_bytes": 4 << 20}).ready()
    held, refused = [], 0
    for _ in range(12):
        c = enclave.connect()
        held.append(c)
        c.socket.sendall(struct.pack(">I", 1 << 20) + b" " * ((1 << 20) - 10))
    for c in held:
        c.socket.settimeout(0.2)
        try:
            assert c.receive()["code"] == "busy"
            refused += 1
        except TimeoutError:
            pass
    assert 4 <= refused < 12
    assert is_sealed(enclave.ask(A))
    for c in held:
        c.close()
    wait_until(lambda: enclave.health()["connections"] == 1, what="memory is free again")
    assert is_sealed(enclave.ask({"mode": "A", "payload": "f" * 400000}))


def handled(enclave):
    """Requests served, and frames refused before they were whole."""
    health = enclave.health()
    return health["requests"] + health["errors"]


def test_memory_for_answers_is_bounded(world, tmp_path):
    """Clients do not read: answers beyond the limit are dropped, and their connections closed."""
    enclave = Enclaved(world, tmp_path, listen=f"unix:{tmp_path}/enclaved.sock",
                       limits={"frame_bytes": 1 << 20, "buffered_bytes": 4 << 20}).ready()
    before = handled(enclave)
    held = [enclave.connect() for _ in range(40)]
    for c in held:
        c.send({"mode": "A", "payload": "x" * 195_000})
    # none is read before all are served or refused; each look counts itself
    wanted = itertools.count(before + 41)
    wait_until(lambda: handled(enclave) >= next(wanted), what="all served")
    taken = 0
    for c in held:
        try:
            answer = c.receive()
            assert is_sealed(answer) or answer["code"] == "busy"
            taken += is_sealed(answer)
        except (EOFError, ConnectionError):
            pass
        c.close()
    assert 4 <= taken < 30
    wait_until(lambda: enclave.health()["connections"] == 1, what="all closed")
    assert is_sealed(enclave.ask({"mode": "A", "payload": "x" * 195_000}))
    assert enclave.stop() == 0


@pytest.mark.slow
def test_memory_for_configure_is_bounded(world, tmp_path):
    """Requests that wait for the session count like those that wait for their end."""
    silent = socket.create_server(("127.0.0.1", 0))
    enclave = Enclaved(world, tmp_path, listen=f"unix:{tmp_path}/enclaved.sock",
                       limits={"frame_bytes": 1 << 20, "buffered_bytes": 1 << 20,
                               "drain_seconds": 1},
                       kms={"relay": f"tcp:127.0.0.1:{silent.getsockname()[1]}"})
    request = json.dumps({"op": "configure", "credentials": credentials(),
                          "wrapped_tsk": world.wrapped}).encode() + b" " * 120_000
    held, refused = [], 0
    for _ in range(80):
        held.append(enclave.connect())
        held[-1].send(request)
    for c in held:
        c.socket.settimeout(0.05)
        try:
            assert c.receive()["code"] == "busy"
            refused += 1
        except TimeoutError:
            pass
    # more than the number that may wait would refuse
    assert 68 <= refused < 80
    assert enclave.stop() == 0
    for c in held:
        c.close()
    silent.close()


def test_clients_cannot_take_the_descriptors_that_kms_needs(start):
    enclave = start(wrapper=["prlimit", "--nofile=40:40"]).ready()
    first = enclave.connect()
    wait_until(lambda: first.ask({"op": "health"})["connections"] == 1, what="end of those before")
    held = [first] + [enclave.connect() for _ in range(7)]
    for c in held:
        assert is_sealed(c.ask(A))
    with enclave.connect() as c:
        assert is_sealed(c.ask(A))
    assert held[0].is_closed()
    answer = held[1].ask({"op": "configure", "credentials": credentials(),
                          "wrapped_tsk": enclave.world.wrap(os.urandom(32))})
    assert answer["status"] == "success", answer
    for c in held:
        c.close()
    assert "RLIMIT_NOFILE leaves room for 8" in enclave.log()


def test_running_out_of_descriptors_is_survived(start):
    enclave = start().ready()
    first = enclave.connect()
    assert is_sealed(first.ask(A))
    subprocess.run(["prlimit", f"--pid={enclave.process.pid}", "--nofile=24:24"], check=True)
    held = [enclave.connect() for _ in range(40)]
    wait_until(lambda: "cannot accept" in enclave.log(), what="accept fails")
    assert is_sealed(first.ask(A))
    for c in held:
        c.close()
    assert is_sealed(enclave.ask(A))
    first.close()


def test_sigterm_finishes_what_is_under_way(world, tmp_path):
    enclave = Enclaved(world, tmp_path).ready()
    idle, busy, partial = enclave.connect(), enclave.connect(), enclave.connect()
    assert is_sealed(idle.ask(A))
    content = json.dumps(A).encode()
    partial.socket.sendall(struct.pack(">I", len(content)) + content[:5])
    busy.send({"mode": "A", "payload": "b" * 5_000_000})
    wait_until(lambda: enclave.health()["requests"] >= 2, what="requests counted")
    enclave.process.send_signal(signal.SIGTERM)
    assert idle.is_closed()
    with pytest.raises(OSError):
        enclave.connect()
    partial.socket.sendall(content[5:])
    assert is_sealed(partial.receive())
    assert is_sealed(busy.receive())
    assert enclave.process.wait(30) == 0
    enclave.process.stdout.close()


def test_sigterm_serves_what_has_arrived(world, tmp_path):
    """A reset would take the first answer along."""
    enclave = Enclaved(world, tmp_path).ready()
    with enclave.connect() as c, enclave.connect() as idle:
        data = frame(A) * 50
        c.socket.sendall(data[:5])
        assert is_sealed(idle.ask(A))
        enclave.process.send_signal(signal.SIGTERM)
        assert idle.is_closed()
        c.socket.sendall(data[5:])
        for _ in range(50):
            assert is_sealed(c.receive())
        assert c.is_closed()
    assert enclave.stop() == 0


def test_sigterm_serves_what_waits_for_its_turn(world, tmp_path):
    """More than one turn can serve, from several connections, has arrived when the signal comes."""
    enclave = Enclaved(world, tmp_path).ready()
    held = [enclave.connect() for _ in range(3)]
    for c in held:
        c.socket.sendall(frame({"op": "health"}) * 3000)
    enclave.process.send_signal(signal.SIGTERM)
    for c in held:
        for _ in range(3000):
            assert c.receive()["status"] == "success"
        assert c.is_closed()
        c.close()
    assert enclave.stop() == 0


@pytest.mark.slow
def test_sigterm_does_not_wait_for_one_who_never_stops(world, tmp_path):
    enclave = Enclaved(world, tmp_path, limits={"drain_seconds": 1}).ready()
    with enclave.connect() as c:
        pid = os.fork()
        if pid == 0:
            try:
                while True:
                    c.socket.sendall(frame({"op": "health"}) * 1000)
            finally:
                os._exit(0)
        reader = os.fork()
        if reader == 0:
            try:
                while c.socket.recv(1 << 20):
                    pass
            finally:
                os._exit(0)
        wait_until(lambda: enclave.health()["requests"] > 1000, what="requests")
        assert enclave.stop() == 0  # it waits a minute; the client, for ever
        os.waitpid(pid, 0)
        os.waitpid(reader, 0)


@pytest.mark.slow
def test_sigterm_does_not_wait_for_ever(world, tmp_path):
    enclave = Enclaved(world, tmp_path, limits={"drain_seconds": 1}).ready()
    with enclave.connect() as partial:
        partial.socket.sendall(b"\0\0\1\0{")
        wait_until(lambda: enclave.health()["connections"] == 2, what="connected")
        assert enclave.stop() == 0


def test_unix_sockets(world, tmp_path):
    path = tmp_path / "enclaved.sock"
    enclave = Enclaved(world, tmp_path, listen=f"unix:{path}").ready()
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    assert is_sealed(enclave.ask(A))
    assert enclave.stop() == 0
    assert not path.exists()


def test_an_address_in_use_is_named(server, world, tmp_path):
    with pytest.raises(AssertionError, match=r"cannot listen on.*Address already in use"):
        Enclaved(world, tmp_path, arguments=["--listen", server.address])


def test_the_socket_of_another_service_is_left_alone(world, tmp_path, tmp_path_factory):
    listen = f"unix:{tmp_path}/enclaved.sock"
    enclave = Enclaved(world, tmp_path, listen=listen).ready()
    with pytest.raises(AssertionError, match=r"cannot listen on.*Address already in use"):
        Enclaved(world, tmp_path_factory.mktemp("second"), listen=listen)
    assert is_sealed(enclave.ask(A))
    assert enclave.stop() == 0


def test_connections_are_counted(server):
    before = server.health()
    with server.connect() as c:
        c.ask(A)
        c.ask(b"{")
    after = server.health()
    assert after["requests"] == before["requests"] + 3
    assert after["errors"] == before["errors"] + 1


def test_running_out_of_memory_is_survived(start):
    """With room for little more than the process itself, large requests fail by name and small
    ones go on."""
    if is_sanitized():
        pytest.skip("a sanitizer needs more memory than this test leaves")
    enclave = start(wrapper=["prlimit", "--data=24000000:24000000"]).ready()
    codes = set()
    for size in (3_000_000, 5_000_000, 7_000_000):
        with enclave.connect() as c:
            try:
                answer = c.ask({"mode": "A", "payload": "m" * size})
                codes.add(answer.get("code", "success"))
            except (ConnectionError, EOFError):
                codes.add("closed")
        assert is_sealed(enclave.ask(A))
    assert "out_of_memory" in codes, codes
    assert codes <= {"success", "out_of_memory", "closed"}
