# SPDX-License-Identifier: Apache-2.0
"""The session key: configure, KMS's answers good and bad, rotation, secrets."""
import base64
import hashlib
import json
import os
import select
import subprocess

import pytest

import kms_tools
from enclave_tools import (CONTEXT, PCR0, Enclaved, Nsm, credentials, key_policy, open_state,
                           seal_state, wait_until)
from kms_tools import ENCLAVE, SIM, b64

A = {"mode": "A", "payload": 1}


@pytest.fixture
def enclave(start):
    return start()


@pytest.fixture(autouse=True)
def no_faults(world):
    yield
    world.kms.write_faults()
    world.kms.admin().ok("PutKeyPolicy", KeyId=world.key_arn, PolicyName="default",
                         Policy=key_policy())


def test_the_whole_way(enclave, world):
    assert enclave.wait_for("awaiting_configuration")["kms_key"] == world.key_arn
    assert enclave.ask(A)["code"] == "not_configured"
    assert enclave.configure() == {"status": "success", "state": "ready",
                                   "key_id": world.key_arn, "rotated": False}
    health = enclave.health()
    assert health["state"] == "ready" and health["last_error"] is None
    assert health["credentials_expire"] == ENCLAVE["expiration"]
    assert health["encryption_context"] == CONTEXT
    state = json.loads(open_state(enclave.agent_a({"x": [1]}), world.tsk))
    assert state["agent"] == "A" and state["data"]["input_received"] == {"x": [1]}


def test_from_the_environment(world, start):
    enclave = start(env={"ENCRYPTED_TSK": world.wrapped,
                         "AWS_ACCESS_KEY_ID": ENCLAVE["access_key_id"],
                         "AWS_SECRET_ACCESS_KEY": ENCLAVE["secret_access_key"],
                         "AWS_SESSION_TOKEN": ENCLAVE["session_token"]})
    enclave.wait_for("ready")
    open_state(enclave.agent_a(1), world.tsk)
    with open(f"/proc/{enclave.process.pid}/environ", "rb") as file:
        environment = file.read()
    for secret in (ENCLAVE["secret_access_key"], ENCLAVE["session_token"], world.wrapped):
        assert secret.encode() not in environment


def test_wrapped_key_from_a_file(world, start, tmp_path):
    path = tmp_path / "tsk.b64"
    path.write_text(world.wrapped + "\n")
    enclave = start(kms={"wrapped_tsk_file": str(path)})
    assert enclave.configure(wrapped=None)["status"] == "success"
    open_state(enclave.agent_a(1), world.tsk)


@pytest.mark.parametrize("pins", [{}, {"wrapped_tsk_sha256": ["00" * 32]}], ids=["none", "a list"])
def test_an_empty_wrapped_key_of_the_image_is_refused(world, tmp_path, pins):
    """It would pin nothing, and whoever named it believes that it does."""
    path = tmp_path / "tsk.b64"
    path.write_text(" \n")
    with pytest.raises(AssertionError, match=r"tsk\.b64 is empty"):
        Enclaved(world, tmp_path, kms={"wrapped_tsk_file": str(path), **pins})


def sha256_of(wrapped):
    return hashlib.sha256(base64.b64decode(wrapped)).hexdigest()


def test_a_wrapped_key_of_the_image_is_the_only_one(world, start, tmp_path):
    """Neither a client nor the environment replaces it, not even by one that was good once."""
    path = tmp_path / "tsk.b64"
    path.write_text(world.wrapped)
    older = world.wrap(b"o" * 32)
    enclave = start(kms={"wrapped_tsk_file": str(path)}, env={"ENCRYPTED_TSK": older})
    answer = enclave.configure(wrapped=None)
    assert answer["code"] == "wrapped_tsk_not_pinned", answer
    assert enclave.ask(A)["code"] == "not_configured"
    enclave = start(kms={"wrapped_tsk_file": str(path)})
    assert enclave.configure(wrapped=None)["status"] == "success"
    assert enclave.configure(creds=None, wrapped=older)["code"] == "wrapped_tsk_not_pinned"
    assert enclave.health()["state"] == "ready"
    open_state(enclave.agent_a(1), world.tsk)
    assert enclave.configure(creds=None, wrapped=world.wrapped)["status"] == "success"


