# SPDX-License-Identifier: Apache-2.0
"""Signing keys of `enclave-sim kms`: CreateKey of ECC_NIST_P384, GetPublicKey and Sign; every
signature is verified by Python's cryptography."""
import base64
import hashlib
import sqlite3

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import load_der_public_key
from kms_tools import ACCOUNT, Kms, administration, b64, policy

ROLE = f"arn:aws:iam::{ACCOUNT}:role/enclave"
MESSAGE = b"what is signed"
DIGEST = hashlib.sha384(MESSAGE).digest()


@pytest.fixture(scope="module")
def key(kms):
    return kms.admin().ok("CreateKey", KeySpec="ECC_NIST_P384", KeyUsage="SIGN_VERIFY",
                          Description="signs images")["KeyMetadata"]


@pytest.fixture(scope="module")
def symmetric(kms):
    return kms.admin().ok("CreateKey")["KeyMetadata"]


def public_key(kms, key):
    answer = kms.admin().ok("GetPublicKey", KeyId=key["KeyId"])
    assert answer["KeyId"] == key["Arn"]
    return load_der_public_key(base64.b64decode(answer["PublicKey"]))


def sign(kms, key, message=DIGEST, kind="DIGEST"):
    answer = kms.admin().ok("Sign", KeyId=key["Arn"], Message=b64(message), MessageType=kind,
                            SigningAlgorithm="ECDSA_SHA_384")
    assert answer["KeyId"] == key["Arn"] and answer["SigningAlgorithm"] == "ECDSA_SHA_384"
    return base64.b64decode(answer["Signature"])


def refusal(kms, status=400, **members):
    given = {"Message": b64(DIGEST), "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_384",
             **members}
    reply = kms.admin().error("Sign", **{n: v for n, v in given.items() if v is not None})
    assert reply.status == status
    return reply.type, reply.message


def test_create_and_describe(kms, key):
    assert (key["KeySpec"], key["CustomerMasterKeySpec"]) == ("ECC_NIST_P384", "ECC_NIST_P384")
    assert key["KeyUsage"] == "SIGN_VERIFY" and key["SigningAlgorithms"] == ["ECDSA_SHA_384"]
    assert "EncryptionAlgorithms" not in key
    assert kms.admin().ok("DescribeKey", KeyId=key["KeyId"])["KeyMetadata"] == key


