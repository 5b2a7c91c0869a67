# SPDX-License-Identifier: Apache-2.0
"""enclavectl doctor: it tells the three troubleshooting entries apart, each with cause and remedy."""
import datetime
import http.server
import json
import os
import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from host_tools import SILENCE, FakeEnclaved, FakeService, Server, clean_environment, ctl

HOST = "kms.us-east-1.amazonaws.com"
PCR0 = "0f" * 48
ROLE = "arn:aws:iam::111122223333:role/enclave"


@pytest.fixture
def env(tmp_path):
    return clean_environment(tmp_path)


def doctor(env, *arguments):
    done = ctl("doctor", "--json", *arguments, env=env)
    told = json.loads(done.stdout)
    worst = max((c["result"] for c in told["checks"]), key=["ok", "warn", "fail"].index)
    assert told["status"] == ("error" if worst == "fail" else "success")
    assert told["result"] == worst and done.returncode == (1 if worst == "fail" else 0)
    assert all(c.get("remedy") for c in told["checks"] if c["result"] == "fail")
    return told["checks"]


def find(checks, name):
    return next(c for c in checks if c["check"] == name)


# --- no /dev/nsm ---

def tree(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


@pytest.mark.parametrize("files, result, told", [
    ({}, "warn", "not in an enclave"),
    ({"sys/class/dmi/id/product_name": "X\x1b[31m\n"}, "warn", "X\x1b[31m"),
    ({"dev/nitro_enclaves": ""}, "ok", "parent instance"),
    ({"sys/class/dmi/id/sys_vendor": "Amazon EC2\n", "sys/class/dmi/id/product_name": "m5.large\n"},
     "warn", "an EC2 instance (m5.large) without /dev/nitro_enclaves"),
    ({"sys/bus/virtio/devices/virtio0/device": "0x0021\n"}, "fail", "has no driver"),
    ({"sys/bus/virtio/devices/virtio0/device": "0x0001\n"}, "warn", "not in an enclave"),
    ({"sys/class/misc/nsm/dev": "10:144\n"}, "fail", "misc device 10:144"),
    ({"sys/module/nsm/version": ""}, "fail", "the hypervisor offers no such device"),
    ({"dev/nsm": ""}, "fail", "not a device"),
])
def test_nsm(env, tmp_path, files, result, told):
    check = find(doctor(env, "--sysroot", tree(tmp_path / "root", files)), "nsm")
    assert check["result"] == result and told in check["cause"]


def test_nsm_is_there(env, tmp_path):
    (tmp_path / "dev").mkdir()
    try:
        os.mknod(tmp_path / "dev/nsm", 0o20666, os.makedev(1, 3))  # any device will do
        os.close(os.open(tmp_path / "dev/nsm", os.O_RDWR))
    except OSError:
        pytest.skip("no right to make devices here")
    assert find(doctor(env, "--sysroot", tmp_path), "nsm")["result"] == "ok"


# --- the service and why KMS refused ---

@pytest.mark.parametrize("error, told", [
    ({"code": "kms_denied", "cause": "AccessDeniedException: User is not authorized"}, "debug mode"),
    ({"code": "kms_denied", "kms": {"type": "ExpiredTokenException", "message": "expired"}},
     "credentials have expired"),
    ({"code": "kms_denied", "cause": "InvalidSignatureException: Signature expired: 2026"},
     "clock of the enclave is slow"),
    ({"code": "kms_denied", "cause": "InvalidSignatureException: Signature not yet current"},
     "clock of the enclave is fast"),
    ({"code": "kms_denied", "cause": "InvalidSignatureException: does not match"},
     "does not belong to the access key id"),
    ({"code": "kms_denied", "cause": "UnrecognizedClientException"}, "does not know the access key"),
    ({"code": "kms_denied", "cause": "InvalidCiphertextException"}, "another encryption context"),
    ({"code": "kms_denied", "cause": "IncorrectKeyException"}, "under another KMS key"),
    ({"code": "kms_denied", "cause": "ValidationException: document"}, "attestation document"),
    ({"code": "kms_denied", "cause": "SurpriseException"}, "KMS refused"),
    ({"code": "relay_unreachable", "cause": "refused"}, "nothing listens"),
    ({"code": "tls_failed", "cause": "certificate has expired"}, "clock is fast"),
    ({"code": "tls_failed", "cause": "not yet valid"}, "clock is slow"),
    ({"code": "tls_failed", "cause": "not trusted: unable to get local issuer certificate"},
     "configured root"),
    ({"code": "tls_failed", "cause": "not trusted: certificate has expired"}, "has expired"),
    ({"code": "tls_failed", "cause": "not trusted: certificate is not yet valid"}, "clock is slow"),
    ({"code": "tls_failed", "cause": "TLS: wrong version number"}, "does not speak TLS"),
    ({"code": "tls_failed", "cause": "TLS: unsupported protocol"}, "neither TLS 1.2"),
    ({"code": "tls_failed", "cause": "not trusted: hostname mismatch"}, "relay leads to another server"),
    ({"code": "credentials_expired"}, "credentials have expired"),
    ({"code": "nsm_failed", "cause": "x"}, "no attestation document"),
    ({"code": "brand_new", "cause": "x"}, "brand_new: x"),
])
def test_last_error(env, error, told):
    with FakeEnclaved() as fake:
        fake.last_error = {"error": "text", **error}
        checks = doctor(env, "--to", fake.address)
    check = find(checks, "session key")
    assert check["result"] == "fail" and told in check["cause"]
    assert error.get("cause", "") in check["cause"]


@pytest.mark.parametrize("state, result", [
    ("ready", "ok"), ("starting", "warn"), ("awaiting_configuration", "fail"), ("odd", "fail")])
def test_state(env, state, result):
    with FakeEnclaved() as fake:
        fake.state = state
        assert find(doctor(env, "--to", fake.address), "service")["result"] == result


@pytest.mark.parametrize("seconds, result", [(-10, "fail"), (60, "warn"), (3600, "ok")])
def test_credentials(env, seconds, result):
    when = datetime.datetime.utcnow() + datetime.timedelta(seconds=seconds)
    answer = {"status": "success", "state": "ready",
              "credentials_expire": when.strftime("%Y-%m-%dT%H:%M:%SZ")}
    with FakeService(lambda request: answer) as fake:
        assert find(doctor(env, "--to", fake.address), "credentials")["result"] == result


@pytest.mark.slow
@pytest.mark.parametrize("answer", [b"garbage", {"status": "error", "error": "x", "code": "busy"},
                                    SILENCE, []])
def test_service_that_is_none(env, answer):
    with FakeService(lambda request: answer) as fake:
        check = find(doctor(env, "--to", fake.address, "--timeout", "1"), "service")
    assert check["result"] == "fail"


# --- relay, TLS, clock ---

def certificate(folder, name, days=(-1, 1)):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.utcnow()
    cert = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=days[0]))
            .not_valid_after(now + datetime.timedelta(days=days[1]))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
            .add_extension(x509.BasicConstraints(True, None), True)
            .sign(key, hashes.SHA256()))
    (folder / "cert.pem").write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()))


