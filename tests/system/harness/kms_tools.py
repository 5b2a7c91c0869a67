# SPDX-License-Identifier: Apache-2.0
"""What tests of the simulated KMS share: a SigV4 signer, attestation documents made with Python's own
cryptography, and the simulator as a process. Nothing here uses code of the project."""
import base64
import datetime
import hashlib
import hmac
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import urllib.parse
import xml.etree.ElementTree

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
SIM = os.path.join(BUILD, "enclave-sim")
REGION = "eu-central-1"
ACCOUNT = "111122223333"
ADMIN = {
    "access_key_id": "AKIDADMIN",
    "secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "principal": f"arn:aws:iam::{ACCOUNT}:user/admin",
}
ENCLAVE = {
    "access_key_id": "ASIAENCLAVE",
    "secret_access_key": "another/secret+key",
    "session_token": "token//with+signs==",
    "expiration": "2999-01-01T00:00:00Z",
    "principal": f"arn:aws:sts::{ACCOUNT}:assumed-role/enclave/i-0123456789",
}


def b64(data):
    return base64.b64encode(data).decode()


def utc_now():
    return datetime.datetime.now(datetime.UTC)


def hmac256(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class Signer:
    """Signature Version 4; every field can be made wrong."""

    def __init__(self, credential, region=REGION, service="kms"):
        self.key_id = credential["access_key_id"]
        self.secret = credential["secret_access_key"]
        self.token = credential.get("session_token")
        self.region = region
        self.service = service

    def sign(self, method, path, headers, payload, when=None, leave_out=(), scope_date=None,
             terminator="aws4_request"):
        """headers: list of (name, value), in the order sent; returns it with what signing adds."""
        headers = list(headers)
        amz_date = (when or utc_now()).strftime("%Y%m%dT%H%M%SZ")
        if not any(n.lower() == "date" for n, _ in headers):
            headers.append(("X-Amz-Date", amz_date))
        if self.token is not None:
            headers.append(("X-Amz-Security-Token", self.token))
        signed = {}
        for name, value in headers:
            if name.lower() not in leave_out:
                signed.setdefault(name.lower(), []).append(" ".join(value.split()))
        names = ";".join(sorted(signed))
        target, _, query = path.partition("?")
        pairs = sorted(part if "=" in part else part + "=" for part in query.split("&") if part)
        canonical = "\n".join([method, urllib.parse.quote(target), "&".join(pairs)]
                              + [f"{n}:{','.join(signed[n])}" for n in sorted(signed)]
                              + ["", names, hashlib.sha256(payload).hexdigest()])
        scope = f"{scope_date or amz_date[:8]}/{self.region}/{self.service}/{terminator}"
        text = "\n".join(["AWS4-HMAC-SHA256", amz_date, scope,
                          hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + self.secret).encode()
        for part in (scope.split("/")):
            key = hmac256(key, part)
        signature = hmac256(key, text).hex()
        headers.append(("Authorization", f"AWS4-HMAC-SHA256 Credential={self.key_id}/{scope}, "
                                         f"SignedHeaders={names}, Signature={signature}"))
        return headers


class Reply:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body
        self.json = json.loads(body) if body else {}

    @property
    def type(self):
        return self.json.get("__type")

    @property
    def message(self):
        return self.json.get("message", self.json.get("Message", ""))


class Client:
    def __init__(self, kms, credential, **signer):
        self.kms = kms
        self.signer = Signer(credential, **signer)

    def connect(self, timeout=30):
        context = ssl.create_default_context(cafile=self.kms.ca)
        return http.client.HTTPSConnection("localhost", self.kms.port, context=context,
                                           timeout=timeout)

    def headers(self, operation):
        return [("Host", f"localhost:{self.kms.port}"),
                ("Content-Type", "application/x-amz-json-1.1"),
                ("X-Amz-Target", f"TrentService.{operation}")]

    def send(self, headers, payload, method="POST", path="/", timeout=30, parse=Reply):
        connection = self.connect(timeout)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            if not any(n.lower() == "content-length" for n, _ in headers):
                connection.putheader("Content-Length", str(len(payload)))
            connection.endheaders(payload)
            response = connection.getresponse()
            return parse(response.status, response.headers, response.read())
        finally:
            connection.close()

    def call(self, operation, members=None, timeout=30, **signing):
        payload = members if isinstance(members, bytes) else json.dumps(members or {}).encode()
        headers = self.signer.sign("POST", "/", self.headers(operation), payload, **signing)
        return self.send(headers, payload, timeout=timeout)

    def ok(self, operation, **members):
        reply = self.call(operation, members)
        assert reply.status == 200, reply.body
        return reply.json

    def error(self, operation, **members):
        reply = self.call(operation, members)
        assert reply.status in (400, 500, 503), (reply.status, reply.body)
        return reply


class Sts:
    """A client of STS: the Query protocol. credential None: the request is not signed."""

    def __init__(self, kms, credential=None, **signer):
        self.client = Client(kms, credential or ADMIN, **{"service": "sts", **signer})
        self.signed = credential is not None

    def send(self, payload, **signing):
        headers = [("Host", f"localhost:{self.client.kms.port}"),
                   ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")]
        if self.signed:
            headers = self.client.signer.sign("POST", "/", headers, payload, **signing)
        return self.client.send(headers, payload, parse=XmlReply)

    def call(self, action, **members):
        form = {"Action": action, "Version": "2011-06-15", **members}
        return self.send(urllib.parse.urlencode(form).encode())


class XmlReply:
    """The names of elements are without the namespace; every one with text is in texts."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body
        root = xml.etree.ElementTree.fromstring(body)
        self.root = root.tag
        self.texts = {e.tag.split("}")[1]: e.text for e in root.iter() if e.text}

    @property
    def code(self):
        return self.texts.get("Code")

    @property
    def message(self):
        return self.texts.get("Message", "")

    def credential(self, principal=None):
        return {"access_key_id": self.texts["AccessKeyId"],
                "secret_access_key": self.texts["SecretAccessKey"],
                "session_token": self.texts["SessionToken"],
                "expiration": self.texts["Expiration"], "principal": principal}


class IdentityProvider:
    """Signs web identity tokens (RFC 7519) with a key of its own."""

    ISSUER, AUDIENCE, SUBJECT = "https://oidc.example/id", "sts.amazonaws.com", "system:sa:ns:enclave"

    def __init__(self, algorithm="RS256"):
        self.algorithm = algorithm
        self.key = new_rsa() if algorithm == "RS256" else ec.generate_private_key(
            {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1}[algorithm]())

    def entry(self):
        return {"issuer": self.ISSUER, "audience": self.AUDIENCE, "subject": self.SUBJECT,
                "public_key": b64(spki_of(self.key))}

    @staticmethod
    def part(data):
        data = data if isinstance(data, bytes) else json.dumps(data).encode()
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    def sign(self, message):
        if self.algorithm == "RS256":
            return self.key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        width, digest = {"ES256": (32, hashes.SHA256()), "ES384": (48, hashes.SHA384())}[self.algorithm]
        r, s = decode_dss_signature(self.key.sign(message, ec.ECDSA(digest)))
        return r.to_bytes(width, "big") + s.to_bytes(width, "big")

    def token(self, header=None, **claims):
        now = int(utc_now().timestamp())
        claims = {"iss": self.ISSUER, "aud": [self.AUDIENCE], "sub": self.SUBJECT, "iat": now,
                  "exp": now + 600, **claims}
        message = self.part(header or {"alg": self.algorithm, "kid": "1"}) + b"." + self.part(claims)
        return (message + b"." + self.part(self.sign(message))).decode()


class Kms:
    """One `enclave-sim kms`. Restarting it keeps its database."""

    def __init__(self, folder, root_pem, *options, credentials=(ADMIN, ENCLAVE), roles=None):
        self.folder = str(folder)
        self.ca = os.path.join(self.folder, "ca.pem")
        self.database = os.path.join(self.folder, "kms.db")
        self.credentials = os.path.join(self.folder, "credentials.json")
        self.faults = os.path.join(self.folder, "faults")
        self.log_path = os.path.join(self.folder, "kms.log")
        self.root = os.path.join(self.folder, "root.pem")
        self.roles = os.path.join(self.folder, "roles.json")
        self.options = options
        if roles is not None:
            self.write_roles(roles)
            self.options = (*options, "--roles", self.roles)
        with open(self.root, "wb") as file:
            file.write(root_pem)
        if credentials is not None:
            self.write_credentials(list(credentials))
        self.start()

    def write_credentials(self, credentials):
        replacement = self.credentials + ".new"
        with open(os.open(replacement, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(credentials, file)
        os.replace(replacement, self.credentials)

    def write_roles(self, roles):
        replacement = self.roles + ".new"
        with open(replacement, "w") as file:
            json.dump(roles, file)
        os.replace(replacement, self.roles)

    def write_faults(self, *lines):
        replacement = self.faults + ".new"
        with open(replacement, "w") as file:
            file.write("# for a test\n" + "".join(line + "\n" for line in lines))
        os.replace(replacement, self.faults)

    def command(self):
        return [SIM, "kms", "--listen", "tcp:127.0.0.1:0", "--db", self.database, "--nsm-root",
                self.root, "--write-roots", self.ca, "--credentials", self.credentials, "--region", REGION,
                "--account", ACCOUNT, "--fault-file", self.faults, *self.options]

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=log)
        ready = self.process.stdout.readline().decode()
        assert ready.startswith("ready tcp:127.0.0.1:"), ready + self.log()
        self.port = int(ready.rsplit(":", 1)[1])

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(60)
        self.process.stdout.close()
        return code

    def restart(self):
        assert self.stop() == 0
        self.start()

    def log(self):
        with open(self.log_path) as file:
            return file.read()

    def admin(self):
        return Client(self, ADMIN)

    def enclave(self):
        return Client(self, ENCLAVE)


def spki_of(key):
    return key.public_key().public_bytes(serialization.Encoding.DER,
                                         serialization.PublicFormat.SubjectPublicKeyInfo)


class Module:
    """Makes attestation documents as an NSM does: root, one issuer, leaf; ES384."""

    def __init__(self):
        self.keys = [ec.generate_private_key(ec.SECP384R1()) for _ in range(3)]
        names = ["aws.nitro-enclaves", "zonal", "i-0123-enc0123"]
        self.certificates = []
        now = utc_now().replace(tzinfo=None)
        for i, (name, key) in enumerate(zip(names, self.keys, strict=True)):
            self.certificates.append(self.issue(i, name, key, now - datetime.timedelta(hours=1),
                                                now + datetime.timedelta(days=1)))

    def issue(self, i, name, key, begin, end):
        issuer = max(i - 1, 0)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        parent = self.certificates[issuer].subject if i > 0 else subject
        is_ca = i < 2
        usage = dict.fromkeys(["digital_signature", "content_commitment", "key_encipherment",
                               "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign",
                               "encipher_only", "decipher_only"], False)
        usage["key_cert_sign" if is_ca else "digital_signature"] = True
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(parent)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(begin).not_valid_after(end)
                   .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
                   .add_extension(x509.KeyUsage(**usage), critical=True))
        return builder.sign(self.keys[issuer], hashes.SHA384())

    def root_pem(self):
        return self.certificates[0].public_bytes(serialization.Encoding.PEM)

    def document(self, public_key, pcrs=None, expired=False, tamper=False, tag=False):
        der = [c.public_bytes(serialization.Encoding.DER) for c in self.certificates]
        if expired:
            end = utc_now().replace(tzinfo=None) - datetime.timedelta(minutes=10)
            old = self.issue(2, "i-0123-enc0123", self.keys[2], end - datetime.timedelta(hours=3),
                             end)
            der[2] = old.public_bytes(serialization.Encoding.DER)
        values = {i: bytes(48) for i in range(16)}
        values.update(pcrs or {})
        payload = cbor2.dumps({
            "module_id": "i-0123-enc0123", "digest": "SHA384",
            "timestamp": int(utc_now().timestamp() * 1000), "pcrs": values, "certificate": der[2],
            "cabundle": der[:2], "public_key": public_key, "user_data": None, "nonce": None})
        protected = cbor2.dumps({1: -35})
        signed = cbor2.dumps(["Signature1", protected, b"", payload])
        r, s = decode_dss_signature(self.keys[2].sign(signed, ec.ECDSA(hashes.SHA384())))
        signature = bytearray(r.to_bytes(48, "big") + s.to_bytes(48, "big"))
        if tamper:
            signature[20] ^= 1
        parts = [protected, {}, payload, bytes(signature)]
        return cbor2.dumps(cbor2.CBORTag(18, parts) if tag else parts)

    def recipient(self, public_key, **claims):
        return {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
                "AttestationDocument": b64(self.document(public_key, **claims))}


def new_rsa(bits=2048):
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def open_envelope(folder, envelope, key):
    """What OpenSSL's own command makes of CiphertextForRecipient."""
    paths = [os.path.join(str(folder), name) for name in ("envelope.der", "recipient.pem", "out")]
    with open(paths[0], "wb") as file:
        file.write(envelope)
    with open(os.open(paths[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(key.private_bytes(serialization.Encoding.PEM,
                                     serialization.PrivateFormat.PKCS8,
                                     serialization.NoEncryption()))
    result = subprocess.run(["openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-in",
                             paths[0], "-inkey", paths[1], "-out", paths[2]],
                            stderr=subprocess.PIPE)
    if result.returncode != 0:
        return None
    with open(paths[2], "rb") as file:
        return file.read()


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def administration():
    """The account may administer the key, but not use it."""
    return {"Sid": "Administration", "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": ["kms:Create*", "kms:Describe*", "kms:Get*", "kms:Put*", "kms:Enable*",
                       "kms:Disable*", "kms:Encrypt"],
            "Resource": "*"}


class Nsm:
    """One `enclave-sim nsm`, and its client: a packet a message."""

    def __init__(self, folder, pcrs):
        self.root = os.path.join(str(folder), "nsm-root.pem")
        self.path = os.path.join(str(folder), "nsm.sock")
        registers = [o for i, value in pcrs.items() for o in ("--pcr", f"{i}={value.hex()}")]
        self.process = subprocess.Popen([SIM, "nsm", "--listen", f"unix:{self.path}", "--write-nsm-root",
                                         self.root, *registers], stdout=subprocess.PIPE)
        ready = self.process.stdout.readline().decode()
        assert ready.startswith("ready "), ready

    def root_pem(self):
        with open(self.root, "rb") as file:
            return file.read()

    def document(self, public_key):
        request = {"Attestation": {"user_data": None, "nonce": None, "public_key": public_key}}
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.settimeout(30)
            client.connect(self.path)
            client.send(cbor2.dumps(request))
            return cbor2.loads(client.recv(0x3000))["Attestation"]["document"]

    def stop(self):
        self.process.terminate()
        code = self.process.wait(60)
        self.process.stdout.close()
        return code
