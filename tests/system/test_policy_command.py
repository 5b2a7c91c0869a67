# SPDX-License-Identifier: Apache-2.0
"""enclavectl policy: what render writes is put into the simulated KMS and asked with documents that
an independent NSM signs; check must say the same, and why."""
import base64
import datetime
import json
import os
import pathlib
import shutil
import stat

import pytest

from eif_tools import Signer, measurements, text_register, write_eif
from host_tools import ctl
from kms_tools import ACCOUNT, ADMIN, b64, new_rsa, open_envelope, spki_of

ROLE = f"arn:aws:iam::{ACCOUNT}:role/enclave"
INSTANCE = "i-0123456789abcdef0"
OTHER_INSTANCE = "i-0fedcba9876543210"
CONTEXT = {"purpose": "tsk", "app": "pay=1"}
PAIRS = [o for k, v in CONTEXT.items() for o in ("--encryption-context", f"{k}={v}")]
WHO = ["--account", ACCOUNT, "--role", "enclave"]
PREFIX = "kms:RecipientAttestation:"


@pytest.fixture(scope="module")
def recipient_key():
    return new_rsa()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Two releases, each signed by its own certificate, and one without a signature."""
    folder = tmp_path_factory.mktemp("images")
    signers = [Signer("one"), Signer("two")]
    made = {}
    for name, signer in (("a", signers[0]), ("b", signers[1]), ("plain", None)):
        path = folder / f"{name}.eif"
        made[name] = (path, write_eif(path, kernel=name.encode(), signer=signer))
    return made


def render(env, *arguments):
    done = ctl("policy", "render", *arguments, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(env, *arguments, verb="render"):
    done = ctl("policy", verb, *arguments, env=env)
    assert done.returncode in (2, 5) and done.stdout == b"" and done.stderr.count(b"\n") == 1
    return done.stderr.decode()


def decrypts(policy):
    return [s for s in json.loads(policy)["Statement"] if s["Sid"].startswith("AttestedDecrypt")]


def conditions(statement):
    equals = statement["Condition"]["StringEqualsIgnoreCase"]
    return {k[len(PREFIX):]: v for k, v in equals.items()}


class Key:
    """A KMS key under a policy, its wrapped session key, and who asks for it."""

    def __init__(self, kms, module, policy, recipient_key, folder):
        self.kms, self.module, self.key, self.folder = kms, module, recipient_key, folder
        admin = kms.admin()
        self.arn = admin.ok("CreateKey")["KeyMetadata"]["Arn"]
        admin.ok("PutKeyPolicy", KeyId=self.arn, PolicyName="default", Policy=policy.decode())
        reply = admin.ok("GenerateDataKeyWithoutPlaintext", KeyId=self.arn, KeySpec="AES_256",
                         EncryptionContext=CONTEXT)
        assert "Plaintext" not in reply
        self.wrapped = reply["CiphertextBlob"]

    def decrypt(self, pcrs, context=None, client=None, attested=True):
        members = {"CiphertextBlob": self.wrapped, "KeyId": self.arn,
                   "EncryptionContext": CONTEXT if context is None else context}
        if attested:
            members["Recipient"] = self.module.recipient(spki_of(self.key), pcrs=pcrs)
        return (client or self.kms.enclave()).call("Decrypt", members)

    def allows(self, pcrs, **request):
        reply = self.decrypt(pcrs, **request)
        if reply.status == 200:
            envelope = base64.b64decode(reply.json["CiphertextForRecipient"])
            assert len(open_envelope(self.folder, envelope, self.key)) == 32
            return True
        assert reply.type == "AccessDeniedException", reply.body
        return False


@pytest.fixture
def key_under(kms, module, recipient_key, tmp_path):
    return lambda policy: Key(kms, module, policy, recipient_key, tmp_path)


PROVISIONER = ["--provisioner", ADMIN["principal"]]


def test_the_images_of_these_tests_are_images(env, images):
    for path, pcrs in images.values():
        assert ctl("image", "verify", path, env=env).returncode == 0
        told = json.loads(ctl("image", "inspect", path, "--json", env=env).stdout)["Measurements"]
        signed = any(pcrs[8])
        assert {k: v for k, v in told.items() if k != "HashAlgorithm"} == {
            f"PCR{i}": pcrs[i].hex() for i in (0, 1, 2, *([8] if signed else []))}


# --- render: what it writes is what KMS makes of it ---

@pytest.mark.slow
def test_the_image_and_no_other(env, images, key_under):
    path, pcrs = images["a"]
    policy = render(env, "--image", path, *WHO, *PAIRS, *PROVISIONER)
    statement, = decrypts(policy)
    assert conditions(statement) == {"ImageSha384": pcrs[0].hex()}
    assert statement["Principal"] == {"AWS": ROLE} and statement["Action"] == "kms:Decrypt"
    assert statement["Condition"]["StringEquals"] == {
        f"kms:EncryptionContext:{k}": v for k, v in CONTEXT.items()}
    key = key_under(policy)
    assert key.allows(pcrs)
    assert not key.allows(images["b"][1])
    assert not key.allows({})  # debug mode
    assert not key.allows(pcrs, attested=False)
    assert not key.allows(pcrs, client=key.kms.admin())  # another principal
    reply = key.decrypt(pcrs, context={"purpose": "tsk"})
    assert reply.status == 400


def test_administration_neither_uses_nor_grants(env, images, key_under):
    policy = render(env, "--image", images["a"][0], *WHO, *PAIRS, *PROVISIONER)
    admin = next(s for s in json.loads(policy)["Statement"] if s["Sid"] == "Administration")
    assert admin["Principal"]["AWS"] == f"arn:aws:iam::{ACCOUNT}:root"
    assert not [a for a in admin["Action"]
                if a in ("kms:*", "kms:Create*", "kms:Put*") or "Decrypt" in a or "Encrypt" in a
                or "Generate" in a or "CreateGrant" in a]
    key = key_under(policy)
    assert key.kms.admin().error("Encrypt", KeyId=key.arn, Plaintext=b64(b"x"),
                                 EncryptionContext=CONTEXT).type == "AccessDeniedException"
    # a key for another use cannot be made under this one
    assert key.kms.admin().error("GenerateDataKeyWithoutPlaintext", KeyId=key.arn, KeySpec="AES_256",
                                 EncryptionContext={"purpose": "x"}).type == "AccessDeniedException"
    # and the policy can be changed again
    key.kms.admin().ok("PutKeyPolicy", KeyId=key.arn, PolicyName="default", Policy=policy.decode())


def test_without_a_provisioner_nobody_wraps(env, images):
    policy = render(env, "--image", images["a"][0], *WHO)
    assert [s["Sid"] for s in json.loads(policy)["Statement"]] == ["Administration",
                                                                  "AttestedDecrypt"]


@pytest.mark.slow
def test_every_switch(env, images, key_under):
    path, pcrs = images["a"]
    policy = render(env, "--image", path, *WHO, *PAIRS, *PROVISIONER, "--pcr1", "--pcr2", "--pcr3",
                    "--instance-id", INSTANCE, "--pcr8")
    whole = {**pcrs, 3: text_register(ROLE), 4: text_register(INSTANCE)}
    assert conditions(decrypts(policy)[0]) == {
        "ImageSha384": whole[0].hex(), **{f"PCR{i}": whole[i].hex() for i in (1, 2, 3, 4, 8)}}
    key = key_under(policy)
    assert key.allows(whole)
    for index in whole:
        assert not key.allows({**whole, index: bytes(47) + b"\1"}), index
        assert not key.allows({**whole, index: bytes(48)}), index


def test_instances_and_the_role_of_the_instance(env, images, key_under):
    path, pcrs = images["a"]
    parent = f"arn:aws:iam::{ACCOUNT}:role/fleet/parent"
    policy = render(env, "--image", path, *WHO, *PAIRS, *PROVISIONER, "--instance-id", INSTANCE,
                    "--instance-id", OTHER_INSTANCE, "--instance-role", "fleet/parent")
    assert conditions(decrypts(policy)[0])["PCR3"] == text_register(parent).hex()
    key = key_under(policy)
    for instance in (INSTANCE, OTHER_INSTANCE):
        assert key.allows({**pcrs, 3: text_register(parent), 4: text_register(instance)})
    assert not key.allows({**pcrs, 3: text_register(parent),
                           4: text_register("i-00000000000000000")})
    assert not key.allows({**pcrs, 3: text_register(ROLE), 4: text_register(INSTANCE)})


def test_rolling_update(env, images, key_under):
    (a, old), (b, new) = images["a"], images["b"]
    policy = render(env, "--image", a, "--image", b, *WHO, *PAIRS, *PROVISIONER)
    statement, = decrypts(policy)
    assert conditions(statement) == {"ImageSha384": [old[0].hex(), new[0].hex()]}
    key = key_under(policy)
    assert key.allows(old) and key.allows(new) and not key.allows(images["plain"][1])


@pytest.mark.slow
def test_no_image_under_the_other_ones_registers(env, images, key_under):
    """Two lists would let in image A signed by B's certificate."""
    (a, old), (b, new) = images["a"], images["b"]
    policy = render(env, "--image", a, "--image", b, *WHO, *PAIRS, *PROVISIONER, "--pcr1", "--pcr8")
    assert [s["Sid"] for s in decrypts(policy)] == ["AttestedDecrypt1", "AttestedDecrypt2"]
    key = key_under(policy)
    assert key.allows(old) and key.allows(new)
    for index in (0, 1, 8):
        assert not key.allows({**old, index: new[index]})
        assert not key.allows({**new, index: old[index]})
    assert key.allows({**old, 2: new[2]})  # was not asked for


