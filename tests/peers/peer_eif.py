# SPDX-License-Identifier: Apache-2.0
"""Images, ours and those of aws-nitro-enclaves-image-format, read and built by the other. Run by
scripts/check-peers, which builds the program in tests/peers/eif and names it in $EIF_PEER."""
import json
import os
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system", "harness"))
from image_tools import (ARM_CMDLINE, METADATA, X86_CMDLINE, Certificate, Eif, Files,
                         arm_image, elf, image)

CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
MACHINES = ["x86_64", "aarch64"]


def peer(*arguments):
    done = subprocess.run([os.environ["EIF_PEER"], *map(str, arguments)], timeout=60,
                          stdin=subprocess.DEVNULL, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def ours(*arguments):
    done = image("image", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def shown(path):
    return json.loads(ours("inspect", path, "--json"))


@pytest.fixture(params=MACHINES)
def files(request, tmp_path):
    files = Files(tmp_path / "in")
    files.machine = request.param
    if request.param == "aarch64":
        files.kernel.write_bytes(arm_image())
        files.enclaved.write_bytes(elf(2, machine=183))
    return files


@pytest.fixture(params=CURVES)
def signer(request, tmp_path):
    return Certificate(tmp_path, request.param, CURVES[request.param])


def peer_build(files, *ramdisks, signer=None):
    cmdline = X86_CMDLINE if files.machine == "x86_64" else ARM_CMDLINE
    key, certificate = (signer.key_path, signer.path) if signer else ("-", "-")
    return peer("build", files.output, files.kernel, cmdline, files.machine, key, certificate,
                *ramdisks)["measurements"]


@pytest.fixture
def ramdisks(files):
    return [files.write(f"ramdisk{i}", os.urandom(1000 + i)) for i in range(3)]


def agree(path, measurements=None):
    """Both see the same image, and nothing wrong with it."""
    theirs, own = peer("read", path), shown(path)
    assert theirs["measurements"]["PCR0"] == own["Measurements"]["PCR0"]
    for name in ("PCR1", "PCR2", "PCR8"):
        assert theirs["measurements"].get(name) == own["Measurements"].get(name)
    if measurements is not None:
        assert {k: v for k, v in measurements.items() if k.startswith("PCR")} == {
            k: v for k, v in own["Measurements"].items() if k.startswith("PCR")}
    assert theirs["crc"] is True and own["CheckCRC"] is True
    assert theirs["version"] == own["EifVersion"] == 4
    assert theirs["metadata"]["ImageName"] == own["ImageName"]
    assert own["IsSigned"] == ("certificate" in theirs)
    if own["IsSigned"]:
        assert theirs["over_this_pcr0"] is True and theirs["signature"] is None
        assert own["SignatureCheck"] is True
        certificate = dict(own["SigningCertificate"])
        certificate.pop("SubjectName")
        assert certificate == theirs["certificate"]
    ours("verify", path)


def test_it_reads_ours(files):
    files.build("--metadata", "a=b")
    agree(files.output)
    assert peer("read", files.output)["metadata"] == json.loads(Eif(files.output).one(METADATA))


def test_it_accepts_our_signature(files, signer):
    files.build()
    ours("sign", files.output, "--private-key", signer.key_path, "--certificate", signer.path)
    agree(files.output)


def test_it_reads_one_without_its_signature(files, signer):
    files.build()
    before = files.output.read_bytes()
    ours("sign", files.output, "--private-key", signer.key_path, "--certificate", signer.path)
    ours("sign", files.output, "--remove")
    assert files.output.read_bytes() == before
    agree(files.output)


def test_we_read_its_images(files, ramdisks):
    for count in 1, 2, 3:
        agree(files.output, peer_build(files, *ramdisks[:count]))


def test_we_accept_its_signature(files, ramdisks, signer):
    agree(files.output, peer_build(files, *ramdisks, signer=signer))
    assert Eif(files.output).check_signature() in (-7, -35, -36)


def test_each_signs_the_others(files, ramdisks, signer):
    files.build()
    peer("sign", files.output, signer.key_path, signer.path)
    agree(files.output)
    peer_build(files, *ramdisks)
    ours("sign", files.output, "--private-key", signer.key_path, "--certificate", signer.path)
    agree(files.output)


def test_we_replace_its_signature(files, ramdisks, signer, tmp_path):
    other = Certificate(tmp_path, "other")
    peer_build(files, *ramdisks, signer=other)
    ours("sign", files.output, "--private-key", signer.key_path, "--certificate", signer.path)
    agree(files.output)
    assert Eif(files.output).signer() == signer.certificate


def test_it_sees_a_changed_byte_as_we_do(files, signer):
    """Both say that the CRC is wrong, and that the signature is over another PCR0."""
    files.build()
    ours("sign", files.output, "--private-key", signer.key_path, "--certificate", signer.path)
    data = bytearray(files.output.read_bytes())
    data[2000] ^= 1
    files.output.write_bytes(data)
    theirs, own = peer("read", files.output), shown(files.output)
    assert theirs["crc"] is own["CheckCRC"] is False
    assert theirs["over_this_pcr0"] is own["SignatureCheck"] is False
    assert theirs["measurements"]["PCR0"] == own["Measurements"]["PCR0"]