class TlsServer(Server):
    def __init__(self, folder, date):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        self.date = date
        listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp:127.0.0.1:{listener.getsockname()[1]}"
        super().__init__(listener, self.serve_tls)

    def serve_tls(self, peer):
        with self.context.wrap_socket(peer, server_side=True) as tls:
            tls.recv(4096)
            tls.sendall(f"HTTP/1.1 404 Not Found\r\nDate: {self.date}\r\nContent-Length: 0\r\n\r\n"
                        .encode())


def http_date(seconds):
    when = datetime.datetime.utcnow() + datetime.timedelta(seconds=seconds)
    return when.strftime("%a, %d %b %Y %H:%M:%S GMT")


@pytest.mark.parametrize("name, days, date, tls, clock", [
    (HOST, (-1, 1), 0, "ok", "ok"),
    (HOST, (-1, 1), -900, "ok", "fail"),
    (HOST, (-1, 1), "garbage", "ok", None),
    ("other.example", (-1, 1), 0, "fail", None),
    (HOST, (-2, -1), 0, "fail", None),
    (HOST, (1, 2), 0, "fail", None),
])
def test_relay(env, tmp_path, name, days, date, tls, clock):
    certificate(tmp_path, name, days)
    # only now: since the tests were collected, minutes may have passed
    server = TlsServer(tmp_path, date if isinstance(date, str) else http_date(date))
    checks = doctor(env, "--relay", server.address, "--endpoint", HOST, "--roots",
                    tmp_path / "cert.pem")
    server.close()
    assert find(checks, "relay")["result"] == "ok"
    assert find(checks, "tls")["result"] == tls
    clocks = [c["result"] for c in checks if c["check"] == "kms clock"]
    assert clocks == ([clock] if clock else [])


