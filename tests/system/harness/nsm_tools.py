# SPDX-License-Identifier: Apache-2.0
"""The simulated NSM as a process, and attestation documents judged without any of our own code."""

import contextlib
import datetime
import os
import pathlib
import signal
import socket
import subprocess

import cbor2
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = ROOT / os.environ.get("BUILD", "build")
SIM = BUILD / "enclave-sim"


class Module:
    """A connection to the simulated module: a packet a message."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(60)
        self.socket.connect(str(path))

    def raw(self, request):
        self.socket.send(request)
        return self.socket.recv(65536)

    def ask(self, request):
        return cbor2.loads(self.raw(cbor2.dumps(request)))

    def document(self, **claims):
        wanted = {"user_data": None, "nonce": None, "public_key": None, **claims}
        return self.ask({"Attestation": wanted})["Attestation"]["document"]

    def register(self, index):
        return self.ask({"DescribePCR": {"index": index}})["DescribePCR"]

    def close(self):
        self.socket.close()


class Sim:
    """enclave-sim nsm, running."""

    def __init__(self, folder, *options):
        self.path = folder / "nsm.sock"
        self.root_path = folder / "root.pem"
        self.process = subprocess.Popen(
            [SIM, "nsm", "--listen", f"unix:{self.path}", "--write-nsm-root", self.root_path, *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.ready = self.process.stdout.readline().strip()
        if not self.ready:
            raise RuntimeError(self.process.communicate()[1])
        self.root = x509.load_pem_x509_certificate(self.root_path.read_bytes())

    def connect(self):
        return Module(self.path)

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        _, self.log = self.process.communicate(timeout=60)
        return self.process.returncode


@contextlib.contextmanager
def running(folder, *options):
    """The simulator and one connection to it."""
    sim = Sim(folder, *options)
    module = sim.connect()
    try:
        yield sim, module
    finally:
        module.close()
        sim.stop()


def _check_certificate(cert, issuer, at, depth_left):
    """cert under issuer, which may have at most depth_left authorities below it."""
    issuer.public_key().verify(cert.signature, cert.tbs_certificate_bytes, ec.ECDSA(hashes.SHA384()))
    assert cert.issuer == issuer.subject
    assert cert.not_valid_before <= at <= cert.not_valid_after
    assert isinstance(cert.public_key().curve, ec.SECP384R1)
    constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical and constraints.value.ca
    assert constraints.value.path_length is None or constraints.value.path_length >= depth_left
    assert issuer.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


def verify(document, root):
    """The payload of a document that verifies under root; raises where it does not."""
    parts = cbor2.loads(document)
    assert isinstance(parts, list) and len(parts) == 4
    protected, unprotected, payload, signature = parts
    assert cbor2.loads(protected) == {1: -35} and unprotected == {}
    claims = cbor2.loads(payload)
    at = datetime.datetime.utcfromtimestamp(claims["timestamp"] / 1000)
    chain = [x509.load_der_x509_certificate(der) for der in claims["cabundle"]]
    chain.append(x509.load_der_x509_certificate(claims["certificate"]))
    assert chain[0] == root
    _check_certificate(chain[0], chain[0], at, 0)
    for i in range(1, len(chain)):
        _check_certificate(chain[i], chain[i - 1], at, len(chain) - 1 - i)
    leaf = chain[-1]
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert leaf.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    assert len(signature) == 96
    der = encode_dss_signature(int.from_bytes(signature[:48], "big"),
                               int.from_bytes(signature[48:], "big"))
    signed = cbor2.dumps(["Signature1", protected, b"", payload])
    leaf.public_key().verify(der, signed, ec.ECDSA(hashes.SHA384()))
    return claims


def verifies(document, root):
    try:
        verify(document, root)
        return True
    except (InvalidSignature, AssertionError, ValueError, KeyError, TypeError, EOFError,
            AttributeError, x509.ExtensionNotFound, UnsupportedAlgorithm):
        return False
