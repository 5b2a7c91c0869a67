# SPDX-License-Identifier: Apache-2.0
"""enclavectl configure: where credentials are found, what is delivered, renewal, and that no secret
is seen on the way."""
import base64
import datetime
import json
import pathlib
import signal
import subprocess

import pytest

from enclave_tools import wait_until
from host_tools import (CTL, KEY, SILENCE, FakeEnclaved, FakeMetadata, FakeService,
                        ctl)

STATIC = {"access_key_id": "AKIDSTATIC", "secret_access_key": "sEcrEt/static+key"}


def later(seconds):
    when = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def configured(service, env, *arguments):
    done = ctl("configure", "--to", service.address, *arguments, env=env)
    assert done.returncode == 0, done.stderr
    return service.configured()[-1]


def refused(service, env, *arguments):
    done = ctl("configure", "--to", service.address, *arguments, env=env)
    assert done.returncode == 5, (done.returncode, done.stderr)
    assert service.requests == [] and done.stderr.count(b"\n") == 1
    return done.stderr.decode()


# --- what is delivered ---

def with_keys(env, **more):
    return {**env, "AWS_ACCESS_KEY_ID": STATIC["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": STATIC["secret_access_key"], **more}


def test_environment(env, service):
    assert configured(service, with_keys(env)) == {"op": "configure", "credentials": STATIC}
    expires = later(3600)
    got = configured(service, with_keys(env, AWS_SESSION_TOKEN="tok",
                                        AWS_CREDENTIAL_EXPIRATION=expires))
    assert got["credentials"] == {**STATIC, "session_token": "tok", "expiration": expires}


@pytest.mark.parametrize("options", [["--region", "us-east-1"], ["--encryption-context", "a=b"]])
def test_a_service_that_refuses_to_be_compared_has_answered(env, options):
    """Its refusal is the answer, and nothing is said of region or context."""
    refusal = {"status": "error", "code": "too_many_connections", "error": "all are taken"}
    with FakeService(lambda request: refusal) as service:
        done = ctl("configure", "--to", service.address, *options, "--json", env=with_keys(env))
        assert done.returncode == 1, done.stderr
        assert json.loads(done.stdout) == refusal
        assert service.requests == [{"op": "health"}]


def test_a_health_without_a_context_is_malformed(env):
    with FakeService(lambda request: {"status": "success", "kms_key": KEY}) as service:
        done = ctl("configure", "--to", service.address, "--encryption-context", "a=b",
                   env=with_keys(env))
        assert done.returncode == 6 and b"no encryption context" in done.stderr, done.stderr


def test_a_pair_that_is_given_twice(env, service):
    service.context = {"a": "b", "c": "d"}
    done = ctl("configure", "--to", service.address, "--encryption-context", "a=b",
               "--encryption-context", "a=b", env=with_keys(env))
    assert done.returncode == 2 and b"a=b is given twice" in done.stderr, done.stderr
    assert service.requests == []


def test_everything_else(env, service, tmp_path):
    blob = bytes(range(200))
    text = base64.encodebytes(blob).decode()
    service.context = {"wh\u00e4t": "\u00fc", "app": "pay=1"}
    got = configured(service, with_keys(env, ENCRYPTED_TSK=text), "--region", "us-east-1",
                     "--encryption-context", "app=pay=1", "--encryption-context", "wh\u00e4t=\u00fc")
    assert base64.b64decode(got["wrapped_tsk"], validate=True) == blob
    assert got["region"] == "us-east-1"
    assert got["encryption_context"] == {"app": "pay=1", "wh\u00e4t": "\u00fc"}
    for content in (text.encode(), blob):  # base64 with line ends, and the blob itself
        path = tmp_path / "tsk"
        path.write_bytes(content)
        got = configured(service, with_keys(env, ENCRYPTED_TSK="ignored"), "--wrapped-tsk-file",
                         path)
        assert base64.b64decode(got["wrapped_tsk"], validate=True) == blob


@pytest.mark.parametrize("content", [b"", b"  \n", b"\x01" * 6145, b"A" * 20000])
def test_bad_wrapped_tsk(env, service, tmp_path, content):
    (tmp_path / "tsk").write_bytes(content)
    done = ctl("configure", "--to", service.address, "--wrapped-tsk-file", tmp_path / "tsk",
               env=with_keys(env))
    assert done.returncode in (2, 5) and service.requests == []


WRAPPED = "AQICAHhX"
KEY_FIELD = "arn:aws:kms:us-east-1:111122223333:key/x"


@pytest.mark.parametrize("content", [
    f'"{WRAPPED}"\n',                                                   # --query CiphertextBlob
    json.dumps({"CiphertextBlob": WRAPPED, "KeyId": KEY_FIELD}, indent=4),
    f"{WRAPPED}\t{KEY_FIELD}\n",                                        # --output text
    f"CiphertextBlob: {WRAPPED}\nKeyId: {KEY_FIELD}\n",                 # --output yaml
])
def test_what_the_aws_cli_printed(env, service, tmp_path, content):
    path = write(tmp_path / "tsk", content)
    for variable, options in [({}, ["--wrapped-tsk-file", path]), ({"ENCRYPTED_TSK": content}, [])]:
        assert configured(service, with_keys(env, **variable), *options)["wrapped_tsk"] == WRAPPED


def test_what_the_aws_cli_printed_with_the_key(env, service, tmp_path):
    """It works, but the session key lies there for all to read."""
    plain = base64.b64encode(bytes(range(32))).decode()
    path = write(tmp_path / "tsk", json.dumps({"CiphertextBlob": WRAPPED, "Plaintext": plain}))
    done = ctl("configure", "--to", service.address, "--wrapped-tsk-file", path, env=with_keys(env))
    assert done.returncode == 0 and service.configured()[-1]["wrapped_tsk"] == WRAPPED
    assert b"also holds the session key in plaintext" in done.stderr
    assert plain.encode() not in done.stdout + done.stderr
    assert plain not in json.dumps(service.requests)


@pytest.mark.parametrize("content, what", [
    ('{"KeyId": "x"}', "is JSON without a CiphertextBlob"),
    ("Unable to locate credentials.", "is text of several words, not base64"),
    ("01020200" * 16, "is hex, not base64"),
])
def test_text_is_never_sent_as_bytes(env, service, tmp_path, content, what):
    path = write(tmp_path / "tsk", content)
    assert what in refused(service, with_keys(env), "--wrapped-tsk-file", path)


def test_answer(env, service):
    done = ctl("configure", "--to", service.address, env=with_keys(env))
    assert done.returncode == 0
    assert done.stdout.decode().startswith(f"ready: {KEY}, credentials from the environment")
    done = ctl("configure", "--to", service.address, "--json", env=with_keys(env))
    assert json.loads(done.stdout)["key_id"] == KEY


def test_refusal_with_kms_words(env):
    refusal = {"status": "error", "code": "kms_denied", "error": "KMS refused the request",
               "cause": "KMS answered 400 AccessDeniedException",
               "kms": {"http_status": 400, "type": "AccessDeniedException",
                       "message": "not authorized"}}
    with FakeService(lambda request: refusal) as fake:
        done = ctl("configure", "--to", fake.address, env=with_keys(env))
        again = ctl("configure", "--to", fake.address, "--json", env=with_keys(env))
    assert done.returncode == again.returncode == 1
    assert b"AccessDeniedException: not authorized;" in done.stderr
    assert b"enclavectl doctor" in done.stderr
    assert b"compare them" in done.stderr
    assert json.loads(again.stdout) == refusal


# --- the chain ---

def credentials_file(tmp_path, text):
    return write(tmp_path / ".aws" / "credentials", text)


def config_file(tmp_path, text):
    return write(tmp_path / ".aws" / "config", text)


def keys(name):
    return f"aws_access_key_id = AKID{name}\naws_secret_access_key = secret{name}\n"


def id_of(got):
    return got["credentials"]["access_key_id"]


def test_default_profile(env, service, tmp_path):
    credentials_file(tmp_path, "[other]\n" + keys("OTHER") + "[default]\n" + keys("DEFAULT"))
    assert id_of(configured(service, env)) == "AKIDDEFAULT"
    # the environment goes before a profile that is not named outright …
    assert id_of(configured(service, with_keys(env, AWS_PROFILE="other"))) == "AKIDSTATIC"
    assert id_of(configured(service, {**env, "AWS_PROFILE": "other"})) == "AKIDOTHER"
    # … and after one that is
    assert id_of(configured(service, with_keys(env), "--profile", "other")) == "AKIDOTHER"


def test_profile_of_either_variable(env, service, tmp_path):
    """AWS_PROFILE is what all of AWS's tools know; the AWS CLI reads both, and it first."""
    credentials_file(tmp_path, "[one]\n" + keys("ONE") + "[two]\n" + keys("TWO"))
    assert id_of(configured(service, {**env, "AWS_DEFAULT_PROFILE": "two"})) == "AKIDTWO"
    both = {**env, "AWS_PROFILE": "one", "AWS_DEFAULT_PROFILE": "two"}
    assert id_of(configured(service, both)) == "AKIDONE"
    assert id_of(configured(service, {**both, "AWS_PROFILE": ""})) == "AKIDTWO"


def test_files_named_by_the_environment(env, service, tmp_path):
    path = write(tmp_path / "elsewhere" / "c", "[default]\n" + keys("THERE"))
    assert id_of(configured(service, {**env, "AWS_SHARED_CREDENTIALS_FILE": str(path)})) \
        == "AKIDTHERE"
    assert id_of(configured(service, {**env, "AWS_SHARED_CREDENTIALS_FILE": "~/elsewhere/c"})) \
        == "AKIDTHERE"
    config = write(tmp_path / "conf", "[profile x y]\n" + keys("CONF"))
    assert id_of(configured(service, {**env, "AWS_CONFIG_FILE": str(config)},
                            "--profile", "x y")) == "AKIDCONF"


@pytest.mark.parametrize("text, profile, want", [
    ("[p]\n" + keys("A") + keys("B"), "p", "AKIDB"),
    ("[p]\r\naws_access_key_id=AKIDCR\r\naws_secret_access_key=s\r\n", "p", "AKIDCR"),
    ("# c\n; c\n\n[ p ] # c\nAWS_ACCESS_KEY_ID=AKIDUP # comment\naws_secret_access_key = s;1\n", "p",
     "AKIDUP"),
    ("[p]\n  aws_access_key_id = AKIDIN\n  aws_secret_access_key = s\n", "p", "AKIDIN"),
    ("[p]\ns3 =\n  aws_access_key_id = NESTED\naws_access_key_id = AKIDTOP\n"
     "aws_secret_access_key = s\n", "p", "AKIDTOP"),
    ("[p]\naws_access_key_id = AKIDM1\n[q]\n" + keys("Q") + "[p]\naws_secret_access_key = s\n", "p",
     "AKIDM1"),
    ("[p]\naws_access_key_id = AKIDEND\naws_secret_access_key = s", "p", "AKIDEND"),
])
def test_rules_of_the_files(env, service, tmp_path, text, profile, want):
    credentials_file(tmp_path, text)
    assert id_of(configured(service, env, "--profile", profile)) == want


@pytest.mark.parametrize("header, profile", [
    ("[profile x]", "x"), ("[default]", "default"), ("[profile default]", "default"),
    ('[profile "a b"]', "a b"), ("[profile\tx]", "x"),
])
def test_config_file_sections(env, service, tmp_path, header, profile):
    config_file(tmp_path, f"[x]\n{keys('BARE')}{header}\n{keys('GOOD')}")
    assert id_of(configured(service, env, "--profile", profile)) == "AKIDGOOD"


@pytest.mark.parametrize("credentials, config, profile, told", [
    ("", "", "none", "profile none is neither in"),
    ("[p]\naws_access_key_id = A\n", "", "p", "has no aws_secret_access_key"),
    ("[p]\naws_secret_access_key = hush\n", "", "p", "has no aws_access_key_id"),
    ("[p]\naws_access_key_id =\naws_secret_access_key = hush\n", "", "p", "is empty"),
    ("[p]\naws_access_key_id = A\naws_secret_access_key = hush hush\n", "", "p", "contains a space"),
    ("", "[profile p]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = q\n", "p",
     "source_profile q of profile p is neither in"),
    ("", "[profile p]\nrole_arn = arn:aws:iam::1:role/r\n", "p",
     "neither source_profile nor credential_source"),
    ("", "[profile p]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = q\n"
         "credential_source = Environment\n", "p", "both source_profile and credential_source"),
    ("", "[profile p]\nrole_arn = arn:aws:iam::1:role/r\ncredential_source = Elsewhere\n", "p",
     "none of Environment, Ec2InstanceMetadata and EcsContainer"),
    ("", "[profile p]\nrole_arn = arn:aws:iam::1:role/r\ncredential_source = Environment\n", "p",
     "credential_source Environment of profile p has no credentials"),
    ("", "[profile p]\nrole_arn = arn:aws:iam::1:role/r\ncredential_source = Ec2InstanceMetadata\n",
     "p", "credential_source Ec2InstanceMetadata of profile p has no credentials"),
    ("", "[profile p]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = q\n[profile q]\n"
         "region = us-east-1\n", "p", "source_profile q has no credentials"),
    ("", "[profile p]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = p\n", "p",
     "in a circle back to p"),
    ("", "[profile p]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = q\n[profile q]\n"
         "role_arn = arn:aws:iam::1:role/s\nsource_profile = p\n", "p", "in a circle back to p"),
    ("", "".join(f"[profile {'p' * i}]\nrole_arn = arn:aws:iam::1:role/r\n"
                 f"source_profile = {'p' * (i + 1)}\n" for i in range(1, 10)), "p",
     "more than 8 profiles"),
    ("[q]\n" + keys("Q"), "[profile p]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = q\n"
     "mfa_serial = arn:aws:iam::1:mfa/m\n", "p", "nobody is there to type the code"),
    ("[q]\n" + keys("Q"), "[profile p]\nrole_arn = nonsense\nsource_profile = q\n", "p",
     "not arn:aws:iam::ACCOUNT:role/NAME"),
    ("[q]\n" + keys("Q"), "[profile p]\nrole_arn = arn:aws-cn:iam::1:role/r\nsource_profile = q\n",
     "p", "set AWS_REGION"),
    ("[q]\n" + keys("Q"), "[profile p]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = q\n"
     "region = evil.example/x\n", "p", "is not the name of an AWS region"),
    ("[q]\n" + keys("Q"), "[profile p]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = q\n"
     "duration_seconds = 60\n", "p", "not from 900 to 43200"),
    ("", "[profile p]\nweb_identity_token_file = /nowhere\n", "p", "but no role_arn"),
    ("", "[profile p]\nweb_identity_token_file = /nowhere\nrole_arn = arn:aws:iam::1:role/r\n", "p",
     "/nowhere"),
    ("", "[x]\n" + keys("BARE"), "x", "neither in"),
])
def test_profiles_that_do_not_work(env, service, tmp_path, credentials, config, profile, told):
    credentials_file(tmp_path, credentials)
    config_file(tmp_path, config)
    stderr = refused(service, env, "--profile", profile)
    assert told in stderr and "hush" not in stderr


@pytest.mark.parametrize("changes, told", [
    ({"AWS_ACCESS_KEY_ID": "A"}, "AWS_SECRET_ACCESS_KEY is not"),
    ({"AWS_SECRET_ACCESS_KEY": "hush"}, "AWS_ACCESS_KEY_ID is not"),
    ({"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "hush",
      "AWS_CREDENTIAL_EXPIRATION": "soon"}, "not a time"),
    ({"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "hush",
      "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z"}, "expired at 2020-01-01T00:00:00Z"),
    ({}, "no AWS credentials"),
    ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://evil.example/x"}, "must be https"),
    ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:x@evil.example/x"}, "must be https"),
    ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere"}, "AWS_ROLE_ARN is not"),
    ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere", "AWS_ROLE_ARN": "arn:aws:iam::1:role/r"},
     "/nowhere"),
])
def test_environment_that_does_not_work(env, service, changes, told):
    stderr = refused(service, {**env, **changes})
    assert told in stderr and "hush" not in stderr


