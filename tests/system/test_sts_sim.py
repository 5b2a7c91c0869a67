# SPDX-License-Identifier: Apache-2.0
"""AWS STS in `enclave-sim kms`: the Query protocol, who may assume a role, web identity tokens, and
that KMS takes the sessions which STS gives out."""
import datetime
import subprocess

import pytest
from kms_tools import (ACCOUNT, ADMIN, ENCLAVE, SIM, Client, IdentityProvider, Kms, Module, Sts,
                       administration, policy)

ROLE = f"arn:aws:iam::{ACCOUNT}:role/enclave"
PATHED = f"arn:aws:iam::{ACCOUNT}:role/some/path/worker"
GUARDED = f"arn:aws:iam::{ACCOUNT}:role/guarded"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/enclave/me"
OWNER = {"access_key_id": "AKIDOWNER", "secret_access_key": "owner", "principal": ROOT}
STRANGER = {"access_key_id": "AKIDSTRANGER", "secret_access_key": "stranger",
            "principal": "arn:aws:iam::999999999999:user/stranger"}


@pytest.fixture(scope="module")
def provider():
    return IdentityProvider()


def roles(provider):
    return [{"arn": ROLE, "trusts": [ADMIN["principal"]], "max_seconds": 7200,
             "identity_provider": provider.entry()},
            {"arn": PATHED, "trusts": [ROLE]},
            {"arn": GUARDED, "trusts": [ROOT], "external_id": "x+1"}]


@pytest.fixture(scope="module")
def kms(provider, tmp_path_factory):
    server = Kms(tmp_path_factory.mktemp("sts"), Module().root_pem(),
                 credentials=[ADMIN, ENCLAVE, OWNER, STRANGER], roles=roles(provider))
    yield server
    assert server.stop() == 0


@pytest.fixture
def admin(kms):
    return Sts(kms, ADMIN)


def assume(client, role=ROLE, **members):
    return client.call("AssumeRole", **{"RoleArn": role, "RoleSessionName": "me", **members})


def exchange(kms, token, **members):
    return Sts(kms).call("AssumeRoleWithWebIdentity", **{
        "RoleArn": ROLE, "RoleSessionName": "me", "WebIdentityToken": token, **members})


def test_caller_identity(kms, admin):
    reply = admin.call("GetCallerIdentity")
    assert reply.status == 200, reply.body
    assert reply.root == ("{https://sts.amazonaws.com/doc/2011-06-15/}GetCallerIdentityResponse")
    assert reply.headers["Content-Type"] == "text/xml"
    assert reply.texts["RequestId"] == reply.headers["x-amzn-RequestId"]
    assert (reply.texts["Arn"], reply.texts["Account"]) == (ADMIN["principal"], ACCOUNT)
    session = Sts(kms, ENCLAVE).call("GetCallerIdentity")
    assert session.texts["Arn"] == ENCLAVE["principal"]
    assert session.texts["UserId"].endswith(":i-0123456789")


def test_a_session_may_call_kms(kms, admin):
    """The key's policy names the role, and its session is what calls."""
    use = {"Sid": "Use", "Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "kms:Decrypt",
           "Resource": "*"}
    key = kms.admin().ok("CreateKey", Policy=policy(administration(), use))["KeyMetadata"]["Arn"]
    blob = kms.admin().ok("Encrypt", KeyId=key, Plaintext="aGk=")["CiphertextBlob"]
    reply = assume(admin)
    assert reply.status == 200 and reply.texts["Arn"] == SESSION
    session = Client(kms, reply.credential())
    assert session.ok("Decrypt", CiphertextBlob=blob)["Plaintext"] == "aGk="
    assert f"Decrypt by {SESSION}" in kms.log()
    assert kms.admin().error("Decrypt", CiphertextBlob=blob).type == "AccessDeniedException"
    # a new file of credentials does not end the session
    kms.write_credentials([ADMIN, ENCLAVE, OWNER, STRANGER])
    assert session.ok("Decrypt", CiphertextBlob=blob)["Plaintext"] == "aGk="
    wrong = Client(kms, {**reply.credential(), "session_token": "x"})
    assert wrong.error("Decrypt", CiphertextBlob=blob).type == "UnrecognizedClientException"
    for secret in (reply.texts["SecretAccessKey"], reply.texts["SessionToken"]):
        assert secret not in kms.log()


def test_expiry(admin):
    def left(reply):
        end = datetime.datetime.strptime(reply.texts["Expiration"], "%Y-%m-%dT%H:%M:%S%z")
        return (end - datetime.datetime.now(datetime.UTC)).total_seconds()
    assert 3500 < left(assume(admin)) <= 3600
    assert 850 < left(assume(admin, DurationSeconds="900")) <= 900
    assert 7100 < left(assume(admin, DurationSeconds="7200")) <= 7200