@pytest.mark.parametrize("pinned,code", [(["own", "other"], None), ([], None),
                                         (["own"], "wrapped_tsk_not_pinned")])
def test_a_list_says_which_wrapped_keys_may_be_installed(world, start, tmp_path, pinned, code):
    path = tmp_path / "tsk.b64"
    path.write_text(world.wrapped)
    other = world.wrap(b"o" * 32)
    hashes = {"own": sha256_of(world.wrapped), "other": sha256_of(other)}
    enclave = start(kms={"wrapped_tsk_file": str(path),
                         "wrapped_tsk_sha256": [hashes[name] for name in pinned]})
    assert enclave.configure(wrapped=None)["status"] == "success"
    assert enclave.configure(creds=None, wrapped=other).get("code") == code
    open_state(enclave.agent_a(1), world.tsk if code else b"o" * 32)


@pytest.mark.parametrize("env,cause", [
    ({"ENCRYPTED_TSK": "not base64!"}, "ENCRYPTED_TSK"),
    ({"ENCRYPTED_TSK": "QUJD" * 3000}, "ENCRYPTED_TSK"),
    ({"AWS_ACCESS_KEY_ID": "AKID"}, "or neither"),
])
def test_bad_environment_is_refused(world, tmp_path, env, cause):
    with pytest.raises(AssertionError, match=cause):
        Enclaved(world, tmp_path, env=env)


@pytest.mark.parametrize("request_,code", [
    ({}, "bad_configure"),
    ({"wrapped_tsk": "AAAA"}, "no_credentials"),
    ({"credentials": credentials()}, "no_wrapped_tsk"),
    ({"credentials": []}, "bad_configure"),
    ({"credentials": {"access_key_id": "x"}}, "bad_configure"),
    ({"credentials": credentials(access_key_id="")}, "bad_configure"),
    ({"credentials": credentials(access_key_id="a b")}, "bad_configure"),
    ({"credentials": credentials(secret_access_key="x\ny")}, "bad_configure"),
    ({"credentials": credentials(secret_access_key=7)}, "bad_configure"),
    ({"credentials": credentials(session_token="t" * 5000)}, "bad_configure"),
    ({"credentials": credentials(expiration=7)}, "bad_configure"),
    ({"credentials": credentials(expiration="2" * 40)}, "bad_configure"),
    ({"credentials": credentials(extra=1)}, "unknown_member"),
    ({"wrapped_tsk": "", "credentials": credentials()}, "bad_configure"),
    ({"wrapped_tsk": "====", "credentials": credentials()}, "bad_configure"),
    ({"wrapped_tsk": 5, "credentials": credentials()}, "bad_configure"),
    ({"wrapped_tsk": "AAAA" * 3000, "credentials": credentials()}, "bad_configure"),
    ({"key_arn": "arn:aws:kms:x", "credentials": credentials()}, "unknown_member"),
])
def test_configure_is_checked(enclave, request_, code):
    enclave.wait_for("awaiting_configuration")
    answer = enclave.ask({"op": "configure", **request_})
    assert answer["status"] == "error" and answer["code"] == code, answer
    assert enclave.configure()["status"] == "success"


@pytest.mark.parametrize("said", [
    {"region": kms_tools.REGION, "encryption_context": CONTEXT},
    {"region": "eu-west-9", "encryption_context": {"purpose": "other"}},
])
def test_what_is_pinned_is_used_whatever_configure_says(enclave, said):
    assert enclave.configure(**said)["status"] == "success"
    assert enclave.health()["encryption_context"] == CONTEXT


