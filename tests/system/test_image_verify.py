# SPDX-License-Identifier: Apache-2.0
"""enclavectl image verify and sign: every disagreement has its name, signatures are what
Python's cryptography accepts, and no file, however it lies, brings the program down."""
import base64
import datetime
import json
import random
import resource
import struct
import subprocess
import zlib

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from enclave_tools import is_sanitized
from kms_tools import SIM
from image_tools import (CMDLINE, HEADER, KERNEL, METADATA, RAMDISK, SECTION, SIGNATURE,
                         Certificate, Eif, arm_image, bz_image, image, make_eif, metadata,
                         seal)

PLAIN = [(KERNEL, bz_image(size=0x3300)), (CMDLINE, b"quiet"), (METADATA, metadata()),
         (RAMDISK, b"first"), (RAMDISK, b"second")]


def verify(path, content=None):
    """(exit code, what is wrong). A crash has another code, or a report of a sanitizer."""
    if content is not None:
        path.write_bytes(content)
    done = image("image", "verify", path, "--json")
    assert done.returncode in (0, 1), (done.returncode, done.stderr)
    told = json.loads(done.stdout)
    assert told["count"] == len(told["problems"]) and bool(told["count"]) == bool(done.returncode)
    return told["problems"]


def inspect(path):
    """Whatever it is, it is shown or refused."""
    done = image("image", "inspect", path, "--json")
    assert done.returncode in (0, 5), (done.returncode, done.stderr)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "image.eif"


@pytest.fixture(scope="module")
def signer(tmp_path_factory):
    return Certificate(tmp_path_factory.mktemp("signer"))


@pytest.fixture(scope="module")
def signed(tmp_path_factory, signer):
    """The plain image, signed; its sections."""
    path = tmp_path_factory.mktemp("signed") / "image.eif"
    path.write_bytes(make_eif(PLAIN))
    done = image("image", "sign", path, "--private-key", signer.key_path, "--certificate", signer.path)
    assert done.returncode == 0, done.stderr
    return Eif(path)


# --- verify ---------------------------------------------------------------------------------------

def test_nothing_is_wrong(path, signer, signed):
    assert verify(path, make_eif(PLAIN)) == []
    done = image("image", "verify", path)
    assert done.returncode == 0 and done.stdout == f"{path}: nothing is wrong\n".encode()
    assert verify(path, signed.raw) == []
    done = image("image", "verify", path)
    first, last = (f"{date:%Y-%m-%dT%H:%M:%SZ}" for date in (
        signer.certificate.not_valid_before, signer.certificate.not_valid_after))
    assert done.returncode == 0 and done.stdout.decode() == (
        f"signing certificate: valid from {first} until {last}\n{path}: nothing is wrong\n")
    told = json.loads(image("image", "verify", path, "--json").stdout)
    assert told["signing_certificate"] == {"not_before": first, "not_after": last}


def changed(sections, **more):
    return lambda: make_eif(sections, **more)


def offsets_of(sections):
    return list(HEADER.unpack(make_eif(sections)[:548])[7:39])


def with_offset(i, value):
    offsets = offsets_of(PLAIN)
    offsets[i] = value(offsets[i])
    return lambda: make_eif(PLAIN, offsets=offsets)


def with_size(i, value):
    sizes = [len(data) for _, data in PLAIN] + [0] * 27
    sizes[i] = value
    return lambda: make_eif(PLAIN, sizes=sizes)


def raw(change):
    def make():
        data = bytearray(make_eif(PLAIN))
        change(data)
        return bytes(data)
    return make


def set_at(offset, value):
    return raw(lambda data: data.__setitem__(slice(offset, offset + len(value)), value))


def flip_at(offset):
    """Another byte, whatever it was."""
    return raw(lambda data: data.__setitem__(offset, data[offset] ^ 0xff))