def test_an_expired_session(provider, tmp_path):
    server = Kms(tmp_path, Module().root_pem(), roles=roles(provider))
    try:
        session = assume(Sts(server, ADMIN), DurationSeconds="900").credential()
        server.stop()
        server.options = (*server.options, "--clock-skew", "1000")
        server.start()
        late = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=1000)
        client = Client(server, session)
        reply = client.call("GenerateRandom", {"NumberOfBytes": 1}, when=late)
        assert (reply.status, reply.type) == (400, "ExpiredTokenException")
        reply = Sts(server, session).send(b"Action=GetCallerIdentity&Version=2011-06-15", when=late)
        assert (reply.status, reply.code) == (403, "ExpiredToken")
    finally:
        server.stop()


def test_chains(kms, admin):
    """A role that trusts a role takes its sessions, whatever its path is, and for an hour at most."""
    session = Sts(kms, assume(admin).credential())
    reply = assume(session, PATHED, RoleSessionName="next")
    assert reply.texts["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/next"
    denied = assume(admin, PATHED)
    assert (denied.status, denied.code) == (403, "AccessDenied")
    assert denied.message == (f"User: {ADMIN['principal']} is not authorized to perform: "
                              f"sts:AssumeRole on resource: {PATHED}")
    long = assume(session, PATHED, DurationSeconds="3601")
    assert long.code == "ValidationError" and "role chaining" in long.message


def test_who_may_assume(kms, admin):
    assert assume(admin, GUARDED, ExternalId="x+1").status == 200
    for refused in (assume(admin, GUARDED), assume(admin, GUARDED, ExternalId="x 1"),
                    assume(admin, ROLE + "x"), assume(Sts(kms, ENCLAVE)),
                    assume(Sts(kms, STRANGER)), assume(Sts(kms, STRANGER), GUARDED, ExternalId="x+1"),
                    assume(Sts(kms, OWNER), GUARDED, ExternalId="x+1")):
        assert (refused.status, refused.code) == (403, "AccessDenied"), refused.body
    assert "root accounts" in assume(Sts(kms, OWNER)).message


@pytest.mark.parametrize("members, told", [
    ({"RoleSessionName": "a"}, "RoleSessionName"), ({"RoleSessionName": "a" * 65}, "RoleSessionName"),
    ({"RoleSessionName": "a b"}, "RoleSessionName"), ({"RoleSessionName": "<a>"}, "RoleSessionName"),
    ({"role": "short"}, "RoleArn"), ({"DurationSeconds": "899"}, "greater than or equal to 900"),
    ({"DurationSeconds": "43201"}, "less than or equal to 43200"), ({"DurationSeconds": "x"}, "900"),
    ({"DurationSeconds": "7201"}, "MaxSessionDuration"), ({"Policy": "{}"}, "parameter Policy"),
    ({"SerialNumber": "arn:aws:iam::1:mfa/m"}, "parameter SerialNumber"),
])
def test_malformed(admin, members, told):
    reply = assume(admin, **members)
    assert (reply.status, reply.code) == (400, "ValidationError"), reply.body
    assert told in reply.message


@pytest.mark.parametrize("payload, code", [
    (b"", "InvalidAction"), (b"Action=AssumeRole", "InvalidAction"),
    (b"Action=Nothing&Version=2011-06-15", "InvalidAction"),
    (b"Action=%41ssumeRole&Version=2011-06-15", "ValidationError"),
    (b"Action=x&Action=x", "ValidationError"), (b"Action=%4", "ValidationError"),
    (b"Action=%zz", "ValidationError"), (b"Action=%00", "ValidationError"), (b"=x", "ValidationError"),
    (b"&".join(b"a%d=" % i for i in range(40)), "ValidationError"),
])
def test_forms(admin, payload, code):
    reply = admin.send(payload)
    assert (reply.status, reply.code) == (400, code), reply.body


def test_signatures(kms, admin):
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    old = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=6)
    cases = [
        (Sts(kms).send(body), 403, "MissingAuthenticationToken"),
        (Sts(kms, {**ADMIN, "secret_access_key": "x"}).send(body), 403, "SignatureDoesNotMatch"),
        (Sts(kms, {**ADMIN, "access_key_id": "NOBODY"}).send(body), 403, "InvalidClientTokenId"),
        (Sts(kms, {**ENCLAVE, "session_token": "x"}).send(body), 403, "InvalidClientTokenId"),
        (Sts(kms, ADMIN, service="kms").send(body), 403, "SignatureDoesNotMatch"),
        (Sts(kms, ADMIN, region="us-east-1").send(body), 403, "SignatureDoesNotMatch"),
        (admin.send(body, when=old), 403, "SignatureDoesNotMatch"),
    ]
    for reply, status, code in cases:
        assert (reply.status, reply.code) == (status, code), reply.body
    kms_only = Client(kms, ADMIN, service="sts").call("GenerateRandom", {"NumberOfBytes": 1})
    assert kms_only.type == "InvalidSignatureException"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "ES384"])