def test_relay_that_is_not_there(env, nobody):
    check = find(doctor(env, "--relay", f"tcp:{nobody}"), "relay")
    assert check["result"] == "fail" and "enclavectl relay --listen" in check["remedy"]


# --- policy against measurements ---

def statement(**more):
    return {"Sid": "Enclave", "Effect": "Allow", "Principal": {"AWS": ROLE},
            "Action": "kms:Decrypt", "Resource": "*", **more}


def equals(**conditions):
    return {"Condition": {"StringEqualsIgnoreCase": {
        f"kms:RecipientAttestation:{k}": v for k, v in conditions.items()}}}


@pytest.mark.parametrize("statements, pcrs, result, conditions", [
    ([statement(**equals(ImageSha384=PCR0.upper()))], {"PCR0": PCR0}, "ok", []),
    ([statement(**equals(ImageSha384="ee" * 48))], {"PCR0": PCR0}, "fail",
     ["wanted " + "ee" * 48 + ", actual " + PCR0]),
    ([statement(**equals(PCR3="ee" * 48))], {"PCR0": PCR0}, "fail", ["actual none"]),
    ([statement(**equals(PCR3="ee" * 48))], {"Measurements": {"PCR0": PCR0, "PCR3": "ee" * 48}},
     "ok", []),
    ([statement(**equals(ImageSha384=PCR0))], {"PCR0": "0" * 96, "PCR1": "0" * 96, "PCR2": "0" * 96},
     "fail", ["actual " + "0" * 96]),
    ([statement(), {**statement(**equals(ImageSha384=PCR0)), "Effect": "Deny", "Sid": "No"}],
     {"PCR0": PCR0}, "fail", ["No, StringEqualsIgnoreCase"]),
    ([statement(Action="kms:Encrypt")], {"PCR0": PCR0}, "fail", []),
])
def test_policy(env, tmp_path, statements, pcrs, result, conditions):
    (tmp_path / "policy").write_text(json.dumps({"Version": "2012-10-17", "Statement": statements}))
    (tmp_path / "pcrs").write_text(json.dumps(pcrs))
    checks = doctor(env, "--policy", tmp_path / "policy", "--measurements", tmp_path / "pcrs",
                    "--principal", ROLE)
    assert find(checks, "policy")["result"] == result
    told = [c["cause"] for c in checks if c["check"] == "condition"]
    assert len(told) == len(conditions)
    assert all(part in cause for part, cause in zip(conditions, told, strict=True))
    debug = [c for c in checks if c["check"] == "debug mode"]
    assert bool(debug) == (set(pcrs.get("PCR0", "1")) == {"0"})


def test_policy_allows_what_does_not_run(env, tmp_path):
    (tmp_path / "policy").write_text(json.dumps(
        {"Version": "2012-10-17", "Statement": [statement(**equals(ImageSha384=PCR0))]}))
    (tmp_path / "pcrs").write_text(json.dumps({"PCR0": PCR0}))
    arguments = ["--policy", tmp_path / "policy", "--measurements", tmp_path / "pcrs"]
    with FakeEnclaved() as fake:
        fake.last_error = {"error": "text", "code": "kms_denied", "cause": "AccessDeniedException"}
        checks = doctor(env, "--to", fake.address, *arguments)
    assert find(checks, "policy")["result"] == "ok"
    assert find(checks, "running")["result"] == "fail"
    assert "debug mode" in find(checks, "running")["cause"]


def test_policy_finds_the_principal_and_uses_the_context(env, tmp_path):
    policy = {"Version": "2012-10-17", "Statement": [
        statement(Sid="Root", Principal={"AWS": "arn:aws:iam::111122223333:root"},
                  Action="kms:Put*"),
        statement(Condition={"StringEquals": {"kms:EncryptionContext:app": "pay=1"}})]}
    (tmp_path / "policy").write_text(json.dumps(policy))
    (tmp_path / "pcrs").write_text(json.dumps({"PCR0": PCR0}))
    arguments = ["--policy", tmp_path / "policy", "--measurements", tmp_path / "pcrs"]
    check = find(doctor(env, *arguments, "--encryption-context", "app=pay=1"), "policy")
    assert check["result"] == "ok" and ROLE in check["cause"]
    assert find(doctor(env, *arguments), "policy")["result"] == "fail"