def section_field(i, field, value):
    """A field of a section's own header (0: type, 2: flags, 4: size), with a good CRC."""
    def make():
        data = make_eif(PLAIN)
        body = bytearray(data[548:])
        at = offsets_of(PLAIN)[i] - 548 + field
        body[at:at + len(value)] = value
        fields = {"version": 4, "flags": 0, "memory": 1, "cpus": 1, "reserved": 0, "count": 5,
                  "offsets": offsets_of(PLAIN), "sizes": [len(d) for _, d in PLAIN] + [0] * 27,
                  "unused": 0}
        return seal(fields, bytes(body))
    return make


CASES = {
    "crc": (set_at(544, b"\0\0\0\0"), ["the CRC in the header is 00000000"]),
    "content": (flip_at(700), ["the CRC in the header is"]),
    "magic": (set_at(0, b".eiF"), ["not an EIF: it begins with 2e 65 69 46"]),
    "empty": (lambda: b"", ["it has 0 bytes; the header alone has 548"]),
    "cut": (lambda: make_eif(PLAIN)[:547], ["it has 547 bytes"]),
    "version": (changed(PLAIN, version=3), ["the version is 3; only version 4"]),
    "flags": (changed(PLAIN, flags=2), ["flags are 0x0002"]),
    "reserved": (changed(PLAIN, reserved=1), ["reserved field is 0x0001"]),
    "unused": (changed(PLAIN, unused=7), ["unused field is 0x00000007"]),
    "count 33": (changed(PLAIN, count=33), ["counts 33 sections"]),
    "count 0": (changed(PLAIN, count=0), ["counts 0 sections", "follow the last section",
                                          "no kernel", "no ramdisk"]),
    "count 4": (changed(PLAIN, count=4), ["an offset or a size for number 4", "18 bytes follow"]),
    "gap": (with_offset(2, lambda o: o + 1), ["a gap of 1 bytes"]),
    "overlap": (with_offset(2, lambda o: o - 1), ["it overlaps the previous one, which ends at"]),
    "same place": (with_offset(4, lambda o: offsets_of(PLAIN)[3]), ["section 4", "overlaps"]),
    "outside": (with_offset(1, lambda o: 1 << 63), ["outside the file"]),
    "last bytes": (with_offset(4, lambda o: len(make_eif(PLAIN)) - 11), ["outside the file"]),
    "size": (with_size(1, 6), ["has 6 bytes by the file's header, 5 by its own"]),
    "own size": (section_field(4, 4, struct.pack(">Q", 1 << 62)),
                 ["6 bytes by the file's header, 4611686018427387904 by its own", "only 6 are left"]),
    "own flags": (section_field(3, 2, b"\0\1"), ["section 3 (ramdisk) has flags 0x0001"]),
    "type": (section_field(4, 0, b"\0\x09"), ["section 4 has the unknown type 9"]),
    "trailing": (lambda: make_eif(PLAIN) + b"x", ["1 bytes follow the last section", "the CRC"]),
    "no kernel": (changed(PLAIN[1:]), ["there is no kernel section"]),
    "no cmdline": (changed([PLAIN[0]] + PLAIN[2:]), ["there is no cmdline section"]),
    "no metadata": (changed(PLAIN[:2] + PLAIN[3:]), ["there is no metadata section"]),
    "no ramdisk": (changed(PLAIN[:3]), ["there is no ramdisk section"]),
    "two kernels": (changed(PLAIN[:1] + PLAIN), ["there are 2 kernel sections"]),
    "two cmdlines": (changed(PLAIN[:2] + PLAIN[1:]), ["there are 2 cmdline sections"]),
    "two metadata": (changed(PLAIN[:3] + PLAIN[2:]), ["there are 2 metadata sections"]),
    "order": (changed(PLAIN[:2] + PLAIN[3:] + PLAIN[2:3]), ["section 4 (metadata) is out of order"]),
    "empty section": (changed(PLAIN[:3] + [(RAMDISK, b"")]), ["section 3 (ramdisk) is empty"]),
    "a command line of 1961 bytes": (changed(PLAIN[:1] + [(CMDLINE, b"x" * 1961)] + PLAIN[2:]),
                                     ["section 1 (cmdline): the kernel's command line has 1961 bytes"]),
    "a command line of 100000 bytes": (changed(PLAIN[:1] + [(CMDLINE, b"x" * 100000)] + PLAIN[2:]),
                                       ["section 1 (cmdline): the kernel's command line has 100000 bytes"]),
    "a newline in the command line": (changed(PLAIN[:1] + [(CMDLINE, b"quiet\n")] + PLAIN[2:]),
                                      ["byte 5 of the kernel's command line is 0x0a"]),
    "a tab in the command line": (changed(PLAIN[:1] + [(CMDLINE, b"a\tb")] + PLAIN[2:]),
                                  ["byte 1 of the kernel's command line is 0x09"]),
    "zero byte": (changed(PLAIN[:1] + [(CMDLINE, b"quiet\0init=/x")] + PLAIN[2:]), ["a zero byte"]),
    "other machine": (changed([(KERNEL, arm_image(0x3300))] + PLAIN[1:]),
                      ["the header is for x86_64, but the kernel is for aarch64"]),
    "no JSON": (changed(PLAIN[:2] + [(METADATA, b"{")] + PLAIN[3:]), ["metadata: not valid JSON"]),
    "no object": (changed(PLAIN[:2] + [(METADATA, b"[]")] + PLAIN[3:]), ["not a JSON object"]),
    "no name": (changed(PLAIN[:2] + [(METADATA, metadata(ImageName=None))] + PLAIN[3:]),
                ["ImageName is missing"]),
    "no text": (changed(PLAIN[:2] + [(METADATA, metadata(ImageVersion=4))] + PLAIN[3:]),
                ["ImageVersion is not a string"]),
    "no build": (changed(PLAIN[:2] + [(METADATA, metadata(BuildMetadata={}))] + PLAIN[3:]),
                 ["BuildMetadata.BuildTime is missing"]),
    "long metadata": (changed(PLAIN[:2] + [(METADATA, b" " * (1 << 20) + metadata())] + PLAIN[3:]),
                      ["the limit is 1048576"]),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_is_named(path, name):
    make, wanted = CASES[name]
    problems = verify(path, make())
    for text in wanted:
        assert any(text in problem for problem in problems), problems
    inspect(path)
    done = image("image", "verify", path)
    assert done.returncode == 1 and done.stdout.decode().count("\n") == len(problems) + 1


@pytest.mark.parametrize("line", [b"x" * 1961, b"x" * 100000, b"quiet\n", b"a\tb", b"a\0b", b"\xff"])
def test_no_verb_takes_a_command_line_that_cannot_be_started(path, line):
    """verify, inspect and the simulated VM say the same; build and pcr: test_image.py."""
    problem, = verify(path, make_eif(PLAIN[:1] + [(CMDLINE, line)] + PLAIN[2:]))
    why = problem.removeprefix("section 1 (cmdline): ")
    shown = image("image", "inspect", path)
    assert shown.returncode == 5 and why in shown.stderr.decode() and shown.stdout == b""
    started = subprocess.run([SIM, "vm", path, "--qemu", "/bin/false"], stdin=subprocess.DEVNULL,
                             capture_output=True, timeout=60)
    assert started.returncode != 0 and why in started.stderr.decode(), started.stderr


def test_one_thing_is_told_once(path):
    """One fault of the header is reported once, without others that follow from it."""
    for name in ("crc", "flags", "reserved", "unused", "outside", "size", "own flags", "no kernel",
                 "no cmdline", "no ramdisk", "two cmdlines", "zero byte", "no JSON"):
        problems = verify(path, CASES[name][0]())
        assert len(problems) == (2 if name == "outside" else 1), (name, problems)


# --- sign -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("curve, algorithm", [(ec.SECP256R1(), -7), (ec.SECP384R1(), -35),
                                              (ec.SECP521R1(), -36)], ids=["ES256", "ES384", "ES512"])
