# SPDX-License-Identifier: Apache-2.0
"""Inputs from reports of people who run enclaves, with what their README says is right. They lie
beside the project, in ../shared/cases."""
import pathlib

import pytest

from relay_tools import Relay

CASES = pathlib.Path(__file__).resolve().parents[3] / "shared/cases"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason=f"{CASES} is not there")


def test_the_relay_takes_the_list_of_vsock_proxy_in_block_style(tmp_path):
    relay = Relay(tmp_path, "127.0.0.1:8443", "--allow-file", CASES / "vsock-proxy.yaml", allow=False)
    try:
        assert relay.status()["allow"] == [
            "kms.us-east-1.amazonaws.com:443", "kms-fips.us-east-1.amazonaws.com:443",
            "s3.us-east-1.amazonaws.com:443", "127.0.0.1:8443"]
    finally:
        relay.end()