@pytest.mark.parametrize("policy, pcrs", [
    ("garbage", json.dumps({"PCR0": PCR0})), ('{"Statement": []}', "garbage"),
    ('{"Version": "2012-10-17", "Statement": []}', "{}"),
    ('{"Version": "2012-10-17", "Statement": []}', '{"PCR0": "00"}'),
    ('{"Version": "2012-10-17", "Statement": []}', "[]"),
    ('{"Version": "2012-10-17", "Statement": []}', "5"),
    ("[]", json.dumps({"PCR0": PCR0})), ('{"Statement": 5}', json.dumps({"PCR0": PCR0})),
])
def test_files_that_are_none(env, tmp_path, policy, pcrs):
    (tmp_path / "policy").write_text(policy)
    (tmp_path / "pcrs").write_text(pcrs)
    checks = doctor(env, "--policy", tmp_path / "policy", "--measurements", tmp_path / "pcrs")
    assert find(checks, "policy")["result"] == "fail"


def test_table(env, tmp_path):
    done = ctl("doctor", "--sysroot", tree(tmp_path / "r", {"dev/nsm": "x"}), env=env)
    assert done.returncode == 1 and b"\x1b" not in done.stdout
    assert done.stdout.startswith(b"fail  nsm          /dev/nsm is not a device\n")
    assert b"remedy: remove the file" in done.stdout


def test_policy_with_the_pinned_context(env, tmp_path):
    """What runs pins a context, and reports it: the policy's condition on it is met."""
    def conditions(**pairs):
        return {"StringEquals": {f"kms:EncryptionContext:{k}": v for k, v in pairs.items()}}

    (tmp_path / "pcrs").write_text(json.dumps({"PCR0": PCR0}))
    for context, more, result in [({"app": "t"}, [], "ok"), ({"app": "u"}, [], "fail"),
                                  ({"app": "u"}, ["--encryption-context", "app=u"], "ok"),
                                  ({"app": "t"}, ["--encryption-context", "app=u"], "fail")]:
        (tmp_path / "policy").write_text(json.dumps(
            {"Version": "2012-10-17", "Statement": [statement(Condition=conditions(**context))]}))
        with FakeEnclaved() as fake:
            checks = doctor(env, "--to", fake.address, "--policy", tmp_path / "policy",
                            "--measurements", tmp_path / "pcrs", *more)
        assert find(checks, "policy")["result"] == result, (context, more)


# --- credentials ---

IDENTITY = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <GetCallerIdentityResult><Arn>arn:aws:sts::111122223333:assumed-role/enclave/i-0</Arn>
  <UserId>AROA:i-0</UserId><Account>111122223333</Account></GetCallerIdentityResult>
  <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"""
REFUSAL = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
  <Code>InvalidClientTokenId</Code><Message>The security token included in the request is
  invalid.</Message></Error><RequestId>1</RequestId></ErrorResponse>"""
LONG_TERM = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "s3cr3t"}
SESSION = {"AWS_ACCESS_KEY_ID": "ASIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "s3cr3t",
           "AWS_SESSION_TOKEN": "t0ken"}


class Sts:
    def __init__(self, status, text):
        outer = self
        self.requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                outer.requests.append(self.rfile.read(int(self.headers["content-length"])).decode())
                self.send_response(status)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.env = {"AWS_ENDPOINT_URL_STS": f"http://127.0.0.1:{self.server.server_address[1]}"}
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def causes(checks, name):
    return [(c["result"], c["cause"]) for c in checks if c["check"] == name]


def test_aws_credentials_and_whose_they_are(env):
    soon = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    with Sts(200, IDENTITY) as sts:
        checks = doctor({**env, **SESSION, **sts.env, "AWS_CREDENTIAL_EXPIRATION": soon})
        assert sts.requests == ["Action=GetCallerIdentity&Version=2011-06-15"]
    assert causes(checks, "aws") == [
        ("ok", "credentials from the environment: access key ASIAIOSFODNN7EXAMPLE, good until " + soon),
        ("ok", "they are of arn:aws:sts::111122223333:assumed-role/enclave/i-0")]
    assert "s3cr3t" not in json.dumps(checks) and "t0ken" not in json.dumps(checks)