def test_signatures(path, tmp_path, curve, algorithm):
    signer = Certificate(tmp_path, curve=curve)
    path.write_bytes(make_eif(PLAIN))
    before = Eif(path).registers()
    done = image("image", "sign", path, "--private-key", signer.key_path, "--certificate", signer.path)
    assert done.returncode == 0, done.stderr
    eif = Eif(path)
    assert eif.check_signature() == algorithm and verify(path) == []
    assert eif.sections[:5] == PLAIN and eif.signer() == signer.certificate
    assert eif.registers() == {**before, "PCR8": eif.registers()["PCR8"]}
    assert json.loads(done.stdout)["Measurements"] == {"HashAlgorithm": "Sha384 { ... }",
                                                       **eif.registers()}
    entry, = cbor2.loads(eif.one(SIGNATURE))
    assert bytes(entry["signing_certificate"]) == signer.path.read_bytes()


def test_signing_again_replaces_and_removing_restores(path, tmp_path, signer):
    other = Certificate(tmp_path, "other", ec.SECP521R1())
    path.write_bytes(make_eif(PLAIN, memory=123, cpus=7))
    before = path.read_bytes()
    for one in signer, other, signer:
        done = image("image", "sign", path, "--private-key", one.key_path, "--certificate", one.path)
        assert done.returncode == 0, done.stderr
        eif = Eif(path)
        eif.check_signature()
        assert eif.signer() == one.certificate and len(eif.of(SIGNATURE)) == 1
        assert verify(path) == [] and (eif.memory, eif.cpus) == (123, 7)
    bare = tmp_path / "bare.eif"
    done = image("image", "sign", path, "--remove", "--output", bare)
    assert done.returncode == 0 and "PCR8" not in json.loads(done.stdout)["Measurements"]
    assert bare.read_bytes() == before and Eif(path).of(SIGNATURE)
    assert b"is not signed" in image("image", "sign", bare, "--remove").stderr


