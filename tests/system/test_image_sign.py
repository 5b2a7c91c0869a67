# SPDX-License-Identifier: Apache-2.0
"""`enclavectl image sign` where the private key is elsewhere: in the simulated KMS, and with openssl as
a signer that gets the digest alone. Every signature is verified by Python's cryptography."""
import base64
import datetime
import hashlib
import json
import subprocess

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from host_tools import FakeAws, clean_environment, ctl
from image_tools import (CMDLINE, KERNEL, METADATA, RAMDISK, SIGNATURE, Certificate, Eif, bz_image,
                         make_eif, metadata)
from kms_tools import ACCOUNT, ADMIN, ENCLAVE, REGION, administration, policy

PLAIN = [(KERNEL, bz_image(size=0x3300)), (CMDLINE, b"quiet"), (METADATA, metadata()),
         (RAMDISK, b"first"), (RAMDISK, b"second")]
ROLE = f"arn:aws:iam::{ACCOUNT}:role/enclave"
CURVES = {"ES256": (ec.SECP256R1(), "sha256", -7), "ES384": (ec.SECP384R1(), "sha384", -35),
          "ES512": (ec.SECP521R1(), "sha512", -36)}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "image.eif"
    path.write_bytes(make_eif(PLAIN))
    return path


@pytest.fixture
def env(tmp_path, kms):
    return environment(tmp_path, kms, ADMIN)


def environment(home, kms, credential, **more):
    values = {"AWS_ACCESS_KEY_ID": credential["access_key_id"],
              "AWS_SECRET_ACCESS_KEY": credential["secret_access_key"],
              "AWS_SESSION_TOKEN": credential.get("session_token", ""),
              "AWS_ENDPOINT_URL_KMS": f"https://localhost:{kms.port}", "AWS_CA_BUNDLE": kms.ca}
    return clean_environment(home, **{**values, **more})


def new_key(kms, **members):
    return kms.admin().ok("CreateKey", KeySpec="ECC_NIST_P384", KeyUsage="SIGN_VERIFY",
                          **members)["KeyMetadata"]["Arn"]


@pytest.fixture(scope="module")
def key(kms):
    return new_key(kms)


def public_key(kms, arn):
    answer = kms.admin().ok("GetPublicKey", KeyId=arn)["PublicKey"]
    return serialization.load_der_public_key(base64.b64decode(answer))


def issue(path, public):
    """A certificate for a public key alone, by an authority that nobody knows."""
    now = datetime.datetime.utcnow()
    names = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "in KMS")])
    certificate = (x509.CertificateBuilder().subject_name(names).issuer_name(names)
                   .public_key(public).serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(days=1))
                   .not_valid_after(now + datetime.timedelta(days=30))
                   .sign(ec.generate_private_key(ec.SECP384R1()), hashes.SHA384()))
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture(scope="module")
def certificate(kms, key, tmp_path_factory):
    return issue(tmp_path_factory.mktemp("kms-signer") / "cert.pem", public_key(kms, key))


def sign(path, *arguments, env, code=0):
    done = ctl("image", "sign", path, *arguments, env=env)
    assert done.returncode == code, done.stderr
    return done


def signed_well(path, algorithm=-35):
    """By whom the image is signed; other readers find the signature as it should be."""
    eif = Eif(path)
    assert eif.check_signature() == algorithm
    assert eif.sections[:len(PLAIN)] == PLAIN and len(eif.of(SIGNATURE)) == 1
    return eif.signer()


# --- a key in KMS ---------------------------------------------------------------------------------

def test_signed_in_kms(path, kms, key, certificate, env):
    before = Eif(path).registers()
    done = sign(path, "--kms-key", key, "--certificate", certificate, env=env)
    assert signed_well(path) == x509.load_pem_x509_certificate(certificate.read_bytes())
    registers = Eif(path).registers()
    assert registers == {**before, "PCR8": registers["PCR8"]}
    assert json.loads(done.stdout)["Measurements"] == {"HashAlgorithm": "Sha384 { ... }",
                                                       **registers}
    assert ctl("image", "verify", path, env=env).returncode == 0
    for operation in "GetPublicKey", "Sign":
        assert f"{operation} by {ADMIN['principal']} key {key}: ok" in kms.log()


