# SPDX-License-Identifier: Apache-2.0
"""Real clients of AWS with one interface: call(operation, input) answers a dictionary with bytes as
bytes, or raises Refused."""
import base64
import json
import os
import subprocess

import boto3
import botocore.config
import botocore.exceptions
from kms_tools import ADMIN, ENCLAVE, REGION

HERE = os.path.dirname(os.path.abspath(__file__))
BYTES = ("Plaintext", "CiphertextBlob", "CiphertextForRecipient", "PublicKey", "Signature")


class Refused(Exception):
    def __init__(self, name, message, status):
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message
        self.status = status


class Boto3:
    """Current boto3. It calls itself what its users have: AWS_CA_BUNDLE and endpoint_url."""

    def __init__(self, kms, credential):
        os.environ["AWS_CA_BUNDLE"] = kms.ca
        self.client = boto3.client(
            "kms", region_name=REGION, endpoint_url=f"https://localhost:{kms.port}",
            aws_access_key_id=credential["access_key_id"],
            aws_secret_access_key=credential["secret_access_key"],
            aws_session_token=credential.get("session_token"),
            config=botocore.config.Config(retries={"total_max_attempts": 1}))

    def call(self, operation, **members):
        method = "".join("_" + c.lower() if c.isupper() else c for c in operation).lstrip("_")
        try:
            answer = getattr(self.client, method)(**members)
        except botocore.exceptions.ClientError as error:
            what = error.response["Error"]
            raise Refused(what["Code"], what.get("Message", ""),
                          error.response["ResponseMetadata"]["HTTPStatusCode"]) from None
        answer.pop("ResponseMetadata")
        return answer


class Node:
    """The Node program, which is the AWS SDK for JavaScript ("sdk") or aws4."""

    def __init__(self, kms, client):
        self.client = client
        env = dict(os.environ, NODE_EXTRA_CA_CERTS=kms.ca)
        self.process = subprocess.Popen(
            ["node", os.path.join(HERE, "peer.cjs"), f"https://localhost:{kms.port}", REGION],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)

    def close(self):
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()

    def call(self, credential, operation, members):
        credentials = {"accessKeyId": credential["access_key_id"],
                       "secretAccessKey": credential["secret_access_key"]}
        if "session_token" in credential:
            credentials["sessionToken"] = credential["session_token"]
        line = json.dumps({"client": self.client, "credentials": credentials,
                           "operation": operation, "input": mark(members)})
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            error = answer["error"]
            raise Refused(error["name"], error["message"], error.get("status"))
        return unmark(answer["output"])


class NodeAs:
    def __init__(self, node, credential):
        self.node = node
        self.credential = credential

    def call(self, operation, **members):
        return self.node.call(self.credential, operation, members)


def mark(value):
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {name: mark(v) for name, v in value.items()}
    return value


def unmark(value):
    if isinstance(value, dict) and list(value) == ["$bytes"]:
        return base64.b64decode(value["$bytes"])
    if isinstance(value, dict):
        return {name: base64.b64decode(v) if name in BYTES and isinstance(v, str) else unmark(v)
                for name, v in value.items()}
    return value


class Peer:
    """One client library, as the administrator and as the enclave's role."""

    def __init__(self, name, kms):
        self.name = name
        self.node = None
        if name == "boto3":
            self.admin, self.enclave = Boto3(kms, ADMIN), Boto3(kms, ENCLAVE)
        else:
            self.node = Node(kms, {"javascript": "sdk", "aws4": "aws4"}[name])
            self.admin, self.enclave = NodeAs(self.node, ADMIN), NodeAs(self.node, ENCLAVE)

    def close(self):
        if self.node is not None:
            self.node.close()
