# SPDX-License-Identifier: Apache-2.0
"""enclave-sim nsm, spoken to over its socket and judged by cbor2, cryptography and hashlib."""

import hashlib
import json
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import time

import cbor2
import pytest
from cryptography import x509

from nsm_tools import ROOT, SIM, Sim, running, verify, verifies

MEMBERS = ["module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle", "public_key",
           "user_data", "nonce"]
ZERO = bytes(48)


@pytest.fixture
def sim(tmp_path):
    with running(tmp_path) as (process, _):
        yield process


@pytest.fixture
def module(sim):
    connection = sim.connect()
    yield connection
    connection.close()


def run(*arguments):
    return subprocess.run([SIM, *arguments], capture_output=True, text=True, timeout=60)


# Requests and their answers.

def test_describe(module):
    answer = module.ask("DescribeNSM")["DescribeNSM"]
    assert re.fullmatch(r"i-[0-9a-f]{17}-enc[0-9a-f]{16}", answer.pop("module_id"))
    assert answer == {"version_major": 1, "version_minor": 0, "version_patch": 0, "max_pcrs": 32,
                      "locked_pcrs": list(range(16)), "digest": "SHA384"}


def test_random_is_256_fresh_bytes(module):
    answers = {module.ask("GetRandom")["GetRandom"]["random"] for _ in range(8)}
    assert len(answers) == 8 and all(len(a) == 256 for a in answers)


def test_literals_of_the_linux_driver(module):
    vectors = pathlib.Path(os.environ.get("VECTORS", ROOT.parent / "shared" / "vectors"))
    path = vectors / "nsm" / "linux_nsm_literals.json"
    if not path.exists():
        pytest.skip("skipped without vectors: literals of the Linux driver")
    literals = json.loads(path.read_text())["linux_nsm_c"]
    answer = module.raw(bytes.fromhex(literals["GetRandom_request_hex"]))
    assert answer.startswith(bytes.fromhex(literals["GetRandom_response_prefix_hex"]))


def test_registers_at_boot(module):
    instance = module.ask("DescribeNSM")["DescribeNSM"]["module_id"].split("-enc")[0]
    for index in range(32):
        value = hashlib.sha384(ZERO + instance.encode()).digest() if index == 4 else ZERO
        assert module.register(index) == {"lock": index < 16, "data": value}


def test_extend_is_sha384_of_old_and_data(module):
    value = ZERO
    for data in [b"a", b"b" * 512, bytes(range(256))]:
        value = hashlib.sha384(value + data).digest()
        assert module.ask({"ExtendPCR": {"index": 16, "data": data}}) == \
            {"ExtendPCR": {"data": value}}
        assert module.register(16) == {"lock": False, "data": value}
    assert module.register(17)["data"] == ZERO
    # QEMU's module takes text as well.
    value = hashlib.sha384(ZERO + b"text").digest()
    assert module.ask({"ExtendPCR": {"index": 31, "data": "text"}})["ExtendPCR"]["data"] == value


def test_lock_ends_extending(module):
    module.ask({"ExtendPCR": {"index": 20, "data": b"x"}})
    before = module.register(20)["data"]
    assert module.ask({"LockPCR": {"index": 20}}) == "LockPCR"
    assert module.register(20) == {"lock": True, "data": before}
    assert module.ask({"ExtendPCR": {"index": 20, "data": b"x"}}) == {"Error": "ReadOnlyIndex"}
    assert module.ask({"LockPCR": {"index": 20}}) == {"Error": "ReadOnlyIndex"}
    assert module.register(20)["data"] == before


def test_lock_range(module):
    assert module.ask({"LockPCRs": {"range": 18}}) == "LockPCRs"
    locked = module.ask("DescribeNSM")["DescribeNSM"]["locked_pcrs"]
    assert locked == list(range(18))
    assert module.ask({"LockPCRs": {"range": 0}}) == "LockPCRs"
    assert module.ask({"LockPCRs": {"range": 32}}) == "LockPCRs"
    assert module.ask("DescribeNSM")["DescribeNSM"]["locked_pcrs"] == list(range(32))
    assert module.ask({"LockPCRs": {"range": 33}}) == {"Error": "InvalidIndex"}


