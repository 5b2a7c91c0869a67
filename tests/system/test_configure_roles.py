# SPDX-License-Identifier: Apache-2.0
"""enclavectl configure with roles: web identities and profiles that assume a role, against the
simulated STS; and that KMS takes what was delivered."""
import http.server
import json
import threading

import pytest
from host_tools import FakeAws, FakeMetadata, ctl
from kms_tools import (ACCOUNT, ADMIN, REGION, Client, IdentityProvider, Kms, Module, Sts)

ROLE = f"arn:aws:iam::{ACCOUNT}:role/enclave"
NEXT = f"arn:aws:iam::{ACCOUNT}:role/path/next"
GUARDED = f"arn:aws:iam::{ACCOUNT}:role/guarded"
BASE = {"access_key_id": "AKIDBASE", "secret_access_key": "hush/base",
        "principal": f"arn:aws:iam::{ACCOUNT}:user/base"}
META = {"access_key_id": "ASIAMETA", "secret_access_key": "hush/meta", "session_token": "hushtoken",
        "principal": f"arn:aws:sts::{ACCOUNT}:assumed-role/instance/i-1"}
KEYS = "aws_access_key_id = AKIDBASE\naws_secret_access_key = hush/base\n"
BASE_ENV = {"AWS_ACCESS_KEY_ID": "AKIDBASE", "AWS_SECRET_ACCESS_KEY": "hush/base"}


@pytest.fixture(scope="module")
def provider():
    return IdentityProvider()


@pytest.fixture(scope="module")
def sts(provider, tmp_path_factory):
    trusted = [BASE["principal"], f"arn:aws:iam::{ACCOUNT}:role/instance"]
    server = Kms(tmp_path_factory.mktemp("sts"), Module().root_pem(),
                 credentials=[ADMIN, BASE, META], roles=[
        {"arn": ROLE, "trusts": trusted, "identity_provider": provider.entry()},
        {"arn": NEXT, "trusts": [ROLE]},
        {"arn": GUARDED, "trusts": trusted, "external_id": "a+b/c=d", "max_seconds": 7200}])
    yield server
    assert server.stop() == 0


@pytest.fixture
def env(env, sts):
    return {**env, "AWS_ENDPOINT_URL_STS": f"https://localhost:{sts.port}", "AWS_REGION": REGION,
            "AWS_CA_BUNDLE": sts.ca}


@pytest.fixture
def files(tmp_path):
    """Writes ~/.aws/config and ~/.aws/credentials."""
    def write(config="", credentials=""):
        (tmp_path / ".aws").mkdir(exist_ok=True)
        (tmp_path / ".aws" / "config").write_text(config)
        (tmp_path / ".aws" / "credentials").write_text(credentials)
    return write


@pytest.fixture
def token_file(provider, tmp_path):
    path = tmp_path / "token"
    path.write_text(provider.token() + "\n")
    return path


def identity(service, sts, env, *arguments):
    """Whose the delivered credentials are, by the simulated STS; KMS takes them, too."""
    done = ctl("configure", "--to", service.address, *arguments, env=env)
    assert done.returncode == 0, done.stderr
    assert b"hush" not in done.stdout + done.stderr
    got = service.configured()[-1]["credentials"]
    assert Client(sts, got).call("GenerateRandom", {"NumberOfBytes": 1}).status == 200
    reply = Sts(sts, got).call("GetCallerIdentity")
    assert reply.status == 200, reply.body
    if "session_token" in got and got["access_key_id"] != "ASIAMETA":
        assert got["expiration"] is not None
    return reply.texts["Arn"].split(":", 5)[5], done.stdout.decode()


def refused(service, env, *arguments):
    done = ctl("configure", "--to", service.address, *arguments, env=env)
    assert done.returncode == 5, (done.returncode, done.stderr)
    assert service.requests == [] and done.stderr.count(b"\n") == 1
    assert b"hush" not in done.stdout + done.stderr
    return done.stderr.decode()


# --- web identity ---

