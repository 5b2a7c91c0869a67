# SPDX-License-Identifier: Apache-2.0
"""`enclave-sim kms` from outside: each operation and each of its failures, its attested answers, its
log and its store."""
import base64
import concurrent.futures
import contextlib
import json
import os
import signal
import socket
import sqlite3
import ssl
import stat
import subprocess

import pytest
from kms_tools import (ACCOUNT, ADMIN, ENCLAVE, REGION, SIM, Kms, Module, Nsm, administration,
                       b64, new_rsa, open_envelope, policy, spki_of)

PCR0 = bytes(range(48))
ROLE = f"arn:aws:iam::{ACCOUNT}:role/enclave"


@pytest.fixture(scope="module")
def rsa_key():
    return new_rsa()


@pytest.fixture(scope="module")
def key(kms):
    return kms.admin().ok("CreateKey", Description="shared")["KeyMetadata"]


def encrypt(kms, key, plaintext=b"thirty-two bytes of a key, just so", **members):
    return kms.admin().ok("Encrypt", KeyId=key["Arn"], Plaintext=b64(plaintext),
                          **members)["CiphertextBlob"]


def attested_key(kms, conditions, *more):
    """A key that the account administers and the enclave's role may use under conditions."""
    use = {"Sid": "Attested", "Effect": "Allow", "Principal": {"AWS": ROLE},
           "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": "*",
           "Condition": conditions}
    return kms.admin().ok("CreateKey", Policy=policy(administration(), use, *more))["KeyMetadata"]


# ---- keys, aliases, policies


def test_create_and_describe(kms):
    made = kms.admin().ok("CreateKey", Description="a \"key\" ü", KeyUsage="ENCRYPT_DECRYPT",
                          KeySpec="SYMMETRIC_DEFAULT", Origin="AWS_KMS")["KeyMetadata"]
    assert made["Arn"] == f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{made['KeyId']}"
    assert made["AWSAccountId"] == ACCOUNT
    assert made["Description"] == "a \"key\" ü"
    assert made["KeyState"] == "Enabled" and made["Enabled"] is True
    assert made["EncryptionAlgorithms"] == ["SYMMETRIC_DEFAULT"]
    assert isinstance(made["CreationDate"], float)
    assert kms.admin().ok("DescribeKey", KeyId=made["KeyId"])["KeyMetadata"] == made


