# SPDX-License-Identifier: Apache-2.0
"""What tests of enclave images share: files to build from, and readers of EIF, cpio and signatures
that use no code of the project: struct, hashlib, zlib, cbor2, cryptography."""
import datetime
import gzip
import hashlib
import json
import random
import struct
import subprocess
import zlib

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from host_tools import CTL, KEY

KERNEL, CMDLINE, RAMDISK, SIGNATURE, METADATA = 1, 2, 3, 4, 5
HEADER = struct.Struct(">4sHHQQHH32Q32QII")
SECTION = struct.Struct(">HHQ")
X86_CMDLINE = ("reboot=k panic=30 pci=off nomodules console=ttyS0 i8042.noaux i8042.nomux "
               "i8042.nopnp i8042.dumbkbd random.trust_cpu=on")
ARM_CMDLINE = "reboot=k panic=30 pci=off nomodules console=ttyS0 random.trust_cpu=on root=/dev/ram0"


def noise(size):
    """Bytes without a pattern, the same in each run."""
    return bytearray(random.Random(size).randbytes(64) * (size // 64 + 1))[:size]


def bz_image(version=b"6.1.2-test (someone@somewhere) #1", size=20000):
    """Enough of a bzImage to be taken for one: boot flag, magic, version."""
    data = noise(size)
    data[0x1fe:0x200] = b"\x55\xaa"
    data[0x202:0x206] = b"HdrS"
    data[0x20e:0x210] = struct.pack("<H", 0x3000)
    data[0x3200:0x3200 + len(version) + 1] = version + b"\0"
    return bytes(data)


def arm_image(size=20000):
    data = noise(size)
    data[0x38:0x3c] = b"ARM\x64"
    return bytes(data)


def elf(kind, machine=62, interpreter=False, size=5000):
    """An ELF header (kind 1: object, 2: program), perhaps a PT_INTERP, and bytes after it."""
    head = struct.pack("<4sBBBB8xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, kind, machine, 1, 0x400000,
                       64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 3 if interpreter else 1, 5, 0, 0, 0, 0, 0, 0)
    return (head + segment + bytes(i * i % 251 for i in range(size)))


def config(**kms):
    return json.dumps({"kms": {"key_arn": KEY, "roots_file": "/etc/enclaved/roots.pem", **kms}})


class Certificate:
    """A key and its self-signed certificate, in files."""

    def __init__(self, folder, name="signer", curve=None, days=(-1, 30)):
        self.key = ec.generate_private_key(curve or ec.SECP384R1())
        self.key_path, self.path = folder / f"{name}-key.pem", folder / f"{name}.pem"
        names = x509.Name([x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "DE"),
                           x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.datetime.utcnow()
        self.certificate = (
            x509.CertificateBuilder().subject_name(names).issuer_name(names)
            .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=days[0]))
            .not_valid_after(now + datetime.timedelta(days=days[1]))
            .sign(self.key, hashes.SHA384()))
        self.key_path.write_bytes(self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()))
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        self.der = self.certificate.public_bytes(serialization.Encoding.DER)


