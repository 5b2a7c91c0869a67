# SPDX-License-Identifier: Apache-2.0
"""enclavectl against a service with scripted answers: requests, answers, failures, exit codes."""
import http.server
import json
import os
import re
import socket
import subprocess
import sys
import threading

import pytest

import host_tools
from host_tools import BUILD, CTL, KEY, SILENCE, FakeService, Raw, ctl, frame, open_terminal

COMMANDS = ["invoke", "pipeline", "configure", "health", "dev", "doctor"]


def answering(answer):
    return FakeService(lambda request: answer)


# --- invoke ---

@pytest.mark.parametrize("arguments, stdin, request_sent", [
    (["--mode", "A", "--payload", '{"a": [1.50, 10000000000000000000001]}'], None,
     b'{"mode": "A", "payload": {"a": [1.50, 10000000000000000000001]}}'),
    (["--mode", "A", "--payload", '"text"'], None, b'{"mode": "A", "payload": "text"}'),
    (["--mode", "A"], None, b'{"mode": "A"}'),
    (["--mode", "A", "-"], b' [1] \n', b'{"mode": "A", "payload":  [1]}'),
    (["--mode", "A", "--payload-file", "-"], b"null", b'{"mode": "A", "payload": null}'),
    (["--mode", "B", "--payload", "00ff"], None, b'{"mode": "B", "payload": "00ff"}'),
    (["--mode", "B", "--payload", "1234"], None, b'{"mode": "B", "payload": "1234"}'),
    (["--mode", "B", "-"], b"00FF\n", b'{"mode": "B", "payload": "00FF"}'),
    (["--mode", "B", "--payload", '"00ff"'], None, b'{"mode": "B", "payload": "00ff"}'),
    (["--mode", "C", "--payload", "1" * 56], None, b'{"mode": "C", "payload": "%s"}' % (b"1" * 56)),
    (["--mode", "C", "-"], b"0a" * 28 + b"\n", b'{"mode": "C", "payload": "%s"}' % (b"0a" * 28)),
    (["--mode", "C", "--payload", "1" * 55], None, b'{"mode": "C", "payload": %s}' % (b"1" * 55)),
    (["--mode", "A", "--payload", "1" * 56], None, b'{"mode": "A", "payload": %s}' % (b"1" * 56)),
    (["--mode", "A", "--payload", "1234"], None, b'{"mode": "A", "payload": 1234}'),
    (["--mode", "redact", "--payload", "1"], None, b'{"mode": "redact", "payload": 1}'),
    (["--mode", 'x","y":"', "--payload", "1"], None,
     b'{"mode": "x\\",\\"y\\":\\"", "payload": 1}'),
])
def test_invoke_sends(env, arguments, stdin, request_sent):
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(30)
    process = subprocess.Popen([CTL, "invoke", "--to", f"tcp:127.0.0.1:{listener.getsockname()[1]}",
                                *arguments], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    if stdin is not None:
        process.stdin.write(stdin)
    process.stdin.close()
    peer, _ = listener.accept()
    want = frame(request_sent)
    assert FakeService.exactly(peer, len(want)) == want
    peer.sendall(frame({"status": "success", "ciphertext": "0a0b"}))
    assert process.wait(30) == 0
    assert process.stdout.read() == b"0a0b\n"
    assert process.stderr.read() == b""
    for end in (peer, listener, process.stdout, process.stderr):
        end.close()


def test_invoke_json_prints_the_whole_answer(env):
    text = b'{"status":"success","ciphertext":"0a","more":1.10}'
    with answering(text) as fake:
        done = ctl("invoke", "--to", fake.address, "--mode", "A", "--json", env=env)
    assert (done.returncode, done.stdout) == (0, text + b"\n")


def test_large_payload_from_a_file(env, service, tmp_path):
    path = tmp_path / "large.json"
    path.write_text(json.dumps("x" * (12 << 20)))
    done = ctl("invoke", "--to", service.address, "--mode", "A", "--payload-file", path, env=env)
    assert done.returncode == 0, done.stderr
    assert len(service.requests[0]["payload"]) == 12 << 20


@pytest.mark.parametrize("how", ["file", "stdin"])
def test_payload_beyond_the_frame_limit(env, service, tmp_path, how):
    data = json.dumps("x" * (17 << 20)).encode()
    (tmp_path / "p").write_bytes(data)
    where = ["--payload-file", tmp_path / "p"] if how == "file" else ["-"]
    done = ctl("invoke", "--to", service.address, "--mode", "A", *where, env=env,
               stdin=data if how == "stdin" else None)
    assert done.returncode == 2
    assert b"longer than the limit of 16777216 bytes" in done.stderr
    assert service.connections == 0


def test_frame_limit_option(env, service):
    payload = json.dumps("x" * 200)
    small = ctl("invoke", "--to", service.address, "--mode", "A", "--payload", payload,
                "--frame-limit", "100", env=env)
    assert small.returncode == 2 and b"frame limit of 100 bytes" in small.stderr
    for bad in ("0", "-1", "x", "1e3", "999999999999999999999"):
        assert ctl("invoke", "--mode", "A", "--frame-limit", bad, env=env).returncode == 2


@pytest.mark.parametrize("payload, code", [
    ("not json", "not_json"), ('1,"mode":"B"', "not_json"), ("", "not_json"),
    ('{"a":1,"a":2}', "duplicate_member"), ("[" * 600 + "]" * 600, "too_deep"),
    ('"\ud800"'.encode("utf-8", "surrogatepass"), "not_json"),
])
def test_payload_that_is_not_json(env, service, payload, code):
    done = ctl("invoke", "--to", service.address, "--mode", "A", "--json", "-",
               env=env, stdin=payload if isinstance(payload, bytes) else payload.encode())
    assert done.returncode == 2
    answer = json.loads(done.stdout)
    assert (answer["status"], answer["code"]) == ("error", code)
    assert service.connections == 0


# --- what a service may do ---

@pytest.mark.parametrize("answer, code, name", [
    ({"status": "error", "code": "busy", "error": "too much is waiting: try again"}, 1, "busy"),
    ({"error": "Unknown mode: C"}, 1, None),
    ({"status": "success"}, 6, "bad_format"),
    ({"status": "success", "ciphertext": 5}, 6, "bad_format"),
    ({"status": "success", "ciphertext": "zz"}, 6, "bad_format"),
    ({"status": "success", "ciphertext": ""}, 6, "bad_format"),
    ({"status": "odd"}, 6, "bad_format"),
    ({}, 6, "bad_format"),
    ([], 6, "bad_format"),
    (b"garbage", 6, "bad_format"),
    (b'{"status":"success","status":"error"}', 6, "bad_format"),
    (b"\xff\xfe", 6, "bad_format"),
    (b"", 6, None),
    (Raw(b""), 3, "closed"),
    (Raw(b"\x00\x00"), 6, "frame_truncated"),
    (Raw(b"\x00\x00\x00\x10{}"), 6, "frame_truncated"),
    (Raw(b"\xff\xff\xff\xff"), 6, "frame_too_large"),
    (Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"), 6, "bad_format"),
])
def test_answers(env, answer, code, name):
    with answering(answer) as fake:
        done = ctl("invoke", "--to", fake.address, "--mode", "A", env=env)
        again = ctl("invoke", "--to", fake.address, "--mode", "A", "--json", env=env)
    # without --json the ciphertext is looked at, with it the answer is handed on
    assert done.returncode == code, done.stderr
    assert done.stdout == b""
    assert done.stderr.startswith(b"enclavectl: ") and done.stderr.count(b"\n") == 1
    if isinstance(answer, dict) and answer.get("status") == "success":
        return
    assert again.returncode == code
    told = json.loads(again.stdout)
    assert name is None or told["code"] == name


def test_answers_cannot_steer_a_terminal(env):
    evil = {"status": "error", "code": "x", "error": "a\x1b[31mb\nenclavectl: forged"}
    with answering(evil) as fake:
        done = ctl("invoke", "--to", fake.address, "--mode", "A", env=env)
        health = ctl("health", "--to", fake.address, env=env)
    for stderr in (done.stderr, health.stderr):
        assert b"\x1b" not in stderr and stderr.count(b"\n") == 1
        assert b"a\\x1b[31mb\\x0aenclavectl: forged" in stderr


def test_refusal_before_the_request_is_read(env):
    """A frame limit below ours: the error comes, then the connection is reset."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(30)
    process = subprocess.Popen([CTL, "invoke", "--to", f"tcp:127.0.0.1:{listener.getsockname()[1]}",
                                "--mode", "A", "-", "--json"], env=env, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    process.stdin.write(json.dumps("x" * 100).encode())
    process.stdin.close()
    peer, _ = listener.accept()
    peer.sendall(frame({"status": "error", "code": "frame_too_large", "error": "too long"}))
    out = process.stdout.read()
    assert process.wait(30) == 1
    assert json.loads(out)["code"] == "frame_too_large"
    for end in (peer, listener, process.stdout):
        end.close()


@pytest.mark.slow
def test_time_limit(env):
    with answering(SILENCE) as fake:
        done = ctl("health", "--to", fake.address, "--timeout", "1", "--json", env=env)
    assert done.returncode == 4
    assert json.loads(done.stdout)["code"] == "deadline"


def test_nobody_listens(env, tmp_path, nobody):
    done = ctl("health", "--to", f"tcp:{nobody}", env=env)
    assert done.returncode == 3 and b"Connection refused" in done.stderr
    assert ctl("health", "--to", f"unix:{tmp_path}/none", env=env).returncode == 3


@pytest.mark.parametrize("address", ["", "x", "tcp:", "tcp:1.2.3.4",
                                     "vsock:a:1", "http://127.0.0.1:1", "unix:"])
def test_bad_addresses(env, address):
    done = ctl("health", "--to", address, env=env)
    assert done.returncode == 2, done.stderr


def test_address_from_the_environment(env, service):
    assert ctl("health", env={**env, "ENCLAVED_ADDRESS": service.address}).returncode == 0


def test_unix_socket_and_host_name(env, service, tmp_path):
    done = ctl("health", "--to", f"tcp:localhost:{service.port}", "--json", env=env)
    assert done.returncode == 0


# --- pipeline and health ---

def test_pipeline_on_one_connection(env, service):
    done = ctl("pipeline", "--to", service.address, "--payload", '{"n": 1}', env=env)
    assert (done.returncode, done.stdout.decode().split()) == (0, ["A", "aa" * 28, "B", "bb" * 28])
    assert service.requests == [{"mode": "A", "payload": {"n": 1}},
                                {"mode": "B", "payload": "aa" * 28}]
    assert service.connections == 1
    done = ctl("pipeline", "--to", service.address, "--json", env=env)
    assert json.loads(done.stdout) == {"status": "success", "agent_a": "aa" * 28,
                                       "agent_b": "bb" * 28}
    assert service.requests[2] == {"mode": "A", "payload": None}


def test_pipeline_stops_at_the_first_refusal(env):
    refusal = {"status": "error", "code": "not_configured", "error": "no session key yet"}
    with answering(refusal) as fake:
        done = ctl("pipeline", "--to", fake.address, env=env)
        assert done.returncode == 1 and len(fake.requests) == 1
    assert b"run enclavectl configure" in done.stderr and done.stdout == b""


def test_health(env, service):
    service.last_error = {"code": "kms_denied", "error": "KMS refused the request",
                          "cause": "AccessDeniedException: no"}
    done = ctl("health", "--to", service.address, env=env)
    text = done.stdout.decode()
    assert done.returncode == 0 and b"\x1b" not in done.stdout
    for part in ("awaiting_configuration", KEY, "kms_denied", "AccessDeniedException: no"):
        assert part in text
    assert re.search("^ended +closed 5, slow_reader 12$", text, re.M), text
    done = ctl("health", "--to", service.address, "--json", env=env)
    assert json.loads(done.stdout)["state"] == "awaiting_configuration"
    assert service.requests[-1] == {"op": "health"}


def test_colour_only_on_a_terminal(env, service):
    def on_terminal(**more):
        outer, inner = open_terminal()
        subprocess.run([CTL, "health", "--to", service.address], stdout=inner, timeout=30,
                       env={**env, "TERM": "xterm", **more}, check=True)
        os.close(inner)
        text = b""
        try:
            while chunk := os.read(outer, 4096):
                text += chunk
        except OSError:
            pass
        os.close(outer)
        return text

    plain_env = {k: v for k, v in env.items() if k != "NO_COLOR"}
    env.clear()
    env.update(plain_env)
    assert b"\x1b[" in on_terminal()
    assert b"\x1b[" not in on_terminal(NO_COLOR="1")
    assert b"\x1b[" not in on_terminal(TERM="dumb")


# --- usage ---

@pytest.mark.parametrize("command", COMMANDS)
def test_help(env, command):
    done = ctl(command, "--help", env=env)
    text = done.stdout.decode()
    assert done.returncode == 0 and done.stderr == b""
    assert text.startswith(f"usage: enclavectl {command} ")
    for part in ("options:", "examples:", "exit codes:", f"enclavectl {command}", "--json"):
        assert part in text


@pytest.mark.parametrize("arguments", [
    [], ["unknown"], ["invoke"], ["invoke", "--mode"], ["invoke", "--mode", "A", "extra"],
    ["invoke", "--mode", "A", "--payload", "1", "--payload-file", "x"],
    ["invoke", "--mode", "A", "--payload", "1", "-"], ["invoke", "--bogus"], ["health", "x"],
    ["health", "--timeout", "0"], ["health", "--timeout", "x"], ["pipeline", "--mode", "A"],
    ["configure", "x"], ["configure", "--encryption-context", "x"],
    ["configure", "--encryption-context", "=x"], ["doctor", "--policy", "x"],
    ["dev", "--credential-seconds", "1"], ["health", "--json=1"],
])
def test_wrong_usage(env, arguments):
    done = ctl(*arguments, env=env)
    assert done.returncode == 2, done.stderr
    assert done.stdout == b"" and done.stderr


@pytest.mark.slow
def test_usage_failure_as_json(env):
    done = ctl("invoke", "--mode", "--json", env=env)
    assert done.returncode in (2, 3)
    done = ctl("health", "--bogus", "--json", env=env)
    assert done.returncode == 2 and json.loads(done.stdout)["code"] == "usage"
    done = ctl("bogus", "--json", env=env)
    assert done.returncode == 2 and json.loads(done.stdout)["code"] == "usage"


def test_wrong_option_does_not_repeat_its_value(env):
    done = ctl("configure", "--secret-access-key=hush-hush", env=env)
    assert done.returncode == 2 and b"hush" not in done.stderr + done.stdout


def test_missing_file(env, service):
    done = ctl("invoke", "--to", service.address, "--mode", "A", "--payload-file", "/no/such",
               env=env)
    assert done.returncode == 5 and b"cannot open /no/such: No such file" in done.stderr


def test_full_output(env, service):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([CTL, "health", "--to", service.address], stdout=full, env=env,
                              stderr=subprocess.PIPE, timeout=30)
    assert done.returncode == 5 and b"standard output" in done.stderr


def test_version(env):
    done = ctl("--version", env=env)
    assert done.returncode == 0 and done.stdout.startswith(b"enclavectl ")


# --- what is at the other end ---

class Quiet(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_an_http_server_that_waits_for_a_line(env):
    """It answers a frame with nothing until the time is over; then it is asked in its own tongue."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"tcp:127.0.0.1:{server.server_address[1]}"
        done = ctl("health", "--to", address, "--timeout", "1", env=env)
        server.shutdown()
    assert done.returncode == 6, done.stderr
    assert done.stderr.startswith(b"enclavectl: that is an HTTP server, not enclaved; check that")


@pytest.mark.parametrize("first, what", [
    (b"HTTP/1.1 400 Bad Request\r\n", b"an HTTP server"), (b"<!DOCTYPE HTML>", b"an HTTP server"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", b"an SSH server")])
def test_servers_of_other_protocols(env, first, what):
    with answering(Raw(first)) as fake:
        done = ctl("invoke", "--to", fake.address, "--mode", "A", env=env)
    assert done.returncode == 6 and b"that is " + what + b", not enclaved" in done.stderr


# --- the terminal and the shell ---

def closed_pipe():
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.parametrize("program, arguments", [
    ("enclavectl", ["help"]), ("enclavectl", ["invoke", "--help"]), ("enclavectl", ["version"]),
    ("enclavectl", ["completion", "bash"]), ("enclavectl", ["doctor"]),
    ("enclavectl", ["health", "--to", "TO"]), ("enclavectl", ["health", "--to", "TO", "--json"]),
    ("enclave-sim", ["kms", "--help"]), ("enclave-sim", ["help"]),
])
def test_a_reader_that_has_gone_is_no_news(env, service, program, arguments):
    writer = closed_pipe()
    done = subprocess.run([os.path.join(BUILD, program),
                           *[service.address if a == "TO" else a for a in arguments]], env=env,
                          stdin=subprocess.DEVNULL, stdout=writer, stderr=subprocess.PIPE, timeout=60)
    os.close(writer)
    assert (done.returncode, done.stderr) == (5 if program == "enclavectl" else 1, b"")


def test_standard_descriptors_that_are_closed(env, service):
    """The connection must not get the number to which answers and messages are written."""
    done = subprocess.run(["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', CTL, "health", "--to",
                           service.address], env=env, timeout=60)
    assert done.returncode == 0 and service.requests == [{"op": "health"}]
    # a service that refuses: the message goes nowhere, and not into the connection
    got = []
    with FakeService(lambda request: got.append(request) or Raw(b"")) as fake:
        done = subprocess.run(["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', CTL, "health", "--to",
                               fake.address], env=env, timeout=60)
    assert done.returncode == 3 and got == [{"op": "health"}]


def test_names_of_files_are_shown_as_they_are(env, tmp_path):
    name = tmp_path / "schl\u00fcssel \u65e5\u672c.json"
    done = ctl("invoke", "--mode", "A", "--payload-file", name, env=env)
    assert done.returncode == 5 and str(name).encode() in done.stderr
    for hidden, shown in [("a\x1b[2Jb", b"a\\x1b[2Jb"), ("a\u202eb", b"a\\xe2\\x80\\xaeb"),
                          ("a\u009bb", b"a\\xc2\\x9bb")]:
        done = ctl("invoke", "--mode", "A", "--payload-file", tmp_path / hidden, env=env)
        assert shown in done.stderr and hidden.encode() not in done.stderr


def test_what_is_given_twice_or_missing(env):
    twice = ctl("invoke", "--mode", "A", "-", "-", env=env)
    assert twice.returncode == 2 and b"enclavectl: - is given twice; " in twice.stderr
    other = ctl("invoke", "--mode", "A", "-", "hush", env=env)
    assert b"invoke takes - and options only" in other.stderr and b"hush" not in other.stderr
    none = ctl("invoke", env=env)
    assert none.returncode == 2 and b"invoke needs --mode A|B; " in none.stderr


@pytest.mark.parametrize("arguments, told", [
    (["configure", "--check", "5"], "--check has no effect without --watch"),
    (["doctor", "--endpoint", "kms.us-east-1.amazonaws.com"], "--endpoint has no effect without --relay"),
    (["doctor", "--roots", "x"], "--roots has no effect without --relay"),
    (["doctor", "--principal", "arn:aws:iam::111122223333:root"],
     "--principal has no effect without --policy"),
    (["doctor", "--encryption-context", "a=b"], "--encryption-context has no effect without --policy"),
    (["doctor", "--policy", "p", "--measurements", "m", "--principal", "enclave"],
     "--principal enclave is not the ARN of a principal"),
    (["relay", "--query", "unix:/x", "--listen", "vsock:any:8000"], "--query asks a relay that runs"),
    (["relay", "--query", "unix:/x", "--cid", "16"], "--query asks a relay that runs"),
    (["relay", "--query", "unix:/x", "--idle-seconds", "9"],
     "--idle-seconds has no effect without --listen"),
    (["dev", "--kernel", "k", "--state", "d", "--image-only", "--memory", "64"],
     "with --image-only nothing runs"),
    (["dev", "--kernel", "k", "--state", "d", "--image-only", "--listen", "unix:/x"],
     "with --image-only nothing runs"),
])
def test_options_that_would_be_ignored(env, arguments, told):
    done = ctl(*arguments, env=env)
    assert done.returncode == 2 and told in done.stderr.decode(), done.stderr


def test_an_answer_that_is_too_large_has_a_remedy(env):
    refusal = {"status": "error", "code": "response_too_large",
               "error": "the answer would exceed the frame limit"}
    with answering(refusal) as fake:
        done = ctl("invoke", "--to", fake.address, "--mode", "A", env=env)
    assert done.returncode == 1 and b"; send less, or raise limits.frame_bytes" in done.stderr


def answers_of(line):
    """The members of an object, in order, also those that are there twice."""
    return json.loads(line, object_pairs_hook=list)


@pytest.mark.parametrize("arguments, code", [
    (["invoke", "--mode", "A", "--to", "TO"], 0), (["invoke", "--mode", "C", "--to", "TO"], 1),
    (["pipeline", "--to", "TO"], 0), (["health", "--to", "TO"], 0), (["configure", "--to", "TO"], 0),
    (["doctor"], 0), (["doctor", "--sysroot", "ROOT"], 1), (["nonsense"], 2),
    (["policy", "check", "--policy", "POLICY", "--measurements", "PCRS"], 0),
    (["policy", "check", "--policy", "POLICY", "--measurements", "OTHER"], 1),
    (["policy", "render", "--measurements", "PCRS", "--account", "111122223333", "--role", "r",
      "--output", "OUT"], 0),
    (["image", "pcr", "--instance-id", "i-0123456789abcdef0"], 0), (["image", "pcr"], 2),
])
def test_every_answer_in_json_has_one_status(env, service, tmp_path, arguments, code):
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nsm").write_text("not a device")
    role = "arn:aws:iam::111122223333:role/enclave"
    (tmp_path / "policy").write_text(json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": role}, "Action": "kms:Decrypt", "Resource": "*",
         "Condition": {"StringEquals": {"kms:RecipientAttestation:PCR0": "ab" * 48}}}]}))
    for name, value in (("pcrs", "ab"), ("other", "cd")):
        (tmp_path / name).write_text(json.dumps({"PCR0": value * 48}))
    names = {"TO": service.address, "ROOT": tmp_path, "POLICY": tmp_path / "policy",
             "PCRS": tmp_path / "pcrs", "OUT": tmp_path / "out", "OTHER": tmp_path / "other"}
    env = {**env, "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "s",
           "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1"}
    done = ctl(*[names.get(a, a) for a in arguments], "--json", env=env)
    assert done.returncode == code, (done.stdout, done.stderr)
    told = [value for name, value in answers_of(done.stdout) if name == "status"]
    assert told == ["error" if code else "success"]


# --- the servers of these tests themselves ---

TWO_SERVERS = """
import os, socket, subprocess, time
from host_tools import Server

def listen():
    return socket.create_server(("127.0.0.1", 0))

def tell(word):
    return lambda peer: (peer.sendall(word), peer.close())

with Server(listen(), tell(b"first")) as first:
    number = first.listener.fileno()
    time.sleep(0.1)  # so that it most likely waits in accept(), which decides nothing
listener = listen()
assert listener.fileno() == number
subprocess.run(["sh", "-c", f"kill -STOP {os.getpid()}; kill -CONT {os.getpid()}"], check=True)
with Server(listener, tell(b"second")):
    for _ in range(4):
        with socket.create_connection(listener.getsockname()) as client:
            assert client.recv(9) == b"second"
"""


def test_a_server_that_has_ended_takes_no_connection_of_the_next():
    """In a process of its own, which is stopped and continued: the kernel then begins the wait of a
    thread anew, by the number of its descriptor."""
    done = subprocess.run([sys.executable, "-c", TWO_SERVERS], stdin=subprocess.DEVNULL, timeout=60,
                          env={**os.environ, "PYTHONPATH": os.path.dirname(host_tools.__file__)},
                          stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
