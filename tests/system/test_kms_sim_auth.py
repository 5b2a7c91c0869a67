# SPDX-License-Identifier: Apache-2.0
"""Who may talk to `enclave-sim kms`: Signature Version 4, credentials, their expiry and renewal."""
import datetime
import email.utils
import time

import pytest
from kms_tools import ADMIN, ENCLAVE, Client, Kms, Module, utc_now

BODY = b'{"NumberOfBytes": 8}'
MISMATCH = "The request signature we calculated does not match the signature you provided."


@pytest.fixture(scope="module")
def root_pem():
    return Module().root_pem()


@pytest.fixture(scope="module")
def kms(root_pem, tmp_path_factory):
    server = Kms(tmp_path_factory.mktemp("kms"), root_pem)
    yield server
    assert server.stop() == 0


def ask(client, extra=(), **signing):
    headers = client.headers("GenerateRandom") + list(extra)
    return client.send(client.signer.sign("POST", "/", headers, BODY, **signing), BODY)


def changed(client, name, change):
    """A request whose header was changed after signing."""
    headers = client.signer.sign("POST", "/", client.headers("GenerateRandom"), BODY)
    return client.send([(n, change(v) if n.lower() == name else v) for n, v in headers], BODY)


def test_good_signatures(kms):
    assert ask(kms.admin()).status == 200
    assert ask(kms.enclave()).status == 200
    # what is signed is the client's choice: content-length too, as some do, or no more than must be
    assert ask(kms.admin(), [("Content-Length", str(len(BODY)))]).status == 200
    assert ask(kms.admin(), leave_out=("content-type",)).status == 200
    assert ask(kms.admin(), [("X-Odd", "  a   b  "), ("Amz-Sdk-Request", "attempt=1")]).status == 200


def test_a_header_sent_twice_counts_twice(kms):
    twice = [("X-Twice", "one"), ("X-Twice", "two")]
    assert ask(kms.admin(), twice).status == 200
    client = kms.admin()
    headers = client.signer.sign("POST", "/", client.headers("GenerateRandom") + twice, BODY)
    swapped = [(n, {"one": "two", "two": "one"}.get(v, v)) for n, v in headers]
    assert client.send(swapped, BODY).type == "InvalidSignatureException"
    fewer = [h for h in headers if h != ("X-Twice", "two")]
    assert client.send(fewer, BODY).type == "InvalidSignatureException"


def test_query_is_signed(kms):
    client = kms.admin()
    headers = client.signer.sign("POST", "/?b=2&a=1", client.headers("GenerateRandom"), BODY)
    assert client.send(headers, BODY, path="/?b=2&a=1").status == 200
    assert client.send(headers, BODY, path="/?b=2&a=2").type == "InvalidSignatureException"


def test_date_header_instead(kms):
    client = kms.admin()
    now = utc_now()
    headers = client.headers("GenerateRandom") + [("Date", email.utils.format_datetime(
        now, usegmt=True))]
    assert client.send(client.signer.sign("POST", "/", headers, BODY, when=now),
                       BODY).status == 200
    unsigned = client.signer.sign("POST", "/", headers, BODY, when=now, leave_out=("date",))
    assert client.send(unsigned, BODY).type == "InvalidSignatureException"


@pytest.mark.parametrize("header", ["host", "x-amz-date", "x-amz-target", "x-amz-security-token"])
def test_what_must_be_signed(kms, header):
    reply = ask(kms.enclave(), leave_out=(header,))
    assert (reply.status, reply.type) == (400, "InvalidSignatureException")
    assert header in reply.message


@pytest.mark.parametrize("header", ["host", "x-amz-target", "content-type"])
def test_a_changed_header(kms, header):
    reply = changed(kms.admin(), header, lambda v: v + "x" if header != "x-amz-target"
                    else "TrentService.CreateKey")
    assert reply.type == "InvalidSignatureException"
    assert reply.message.startswith(MISMATCH)


def test_a_changed_body(kms):
    client = kms.admin()
    headers = client.signer.sign("POST", "/", client.headers("GenerateRandom"), BODY)
    assert client.send(headers, BODY.replace(b"8", b"9")).type == "InvalidSignatureException"


def test_wrong_secret(kms):
    client = Client(kms, {**ADMIN, "secret_access_key": "wrong"})
    reply = ask(client)
    assert reply.type == "InvalidSignatureException" and reply.message.startswith(MISMATCH)


@pytest.mark.parametrize("credential", [
    {**ADMIN, "access_key_id": "AKIDNOBODY"},
    {**ADMIN, "session_token": "not asked for"},
    {**ENCLAVE, "session_token": "another"},
    {k: v for k, v in ENCLAVE.items() if k != "session_token"},
])
def test_unknown_client(kms, credential):
    reply = ask(Client(kms, credential))
    assert (reply.status, reply.type) == (400, "UnrecognizedClientException")
    assert reply.message == "The security token included in the request is invalid."


def test_scope(kms):
    for signer, signing, message in (({"region": "us-east-1"}, {}, "valid region"),
                                     ({"service": "s3"}, {}, "correct service: 'kms'"),
                                     ({}, {"terminator": "aws5"}, "terminator"),
                                     ({}, {"scope_date": "20200101"}, "Date in Credential scope")):
        reply = ask(Client(kms, ADMIN, **signer), **signing)
        assert reply.type == "InvalidSignatureException"
        assert message in reply.message


