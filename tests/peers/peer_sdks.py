# SPDX-License-Identifier: Apache-2.0
"""The AWS SDKs against `enclave-sim kms`: every operation, and their own Recipient with documents of
`enclave-sim nsm`. Run by scripts/check-peers; not collected by the other runs, which have no SDKs."""
import hashlib
import os
import sys

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system", "harness"))
from kms_tools import (ACCOUNT, ADMIN, ENCLAVE, REGION, Kms, Nsm, administration,
                       new_rsa, open_envelope, policy, spki_of)
from peers import Peer, Refused

PCR0 = bytes(range(1, 49))
ROLE = f"arn:aws:iam::{ACCOUNT}:role/enclave"


@pytest.fixture(scope="module")
def nsm(tmp_path_factory):
    module = Nsm(tmp_path_factory.mktemp("nsm"), {0: PCR0})
    yield module
    module.stop()


@pytest.fixture(scope="module")
def kms(nsm, tmp_path_factory):
    server = Kms(tmp_path_factory.mktemp("kms"), nsm.root_pem())
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module", params=["boto3", "javascript", "aws4"])
def peer(request, kms):
    client = Peer(request.param, kms)
    yield client
    client.close()


@pytest.fixture(scope="module")
def rsa_key():
    return new_rsa()


@pytest.fixture
def recipient(nsm, rsa_key):
    return {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
            "AttestationDocument": nsm.document(spki_of(rsa_key))}


@pytest.fixture(scope="module")
def key(peer):
    """Administered by the account, used by the attested enclave and nobody else."""
    use = {"Sid": "Attested", "Effect": "Allow", "Principal": {"AWS": ROLE},
           "Action": ["kms:Decrypt", "kms:GenerateDataKey*"], "Resource": "*",
           "Condition": {"StringEqualsIgnoreCase": {
               "kms:RecipientAttestation:ImageSha384": PCR0.hex()}}}
    return peer.admin.call("CreateKey", Policy=policy(administration(), use),
                           Description=f"for {peer.name}")["KeyMetadata"]


@pytest.fixture(scope="module")
def plain_key(peer):
    return peer.admin.call("CreateKey")["KeyMetadata"]


def refused(call, *arguments, **members):
    with pytest.raises(Refused) as caught:
        call(*arguments, **members)
    return caught.value


def test_key_alias_policy(peer, key):
    assert key["Arn"].startswith(f"arn:aws:kms:{REGION}:{ACCOUNT}:key/")
    alias = f"alias/{peer.name}"
    peer.admin.call("CreateAlias", AliasName=alias, TargetKeyId=key["KeyId"])
    again = refused(peer.admin.call, "CreateAlias", AliasName=alias, TargetKeyId=key["KeyId"])
    assert again.name == "AlreadyExistsException"
    described = peer.admin.call("DescribeKey", KeyId=alias)["KeyMetadata"]
    assert described["Arn"] == key["Arn"] and described["KeyState"] == "Enabled"
    got = peer.admin.call("GetKeyPolicy", KeyId=alias, PolicyName="default")["Policy"]
    assert PCR0.hex() in got
    peer.admin.call("PutKeyPolicy", KeyId=key["KeyId"], PolicyName="default", Policy=got)


def test_encrypt_decrypt(peer, plain_key):
    context = {"purpose": "tsk", "name": "ü"}
    made = peer.admin.call("Encrypt", KeyId=plain_key["KeyId"], Plaintext=b"\0plain\xff",
                           EncryptionContext=context)
    got = peer.admin.call("Decrypt", CiphertextBlob=made["CiphertextBlob"],
                          KeyId=plain_key["Arn"], EncryptionContext=context)
    assert got["Plaintext"] == b"\0plain\xff" and got["KeyId"] == plain_key["Arn"]
    assert got["EncryptionAlgorithm"] == "SYMMETRIC_DEFAULT"