def test_four_forms_of_key_id(kms, key):
    assert kms.admin().call("CreateAlias", {"AliasName": "alias/four/forms",
                                            "TargetKeyId": key["Arn"]}).body == b""
    for name in (key["KeyId"], key["Arn"], "alias/four/forms",
                 f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/four/forms"):
        assert kms.admin().ok("DescribeKey", KeyId=name)["KeyMetadata"] == key


@pytest.mark.parametrize("name, message", [
    ("00000000-0000-0000-0000-000000000000",
     f"Key 'arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000' does not "
     "exist"),
    (f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000", "does not exist"),
    ("arn:aws:s3:::bucket", "Invalid arn"),
    ("alias/none", f"Alias arn:aws:kms:{REGION}:{ACCOUNT}:alias/none is not found."),
    ("alias/" + "n" * 900, "is not found."),
    ("nonsense", "Invalid keyId 'nonsense'"),
    ("no\0thing", "Invalid keyId"),
])
def test_no_such_key(kms, name, message):
    reply = kms.admin().error("DescribeKey", KeyId=name)
    assert (reply.status, reply.type) == (400, "NotFoundException")
    assert message in reply.message


def test_arn_of_another_account_or_region(kms, key):
    for arn in (key["Arn"].replace(ACCOUNT, "999999999999"), key["Arn"].replace(REGION, "eu-west-1")):
        assert kms.admin().error("DescribeKey", KeyId=arn).type == "NotFoundException"


def test_alias_errors(kms, key):
    assert kms.admin().call("CreateAlias", {"AliasName": "alias/once",
                                            "TargetKeyId": key["KeyId"]}).status == 200
    again = kms.admin().error("CreateAlias", AliasName="alias/once", TargetKeyId=key["KeyId"])
    assert again.type == "AlreadyExistsException"
    assert again.message.endswith(":alias/once already exists")
    for name, kind in (("once", "ValidationException"), ("alias/", "ValidationException"),
                       ("alias/with space", "ValidationException"),
                       ("alias/aws/kms", "NotAuthorizedException"),
                       ("alias/" + "a" * 260, "ValidationException")):
        assert kms.admin().error("CreateAlias", AliasName=name,
                                 TargetKeyId=key["KeyId"]).type == kind


def test_disabled_key(kms):
    made = kms.admin().ok("CreateKey")["KeyMetadata"]
    blob = encrypt(kms, made)
    kms.admin().ok("DisableKey", KeyId=made["KeyId"])
    assert kms.admin().ok("DescribeKey", KeyId=made["KeyId"])["KeyMetadata"]["KeyState"] == "Disabled"
    reply = kms.admin().error("Decrypt", CiphertextBlob=blob)
    assert (reply.type, reply.message) == ("DisabledException", made["Arn"] + " is disabled.")
    kms.admin().ok("EnableKey", KeyId=made["KeyId"])
    kms.admin().ok("Decrypt", CiphertextBlob=blob)


def test_default_policy(kms, key):
    got = kms.admin().ok("GetKeyPolicy", KeyId=key["KeyId"], PolicyName="default")
    assert got["PolicyName"] == "default"
    statement, = json.loads(got["Policy"])["Statement"]
    assert statement["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    assert statement["Action"] == "kms:*"
    assert kms.admin().error("GetKeyPolicy", KeyId=key["KeyId"],
                             PolicyName="other").type == "NotFoundException"


def test_put_policy(kms):
    made = kms.admin().ok("CreateKey")["KeyMetadata"]
    new = policy(administration())
    kms.admin().ok("PutKeyPolicy", KeyId=made["KeyId"], PolicyName="default", Policy=new)
    assert kms.admin().ok("GetKeyPolicy", KeyId=made["KeyId"])["Policy"] == new


@pytest.mark.parametrize("text", [
    "{", "[]", "{}", '{"Version": "2012-10-17", "Statement": []',
    policy({"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*",
            "Condition": {"NumericLessThan": {"kms:X": "1"}}}),
    policy({"Effect": "Perhaps", "Principal": "*", "Action": "kms:*", "Resource": "*"}),
])
def test_malformed_policy(kms, key, text):
    for operation, members in (("CreateKey", {}), ("PutKeyPolicy", {"KeyId": key["KeyId"]})):
        reply = kms.admin().error(operation, Policy=text, **members)
        assert reply.type == "MalformedPolicyDocumentException"


def test_lockout_is_refused_unless_bypassed(kms):
    lock = policy({"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "kms:Decrypt",
                   "Resource": "*"})
    made = kms.admin().ok("CreateKey")["KeyMetadata"]
    reply = kms.admin().error("PutKeyPolicy", KeyId=made["KeyId"], Policy=lock)
    assert reply.type == "MalformedPolicyDocumentException"
    assert "will not allow you to update the key policy" in reply.message
    kms.admin().ok("PutKeyPolicy", KeyId=made["KeyId"], Policy=lock,
                   BypassPolicyLockoutSafetyCheck=True)
    denied = kms.admin().error("DescribeKey", KeyId=made["KeyId"])
    assert denied.type == "AccessDeniedException"
    assert set(denied.json) == {"__type", "Message"}
    assert denied.message == (f"User: {ADMIN['principal']} is not authorized to perform: "
                              f"kms:DescribeKey on resource: {made['Arn']} because no "
                              "resource-based policy allows the kms:DescribeKey action")


def test_policy_limit(kms, key):
    statement = administration()
    statement["Sid"] = "x" * 33000
    reply = kms.admin().error("PutKeyPolicy", KeyId=key["KeyId"], Policy=policy(statement))
    assert reply.type == "LimitExceededException"


@pytest.mark.parametrize("members", [
    {"KeySpec": "RSA_2048"}, {"KeyUsage": "GENERATE_VERIFY_MAC"}, {"MultiRegion": True},
    {"Tags": [{"TagKey": "a", "TagValue": "b"}]}, {"Origin": "EXTERNAL"},
    {"CustomKeyStoreId": "cks-1"},
])
def test_what_is_not_simulated_is_refused(kms, members):
    assert kms.admin().error("CreateKey", **members).type == "UnsupportedOperationException"


# ---- data


def test_encrypt_decrypt(kms, key):
    for plaintext in (b"x", b"\0" * 32, os.urandom(4096)):
        made = kms.admin().ok("Encrypt", KeyId=key["KeyId"], Plaintext=b64(plaintext))
        assert made["KeyId"] == key["Arn"]
        assert made["EncryptionAlgorithm"] == "SYMMETRIC_DEFAULT"
        assert len(base64.b64decode(made["CiphertextBlob"])) <= 6144
        for members in ({}, {"KeyId": key["Arn"]}, {"EncryptionAlgorithm": "SYMMETRIC_DEFAULT"},
                        {"EncryptionContext": {}}, {"KeyId": None, "Recipient": None},
                        {"GrantTokens": [], "DryRun": False}):
            got = kms.admin().ok("Decrypt", CiphertextBlob=made["CiphertextBlob"], **members)
            assert base64.b64decode(got["Plaintext"]) == plaintext
            assert got["KeyId"] == key["Arn"]
            assert got["EncryptionAlgorithm"] == "SYMMETRIC_DEFAULT"


def test_encryption_context(kms, key):
    context = {"purpose": "tsk", "Stage": "ü€😀", "": "empty", "empty": ""}
    blob = encrypt(kms, key, EncryptionContext=context)
    turned = dict(reversed(list(context.items())))
    kms.admin().ok("Decrypt", CiphertextBlob=blob, EncryptionContext=turned)
    wrong = [{}, {"purpose": "tsk"}, {**context, "more": "1"}, {**context, "purpose": "TSK"},
             {k.upper(): v for k, v in context.items()}]
    for other in wrong:
        reply = kms.admin().error("Decrypt", CiphertextBlob=blob, EncryptionContext=other)
        assert reply.type == "InvalidCiphertextException"
    # a pair boundary moved is another context
    blob = encrypt(kms, key, EncryptionContext={"ab": "c"})
    assert kms.admin().error("Decrypt", CiphertextBlob=blob, EncryptionContext={
        "a": "bc"}).type == "InvalidCiphertextException"


@pytest.mark.parametrize("context, kind", [
    ([], "SerializationException"), ("text", "SerializationException"),
    ({"a": 1}, "SerializationException"), ({"a": {"b": "c"}}, "SerializationException"),
    ({"a": "x" * 9000}, "ValidationException"),
])
def test_bad_encryption_context(kms, key, context, kind):
    reply = kms.admin().error("Encrypt", KeyId=key["KeyId"], Plaintext=b64(b"x"),
                              EncryptionContext=context)
    assert reply.type == kind


def test_every_changed_bit_is_noticed(kms, key):
    blob = base64.b64decode(encrypt(kms, key, b"x" * 8))
    admin = kms.admin()
    for at in range(len(blob)):
        changed = bytearray(blob)
        changed[at] ^= 1
        reply = admin.error("Decrypt", CiphertextBlob=b64(changed))
        assert reply.type == "InvalidCiphertextException", at
    for cut in (1, 16, 17, 44, len(blob) - 1):
        assert admin.error("Decrypt",
                           CiphertextBlob=b64(blob[:cut])).type == "InvalidCiphertextException"
    assert admin.error("Decrypt",
                       CiphertextBlob=b64(blob + b"\0")).type == "InvalidCiphertextException"


def test_ciphertext_of_another_key(kms, key):
    other = kms.admin().ok("CreateKey")["KeyMetadata"]
    blob = encrypt(kms, other)
    reply = kms.admin().error("Decrypt", CiphertextBlob=blob, KeyId=key["KeyId"])
    assert reply.type == "IncorrectKeyException"
    assert reply.message == ("The key ID in the request does not identify a CMK that can perform "
                             "this operation.")
    # the header says one key, the rest was made under another
    forged = bytearray(base64.b64decode(blob))
    forged[1:17] = bytes.fromhex(key["KeyId"].replace("-", ""))
    assert kms.admin().error("Decrypt",
                             CiphertextBlob=b64(forged)).type == "InvalidCiphertextException"


@pytest.mark.parametrize("operation, members, kind, message", [
    ("Encrypt", {"Plaintext": "eA=="}, "ValidationException",
     "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must "
     "not be null"),
    ("Encrypt", {"KeyId": "KEY"}, "ValidationException", "Value null at 'plaintext'"),
    ("Encrypt", {"KeyId": "KEY", "Plaintext": b64(bytes(4097))}, "ValidationException",
     "length less than or equal to 4096"),
    ("Encrypt", {"KeyId": "KEY", "Plaintext": ""}, "ValidationException",
     "length greater than or equal to 1"),
    ("Encrypt", {"KeyId": "KEY", "Plaintext": "%%%"}, "SerializationException", ""),
    ("Encrypt", {"KeyId": 5, "Plaintext": "eA=="}, "SerializationException", ""),
    ("Encrypt", {"KeyId": "KEY", "Plaintext": "eA==", "DryRun": True},
     "UnsupportedOperationException", "DryRun"),
    ("Encrypt", {"KeyId": "KEY", "Plaintext": "eA==", "GrantTokens": ["t"]},
     "UnsupportedOperationException", "GrantTokens"),
    ("Encrypt", {"KeyId": "KEY", "Plaintext": "eA==", "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"},
     "UnsupportedOperationException", ""),
    ("Encrypt", {"KeyId": "k" * 2049, "Plaintext": "eA=="}, "ValidationException", "2048"),
    ("Decrypt", {}, "ValidationException", "Value null at 'ciphertextBlob'"),
    ("Decrypt", {"CiphertextBlob": b64(bytes(6145))}, "ValidationException", "6144"),
    ("Decrypt", {"CiphertextBlob": b64(bytes(6144))}, "InvalidCiphertextException", ""),
    ("Decrypt", {"CiphertextBlob": ["eA=="]}, "SerializationException", ""),
    ("GenerateDataKey", {"KeyId": "KEY"}, "ValidationException", "number of bytes or key spec"),
    ("GenerateDataKey", {"KeyId": "KEY", "KeySpec": "AES_256", "NumberOfBytes": 32},
     "ValidationException", "number of bytes or key spec"),
    ("GenerateDataKey", {"KeyId": "KEY", "KeySpec": "AES_512"}, "ValidationException", "keySpec"),
    ("GenerateDataKey", {"KeyId": "KEY", "NumberOfBytes": 1025}, "ValidationException", "1024"),
    ("GenerateDataKey", {"KeyId": "KEY", "NumberOfBytes": 0}, "ValidationException", "1"),
    ("GenerateDataKey", {"KeyId": "KEY", "NumberOfBytes": "32"}, "SerializationException", ""),
    ("GenerateRandom", {}, "ValidationException", ""),
    ("GenerateRandom", {"NumberOfBytes": 1025}, "ValidationException", "1024"),
    ("GenerateRandom", {"NumberOfBytes": 32, "CustomKeyStoreId": "cks-1"},
     "UnsupportedOperationException", ""),
])
def test_limits_and_types(kms, key, operation, members, kind, message):
    members = {k: key["KeyId"] if v == "KEY" else v for k, v in members.items()}
    reply = kms.admin().error(operation, **members)
    assert (reply.status, reply.type) == (400, kind)
    assert message in reply.message


def test_generate_data_key(kms, key):
    admin = kms.admin()
    for members, length in (({"KeySpec": "AES_256"}, 32), ({"KeySpec": "AES_128"}, 16),
                            ({"NumberOfBytes": 1024}, 1024), ({"NumberOfBytes": 1}, 1)):
        context = {"EncryptionContext": {"a": "b"}}
        made = admin.ok("GenerateDataKey", KeyId=key["KeyId"], **members, **context)
        assert len(base64.b64decode(made["Plaintext"])) == length
        assert made["KeyId"] == key["Arn"]
        got = admin.ok("Decrypt", CiphertextBlob=made["CiphertextBlob"], **context)
        assert got["Plaintext"] == made["Plaintext"]
    first, second = (admin.ok("GenerateDataKey", KeyId=key["KeyId"], KeySpec="AES_256")
                     for _ in range(2))
    assert first["Plaintext"] != second["Plaintext"]


def test_generate_data_key_without_plaintext(kms, key):
    made = kms.admin().ok("GenerateDataKeyWithoutPlaintext", KeyId=key["KeyId"], KeySpec="AES_256")
    assert set(made) == {"CiphertextBlob", "KeyId"}
    got = kms.admin().ok("Decrypt", CiphertextBlob=made["CiphertextBlob"])
    assert len(base64.b64decode(got["Plaintext"])) == 32


def test_generate_random(kms):
    made = [kms.admin().ok("GenerateRandom", NumberOfBytes=1024) for _ in range(2)]
    assert [len(base64.b64decode(m["Plaintext"])) for m in made] == [1024, 1024]
    assert made[0] != made[1]


# ---- attested recipients


def test_attested_answers(kms, key, module, rsa_key, tmp_path):
    recipient = module.recipient(spki_of(rsa_key), pcrs={0: PCR0})
    plaintext = os.urandom(32)
    blob = encrypt(kms, key, plaintext)
    enclave = kms.enclave()
    got = enclave.ok("Decrypt", CiphertextBlob=blob, KeyId=key["Arn"], Recipient=recipient)
    assert set(got) == {"CiphertextForRecipient", "EncryptionAlgorithm", "KeyId"}
    envelope = base64.b64decode(got["CiphertextForRecipient"])
    assert len(envelope) <= 6144
    assert open_envelope(tmp_path, envelope, rsa_key) == plaintext

    made = enclave.ok("GenerateDataKey", KeyId=key["Arn"], KeySpec="AES_256", Recipient=recipient)
    assert set(made) == {"CiphertextBlob", "CiphertextForRecipient", "KeyId"}
    data_key = open_envelope(tmp_path, base64.b64decode(made["CiphertextForRecipient"]), rsa_key)
    again = kms.admin().ok("Decrypt", CiphertextBlob=made["CiphertextBlob"])
    assert base64.b64decode(again["Plaintext"]) == data_key and len(data_key) == 32

    random = enclave.ok("GenerateRandom", NumberOfBytes=99, Recipient=recipient)
    assert set(random) == {"CiphertextForRecipient"}
    assert len(open_envelope(tmp_path, base64.b64decode(random["CiphertextForRecipient"]),
                             rsa_key)) == 99


def test_largest_plaintext_to_a_recipient(kms, key, module, rsa_key, tmp_path):
    plaintext = os.urandom(4096)
    blob = encrypt(kms, key, plaintext)
    got = kms.enclave().ok("Decrypt", CiphertextBlob=blob,
                           Recipient=module.recipient(spki_of(rsa_key)))
    assert open_envelope(tmp_path, base64.b64decode(got["CiphertextForRecipient"]),
                         rsa_key) == plaintext


def read_tlv(data, at):
    """Tag, whether constructed, content begin and length (None: indefinite) of one BER element."""
    tag, length, at = data[at], data[at + 1], at + 2
    if length == 0x80:
        return tag, at, None
    if length & 0x80:
        n = length & 0x7f
        length, at = int.from_bytes(data[at:at + n], "big"), at + n
    return tag, at, length


def parse_ber(data, at=0):
    """(tag, content, end): content is bytes, or for a constructed element the list of its parts;
    indefinite lengths are marked by a leading None."""
    tag, at, length = read_tlv(data, at)
    if not tag & 0x20:
        assert length is not None
        return tag, data[at:at + length], at + length
    parts, end = ([None] if length is None else []), None if length is None else at + length
    while (data[at:at + 2] != b"\0\0") if end is None else at < end:
        *part, at = parse_ber(data, at)
        parts.append(tuple(part))
    return tag, parts, at + 2 if end is None else end


def shape(envelope):
    tag, parts, end = parse_ber(envelope)
    assert end == len(envelope) and tag == 0x30
    assert parts[0] is None  # indefinite, as KMS has it
    assert parts[1] == (0x06, bytes.fromhex("2a864886f70d010703"))  # envelopedData
    explicit = [p for p in parts[2][1] if p is not None]
    enveloped = [p for p in explicit[0][1] if p is not None]
    assert enveloped[0] == (0x02, b"\x02")
    recipients = [p for p in enveloped[1][1] if p is not None]
    assert enveloped[1][0] == 0x31 and len(recipients) == 1
    info = [p for p in recipients[0][1] if p is not None]
    assert info[0] == (0x02, b"\x02")
    assert info[1][0] == 0x80 and len(info[1][1]) == 32  # [0] subjectKeyIdentifier
    assert info[3][0] == 0x04 and len(info[3][1]) == 256
    content = [p for p in enveloped[2][1] if p is not None]
    assert content[0] == (0x06, bytes.fromhex("2a864886f70d010701"))
    assert content[1][1][0] == (0x06, bytes.fromhex("60864801650304012a"))  # AES-256-CBC
    return content[2]


def test_both_forms_of_the_envelope(kms, module, rsa_key, tmp_path):
    recipient = module.recipient(spki_of(rsa_key))
    got = kms.enclave().ok("GenerateRandom", NumberOfBytes=1024, Recipient=recipient)
    tag, chunks = shape(base64.b64decode(got["CiphertextForRecipient"]))
    chunks = [c for c in chunks if c is not None]
    assert tag == 0xa0 and all(c[0] == 0x04 for c in chunks)
    assert [len(c[1]) for c in chunks] == [1000, 40]

    other = Kms(tmp_path, module.root_pem(), "--envelope", "primitive")
    try:
        got = other.enclave().ok("GenerateRandom", NumberOfBytes=1024, Recipient=recipient)
        envelope = base64.b64decode(got["CiphertextForRecipient"])
        tag, content = shape(envelope)
        assert tag == 0x80 and len(content) == 1040
        assert len(open_envelope(tmp_path, envelope, rsa_key)) == 1024
    finally:
        assert other.stop() == 0


def bad_recipients(module, rsa_key):
    good = module.document(spki_of(rsa_key))
    named = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    return {
        "another root": ({**named, "AttestationDocument": b64(Module().document(
            spki_of(rsa_key)))}, "root"),
        "expired leaf": (module.recipient(spki_of(rsa_key), expired=True), "leaf"),
        "bad signature": (module.recipient(spki_of(rsa_key), tamper=True), "signature"),
        "tagged": (module.recipient(spki_of(rsa_key), tag=True), "not valid"),
        "truncated": ({**named, "AttestationDocument": b64(good[:-1])}, "not valid"),
        "trailing": ({**named, "AttestationDocument": b64(good + b"\0")}, "not valid"),
        "not CBOR": ({**named, "AttestationDocument": b64(b"{}")}, "not valid"),
        "no public key": (module.recipient(None), "public key"),
        "RSA-1024": (module.recipient(spki_of(new_rsa(1024))), "RSA 2048"),
        "not a key": (module.recipient(b"k" * 294), "RSA 2048"),
        "algorithm": ({"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_1",
                       "AttestationDocument": b64(good)}, "RSAES_OAEP_SHA_256"),
        "no algorithm": ({"AttestationDocument": b64(good)}, "KeyEncryptionAlgorithm"),
        "no document": (named, "attestationDocument"),
        "too long": ({**named, "AttestationDocument": b64(bytes(262145))}, "262144"),
    }


def test_bad_recipients(kms, key, module, rsa_key):
    blob = encrypt(kms, key)
    for name, (recipient, message) in bad_recipients(module, rsa_key).items():
        for operation, members in (("Decrypt", {"CiphertextBlob": blob}),
                                   ("GenerateDataKey", {"KeyId": key["Arn"], "NumberOfBytes": 8}),
                                   ("GenerateRandom", {"NumberOfBytes": 8})):
            reply = kms.enclave().error(operation, Recipient=recipient, **members)
            assert reply.type == "ValidationException", name
            assert message in reply.message, name
    reply = kms.enclave().error("Decrypt", CiphertextBlob=blob, Recipient="text")
    assert reply.type == "SerializationException"


# ---- policies on measurements


CONDITIONS = [
    ("StringEqualsIgnoreCase", "ImageSha384", PCR0.hex().upper(), {0: PCR0}, True),
    ("StringEquals", "ImageSha384", PCR0.hex(), {0: PCR0}, True),
    ("StringEquals", "PCR0", PCR0.hex(), {0: PCR0}, True),
    ("StringEquals", "PCR0", PCR0.hex().upper(), {0: PCR0}, False),
    ("StringEqualsIgnoreCase", "PCR8", PCR0.hex(), {8: PCR0}, True),
    ("StringEqualsIgnoreCase", "PCR8", PCR0.hex(), {0: PCR0}, False),
    ("StringLike", "PCR0", PCR0.hex()[:10] + "*", {0: PCR0}, True),
    ("StringNotEquals", "PCR0", "00" * 48, {0: PCR0}, True),
    ("StringNotEquals", "PCR0", "00" * 48, {}, False),
    # an enclave in debug mode: nothing but zeros
    ("StringEqualsIgnoreCase", "ImageSha384", PCR0.hex(), {}, False),
    ("StringEqualsIgnoreCase", "ImageSha384", "00" * 48, {}, True),
    ("StringEqualsIgnoreCase", "PCR31", PCR0.hex(), {}, False),
    ("StringEqualsIfExists", "PCR31", PCR0.hex(), {}, True),
    ("Null", "PCR31", "true", {}, True),
    ("Null", "PCR31", "false", {}, False),
]


@pytest.mark.parametrize("operator, name, wanted, pcrs, allowed", CONDITIONS)
def test_conditions_on_measurements(kms, module, rsa_key, operator, name, wanted, pcrs, allowed):
    key = attested_key(kms, {operator: {f"kms:RecipientAttestation:{name}": wanted}})
    blob = encrypt(kms, key)
    reply = kms.enclave().call("Decrypt", {
        "CiphertextBlob": blob, "Recipient": module.recipient(spki_of(rsa_key), pcrs=pcrs)})
    assert reply.type == (None if allowed else "AccessDeniedException")


def test_without_a_document_a_measurement_is_absent(kms):
    key = attested_key(kms, {"StringEqualsIgnoreCase": {
        "kms:RecipientAttestation:ImageSha384": PCR0.hex()}})
    reply = kms.enclave().error("Decrypt", CiphertextBlob=encrypt(kms, key))
    assert reply.message == (
        f"User: {ENCLAVE['principal']} is not authorized to perform: kms:Decrypt on resource: "
        f"{key['Arn']} because no resource-based policy allows the kms:Decrypt action")
    line = (f"kms:RecipientAttestation:ImageSha384 wanted {PCR0.hex()}, actual absent: "
            "does not match")
    assert line in kms.log()


def test_the_administrator_cannot_decrypt(kms, module, rsa_key):
    key = attested_key(kms, {"StringEquals": {"kms:RecipientAttestation:PCR0": PCR0.hex()}})
    blob = encrypt(kms, key)
    for members in ({}, {"Recipient": module.recipient(spki_of(rsa_key), pcrs={0: PCR0})}):
        assert kms.admin().error("Decrypt", CiphertextBlob=blob,
                                 **members).type == "AccessDeniedException"


def test_explicit_deny_wins(kms, module, rsa_key):
    deny = {"Sid": "NoDebug", "Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt",
            "Resource": "*", "Condition": {"StringNotEqualsIgnoreCaseIfExists": {
                "kms:RecipientAttestation:PCR1": "11" * 48}}}
    key = attested_key(kms, {"StringEquals": {"kms:RecipientAttestation:PCR0": PCR0.hex()}}, deny)
    blob = encrypt(kms, key)
    good = module.recipient(spki_of(rsa_key), pcrs={0: PCR0, 1: b"\x11" * 48})
    bad = module.recipient(spki_of(rsa_key), pcrs={0: PCR0, 1: b"\x12" * 48})
    kms.enclave().ok("Decrypt", CiphertextBlob=blob, Recipient=good)
    reply = kms.enclave().error("Decrypt", CiphertextBlob=blob, Recipient=bad)
    assert reply.message == (
        f"User: {ENCLAVE['principal']} is not authorized to perform: kms:Decrypt on resource: "
        f"{key['Arn']} with an explicit deny in a resource-based policy")


def test_conditions_on_the_encryption_context(kms):
    key = attested_key(kms, {"StringEquals": {"kms:EncryptionContext:purpose": "tsk",
                                              "kms:CallerAccount": ACCOUNT}})
    for context, allowed in (({"purpose": "tsk"}, True), ({"purpose": "tsk", "x": "y"}, True),
                             ({"purpose": "other"}, False), ({}, False)):
        blob = encrypt(kms, key, EncryptionContext=context)
        reply = kms.enclave().call("Decrypt", {"CiphertextBlob": blob,
                                               "EncryptionContext": context})
        assert reply.type == (None if allowed else "AccessDeniedException")


def test_denial_is_logged_condition_by_condition(kms, module, rsa_key):
    actual = bytes(reversed(range(48)))
    key = attested_key(kms, {"StringEqualsIgnoreCase": {
        "kms:RecipientAttestation:ImageSha384": PCR0.hex(),
        "kms:RecipientAttestation:PCR8": actual.hex()}})
    reply = kms.enclave().error("Decrypt", CiphertextBlob=encrypt(kms, key),
                                Recipient=module.recipient(spki_of(rsa_key),
                                                           pcrs={0: actual, 8: actual}))
    request = reply.headers["x-amzn-RequestId"]
    lines = [line for line in kms.log().splitlines() if f"request {request}: " in line]
    wanted = [
        f"statement Attested (Allow): StringEqualsIgnoreCase kms:RecipientAttestation:ImageSha384 "
        f"wanted {PCR0.hex()}, actual {actual.hex()}: does not match",
        f"statement Attested (Allow): StringEqualsIgnoreCase kms:RecipientAttestation:PCR8 "
        f"wanted {actual.hex()}, actual {actual.hex()}: matches",
        f"statement Attested (Allow): Principal wanted {ROLE}, actual {ENCLAVE['principal']}: "
        "matches",
        "statement Administration (Allow): Action wanted ",
        f"Decrypt by {ENCLAVE['principal']} key {key['Arn']}: 400 AccessDeniedException",
    ]
    for text in wanted:
        assert any(text in line for line in lines), (text, lines)


def test_nothing_secret_in_the_log(kms, key, module, rsa_key):
    plaintext = b"this must never be in a log 4711"
    blob = encrypt(kms, key, plaintext)
    kms.enclave().ok("Decrypt", CiphertextBlob=blob)
    kms.enclave().ok("Decrypt", CiphertextBlob=blob, Recipient=module.recipient(spki_of(rsa_key)))
    log = kms.log()
    for secret in (plaintext.decode(), b64(plaintext), plaintext.hex(), ADMIN["secret_access_key"],
                   ENCLAVE["secret_access_key"], ENCLAVE["session_token"]):
        assert secret not in log
    line = f"Decrypt by {ENCLAVE['principal']} key {key['Arn']}: ok, for an attested recipient"
    assert line in log


def test_documents_of_the_simulated_nsm(rsa_key, tmp_path):
    (tmp_path / "nsm").mkdir()
    nsm = Nsm(tmp_path / "nsm", {0: PCR0})
    server = Kms(tmp_path, nsm.root_pem())
    try:
        recipient = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
                     "AttestationDocument": b64(nsm.document(spki_of(rsa_key)))}
        for pcr0, allowed in ((PCR0, True), (bytes(48), False)):
            key = attested_key(server, {"StringEqualsIgnoreCase": {
                "kms:RecipientAttestation:ImageSha384": pcr0.hex()}})
            reply = server.enclave().call("Decrypt", {
                "CiphertextBlob": encrypt(server, key, b"t" * 32), "Recipient": recipient})
            assert reply.type == (None if allowed else "AccessDeniedException")
            if allowed:
                envelope = base64.b64decode(reply.json["CiphertextForRecipient"])
                assert open_envelope(tmp_path, envelope, rsa_key) == b"t" * 32
    finally:
        server.stop()
        nsm.stop()


# ---- HTTP


def test_shape_of_http(kms, key):
    reply = kms.admin().call("DescribeKey", {"KeyId": key["KeyId"]})
    assert reply.headers["Content-Type"] == "application/x-amz-json-1.1"
    assert len(reply.headers["x-amzn-RequestId"]) == 36
    for body, kind in ((b"", "SerializationException"), (b"[]", "SerializationException"),
                       (b"{", "SerializationException"), (b"{}x", "SerializationException"),
                       (b'{"KeyId": "a", "KeyId": "b"}', "SerializationException"),
                       (b"\xff" * 20, "SerializationException"),
                       (b'{"KeyId": "\\ud800"}', "SerializationException")):
        assert kms.admin().call("DescribeKey", body).type == kind


def test_unknown_operations(kms):
    client = kms.admin()
    for target in ("TrentService.Nothing", "TrentService.", "Other.Decrypt", "Decrypt"):
        headers = [("Host", "localhost"), ("X-Amz-Target", target)]
        reply = client.send(client.signer.sign("POST", "/", headers, b"{}"), b"{}")
        assert (reply.status, reply.type) == (400, "UnknownOperationException")
    for method, path in (("GET", "/"), ("PUT", "/"), ("POST", "/other")):
        headers = client.signer.sign(method, path, client.headers("GenerateRandom"), b"")
        assert client.send(headers, b"", method, path).type == "UnknownOperationException"


def test_too_large_a_body(kms):
    assert kms.admin().call("Encrypt", b" " * ((1 << 20) + 1)).status == 413
    kms.admin().ok("GenerateRandom", NumberOfBytes=1)


def test_many_requests_on_one_connection(kms):
    client = kms.admin()
    connection = client.connect()
    for _ in range(20):
        headers = dict(client.signer.sign("POST", "/", client.headers("GenerateRandom"),
                                          b'{"NumberOfBytes": 4}'))
        connection.request("POST", "/", b'{"NumberOfBytes": 4}', headers)
        response = connection.getresponse()
        assert response.status == 200
        response.read()
    connection.close()


@pytest.mark.slow
def test_many_clients_at_once(kms, key):
    def work(number):
        client, plaintext = kms.admin(), bytes([number]) * 32
        for _ in range(5):
            blob = client.ok("Encrypt", KeyId=key["KeyId"], Plaintext=b64(plaintext))
            got = client.ok("Decrypt", CiphertextBlob=blob["CiphertextBlob"])
            assert base64.b64decode(got["Plaintext"]) == plaintext
        return number

    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        assert sorted(pool.map(work, range(24))) == list(range(24))


def test_bytes_that_are_no_tls(kms):
    for data in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + bytes(100), b""):
        with socket.create_connection(("127.0.0.1", kms.port), timeout=30) as raw:
            with contextlib.suppress(OSError):  # the server may have ended the connection by then
                raw.sendall(data)
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(4096):
                    pass
    kms.admin().ok("GenerateRandom", NumberOfBytes=1)


def test_tls_names_and_versions(kms):
    for host in ("localhost", "127.0.0.1", f"kms.{REGION}.amazonaws.com"):
        context = ssl.create_default_context(cafile=kms.ca)
        with socket.create_connection(("127.0.0.1", kms.port)) as raw:
            with context.wrap_socket(raw, server_hostname=host) as tls:
                assert tls.version() == "TLSv1.3"
    context = ssl.create_default_context(cafile=kms.ca)
    with socket.create_connection(("127.0.0.1", kms.port)) as raw:
        with pytest.raises(ssl.SSLCertVerificationError):
            context.wrap_socket(raw, server_hostname="kms.us-west-2.amazonaws.com")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", kms.port)) as raw:
        with context.wrap_socket(raw, server_hostname="localhost") as tls:
            assert tls.version() == "TLSv1.2"


# ---- the store and the command


def test_restart_keeps_everything(module, tmp_path):
    server = Kms(tmp_path, module.root_pem())
    try:
        with open(server.ca) as file:
            authority = file.read()
        mine = policy(administration(), {"Effect": "Allow", "Principal": {"AWS": ROLE},
                                         "Action": "kms:Decrypt", "Resource": "*"})
        made = server.admin().ok("CreateKey", Policy=mine, Description="kept")["KeyMetadata"]
        server.admin().ok("CreateAlias", AliasName="alias/kept", TargetKeyId=made["KeyId"])
        blob = encrypt(server, made, b"kept", EncryptionContext={"a": "b"})
        server.restart()
        with open(server.ca) as file:
            assert file.read() == authority
        assert server.admin().ok("DescribeKey", KeyId="alias/kept")["KeyMetadata"] == made
        assert server.admin().ok("GetKeyPolicy", KeyId="alias/kept")["Policy"] == mine
        got = server.enclave().ok("Decrypt", CiphertextBlob=blob, EncryptionContext={"a": "b"})
        assert base64.b64decode(got["Plaintext"]) == b"kept"
        assert stat.S_IMODE(os.stat(server.database).st_mode) == 0o600
        assert server.stop(signal.SIGINT) == 0
        with sqlite3.connect(server.database) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        server.stop()


def run(*arguments):
    return subprocess.run([SIM, "kms", *arguments], capture_output=True, text=True, timeout=60)


def test_help():
    result = run("--help")
    assert result.returncode == 0 and "examples:" in result.stdout


@pytest.mark.parametrize("arguments", [
    (), ("--db", "x"), ("--nsm-root", "x"), ("--nothing",), ("--db", "x", "--nsm-root", "y", "z"),
    ("--account", "12"), ("--envelope", "round"), ("--clock-skew", "soon"), ("--region", ""),
    ("--db", "x", "--nsm-root", "y", "--listen", "unix:z"),
    ("--db", "x", "--nsm-root", "y", "--listen", "tcp:nonsense"),
    ("--db", "x", "--nsm-root", "y", "--fault", "Decrypt"),
])
def test_usage(arguments):
    assert run(*arguments).returncode == 2


def test_the_roots_replace_nothing_that_is_read(tmp_path):
    nsm_root, alias = tmp_path / "nsm-root.pem", tmp_path / "alias"
    nsm_root.write_bytes(b"a root")
    os.link(nsm_root, alias)
    for output in nsm_root, alias:
        done = subprocess.run([SIM, "kms", "--db", tmp_path / "kms.db", "--nsm-root", nsm_root,
                               "--write-roots", output], capture_output=True, timeout=60, check=False)
        assert done.returncode == 2 and b"is also given as" in done.stderr
    assert nsm_root.read_bytes() == b"a root"


def test_start_fails_with_the_reason(module, tmp_path):
    root = tmp_path / "root.pem"
    root.write_bytes(module.root_pem())
    database = str(tmp_path / "db")
    base = ("--db", database, "--nsm-root", str(root))
    result = run("--db", database, "--nsm-root", str(tmp_path / "none"))
    assert result.returncode == 1 and "cannot open" in result.stderr
    result = run(*base, "--fault", "Decrypt never 1")
    assert result.returncode == 2 and "no such fault: never" in result.stderr
    assert not os.path.exists(database)  # wrong usage: nothing was made
    result = run(*base, "--credentials", str(tmp_path / "none"))
    assert result.returncode == 1 and "credentials" in result.stderr
    os.chmod(database, 0o644)
    result = run(*base)
    assert result.returncode == 1 and "chmod 600" in result.stderr
    (tmp_path / "text").write_bytes(b"not a database, not at all" * 100)
    os.chmod(tmp_path / "text", 0o600)
    result = run("--db", str(tmp_path / "text"), "--nsm-root", str(root))
    assert result.returncode == 1 and "database" in result.stderr


@pytest.mark.parametrize("content, mode, message", [
    ("[]", 0o644, "chmod 600"), ("{}", 0o600, "not an array"), ("[", 0o600, "JSON"),
    ("[1]", 0o600, "not an object"), ('[{"access_key_id": "A"}]', 0o600, "secret_access_key"),
    (json.dumps([{**ADMIN, "principal": "admin"}]), 0o600, "principal"),
    (json.dumps([{**ADMIN, "expiration": "tomorrow"}]), 0o600, "ISO 8601"),
    (json.dumps([{**ADMIN, "extra": "x"}]), 0o600, "unknown member"),
    (json.dumps([ADMIN, ADMIN]), 0o600, "twice"),
])
def test_credentials_file(module, tmp_path, content, mode, message):
    root, file = tmp_path / "root.pem", tmp_path / "credentials"
    root.write_bytes(module.root_pem())
    file.write_text(content)
    os.chmod(file, mode)
    result = run("--db", str(tmp_path / "db"), "--nsm-root", str(root), "--credentials", str(file))
    assert result.returncode == 1 and message in result.stderr
    assert ADMIN["secret_access_key"] not in result.stderr
