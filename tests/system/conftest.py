# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests of the real binaries."""
import socket

import pytest

from enclave_tools import Enclaved, World
from host_tools import FakeEnclaved, clean_environment
from kms_tools import Kms, Module


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Both simulators, and a key with a policy on PCR0."""
    world = World(tmp_path_factory.mktemp("world"))
    yield world
    world.close()


@pytest.fixture
def start(world, tmp_path):
    """Starts an enclaved-dev in the world; each must end well."""
    started = []

    def make(**options):
        enclave = Enclaved(world, tmp_path, **options)
        started.append(enclave)
        return enclave

    yield make
    for enclave in started:
        assert enclave.stop() == 0, enclave.log()


@pytest.fixture(scope="module")
def server(world, tmp_path_factory):
    """One enclaved-dev, configured, for all tests of a module."""
    enclave = Enclaved(world, tmp_path_factory.mktemp("enclaved")).ready()
    yield enclave
    assert enclave.stop() == 0, enclave.log()


@pytest.fixture(scope="module")
def module():
    """Makes attestation documents without the simulated NSM."""
    return Module()


@pytest.fixture(scope="module")
def kms(module, tmp_path_factory):
    """The simulated KMS alone, with the module's root."""
    server = Kms(tmp_path_factory.mktemp("kms"), module.root_pem())
    yield server
    assert server.stop() == 0


@pytest.fixture
def env(tmp_path):
    """No credentials but those that a test gives."""
    return clean_environment(tmp_path)


@pytest.fixture
def nobody():
    """HOST:PORT where connections are refused. The port stays taken: no other program gets it, and no
    client that connects to it gets it as its own, which TCP would connect with itself."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield "127.0.0.1:{1}".format(*taken.getsockname())


@pytest.fixture
def service():
    """A service that answers as enclaved would, without keys or agents."""
    with FakeEnclaved() as fake:
        yield fake
