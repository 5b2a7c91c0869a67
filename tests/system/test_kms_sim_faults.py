# SPDX-License-Identifier: Apache-2.0
"""The faults that `enclave-sim kms` makes on request, and that the next request finds none."""
import base64
import http.client
import json
import time

import pytest
from kms_tools import Kms, b64, new_rsa, open_envelope, spki_of


@pytest.fixture(scope="module")
def key(kms):
    return kms.admin().ok("CreateKey")["KeyMetadata"]


@pytest.fixture(scope="module")
def blob(kms, key):
    return kms.admin().ok("Encrypt", KeyId=key["KeyId"], Plaintext=b64(b"k" * 32))["CiphertextBlob"]


@pytest.fixture(scope="module")
def rsa_key():
    return new_rsa()


def decrypt(kms, blob, **members):
    return kms.enclave().call("Decrypt", {"CiphertextBlob": blob, **members})


@pytest.mark.parametrize("fault, status, kind", [
    ("400", 400, "ValidationException"), ("403", 403, "AccessDeniedException"),
    ("500", 500, "KMSInternalException"), ("503", 503, "DependencyTimeoutException"),
    ("throttle", 400, "ThrottlingException")])
def test_exceptions(kms, blob, fault, status, kind):
    kms.write_faults(f"Decrypt {fault} 2")
    assert kms.enclave().call("GenerateRandom", {"NumberOfBytes": 1}).status == 200
    for _ in range(2):
        reply = decrypt(kms, blob)
        assert (reply.status, reply.type) == (status, kind)
    assert decrypt(kms, blob).status == 200


def test_garbage(kms, blob):
    kms.write_faults("Decrypt garbage 1")
    with pytest.raises(json.JSONDecodeError):
        decrypt(kms, blob)
    assert decrypt(kms, blob).status == 200


def test_half(kms, blob):
    kms.write_faults("Decrypt half 1")
    with pytest.raises((http.client.IncompleteRead, OSError)):
        decrypt(kms, blob)
    assert decrypt(kms, blob).status == 200


def test_reset(kms, blob):
    kms.write_faults("* reset 1")
    with pytest.raises((OSError, http.client.HTTPException)):
        decrypt(kms, blob)
    assert decrypt(kms, blob).status == 200


def ask_and_wait(server):
    """Sends a GenerateRandom whose answer never comes; returns when the simulator has it."""
    client, body = server.admin(), b'{"NumberOfBytes": 1}'
    connection = client.connect()
    connection.request("POST", "/", body, dict(client.signer.sign(
        "POST", "/", client.headers("GenerateRandom"), body)))
    while "fault injected: hang" not in server.log():
        time.sleep(0.01)  # the time limit of the whole test ends this
    return connection


def test_hang(kms):
    kms.write_faults("GenerateRandom hang 1")
    connection = ask_and_wait(kms)
    connection.sock.settimeout(0.2)
    with pytest.raises(TimeoutError):
        connection.getresponse()
    connection.close()
    assert kms.enclave().call("GenerateRandom", {"NumberOfBytes": 1}).status == 200


def test_a_hanging_request_does_not_hinder_the_end(module, tmp_path):
    server = Kms(tmp_path, module.root_pem(), "--fault", "GenerateRandom hang 1")
    try:
        connection = ask_and_wait(server)
        assert server.admin().call("GenerateRandom", {"NumberOfBytes": 1}).status == 200
        assert server.stop() == 0
        connection.close()
    finally:
        server.stop()


def test_other_key(kms, key, blob):
    kms.write_faults("Decrypt other-key 1")
    got = decrypt(kms, blob).json
    assert got["KeyId"] != key["Arn"] and len(got["KeyId"]) == len(key["Arn"])
    assert decrypt(kms, blob).json["KeyId"] == key["Arn"]


def test_other_recipient(kms, blob, module, rsa_key, tmp_path):
    recipient = module.recipient(spki_of(rsa_key))
    kms.write_faults("Decrypt other-recipient 1")
    got = decrypt(kms, blob, Recipient=recipient).json
    assert open_envelope(tmp_path, base64.b64decode(got["CiphertextForRecipient"]),
                         rsa_key) != b"k" * 32
    got = decrypt(kms, blob, Recipient=recipient).json
    assert open_envelope(tmp_path, base64.b64decode(got["CiphertextForRecipient"]),
                         rsa_key) == b"k" * 32


@pytest.mark.parametrize("fault, plaintext", [
    ("short-tsk", b"k" * 31), ("long-tsk", b"k" * 32 + b"\0")])
def test_length_of_tsk(kms, blob, module, rsa_key, tmp_path, fault, plaintext):
    kms.write_faults(f"Decrypt {fault} 1")
    got = decrypt(kms, blob, Recipient=module.recipient(spki_of(rsa_key))).json
    assert open_envelope(tmp_path, base64.b64decode(got["CiphertextForRecipient"]),
                         rsa_key) == plaintext


@pytest.mark.parametrize("form", ["constructed", "primitive"])
def test_broken_envelope(module, rsa_key, tmp_path, form):
    server = Kms(tmp_path, module.root_pem(), "--envelope", form, "--fault",
                 "GenerateRandom broken-envelope 1")
    try:
        recipient = module.recipient(spki_of(rsa_key))
        first, second = (base64.b64decode(server.enclave().ok(
            "GenerateRandom", NumberOfBytes=32, Recipient=recipient)["CiphertextForRecipient"])
            for _ in range(2))
        assert len(first) == len(second)
        assert open_envelope(tmp_path, first, rsa_key) is None
        assert len(open_envelope(tmp_path, second, rsa_key)) == 32
    finally:
        assert server.stop() == 0


def test_plaintext_for_an_attested_recipient(kms, blob, module, rsa_key):
    kms.write_faults("Decrypt plaintext 1")
    got = decrypt(kms, blob, Recipient=module.recipient(spki_of(rsa_key))).json
    assert base64.b64decode(got["Plaintext"]) == b"k" * 32
    assert "CiphertextForRecipient" not in got


def test_no_key(kms, blob):
    kms.write_faults("Decrypt no-key 1")
    assert "KeyId" not in decrypt(kms, blob).json
    assert "KeyId" in decrypt(kms, blob).json


def test_large(kms, blob):
    kms.write_faults("Decrypt large 1")
    assert len(decrypt(kms, blob).body) > 256 << 10
    assert len(decrypt(kms, blob).body) < 1000


def test_faults_are_logged_and_bad_lines_named(kms, blob):
    kms.write_faults("Decrypt nonsense 1", "Decrypt 500", "Decrypt 500 0", "Decrypt throttle 1")
    assert decrypt(kms, blob).type == "ThrottlingException"
    log = kms.log()
    assert "fault injected: throttle" in log
    assert "no such fault: nonsense" in log
    assert "a fault is OPERATION FAULT COUNT, not: Decrypt 500" in log