def test_a_signature_that_is_none_is_replaced_too(path, signer):
    """Wherever it stood: what is left is one, at the end."""
    for sections in PLAIN[:3] + [(SIGNATURE, b"\x80")] + PLAIN[3:], PLAIN + [(SIGNATURE, b"x")] * 2:
        assert verify(path, make_eif(sections))
        done = image("image", "sign", path, "--private-key", signer.key_path, "--certificate", signer.path)
        assert done.returncode == 0 and verify(path) == []
        assert Eif(path).sections[:5] == PLAIN and len(Eif(path).of(SIGNATURE)) == 1


def test_outputs_of_sign(path, tmp_path, signer):
    """Neither key nor certificate can be the output; the image can, and so can standard output."""
    path.write_bytes(make_eif(PLAIN))
    given = ["image", "sign", path, "--private-key", signer.key_path, "--certificate", signer.path]
    alias = tmp_path / "alias"
    for name in signer.key_path, signer.path:
        content = name.read_bytes()
        alias.hardlink_to(name)
        for output in name, alias:
            done = image(*given, "--output", output)
            assert done.returncode == 2 and b"is also given as" in done.stderr
        alias.unlink()
        assert name.read_bytes() == content
    for output in path, signer.path:
        done = image("image", "sign", path, "--certificate", signer.path, "--export-digest", output)
        assert done.returncode == 2 and b"is also given as" in done.stderr
    assert path.read_bytes() == make_eif(PLAIN)
    done = image(*given, "--output", "-")
    assert done.returncode == 0 and path.read_bytes() == make_eif(PLAIN)
    assert verify(tmp_path / "signed.eif", done.stdout) == []
    assert image(*given, "--output", "-", "--json").returncode == 2
    done = image("image", "sign", tmp_path / "signed.eif", "--remove", "--output", "-")
    assert done.returncode == 0 and done.stdout == make_eif(PLAIN)
    digest = image("image", "sign", path, "--export-digest", "-")
    assert digest.returncode == 0 and len(digest.stdout) == 48
    assert image("image", "sign", path, "--export-digest", "-", "--json").returncode == 2
    assert image(*given, "--output", path).returncode == 0 and verify(path) == []