ERRORS = [
    ({"DescribePCR": {"index": 32}}, "InvalidIndex"),
    ({"DescribePCR": {"index": 2**64 - 1}}, "InvalidIndex"),
    ({"ExtendPCR": {"index": 32, "data": b"x"}}, "InvalidIndex"),
    ({"LockPCR": {"index": 32}}, "InvalidIndex"),
    ({"LockPCRs": {"range": 33}}, "InvalidIndex"),
    ({"ExtendPCR": {"index": 0, "data": b"x"}}, "ReadOnlyIndex"),
    ({"ExtendPCR": {"index": 15, "data": b"x"}}, "ReadOnlyIndex"),
    ({"LockPCR": {"index": 15}}, "ReadOnlyIndex"),
    ({"ExtendPCR": {"index": 16, "data": b""}}, "InvalidArgument"),
    ({"ExtendPCR": {"index": 16, "data": bytes(513)}}, "InputTooLarge"),
    ({"Attestation": {"user_data": bytes(513), "nonce": None, "public_key": None}},
     "InputTooLarge"),
    ({"Attestation": {"user_data": None, "nonce": bytes(513), "public_key": None}},
     "InputTooLarge"),
    ({"Attestation": {"user_data": None, "nonce": None, "public_key": bytes(1025)}},
     "InputTooLarge"),
    ({"Attestation": {"user_data": None, "nonce": None, "public_key": b""}}, "InvalidArgument"),
    ({"ExtendPCR": {"index": 16, "data": bytes(4096)}}, "InputTooLarge"),
    ("NoSuchRequest", "InvalidOperation"),
    ("DescribePCR", "InvalidOperation"),
    ("", "InvalidOperation"),
    ({"NoSuchRequest": {}}, "InvalidOperation"),
    ({"DescribeNSM": {}}, "InvalidOperation"),
    ({"GetRandom": {}}, "InvalidOperation"),
    ({"DescribePCR": {}}, "InvalidOperation"),
    ({"DescribePCR": 0}, "InvalidOperation"),
    ({"DescribePCR": {"index": -1}}, "InvalidOperation"),
    ({"DescribePCR": {"index": "0"}}, "InvalidOperation"),
    ({"DescribePCR": {"index": None}}, "InvalidOperation"),
    ({"ExtendPCR": {"index": 16}}, "InvalidOperation"),
    ({"ExtendPCR": {"data": b"x"}}, "InvalidOperation"),
    ({"ExtendPCR": {"index": 16, "data": 1}}, "InvalidOperation"),
    ({"LockPCRs": {"index": 1}}, "InvalidOperation"),
    ({"LockPCR": {"range": 1}}, "InvalidOperation"),
    ({"Attestation": {"nonce": "text"}}, "InvalidOperation"),
    ({"Attestation": None}, "InvalidOperation"),
    ({"DescribePCR": {"index": 1}, "LockPCR": {"index": 16}}, "InvalidOperation"),
    ({}, "InvalidOperation"),
    ([], "InvalidOperation"),
    (7, "InvalidOperation"),
    (None, "InvalidOperation"),
]


@pytest.mark.parametrize("request_, error", ERRORS, ids=lambda v: str(v)[:40])
def test_errors(module, request_, error):
    assert module.ask(request_) == {"Error": error}
    # The next good request succeeds, and nothing has changed.
    assert module.register(16) == {"lock": False, "data": ZERO}


@pytest.mark.parametrize("request_", [
    b"\xff", b"\x00", b"\x6b", b"\xbf", b"\xa1", b"\x9b" + b"\xff" * 8, b"\x7b" + b"\xff" * 8,
    b"\xbb" + b"\xff" * 8, b"\xa1\x6bDescribePCR", b"\x81" * 200, cbor2.dumps("GetRandom") + b"\0",
    cbor2.dumps({"DescribePCR": {"index": 0}}) + b"\0", cbor2.dumps("GetRandom")[:-1]])
def test_garbage_is_an_invalid_operation(module, request_):
    assert cbor2.loads(module.raw(request_)) == {"Error": "InvalidOperation"}
    assert len(module.ask("GetRandom")["GetRandom"]["random"]) == 256


