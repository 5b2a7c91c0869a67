# SPDX-License-Identifier: Apache-2.0
"""The man pages: well-formed, and in step with --help."""
import glob
import os
import re
import shutil
import subprocess

import pytest

from host_tools import BUILD

FOLDER = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "man")
PAGES = sorted(glob.glob(os.path.join(FOLDER, "*.[18]")))
COMMANDS = [["enclavectl", c] for c in ("invoke", "pipeline", "configure", "health", "dev", "doctor",
                                         "relay")]
COMMANDS += [["enclavectl", "image", v] for v in ("build", "inspect", "pcr", "sign", "verify")]
COMMANDS += [["enclavectl", "policy", v] for v in ("check", "render")]
COMMANDS += [["enclave-sim", "nsm"], ["enclave-sim", "kms"], ["enclave-sim", "vm"], ["enclaved"]]


def page_of(program):
    return next(p for p in PAGES if os.path.basename(p).split(".")[0] == program)


@pytest.mark.parametrize("page", PAGES, ids=os.path.basename)
def test_lint(page):
    if shutil.which("mandoc") is None:
        pytest.skip("no mandoc")
    done = subprocess.run(["mandoc", "-T", "lint", page], stdout=subprocess.PIPE, text=True,
                          timeout=30)
    # a page it refers to need not be installed yet
    told = [line for line in done.stdout.splitlines() if "referenced manual not found" not in line]
    assert told == []


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_option_has_its_place(command):
    program = os.path.join(BUILD, command[0])
    if not os.path.exists(program):
        pytest.skip(f"{command[0]} is not built")
    text = subprocess.run([program, *command[1:], "--help"], stdout=subprocess.PIPE, text=True,
                          timeout=30).stdout
    options = set(re.findall(r"^ +--([a-z0-9-]+)", text, re.MULTILINE))
    assert options
    with open(page_of(command[0])) as file:
        page = file.read()
    missing = {o for o in options if f"-{o}" not in page}
    assert missing == set()
