# SPDX-License-Identifier: Apache-2.0
"""docs/writing-an-agent.md, done as it says, in a copy of the tree."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/writing-an-agent.md"
AGENTS = "src/enclave/agents.c"
TESTS = "tests/unit/test_agents.c"
TABLE = "static const struct agent agents[]"
FOLLOWED = "agent_c(" in (ROOT / AGENTS).read_text()  # whoever followed the page has it here
pytestmark = pytest.mark.skipif(os.path.basename(os.environ.get("BUILD", "build")) != "build",
                                reason="once, with the plain build: it is a build of its own")


def run(*command, cwd, **env):
    done = subprocess.run([str(c) for c in command], cwd=cwd, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=280,
                          env=dict(os.environ, **env))
    assert done.returncode == 0, done.stdout
    return done.stdout


def put_before(path, mark, text):
    content = path.read_text()
    assert content.count(mark) == 1, (path, mark)
    path.write_text(content.replace(mark, text + mark))


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of what is here, with the agent of the page."""
    top = tmp_path_factory.mktemp("tree")
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True,
                            stdout=subprocess.PIPE, text=True, timeout=30).stdout
    for name in listed.splitlines():
        if (ROOT / name).is_file():
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, top / name)
    function, table, test, row = re.findall(r"```c\n(.*?)```", PAGE.read_text(), re.S)
    if FOLLOWED:
        return top
    put_before(top / AGENTS, TABLE, function)
    content = (top / AGENTS).read_text()
    begin = content.index(TABLE)
    end = content.index("};\n", begin) + 3
    (top / AGENTS).write_text(content[:begin] + table + content[end:])
    put_before(top / TESTS, "int main(void)\n", test)
    content = (top / TESTS).read_text()
    end = content.index("    };\n", content.index("int main(void)\n"))
    (top / TESTS).write_text(content[:end] + row + content[end:])
    return top


def test_the_agent_is_as_the_page_says(tree):
    """Of a few lines, in the project's style, and named in the table."""
    blocks = re.findall(r"```c\n(.*?)```", PAGE.read_text(), re.S)
    assert sum(len(b.splitlines()) for b in blocks) < 40
    assert '{"C", agent_c},' in (tree / AGENTS).read_text()
    if shutil.which("clang-format"):
        run("clang-format", "--dry-run", "-Werror", AGENTS, TESTS, cwd=tree)


@pytest.mark.slow
def test_with_the_agent_its_test_and_the_others_pass(tree):
    run("meson", "setup", "build", cwd=tree)
    run("ninja", "-C", "build", "tests/test_agents", cwd=tree)
    # an expectation of agents' number or names would fail here
    told = run("build/tests/test_agents", cwd=tree)
    assert re.search(r"OK \] agent_c_marks_a_state", told) and "FAILED" not in told


@pytest.mark.slow
def test_with_the_agent_the_documents_still_agree_with_the_code(tree):
    run("scripts/check-includes", cwd=tree)
    run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "system/test_docs.py",
        cwd=tree / "tests", BUILD=str(ROOT / os.environ.get("BUILD", "build")))  # for help of enclavectl
