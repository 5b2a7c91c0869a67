# SPDX-License-Identifier: Apache-2.0
"""Where enclavectl finds credentials, beside current boto3: both get the same files and environment, and
must end with the same identity, which the simulated STS names. And boto3 against that STS itself. Run by
scripts/check-peers."""
import json
import os
import subprocess
import sys

import botocore.exceptions
import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system", "harness"))
from host_tools import FakeEnclaved, FakeMetadata, clean_environment, ctl
from kms_tools import ACCOUNT, ADMIN, REGION, IdentityProvider, Kms, Module, Sts

ROLE = f"arn:aws:iam::{ACCOUNT}:role/enclave"
NEXT = f"arn:aws:iam::{ACCOUNT}:role/next"
USERS = {name: {"access_key_id": f"AKID{name}", "secret_access_key": f"secret-{name}",
                "principal": f"arn:aws:iam::{ACCOUNT}:user/{name.lower()}"}
         for name in ("ENV", "SHARED", "CONFIG", "PROCESS", "OTHER")}
INSTANCE = {"access_key_id": "ASIAINSTANCE", "secret_access_key": "secret", "session_token": "token",
            "principal": f"arn:aws:sts::{ACCOUNT}:assumed-role/instance/i-1"}

# What boto3 finds, in a process of its own, so that nothing of it stays.
BOTO3 = """
import boto3, json, sys
session = boto3.Session(profile_name=sys.argv[1] or None)
found = session.get_credentials()
found = found.get_frozen_credentials() if found is not None else None
print(json.dumps(found and {"access_key_id": found.access_key, "secret_access_key": found.secret_key,
                            "session_token": found.token}))
"""


def keys(name):
    return (f"aws_access_key_id = AKID{name}\naws_secret_access_key = secret-{name}\n")


def process(tmp_path, name):
    (tmp_path / name).write_text(json.dumps({"Version": 1, "AccessKeyId": f"AKID{name}",
                                             "SecretAccessKey": f"secret-{name}"}))
    return f"credential_process = cat {tmp_path}/{name}\n"


@pytest.fixture(scope="module")
def provider():
    return IdentityProvider()


@pytest.fixture(scope="module")
def sts(provider, tmp_path_factory):
    root = f"arn:aws:iam::{ACCOUNT}:root"
    server = Kms(tmp_path_factory.mktemp("sts"), Module().root_pem(),
                 credentials=[ADMIN, INSTANCE, *USERS.values()], roles=[
        {"arn": ROLE, "trusts": [root], "identity_provider": provider.entry()},
        {"arn": NEXT, "trusts": [ROLE], "external_id": "a/b=c"}])
    yield server
    assert server.stop() == 0


@pytest.fixture
def world(sts, provider, tmp_path):
    """An environment with files and metadata, and the placeholders of the cases."""
    (tmp_path / ".aws").mkdir()
    token = tmp_path / "token"
    token.write_text(provider.token())
    document = {"Code": "Success", "AccessKeyId": INSTANCE["access_key_id"],
                "SecretAccessKey": INSTANCE["secret_access_key"], "Token": INSTANCE["session_token"],
                "Expiration": "2999-01-01T00:00:00Z"}
    with FakeMetadata(document) as metadata:
        env = clean_environment(tmp_path, AWS_EC2_METADATA_SERVICE_ENDPOINT=metadata.url,
                                AWS_ENDPOINT_URL_STS=f"https://localhost:{sts.port}",
                                AWS_DEFAULT_REGION=REGION, AWS_CA_BUNDLE=sts.ca)
        del env["AWS_EC2_METADATA_DISABLED"]
        yield env, {"TOKEN": str(token), "PROCESS": process(tmp_path, "PROCESS")}


def by_boto3(env, profile):
    """The credentials, or None where boto3 refuses or finds none."""
    done = subprocess.run([sys.executable, "-c", BOTO3, profile], env=env, capture_output=True,
                          timeout=120)
    return json.loads(done.stdout) if done.returncode == 0 else None