def test_measurements_give_the_same_policy(env, images, tmp_path):
    path, pcrs = images["a"]
    file = tmp_path / "m.json"
    for text in (measurements(pcrs, signed=True), json.dumps([json.loads(measurements(pcrs, True))]),
                 json.dumps({f"PCR{i}": v.hex().upper() for i, v in pcrs.items()})):
        file.write_text(text)
        switches = [*WHO, "--pcr1", "--pcr2", "--pcr8"]
        assert (render(env, "--measurements", file, *switches)
                == render(env, "--image", path, *switches))


@pytest.mark.parametrize("arguments, root, role", [
    (["--role", "arn:aws-cn:iam::111122223333:role/p/enclave"], "arn:aws-cn:iam::111122223333:root",
     "arn:aws-cn:iam::111122223333:role/p/enclave"),
    (["--partition", "aws-us-gov", *WHO], f"arn:aws-us-gov:iam::{ACCOUNT}:root",
     f"arn:aws-us-gov:iam::{ACCOUNT}:role/enclave"),
    (["--account", "999999999999", "--role", ROLE], "arn:aws:iam::999999999999:root", ROLE),
])
def test_partitions_and_accounts(env, images, arguments, root, role):
    done = ctl("policy", "render", "--image", images["a"][0], *arguments, env=env)
    admin, decrypt = json.loads(done.stdout)["Statement"]
    assert admin["Principal"]["AWS"] == root and decrypt["Principal"]["AWS"] == role
    assert (b"different account" in done.stderr) == ("999999999999" in root)


