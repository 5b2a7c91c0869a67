# SPDX-License-Identifier: Apache-2.0
"""The benchmark runs and its table comes out; no figure is judged here."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from enclave_tools import is_sanitized

pytestmark = pytest.mark.slow  # it measures

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / os.environ.get("BUILD", "build")


def run_bench(tmp_path, *options):
    figures = tmp_path / "figures.json"
    done = subprocess.run(["/usr/bin/python3", ROOT / "bench" / "run", "--build", BUILD,
                           "--seconds", "0.1", "--repeat", "1", "--json", figures, *options],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=250,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, json.loads(figures.read_text())


def test_echo_alone(tmp_path):
    table, figures = run_bench(tmp_path, "--servers", "echo")
    assert len(figures["rows"]) == 22
    for row in figures["rows"]:
        result = row["results"]["echo"]
        assert result["requests_all"] > 0
        assert result["p50_us"] <= result["p99_us"]
    assert len(re.findall(r"^.*\becho +\d+", table, re.M)) == 22
    assert figures["aims"] == []


@pytest.mark.skipif(not (BUILD / "enclavectl").exists(), reason="enclavectl is not built")
def test_table_and_aims(tmp_path):
    table, figures = run_bench(tmp_path, "--servers", "echo,enclaved")
    for row in figures["rows"]:
        assert set(row["results"]) == {"echo", "enclaved"}
        assert row["results"]["enclaved"]["requests_all"] > 0
    # Without the reference: CPU and throughput against the echo, pipelining twice; for A and A->B.
    assert len(figures["aims"]) == 8
    assert len(re.findall(r"^  (met|missed) ", table, re.M)) == 8


@pytest.mark.skipif(not (BUILD / "enclavectl").exists(), reason="enclavectl is not built")
def test_one_good_client_beside_hostile_ones(tmp_path):
    figures = tmp_path / "figures.json"
    done = subprocess.run(["/usr/bin/python3", ROOT / "bench" / "hostile", "--build", BUILD,
                           "--seconds", "0.2", "--json", figures], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(figures.read_text())["rows"]
    assert len(rows) == 7
    assert all(row["p50_ms"] <= row["p99_ms"] for row in rows)
    assert len(re.findall(r" (?:met|missed)$", done.stdout, re.M)) == len(rows)


def test_load_refuses_a_wrong_answer():
    """An echo is not an answer of agent A: the load generator says so and fails."""
    echo = subprocess.Popen([BUILD / "bench" / "echo", "tcp:127.0.0.1:0"], stdout=subprocess.PIPE,
                            text=True)
    try:
        address = echo.stdout.readline().split()[1]
        done = subprocess.run([BUILD / "bench" / "load", "--to", address, "--seconds", "0.05"],
                              capture_output=True, text=True, timeout=60, check=False)
    finally:
        echo.terminate()
        echo.wait()
    assert done.returncode == 1
    assert "a wrong answer to mode A" in done.stderr


def test_load_says_that_nobody_listens(tmp_path):
    done = subprocess.run([BUILD / "bench" / "load", "--to", f"unix:{tmp_path}/none"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "cannot connect" in done.stderr


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="no valgrind to count with")
@pytest.mark.skipif(is_sanitized(), reason="a sanitizer and valgrind do not go together")
def test_instructions_are_counted(tmp_path):
    figures = tmp_path / "figures.json"
    done = subprocess.run(["/usr/bin/python3", ROOT / "bench" / "instructions", "--build", BUILD, "--quick",
                           "--json", figures], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=250, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 5_000 < json.loads(figures.read_text())["each"] < 5_000_000


@pytest.mark.skipif(shutil.which("socat") is None, reason="no socat to compare with")
def test_the_relay_beside_socat():
    done = subprocess.run(["/usr/bin/python3", ROOT / "bench" / "relay", "--build", BUILD, "--mib", "64",
                           "--connections", "50", "--rounds", "1"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^us CPU a MiB +\d", done.stdout, re.M)
    assert re.search(r"^us CPU a connection +\d", done.stdout, re.M)