def test_web_identity(tmp_path, algorithm):
    own = IdentityProvider(algorithm)
    server = Kms(tmp_path, Module().root_pem(), roles=roles(own))
    try:
        for reply in (exchange(server, own.token()), exchange(server, own.token(aud=own.AUDIENCE))):
            assert reply.status == 200, reply.body
            assert reply.texts["Arn"] == SESSION
            assert reply.texts["SubjectFromWebIdentityToken"] == own.SUBJECT
        session = Client(server, reply.credential())
        assert session.call("GenerateRandom", {"NumberOfBytes": 1}).status == 200
        # another's signature, over the very same
        reply = exchange(server, IdentityProvider(algorithm).token())
        assert (reply.status, reply.code) == (400, "InvalidIdentityToken")
    finally:
        server.stop()


def test_web_identities_that_are_refused(kms, provider):
    now = int(datetime.datetime.now(datetime.UTC).timestamp())
    good = provider.token()
    head, claims, signature = good.split(".")
    cases = [
        (provider.token(iss="https://elsewhere.example"), "InvalidIdentityToken"),
        (provider.token(aud="elsewhere"), "InvalidIdentityToken"),
        (provider.token(aud=["elsewhere", 7]), "InvalidIdentityToken"),
        (provider.token(exp=now - 1), "ExpiredTokenException"),
        (provider.token(exp=None), "InvalidIdentityToken"),
        (provider.token(nbf=now + 600), "InvalidIdentityToken"),
        (provider.token(sub="system:sa:ns:other"), "AccessDenied"),
        (provider.token(header={"alg": "none"}), "InvalidIdentityToken"),
        (provider.token(header={"alg": "HS256"}), "InvalidIdentityToken"),
        (provider.token(header={"alg": "ES256"}), "InvalidIdentityToken"),
        (f"{head}.{claims}.", "InvalidIdentityToken"),
        (f"{head}.{claims}", "InvalidIdentityToken"),
        (f"{head}.{claims}.{signature}=", "InvalidIdentityToken"),
        (f"{head}.{claims}.{signature}.x", "InvalidIdentityToken"),
        (f"{head}.{signature}.{signature}", "InvalidIdentityToken"),
        ("nonsense", "InvalidIdentityToken"),
        ("x" * 20001, "ValidationError"),
    ]
    for token, code in cases:
        reply = exchange(kms, token)
        assert reply.code == code, (token, reply.body)
    reply = exchange(kms, good, RoleArn=GUARDED)
    assert (reply.status, reply.code) == (403, "AccessDenied")
    assert good not in kms.log()


def test_roles_are_read_again(kms, provider, admin):
    other = f"arn:aws:iam::{ACCOUNT}:role/other"
    assert assume(admin, other).code == "AccessDenied"
    kms.write_roles([*roles(provider), {"arn": other, "trusts": [ROOT]}])
    assert assume(admin, other).status == 200
    kms.write_roles([{"arn": "nonsense"}])
    assert assume(admin, other).status == 200
    assert "roles not changed: the roles file: an arn is not that of a role" in kms.log()
    kms.write_roles(roles(provider))


@pytest.mark.parametrize("content, message", [
    ("{}", "not an array"), ("[1]", "not an object"), ('[{"arn": "x"}]', "not that of a role"),
    (f'[{{"arn": "{ROOT}"}}]', "not that of a role"),
    (f'[{{"arn": "{ROLE}", "extra": 1}}]', "only known members"),
    (f'[{{"arn": "{ROLE}", "trusts": "x"}}]', "trusts is not a list"),
    (f'[{{"arn": "{ROLE}", "trusts": ["x"]}}]', "trusts is not a list"),
    (f'[{{"arn": "{ROLE}", "max_seconds": 60}}]', "max_seconds"),
    (f'[{{"arn": "{ROLE}", "external_id": 7}}]', "external_id"),
    (f'[{{"arn": "{ROLE}", "identity_provider": {{"issuer": "x"}}}}]', "identity_provider"),
    ("[", ""),
])
def test_roles_file(tmp_path, content, message):
    (tmp_path / "root.pem").write_bytes(Module().root_pem())
    (tmp_path / "roles").write_text(content)
    done = subprocess.run([SIM, "kms", "--db", tmp_path / "db", "--nsm-root", tmp_path / "root.pem",
                           "--roles", tmp_path / "roles"], capture_output=True, timeout=60, text=True)
    assert done.returncode == 1 and message in done.stderr, done.stderr


def test_faults(kms, admin):
    for fault, status, code in (("400", 400, "ValidationError"), ("403", 403, "AccessDenied"),
                                ("500", 500, "InternalFailure"), ("503", 503, "ServiceUnavailable"),
                                ("throttle", 400, "Throttling")):
        kms.write_faults(f"AssumeRole {fault} 1")
        reply = assume(admin)
        assert (reply.status, reply.code) == (status, code)
    assert assume(admin).status == 200