def web_identity(env, token_file, **more):
    return {**env, "AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file), "AWS_ROLE_ARN": ROLE, **more}


def test_web_identity_of_the_environment(env, service, sts, files, token_file):
    """It goes after keys in the environment and before every profile that is not named outright."""
    files(credentials=f"[default]\n{KEYS}[named]\n{KEYS}")
    own = web_identity(env, token_file)
    who, out = identity(service, sts, own)
    assert who.startswith("assumed-role/enclave/enclavectl-")
    assert f"credentials from web identity, {ROLE} (AWS_ROLE_ARN) expire at" in out
    who, _ = identity(service, sts, {**own, "AWS_ROLE_SESSION_NAME": "pod-1", "AWS_PROFILE": "named"})
    assert who == "assumed-role/enclave/pod-1"
    assert identity(service, sts, {**own, **BASE_ENV})[0] == "user/base"
    assert identity(service, sts, own, "--profile", "named")[0] == "user/base"


def test_web_identity_of_a_profile(env, service, sts, files, token_file):
    """It goes before the profile's keys; the token file is read each time."""
    files(f"[profile p]\nrole_arn = {ROLE}\nweb_identity_token_file = {token_file}\n"
          f"role_session_name = mine\n{KEYS}")
    who, out = identity(service, sts, env, "--profile", "p")
    assert who == "assumed-role/enclave/mine" and "(role_arn of profile p)" in out
    # also where it is the source of another role
    with open(token_file.parent / ".aws" / "config", "a") as config:
        config.write(f"[profile q]\nrole_arn = {NEXT}\nsource_profile = p\nrole_session_name = nn\n")
    assert identity(service, sts, env, "--profile", "q")[0] == "assumed-role/next/nn"


@pytest.mark.parametrize("claims, told", [
    ({"exp": 1}, "ExpiredTokenException: Token expired"),
    ({"iss": "https://elsewhere.example"}, "must be an identity provider in IAM"),
    ({"sub": "elsewhere"}, "must allow this identity provider, audience and subject"),
])
def test_web_identities_that_are_refused(env, service, files, token_file, provider, claims, told):
    """The profile's keys, which would do, are not taken in its place."""
    files(credentials=f"[default]\n{KEYS}")
    token_file.write_text(provider.token(**claims))
    stderr = refused(service, web_identity(env, token_file))
    assert "AWS STS refuses AssumeRoleWithWebIdentity: " in stderr and told in stderr
    assert token_file.read_text() not in stderr


@pytest.mark.parametrize("content, told", [("", "is empty"), (" \n", "is empty"),
                                           ("x" * 20001, "is too long"), ("x" * 20003, "20002 bytes")])
def test_token_files_that_cannot_be_used(env, service, token_file, content, told):
    token_file.write_text(content)
    assert told in refused(service, web_identity(env, token_file))


# --- profiles that assume a role ---

def test_source_profile(env, service, sts, files):
    files(f"[profile p]\nrole_arn = {ROLE}\nsource_profile = base\nrole_session_name = me\n",
          f"[base]\n{KEYS}")
    who, out = identity(service, sts, {**env, "AWS_PROFILE": "p"})
    assert who == "assumed-role/enclave/me"
    assert f"credentials from {ROLE} (role_arn of profile p) expire at" in out
    # the role also goes before the keys of its own profile, and those may be its source
    files(credentials=f"[p]\nrole_arn = {ROLE}\nsource_profile = p\nrole_session_name = me\n{KEYS}")
    assert identity(service, sts, env, "--profile", "p")[0] == "assumed-role/enclave/me"


def test_a_chain_of_roles(env, service, sts, files):
    files(f"[profile last]\nrole_arn = {NEXT}\nsource_profile = first\nrole_session_name = two\n"
          f"[profile first]\nrole_arn = {ROLE}\nsource_profile = base\n[profile base]\n{KEYS}")
    assert identity(service, sts, env, "--profile", "last")[0] == "assumed-role/next/two"
    assert f"AssumeRole by {BASE['principal']} role {ROLE}: ok" in sts.log()


def test_what_a_role_asks_for(env, service, sts, files):
    base = f"[base]\n{KEYS}"
    profile = f"[profile p]\nrole_arn = {GUARDED}\nsource_profile = base\n"
    files(profile + "external_id = a+b/c=d\nduration_seconds = 7200\n", base)
    assert identity(service, sts, env, "--profile", "p")[0].startswith("assumed-role/guarded/")
    files(profile, base)
    service.requests.clear()
    stderr = refused(service, env, "--profile", "p")
    assert f"{GUARDED} (role_arn of profile p): AWS STS refuses AssumeRole: AccessDenied: " in stderr
    assert "with this external_id if it asks for one" in stderr
    files(profile + "external_id = a+b/c=d\nduration_seconds = 7201\n", base)
    assert "MaxSessionDuration" in refused(service, env, "--profile", "p")


@pytest.mark.parametrize("source, more", [
    ("Environment", BASE_ENV), ("Ec2InstanceMetadata", {}), ("EcsContainer", {})])
def test_credential_source(env, service, sts, files, source, more):
    """It is asked even where --profile keeps the environment out."""
    files(f"[profile p]\nrole_arn = {ROLE}\ncredential_source = {source}\nrole_session_name = me\n")
    meta = {"AccessKeyId": "ASIAMETA", "SecretAccessKey": "hush/meta", "Token": "hushtoken"}

    class Container(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            data = json.dumps(meta).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    container = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Container)
    threading.Thread(target=container.serve_forever, daemon=True).start()
    uri = f"http://127.0.0.1:{container.server_address[1]}/"
    with FakeMetadata({"Code": "Success", **meta}) as metadata:
        if source == "Ec2InstanceMetadata":
            env.pop("AWS_EC2_METADATA_DISABLED")
            more = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.url}
        elif source == "EcsContainer":
            more = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": uri}
        who, _ = identity(service, sts, {**env, **more}, "--profile", "p")
    container.shutdown()
    container.server_close()
    assert who == "assumed-role/enclave/me"