def test_denied_by_policy(enclave, world):
    world.kms.admin().ok("PutKeyPolicy", KeyId=world.key_arn, PolicyName="default",
                         Policy=key_policy("cd" * 48))
    answer = enclave.configure()
    assert answer["code"] == "kms_denied", answer
    assert answer["kms"]["type"] == "AccessDeniedException"
    assert answer["kms"]["http_status"] == 400
    assert "kms:Decrypt" in answer["kms"]["message"]
    assert "AccessDeniedException" in enclave.log()
    health = enclave.health()
    assert health["state"] == "awaiting_configuration"
    assert health["last_error"]["code"] == "kms_denied"
    assert health["last_error"]["kms"]["type"] == "AccessDeniedException"
    # the simulator names the condition, what it wanted and what it got
    denial = world.kms.log()
    assert "cd" * 48 in denial and PCR0 in denial
    assert enclave.ask(A)["code"] == "not_configured"
    world.kms.admin().ok("PutKeyPolicy", KeyId=world.key_arn, PolicyName="default",
                         Policy=key_policy())
    assert enclave.configure()["status"] == "success"
    open_state(enclave.agent_a(1), world.tsk)


def test_a_key_of_the_hosts_own_making_is_refused(enclave, world):
    """The host wraps a key it knows under a KMS key of its own: KMS says so, and the pin holds."""
    admin = world.kms.admin()
    other = admin.ok("CreateKey", Policy=key_policy())["KeyMetadata"]["Arn"]
    answer = enclave.configure(wrapped=world.wrap(b"k" * 32, key=other))
    assert answer["code"] == "kms_denied"
    assert answer["kms"]["type"] == "IncorrectKeyException"


def test_another_encryption_context_is_refused(enclave, world):
    answer = enclave.configure(wrapped=world.wrap(b"k" * 32, context={"purpose": "other"}))
    assert answer["code"] == "kms_denied"
    assert answer["kms"]["type"] == "InvalidCiphertextException"


@pytest.mark.parametrize("creds,type_,code", [
    (credentials(secret_access_key="wrong"), "InvalidSignatureException", "kms_denied"),
    (credentials(access_key_id="AKIDNOBODY"), "UnrecognizedClientException", "kms_denied"),
    (credentials(session_token="wrong"), "UnrecognizedClientException", "kms_denied"),
])
def test_wrong_credentials(enclave, creds, type_, code):
    answer = enclave.configure(creds=creds)
    assert answer["code"] == code and answer["kms"]["type"] == type_, answer
    assert enclave.health()["state"] == "awaiting_configuration"
    assert enclave.configure()["status"] == "success"


@pytest.mark.parametrize("fault,code", [
    ("garbage", {"kms_bad_response"}),
    ("other-key", {"key_mismatch"}),
    ("other-recipient", {"envelope_invalid"}),
    ("short-tsk", {"tsk_length"}),
])
def test_bad_answers_of_kms(enclave, world, fault, code):
    enclave.wait_for("awaiting_configuration")
    world.kms.write_faults(f"Decrypt {fault} 100")
    answer = enclave.configure()
    assert answer["code"] in code, answer
    assert enclave.health()["last_error"]["code"] in code
    assert enclave.ask(A)["code"] == "not_configured"
    world.kms.write_faults()
    assert enclave.configure()["status"] == "success"
    open_state(enclave.agent_a(1), world.tsk)


@pytest.mark.parametrize("fault,code", [
    ("500", "kms_unavailable"),
    ("throttle", "kms_throttled"),
    ("reset", "kms_unavailable"),
    ("half", "kms_unavailable"),
])
def test_kms_is_asked_once(enclave, world, fault, code):
    """What may pass is for enclavectl to repeat: test_enclavectl_real.py."""
    enclave.wait_for("awaiting_configuration")
    world.kms.write_faults(f"Decrypt {fault} 1")
    assert enclave.configure()["code"] == code, enclave.log()
    assert enclave.health()["last_error"]["code"] == code
    assert enclave.configure()["status"] == "success", enclave.log()
    open_state(enclave.agent_a(1), world.tsk)


