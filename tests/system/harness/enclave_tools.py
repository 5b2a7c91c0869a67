# SPDX-License-Identifier: Apache-2.0
"""What tests of the daemon share: enclaved-dev with both simulators as processes, and a client that
speaks frames. Nothing here uses code of the project but the binaries under test."""
import base64
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import time

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import kms_tools
from kms_tools import BUILD, ENCLAVE, SIM, Kms, b64, policy

PCR0 = "ab" * 48
CONTEXT = {"purpose": "tsk", "who": "tests \u00e9"}


def key_policy(pcr0=PCR0):
    return policy(kms_tools.administration(), {
        "Sid": "Enclave", "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{kms_tools.ACCOUNT}:role/enclave"},
        "Action": "kms:Decrypt", "Resource": "*",
        "Condition": {"StringEqualsIgnoreCase": {
            "kms:RecipientAttestation:ImageSha384": pcr0}}})


def wait_until(condition, seconds=30, what="condition"):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.02)
    raise AssertionError(f"{what} not reached in {seconds} s")


class Connection:
    """A client's connection: frames out, frames in."""

    def __init__(self, address, timeout=30):
        kind, _, rest = address.partition(":")
        if kind == "unix":
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(rest)
        else:
            host, _, port = rest.rpartition(":")
            self.socket = socket.create_connection((host, int(port)), timeout=timeout)

    def send(self, request):
        data = request if isinstance(request, bytes) else json.dumps(request).encode()
        self.socket.sendall(struct.pack(">I", len(data)) + data)

    def exactly(self, count):
        data = bytearray()
        while len(data) < count:
            chunk = self.socket.recv(min(1 << 20, count - len(data)))
            if not chunk:
                raise EOFError(f"closed after {len(data)} of {count} bytes")
            data += chunk
        return bytes(data)

    def receive(self):
        return json.loads(self.exactly(struct.unpack(">I", self.exactly(4))[0]))

    def ask(self, request):
        self.send(request)
        return self.receive()

    def is_closed(self):
        """Waits for the end; True if it came without another byte."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Nsm:
    """One `enclave-sim nsm`."""

    def __init__(self, folder, *options):
        self.path = os.path.join(str(folder), "nsm.sock")
        self.root = os.path.join(str(folder), "nsm-root.pem")
        self.log_path = os.path.join(str(folder), "nsm.log")
        self.start("--pcr", f"0={PCR0}", "--state", os.path.join(str(folder), "nsm-state"), *options)

    def start(self, *options):
        self.options = options
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [SIM, "nsm", "--listen", f"unix:{self.path}", "--write-nsm-root", self.root, *options],
                stdout=subprocess.PIPE, stderr=log)
        ready = self.process.stdout.readline()
        assert ready.startswith(b"ready "), pathlib.Path(self.log_path).read_text()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(30)
        self.process.stdout.close()

    def restart(self, *more):
        self.stop()
        self.start(*self.options, *more)


class World:
    """Both simulators and a key with a policy on PCR0; what an enclave is started in."""

    def __init__(self, folder, *nsm_options):
        self.folder = str(folder)
        self.nsm = Nsm(folder, *nsm_options)
        with open(self.nsm.root, "rb") as file:
            root = file.read()
        self.kms = Kms(folder, root, "--host", "localhost", "--host",
                       f"kms.{kms_tools.REGION}.amazonaws.com")
        admin = self.kms.admin()
        self.key_arn = admin.ok("CreateKey", Policy=key_policy())["KeyMetadata"]["Arn"]
        self.tsk = os.urandom(32)
        self.wrapped = self.wrap(self.tsk)

    def wrap(self, secret, key=None, context=None):
        reply = self.kms.admin().ok("Encrypt", KeyId=key or self.key_arn, Plaintext=b64(secret),
                                    EncryptionContext=CONTEXT if context is None else context)
        return reply["CiphertextBlob"]

    def close(self):
        self.kms.stop()
        self.nsm.stop()


def credentials(expiration=None, **changes):
    result = {"access_key_id": ENCLAVE["access_key_id"],
              "secret_access_key": ENCLAVE["secret_access_key"],
              "session_token": ENCLAVE["session_token"],
              "expiration": expiration or ENCLAVE["expiration"]}
    result.update(changes)
    return result


class Enclaved:
    """One enclaved-dev in a world."""

    def __init__(self, world, folder, listen="tcp:127.0.0.1:0", limits=None, kms=None, rotation=None,
                 env=None, wrapper=(), arguments=()):
        self.world = world
        self.folder = str(folder)
        self.config_path = os.path.join(self.folder, "enclaved.json")
        self.log_path = os.path.join(self.folder, "enclaved.log")
        config = {"listen": listen,
                  "kms": {"key_arn": world.key_arn, "encryption_context": CONTEXT,
                          "relay": f"tcp:127.0.0.1:{world.kms.port}", "roots_file": world.kms.ca,
                          "attempt_seconds": 5, "total_seconds": 20, **(kms or {})}}
        if limits:
            config["limits"] = limits
        if rotation:
            config["rotation"] = rotation
        with open(self.config_path, "w") as file:
            json.dump(config, file)
        environment = {k: v for k, v in os.environ.items()
                       if not k.startswith("AWS_") and k != "ENCRYPTED_TSK"}
        environment.update(env or {})
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*wrapper, os.path.join(BUILD, "enclaved-dev"), "--config", self.config_path,
                 "--nsm", f"unix:{world.nsm.path}", "--verbose", *arguments],
                stdout=subprocess.PIPE, stderr=log, env=environment)
        ready = self.process.stdout.readline().decode()
        assert ready.startswith("ready "), self.log()
        self.address = ready.split()[1]

    def connect(self, timeout=30):
        return Connection(self.address, timeout)

    def ask(self, request, timeout=60):
        with self.connect(timeout) as connection:
            return connection.ask(request)

    def health(self):
        return self.ask({"op": "health"})

    def wait_for(self, state):
        return wait_until(lambda: (lambda h: h["state"] == state and h)(self.health()),
                          what=f"state {state}")

    def configure(self, creds="default", wrapped="default", **more):
        request = {"op": "configure", **more}
        if creds is not None:
            request["credentials"] = credentials() if creds == "default" else creds
        if wrapped is not None:
            request["wrapped_tsk"] = self.world.wrapped if wrapped == "default" else wrapped
        return self.ask(request)

    def ready(self):
        answer = self.configure()
        assert answer["status"] == "success", (answer, self.log())
        return self

    def agent_a(self, payload):
        answer = self.ask({"mode": "A", "payload": payload})
        assert answer["status"] == "success", answer
        return answer["ciphertext"]

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(60)
        self.process.stdout.close()
        return code


def open_state(sealed_hex, key):
    """What Python's own cryptography makes of a sealed state: bytes."""
    sealed = bytes.fromhex(sealed_hex)
    return AESGCM(key).decrypt(sealed[:12], sealed[12:], None)


def seal_state(plaintext, key):
    nonce = os.urandom(12)
    return (nonce + AESGCM(key).encrypt(nonce, plaintext, None)).hex()


def unwrap_base64(text):
    return base64.b64decode(text)


def is_sanitized():
    """Sanitizers need more memory than a test's limit would leave them."""
    with open(os.path.join(BUILD, "enclaved-dev"), "rb") as file:
        data = file.read()
    return b"__asan_" in data or b"__tsan_" in data