def test_a_listed_enclave_in_debug_mode_has_zeros(env, images, tmp_path):
    """As its documents have; describe-enclaves prints the registers of its image."""
    item = json.loads(measurements(images["a"][1], signed=True))
    file, zeros = tmp_path / "listed.json", tmp_path / "zeros.json"
    file.write_text(json.dumps([{**item, "EnclaveName": "x", "Flags": "DEBUG_MODE"}]))
    zeros.write_text(measurements({i: bytes(48) for i in range(3)}))
    assert "--allow-debug" in refused(env, "--measurements", file, *WHO)
    assert (render(env, "--measurements", file, *WHO, "--pcr1", "--pcr2", "--allow-debug")
            == render(env, "--measurements", zeros, *WHO, "--pcr1", "--pcr2", "--allow-debug"))


def test_debug_mode_by_request_only(env, tmp_path, images, key_under):
    file = tmp_path / "debug.json"
    file.write_text(measurements({i: bytes(48) for i in range(3)}))
    assert "--allow-debug" in refused(env, "--measurements", file, *WHO)
    done = ctl("policy", "render", "--measurements", file, *WHO, *PAIRS, *PROVISIONER,
               "--allow-debug", env=env)
    assert done.returncode == 0 and b"every enclave in debug mode" in done.stderr
    key = key_under(done.stdout)
    assert key.allows({}) and not key.allows(images["a"][1])


def test_output_to_a_pipe_leaves_the_pipe(env, tmp_path, images):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert render(env, "--image", images["a"][0], *WHO, "--output", pipe) == b""
    assert stat.S_ISFIFO(os.stat(pipe).st_mode)
    assert json.loads(os.read(reader, 65536))["Statement"]
    os.close(reader)


def test_output_is_no_image_that_was_given(env, tmp_path, images):
    image = pathlib.Path(images["a"][0])
    before, alias = image.read_bytes(), tmp_path / "alias"
    shutil.copy(image, tmp_path / "image.eif")
    image = tmp_path / "image.eif"
    os.link(image, alias)
    for output in image, alias:
        assert "is also given as" in refused(env, "--image", image, *WHO, "--output", output)
    assert image.read_bytes() == before


def test_output_to_standard_output(env, images):
    printed = render(env, "--image", images["a"][0], *WHO)
    assert printed and render(env, "--image", images["a"][0], *WHO, "--output", "-") == printed


def test_output_is_whole_or_not_at_all(env, tmp_path, images):
    out = tmp_path / "policy.json"
    arguments = ["--image", images["a"][0], *WHO, "--output", out]
    assert render(env, *arguments) == b""
    assert out.read_bytes() == render(env, *arguments[:-2])
    assert stat.S_IMODE(out.stat().st_mode) == 0o644
    before = out.read_bytes()
    refused(env, *arguments, "--instance-id", "garbage")
    assert out.read_bytes() == before and os.listdir(tmp_path) == ["policy.json"]
    assert "cannot write" in refused(env, *arguments[:-1], tmp_path / "none/policy.json")