def test_the_certificate_of_docs_deploying(path, kms, key, env, tmp_path):
    """Made by openssl for a public key alone."""
    authority = Certificate(tmp_path, "ca")
    (tmp_path / "signer.der").write_bytes(public_key(kms, key).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
    for command in ("openssl pkey -pubin -inform DER -in signer.der -out signer.pub",
                    "openssl x509 -new -force_pubkey signer.pub -subj /CN=signer -days 365 "
                    "-CA ca.pem -CAkey ca-key.pem -out cert.pem"):
        subprocess.run(command.split(), cwd=tmp_path, check=True, timeout=60)
    sign(path, "--kms-key", key, "--certificate", tmp_path / "cert.pem", env=env)
    signer = signed_well(path)
    authority.key.public_key().verify(signer.signature, signer.tbs_certificate_bytes,
                                      ec.ECDSA(signer.signature_hash_algorithm))


def test_a_role_that_may_sign_digests_only(path, kms, tmp_path):
    use = {"Sid": "Signs", "Effect": "Allow", "Principal": {"AWS": ROLE},
           "Action": ["kms:Sign", "kms:GetPublicKey"], "Resource": "*"}
    key = new_key(kms, Policy=policy(administration(), {
        **use, "Action": "kms:GetPublicKey"}, {**use, "Action": "kms:Sign", "Condition": {
            "StringEquals": {"kms:MessageType": "DIGEST",
                             "kms:SigningAlgorithm": "ECDSA_SHA_384"}}}))
    certificate = issue(tmp_path / "cert.pem", public_key(kms, key))
    sign(path, "--kms-key", key, "--certificate", certificate,
         env=environment(tmp_path, kms, ENCLAVE))
    signed_well(path)


def test_a_profile(path, kms, key, certificate, env, tmp_path):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text(
        f"[signer]\naws_access_key_id = {ADMIN['access_key_id']}\n"
        f"aws_secret_access_key = {ADMIN['secret_access_key']}\n")
    wrong = {**env, "AWS_SECRET_ACCESS_KEY": "wrong"}
    sign(path, "--kms-key", key, "--certificate", certificate, "--profile", "signer", env=wrong)
    signed_well(path)


def test_signing_again_and_elsewhere(path, kms, key, certificate, env, tmp_path):
    local = Certificate(tmp_path, "local")
    sign(path, "--private-key", local.key_path, "--certificate", local.path, env=env)
    output = tmp_path / "signed.eif"
    before = path.read_bytes()
    sign(path, "--kms-key", key, "--certificate", certificate, "--output", output, env=env)
    assert path.read_bytes() == before and signed_well(path) == local.certificate
    assert signed_well(output) == x509.load_pem_x509_certificate(certificate.read_bytes())


def test_the_endpoint(path, kms, key, certificate, env):
    """The service's own variable goes before the general one; a slash and the case do not matter."""
    arguments = ["--kms-key", key, "--certificate", certificate]
    general = {**env, "AWS_ENDPOINT_URL_KMS": "",
               "AWS_ENDPOINT_URL": f"HTTPS://localhost:{kms.port}/"}
    sign(path, *arguments, env=general)
    sign(path, *arguments, env={**env, "AWS_ENDPOINT_URL": "https://localhost:1"})
    for url in ("http://192.0.2.1:1", "ftp://localhost", "localhost:443", "https://", "https://a b/",
                "https://localhost/path", "https://user@localhost", "https://localhost?x"):
        done = sign(path, *arguments, env={**env, "AWS_ENDPOINT_URL_KMS": url}, code=5)
        assert f"the endpoint {url} cannot be used" in done.stderr.decode()


@pytest.mark.parametrize("region, host", [
    ("nowhere-1", "kms.nowhere-1.amazonaws.com"), ("cn-nowhere-1", "kms.cn-nowhere-1.amazonaws.com.cn"),
    ("eusc-nowhere-1", "kms.eusc-nowhere-1.amazonaws.eu")])
def test_the_endpoint_of_a_region(path, certificate, env, region, host):
    """No such regions: their names lead nowhere, and the message has the host that was wanted."""
    ignoring = {**env, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
    arn = f"arn:aws:kms:{region}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    done = sign(path, "--kms-key", arn, "--certificate", certificate, env=ignoring, code=3)
    assert f"GetPublicKey: {host}: " in done.stderr.decode()


def test_kms_refuses(path, kms, key, certificate, env, tmp_path):
    before = path.read_bytes()
    symmetric = kms.admin().ok("CreateKey")["KeyMetadata"]["Arn"]
    disabled = new_key(kms)
    kms.admin().ok("DisableKey", KeyId=disabled)
    closed = new_key(kms, Policy=policy({**administration(), "Action": "kms:Put*"}))
    half = new_key(kms, Policy=policy({**administration(), "Action": ["kms:Put*", "kms:GetPublicKey"]}))
    own = issue(tmp_path / "half.pem", public_key(kms, half))
    absent = key[:-1] + ("0" if key[-1] != "0" else "1")
    role = environment(tmp_path, kms, ENCLAVE)
    secret = {**env, "AWS_SECRET_ACCESS_KEY": "a-secret-that-is-wrong"}
    for arn, pem, whose, why in [
            (symmetric, certificate, env, "GetPublicKey with HTTP 400 UnsupportedOperationException"),
            (disabled, certificate, env, "GetPublicKey with HTTP 400 DisabledException: "),
            (closed, certificate, role, "GetPublicKey with HTTP 400 AccessDeniedException: User: "),
            (half, own, env, "Sign with HTTP 400 AccessDeniedException: User: "),
            (absent, certificate, env, "GetPublicKey with HTTP 400 NotFoundException: Key "),
            (key, certificate, secret, "GetPublicKey with HTTP 400 InvalidSignatureException")]:
        done = sign(path, "--kms-key", arn, "--certificate", pem, "--json", env=whose, code=1)
        answer = json.loads(done.stdout)
        assert answer["code"] == "kms_denied" and why in answer["cause"]
        assert ("kms:GetPublicKey and kms:Sign" in answer.get("remedy", "")) == (
            "AccessDenied" in answer["cause"])
        assert b"a-secret" not in done.stdout + done.stderr
    assert path.read_bytes() == before


def test_what_was_signed_is_not_repeated(path, key, certificate, env):
    """KMS says it where a signature is wrong, and the session token is in it."""
    message = ("It does not match.\n\nThe Canonical String for this request should have been\n"
               "'POST\n/\n\nx-amz-security-token:a-token\n'")
    answer = {"__type": "InvalidSignatureException", "message": message}
    with FakeAws(lambda _: (400, json.dumps(answer).encode())) as other:
        done = sign(path, "--kms-key", key, "--certificate", certificate, "--json", code=1,
                    env={**env, "AWS_ENDPOINT_URL_KMS": other.url, "AWS_SESSION_TOKEN": "a-token"})
    assert json.loads(done.stdout)["cause"].endswith("InvalidSignatureException: It does not match.")
    assert b"a-token" not in done.stdout + done.stderr


def test_an_image_that_changes_while_kms_signs(path, key, env, tmp_path):
    """The signature is good for what the image was, and is not put onto what it is now."""
    signer = Certificate(tmp_path)
    changed = make_eif([*PLAIN[:-1], (RAMDISK, b"SECOND")])
    public = signer.key.public_key().public_bytes(serialization.Encoding.DER,
                                                  serialization.PublicFormat.SubjectPublicKeyInfo)

    def answer(body):
        request, told = json.loads(body), {"KeyId": key}
        if "Message" in request:
            digest = base64.b64decode(request["Message"])
            path.write_bytes(changed)
            signature = signer.key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA384())))
            told["Signature"] = base64.b64encode(signature).decode()
        else:
            told.update(KeySpec="ECC_NIST_P384", KeyUsage="SIGN_VERIFY",
                        PublicKey=base64.b64encode(public).decode())
        return 200, json.dumps(told).encode()

    arguments = ["--kms-key", key, "--certificate", signer.path]
    with FakeAws(answer) as other:
        elsewhere = {**env, "AWS_ENDPOINT_URL_KMS": other.url}
        done = sign(path, *arguments, env=elsewhere, code=5)
        assert b"changed while it was signed: sign it again" in done.stderr
        assert path.read_bytes() == changed
        sign(path, *arguments, "--output", tmp_path / "signed.eif", env=elsewhere)
    assert ctl("image", "verify", tmp_path / "signed.eif", env=env).returncode == 0