def test_aws_credentials_that_aws_does_not_know(env):
    with Sts(403, REFUSAL) as sts:
        found = causes(doctor({**env, **LONG_TERM, **sts.env}), "aws")
    assert [result for result, _ in found] == ["ok", "fail"]
    assert "InvalidClientTokenId" in found[1][1]


@pytest.mark.parametrize("variables, result, told", [
    (LONG_TERM, None, None), (SESSION, None, None),
    ({**SESSION, "AWS_SESSION_TOKEN": ""}, "fail", "its session token is missing"),
    ({**LONG_TERM, "AWS_SESSION_TOKEN": "x"}, "fail", "has no session token, and there is one"),
    ({**LONG_TERM, "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLe"}, "warn", "not AKIA or ASIA"),
    ({**LONG_TERM, "AWS_ACCESS_KEY_ID": "enclave"}, "warn", "not AKIA or ASIA"),
])
def test_aws_credentials_where_sts_cannot_be_reached(env, nobody, variables, result, told):
    found = causes(doctor({**env, **variables, "AWS_ENDPOINT_URL_STS": f"http://{nobody}"}), "aws")
    assert found[0][0] == "ok" and found[1][0] == "warn"
    assert found[1][1].startswith("whose they are is not known: ")
    assert len(found) == (2 if result is None else 3)
    assert result is None or (found[2][0] == result and told in found[2][1])


@pytest.mark.parametrize("variables, result, told", [
    ({}, "warn", "no AWS credentials in the environment"),
    ({"AWS_ACCESS_KEY_ID": "x"}, "fail", "AWS_SECRET_ACCESS_KEY is not"),
    ({**SESSION, "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z"}, "fail", "expired at 2020"),
])
def test_aws_credentials_that_there_are_not(env, variables, result, told):
    found = causes(doctor({**env, **variables}), "aws")
    assert len(found) == 1 and found[0][0] == result and told in found[0][1]


def test_aws_credentials_of_a_profile(env, tmp_path, nobody):
    folder = tmp_path / ".aws"
    folder.mkdir()
    (folder / "credentials").write_text("[p]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n"
                                        "aws_secret_access_key = s\n")
    env = {**env, **SESSION, "AWS_ENDPOINT_URL_STS": f"http://{nobody}"}
    found = causes(doctor(env, "--profile", "p"), "aws")
    assert "profile p" in found[0][1] and "AKIAIOSFODNN7EXAMPLE" in found[0][1]


# --- the relay that runs ---

def status(**more):
    route = {"listen": "vsock:any:8000", "to": f"{HOST}:443", "allowed": True, "open": 1, "complete": 5,
             **more.pop("route", {})}
    return {"status": "success", "state": "ready", "routes": [route], "last_failure": None, **more}