def by_enclavectl(env, profile):
    with FakeEnclaved() as service:
        done = ctl("configure", "--to", service.address, *(["--profile", profile] if profile else []),
                   env=env)
        assert done.returncode in (0, 5), done.stderr
        return service.configured()[-1]["credentials"] if done.returncode == 0 else None


def who(sts, credential):
    if credential is None:
        return None
    if credential.get("session_token") is None:
        credential = {**credential, "session_token": None}
    reply = Sts(sts, credential).call("GetCallerIdentity")
    assert reply.status == 200, reply.body
    parts = reply.texts["Arn"].split(":", 5)[5].split("/")
    if parts[-1].startswith(("enclavectl-", "botocore-session-")):
        parts.pop()  # a name of one's own making
    return "/".join(parts)


ENV = {"AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "secret-ENV"}
WEB = {"AWS_WEB_IDENTITY_TOKEN_FILE": "TOKEN", "AWS_ROLE_ARN": ROLE, "AWS_ROLE_SESSION_NAME": "web"}
ASSUME = f"role_arn = {ROLE}\nsource_profile = other\nrole_session_name = mine\n"
OTHER = "[other]\n" + keys("OTHER")

# environment, config, credentials, --profile, identity (None: both refuse)
CASES = {
    "instance": ({}, "", "", "", "assumed-role/instance/i-1"),
    "environment": (ENV, "", "[default]\n" + keys("SHARED"), "", "user/env"),
    "environment before AWS_PROFILE": ({**ENV, "AWS_PROFILE": "p"}, "", "[p]\n" + keys("SHARED"), "",
                                       "user/env"),
    "profile outright before environment": (ENV, "", "[p]\n" + keys("SHARED"), "p", "user/shared"),
    "environment before web identity": ({**ENV, **WEB}, "", "", "", "user/env"),
    "web identity": (WEB, "", "", "", "assumed-role/enclave/web"),
    "web identity before keys": (WEB, "", "[default]\n" + keys("SHARED"), "",
                                 "assumed-role/enclave/web"),
    "profile outright before web identity": (WEB, "", "[p]\n" + keys("SHARED"), "p", "user/shared"),
    "AWS_PROFILE": ({"AWS_PROFILE": "p"}, "", "[p]\n" + keys("SHARED"), "", "user/shared"),
    "AWS_DEFAULT_PROFILE": ({"AWS_DEFAULT_PROFILE": "p"}, "", "[p]\n" + keys("SHARED"), "",
                            "user/shared"),
    "role before keys of the same profile": ({}, "[profile p]\n" + ASSUME + keys("CONFIG"), OTHER, "p",
                                             "assumed-role/enclave/mine"),
    "role before its web identity's lack": (
        {}, f"[profile p]\nrole_arn = {ROLE}\nweb_identity_token_file = TOKEN\n"
            "source_profile = other\n", OTHER, "p", "assumed-role/enclave"),
    "web identity of a profile": (
        {}, f"[profile p]\nrole_arn = {ROLE}\nweb_identity_token_file = TOKEN\n" + keys("CONFIG"), "",
        "p", "assumed-role/enclave"),
    "shared before process": ({}, "[profile p]\nPROCESS", "[p]\n" + keys("SHARED"), "p", "user/shared"),
    "process before config": ({}, "[profile p]\nPROCESS" + keys("CONFIG"), "", "p", "user/process"),
    "config": ({}, "[profile p]\n" + keys("CONFIG"), "", "p", "user/config"),
    "role in the credentials file": ({}, "", "[p]\n" + ASSUME + OTHER, "p", "assumed-role/enclave/mine"),
    "itself as source": ({}, f"[profile p]\nrole_arn = {ROLE}\nsource_profile = p\n" + keys("CONFIG"),
                         "", "p", "assumed-role/enclave"),
    "chain": ({}, f"[profile p]\nrole_arn = {NEXT}\nsource_profile = q\nexternal_id = a/b=c\n"
                  "[profile q]\n" + ASSUME, OTHER, "p", "assumed-role/next"),
    "keys of the source before its role": ({}, f"[profile p]\nrole_arn = {ROLE}\nsource_profile = q\n"
                                               "[profile q]\n" + ASSUME + keys("CONFIG"), OTHER, "p",
                                           "assumed-role/enclave"),
    "process as source": ({}, f"[profile p]\nrole_arn = {ROLE}\nsource_profile = q\n"
                              "[profile q]\nPROCESS", "", "p", "assumed-role/enclave"),
    "web identity as source": (
        {}, f"[profile p]\nrole_arn = {NEXT}\nsource_profile = q\nexternal_id = a/b=c\n"
            f"[profile q]\nrole_arn = {ROLE}\nweb_identity_token_file = TOKEN\n", "", "p",
        "assumed-role/next"),
    "environment as source": (ENV, f"[profile p]\nrole_arn = {ROLE}\ncredential_source = Environment\n",
                              "", "p", "assumed-role/enclave"),
    "instance as source": ({}, f"[profile p]\nrole_arn = {ROLE}\n"
                               "credential_source = Ec2InstanceMetadata\n", "", "p",
                           "assumed-role/enclave"),
    "duration": ({}, "[profile p]\n" + ASSUME + "duration_seconds = 900\n", OTHER, "p",
                 "assumed-role/enclave/mine"),
    "a profile with a region only": ({"AWS_PROFILE": "p"}, "[profile p]\nregion = us-east-1\n", "", "",
                                     "assumed-role/instance/i-1"),
    "half of the keys": ({"AWS_ACCESS_KEY_ID": "AKIDENV"}, "", "[default]\n" + keys("SHARED"), "", None),
    "no such profile": ({"AWS_PROFILE": "none"}, "", "[default]\n" + keys("SHARED"), "", None),
    "no such source": ({}, f"[profile p]\nrole_arn = {ROLE}\nsource_profile = none\n", "", "p", None),
    "circle": ({}, f"[profile p]\nrole_arn = {ROLE}\nsource_profile = q\n"
                   f"[profile q]\nrole_arn = {ROLE}\nsource_profile = p\n", "", "p", None),
    "both sources": ({}, "[profile p]\n" + ASSUME + "credential_source = Environment\n", OTHER, "p",
                     None),
    "no source": ({}, f"[profile p]\nrole_arn = {ROLE}\n", "", "p", None),
    "a source that is none": ({}, f"[profile p]\nrole_arn = {ROLE}\ncredential_source = environment\n",
                              "", "p", None),
    "a role that does not trust": ({}, "[profile p]\n" + ASSUME.replace(ROLE, NEXT), OTHER, "p", None),
    "a wrong external_id": ({}, f"[profile p]\nrole_arn = {NEXT}\nsource_profile = q\n"
                                "[profile q]\n" + ASSUME, OTHER, "p", None),
    "web identity without a role": ({"AWS_WEB_IDENTITY_TOKEN_FILE": "TOKEN"}, "",
                                    "[default]\n" + keys("SHARED"), "", None),
    "web identity without its file": ({**WEB, "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere"}, "",
                                      "[default]\n" + keys("SHARED"), "", None),
}


@pytest.mark.parametrize("name", CASES)
def test_the_same_as_boto3(world, sts, tmp_path, name):
    base, places = world
    more, config, credentials, profile, want = CASES[name]

    config = config.replace("TOKEN", places["TOKEN"]).replace("\nPROCESS", "\n" + places["PROCESS"])
    (tmp_path / ".aws" / "config").write_text(config)
    (tmp_path / ".aws" / "credentials").write_text(credentials)
    env = {**base, **{k: v.replace("TOKEN", places["TOKEN"]) for k, v in more.items()}}
    ours, theirs = by_enclavectl(env, profile), by_boto3(env, profile)
    assert (who(sts, ours), who(sts, theirs)) == (want, want)


# --- what only the AWS CLI resolves ---

@pytest.mark.skipif(not os.path.exists("/usr/bin/aws"), reason="the AWS CLI, version 2, is not here")
def test_the_aws_cli_of_debian(world, tmp_path):
    """Version 2: what it prints is taken, and its failure where nobody is signed in is known for one."""
    env, _ = world
    env["PATH"] = "/usr/bin:/bin"
    (tmp_path / ".aws" / "config").write_text(
        "[profile l]\nlogin_session = arn\n" + keys("CONFIG") +
        f"[profile s]\nsso_start_url = https://start.example/\nsso_region = {REGION}\n"
        f"sso_account_id = {ACCOUNT}\nsso_role_name = reader\n")
    # It does not know login_session, and so resolves the keys.
    assert by_enclavectl(env, "l")["access_key_id"] == "AKIDCONFIG"
    with FakeEnclaved() as service:
        done = ctl("configure", "--to", service.address, "--profile", "s", env=env)
    assert b"exited with status 255: sign in with aws sso login --profile s" in done.stderr


def test_the_aws_cli_of_pypi(world, tmp_path):
    """Version 1 cannot export credentials."""
    env, _ = world
    env["PATH"] = f"{os.path.dirname(sys.executable)}:/usr/bin:/bin"
    (tmp_path / ".aws" / "config").write_text("[profile l]\nlogin_session = arn\n")
    with FakeEnclaved() as service:
        done = ctl("configure", "--to", service.address, "--profile", "l", env=env)
    assert b"install a newer AWS CLI, version 2" in done.stderr


def client(sts, credential, monkeypatch):
    import boto3
    monkeypatch.setenv("AWS_CA_BUNDLE", sts.ca)
    return boto3.client("sts", region_name=REGION, endpoint_url=f"https://localhost:{sts.port}",
                        aws_access_key_id=credential["access_key_id"],
                        aws_secret_access_key=credential["secret_access_key"])


def test_boto3_against_the_simulated_sts(sts, provider, monkeypatch):
    """Every operation, as the SDK parses it."""
    admin = client(sts, ADMIN, monkeypatch)
    assert admin.get_caller_identity()["Arn"] == ADMIN["principal"]
    assert admin.get_caller_identity()["Account"] == ACCOUNT
    got = admin.assume_role(RoleArn=ROLE, RoleSessionName="a+b=c,d.e@f", DurationSeconds=1000)
    assert got["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/enclave/a+b=c,d.e@f"
    assert got["AssumedRoleUser"]["AssumedRoleId"].endswith(":a+b=c,d.e@f")
    assert got["Credentials"]["Expiration"].tzinfo is not None
    got = admin.assume_role_with_web_identity(RoleArn=ROLE, RoleSessionName="web",
                                              WebIdentityToken=provider.token())
    assert (got["Provider"], got["Audience"]) == (provider.ISSUER, provider.AUDIENCE)
    assert got["SubjectFromWebIdentityToken"] == provider.SUBJECT


@pytest.mark.parametrize("call, kind", [
    (lambda c, p: c.assume_role(RoleArn=NEXT, RoleSessionName="me"), "AccessDenied"),
    (lambda c, p: c.assume_role(RoleArn=ROLE, RoleSessionName="me", DurationSeconds=43200),
     "ValidationError"),
    (lambda c, p: c.assume_role_with_web_identity(RoleArn=ROLE, RoleSessionName="me",
                                                  WebIdentityToken=p.token(exp=1)), "ExpiredTokenException"),
    (lambda c, p: c.assume_role_with_web_identity(RoleArn=ROLE, RoleSessionName="me",
                                                  WebIdentityToken="nonsense"), "InvalidIdentityToken"),
    (lambda c, p: c.get_session_token(), "InvalidAction"),
])
def test_exceptions_of_the_simulated_sts(sts, provider, monkeypatch, call, kind):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(client(sts, ADMIN, monkeypatch), provider)
    assert caught.value.response["Error"]["Code"] == kind
    assert caught.value.response["Error"]["Message"]