def test_what_cannot_be_signed(path, tmp_path, signer):
    path.write_bytes(make_eif(PLAIN))
    before = path.read_bytes()
    other = Certificate(tmp_path, "other")
    rsa_key = tmp_path / "rsa.pem"
    rsa_key.write_bytes(rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()))
    locked = tmp_path / "locked.pem"
    locked.write_bytes(signer.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret")))
    for key, certificate, code, why in [
            (other.key_path, signer.path, 5, "does not belong to the certificate"),
            (rsa_key, signer.path, 5, "not a P-256, P-384 or P-521 key"),
            (locked, signer.path, 5, "or one that is encrypted"),
            (signer.path, signer.path, 5, "not a private key in PEM"),
            (signer.key_path, signer.key_path, 5, "not a certificate in PEM"),
            (tmp_path / "none", signer.path, 5, "No such file")]:
        done = image("image", "sign", path, "--private-key", key, "--certificate", certificate)
        assert done.returncode == code and why in done.stderr.decode(), done.stderr
    for arguments in (["--private-key", signer.key_path], ["--remove", "--private-key", signer.key_path], []):
        done = image("image", "sign", path, *arguments)
        assert done.returncode == 2 and b"or --remove alone" in done.stderr
    assert path.read_bytes() == before
    path.write_bytes(flip_at(700)())
    done = image("image", "sign", path, "--private-key", signer.key_path, "--certificate", signer.path)
    assert done.returncode == 5 and b"is damaged: its CRC is" in done.stderr
    assert sorted(p.name for p in path.parent.iterdir() if "eif" in p.name) == ["image.eif"]


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_private_key_beside_the_certificate(path, tmp_path, signer, encrypted):
    """Such files are common. Their key must not get into the image; where it is, verify says so."""
    key = signer.key_path.read_bytes()
    if encrypted:
        key = signer.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                       serialization.BestAvailableEncryption(b"secret"))
    both = tmp_path / "both.pem"
    for content in key + signer.path.read_bytes(), signer.path.read_bytes() + key:
        both.write_bytes(content)
        path.write_bytes(make_eif(PLAIN))
        for way in ("--private-key", signer.key_path), ("--export-digest", tmp_path / "digest"):
            done = image("image", "sign", path, *way, "--certificate", both)
            assert done.returncode == 5 and b"there is a private key in the file" in done.stderr
        assert path.read_bytes() == make_eif(PLAIN) and not (tmp_path / "digest").exists()
        done = image("image", "sign", path, "--private-key", signer.key_path, "--certificate", signer.path)
        assert done.returncode == 0, done.stderr
        entry, = cbor2.loads(Eif(path).one(SIGNATURE))
        section = cbor2.dumps([{**entry, "signing_certificate": list(content)}])
        problem, = verify(path, make_eif(PLAIN + [(SIGNATURE, section)]))
        assert "there is a private key in the signature section" in problem


def resigned(signed, change):
    """The signed image with another signature section."""
    entry, = cbor2.loads(signed.one(SIGNATURE))
    return make_eif(PLAIN + [(SIGNATURE, change(entry))])


def other_payload(signer, index=0, value=bytes(48), sign=None):
    """A signature section whose signature is good, over another register."""
    protected = cbor2.dumps({1: -35})
    payload = cbor2.dumps({"register_index": index, "register_value": list(value)})
    halves = decode_dss_signature((sign or signer).key.sign(
        cbor2.dumps(["Signature1", protected, b"", payload]), ec.ECDSA(hashes.SHA384())))
    cose = cbor2.dumps([protected, {}, payload, b"".join(h.to_bytes(48, "big") for h in halves)])
    return cbor2.dumps([{"signing_certificate": list(signer.path.read_bytes()),
                         "signature": list(cose)}])