def test_a_policy_that_kms_would_not_take(env, tmp_path):
    files = []
    for i in range(64):
        file = tmp_path / f"{i}.json"
        file.write_text(measurements({n: bytes([i + 1, n]) * 24 for n in range(3)}))
        files += ["--measurements", file]
    # a list of 64 fits; 64 statements of three registers and 64 instances do not
    assert len(conditions(decrypts(render(env, *files, *WHO))[0])["ImageSha384"]) == 64
    instances = [o for i in range(3) for o in ("--instance-id", f"i-{i:017x}")]
    told = refused(env, *files, *WHO, "--pcr1", "--pcr2", *instances)
    assert "32768" in told
    assert "at most 64" in refused(env, *files, "--image", "x", *WHO)


def test_lines_give_way_where_only_one_line_fits(env, tmp_path):
    files = []
    for i in range(48):
        file = tmp_path / f"{i}.json"
        file.write_text(measurements({n: bytes([i + 1, n]) * 24 for n in range(3)}))
        files += ["--measurements", file]
    for count, lines in ((10, True), (48, False)):
        policy = render(env, *files[:2 * count], *WHO, "--pcr1", "--pcr2")
        assert len(policy) <= 32768 and (policy.count(b"\n") > 1) == lines
        assert len(decrypts(policy)) == count


@pytest.mark.parametrize("arguments, told", [
    ([], "needs --role NAME|ARN"), (WHO, "no image"), (["--image", "{a}"], "--role"),
    (["--image", "{a}", "--role", "enclave"], "--account"),
    (["--image", "{a}", "--role", "enclave", "--account", "12345"], "want 12 digits"),
    (["--image", "{a}", "--role", "enclave", "--account", "11112222333x"], "want 12 digits"),
    (["--image", "{a}", "--account", ACCOUNT, "--role", "a b"], "neither a name nor an ARN"),
    (["--image", "{a}", "--account", ACCOUNT, "--role", ""], "neither a name nor an ARN"),
    (["--image", "{a}", "--account", ACCOUNT, "--role", "x" * 65], "neither a name nor an ARN"),
    (["--image", "{a}", "--account", ACCOUNT, "--role", "a//b"], "neither a name nor an ARN"),
    (["--image", "{a}", "--role", f"arn:aws:iam::{ACCOUNT}:user/x"], "neither a name nor an ARN"),
    (["--image", "{a}", "--role", f"arn:aws:iam::{ACCOUNT}:root"], "neither a name nor an ARN"),
    (["--image", "{a}", "--role", f"arn:aws:iam:eu:{ACCOUNT}:role/x"], "neither a name nor an ARN"),
    (["--image", "{a}", "--role", "arn:aws:iam::1:role/x"], "neither a name nor an ARN"),
    (["--image", "{a}", "--role", f"arn:azure:iam::{ACCOUNT}:role/x"], "neither a name nor an ARN"),
    (["--image", "{a}", "--role", f"arn:aws:iam::{ACCOUNT}:role/" + "x" * 900], "neither a name"),
    (["--image", "{a}", "--role", f"arn:aws:sts::{ACCOUNT}:assumed-role/enclave/i-0"], "a session"),
    (["--image", "{a}", *WHO, "--partition", "gcp"], "not a partition"),
    (["--image", "{a}", *WHO, "--partition", "aws-"], "not a partition"),
    (["--image", "{a}", *WHO, "--partition", "awsome"], "not a partition"),
    (["--image", "{a}", "--partition", "aws-cn", "--role", ROLE], "is in partition aws"),
    (["--image", "{a}", *WHO, "--provisioner", "arn:aws-cn:iam::111122223333:role/p"], "partition"),
    (["--image", "{a}", "--image", "{a}", *WHO], "the same image"),
    (["--image", "{a}", "--image", "{b}", *WHO, "--role", "x"], "twice"),
    (["--image", "{plain}", *WHO, "--pcr8"], "not signed"),
    (["--measurements", "{unsigned}", *WHO, "--pcr8"], "not signed"),
    (["--measurements", "{only0}", *WHO, "--pcr1"], "has no PCR1"),
    (["--measurements", "{broken}", *WHO], "has no PCR1"),
    (["--measurements", "{garbage}", *WHO], "garbage"),
    (["--measurements", "{two}", *WHO], "2 enclaves, and one is wanted (\"a\", \"b\")"),
    (["--measurements", "{many}", *WHO], "300 enclaves"),
    (["--measurements", "{none}", *WHO], "no enclave"),
    (["--measurements", "{old}", *WHO], "\"i-05-enc17\" is listed without Measurements"),
    (["--measurements", "{beyond}", *WHO], "\"PCR32\" of the measurements is none of"),
    (["--measurements", "/nowhere", *WHO], "cannot open"),
    (["--image", "/nowhere", *WHO], "nowhere"),
    (["--image", "{garbage}", *WHO], "garbage"),
    (["--image", "{a}", *WHO, "--instance-id", "i-123"], "not an instance id"),
    (["--image", "{a}", *WHO, "--instance-id", "i-0123456789ABCDEF0"], "not an instance id"),
    (["--image", "{a}", *WHO, "--instance-id", INSTANCE, "--instance-id", INSTANCE], "twice"),
    (["--image", "{a}", *WHO, "--encryption-context", "purpose"], "NAME=VALUE"),
    (["--image", "{a}", *WHO, "--encryption-context", "=x"], "NAME=VALUE"),
    (["--image", "{a}", *WHO, "--encryption-context", "a=x", "--encryption-context", "A=y"], "twice"),
    (["--image", "{a}", *WHO, "--encryption-context", "a=${aws:username}"],
     "--encryption-context a=${aws:username}: ${ starts a policy variable"),
    (["--image", "{a}", *WHO, "--encryption-context", "a=\x01"], "not printable"),
    (["--image", "{a}", *WHO, "surplus"], "unexpected argument"),
])
def test_what_render_refuses(env, images, tmp_path, arguments, told):
    files = {"unsigned": measurements(images["plain"][1]), "only0": json.dumps({"PCR0": "ab" * 48}),
             "two": json.dumps([{"EnclaveName": name, "PCR0": "ab" * 48} for name in "ab"]),
             "many": json.dumps([{"EnclaveName": "name" * 9}] * 300), "none": "[]",
             "old": '[{"EnclaveID": "i-05-enc17"}]',
             "beyond": json.dumps({"PCR0": "ab" * 48, "PCR32": "ab" * 48}),
             "garbage": "garbage", "broken": json.dumps({"Measurements": {"PCR0": "zz" * 48}})}
    if "{broken}" in arguments:
        told = "not 96 hex digits"
    names = {name: str(tmp_path / f"{name}.json") for name in files}
    for name, text in files.items():
        (tmp_path / f"{name}.json").write_text(text)
    names.update({name: str(path) for name, (path, _) in images.items()})
    filled = [names.get(a[1:-1], a) if a.startswith("{") else a for a in arguments]
    assert told in refused(env, *filled)