def test_every_truncation_is_refused(module):
    whole = cbor2.dumps({"ExtendPCR": {"index": 16, "data": b"data"}})
    for length in range(1, len(whole)):
        assert cbor2.loads(module.raw(whole[:length])) == {"Error": "InvalidOperation"}
    assert module.register(16)["data"] == ZERO


def test_requests_in_other_encodings(module):
    # Members in any order, beside unknown ones, in maps of indefinite length.
    value = hashlib.sha384(ZERO + b"x").digest()
    assert module.ask({"ExtendPCR": {"new": [1, {2: 3}], "data": b"x", "index": 16}}) == \
        {"ExtendPCR": {"data": value}}
    request = b"\xbf\x6bDescribePCR\xbf\x65index\x18\x10\xff\xff"
    assert cbor2.loads(module.raw(request)) == {"DescribePCR": {"lock": False, "data": value}}


# Documents.

@pytest.mark.parametrize("kind, first, last", [("definite", 0xA9, None), ("indefinite", 0xBF, 0xFF)])
def test_documents_verify(tmp_path, kind, first, last):
    with running(tmp_path, "--map", kind) as (sim, module):
        document = module.document(user_data=b"data", nonce=b"nonce", public_key=b"key")
        assert document[:2] == b"\x84\x44"
        payload = cbor2.loads(document)[2]
        assert payload[0] == first and (last is None or payload[-1] == last)
        claims = verify(document, sim.root)
        assert list(claims) == MEMBERS
        assert claims["module_id"] == module.ask("DescribeNSM")["DescribeNSM"]["module_id"]
        assert claims["digest"] == "SHA384"
        assert abs(claims["timestamp"] / 1000 - time.time()) < 600
        assert claims["pcrs"] == {i: module.register(i)["data"] for i in range(16)}
        assert (claims["user_data"], claims["nonce"], claims["public_key"]) == \
            (b"data", b"nonce", b"key")
        assert len(claims["cabundle"]) == 4
        assert all(len(der) <= 1024 for der in [claims["certificate"], *claims["cabundle"]])


def test_a_changed_document_does_not_verify(sim, module):
    document = module.document(nonce=b"nonce")
    assert verifies(document, sim.root)
    for at in range(0, len(document), 61):
        changed = bytearray(document)
        changed[at] ^= 1
        assert not verifies(bytes(changed), sim.root)


def test_claims_at_their_limits(sim, module):
    claims = verify(module.document(user_data=bytes(512), nonce=bytes(512),
                                    public_key=bytes(1024)), sim.root)
    assert (len(claims["user_data"]), len(claims["nonce"]), len(claims["public_key"])) == \
        (512, 512, 1024)
    claims = verify(module.document(), sim.root)
    assert claims["user_data"] is claims["nonce"] is claims["public_key"] is None
    claims = verify(module.document(user_data=b"", nonce=b""), sim.root)
    assert claims["user_data"] == claims["nonce"] == b""


def test_the_longest_document_fits_an_answer(sim, module):
    for index in range(16, 32):
        module.ask({"ExtendPCR": {"index": index, "data": b"x"}})
    module.ask({"LockPCRs": {"range": 32}})
    answer = module.raw(cbor2.dumps({"Attestation": {
        "user_data": bytes(512), "nonce": bytes(512), "public_key": bytes(1024)}}))
    assert len(answer) <= 0x3000
    claims = verify(cbor2.loads(answer)["Attestation"]["document"], sim.root)
    assert list(claims["pcrs"]) == list(range(32))
    assert claims["pcrs"][16] == hashlib.sha384(ZERO + b"x").digest()


def test_documents_list_locked_registers_only(sim, module):
    module.ask({"ExtendPCR": {"index": 16, "data": b"x"}})
    assert 16 not in verify(module.document(), sim.root)["pcrs"]
    module.ask({"LockPCR": {"index": 16}})
    assert verify(module.document(), sim.root)["pcrs"][16] == hashlib.sha384(ZERO + b"x").digest()