def test_generate(peer, plain_key):
    made = peer.admin.call("GenerateDataKey", KeyId=plain_key["KeyId"], KeySpec="AES_256")
    assert len(made["Plaintext"]) == 32
    sealed = peer.admin.call("GenerateDataKeyWithoutPlaintext", KeyId=plain_key["KeyId"],
                             NumberOfBytes=20)
    assert "Plaintext" not in sealed
    got = peer.admin.call("Decrypt", CiphertextBlob=sealed["CiphertextBlob"])
    assert len(got["Plaintext"]) == 20
    assert len(peer.admin.call("GenerateRandom", NumberOfBytes=77)["Plaintext"]) == 77


def test_recipient_on_decrypt(peer, key, recipient, rsa_key, tmp_path):
    secret = os.urandom(32)
    blob = peer.admin.call("Encrypt", KeyId=key["KeyId"], Plaintext=secret)["CiphertextBlob"]
    got = peer.enclave.call("Decrypt", CiphertextBlob=blob, KeyId=key["Arn"], Recipient=recipient)
    assert not got.get("Plaintext")
    assert open_envelope(tmp_path, got["CiphertextForRecipient"], rsa_key) == secret


def test_recipient_on_generate_data_key(peer, key, recipient, rsa_key, tmp_path):
    made = peer.enclave.call("GenerateDataKey", KeyId=key["Arn"], KeySpec="AES_256",
                             Recipient=recipient)
    assert not made.get("Plaintext")
    secret = open_envelope(tmp_path, made["CiphertextForRecipient"], rsa_key)
    got = peer.enclave.call("Decrypt", CiphertextBlob=made["CiphertextBlob"], Recipient=recipient)
    assert len(secret) == 32
    assert open_envelope(tmp_path, got["CiphertextForRecipient"], rsa_key) == secret


def test_recipient_on_generate_random(peer, recipient, rsa_key, tmp_path):
    made = peer.enclave.call("GenerateRandom", NumberOfBytes=1024, Recipient=recipient)
    assert not made.get("Plaintext")
    assert len(open_envelope(tmp_path, made["CiphertextForRecipient"], rsa_key)) == 1024


@pytest.fixture(scope="module")
def signing_key(peer):
    """The enclave's role may sign digests with it."""
    use = {"Sid": "Signs", "Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "kms:Sign",
           "Resource": "*", "Condition": {"StringEquals": {"kms:MessageType": "DIGEST"}}}
    return peer.admin.call("CreateKey", KeySpec="ECC_NIST_P384", KeyUsage="SIGN_VERIFY",
                           Policy=policy(administration(), use))["KeyMetadata"]


def test_sign(peer, signing_key, plain_key):
    assert signing_key["SigningAlgorithms"] == ["ECDSA_SHA_384"]
    assert signing_key["KeyUsage"] == "SIGN_VERIFY"
    got = peer.admin.call("GetPublicKey", KeyId=signing_key["Arn"])
    assert got["KeySpec"] == "ECC_NIST_P384" and got["KeyId"] == signing_key["Arn"]
    public = load_der_public_key(got["PublicKey"])
    message = os.urandom(1000)
    members = {"KeyId": signing_key["Arn"], "Message": hashlib.sha384(message).digest(),
               "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_384"}
    made = peer.enclave.call("Sign", **members)
    public.verify(made["Signature"], message, ec.ECDSA(hashes.SHA384()))
    for change, kind in (({"Message": b"x" * 32}, "ValidationException"),
                         ({"SigningAlgorithm": "ECDSA_SHA_256"}, "InvalidKeyUsageException"),
                         ({"MessageType": "RAW"}, "AccessDeniedException")):
        assert refused(peer.enclave.call, "Sign", **{**members, **change}).name == kind
    assert refused(peer.admin.call, "Sign",
                   **{**members, "KeyId": plain_key["Arn"]}).name == "InvalidKeyUsageException"
    assert refused(peer.admin.call, "GetPublicKey",
                   KeyId=plain_key["Arn"]).name == "UnsupportedOperationException"
    assert refused(peer.admin.call, "Encrypt", KeyId=signing_key["Arn"],
                   Plaintext=b"x").name == "InvalidKeyUsageException"