@pytest.mark.parametrize("name, uri", [
    ("FULL", "http://localhost.evil.example/"), ("FULL", "http://127.0.0.1.evil.example/x"),
    ("FULL", "http://169.254.170.2x/"), ("FULL", "http://127.0.0.1?x"), ("FULL", "http://127.0.0.1#x"),
    ("FULL", "http://127.0.0.1\\x"), ("FULL", "http://127.0.0.1/@evil.example"),
    ("FULL", "ftp://127.0.0.1/"), ("FULL", "file:///etc/passwd"), ("FULL", "//127.0.0.1/"),
    ("FULL", "http://127.0.0.1/" + "x" * 512), ("RELATIVE", "@evil.example/x"),
    ("RELATIVE", ".evil.example/x"), ("RELATIVE", ":80@evil.example/x"), ("RELATIVE", "x")])
def test_uris_that_a_token_is_not_sent_to(env, service, name, uri):
    stderr = refused(service, {**env, f"AWS_CONTAINER_CREDENTIALS_{name}_URI": uri,
                               "AWS_CONTAINER_AUTHORIZATION_TOKEN": "hush"})
    assert "must be https, or http to the container agent or this machine" in stderr


def test_an_agent_of_a_container_that_does_not_answer(env, service, nobody):
    """Whether nobody is there or it refuses: what to look at is told."""
    token = {**env, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "hush"}
    stderr = refused(service, {**token, "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://{nobody}/"})
    assert "connect to server; AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI must be" in stderr
    with FakeMetadata({}) as agent:
        stderr = refused(service, {**token, "AWS_CONTAINER_CREDENTIALS_FULL_URI": agent.url})
    assert "the agent answered HTTP 401: see the role of the task or pod" in stderr
    assert "hush" not in stderr