def test_a_start_that_kms_throttles_waits_for_configure(world, start):
    world.kms.write_faults("Decrypt throttle 1")
    enclave = start(env={"ENCRYPTED_TSK": world.wrapped,
                         "AWS_ACCESS_KEY_ID": ENCLAVE["access_key_id"],
                         "AWS_SECRET_ACCESS_KEY": ENCLAVE["secret_access_key"],
                         "AWS_SESSION_TOKEN": ENCLAVE["session_token"]})
    assert enclave.wait_for("awaiting_configuration")["last_error"]["code"] == "kms_throttled"
    assert enclave.configure(wrapped=None)["status"] == "success"
    open_state(enclave.agent_a(1), world.tsk)


@pytest.mark.slow
@pytest.mark.parametrize("fault,codes", [
    ("500", {"kms_unavailable"}),
    ("throttle", {"kms_throttled"}),
    ("hang", {"kms_unavailable", "deadline"}),
    ("reset", {"kms_unavailable", "relay_unreachable", "tls_failed"}),
])
def test_lasting_failures_end_in_time(world, start, fault, codes):
    enclave = start(kms={"attempt_seconds": 1, "total_seconds": 2})
    enclave.wait_for("awaiting_configuration")
    world.kms.write_faults(f"Decrypt {fault} 1000")
    answer = enclave.configure()
    assert answer["code"] in codes, answer
    world.kms.write_faults()
    wait_until(lambda: enclave.configure()["status"] == "success", what="KMS is back")


@pytest.mark.slow
def test_requests_are_served_while_kms_hangs(world, enclave):
    enclave.ready()
    world.kms.write_faults("Decrypt hang 1")
    with enclave.connect() as waiting:
        waiting.send({"op": "configure", "credentials": credentials(),
                      "wrapped_tsk": world.wrap(b"n" * 32)})
        for _ in range(50):
            assert enclave.ask(A)["status"] == "success"
        assert waiting.receive()["code"] == "deadline"


@pytest.mark.slow
def test_configures_that_wait_are_bounded(world, start):
    enclave = start(kms={"attempt_seconds": 60, "total_seconds": 60}, limits={"drain_seconds": 1})
    enclave.wait_for("awaiting_configuration")
    world.kms.write_faults("Decrypt hang 1000")
    waiting = {c.socket: c for c in (enclave.connect() for _ in range(30))}
    for c in waiting.values():
        c.send({"op": "configure", "credentials": credentials(), "wrapped_tsk": world.wrapped})

    def answered():
        return select.select(list(waiting), [], [], 0)[0]
    # One is served and 16 wait, whichever of the 30 came first; at first the one may still wait, too.
    wait_until(lambda: len(answered()) >= 13, what="refusals")
    refused = [waiting[socket] for socket in answered()]
    assert len(refused) <= 14
    for c in refused:
        answer = c.receive()
        assert answer["code"] == "busy", answer
        assert c.ask({"op": "health"})["status"] == "success"  # it stays usable
    for c in waiting.values():
        c.close()


@pytest.mark.slow
def test_sigterm_while_kms_hangs(world, start):
    enclave = start(kms={"attempt_seconds": 60, "total_seconds": 60}, limits={"drain_seconds": 1})
    enclave.wait_for("awaiting_configuration")
    world.kms.write_faults("Decrypt hang 1")
    with enclave.connect() as waiting:
        waiting.send({"op": "configure", "credentials": credentials(),
                      "wrapped_tsk": world.wrapped})
        wait_until(lambda: enclave.health()["requests"] >= 2, what="configure counted")
        assert enclave.stop() == 0


def test_no_relay(world, start):
    enclave = start(kms={"relay": "tcp:127.0.0.1:1", "total_seconds": 1})
    answer = enclave.configure()
    assert answer["code"] == "relay_unreachable", answer
    assert "127.0.0.1:1" in answer["cause"]