def test_certificates_of_other_keys(path, kms, key, env, tmp_path):
    before = path.read_bytes()
    for curve, why in ((ec.SECP384R1(), "the KMS key does not belong to the certificate"),
                       (ec.SECP256R1(), "the certificate is not for a P-384 key")):
        other = Certificate(tmp_path, "other", curve)
        done = sign(path, "--kms-key", key, "--certificate", other.path, env=env, code=5)
        assert why in done.stderr.decode()
    assert "Sign by" not in kms.log().rsplit("GetPublicKey by", 1)[1]
    assert path.read_bytes() == before


def test_credentials_that_are_missing(path, kms, key, certificate, env):
    bare = {**env, "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    done = sign(path, "--kms-key", key, "--certificate", certificate, env=bare, code=5)
    assert b"no AWS credentials" in done.stderr and b"AWS_ACCESS_KEY_ID" in done.stderr


def test_an_authority_that_is_not_trusted(path, key, certificate, env, tmp_path):
    other = Certificate(tmp_path, "authority")
    done = sign(path, "--kms-key", key, "--certificate", certificate, "--json",
                env={**env, "AWS_CA_BUNDLE": str(other.path)}, code=3)
    answer = json.loads(done.stdout)
    assert answer["code"] == "tls_failed" and "AWS_CA_BUNDLE" in answer["remedy"]


@pytest.mark.parametrize("arn", [
    "1234abcd-12ab-34cd-56ef-1234567890ab", "alias/signer", "arn:aws:kms:eu-central-1::key/a",
    "arn:aws:kms:eu-central-1:111122223333:alias/signer", "arn:aws:kms::111122223333:key/a",
    "arn:aws:s3:eu-central-1:111122223333:key/a", "arn:aws:kms:eu_central:111122223333:key/a",
    "arn:other:kms:eu-central-1:111122223333:key/a", "arn:aws:kms:eu-central-1:1111:key/a",
    "arn:aws:kms:eu-central-1:111122223333:key/", "arn:aws:kms:eu-central-1:111122223333:key/a/b",
    "arn:aws:kms:eu-central-1:111122223333:key/a b", "arn:aws:kms:" + "a" * 64 + ":111122223333:key/a",
])
def test_what_is_no_key(path, certificate, env, arn):
    done = sign(path, "--kms-key", arn, "--certificate", certificate, env=env, code=2)
    assert b"is not the ARN of a KMS key, arn:aws:kms:REGION:ACCOUNT:key/ID" in done.stderr


def test_faults_that_pass(path, kms, key, certificate, env):
    """What KMS throttles or cannot serve is tried three times in all."""
    for line in "GetPublicKey throttle 2", "Sign throttle 2", "Sign 500 1", "Sign 503 2":
        kms.write_faults(line)
        sign(path, "--kms-key", key, "--certificate", certificate, env=env)
        signed_well(path)


@pytest.mark.parametrize("fault, exit_code, code", [
    ("throttle 3", 5, "kms_throttled"), ("500 3", 5, "kms_unavailable"),
    ("400 1", 1, "kms_denied"), ("403 1", 1, "kms_denied"), ("garbage 1", 6, "kms_bad_response"),
    ("large 1", 6, "kms_bad_response"), ("half 1", 6, "kms_bad_response"), ("reset 1", 3, "network"),
    ("other-key 1", 5, "key_mismatch"), ("no-key 1", 5, "key_mismatch")])
@pytest.mark.parametrize("operation", ["GetPublicKey", "Sign"])
def test_faults_that_stay(path, kms, key, certificate, env, operation, fault, exit_code, code):
    before = path.read_bytes()
    kms.write_faults(f"{operation} {fault}")
    done = sign(path, "--kms-key", key, "--certificate", certificate, "--json", env=env,
                code=exit_code)
    kms.write_faults()
    assert json.loads(done.stdout)["code"] == code
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir() if "eif" in p.name] == ["image.eif"]