# --- credential_process ---

def document(**more):
    return json.dumps({"Version": 1, "AccessKeyId": "AKIDPROC", "SecretAccessKey": "hush",
                       "SessionToken": "hushtoken", "Expiration": later(3600), **more})


def test_process(env, service, tmp_path):
    path = write(tmp_path / "give me",
                 f"#!/bin/sh\nenv > {tmp_path}/seen\ncat <<'E'\n{document()}\nE\n")
    path.chmod(0o700)
    config_file(tmp_path, f"[profile p]\ncredential_process = '{tmp_path}/give me' arg # x\n")
    got = configured(service, with_keys(env, ENCRYPTED_TSK="QUJD"), "--profile", "p")
    assert id_of(got) == "AKIDPROC" and got["credentials"]["session_token"] == "hushtoken"
    seen = (tmp_path / "seen").read_text()
    assert "HOME=" in seen and "AWS_SECRET" not in seen and "ENCRYPTED_TSK" not in seen


@pytest.mark.parametrize("script, told", [
    ("echo hush; exit 3", "exited with status 3"),
    ("echo hush >&2; exit 3", "exited with status 3"),
    ("kill -9 $$", "exited with status 137"),
    ("echo hush", "no valid JSON"),
    ("echo '[\"hush\"]'", "no JSON object"),
    ("echo '{\"Version\": 2, \"AccessKeyId\": \"hush\"}'", "no Version 1"),
    ("echo '{\"Version\": 1, \"AccessKeyId\": \"hush\"}'", "no SecretAccessKey"),
    ("echo '{\"Version\": 1, \"AccessKeyId\": \"h\", \"SecretAccessKey\": 1}'", "not a string"),
    ("head -c 100000 /dev/zero", "more than 65536 bytes"),
    ("printf ''", "no valid JSON"),
])
def test_process_that_does_not_work(env, service, tmp_path, script, told):
    path = write(tmp_path / "give", "#!/bin/sh\n" + script)
    path.chmod(0o700)
    config_file(tmp_path, f"[profile p]\ncredential_process = {path}\n")
    done = ctl("configure", "--to", service.address, "--profile", "p", env=env)
    assert done.returncode == 5 and service.requests == []
    assert told in done.stderr.decode()
    assert b"hush" not in done.stderr + done.stdout


