# SPDX-License-Identifier: Apache-2.0
"""Images, ours and those of aws-nitro-enclaves-image-format, read and built by the other. Run by
scripts/check-peers, which builds the program in tests/peers/eif and names it in $EIF_PEER."""
import base64
import datetime
import json
import os
import subprocess
import sys

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system", "harness"))
from image_tools import (ARM_CMDLINE, METADATA, X86_CMDLINE, Certificate, Eif, Files,
                         arm_image, elf, image)
from kms_tools import ADMIN, REGION, Kms, Module

CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
MACHINES = ["x86_64", "aarch64"]


def peer(*arguments, env=None):
    done = subprocess.run([os.environ["EIF_PEER"], *map(str, arguments)], timeout=60, env=env,
                          stdin=subprocess.DEVNULL, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def ours(*arguments, env=None):
    done = image("image", *arguments, env=env)
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


# --- a key that is elsewhere ----------------------------------------------------------------------

@pytest.fixture(scope="module")
def kms(tmp_path_factory):
    server = Kms(tmp_path_factory.mktemp("kms"), Module().root_pem())
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def kms_key(kms):
    return kms.admin().ok("CreateKey", KeySpec="ECC_NIST_P384",
                          KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]


@pytest.fixture(scope="module")
def kms_certificate(kms, kms_key, tmp_path_factory):
    """For the public key of kms_key, by somebody else's private key."""
    public = serialization.load_der_public_key(
        base64.b64decode(kms.admin().ok("GetPublicKey", KeyId=kms_key)["PublicKey"]))
    names = x509.Name([x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "DE"),
                       x509.NameAttribute(x509.NameOID.COMMON_NAME, "in KMS")])
    now = datetime.datetime.now(datetime.UTC)
    made = (x509.CertificateBuilder().subject_name(names).issuer_name(names).public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .sign(ec.generate_private_key(ec.SECP384R1()), hashes.SHA384()))
    path = tmp_path_factory.mktemp("signer") / "cert.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def aws(kms, tmp_path):
    """What both programs read; rustls has no AWS_CA_BUNDLE."""
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true", "AWS_ACCESS_KEY_ID": ADMIN["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": ADMIN["secret_access_key"],
            "AWS_ENDPOINT_URL_KMS": f"https://localhost:{kms.port}", "AWS_CA_BUNDLE": kms.ca,
            "SSL_CERT_FILE": kms.ca}


def test_it_accepts_our_signature_by_kms(files, kms_key, kms_certificate, aws):
    files.build()
    ours("sign", files.output, "--kms-key", kms_key, "--certificate", kms_certificate, env=aws)
    agree(files.output)


def test_it_signs_with_the_simulated_kms(files, kms, kms_key, kms_certificate, aws):
    """nitro-cli's way to KMS: its --private-key is then the ARN."""
    files.build()
    peer("sign", files.output, kms_key, kms_certificate, env=aws)
    agree(files.output)
    assert f"Sign by {ADMIN['principal']} key {kms_key}: ok" in kms.log()


def test_it_accepts_the_signature_of_openssl(files, signer):
    """Which saw the digest alone."""
    files.build()
    digest, signature = files.folder / "digest", files.folder / "signature"
    ours("sign", files.output, "--export-digest", digest, "--certificate", signer.path)
    subprocess.run(["openssl", "pkeyutl", "-sign", "-inkey", signer.key_path, "-in", digest, "-out",
                    signature], check=True, timeout=60)
    ours("sign", files.output, "--attach-signature", signature, "--certificate", signer.path)
    agree(files.output)
