# SPDX-License-Identifier: Apache-2.0
"""Inputs from reports of people who run enclaves, with what their README says is right. They lie
beside the project, in ../shared/cases."""
import base64
import json

import pytest

from host_tools import CASES, KEY, clean_environment, ctl
from relay_tools import Relay

MEASUREMENTS = CASES / "measurements"
WHO = ["--account", "111122223333", "--role", "enclave"]

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason=f"{CASES} is not there")


@pytest.fixture
def env(tmp_path):
    return clean_environment(tmp_path)


@pytest.fixture
def policy(env, tmp_path):
    """A policy that admits the image of one.json, PCR1 and PCR2 included."""
    path = tmp_path / "policy.json"
    done = ctl("policy", "render", "--measurements", MEASUREMENTS / "one.json", *WHO, "--pcr1", "--pcr2",
               "--output", path, env=env)
    assert done.returncode == 0, done.stderr
    return path


def ways(policy, listed):
    """The three commands that read measurements."""
    return (["policy", "render", "--measurements", listed, *WHO],
            ["policy", "check", "--measurements", listed, "--policy", policy],
            ["doctor", "--measurements", listed, "--policy", policy])


def test_one_image_is_allowed(env, policy):
    for command in ways(policy, MEASUREMENTS / "one.json"):
        done = ctl(*command, env=env)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_running_enclave_in_debug_mode_is_not_its_image(env, policy):
    """describe-enclaves prints the registers of the image; the documents of the enclave have zeros."""
    listed = MEASUREMENTS / "de-debug.json"
    render, check, doctor = (ctl(*command, env=env) for command in ways(policy, listed))
    assert render.returncode == 2 and b"--allow-debug" in render.stderr
    assert check.returncode == 1 and check.stdout.endswith(b"verdict   not allowed\n")
    assert b"an enclave in debug mode" in check.stdout
    assert doctor.returncode == 1
    assert b"fail  debug mode" in doctor.stdout and b"without --debug-mode" in doctor.stdout
    assert b"fail  policy" in doctor.stdout


@pytest.mark.parametrize("name, told", [
    ("de-two.json", ["2 enclaves", "first", "second"]),
    ("de-old.json", ["old", "without Measurements"]),
])
def test_a_list_that_says_nothing_certain_is_refused(env, policy, name, told):
    for command in ways(policy, MEASUREMENTS / name):
        done = ctl(*command, env=env)
        assert done.returncode not in (0, 3), command
        said = (done.stdout + done.stderr).decode()
        assert all(word in said for word in told), said
        assert "allowed" not in said.splitlines()[-1]


def test_each_enclave_of_a_list_alone(env, policy, tmp_path):
    """As the refusal of a list of several says."""
    listed = json.loads((MEASUREMENTS / "de-two.json").read_text())
    codes = []
    for enclave in listed:
        path = tmp_path / "one.json"
        path.write_text(json.dumps(enclave))
        codes.append(ctl("policy", "check", "--policy", policy, "--measurements", path, env=env).returncode)
    assert codes == [1, 0]


def test_the_relay_takes_the_list_of_vsock_proxy_in_block_style(tmp_path):
    relay = Relay(tmp_path, "127.0.0.1:8443", "--allow-file", CASES / "vsock-proxy.yaml", allow=False)
    try:
        assert relay.status()["allow"] == [
            "kms.us-east-1.amazonaws.com:443", "kms-fips.us-east-1.amazonaws.com:443",
            "s3.us-east-1.amazonaws.com:443", "127.0.0.1:8443"]
    finally:
        relay.end()


@pytest.mark.parametrize("name", ["t-quoted", "t-json", "t-text"])
def test_a_wrapped_key_as_the_aws_cli_printed_it(env, service, name):
    path = CASES / "wrapped" / name
    env = {**env, "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "s"}
    done = ctl("configure", "--to", service.address, "--wrapped-tsk-file", path, env=env)
    assert done.returncode == 0 and KEY in done.stdout.decode(), done.stderr
    sent = service.configured()[-1]["wrapped_tsk"]
    assert sent in path.read_text() and len(base64.b64decode(sent, validate=True)) == 77