def test_names_of_the_chain(sim, module):
    claims = verify(module.document(), sim.root)
    instance = claims["module_id"].split("-enc")[0]
    names = []
    for der in [*claims["cabundle"], claims["certificate"]]:
        subject = x509.load_der_x509_certificate(der).subject
        assert [a.value for a in subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)] \
            == ["enclave-sim"]
        names.append(subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)
    assert names[0] == "aws.nitro-enclaves"
    assert re.fullmatch(r"[0-9a-f]{16}\.us-east-1\.aws\.nitro-enclaves", names[1])
    assert re.fullmatch(r"[0-9a-f]{16}\.zonal\.us-east-1\.aws\.nitro-enclaves", names[2])
    assert names[3] == f"{instance}.us-east-1.aws.nitro-enclaves"
    assert names[4] == f"{claims['module_id']}.us-east-1.aws"
    leaf = x509.load_der_x509_certificate(claims["certificate"])
    assert (leaf.not_valid_after - leaf.not_valid_before).total_seconds() == 3 * 3600


# Options.

def test_registers_from_the_command_line_and_files(tmp_path):
    plain = tmp_path / "plain.json"
    plain.write_text(json.dumps({"PCR0": "01" * 48, "PCR31": "02" * 48}))
    cli = tmp_path / "cli.json"
    cli.write_text(json.dumps([{"EnclaveName": "x", "Flags": "NONE", "Measurements": {
        "HashAlgorithm": "Sha384 { ... }", "PCR1": "03" * 48, "PCR2": "04" * 48}}]))
    with running(tmp_path, "--measurements", plain, "--measurements", cli, "--pcr", "8=" + "AB" * 48,
                 "--pcr", "4=" + "05" * 48) as (sim, module):
        claims = verify(module.document(), sim.root)
        want = {0: 1, 1: 3, 2: 4, 4: 5, 8: 0xAB}
        assert claims["pcrs"] == {i: bytes([want.get(i, 0)]) * 48 for i in range(16)}
        assert module.register(31) == {"lock": False, "data": b"\2" * 48}


def test_debug_mode_zeroes_what_measures_the_image(tmp_path):
    options = [o for i in (0, 1, 2, 3, 8) for o in ("--pcr", f"{i}=" + "01" * 48)]
    with running(tmp_path, *options, "--debug-mode") as (sim, module):
        pcrs = verify(module.document(), sim.root)["pcrs"]
        assert [pcrs[i] for i in (0, 1, 2, 8)] == [ZERO] * 4
        assert pcrs[3] == b"\1" * 48


def test_state_keeps_the_root(tmp_path):
    state = tmp_path / "state"
    ids, roots = [], []
    for _ in range(2):
        with running(tmp_path, "--state", state) as (sim, module):
            ids.append(verify(module.document(), sim.root)["module_id"])
            roots.append(sim.root)
    assert roots[0] == roots[1]
    assert ids[0] != ids[1] and ids[0].split("-enc")[0] == ids[1].split("-enc")[0]
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    for path in state.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with running(tmp_path) as (sim, module):
        assert sim.root != roots[0]


def test_state_that_is_spoilt_is_refused(tmp_path):
    state, other = tmp_path / "state", tmp_path / "other"
    for folder in state, other:
        with running(tmp_path, "--state", folder):
            pass
    options = ["nsm", "--listen", f"unix:{tmp_path}/s", "--write-nsm-root", tmp_path / "r", "--state", state]
    good = (state / "instance.key").read_bytes()
    (state / "instance.key").write_bytes((other / "instance.key").read_bytes())
    result = run(*options)
    assert result.returncode == 1 and "do not verify" in result.stderr
    (state / "instance.key").write_bytes(good)
    (state / "root.pem").write_text("no certificate")
    assert run(*options).returncode == 1
    (state / "root.pem").unlink()
    assert run(*options).returncode == 1
    (state / "instance-id").write_text("i-../../../../../../..")
    result = run(*options)
    assert result.returncode == 1 and "instance id" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ends_cleanly(tmp_path, number):
    sim = Sim(tmp_path)
    assert sim.ready == f"ready unix:{sim.path}"
    assert stat.S_IMODE(sim.path.stat().st_mode) == 0o600
    module = sim.connect()
    module.ask("GetRandom")
    assert sim.stop(number) == 0
    module.close()
    assert not sim.path.exists()


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(tmp_path):
    sim = Sim(tmp_path)
    sim.stop(signal.SIGKILL)
    assert sim.path.exists()
    with running(tmp_path) as (sim, module):
        result = run("nsm", "--listen", f"unix:{sim.path}", "--write-nsm-root", tmp_path / "other.pem")
        assert result.returncode == 1 and "cannot listen" in result.stderr
        assert module.ask("GetRandom")["GetRandom"]
    (tmp_path / "file").write_text("mine")
    result = run("nsm", "--listen", f"unix:{tmp_path}/file", "--write-nsm-root", tmp_path / "other.pem")
    assert result.returncode == 1
    assert (tmp_path / "file").read_text() == "mine"


