# SPDX-License-Identifier: Apache-2.0
"""enclavectl with a real enclaved-dev and the simulators: why KMS refuses, explained to the operator."""
import json
import os
import subprocess

import pytest

from host_tools import BUILD, CTL, clean_environment, ctl

if not all(os.path.exists(os.path.join(BUILD, p)) for p in ("enclave-sim", "enclaved-dev")):
    pytest.skip("enclave-sim or enclaved-dev is not built", allow_module_level=True)

from enclave_tools import CONTEXT, PCR0, Enclaved, Nsm, key_policy
from kms_tools import ENCLAVE, REGION


@pytest.fixture
def env(tmp_path, world):
    return clean_environment(
        tmp_path, AWS_ACCESS_KEY_ID=ENCLAVE["access_key_id"],
        AWS_SECRET_ACCESS_KEY=ENCLAVE["secret_access_key"],
        AWS_SESSION_TOKEN=ENCLAVE["session_token"], ENCRYPTED_TSK=world.wrapped)


def session_key(enclaved, env):
    told = ctl("doctor", "--to", enclaved.address, "--json", env=env)
    checks = json.loads(told.stdout)["checks"]
    return [c for c in checks if c["check"] == "session key"]


def test_configure_and_pipeline(world, env, tmp_path):
    enclaved = Enclaved(world, tmp_path)
    try:
        refused = ctl("pipeline", "--to", enclaved.address, "--payload", "1", env=env)
        assert refused.returncode == 1 and b"not_configured" in refused.stderr
        done = ctl("configure", "--to", enclaved.address, "--region", REGION, env=env)
        assert done.returncode == 0, done.stderr
        assert done.stdout.decode().startswith(f"ready: {world.key_arn}")
        assert ctl("pipeline", "--to", enclaved.address, "--payload", "1", env=env).returncode == 0
        assert session_key(enclaved, env) == []
        wrong = ctl("configure", "--to", enclaved.address, "--region", "us-east-1", env=env)
        assert wrong.returncode == 1 and b"the pinned KMS key is in" in wrong.stderr
        assert json.loads(ctl("configure", "--to", enclaved.address, "--region", "us-east-1", "--json",
                              env=env).stdout)["code"] == "region_mismatch"
        pair = [part for name, value in CONTEXT.items()
                for part in ("--encryption-context", f"{name}={value}")]
        for context in (["--encryption-context", "a=b"], [*pair, "--encryption-context", "a=b"],
                        ["--encryption-context", f"{next(iter(CONTEXT))}=x"]):
            wrong = ctl("configure", "--to", enclaved.address, *context, "--json", env=env)
            assert wrong.returncode == 1
            assert json.loads(wrong.stdout)["code"] == "encryption_context_mismatch"
        done = ctl("configure", "--to", enclaved.address, "--region", REGION, *pair, env=env)
        assert done.returncode == 0, done.stderr
    finally:
        enclaved.stop()


def test_doctor_says_whose_the_credentials_are(world, env):
    """By the simulated STS, which knows some credentials and not others."""
    sts = {"AWS_ENDPOINT_URL_STS": f"https://localhost:{world.kms.port}", "AWS_CA_BUNDLE": world.kms.ca,
           "AWS_REGION": REGION}

    def told(**more):
        done = ctl("doctor", "--json", env={**env, **sts, **more})
        return [(c["result"], c["cause"]) for c in json.loads(done.stdout)["checks"] if c["check"] == "aws"]

    assert ("ok", f"they are of {ENCLAVE['principal']}") in told()
    wrong = told(AWS_SECRET_ACCESS_KEY="junk")
    assert wrong[1][0] == "fail" and "SignatureDoesNotMatch" in wrong[1][1]


def test_success_means_that_the_credentials_were_tried(world, env, tmp_path):
    """Also where they come alone, to a service that is ready."""
    enclaved = Enclaved(world, tmp_path)
    alone = {name: value for name, value in env.items() if name != "ENCRYPTED_TSK"}
    try:
        assert ctl("configure", "--to", enclaved.address, env=env).returncode == 0
        junk = ctl("configure", "--to", enclaved.address, "--json",
                   env={**alone, "AWS_SECRET_ACCESS_KEY": "junk"})
        assert junk.returncode == 1 and json.loads(junk.stdout)["code"] == "kms_denied"
        assert b"the secret access key does not belong to the access key id" in junk.stderr
        assert ctl("configure", "--to", enclaved.address, env=alone).returncode == 0
    finally:
        enclaved.stop()


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["500 2", "throttle 2", "reset 1", "half 1"])
def test_failures_that_pass_are_repeated(world, env, tmp_path, fault):
    enclaved = Enclaved(world, tmp_path)
    try:
        world.kms.write_faults(f"Decrypt {fault}")
        done = ctl("configure", "--to", enclaved.address, env=env)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count(b"; trying again in ") == int(fault.split()[1])
        assert enclaved.health()["state"] == "ready"
    finally:
        world.kms.write_faults()
        enclaved.stop()


def test_a_repetition_has_what_standard_input_brought(world, env, tmp_path):
    enclaved = Enclaved(world, tmp_path)
    try:
        world.kms.write_faults("Decrypt throttle 2")
        done = ctl("configure", "--to", enclaved.address, "--wrapped-tsk-file", "-", env=env,
                   stdin=world.wrapped.encode())
        assert done.returncode == 0, done.stderr
        assert done.stderr.count(b"; trying again in ") == 2
    finally:
        world.kms.write_faults()
        enclaved.stop()