# --- another signer -------------------------------------------------------------------------------

def sig_structure(path, algorithm):
    """RFC 9052, 4.4, made anew."""
    pcr0 = bytes.fromhex(Eif(path).registers()["PCR0"])
    payload = cbor2.dumps({"register_index": 0, "register_value": list(pcr0)})
    return cbor2.dumps(["Signature1", cbor2.dumps({1: algorithm}), b"", payload])


def openssl_signs(digest, key, signature):
    """The signer sees nothing but the digest."""
    subprocess.run(["openssl", "pkeyutl", "-sign", "-inkey", key, "-in", digest, "-out", signature],
                   check=True, timeout=60)
    return signature


def raw_of(signature, curve):
    width = (curve.key_size + 7) // 8
    return b"".join(n.to_bytes(width, "big") for n in decode_dss_signature(signature))


@pytest.mark.parametrize("form", ["DER", "raw"])
@pytest.mark.parametrize("algorithm", CURVES)
def test_openssl_signs(path, env, tmp_path, algorithm, form):
    curve, hash_name, number = CURVES[algorithm]
    signer = Certificate(tmp_path, curve=curve)
    digest, signature = tmp_path / "digest", tmp_path / "signature"
    before = path.read_bytes()
    done = sign(path, "--certificate", signer.path, "--export-digest", digest, env=env)
    structure = sig_structure(path, number)
    assert digest.read_bytes() == hashlib.new(hash_name, structure).digest()
    assert json.loads(done.stdout) == {
        "Measurements": {"HashAlgorithm": "Sha384 { ... }", **Eif(path).registers()},
        "ToBeSigned": {"Algorithm": algorithm, "Digest": digest.read_bytes().hex(),
                       "SigStructure": structure.hex()}}
    assert path.read_bytes() == before
    openssl_signs(digest, signer.key_path, signature)
    if form == "raw":
        signature.write_bytes(raw_of(signature.read_bytes(), curve))
    sign(path, "--attach-signature", signature, "--certificate", signer.path, env=env)
    assert signed_well(path, number) == signer.certificate
    assert ctl("image", "verify", path, env=env).returncode == 0