def test_many_clients_and_those_that_leave(sim):
    clients = [sim.connect() for _ in range(40)]
    for client in clients:
        client.socket.send(cbor2.dumps("GetRandom"))
    for client in clients[::2]:
        client.close()
    for client in clients[1::2]:
        assert cbor2.loads(client.socket.recv(65536))["GetRandom"]["random"]
        client.ask({"ExtendPCR": {"index": 16, "data": b"x"}})
    # All of them have one module before them.
    value = ZERO
    for _ in clients[1::2]:
        value = hashlib.sha384(value + b"x").digest()
    assert clients[1].register(16)["data"] == value
    for client in clients[1::2]:
        client.close()


def test_a_client_that_does_not_read_stops_nobody(sim, module):
    stuck = sim.connect()
    stuck.socket.setblocking(False)
    with pytest.raises(OSError):
        for _ in range(100000):
            stuck.socket.send(cbor2.dumps("GetRandom"))
    assert len(module.ask("GetRandom")["GetRandom"]["random"]) == 256
    stuck.close()


def test_an_oversized_request(module):
    assert module.ask({"ExtendPCR": {"index": 16, "data": bytes(60000)}}) == \
        {"Error": "InputTooLarge"}
    exactly = cbor2.dumps({"ExtendPCR": {"index": 16, "data": bytes(512), "x": b""}})
    pad = 0x1000 - len(exactly) - 2
    request = {"ExtendPCR": {"index": 16, "data": bytes(512), "x": bytes(pad)}}
    assert len(cbor2.dumps(request)) == 0x1000
    assert "ExtendPCR" in module.ask(request)
    request["ExtendPCR"]["x"] = bytes(pad + 1)
    assert module.ask(request) == {"Error": "InputTooLarge"}


# Faults.

def test_fault_error(tmp_path):
    with running(tmp_path, "--fault", "error:InternalError:GetRandom") as (_, module):
        assert module.ask("GetRandom") == {"Error": "InternalError"}
        assert module.register(0)["lock"]


def test_fault_short_and_garbage(tmp_path):
    with running(tmp_path, "--fault", "short:GetRandom") as (_, module):
        with pytest.raises(cbor2.CBORDecodeError):
            module.ask("GetRandom")
    with running(tmp_path, "--fault", "garbage") as (_, module):
        assert module.raw(cbor2.dumps("GetRandom"))[0] == 0xFF
        assert module.raw(cbor2.dumps({"LockPCR": {"index": 16}}))[0] == 0xFF


def test_fault_silent(tmp_path):
    with running(tmp_path, "--fault", "silent:Attestation") as (_, module):
        module.socket.send(cbor2.dumps({"Attestation": {}}))
        # What is answered next is the next request.
        assert "GetRandom" in module.ask("GetRandom")


# Usage.