def test_another_root_and_another_name(world, start, tmp_path):
    wrong_name = start(kms={"endpoint": "kms.example.com"})
    answer = wrong_name.configure()
    assert answer["code"] == "tls_failed" and "kms.example.com" in answer["cause"], answer


def test_roots_that_do_not_sign_kms(world, start, tmp_path):
    roots = tmp_path / "roots.pem"
    with open(world.nsm.root) as file:
        roots.write_text(file.read())
    answer = start(kms={"roots_file": str(roots)}).configure()
    assert answer["code"] == "tls_failed", answer


def test_credentials_are_renewed_without_dropping_a_request(enclave, world):
    enclave.ready()
    with enclave.connect() as c:
        for i in range(20):
            later = f"2998-01-01T00:00:{i:02d}Z"
            answer = enclave.ask({"op": "configure",
                                  "credentials": credentials(expiration=later)})
            assert answer == {"status": "success", "state": "ready", "key_id": world.key_arn,
                              "rotated": False}
            assert enclave.health()["credentials_expire"] == later
            assert c.ask(A)["status"] == "success"


def test_rotation(world, start):
    enclave = start(rotation={"previous_key_seconds": 3600}).ready()
    old = enclave.agent_a("before")
    new_key = os.urandom(32)
    assert enclave.configure(creds=None, wrapped=world.wrap(new_key))["rotated"] is True
    assert json.loads(open_state(enclave.agent_a("after"), new_key))["iteration"] == 1
    answer = enclave.ask({"mode": "B", "payload": old})
    assert json.loads(open_state(answer["ciphertext"], new_key))["iteration"] == 2
    # the same key again is not a rotation
    assert enclave.configure(creds=None, wrapped=world.wrap(new_key))["rotated"] is False


def test_the_previous_key_is_forgotten_in_time(world, start):
    enclave = start(rotation={"previous_key_seconds": 0}).ready()
    old = enclave.agent_a("before")
    assert enclave.configure(creds=None, wrapped=world.wrap(os.urandom(32)))["rotated"] is True
    assert enclave.ask({"mode": "B", "payload": old})["code"] == "authentication_failed"


def test_a_failed_rotation_leaves_the_key_in_force(enclave, world):
    enclave.ready()
    sealed = enclave.agent_a(1)
    assert enclave.configure(wrapped=b64(b"rubbish" * 20))["code"] == "kms_denied"
    assert enclave.configure(wrapped=world.wrap(b"short" * 3))["code"] == "tsk_length"
    assert enclave.configure(wrapped=world.wrap(b"x" * 33))["code"] == "tsk_length"
    health = enclave.health()
    assert health["state"] == "ready" and health["last_error"]["code"] == "tsk_length"
    answer = enclave.ask({"mode": "B", "payload": sealed})
    assert json.loads(open_state(answer["ciphertext"], world.tsk))["iteration"] == 2


def test_credentials_that_kms_refuses_replace_none(enclave, world):
    """Any client may send some: those in force stay, and are used for the next rotation."""
    enclave.ready()
    answer = enclave.ask({"op": "configure",
                          "credentials": credentials(access_key_id="AKIDNOBODY", expiration="never")})
    assert answer["code"] == "kms_denied", answer
    assert enclave.health()["credentials_expire"] == ENCLAVE["expiration"]
    assert "no session key" not in enclave.log()
    assert "not configured; the key in force stays: kms_denied" in enclave.log()
    assert enclave.configure(creds=None, wrapped=world.wrap(b"n" * 32))["rotated"] is True


