# SPDX-License-Identifier: Apache-2.0
"""What the documents say about the code."""
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def read(path):
    return (ROOT / path).read_text()


def error_names():
    """Of the codes in error.h those that a client can get: all but those of codecs and tools."""
    wire = read("src/base/error.h").split("/* codecs, network and tools */")[0]
    return set(re.findall(r'X\(ERROR_\w+,\s*"(\w+)"', wire)) - {"none", "bad_config"}


def test_every_error_code_is_documented_and_the_other_way_round():
    table = "".join(line for line in read("docs/protocol.md").split("## Errors")[1].splitlines(True)
                    if line.startswith("| `"))
    documented = set(re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in table.splitlines())))
    assert error_names() <= documented, error_names() - documented
    known = set(re.findall(r'X\(ERROR_\w+,\s*"(\w+)"', read("src/base/error.h")))
    assert documented <= known, documented - known


def test_every_setting_is_documented():
    settings = re.findall(r'\{"(\w*)", "(\w+)", \w+, AT', read("src/enclave/config.c"))
    assert len(settings) > 15
    table = read("docs/configuration.md")
    for section, member in settings:
        name = f"{section}.{member}" if section else member
        assert f"| `{name}` |" in table, name


def test_the_agent_of_the_document_compiles(tmp_path):
    blocks = re.findall(r"```c\n(.*?)```", read("docs/writing-an-agent.md"), re.S)
    assert len(blocks) == 2 and sum(len(b.splitlines()) for b in blocks) < 30
    text = read("src/enclave/agents.c")
    begin = text.index("static const struct agent agents[]")
    end = text.index("};", begin) + 3
    source = tmp_path / "agents.c"
    source.write_text(text[:begin] + blocks[0] + blocks[1] + text[end:])
    result = subprocess.run([os.environ.get("CC", "cc"), "-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra",
                             "-Werror", "-fsyntax-only", "-I", ROOT / "src", source],
                            stderr=subprocess.PIPE, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("page", ["README.md", *(str(p.relative_to(ROOT))
                                                for p in (ROOT / "docs").glob("*.md"))])
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", read(page)):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), target
