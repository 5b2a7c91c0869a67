# SPDX-License-Identifier: Apache-2.0
"""The builder's part of docs/deploying.md, typed as it stands: roles, instance, key, image, key policy and
wrapped key, in one shell. The AWS CLI is the real one. `aws kms` and `aws sts` talk to `enclave-sim kms`,
which lets the CLI assume the role key-admin by the trust policy of deploy/iam. What nobody
simulates here, IAM and EC2, the CLI checks against AWS's model of the service, and it then finds no
server. Run by scripts/check-peers."""
import base64
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system", "harness"))
from image_tools import bz_image
from kms_tools import ACCOUNT, ADMIN, BUILD, REGION, Kms, Nsm

ROOT = pathlib.Path(__file__).resolve().parents[2]
AWS = os.path.join(os.path.dirname(sys.executable), "aws")
SENT = ("kms", "sts", "configure")
ROOTS = "/usr/share/ca-certificates/mozilla"
# What is not typed here: packages and builds that others test, and the parent's login.
LEFT_OUT = ("sudo apt-get", "make", "cp build/enclaved.eif", "scp", "ssh")


def page():
    return (ROOT / "docs/deploying.md").read_text()


def section(title):
    return re.split(r"^## ", page().split(f"\n## {title}", 1)[1], flags=re.M)[0]


def commands(text):
    """The command lines of a text, continued ones joined; no output."""
    found = []
    for block in re.findall(r"(?:^    .*\n|^\n(?=    ))+", text, re.M):
        lines = re.sub(r"\\\n\s*", "", block).split("\n")
        if not block.strip().startswith("{"):
            found += [line.strip() for line in lines if line.strip()]
    return [line for line in found if not line.startswith(LEFT_OUT)]


@pytest.fixture
def kms(tmp_path):
    nsm = Nsm(tmp_path, {0: bytes(48)})
    folder = tmp_path / "kms"
    folder.mkdir()
    trust = json.loads((ROOT / "deploy/iam/key-admin-trust.json").read_text())
    server = Kms(folder, nsm.root_pem(), credentials=[ADMIN], roles=[
        {"arn": f"arn:aws:iam::{ACCOUNT}:role/key-admin",
         "trusts": [trust["Statement"][0]["Principal"]["AWS"]]}])
    yield server
    assert server.stop() == 0
    nsm.stop()


@pytest.fixture
def shell(tmp_path, kms):
    """Types lines into one bash; the folder looks like the top of the repository after make."""
    top = tmp_path / "repository"
    (top / "build").mkdir(parents=True)
    (top / "deploy").symlink_to(ROOT / "deploy")
    (top / "build/enclavectl").symlink_to(os.path.join(BUILD, "enclavectl"))
    (top / "build/bzImage").write_bytes(bz_image())
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "aws").write_text(f"""#!/bin/bash
for word in "$@"; do
    case $word in {"|".join(SENT)}) exec {AWS} "$@" ;; esac
done
# checked, made into a request, and sent to where nobody listens
said=$({AWS} "$@" --endpoint-url http://127.0.0.1:9 --no-sign-request 2>&1) && exit 9
grep -q '^Could not connect to the endpoint URL' <<<"$said" && exit 0
echo "$said" >&2
exit 1
""")
    (tools / "aws").chmod(0o755)
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text(
        f"[default]\naws_access_key_id = {ADMIN['access_key_id']}\n"
        f"aws_secret_access_key = {ADMIN['secret_access_key']}\n")
    server = f"https://localhost:{kms.port}"
    env = {"PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(tmp_path), "LANG": "C.UTF-8",
           "AWS_ENDPOINT_URL_KMS": server, "AWS_ENDPOINT_URL_STS": server, "AWS_CA_BUNDLE": kms.ca,
           "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1"}

    def run(lines, variables=()):
        script = "\n".join(["set -euo pipefail", *lines, *(f'echo "{v}=${v}"' for v in variables)])
        done = subprocess.run(["bash", "-c", script], cwd=top, env=env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run.top = top
    return run


@pytest.mark.skipif(not os.path.isdir(ROOTS), reason="no ca-certificates")
def test_the_builders_commands_work_as_they_stand(shell, kms):
    settings = commands(section("1. "))
    assert f"ACCOUNT={ACCOUNT}" in settings[1] and f"export AWS_DEFAULT_REGION={REGION}" == settings[0]
    asks = settings[1].partition("# yours: ")[2]
    assert json.loads(shell([settings[0], asks]))["Account"] == ACCOUNT
    roles = commands(section("2. "))
    assert sum(line.startswith("aws ") for line in roles) == 11
    shell([*settings, *roles])
    trust = json.loads((shell.top / "key-admin-trust.json").read_text())
    assert trust["Statement"][0]["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}

    image = commands(section("4. "))
    assert len(image) == 10 and image[2].startswith("build/enclavectl image build")
    assert "--private-key key.pem" in image[3] and "--kms-key" in image[9]
    del image[3]  # which wants a key in a file
    policy = commands(section("5. "))
    out = shell([*settings, *commands(section("3. ")), *image, *policy], ["KEY"])
    key = re.search(r"^KEY=(arn:.*)$", out, re.M).group(1)
    assert "verdict   allowed\n" in out and '"PCR8"' in out
    assert json.loads((shell.top / "enclaved.json").read_text())["kms"]["key_arn"] == key
    wrapped = base64.b64decode((shell.top / "tsk.b64").read_text(), validate=False)
    assert len(wrapped) > 32

    # and a second image beside it
    builds = [image[2].replace("--output enclaved.eif", "--output new.eif --image-version 2 --cmdline quiet")]
    update = [line for line in commands(section("9. ")) if not line.startswith("sudo")]
    assert len(update) == 2
    shell([*settings, f"KEY={key}", *builds, *update])
    kept = json.loads(shell([f"aws kms get-key-policy --key-id {key} --policy-name default "
                             f"--region {REGION} --query Policy --output text --profile key-admin"]))
    assert kept == json.loads((shell.top / "policy.json").read_text())
    assert len(kept["Statement"][-1]["Condition"]["StringEqualsIgnoreCase"]
               ["kms:RecipientAttestation:ImageSha384"]) == 2


@pytest.mark.parametrize("wrong", [
    "aws ec2 run-instances --instance-kind m5.xlarge",
    "aws iam create-role --role-name enclave",
    "aws ec2 run-instances --enclave-options Enable=true",
    "aws kms put-key-policy --key-id 1234 --policy-name default --policy file://nowhere.json",
])
def test_a_wrong_command_would_be_noticed(shell, wrong):
    with pytest.raises(AssertionError):
        shell(["export AWS_DEFAULT_REGION=eu-central-1", wrong])


def test_the_parents_login_is_a_command_that_the_cli_takes(shell):
    line = next(line for line in commands(section("6. ")) if line.startswith("PARENT="))
    assert shell(["export AWS_DEFAULT_REGION=eu-central-1", line], ["PARENT"]).startswith("PARENT=")