@pytest.mark.parametrize("minutes, message", [
    (-6, "Signature expired: "), (6, "Signature not yet current: "), (-4, None), (4, None)])
def test_skew(kms, minutes, message):
    when = utc_now() + datetime.timedelta(minutes=minutes)
    reply = ask(kms.admin(), when=when)
    if message is None:
        assert reply.status == 200
        return
    assert reply.type == "InvalidSignatureException"
    assert reply.message.startswith(message + when.strftime("%Y%m%dT%H%M%SZ"))


def test_clock_skew_of_the_simulator(root_pem, tmp_path):
    server = Kms(tmp_path, root_pem, "--clock-skew", "3600")
    try:
        reply = ask(server.admin())
        assert reply.message.startswith("Signature expired: ")
        date = email.utils.parsedate_to_datetime(reply.headers["Date"])
        assert 3500 < date.timestamp() - time.time() < 3700
        later = utc_now() + datetime.timedelta(hours=1)
        assert ask(server.admin(), when=later).status == 200
    finally:
        assert server.stop() == 0


@pytest.mark.parametrize("change, kind", [
    (None, "MissingAuthenticationTokenException"),
    (lambda v: v.replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512"), "IncompleteSignatureException"),
    (lambda v: v.split(",")[0], "IncompleteSignatureException"),
    (lambda v: v.replace("Signature=", "Signatur="), "IncompleteSignatureException"),
    (lambda v: v.replace("/aws4_request", ""), "IncompleteSignatureException"),
    (lambda v: v[:-1], "InvalidSignatureException"),
    (lambda v: v + "0", "InvalidSignatureException"),
    (lambda v: v.replace("content-type;host", "host;content-type"), "InvalidSignatureException"),
    (lambda v: v.replace(";host", ";Host"), "InvalidSignatureException"),
    (lambda v: v.replace(";host", ";host;nothing"), "InvalidSignatureException"),
    (lambda v: "Basic dXNlcjpwYXNz", "IncompleteSignatureException"),
    (lambda v: "", "IncompleteSignatureException"),
])
def test_authorization_header(kms, change, kind):
    client = kms.admin()
    headers = client.signer.sign("POST", "/", client.headers("GenerateRandom"), BODY)
    if change is None:
        headers = [h for h in headers if h[0] != "Authorization"]
    else:
        headers = [(n, change(v) if n == "Authorization" else v) for n, v in headers]
    reply = client.send(headers, BODY)
    assert (reply.status, reply.type) == (400, kind)


@pytest.mark.parametrize("name", ["Authorization", "X-Amz-Date", "X-Amz-Target", "Host"])
def test_ambiguous_headers(kms, name):
    client = kms.admin()
    headers = client.signer.sign("POST", "/", client.headers("GenerateRandom"), BODY)
    doubled = headers + [h for h in headers if h[0] == name]
    reply = client.send(doubled, BODY)
    assert reply.status == 400
    assert reply.type in ("InvalidSignatureException", "IncompleteSignatureException",
                          "UnknownOperationException")


def test_no_date(kms):
    client = kms.admin()
    headers = client.signer.sign("POST", "/", client.headers("GenerateRandom"), BODY)
    without = [h for h in headers if h[0] != "X-Amz-Date"]
    assert client.send(without, BODY).type == "IncompleteSignatureException"
    odd = [(n, "yesterday" if n == "X-Amz-Date" else v) for n, v in headers]
    assert client.send(odd, BODY).type == "IncompleteSignatureException"


def test_too_many_headers(kms):
    reply = ask(kms.admin(), [(f"X-N{i}", "v") for i in range(40)])
    assert reply.type == "InvalidSignatureException"
    reply = ask(kms.admin(), [(f"X-N{i}", "v") for i in range(80)])
    assert reply.status == 400
    assert ask(kms.admin()).status == 200


def test_expiry_and_renewal(root_pem, tmp_path):
    expired = {**ENCLAVE, "expiration": "2020-01-01T00:00:00Z"}
    renewed = {**ENCLAVE, "access_key_id": "ASIANEW", "session_token": "new"}
    server = Kms(tmp_path, root_pem, credentials=[expired])
    try:
        reply = ask(Client(server, expired))
        assert reply.type == "ExpiredTokenException"
        assert reply.message == "The security token included in the request is expired"
        server.write_credentials([renewed])
        assert ask(Client(server, renewed)).status == 200
        assert ask(Client(server, expired)).type == "UnrecognizedClientException"
        # a file that cannot be used changes nothing
        with open(server.credentials, "w") as file:
            file.write("[{}, ")
        assert ask(Client(server, renewed)).status == 200
        assert "credentials not changed" in server.log()
        # without the file, those of the last start are known
        server.stop()
        server.command = lambda: [a for a in Kms.command(server)
                                  if a not in ("--credentials", server.credentials)]
        server.start()
        assert ask(Client(server, renewed)).status == 200
    finally:
        assert server.stop() == 0