class StatusSocket(Server):
    """As a relay's --status: whoever connects gets a line."""

    def __init__(self, path, answer):
        path.parent.mkdir(parents=True, exist_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        self.line = json.dumps(answer).encode() + b"\n"
        super().__init__(listener, self.tell)

    def tell(self, peer):
        with peer:
            peer.sendall(self.line)


@pytest.mark.parametrize("answer, results, told", [
    (status(), ["ok"], f"vsock:any:8000 -> {HOST}:443: 1 connections open, 5 complete"),
    (status(route={"allowed": False}), ["fail"], "does not allow this destination"),
    (status(route={"to": "kms-fips.us-east-1.amazonaws.com:443"}), ["ok"], "kms-fips"),
    (status(route={"to": "kms.eu-west-1.amazonaws.com:443"}), ["ok", "fail"],
     "no route leads to KMS in the region"),
    (status(route={"to": "kms.eu-west-1.api.aws:443"}), ["ok", "fail"], "in the region"),
    (status(route={"to": "s3.us-east-1.amazonaws.com:443"}), ["ok", "fail"], "no route leads to KMS"),
    (status(route={"to": "kms.us-east-1.api.aws:443"}), ["ok"], "api.aws"),
    (status(route={"to": "vpce-0a1b.kms.us-east-1.vpce.amazonaws.com:443"}), ["ok"], "vpce-0a1b"),
    # where these lead is not in their names
    (status(route={"to": "10.0.0.7:443"}), ["ok"], "10.0.0.7"),
    (status(route={"to": "keys.example:443"}), ["ok"], "keys.example"),
    (status(state="stopping"), ["ok", "warn"], "stopping"),
    (status(last_failure={"time": "2026-11-22T13:16:23Z", "cause": "name: no such host"}),
     ["ok", "warn"], "at 2026-11-22T13:16:23Z: name: no such host"),
    ({"status": "success"}, ["fail"], "not the status of a relay"),
])
def test_the_relay_that_runs(env, tmp_path, answer, results, told):
    with StatusSocket(tmp_path / "run/enclaved-relay/status", answer), FakeEnclaved() as fake:
        checks = doctor(env, "--sysroot", tmp_path, "--to", fake.address)
        again = doctor(env, "--relay-status", f"unix:{tmp_path}/run/enclaved-relay/status", "--to",
                       fake.address)
    found = causes(checks, "relay status")
    assert [result for result, _ in found] == results and told in found[-1][1]
    assert causes(again, "relay status") == found


@pytest.mark.parametrize("answer", [{"status": "success"}, {"routes": {}}, []])
def test_the_status_of_something_else(env, tmp_path, answer):
    with StatusSocket(tmp_path / "status", answer):
        check = find(doctor(env, "--relay-status", f"unix:{tmp_path}/status"), "relay status")
    assert check["result"] == "fail" and "not the status of a relay" in check["cause"]
    assert check["remedy"] == "name the --status address of enclavectl relay with --relay-status"


def test_a_relay_that_does_not_run(env, tmp_path, nobody):
    assert causes(doctor(env, "--sysroot", tmp_path), "relay status") == []
    assert causes(doctor(env, "--relay-status", f"tcp:{nobody}"), "relay status")[0][0] == "fail"
    found = causes(doctor(env, "--sysroot", tree(tmp_path / "p", {"dev/nitro_enclaves": ""})),
                   "relay status")
    assert [result for result, _ in found] == ["warn"]
    assert "no relay reports at unix:/run/enclaved-relay/status" in found[0][1]


def test_the_relay_of_vsock_is_tried_beyond_it(env, tmp_path):
    """A parent cannot dial itself: the listener is known by the status, TLS is tried with KMS."""
    certificate(tmp_path, HOST)
    server = TlsServer(tmp_path, http_date(0))
    answer = status(route={"to": server.address.removeprefix("tcp:")})
    arguments = ["--sysroot", tmp_path, "--endpoint", HOST, "--roots", tmp_path / "cert.pem"]
    with StatusSocket(tmp_path / "run/enclaved-relay/status", answer):
        checks = doctor(env, *arguments, "--relay", "vsock:3:8000")
        other = doctor(env, *arguments, "--relay", "vsock:3:8001", "--timeout", "1")
    server.close()
    assert causes(checks, "relay") == [
        ("ok", "it listens at vsock:any:8000, as its status says; only the enclave can connect to that")]
    assert find(checks, "tls")["result"] == find(checks, "kms clock")["result"] == "ok"
    assert causes(other, "relay")[0][0] == "fail"


@pytest.mark.parametrize("bundle", [
    "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "etc/pki/tls/certs/ca-bundle.crt",
    "etc/ssl/certs/ca-certificates.crt", "etc/ssl/ca-bundle.pem"])
def test_roots_of_this_system(env, tmp_path, bundle):
    certificate(tmp_path, HOST)
    server = TlsServer(tmp_path, http_date(0))
    root = tree(tmp_path / "root", {bundle: (tmp_path / "cert.pem").read_text()})
    check = find(doctor(env, "--sysroot", root, "--relay", server.address, "--endpoint", HOST), "tls")
    assert check["result"] == "ok" and check["cause"].endswith(f"trusted under {root}/{bundle}")
    server.close()


def test_no_roots_on_this_system(env, tmp_path):
    certificate(tmp_path, HOST)
    server = TlsServer(tmp_path, http_date(0))
    check = find(doctor(env, "--sysroot", tmp_path, "--relay", server.address, "--endpoint", HOST), "tls")
    assert check["result"] == "fail" and "no CA bundle in /etc/pki or /etc/ssl" in check["cause"]
    server.close()