def test_a_process_as_source(env, service, sts, files, tmp_path):
    document = {"Version": 1, "AccessKeyId": "AKIDBASE", "SecretAccessKey": "hush/base"}
    (tmp_path / "document").write_text(json.dumps(document))
    files(f"[profile p]\nrole_arn = {ROLE}\nsource_profile = q\nrole_session_name = me\n"
          f"[profile q]\ncredential_process = cat {tmp_path}/document\n")
    assert identity(service, sts, env, "--profile", "p")[0] == "assumed-role/enclave/me"
    document["Expiration"] = "2020-01-01T00:00:00Z"
    (tmp_path / "document").write_text(json.dumps(document))
    service.requests.clear()
    assert "expired at 2020-01-01" in refused(service, env, "--profile", "p")


@pytest.mark.parametrize("keys, told", [
    (KEYS.replace("hush/base", "hush/wrong"), "SignatureDoesNotMatch: The request signature"),
    (KEYS.replace("AKIDBASE", "AKIDNOBODY"), "AWS does not know the access key of the source"),
    (KEYS + "aws_session_token = hush\n", "InvalidClientTokenId"),
])
def test_sources_that_sts_refuses(env, service, files, keys, told):
    files(f"[profile p]\nrole_arn = {ROLE}\nsource_profile = base\n", f"[base]\n{keys}")
    assert told in refused(service, env, "--profile", "p")


# --- where STS is ---

def role_profile(files, more=""):
    files(f"[profile p]\nrole_arn = {ROLE}\nsource_profile = base\n{more}", f"[base]\n{KEYS}")


