# SPDX-License-Identifier: Apache-2.0
"""deploy/ before a linter of others: the Dockerfile, which peer_docker.py builds. Run by
scripts/check-peers."""
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HADOLINT = os.path.join(os.path.dirname(sys.executable), "hadolint")


def lint(path):
    return subprocess.run([HADOLINT, "--no-color", path], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60)


def test_dockerfile():
    done = lint(ROOT / "deploy/docker/Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("line, rule", [("FROM debian", "DL3006"), ("RUN cd /x && sudo make", "DL3004"),
                                        ("COPY a b c", "DL3021"), ("FRUM scratch", "unexpected")])
def test_the_linter_would_notice(tmp_path, line, rule):
    file = tmp_path / "Dockerfile"
    file.write_text((ROOT / "deploy/docker/Dockerfile").read_text() + line + "\n")
    done = lint(file)
    assert done.returncode != 0 and rule in done.stdout