def test_sign_hashes_a_message(peer):
    key = peer.admin.call("CreateKey", KeySpec="ECC_NIST_P384", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    message = os.urandom(4096)
    made = peer.admin.call("Sign", KeyId=key["KeyId"], Message=message,
                           SigningAlgorithm="ECDSA_SHA_384")
    public = load_der_public_key(peer.admin.call("GetPublicKey", KeyId=key["KeyId"])["PublicKey"])
    public.verify(made["Signature"], message, ec.ECDSA(hashes.SHA384()))


def test_denials(peer, key, kms):
    blob = peer.admin.call("Encrypt", KeyId=key["KeyId"], Plaintext=b"x")["CiphertextBlob"]
    for client, who in ((peer.enclave, ENCLAVE), (peer.admin, ADMIN)):
        denied = refused(client.call, "Decrypt", CiphertextBlob=blob)
        assert (denied.name, denied.status) == ("AccessDeniedException", 400)
        assert f"User: {who['principal']} is not authorized to perform: kms:Decrypt" in denied.message
    assert "kms:RecipientAttestation:ImageSha384 wanted" in kms.log()


def test_exceptions(peer, plain_key, recipient):
    blob = peer.admin.call("Encrypt", KeyId=plain_key["KeyId"], Plaintext=b"x")["CiphertextBlob"]
    other = peer.admin.call("CreateKey")["KeyMetadata"]["KeyId"]
    nobody = "00000000-0000-0000-0000-000000000000"
    broken = {**recipient, "AttestationDocument": recipient["AttestationDocument"][:-1]}
    cases = [
        ("DescribeKey", {"KeyId": nobody}, "NotFoundException"),
        ("Decrypt", {"CiphertextBlob": b"x" * 100}, "InvalidCiphertextException"),
        ("Decrypt", {"CiphertextBlob": blob, "EncryptionContext": {"a": "b"}},
         "InvalidCiphertextException"),
        ("Decrypt", {"CiphertextBlob": blob, "KeyId": other}, "IncorrectKeyException"),
        ("Decrypt", {"CiphertextBlob": blob, "Recipient": broken}, "ValidationException"),
        ("PutKeyPolicy", {"KeyId": other, "PolicyName": "default", "Policy": "{}"},
         "MalformedPolicyDocumentException"),
        ("GenerateDataKey", {"KeyId": other}, "ValidationException"),
    ]
    for operation, members, kind in cases:
        assert refused(peer.admin.call, operation, **members).name == kind
    peer.admin.call("DisableKey", KeyId=other)
    assert refused(peer.admin.call, "Encrypt", KeyId=other,
                   Plaintext=b"x").name == "DisabledException"


def test_wrong_credentials(kms, peer):
    for credential, kind in (({**ADMIN, "secret_access_key": "wrong"}, "InvalidSignatureException"),
                             ({**ADMIN, "access_key_id": "NOBODY"}, "UnrecognizedClientException"),
                             ({**ENCLAVE, "session_token": "x"}, "UnrecognizedClientException")):
        if peer.node is not None:
            assert refused(peer.node.call, credential, "GenerateRandom",
                           {"NumberOfBytes": 1}).name == kind
        else:
            client = type(peer.admin)(kms, credential)
            assert refused(client.call, "GenerateRandom", NumberOfBytes=1).name == kind


def test_faults_as_clients_see_them(peer, kms):
    kms.write_faults("GenerateRandom 500 1", "GenerateRandom throttle 1")
    for kind, status in (("KMSInternalException", 500), ("ThrottlingException", 400)):
        failed = refused(peer.admin.call, "GenerateRandom", NumberOfBytes=1)
        assert (failed.name, failed.status) == (kind, status)
    assert len(peer.admin.call("GenerateRandom", NumberOfBytes=1)["Plaintext"]) == 1