def test_failures_in_json(env, images):
    done = ctl("policy", "render", "--image", images["a"][0], "--json", env=env)
    assert done.returncode == 2 and json.loads(done.stdout)["code"] == "usage"


@pytest.mark.parametrize("arguments, code", [([], 2), (["--help"], 0), (["polish"], 2),
                                             (["render", "--help"], 0), (["check", "--help"], 0)])
def test_verbs(env, arguments, code):
    done = ctl("policy", *arguments, env=env)
    assert done.returncode == code
    assert code or b"examples:" in done.stdout


# --- check: says what KMS says, and why ---

def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def check(env, policy, *arguments):
    """Both forms of the answer must agree."""
    text = ctl("policy", "check", "--policy", policy, *arguments, env=env)
    done = ctl("policy", "check", "--policy", policy, *arguments, "--json", env=env)
    told = json.loads(done.stdout)
    assert done.returncode == text.returncode == (0 if told["allowed"] else 1)
    assert told["allowed"] == (told["verdict"] == "allowed") == (told["status"] == "success")
    lines = text.stdout.decode()
    assert lines.splitlines()[-1] == "verdict   " + told["verdict"].replace("_", " ")
    assert "\x1b" not in lines
    reasons = [line[10:] for line in lines.splitlines() if line.startswith("reason    ")]
    assert reasons == told["reasons"]
    shown = sum(line.startswith(("  yes  ", "  no   ")) for line in lines.splitlines())
    assert shown == sum(len(s["elements"]) for s in told["statements"])
    return told


@pytest.fixture
def policy_file(env, images, tmp_path):
    def make(*arguments):
        return write(tmp_path / "policy.json", render(env, *arguments, *WHO, *PAIRS, *PROVISIONER))
    return make