def test_the_older_name_of_key_spec(kms):
    made = kms.admin().ok("CreateKey", CustomerMasterKeySpec="ECC_NIST_P384",
                          KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    assert made["KeySpec"] == "ECC_NIST_P384"


@pytest.mark.parametrize("members, kind, message", [
    ({"KeySpec": "ECC_NIST_P384"}, "ValidationException",
     "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."),
    ({"KeySpec": "ECC_NIST_P384", "KeyUsage": "ENCRYPT_DECRYPT"}, "ValidationException",
     "KeyUsage ENCRYPT_DECRYPT is not compatible with KeySpec ECC_NIST_P384"),
    ({"KeyUsage": "SIGN_VERIFY"}, "ValidationException",
     "KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT"),
    ({"KeySpec": "ECC_NIST_P384", "CustomerMasterKeySpec": "ECC_NIST_P384",
      "KeyUsage": "SIGN_VERIFY"}, "ValidationException",
     "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
     "CustomerMasterKeySpec is deprecated."),
    ({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}, "UnsupportedOperationException",
     "KeySpec must be one of SYMMETRIC_DEFAULT, ECC_NIST_P384: no other value is simulated"),
    ({"KeySpec": "ECC_NIST_P384", "KeyUsage": "KEY_AGREEMENT"}, "UnsupportedOperationException",
     "KeyUsage must be one of ENCRYPT_DECRYPT, SIGN_VERIFY: no other value is simulated"),
    ({"KeySpec": 384, "KeyUsage": "SIGN_VERIFY"}, "SerializationException",
     "KeySpec must be a string"),
])
def test_kinds_that_are_refused(kms, members, kind, message):
    reply = kms.admin().error("CreateKey", **members)
    assert (reply.type, reply.message) == (kind, message)


def test_public_key(kms, key):
    answer = kms.admin().ok("GetPublicKey", KeyId=key["Arn"])
    assert {n: answer[n] for n in answer if n != "PublicKey"} == {
        "KeyId": key["Arn"], "KeySpec": "ECC_NIST_P384", "CustomerMasterKeySpec": "ECC_NIST_P384",
        "KeyUsage": "SIGN_VERIFY", "SigningAlgorithms": ["ECDSA_SHA_384"]}
    public = load_der_public_key(base64.b64decode(answer["PublicKey"]))
    assert isinstance(public.curve, ec.SECP384R1)
    other = kms.admin().ok("CreateKey", KeySpec="ECC_NIST_P384",
                           KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    assert public_key(kms, other).public_numbers() != public.public_numbers()


def test_public_key_of_a_symmetric_key(kms, symmetric):
    assert kms.admin().error("GetPublicKey",
                             KeyId=symmetric["Arn"]).type == "UnsupportedOperationException"


def test_a_digest_is_signed(kms, key):
    public = public_key(kms, key)
    signatures = {sign(kms, key) for _ in range(20)}
    assert len(signatures) == 20
    for signature in signatures:
        public.verify(signature, DIGEST, ec.ECDSA(Prehashed(hashes.SHA384())))
        public.verify(signature, MESSAGE, ec.ECDSA(hashes.SHA384()))
    with pytest.raises(InvalidSignature):
        public.verify(signatures.pop(), MESSAGE + b"!", ec.ECDSA(hashes.SHA384()))


@pytest.mark.parametrize("size", [1, 48, 4096])
def test_a_message_is_hashed_and_signed(kms, key, size):
    message = bytes(i % 251 for i in range(size))
    signature = sign(kms, key, message, "RAW")
    public_key(kms, key).verify(signature, message, ec.ECDSA(hashes.SHA384()))


def test_raw_is_the_default(kms, key):
    answer = kms.admin().ok("Sign", KeyId=key["Arn"], Message=b64(MESSAGE),
                            SigningAlgorithm="ECDSA_SHA_384")
    public_key(kms, key).verify(base64.b64decode(answer["Signature"]), MESSAGE,
                                ec.ECDSA(hashes.SHA384()))


@pytest.mark.parametrize("members, kind, message", [
    ({"Message": b64(b"x" * 32)}, "ValidationException",
     "Digest is invalid length for algorithm ECDSA_SHA_384."),
    ({"Message": b64(b"x" * 64)}, "ValidationException",
     "Digest is invalid length for algorithm ECDSA_SHA_384."),
    ({"Message": ""}, "ValidationException", "1 validation error detected: Value at 'message' "
     "failed to satisfy constraint: Member must have length greater than or equal to 1"),
    ({"Message": b64(b"x" * 4097), "MessageType": "RAW"}, "ValidationException",
     "1 validation error detected: Value at 'message' failed to satisfy constraint: Member must "
     "have length less than or equal to 4096"),
    ({"Message": None}, "ValidationException", "1 validation error detected: Value null at "
     "'message' failed to satisfy constraint: Member must not be null"),
    ({"MessageType": "HASH"}, "ValidationException", "1 validation error detected: Value at "
     "'messageType' failed to satisfy constraint: Member must satisfy enum value set: "
     "[RAW, DIGEST, EXTERNAL_MU]"),
    ({"MessageType": "EXTERNAL_MU"}, "ValidationException",
     "Message type EXTERNAL_MU is incompatible with key spec ECC_NIST_P384."),
    ({"SigningAlgorithm": None}, "ValidationException", "1 validation error detected: Value null "
     "at 'signingAlgorithm' failed to satisfy constraint: Member must not be null"),
    ({"SigningAlgorithm": "ECDSA_SHA_256"}, "InvalidKeyUsageException",
     "Algorithm ECDSA_SHA_256 is incompatible with key spec ECC_NIST_P384."),
    ({"SigningAlgorithm": "RSASSA_PSS_SHA_384"}, "InvalidKeyUsageException",
     "Algorithm RSASSA_PSS_SHA_384 is incompatible with key spec ECC_NIST_P384."),
    ({"GrantTokens": ["x"]}, "UnsupportedOperationException", "GrantTokens is not simulated"),
    ({"DryRun": True}, "UnsupportedOperationException", "DryRun is not simulated"),
])
def test_what_is_not_signed(kms, key, members, kind, message):
    assert refusal(kms, KeyId=key["Arn"], **members) == (kind, message)


def test_an_unknown_algorithm(kms, key):
    kind, message = refusal(kms, KeyId=key["Arn"], SigningAlgorithm="ECDSA_SHA_1")
    assert kind == "ValidationException"
    assert message.startswith("1 validation error detected: Value at 'signingAlgorithm' failed to "
                              "satisfy constraint: Member must satisfy enum value set: [RSASSA_PSS")


def test_usage_of_a_symmetric_key(kms, symmetric):
    assert refusal(kms, KeyId=symmetric["Arn"]) == (
        "InvalidKeyUsageException",
        symmetric["Arn"] + " key usage is ENCRYPT_DECRYPT which is not valid for Sign.")


def test_usage_of_a_signing_key(kms, key):
    for operation, members in (("Encrypt", {"Plaintext": b64(b"x")}),
                               ("Decrypt", {"CiphertextBlob": b64(b"x" * 100)}),
                               ("GenerateDataKey", {"KeySpec": "AES_256"}),
                               ("GenerateDataKeyWithoutPlaintext", {"KeySpec": "AES_256"})):
        reply = kms.admin().error(operation, KeyId=key["Arn"], **members)
        assert (reply.type, reply.message) == (
            "InvalidKeyUsageException",
            f"{key['Arn']} key usage is SIGN_VERIFY which is not valid for {operation}.")


def test_a_disabled_key_signs_nothing(kms):
    made = kms.admin().ok("CreateKey", KeySpec="ECC_NIST_P384", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    kms.admin().ok("DisableKey", KeyId=made["KeyId"])
    assert refusal(kms, KeyId=made["Arn"])[0] == "DisabledException"
    assert kms.admin().error("GetPublicKey", KeyId=made["Arn"]).type == "DisabledException"


def test_the_key_policy_decides(kms):
    use = {"Sid": "Digests", "Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "kms:Sign",
           "Resource": "*", "Condition": {"StringEquals": {
               "kms:SigningAlgorithm": "ECDSA_SHA_384", "kms:MessageType": "DIGEST"}}}
    administer = {**administration(), "Action": ["kms:Create*", "kms:Put*"]}
    made = kms.admin().ok("CreateKey", KeySpec="ECC_NIST_P384", KeyUsage="SIGN_VERIFY",
                          Policy=policy(administer, use))["KeyMetadata"]
    members = {"KeyId": made["Arn"], "Message": b64(DIGEST), "SigningAlgorithm": "ECDSA_SHA_384"}
    kms.enclave().ok("Sign", MessageType="DIGEST", **members)
    for client, kind in ((kms.enclave(), "RAW"), (kms.admin(), "DIGEST")):
        reply = client.error("Sign", MessageType=kind, **members)
        assert reply.type == "AccessDeniedException" and "kms:Sign" in reply.message
    assert "kms:MessageType wanted DIGEST, actual RAW: does not match" in kms.log()
    reply = kms.enclave().error("GetPublicKey", KeyId=made["Arn"])
    assert reply.type == "AccessDeniedException" and "kms:GetPublicKey" in reply.message


def test_the_log_has_no_key(kms, key):
    sign(kms, key)
    assert f"Sign by arn:aws:iam::{ACCOUNT}:user/admin key {key['Arn']}: ok" in kms.log()
    with sqlite3.connect(kms.database) as store:
        private, = store.execute("SELECT backing FROM key WHERE id = ?", (key["KeyId"],)).fetchone()
    lines = private.decode().splitlines()
    assert lines[0] == "-----BEGIN PRIVATE KEY-----"
    assert not any(line in kms.log() for line in lines)


def test_a_backing_key_that_is_damaged(module, tmp_path):
    """It is not used, whatever its length is now."""
    server = Kms(tmp_path, module.root_pem())
    try:
        keys = [server.admin().ok("CreateKey", **members)["KeyMetadata"] for members in
                ({}, {"KeySpec": "ECC_NIST_P384", "KeyUsage": "SIGN_VERIFY"})]
        with sqlite3.connect(server.database) as store:
            store.execute("UPDATE key SET backing = substr(backing, 1, 31)")
        assert server.admin().error("Encrypt", KeyId=keys[0]["Arn"],
                                    Plaintext=b64(b"x")).type == "KMSInternalException"
        assert refusal(server, KeyId=keys[1]["Arn"], status=500)[0] == "KMSInternalException"
    finally:
        assert server.stop() == 0


def test_a_store_of_the_version_before(module, tmp_path):
    """Its keys are symmetric and go on to work; a newer version than ours is refused."""
    server = Kms(tmp_path, module.root_pem())
    old = server.admin().ok("CreateKey")["KeyMetadata"]
    blob = server.admin().ok("Encrypt", KeyId=old["Arn"], Plaintext=b64(b"kept"))["CiphertextBlob"]
    assert server.stop() == 0
    with sqlite3.connect(server.database) as store:
        store.execute("ALTER TABLE key DROP COLUMN spec")
        store.execute("PRAGMA user_version = 1")
    server.start()
    try:
        assert server.admin().ok("DescribeKey", KeyId=old["Arn"])["KeyMetadata"] == old
        got = server.admin().ok("Decrypt", CiphertextBlob=blob)
        assert base64.b64decode(got["Plaintext"]) == b"kept"
        made = server.admin().ok("CreateKey", KeySpec="ECC_NIST_P384",
                                 KeyUsage="SIGN_VERIFY")["KeyMetadata"]
        server.restart()
        public_key(server, made).verify(sign(server, made), MESSAGE, ec.ECDSA(hashes.SHA384()))
    finally:
        assert server.stop() == 0