def test_without_a_certificate_it_is_p384(path, env, tmp_path):
    signer = Certificate(tmp_path)
    digest = tmp_path / "digest"
    sign(path, "--export-digest", digest, env=env)
    assert digest.read_bytes() == hashlib.sha384(sig_structure(path, -35)).digest()
    openssl_signs(digest, signer.key_path, tmp_path / "signature")
    output = tmp_path / "signed.eif"
    sign(path, "--attach-signature", tmp_path / "signature", "--certificate", signer.path, "--output",
         output, env=env)
    assert signed_well(output) == signer.certificate and Eif(path).of(SIGNATURE) == []


def test_the_digest_of_a_signed_image_is_that_of_the_bare_one(path, env, tmp_path):
    signer = Certificate(tmp_path)
    sign(path, "--export-digest", tmp_path / "bare", env=env)
    sign(path, "--private-key", signer.key_path, "--certificate", signer.path, env=env)
    done = sign(path, "--export-digest", tmp_path / "signed", env=env)
    assert (tmp_path / "bare").read_bytes() == (tmp_path / "signed").read_bytes()
    assert "PCR8" not in json.loads(done.stdout)["Measurements"]


def test_kms_by_hand(path, kms, key, certificate, env, tmp_path):
    """As an administrator does it who may not run enclavectl where the credentials are."""
    sign(path, "--export-digest", tmp_path / "digest", env=env)
    digest = base64.b64encode((tmp_path / "digest").read_bytes()).decode()
    answer = kms.admin().ok("Sign", KeyId=key, Message=digest, MessageType="DIGEST",
                            SigningAlgorithm="ECDSA_SHA_384")
    (tmp_path / "signature").write_bytes(base64.b64decode(answer["Signature"]))
    sign(path, "--attach-signature", tmp_path / "signature", "--certificate", certificate, env=env)
    signed_well(path)