def test_check_says_what_kms_says(env, images, policy_file, key_under, module, recipient_key,
                                  tmp_path):
    """One image, many claims: the engine offline and the service agree on each."""
    path, pcrs = images["a"]
    policy = policy_file("--image", path, "--pcr1", "--pcr3", "--pcr8")
    root = write(tmp_path / "root.pem", module.root_pem())
    key = key_under(policy.read_bytes())
    whole = {**pcrs, 3: text_register(ROLE)}
    for claims in (whole, {}, {**whole, 0: bytes(48)}, {**whole, 1: b"\1" * 48},
                   {**whole, 8: bytes(48)}, {**whole, 5: b"\5" * 48}, images["b"][1]):
        document = write(tmp_path / "document",
                         module.document(spki_of(recipient_key), pcrs=claims))
        told = check(env, policy, "--document", document, "--nsm-root", root, *PAIRS)
        assert told["allowed"] == key.allows(claims), claims
        assert told["evidence"]["debug"] == (claims == {})


def test_which_register_it_was(env, images, policy_file):
    (a, old), (_, new) = images["a"], images["b"]
    mixed = write(a.parent / "mixed.json", measurements({**new, 1: old[1]}))
    told = check(env, policy_file("--image", a, "--pcr1"), "--measurements", mixed, *PAIRS)
    assert told["reasons"] == ["statement AttestedDecrypt does not allow it: "
                               "PCR1 matches, PCR0 does not"]
    elements = told["statements"][-1]["elements"]
    assert [e["element"] for e in elements] == ["Principal", "Action", "Resource"] + [
        "StringEqualsIgnoreCase"] * 2 + ["StringEquals"] * 2
    assert elements[3] == {"element": "StringEqualsIgnoreCase", "key": PREFIX + "ImageSha384",
                           "wanted": old[0].hex(), "actual": new[0].hex(), "matches": False}
    assert elements[4]["matches"] and elements[4]["actual"] == old[1].hex()


@pytest.mark.parametrize("switches, more, reason", [
    (["--pcr1", "--pcr2"], [], "PCR2 matches, PCR0 and PCR1 do not"),
    (["--pcr3"], [], "PCR0 does not match, PCR3 is not known of an image"),
    (["--pcr3", "--instance-id", INSTANCE], ["--instance-role", ROLE],
     "PCR3 matches, PCR0 does not, PCR4 is not known of an image"),
    (["--pcr3", "--instance-id", INSTANCE], ["--instance-role", ROLE, "--instance-id", INSTANCE],
     "PCR3 and PCR4 match, PCR0 does not"),
    (["--pcr3"], ["--instance-role", ROLE + "x"], "PCR0 and PCR3 do not match"),
])
def test_reasons(env, images, policy_file, switches, more, reason):
    policy = policy_file("--image", images["a"][0], *switches)
    told = check(env, policy, "--image", images["b"][0], *PAIRS, *more)
    assert told["reasons"] == [f"statement AttestedDecrypt does not allow it: {reason}"]


def test_the_encryption_context_is_looked_at(env, images, policy_file):
    policy = policy_file("--image", images["a"][0])
    image = ["--image", images["a"][0]]
    assert check(env, policy, *image, *PAIRS)["reasons"] == ["statement AttestedDecrypt allows it"]
    told = check(env, policy, *image, "--encryption-context", "purpose=other")
    assert told["reasons"] == ["statement AttestedDecrypt does not allow it: PCR0 matches; "
                               "kms:EncryptionContext:purpose does not match, "
                               "kms:EncryptionContext:app is missing"]


def test_principal_action_and_key(env, images, policy_file):
    policy, image = policy_file("--image", images["a"][0]), ["--image", images["a"][0], *PAIRS]
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/enclave/i-0"
    assert check(env, policy, *image)["principal"] == ROLE
    assert check(env, policy, *image, "--principal", session)["allowed"]
    for more in (["--principal", ROLE + "x"], ["--action", "kms:Encrypt"],
                 ["--action", "kms:GenerateDataKey"]):
        told = check(env, policy, *image, *more)
        assert not told["allowed"] and "--principal" in told["reasons"][0]
    assert check(env, policy, *image, "--principal", ADMIN["principal"], "--action",
                 "kms:GenerateDataKeyWithoutPlaintext")["allowed"]


def test_deny_and_no_condition(env, images, tmp_path):
    path, pcrs = images["a"]
    allow = {"Sid": "Open", "Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "kms:*",
             "Resource": "*"}
    deny = {"Sid": "Old", "Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt",
            "Resource": "*", "Condition": {"StringEquals": {PREFIX + "PCR0": pcrs[0].hex()}}}
    policy = tmp_path / "p.json"
    policy.write_text(json.dumps({"Version": "2012-10-17", "Statement": [allow, deny]}))
    told = check(env, policy, "--image", path, "--principal", ROLE)
    assert told["verdict"] == "denied_explicitly"
    assert told["reasons"] == ["statement Open allows it without a condition on a register, "
                               "whatever runs",
                               "statement Old denies it, whatever others allow"]
    told = check(env, policy, "--image", images["b"][0], "--principal", ROLE)
    assert told["verdict"] == "allowed" and len(told["reasons"]) == 1