def test_signatures_that_are_wrong(path, tmp_path, signer, signed):
    other = Certificate(tmp_path, "other")
    pcr0 = bytes.fromhex(signed.registers()["PCR0"])
    for section, why in [
            (other_payload(signer), "over the PCR0 of another image"),
            (other_payload(signer, 1, pcr0), "covers register 1, not PCR0"),
            (other_payload(signer, 0, pcr0[:47]), "not an array of 48 bytes"),
            (other_payload(signer, 0, pcr0, sign=other), "does not verify"),
            (cbor2.dumps([]), "it contains no signature"),
            (cbor2.dumps([{"signing_certificate": b"x", "signature": b"y"}]), "not an array of bytes"),
            (cbor2.dumps([{"signing_certificate": [1], "signature": [2]}]), "not a certificate"),
            (b"\xff" * 100, "not a CBOR array"),
            (b"\x81" * 100, "not a map"),
            (b"\x9b" + b"\xff" * 8, "not a CBOR array"),
            (b"\0" * 65537, "the limit is 65536")]:
        problems = verify(path, make_eif(PLAIN + [(SIGNATURE, section)]))
        assert len(problems) == 1 and why in problems[0], problems
        inspect(path)
    assert verify(path, make_eif(PLAIN + [(SIGNATURE, other_payload(signer, 0, pcr0))])) == []


def test_a_good_signature_of_another_image(path, signed):
    problems = verify(path, make_eif(PLAIN[:4] + [(RAMDISK, b"other"), signed.sections[5]]))
    assert problems == ["the signature verifies, but is over the PCR0 of another image"]
    shown = json.loads(image("image", "inspect", path, "--json").stdout)
    assert shown["SignatureCheck"] is False and shown["CheckCRC"] is True


# --- dates of the certificate ---------------------------------------------------------------------

def certificate_checks(path, *at):
    """What verify and inspect say about the certificate of a signed image, which must agree."""
    done = image("image", "verify", path, "--json", *at)
    problems = [p for p in json.loads(done.stdout)["problems"] if "certificate" in p]
    shown = json.loads(image("image", "inspect", path, "--json", *at).stdout)
    assert shown["CertificateDatesCheck"] is not bool(problems) and shown["SignatureCheck"] is True
    text = image("image", "inspect", path, *at).stdout.decode()
    assert ("dates" in text) and all(p.removeprefix("the signing certificate: ") in text for p in problems)
    return problems