def test_configure_races_with_requests(enclave, world):
    enclave.ready()
    connections = [enclave.connect() for _ in range(8)]
    for i in range(10):
        connections[0].send({"op": "configure", "credentials": credentials(),
                             "wrapped_tsk": world.wrap(bytes([i]) * 32)})
        for c in connections[1:]:
            for _ in range(20):
                c.send(A)
        for c in connections[1:]:
            for _ in range(20):
                assert c.receive()["status"] == "success"
        assert connections[0].receive()["status"] == "success"
    for c in connections:
        c.close()


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["error:InternalError:Attestation", "short:Attestation",
                                   "garbage:Attestation", "silent:Attestation"])
def test_a_failing_module_is_named(world, tmp_path, fault):
    state = ["--state", os.path.join(world.folder, "nsm-state")]
    nsm = Nsm(tmp_path, *state, "--fault", fault)
    try:
        bad = type("Bad", (), {"nsm": nsm, "kms": world.kms, "key_arn": world.key_arn,
                               "wrapped": world.wrapped})
        enclave = Enclaved(bad, tmp_path)
        try:
            answer = enclave.configure()
            assert answer["code"] == "nsm_failed" and "ttestation" in answer["cause"], answer
            assert enclave.ask(A)["code"] == "not_configured"
            # the module recovers, and so does the session
            nsm.stop()
            nsm.start("--pcr", f"0={PCR0}", *state)
            wait_until(lambda: enclave.configure()["status"] == "success", what="configured")
            open_state(enclave.agent_a(1), world.tsk)
        finally:
            assert enclave.stop() == 0
    finally:
        nsm.stop()


@pytest.mark.slow
def test_sigterm_with_configures_queued_while_the_module_is_silent(world, tmp_path):
    """The module is waited for once (10 s), not for each of them: that is longer than stop waits."""
    nsm = Nsm(tmp_path, "--state", os.path.join(world.folder, "nsm-state"),
              "--fault", "silent:Attestation")
    try:
        bad = type("Bad", (), {"nsm": nsm, "kms": world.kms, "key_arn": world.key_arn})
        enclave = Enclaved(bad, tmp_path, limits={"drain_seconds": 1})
        waiting = [enclave.connect() for _ in range(8)]
        for c in waiting:
            c.send({"op": "configure", "credentials": credentials(),
                    "wrapped_tsk": world.wrapped})
        wait_until(lambda: enclave.health()["requests"] >= 9, what="configures counted")
        assert enclave.stop() == 0
        for c in waiting:
            c.close()
    finally:
        nsm.stop()


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["error:InternalError:GetRandom", "short:GetRandom",
                                   "garbage:GetRandom", "silent:GetRandom"])
def test_no_start_without_entropy(world, tmp_path, fault):
    nsm = Nsm(tmp_path, "--fault", fault)
    try:
        bad = type("Bad", (), {"nsm": nsm, "kms": world.kms, "key_arn": world.key_arn})
        with pytest.raises(AssertionError, match="GetRandom"):
            Enclaved(bad, tmp_path)
    finally:
        nsm.stop()


def test_no_start_without_a_module(world, tmp_path):
    none = type("None", (), {"path": str(tmp_path / "nowhere")})
    bad = type("Bad", (), {"nsm": none, "kms": world.kms, "key_arn": world.key_arn})
    with pytest.raises(AssertionError, match="nsm_failed"):
        Enclaved(bad, tmp_path)