@pytest.mark.slow
def test_failures_that_last_end_in_time(world, env, tmp_path):
    enclaved = Enclaved(world, tmp_path)
    try:
        world.kms.write_faults("Decrypt throttle 1000")
        done = ctl("configure", "--to", enclaved.address, "--timeout", "4", "--json", env=env)
        assert done.returncode == 1 and json.loads(done.stdout)["code"] == "kms_throttled", done
        assert b"trying again" in done.stderr
    finally:
        world.kms.write_faults()
        enclaved.stop()


def test_a_watch_brings_a_throttled_start_to_its_key(world, env, tmp_path):
    names = ("ENCRYPTED_TSK", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    world.kms.write_faults("Decrypt throttle 3")
    enclaved = Enclaved(world, tmp_path, env={name: env[name] for name in names})
    try:
        assert enclaved.wait_for("awaiting_configuration")["last_error"]["code"] == "kms_throttled"
        watch = subprocess.Popen([CTL, "configure", "--to", enclaved.address, "--watch"], env=env,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        enclaved.wait_for("ready")
        watch.terminate()
        assert watch.wait(30) == 0
    finally:
        world.kms.write_faults()
        enclaved.stop()


@pytest.mark.parametrize("change, code, told", [
    ("policy", "kms_denied", "measurements"),
    ("secret", "kms_denied", "secret access key does not belong"),
    ("key id", "kms_denied", "does not know the access key"),
    ("blob", "kms_denied", "damaged"),
    # It is repeated until the time is over.
    pytest.param("relay", "relay_unreachable", "nothing listens", marks=pytest.mark.slow),
    ("name", "tls_failed", "another name"),
])
def test_refusals_are_explained(world, env, tmp_path, nobody, change, code, told):
    kms = {}
    if change == "policy":
        world.kms.admin().ok("PutKeyPolicy", KeyId=world.key_arn, PolicyName="default",
                             Policy=key_policy("cd" * 48))
    elif change == "secret":
        env["AWS_SECRET_ACCESS_KEY"] += "x"
    elif change == "key id":
        env["AWS_ACCESS_KEY_ID"] = "ASIANOBODYKNOWSME"
    elif change == "blob":
        env["ENCRYPTED_TSK"] = "AAAA" + world.wrapped[4:]
    elif change == "relay":
        kms = {"relay": f"tcp:{nobody}"}
    else:
        kms = {"endpoint": "kms.elsewhere.example"}
    enclaved = Enclaved(world, tmp_path, kms=kms)
    try:
        seconds = "5" if change == "relay" else "60"
        done = ctl("configure", "--to", enclaved.address, "--timeout", seconds, "--json", env=env)
        assert done.returncode == 1 and json.loads(done.stdout)["code"] == code, done.stdout
        assert ENCLAVE["secret_access_key"].encode() not in done.stdout + done.stderr
        checks = session_key(enclaved, env)
        assert len(checks) == 1 and told in checks[0]["cause"], checks
    finally:
        enclaved.stop()
        if change == "policy":
            world.kms.admin().ok("PutKeyPolicy", KeyId=world.key_arn, PolicyName="default",
                                 Policy=key_policy())


def test_the_condition_that_what_runs_fails(world, env, tmp_path):
    """Without a file of measurements: wanted by the policy, actual by the enclave's own NSM."""
    policy = tmp_path / "policy.json"
    enclaved = Enclaved(world, tmp_path)
    try:
        enclaved.wait_for("awaiting_configuration")
        health = json.loads(ctl("health", "--to", enclaved.address, "--json", env=env).stdout)
        assert health["measurements"]["PCR0"] == PCR0 and health["debug_mode"] is False
        for wanted, result in (("cd" * 48, "fail"), (PCR0, "ok")):
            policy.write_text(key_policy(wanted))
            told = ctl("doctor", "--to", enclaved.address, "--policy", policy, "--json", env=env)
            checks = json.loads(told.stdout)["checks"]
            assert [c["result"] for c in checks if c["check"] == "policy"] == [result], checks
            conditions = [c["cause"] for c in checks if c["check"] == "condition"]
            assert bool(conditions) == (result == "fail")
            for cause in conditions:
                assert f"wanted {wanted}" in cause and f"actual {PCR0}" in cause
    finally:
        enclaved.stop()


def test_debug_mode_is_told(world, env, tmp_path):
    nsm = Nsm(tmp_path, "--debug-mode")
    debug = type("Debug", (), {"nsm": nsm, "kms": world.kms, "key_arn": world.key_arn})
    try:
        enclaved = Enclaved(debug, tmp_path)
        try:
            assert enclaved.wait_for("awaiting_configuration")["debug_mode"] is True
            assert "debug mode" in enclaved.log()
            policy = tmp_path / "policy.json"
            policy.write_text(key_policy())
            told = ctl("doctor", "--to", enclaved.address, "--policy", policy, env=env)
            assert told.returncode == 1 and b"debug mode" in told.stdout
        finally:
            enclaved.stop()
    finally:
        nsm.stop()