def test_signatures_that_are_refused(path, env, tmp_path):
    signer, other = Certificate(tmp_path), Certificate(tmp_path, "other")
    before = path.read_bytes()
    digest, file = tmp_path / "digest", tmp_path / "signature"
    sign(path, "--export-digest", digest, env=env)
    good = openssl_signs(digest, signer.key_path, file).read_bytes()
    foreign = openssl_signs(digest, other.key_path, file).read_bytes()
    digest.write_bytes(hashlib.sha384(b"another image").digest())
    elsewhere = openssl_signs(digest, signer.key_path, file).read_bytes()
    raw = raw_of(good, ec.SECP384R1())
    neither, wrong = "is neither r and s in 96 bytes nor both in DER", "does not verify"
    for signature, why in [
            (foreign, wrong), (elsewhere, wrong), (raw[48:] + raw[:48], wrong), (bytes(96), wrong),
            (raw[:-1] + bytes([raw[-1] ^ 1]), wrong), (good + b"\n", neither), (good[:-1], neither),
            (raw + b"\0", neither), (b"", neither), (base64.b64encode(good), neither),
            (b"\x30\x06\x02\x01\x00\x02\x01\x00", wrong), (b"\x30\x06\x02\x01\x81\x02\x01\x01", neither)]:
        file.write_bytes(signature)
        done = sign(path, "--attach-signature", file, "--certificate", signer.path, env=env, code=5)
        assert why in done.stderr.decode(), signature.hex()
        assert path.read_bytes() == before
    path.write_bytes(make_eif([*PLAIN[:-1], (PLAIN[-1][0], PLAIN[-1][1] + bytes(4))]))
    file.write_bytes(good)
    done = sign(path, "--attach-signature", file, "--certificate", signer.path, env=env, code=5)
    assert wrong in done.stderr.decode() and Eif(path).of(SIGNATURE) == []


def test_ways_that_do_not_go_together(path, env, tmp_path):
    arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/a"
    for arguments, why in [
            (["--kms-key", arn], "give --certificate and one of"),
            (["--attach-signature", "s"], "give --certificate and one of"),
            (["--certificate", "c"], "give --certificate and one of"),
            (["--certificate", "c", "--kms-key", arn, "--private-key", "k"], "one of"),
            (["--certificate", "c", "--kms-key", arn, "--attach-signature", "s"], "one of"),
            (["--certificate", "c", "--kms-key", arn, "--export-digest", "d"], "one of"),
            (["--export-digest", "d", "--remove"], "or --remove alone"),
            (["--export-digest", "d", "--output", "o"], "leave --output out"),
            (["--export-digest", "d", "--profile", "p"], "--profile is for --kms-key only"),
            (["--certificate", "c", "--private-key", arn], "as --kms-key")]:
        done = sign(path, *arguments, env=env, code=2)
        assert why in done.stderr.decode()