def test_no_secret_anywhere(world, start):
    """Neither in logs, answers, arguments nor environment; and no core."""
    enclave = start()
    secret_payload = "a payload that nobody should log"
    creds = credentials()
    assert enclave.configure(creds=creds)["status"] == "success"
    sealed = enclave.agent_a(secret_payload)
    enclave.ask({"mode": "B", "payload": sealed})
    enclave.ask({"mode": "B", "payload": seal_state(secret_payload.encode(), world.tsk)})
    answers = [enclave.configure(creds=credentials(session_token="wrong-token-xyz")),
               enclave.configure(creds=credentials(secret_access_key="wrong-secret-xyz"))]
    pid = enclave.process.pid
    texts = [enclave.log(), json.dumps(answers), world.kms.log()]
    for name in ("cmdline", "environ"):
        with open(f"/proc/{pid}/{name}", errors="replace") as file:
            texts.append(file.read())
    secrets = [creds["secret_access_key"], creds["session_token"], secret_payload,
               world.tsk.hex(), base64.b64encode(world.tsk).decode(), "wrong-token-xyz",
               "wrong-secret-xyz"]
    for text in texts:
        for secret in secrets:
            assert secret not in text
    with open(f"/proc/{pid}/limits") as file:
        core = next(line for line in file if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
    with open(f"/proc/{pid}/status") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    assert status["NoNewPrivs"].strip() == "1"
    assert os.stat(f"/proc/{pid}/mem").st_uid == 0  # not dumpable: the files are root's


def test_keys_and_plaintext_leave_memory(world, start):
    """After requests are served and the connection is gone, plaintext is nowhere in the process."""
    enclave = start().ready()
    marker = "marker-" + os.urandom(8).hex()
    with enclave.connect() as c:
        for i in range(20):
            answer = c.ask({"mode": "A", "payload": marker + "x" * (i * 977)})
            c.ask({"mode": "B", "payload": answer["ciphertext"]})
        c.ask({"mode": "A", "payload": marker + "y" * 700000})
    with enclave.connect() as c:
        c.socket.sendall(b"\xff" * 4)
        assert c.receive()["code"] == "frame_too_large"
        c.socket.sendall(("behind what ended the connection: " + marker).encode())
    wait_until(lambda: enclave.health()["connections"] == 1, what="the connections' end")
    found = count_in_memory(enclave, marker.encode(), ENCLAVE["secret_access_key"].encode())
    assert found[marker.encode()] == 0
    # the credentials in force are needed for the next call to KMS: held once, in locked memory
    assert found[ENCLAVE["secret_access_key"].encode()] <= 1


def test_the_previous_key_leaves_memory_by_itself(world, start):
    """When its time is over, and not with the next request. A key schedule begins with the key."""
    enclave = start(rotation={"previous_key_seconds": 2}).ready()
    new_key = os.urandom(32)
    assert count_in_memory(enclave, world.tsk)[world.tsk] > 0
    assert enclave.configure(creds=None, wrapped=world.wrap(new_key))["rotated"] is True
    wait_until(lambda: count_in_memory(enclave, world.tsk)[world.tsk] == 0, what="the key wiped")
    assert count_in_memory(enclave, new_key)[new_key] > 0


def count_in_memory(enclave, *secrets):
    """How often each occurs in the memory of the process."""
    found = dict.fromkeys(secrets, 0)
    with open(f"/proc/{enclave.process.pid}/maps") as maps, \
            open(f"/proc/{enclave.process.pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            region, access = line.split()[:2]
            if "r" not in access or "[v" in line:
                continue
            begin, end = (int(x, 16) for x in region.split("-"))
            if end - begin > 1 << 32:
                pytest.skip("a sanitizer's shadow memory is too large to search")
            memory.seek(begin)
            try:
                data = memory.read(end - begin)
            except OSError:
                continue
            for secret in secrets:
                found[secret] += data.count(secret)
    return found


def test_standard_descriptors_that_are_closed(world, start, tmp_path):
    """Each is /dev/null, so that no socket gets the number to which the log is written."""
    closed = ["sh", "-c", 'exec "$0" "$@" <&- 2>&-']
    enclave = start(wrapper=closed)
    with subprocess.Popen([*closed, SIM, "nsm", "--listen", f"unix:{tmp_path}/nsm",
                           "--write-nsm-root", tmp_path / "root.pem"], stdout=subprocess.PIPE) as sim:
        assert sim.stdout.readline().startswith(b"ready ")
        assert enclave.health()["status"] == "success"
        for process in (enclave.process, sim):
            assert [os.readlink(f"/proc/{process.pid}/fd/{n}") for n in (0, 2)] == ["/dev/null"] * 2
        sim.terminate()
    assert sim.returncode == 0