class Files:
    """What an image is built from; each may be replaced before build()."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.kernel = self.write("bzImage", bz_image())
        self.enclaved = self.write("enclaved", elf(2))
        self.config = self.write("enclaved.json", config().encode())
        self.certificate = Certificate(folder, "roots")
        self.roots = self.certificate.path
        self.output = folder / "image.eif"

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return path

    def arguments(self, *more):
        return ["image", "build", "--kernel", self.kernel, "--enclaved", self.enclaved, "--config",
                self.config, "--roots", self.roots, "--output", self.output, *more]

    def build(self, *more, code=0, **options):
        done = image(*self.arguments(*more), **options)
        assert done.returncode == code, done.stderr
        return done


def image(*arguments, timeout=120, **options):
    return subprocess.run([CTL, *map(str, arguments)], stdin=subprocess.DEVNULL, timeout=timeout,
                          capture_output=True, **options)


def register(data):
    return hashlib.sha384(bytes(48) + hashlib.sha384(data).digest()).hexdigest()


class Eif:
    """An image, read by position and by the header's offsets, which must be the same."""

    def __init__(self, path):
        self.raw = path.read_bytes()
        fields = HEADER.unpack(self.raw[:HEADER.size])
        (self.magic, self.version, self.flags, self.memory, self.cpus, self.reserved,
         self.count) = fields[:7]
        self.offsets, self.sizes = list(fields[7:39]), list(fields[39:71])
        self.unused, self.crc = fields[71:]
        assert HEADER.size == 548 and self.magic == b".eif" and self.version == 4
        assert self.reserved == 0 and self.unused == 0
        self.sections, at = [], HEADER.size
        while at < len(self.raw):
            kind, flags, size = SECTION.unpack(self.raw[at:at + 12])
            assert self.offsets[len(self.sections)] == at and flags == 0
            assert self.sizes[len(self.sections)] == size
            self.sections.append((kind, self.raw[at + 12:at + 12 + size]))
            at += 12 + size
        assert at == len(self.raw) and self.count == len(self.sections)
        assert self.offsets[self.count:] == self.sizes[self.count:] == [0] * (32 - self.count)
        assert self.crc == zlib.crc32(self.raw[:544] + self.raw[548:])

    def of(self, kind):
        return [data for k, data in self.sections if k == kind]

    def one(self, kind):
        data, = self.of(kind)
        return data

    def registers(self):
        base, ramdisks = self.one(KERNEL) + self.one(CMDLINE), self.of(RAMDISK)
        found = {"PCR0": register(base + b"".join(ramdisks)), "PCR1": register(base + ramdisks[0]),
                 "PCR2": register(b"".join(ramdisks[1:]))}
        if self.of(SIGNATURE):
            found["PCR8"] = register(self.signer().public_bytes(serialization.Encoding.DER))
        return found

    def signer(self):
        entry, = cbor2.loads(self.one(SIGNATURE))
        return x509.load_pem_x509_certificate(bytes(entry["signing_certificate"]))

    def check_signature(self):
        """Raises unless the signature is the certificate's and over this PCR0."""
        entry, = cbor2.loads(self.one(SIGNATURE))
        assert sorted(entry) == ["signature", "signing_certificate"]
        protected, unprotected, payload, signature = cbor2.loads(bytes(entry["signature"]))
        algorithm = cbor2.loads(protected)
        assert unprotected == {} and list(algorithm) == [1]
        digest, curve, width = {-7: (hashes.SHA256(), "secp256r1", 32),
                                -35: (hashes.SHA384(), "secp384r1", 48),
                                -36: (hashes.SHA512(), "secp521r1", 66)}[algorithm[1]]
        assert cbor2.loads(payload) == {
            "register_index": 0, "register_value": list(bytes.fromhex(self.registers()["PCR0"]))}
        key = self.signer().public_key()
        assert key.curve.name == curve and len(signature) == 2 * width
        halves = (int.from_bytes(signature[:width], "big"),
                  int.from_bytes(signature[width:], "big"))
        key.verify(encode_dss_signature(*halves),
                   cbor2.dumps(["Signature1", protected, b"", payload]), ec.ECDSA(digest))
        return algorithm[1]


def make_eif(sections, flags=0, **changes):
    """An image of these (type, data), or one that lies: changes are of the header's fields."""
    offsets, sizes, body = [0] * 32, [0] * 32, b""
    for i, (kind, data) in enumerate(sections):
        offsets[i], sizes[i] = HEADER.size + len(body), len(data)
        body += SECTION.pack(kind, 0, len(data)) + data
    fields = {"version": 4, "flags": flags, "memory": 1 << 30, "cpus": 2, "reserved": 0,
              "count": len(sections), "offsets": offsets, "sizes": sizes, "unused": 0, **changes}
    return seal(fields, body)


def seal(fields, body):
    head = HEADER.pack(b".eif", fields["version"], fields["flags"], fields["memory"],
                       fields["cpus"], fields["reserved"], fields["count"], *fields["offsets"],
                       *fields["sizes"], fields["unused"], 0)[:544]
    return head + struct.pack(">I", zlib.crc32(head + body)) + body


def metadata(**changes):
    text = {"ImageName": "n", "ImageVersion": "1",
            "BuildMetadata": {"BuildTime": "t", "BuildTool": "t", "BuildToolVersion": "1",
                              "OperatingSystem": "Linux", "KernelVersion": "5"},
            "DockerInfo": {}, "CustomMetadata": {}}
    text.update(changes)
    return json.dumps({k: v for k, v in text.items() if v is not None}).encode()


class Entry:
    def __init__(self, fields, name, data):
        (self.inode, self.mode, self.uid, self.gid, self.links, self.mtime, self.size, _, _,
         major, minor, _, _) = fields
        self.device, self.name, self.data = (major, minor), name, data


def read_cpio(archive):
    """newc (cpio(5)); {name: Entry} in the order of the archive."""
    entries, at = {}, 0
    while True:
        assert archive[at:at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        name = archive[at + 110:at + 110 + fields[11] - 1].decode()
        assert archive[at + 110 + fields[11] - 1] == 0
        at = (at + 110 + fields[11] + 3) & ~3
        if name == "TRAILER!!!":
            assert not any(archive[at:]) and len(archive) % 512 == 0
            return entries
        assert name not in entries
        entries[name] = Entry(fields, name, archive[at:at + fields[6]])
        at = (at + fields[6] + 3) & ~3


def unpack(ramdisk):
    assert len(ramdisk) % 4 == 0
    return read_cpio(gzip.decompress(ramdisk))