# --- what only the AWS CLI resolves ---

SSO = "sso_session = s\nsso_account_id = 111122223333\nsso_role_name = admin\n"


def cli(env, tmp_path, script):
    """An environment in which the AWS CLI is this script."""
    path = write(tmp_path / "bin" / "aws", "#!/bin/sh\n" + script)
    path.chmod(0o700)
    return {**env, "PATH": f"relative::{tmp_path}/bin:/usr/bin:/bin"}


@pytest.mark.parametrize("config", [SSO, "sso_session = s\n", "sso_start_url = https://x\n",
                                    "login_session = arn\n", SSO + keys("CONFIG")])
def test_aws_cli(env, service, tmp_path, config):
    config_file(tmp_path, f"[profile a 'b\"]\n{config}")
    env = cli(env, tmp_path, f"printf '%s\\n' \"$@\" > {tmp_path}/seen\ncat <<'E'\n{document()}\nE\n")
    got = configured(service, env, "--profile", "a 'b\"")
    assert id_of(got) == "AKIDPROC" and got["credentials"]["session_token"] == "hushtoken"
    assert (tmp_path / "seen").read_text().splitlines() == [
        "configure", "export-credentials", "--profile", "a 'b\"", "--format", "process"]


def test_aws_cli_is_not_asked_for_what_is_here(env, service, tmp_path):
    """A session of SSO without account and role is for other tokens than credentials."""
    config_file(tmp_path, "[profile p]\nsso_session = s\n" + keys("CONFIG"))
    env = cli(env, tmp_path, "exit 1")
    assert id_of(configured(service, env, "--profile", "p")) == "AKIDCONFIG"
    credentials_file(tmp_path, "[p]\n" + keys("SHARED"))
    config_file(tmp_path, "[profile p]\nlogin_session = s\n")
    assert id_of(configured(service, env, "--profile", "p")) == "AKIDSHARED"