def sign(path, signer):
    path.write_bytes(make_eif(PLAIN))
    done = image("image", "sign", path, "--private-key", signer.key_path, "--certificate", signer.path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("days, why", [
    ((-30, -1), "it expired on "), ((1, 30), "it is not valid before "), ((-1, 1), None)])
def test_a_certificate_outside_its_dates(path, tmp_path, days, why):
    """nitro-cli does not start such an image."""
    dated = Certificate(tmp_path, "dated", days=days)
    sign(path, dated)
    problems = certificate_checks(path)
    assert len(problems) == (why is not None) and all(why in problem for problem in problems)
    started = subprocess.run([SIM, "vm", path, "--qemu", "/bin/false"], stdin=subprocess.DEVNULL,
                             capture_output=True, timeout=60)
    assert ("the signing certificate" in started.stderr.decode()) == (why is not None)


def test_another_day(path, tmp_path):
    """The dates themselves are among those on which it is valid."""
    dated = Certificate(tmp_path, "dated", days=(-30, -10))
    sign(path, dated)
    first, last = dated.certificate.not_valid_before, dated.certificate.not_valid_after
    second = datetime.timedelta(seconds=1)
    for date, good in ((first, True), (last, True), (first - second, False), (last + second, False)):
        assert (certificate_checks(path, "--at", f"{date:%Y-%m-%dT%H:%M:%SZ}") == []) == good
    assert certificate_checks(path, "--at", f"{last:%Y-%m-%d}") == []
    for text in "yesterday", "2026-13-01", "2026-1-1", "", "9" * 100, "2026-12-31T23:59:59":
        for verb in "verify", "inspect":
            done = image("image", verb, path, "--at", text)
            assert done.returncode == 2 and b"--at takes a date" in done.stderr


def test_dates_that_are_none(path, signer, signed):
    """A month of 99: OpenSSL reads the certificate, and has no date to print."""
    der = bytearray(signer.der)
    at = der.index(b"\x17\x0d") + 2  # the first UTCTime
    der[at + 2:at + 4] = b"99"
    pem = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"
    entry = cbor2.loads(signed.sections[5][1])[0] | {"signing_certificate": list(pem)}
    path.write_bytes(make_eif(PLAIN + [(SIGNATURE, cbor2.dumps([entry]))]))
    assert certificate_checks(path) == ["the signing certificate: its dates cannot be read"]
    shown = json.loads(image("image", "inspect", path, "--json").stdout)
    assert shown["SigningCertificate"]["NotBefore"] == f"not a date: {der[at:at + 13].decode()}"
    assert b"valid from" in image("image", "inspect", path).stdout


# --- the encoding of the signature ----------------------------------------------------------------

def test_one_encoding_of_a_signature(path, signer, signed):
    """No register measures it: what nitro-cli's library never writes is refused."""
    pcr0 = bytes.fromhex(signed.registers()["PCR0"])
    good = other_payload(signer, 0, pcr0)
    entry, = cbor2.loads(good)
    protected, _, payload, signature = cbor2.loads(bytes(entry["signature"]))

    def again(cose):
        return cbor2.dumps([entry | {"signature": list(cose)}])

    order = {name: entry[name] for name in ("signature", "signing_certificate")}
    cose = bytes(entry["signature"])
    for section in [
            good.replace(b"\x81\xa2", b"\x98\x01\xa2", 1),                      # a longer length
            good.replace(b"\x81\xa2", b"\x9f\xa2", 1) + b"\xff",                # an indefinite one
            good.replace(b"\x69signature\x98", b"\x69signature\x99\0", 1),
            good.replace(b"\x18\x2d\x18\x2d", b"\x19\0\x2d\x18\x2d", 1),      # a longer integer
            cbor2.dumps([order]),
            again(cbor2.dumps([protected, {4: b"key"}, payload, signature])),     # unprotected
            again(cose.replace(b"\x84", b"\x98\x04", 1)),
            again(cose.replace(b"\xa0", b"\xb8\0", 1))]:
        assert section != good
        problem, = verify(path, make_eif(PLAIN + [(SIGNATURE, section)]))
        assert "not encoded as nitro-cli encodes it" in problem
        shown = json.loads(image("image", "inspect", path, "--json").stdout)
        assert shown["SignatureCheck"] is False
    # Neither of these is an encoding of its own: the other of two signatures, and text around a PEM.
    half = len(signature) // 2
    n = 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973
    other = (n - int.from_bytes(signature[half:], "big")).to_bytes(half, "big")
    text = list(b"text\n" + signer.path.read_bytes())
    for section in (again(cbor2.dumps([protected, {}, payload, signature[:half] + other])),
                    cbor2.dumps([entry | {"signing_certificate": text}])):
        assert verify(path, make_eif(PLAIN + [(SIGNATURE, section)])) == []


# --- hostile files --------------------------------------------------------------------------------

def crowded(names):
    """A certificate whose subject and issuer have so many names."""
    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a")] * names)
    now = datetime.datetime.utcnow()
    day = datetime.timedelta(days=1)
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(1).not_valid_before(now - day).not_valid_after(now + day)
            .sign(key, hashes.SHA384()))
    return made.public_bytes(serialization.Encoding.PEM)


