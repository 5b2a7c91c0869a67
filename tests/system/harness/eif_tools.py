# SPDX-License-Identifier: Apache-2.0
"""Enclave images as the format describes them, with Python's own means: struct, zlib, hashlib, cbor2
and cryptography. Nothing here uses code of the project."""
import datetime
import hashlib
import json
import struct
import zlib

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

CMDLINE = b"reboot=k panic=30 pci=off nomodules console=ttyS0 random.trust_cpu=on"


def register(*parts):
    """A register that was extended once, by the hash of these parts."""
    return hashlib.sha384(bytes(48) + hashlib.sha384(b"".join(parts)).digest()).digest()


def text_register(text):
    """PCR3 of a role's ARN, PCR4 of an instance's id."""
    return hashlib.sha384(bytes(48) + text.encode()).digest()


class Signer:
    def __init__(self, name="signer"):
        self.key = ec.generate_private_key(ec.SECP384R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        self.certificate = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
            .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .sign(self.key, hashes.SHA384()))

    def section(self, pcr0):
        payload = cbor2.dumps({"register_index": 0, "register_value": list(pcr0)})
        protected = cbor2.dumps({1: -35})
        signed = cbor2.dumps(["Signature1", protected, b"", payload])
        r, s = decode_dss_signature(self.key.sign(signed, ec.ECDSA(hashes.SHA384())))
        cose = cbor2.dumps([protected, {}, payload, r.to_bytes(48, "big") + s.to_bytes(48, "big")])
        pem = self.certificate.public_bytes(serialization.Encoding.PEM)
        return cbor2.dumps([{"signing_certificate": list(pem), "signature": list(cose)}])

    def register(self):
        return register(self.certificate.public_bytes(serialization.Encoding.DER))


def write_eif(path, kernel=b"kernel", cmdline=CMDLINE, ramdisks=(b"first", b"second"), signer=None):
    """Writes an image of version 4; returns its registers, {0: …, 1: …, 2: …, 8: …}."""
    pcrs = {0: register(kernel, cmdline, *ramdisks), 1: register(kernel, cmdline, ramdisks[0]),
            2: register(*ramdisks[1:]), 8: signer.register() if signer else bytes(48)}
    metadata = json.dumps({
        "ImageName": "test", "ImageVersion": "1", "BuildMetadata": {
            "BuildTime": "2026-01-01T00:00:00Z", "BuildTool": "test", "BuildToolVersion": "1",
            "OperatingSystem": "none", "KernelVersion": "6.1"}, "DockerInfo": {},
        "CustomMetadata": {}}).encode()
    sections = [(1, kernel), (2, cmdline), (5, metadata), *((3, r) for r in ramdisks)]
    if signer:
        sections.append((4, signer.section(pcrs[0])))
    offsets, sizes, body, at = [], [], b"", 548
    for kind, data in sections:
        offsets.append(at)
        sizes.append(len(data))
        body += struct.pack(">HHQ", kind, 0, len(data)) + data
        at += 12 + len(data)
    pad = [0] * (32 - len(sections))
    head = (b".eif" + struct.pack(">HHQQHH", 4, 0, 64 << 20, 1, 0, len(sections))
            + struct.pack(">32Q", *offsets, *pad) + struct.pack(">32Q", *sizes, *pad) + bytes(4))
    crc = zlib.crc32(body, zlib.crc32(head))
    with open(path, "wb") as file:
        file.write(head + struct.pack(">I", crc) + body)
    return pcrs


def measurements(pcrs, signed=False):
    """As nitro-cli build-enclave prints them."""
    values = {"HashAlgorithm": "Sha384 { ... }"}
    values.update({f"PCR{i}": pcrs[i].hex() for i in (0, 1, 2)})
    if signed:
        values["PCR8"] = pcrs[8].hex()
    return json.dumps({"Measurements": values})