def test_aws_cli_that_does_not_work(env, service, tmp_path):
    config_file(tmp_path, f"[profile p]\n{SSO}[profile l]\nlogin_session = s\n")
    failing = cli(env, tmp_path, "echo hush >&2; echo hush; exit 255")
    stderr = refused(service, failing, "--profile", "p")
    assert "exited with status 255: sign in with aws sso login --profile p" in stderr
    assert "aws login --profile l" in refused(service, failing, "--profile", "l")
    assert "hush" not in stderr
    for status in (2, 252):  # version 1 has no export-credentials
        assert "install a newer AWS CLI, version 2" in refused(
            service, cli(env, tmp_path, f"exit {status}"), "--profile", "p")
    without = {**env, "PATH": f"{tmp_path}:relative"}
    stderr = refused(service, without, "--profile", "p")
    assert "profile p has sso_account_id, which only the AWS CLI resolves" in stderr


# --- instance metadata ---

def instance(**more):
    return {"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "ASIAMETA",
            "SecretAccessKey": "hush", "Token": "hushtoken", "Expiration": later(3600), **more}


def with_metadata(env, metadata, **more):
    env = {k: v for k, v in env.items() if k != "AWS_EC2_METADATA_DISABLED"}
    return {**env, "AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.url, **more}


def test_instance_metadata(env, service):
    with FakeMetadata(instance()) as metadata:
        got = configured(service, with_metadata(env, metadata))
        base = "/latest/meta-data/iam/security-credentials/"
        assert metadata.paths == ["PUT /latest/api/token", f"GET {base}",
                                  f"GET {base}{metadata.role}"]
        assert got["credentials"] == {
            "access_key_id": "ASIAMETA", "secret_access_key": "hush",
            "session_token": "hushtoken", "expiration": metadata.credentials["Expiration"]}
        # no proxy is asked, and files go first
        proxied = with_metadata(env, metadata, http_proxy="http://127.0.0.1:1")
        assert id_of(configured(service, proxied)) == "ASIAMETA"
        assert id_of(configured(service, with_keys(proxied))) == "AKIDSTATIC"


@pytest.mark.parametrize("credentials, options, told", [
    (instance(Expiration="2020-01-01T00:00:00Z"), {}, "expired at"),
    (instance(Expiration="hush"), {}, "not a time"),
    ({"Code": "AssumeRoleUnauthorizedAccess", "Message": "EC2 cannot assume the role\x1b[31m"}, {},
     "AssumeRoleUnauthorizedAccess: EC2 cannot assume the role?[31m; the role's trust policy must "
     "allow sts:AssumeRole to ec2.amazonaws.com"),
    ({"Code": "Failed"}, {}, "role enclave-role: Failed; see the role and the instance profile"),
    ({"Code": "Success"}, {}, "gave no AccessKeyId"),
    (instance(), {"role": "../../hush"}, "names no role"),
    (instance(), {"role": ""}, "names no role"),
    (instance(), {"list_status": 404}, "names no role: attach one"),
    (instance(), {"list_status": 500}, "HTTP 500 to the question for the role"),
    (instance(), {"put_status": 403}, "--http-endpoint enabled"),
    (instance(), {"put_status": 404}, "has no version 2"),
    pytest.param(instance(), {"put_status": SILENCE}, "--http-put-response-hop-limit 2",
                 marks=pytest.mark.slow),
])
def test_instance_metadata_that_does_not_work(env, service, credentials, options, told):
    with FakeMetadata(credentials, **options) as metadata:
        stderr = refused(service, with_metadata(env, metadata))
    assert told in stderr and "hush" not in stderr


def test_instance_metadata_switched_off(env, service):
    with FakeMetadata(instance()) as metadata:
        off = with_metadata(env, metadata, AWS_EC2_METADATA_DISABLED="true")
        assert "switched off" in refused(service, off)
        assert metadata.paths == []


# --- no secret is seen ---

def test_no_secret_in_process_list_or_output(env, tmp_path):
    """While it waits for the answer: its command line, its open files' names, its output."""
    credentials_file(tmp_path, "[default]\naws_access_key_id = AKID\n"
                               "aws_secret_access_key = hush-hush-hush\n")
    with FakeService(lambda request: SILENCE) as fake:
        process = subprocess.Popen([CTL, "configure", "--to", fake.address], env=env,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_until(lambda: fake.requests)
        folder = pathlib.Path(f"/proc/{process.pid}")
        seen = b"".join((folder / name).read_bytes()
                        for name in ("cmdline", "environ", "comm"))
        limits = (folder / "limits").read_text()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert b"hush" not in seen + out + err
    assert next(line for line in limits.splitlines() if "core file" in line).split()[4] == "0"


@pytest.mark.slow
def test_the_time_limit_hides_no_answer(env):
    """The second attempt is cut short: what the first brought is told."""
    answers = [{"status": "error", "code": "relay_unreachable", "error": "relay",
                "cause": "nothing listens"}]
    with FakeService(lambda request: answers.pop() if answers else SILENCE) as fake:
        done = ctl("configure", "--to", fake.address, "--timeout", "8", "--json", env=with_keys(env))
    assert len(fake.requests) == 2
    assert done.returncode == 1 and json.loads(done.stdout)["code"] == "relay_unreachable"


# --- --watch ---

class Watch:
    def __init__(self, service, env, *arguments):
        self.process = subprocess.Popen(
            [CTL, "configure", "--watch", "--check", "1", "--json", "--to", service.address,
             *arguments], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def line(self):
        return json.loads(self.process.stdout.readline())

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_watch_ends_on_signals(env, service, number):
    watch = Watch(service, with_keys(env))
    event = watch.line()
    assert (event["event"], event["expires"]) == ("configured", None)
    assert event["answer"]["key_id"] == KEY
    code, _, err = watch.stop(number)
    assert (code, err) == (0, b"")


@pytest.mark.parametrize("before", ["", "exec >&- && "], ids=["open", "closed"])
def test_watch_ends_while_a_process_runs(env, service, tmp_path, before):
    """Also one that has closed its output; it ends with the watch, and nothing is said of a limit."""
    started = tmp_path / "started"
    config_file(tmp_path, "[profile p]\ncredential_process = "
                          f"{before}echo $$ > {started}.new && mv {started}.new {started}; sleep 600\n")
    watch = Watch(service, env, "--profile", "p")
    wait_until(started.exists, what="a process that runs")
    code, out, err = watch.stop()
    assert (code, out, err) == (0, b"", b"")
    process = pathlib.Path("/proc", started.read_text().strip())
    wait_until(lambda: not process.exists(), what="the end of the process")


@pytest.mark.slow
def test_watch_renews_before_the_end(env, service):
    with FakeMetadata(instance(Expiration=later(4))) as metadata:
        watch = Watch(service, with_metadata(env, metadata, ENCRYPTED_TSK="QUJD"))
        first = watch.line()
        metadata.credentials = instance(AccessKeyId="ASIANEXT", Expiration=later(3600))
        second = watch.line()
        code, out, err = watch.stop()
    assert second["time"] <= first["expires"] and second["expires"] > first["expires"]
    sent = service.configured()
    assert [id_of(r) for r in sent] == ["ASIAMETA", "ASIANEXT"]
    assert sent[0]["wrapped_tsk"] == "QUJD" and "wrapped_tsk" not in sent[1]
    assert code == 0 and b"hush" not in out + err


@pytest.mark.slow
def test_watch_configures_a_service_that_comes_back_empty(env, service):
    watch = Watch(service, with_keys(env, ENCRYPTED_TSK="QUJD"))
    watch.line()
    service.state = "awaiting_configuration"
    watch.line()
    assert watch.stop()[0] == 0
    assert [r["wrapped_tsk"] for r in service.configured()] == ["QUJD", "QUJD"]


@pytest.mark.slow
def test_watch_outlives_the_service_and_refusals(env):
    # A client that connects to 127.0.0.1 where nobody listens can be connected with itself.
    service = FakeEnclaved(address=("127.0.0.2", 0))
    watch = Watch(service, with_keys(env))
    watch.line()
    address = (service.host, service.port)
    service.close()
    failure = watch.line()
    assert (failure["status"], failure["code"]) == ("error", "network")
    refuse = {"status": "error", "code": "kms_denied", "error": "KMS refused the request"}

    def again():
        try:
            return FakeEnclaved(address=address)
        except OSError:
            return None
    service = wait_until(again, what="the port again")
    good, answers = service.answer, []

    def answer(request):
        if request["op"] == "configure" and not answers:
            answers.append(request)
            return refuse
        return good(request)
    service.answer = answer
    events = []
    while not events or "event" not in events[-1]:
        events.append(watch.line())
    assert refuse in events
    assert watch.stop()[0] == 0
    service.close()


def test_watch_gives_up_on_wrong_usage(env):
    done = ctl("configure", "--watch", "--to", "nonsense", env=with_keys(env))
    assert done.returncode == 2