def at_the_limits():
    """Images whose sections are as large, and have as many parts, as their limits allow."""
    def with_metadata(custom, count=1, **changes):
        text = json.dumps(json.loads(metadata()) | {"CustomMetadata": custom} | changes,
                          separators=(",", ":")).encode()
        assert len(text) <= 1 << 20
        return PLAIN[:2] + [(METADATA, text)] * count + PLAIN[3:]

    def with_signature(**changes):
        section = cbor2.dumps([{"signing_certificate": [0], "signature": [0], **changes}])
        assert len(section) <= 65536
        return PLAIN + [(SIGNATURE, section)]

    return {"values": with_metadata([0] * 65500), "names": with_metadata({f"n{i}": 0 for i in range(32700)}),
            "escapes": with_metadata("\1" * 174000), "a name": with_metadata(0, ImageName="\x9b" * 174000),
            "many sections": with_metadata([0] * 65500, count=28),
            "names of a certificate": with_signature(signing_certificate=list(crowded(900))),
            "a long signature": with_signature(signature=[255] * 32700),
            "nested": PLAIN + [(SIGNATURE, b"\x9f" * 65536)]}


@pytest.mark.skipif(is_sanitized(), reason="sanitizers reserve more than the limit")
@pytest.mark.parametrize("name", ["values", "names", "escapes", "a name", "many sections",
                                  "names of a certificate", "a long signature", "nested"])
def test_memory_is_bounded_whatever_the_image(path, name):
    """96 MiB of addresses, most of which libraries are mapped to, do for each image and each verb."""
    path.write_bytes(make_eif(at_the_limits()[name]))
    for verb in ["verify"], ["verify", "--json"], ["inspect"], ["inspect", "--json"]:
        free = image("image", *verb, path)
        bound = image("image", *verb, path, preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_AS, (96 << 20, 96 << 20)))
        assert free.returncode in (0, 1, 5) and b"no memory" not in free.stderr
        assert (bound.returncode, bound.stdout, bound.stderr) == (free.returncode, free.stdout, free.stderr)


def reseal(data):
    """The same with a good CRC, so that verify reads beyond it."""
    return data[:544] + struct.pack(">I", zlib.crc32(data[:544] + data[548:])) + data[548:]


@pytest.mark.slow
def test_every_byte_of_the_headers(path, signed):
    """One byte of the header, or of a section's, is never without a meaning, and never a crash."""
    places = list(range(548))
    for offset in signed.offsets[:signed.count]:
        places += range(offset, offset + SECTION.size)
    free = set(range(8, 24))  # default memory and CPUs: any number is one
    for at in places:
        data = bytearray(signed.raw)
        data[at] ^= 0xff
        if at % 16 == 0 or 544 <= at < 548:  # only the CRC shows it
            assert verify(path, bytes(data)), at
        if 544 <= at < 548:
            continue
        assert bool(verify(path, reseal(bytes(data)))) == (at not in free), at


@pytest.mark.slow
def test_every_byte_of_the_signature(path, signed):
    """PEM holds bytes without a meaning (line ends); nothing else does. A sample of each part."""
    start = signed.offsets[5] + 12
    chosen = random.Random(5).sample(range(start, len(signed.raw)), 120)
    for at in chosen:
        data = bytearray(signed.raw)
        data[at] ^= 0x01
        problems = verify(path, reseal(bytes(data)))
        assert all("CRC" not in p for p in problems)
        inspect(path)
    tail = bytearray(signed.raw)
    tail[-1] ^= 1  # the signature's last byte
    assert verify(path, reseal(bytes(tail))) == [
        "the signature does not verify under its certificate's key"]


@pytest.mark.slow
def test_every_length(path, signed):
    """Cut anywhere, or with bytes appended."""
    lengths = sorted({*range(0, 600, 7), *range(len(signed.raw) - 40, len(signed.raw)),
                      *(o + d for o in signed.offsets[:signed.count] for d in (-1, 0, 1, 11, 12))})
    for length in lengths:
        if length < len(signed.raw):
            assert verify(path, signed.raw[:length]), length
            inspect(path)