# --- documents: believed only once verified ---

def stored(module, recipient_key, pcrs, **how):
    return module.document(spki_of(recipient_key), pcrs=pcrs, **how)


def test_documents_raw_and_in_base64(env, images, policy_file, module, recipient_key, tmp_path):
    policy = policy_file("--image", images["a"][0])
    raw = stored(module, recipient_key, images["a"][1])
    root = write(tmp_path / "root.pem", module.root_pem())
    der = write(tmp_path / "root.der", base64.b64decode(
        b"".join(module.root_pem().splitlines()[1:-1])))
    for content in (raw, base64.b64encode(raw), base64.encodebytes(raw)):
        for trusted in (root, der):
            document = write(tmp_path / "document", content)
            told = check(env, policy, "--document", document, "--nsm-root", trusted, *PAIRS)
            assert told["allowed"] and told["evidence"]["module_id"] == "i-0123-enc0123"


def test_unbelievable_documents(env, images, policy_file, module, recipient_key, tmp_path):
    policy = policy_file("--image", images["a"][0])
    root = write(tmp_path / "root.pem", module.root_pem())
    good = stored(module, recipient_key, images["a"][1])

    def told(content, *more):
        document = write(tmp_path / "document", content)
        return refused(env, "--policy", policy, "--document", document, *more, verb="check")

    assert "root: " in told(good) and "--nsm-root" in told(good)  # AWS did not sign this
    tampered = stored(module, recipient_key, images["a"][1], tamper=True)
    assert "not trusted: signature:" in told(tampered, "--nsm-root", root)
    expired = stored(module, recipient_key, images["a"][1], expired=True)
    assert "--at document" in told(expired, "--nsm-root", root)
    assert "not trusted: shape:" in told(good[:-100], "--nsm-root", root)
    assert "not trusted: shape:" in told(b"\x84" + bytes(40), "--nsm-root", root)
    assert "shape:" in told(stored(module, recipient_key, {}, tag=True), "--nsm-root", root)
    for junk in (b"", b"garbage", b"AAAA====", b"\xff" * 50):
        assert "not an attestation document" in told(junk, "--nsm-root", root)
    assert "longer than" in told(b"\x84" + bytes(40000), "--nsm-root", root)
    junk = write(tmp_path / "junk", b"no certificate")
    assert "not a certificate" in told(good, "--nsm-root", junk)
    # an issuer of the chain is not its root
    zonal = module.certificates[1]
    from cryptography.hazmat.primitives import serialization
    issuer = write(tmp_path / "issuer.pem", zonal.public_bytes(serialization.Encoding.PEM))
    assert "root: " in told(good, "--nsm-root", issuer)


def test_at_a_time(env, images, policy_file, module, recipient_key, tmp_path):
    policy = policy_file("--image", images["a"][0])
    root = write(tmp_path / "root.pem", module.root_pem())
    document = write(tmp_path / "document", stored(module, recipient_key, images["a"][1],
                                                   expired=True))
    arguments = ["--document", document, "--nsm-root", root, *PAIRS]
    hour_ago = datetime.datetime.utcnow() - datetime.timedelta(minutes=30)
    assert check(env, policy, *arguments, "--at", hour_ago.strftime("%Y-%m-%dT%H:%M:%SZ"))["allowed"]
    early = refused(env, "--policy", policy, *arguments, "--at", "2020-01-01T00:00:00Z", verb="check")
    assert "not yet valid" in early
    # made ten minutes after its leaf had ended: not good at its own time either
    assert "expired" in refused(env, "--policy", policy, *arguments, "--at", "document", verb="check")
    fresh = write(tmp_path / "fresh", stored(module, recipient_key, images["a"][1]))
    assert check(env, policy, "--document", fresh, "--nsm-root", root, *PAIRS, "--at",
                 "document")["allowed"]


VECTORS = os.environ.get("VECTORS") or os.path.join(os.path.dirname(__file__),
                                                    "..", "..", "..", "shared", "vectors")