@pytest.mark.parametrize("arguments", [
    [], ["nsm"], ["nosuch"], ["nsm", "--listen", "unix:x"], ["nsm", "--write-nsm-root", "x"],
    ["nsm", "--listen", "tcp:127.0.0.1:1", "--write-nsm-root", "x"],
    ["nsm", "--listen", "nonsense", "--write-nsm-root", "x"],
    ["nsm", "--listen", "unix:x", "--write-nsm-root", "x", "more"],
    ["nsm", "--listen", "unix:x", "--write-nsm-root", "x", "--nosuch"],
    ["nsm", "--listen", "unix:x", "--write-nsm-root", "x", "--map", "other"],
    ["nsm", "--listen", "unix:x", "--write-nsm-root", "x", "--pcr", "32=" + "00" * 48],
    ["nsm", "--listen", "unix:x", "--write-nsm-root", "x", "--pcr", "0=00"],
    ["nsm", "--listen", "unix:x", "--write-nsm-root", "x", "--pcr", "00" * 48],
    ["nsm", "--listen", "unix:x", "--write-nsm-root", "x", "--pcr", "0=" + "0g" * 48],
    ["nsm", "--listen", "unix:x", "--write-nsm-root", "x", "--measurements", "/nowhere/file"],
    ["nsm", "--listen", "unix:x", "--write-nsm-root", "x", "--measurements", "/dev/null"],
    ["nsm", "--listen", "unix:x", "--write-nsm-root", "x", "--fault", "nosuch"],
    ["nsm", "--listen", "unix:x", "--write-nsm-root", "x", "--fault", "error:NoSuch"],
    ["nsm", "--listen", "unix:x", "--write-nsm-root", "x", "--fault", "short:NoSuch"],
])
def test_wrong_usage(arguments):
    result = run(*arguments)
    assert result.returncode == 2 and result.stderr


@pytest.mark.parametrize("content", [
    "", "[]", "{}", "null", '{"PCR0": "00"}', '{"PCR0": 1}', '{"PCR32": "%s"}' % ("00" * 48),
    '{"PCRx": "%s"}' % ("00" * 48), '{"Measurements": []}', '{"Measurements": {}}',
    json.dumps([{"PCR0": "00" * 48}] * 2), '[{"EnclaveName": "old"}]'])
def test_wrong_register_files(tmp_path, content):
    path = tmp_path / "pcrs.json"
    path.write_text(content)
    result = run("nsm", "--listen", "unix:x", "--write-nsm-root", "x", "--measurements", path)
    assert result.returncode == 2 and "pcrs.json" in result.stderr


def test_the_root_replaces_no_measurements(tmp_path):
    path, alias = tmp_path / "pcrs.json", tmp_path / "alias"
    path.write_text(json.dumps({"PCR0": "00" * 48}))
    os.link(path, alias)
    before = path.read_text()
    for output in path, alias:
        result = run("nsm", "--listen", f"unix:{tmp_path}/s", "--write-nsm-root", output,
                     "--measurements", path)
        assert result.returncode == 2 and "is also given as" in result.stderr
    assert path.read_text() == before


def test_help_and_version():
    for arguments in ["--help"], ["nsm", "--help"]:
        result = run(*arguments)
        assert result.returncode == 0 and "usage: enclave-sim" in result.stdout
    assert "examples:" in run("nsm", "--help").stdout
    assert run("--version").stdout.startswith("enclave-sim ")


def test_places_that_cannot_be_written(tmp_path):
    result = run("nsm", "--listen", f"unix:{tmp_path}/s", "--write-nsm-root", "/nowhere/root.pem")
    assert result.returncode == 1 and "/nowhere/root.pem" in result.stderr
    result = run("nsm", "--listen", "unix:/nowhere/s", "--write-nsm-root", tmp_path / "root.pem")
    assert result.returncode == 1 and "cannot listen" in result.stderr
    result = run("nsm", "--listen", f"unix:{tmp_path}/s", "--write-nsm-root", tmp_path / "root.pem",
                 "--state", "/nowhere/state")
    assert result.returncode == 1


def test_clients_beyond_the_limit_are_turned_away(sim, module):
    others = []
    for _ in range(80):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        client.connect(str(sim.path))
        client.settimeout(60)
        others.append(client)
    answered = 0
    for client in others:
        try:
            client.send(cbor2.dumps("GetRandom"))
            answered += len(client.recv(65536)) > 0
        except OSError:
            pass
    assert 0 < answered < 80
    assert module.ask("GetRandom")["GetRandom"]
    for client in others:
        client.close()