def test_endpoint_and_region(env, service, sts, files):
    role_profile(files)
    url = env.pop("AWS_ENDPOINT_URL_STS")
    general = {**env, "AWS_ENDPOINT_URL": url + "/"}
    assert identity(service, sts, general, "--profile", "p")[0].startswith("assumed-role/enclave/")
    del general["AWS_REGION"]
    older = {**general, "AWS_DEFAULT_REGION": REGION}
    assert identity(service, sts, older, "--profile", "p")[0].startswith("assumed-role/enclave/")
    role_profile(files, f"region = {REGION}\n")
    assert identity(service, sts, general, "--profile", "p")[0].startswith("assumed-role/enclave/")
    role_profile(files)
    service.requests.clear()
    assert "scoped to a valid region, not 'us-east-1'" in refused(service, general, "--profile", "p")


@pytest.mark.parametrize("changes, told", [
    ({"AWS_ENDPOINT_URL_STS": "http://evil.example"}, "or http on this machine"),
    ({"AWS_ENDPOINT_URL_STS": "https://x@localhost"}, "cannot be used"),
    ({"AWS_REGION": "evil.example/"}, "is not the name of an AWS region"),
    ({"AWS_REGION": "x" * 40}, "is not the name of an AWS region"),
])
def test_endpoints_that_cannot_be_used(env, service, files, changes, told):
    role_profile(files)
    assert told in refused(service, {**env, **changes}, "--profile", "p")


def test_sts_that_is_not_trusted_or_not_there(env, service, files, nobody):
    role_profile(files)
    untrusted = {k: v for k, v in env.items() if k != "AWS_CA_BUNDLE"}
    stderr = refused(service, untrusted, "--profile", "p")
    assert "AWS STS cannot be asked: localhost" in stderr and "AWS_CA_BUNDLE names" in stderr
    assert "reach it" not in stderr
    away = {**env, "AWS_ENDPOINT_URL_STS": f"http://{nobody}"}
    assert "let this machine reach it" in refused(service, away, "--profile", "p")


@pytest.mark.parametrize("role, told", [
    ("nonsense", "nonsense (role_arn of profile p): the ARN of the role is not arn:aws:iam::"),
    ("arn:aws-cn:iam::111122223333:role/r",
     "arn:aws-cn:iam::111122223333:role/r (role_arn of profile p): there is no region for AWS STS"),
])
def test_roles_that_lead_nowhere(env, service, files, role, told):
    """It is told which role it is: a chain has several."""
    files(f"[profile q]\nrole_arn = {NEXT}\nsource_profile = p\n[profile p]\nrole_arn = {role}\n"
          f"source_profile = base\n", f"[base]\n{KEYS}")
    del env["AWS_REGION"]
    assert told in refused(service, env, "--profile", "q")


@pytest.mark.parametrize("fault, told", [
    ("500", "InternalFailure"), ("throttle", "Throttling: Rate exceeded; try again"),
    ("garbage", "the answer of AWS STS is malformed"), ("half", "cannot be asked"),
    ("reset", "cannot be asked"),
    ("large", "the answer is longer than 65536 bytes; what answers is not AWS STS: see AWS_ENDPOINT"),
])
def test_answers_that_cannot_be_used(env, service, sts, files, fault, told):
    role_profile(files)
    sts.write_faults(f"AssumeRole {fault} 1")
    assert told in refused(service, env, "--profile", "p")


def test_what_is_not_sts(env, service, files):
    role_profile(files)
    with FakeMetadata({}) as other:
        elsewhere = {**env, "AWS_ENDPOINT_URL_STS": other.url}
        assert "is not AWS STS: see AWS_ENDPOINT_URL_STS" in refused(service, elsewhere, "--profile", "p")


def test_what_was_signed_is_not_repeated(env, service, files):
    """AWS says it where a signature is wrong, and the session token is in it."""
    role_profile(files)
    message = ("It does not match.\n\nThe Canonical String for this request should have been\n"
               "'POST\n/\n\nx-amz-security-token:hushtoken\n'")
    answer = ("<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code>"
              f"<Message>{message}</Message></Error></ErrorResponse>")
    with FakeAws(lambda _: (403, answer.encode())) as other:
        stderr = refused(service, {**env, "AWS_ENDPOINT_URL_STS": other.url}, "--profile", "p")
    assert "SignatureDoesNotMatch: It does not match.; the secret key of the source" in stderr