@pytest.mark.slow
def test_documents_that_aws_signed(env, tmp_path):
    folder = os.path.join(VECTORS, "attestation")
    if not os.path.isdir(folder):
        pytest.skip("no documents of AWS's here")
    with open(os.path.join(folder, "index.json")) as file:
        index = json.load(file)
    believed = 0
    for entry in index:
        path = os.path.join(folder, entry["file"])
        good = entry["aws_root"] and entry["chain_ok"] and entry["cose_sig_ok"]
        pcr0 = "ab" * 48
        policy = write(tmp_path / "p.json", json.dumps({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "kms:Decrypt", "Resource": "*",
            "Condition": {"StringEqualsIgnoreCase": {PREFIX + "PCR0": pcr0}}}}))
        arguments = ["--policy", policy, "--document", path]
        if not good:
            assert "not trusted" in refused(env, *arguments, "--at", "document", verb="check")
            continue
        believed += 1
        told = check(env, policy, "--document", path, "--at", "document")
        assert not told["allowed"] and told["evidence"]["debug"] == entry["debug"]
        actual = told["statements"][0]["elements"][3]["actual"]
        assert len(actual) == 96 and (actual == "0" * 96) == entry["debug"]
        assert "--at document" in refused(env, *arguments, verb="check")  # years old
        again = write(tmp_path / "p.json", policy.read_text().replace(pcr0, actual.upper()))
        assert check(env, again, "--document", path, "--at", "document")["allowed"]
    assert believed >= 8


@pytest.mark.parametrize("arguments, told", [
    ([], "needs --policy FILE"), (["--policy", "{p}"], "nothing to compare"),
    (["--policy", "{p}", "--image", "{a}", "--measurements", "x"], "give one of"),
    (["--policy", "{p}", "--image", "{a}", "--at", "document"], "need --document"),
    (["--policy", "{p}", "--image", "{a}", "--nsm-root", "x"], "need --document"),
    (["--policy", "{p}", "--document", "x", "--instance-role", ROLE], "a document has PCR3"),
    (["--policy", "{p}", "--document", "x", "--at", "yesterday"], "--at takes a time"),
    (["--policy", "{p}", "--image", "{a}", "--instance-id", "i"], "not an instance id"),
    (["--policy", "{p}", "--image", "{a}", "--instance-role", "enclave"], "--account"),
    (["--policy", "{p}", "--image", "{a}", "--action", "Decrypt"], "service:name"),
    (["--policy", "{p}", "--image", "{a}", "--encryption-context", "x"], "NAME=VALUE"),
    (["--policy", "{p}", "--image", "{a}", "--principal", "x" * 3000], "longer than"),
    (["--policy", "{p}", "--image", "{a}", "--principal", "enclave"],
     "--principal enclave is not the ARN of a principal"),
    (["--policy", "{p}", "--image", "{a}", "--key", "alias/tsk"],
     "--key alias/tsk is not the ARN of a key"),
    (["--policy", "/nowhere", "--image", "{a}"], "cannot open"),
    (["--policy", "{p}", "--image", "{a}", "--encryption-context", "a=${b}"],
     "${ starts a policy variable"),
    (["--policy", "{garbage}", "--image", "{a}"], "not a key policy"),
    (["--policy", "{odd}", "--image", "{a}"], "StringOdd is not supported"),
    (["--policy", "{long}", "--image", "{a}"], "32768"),
    (["--policy", "{p}", "--image", "{garbage}"], "garbage"),
    (["--policy", "{p}", "--document", "/nowhere"], "cannot open"),
    (["--policy", "{p}", "surplus"], "unexpected argument"),
])
def test_what_check_refuses(env, images, policy_file, tmp_path, arguments, told):
    names = {"p": str(policy_file("--image", images["a"][0])), "a": str(images["a"][0])}
    good = json.loads((tmp_path / "policy.json").read_text())
    odd = json.loads(json.dumps(good))
    odd["Statement"][2]["Condition"] = {"StringOdd": {"a:b": "c"}}
    for name, text in {"garbage": "garbage", "odd": json.dumps(odd),
                       "long": json.dumps(good) + " " * 33000}.items():
        names[name] = str(write(tmp_path / name, text))
    filled = [names.get(a[1:-1], a) if a.startswith("{") else a for a in arguments]
    assert told in refused(env, *filled, verb="check")


def test_hostile_text_cannot_steer_the_terminal(env, images, tmp_path):
    statement = {"Sid": "\x1b[2Jred\n", "Effect": "Allow", "Principal": {"AWS": ROLE},
                 "Action": "kms:Decrypt", "Resource": "*",
                 "Condition": {"StringEquals": {"kms:EncryptionContext:\x1b]0;x\x07": "\r\nv" * 400}}}
    policy = write(tmp_path / "p.json",
                   json.dumps({"Version": "2012-10-17", "Statement": [statement] * 3}))
    told = check(env, policy, "--image", images["a"][0])
    assert told["statements"][0]["statement"] == "\x1b[2Jred\n" and len(told["reasons"]) == 3
    text = ctl("policy", "check", "--policy", policy, "--image", images["a"][0], env=env).stdout
    assert not [b for b in text if b < 32 and b != 10] and max(text) < 127
