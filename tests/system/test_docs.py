# SPDX-License-Identifier: Apache-2.0
"""What the documents say about the code."""
import itertools
import os
import pathlib
import re
import runpy
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


def table_after(text, heading):
    """The cells of the rows of the first table after a heading, without the table's own heading."""
    rows = [line for line in text.split(heading, 1)[1].split("\n## ")[0].splitlines()
            if line.startswith("| `")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def names_of(macro, pattern):
    """What an X-macro of connection.h lists."""
    text = read("src/enclave/connection.h").split(f"#define {macro}(X)")[1]
    return re.findall(pattern, re.split(r"(?<!\\)\n", text)[0])


def test_the_page_on_connections_has_every_state_and_reason():
    page = read("docs/connections.md")
    states = [name.lower() for name in names_of("CONNECTION_STATES", r"X\((\w+)\)")]
    assert len(states) == 10
    assert [row[0].strip("`") for row in table_after(page, "## States")] == states
    for state in states:
        assert re.search(rf"\b{state}\b", page.split("## States")[0]), f"{state} is not in the picture"
    reasons = names_of("END_REASONS", r'X\(\w+,\s*"(\w+)",\s*(\w+)\)')
    errors = dict(re.findall(r'X\((ERROR_\w+),\s*"(\w+)"', read("src/base/error.h")))
    assert len(reasons) > 10
    assert [row[:2] for row in table_after(page, "## Why connections end")] == [
        [f"`{name}`", "" if error == "ERROR_NONE" else f"`{errors[error]}`"] for name, error in reasons]


def test_the_page_on_connections_has_the_table_of_the_code():
    table = read("src/enclave/traffic.c").split("transitions[STATE_CLOSED][EVENT_COUNT] = {")[1]
    code = [(state.lower(), event.lower(), [word.lower() for word in re.findall(r"TO[(_](\w+)", to)])
            for state, event, to in re.findall(
                r"\[STATE_(\w+)\]\[EVENT_(\w+)\] =\s*\{\w+,\s*\w+,\s*([^}]+)\}", table.split("};")[0])]
    assert len(code) > 20
    groups = {"*waiting*": "waiting", "*served*": "serving", "*ended*": "end"}
    page = [(state.strip("`"), event, [groups.get(word, word.strip("`")) for word in to.split(", ")])
            for state, event, _, to in table_after(read("docs/connections.md"), "## Events")]
    assert page == code


def test_every_setting_is_documented():
    settings = re.findall(r'\{"(\w*)", "(\w+)", \w+, AT', read("src/config/config.c"))
    assert len(settings) > 15
    table = read("docs/configuration.md")
    for section, member in settings:
        name = f"{section}.{member}" if section else member
        assert f"| `{name}` |" in table, name


PAGES = sorted(str(p.relative_to(ROOT)) for folder in (".", "src", "docs", "deploy", "bench")
               for p in (ROOT / folder).glob("*.md"))


def anchors(text):
    """The names by which GitHub links to a page's headings."""
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
            for title in re.findall(r"^#+ (.*)$", text, re.M)}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for target, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", read(page)):
        if "://" in target:
            continue
        path = (ROOT / page).parent / target if target else ROOT / page
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(path.read_text()), f"{target}#{anchor}"


@pytest.mark.parametrize("page", PAGES)
def test_named_files_exist(page):
    """Files and folders of the repository, wherever a page names them by their path from the top."""
    tops = "src|docs|tests|scripts|deploy|bench|fuzz"
    for name in re.findall(rf"(?<![\w/.:-])((?:{tops})/[\w./*-]+)", read(page)):
        path = name.rstrip(".")
        if "NAME" not in path:
            assert list(ROOT.glob(path)), path


FOREIGN = {"random.h", "virtio_ids.h", "initramfs.c", "init.c", "virtio_transport.c"}  # Linux's and AWS's


def comments():
    for folder in ("src", "tests", "fuzz", "bench"):
        for path in (ROOT / folder).rglob("*.[ch]"):
            for match in re.finditer(r"/\*.*?\*/", path.read_text(), re.S):
                yield path.relative_to(ROOT), match.group(0)


def test_files_that_comments_name_exist():
    known = {p.name for folder in ("src", "tests", "fuzz", "bench") for p in (ROOT / folder).rglob("*.[ch]")}
    missing = [(str(path), name) for path, text in comments()
               for name in re.findall(r"(?<![\w/.-])(?:[\w-]+/)*(\w+\.[ch])\b", text)
               if name not in known | FOREIGN]
    assert missing == []


def test_no_comment_ends_on_a_line_of_its_own_by_chance():
    """What clang-format makes of a comment of one line that is too long: nobody writes it so."""
    broken = [(str(path), text) for path, text in comments() if re.fullmatch(r"/\* [^\n]*\\?\n *\*/", text)]
    assert broken == []


def test_headers_that_bear_limits_exist():
    """The architecture names them by their path below src."""
    limits = read("docs/architecture.md").split("## Limits")[1]
    rows = re.findall(r"^\|[^|]*\|[^|]*\|([^|]*)\|$", limits, re.M)
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    assert len(named) > 25
    for name in named:
        assert (ROOT / "src" / name).exists() or (ROOT / name).exists(), name


def test_every_page_is_reached_from_the_front_door():
    linked = set(re.findall(r"\]\(([^)#]+)", read("README.md")))
    for page in PAGES:
        assert page == "README.md" or page in linked, page


def include_check():
    return runpy.run_path(str(ROOT / "scripts/check-includes"))


def include_table():
    """Who may include whom, without the folders inside folders."""
    return {folder: {other for other in others if "/" not in other}
            for folder, others in include_check()["ALLOWED"].items() if "/" not in folder}


def test_the_arrows_of_the_map_are_those_of_the_include_check():
    """In "a ← b, c" b and c include a. The table has these arrows, and nothing that they do not reach."""
    arrows = {}
    for line in re.findall(r"^    (.* ← .*)$", read("src/README.md"), re.M):
        groups = [group.split(", ") for group in line.split(" ← ")]
        for included, including in itertools.pairwise(groups):
            for folder in including:
                arrows.setdefault(folder, set()).update(included)

    def reached(folder):
        return arrows.get(folder, set()).union(*map(reached, arrows.get(folder, set())))

    table = include_table()
    assert table.keys() - {"base"} == arrows.keys()
    for folder, others in table.items():
        assert arrows.get(folder, set()) <= others <= reached(folder), folder


def test_the_map_of_src_shows_every_folder_and_which_are_trusted():
    trusted, tools = (set(re.findall(r"^\| `(\w+)/` \|", part, re.M))
                      for part in read("src/README.md").split("| tools only |"))
    assert trusted == set(include_check()["TRUSTED"])
    assert trusted | tools == {p.name for p in (ROOT / "src").iterdir() if p.is_dir()}


def test_one_path_of_the_relays_status():
    """The program names it once; unit, pages and help have the same."""
    header = (ROOT / "src/host/relay_status.h").read_text()
    path = re.search(r'#define RELAY_STATUS_PATH +"(.*)"', header).group(1)
    unit = (ROOT / "deploy/systemd/enclaved-relay.service").read_text()
    folder = re.search(r"^RuntimeDirectory=(.*)$", unit, re.MULTILINE).group(1)
    assert path.startswith(f"/run/{folder}/")
    pages = [*(ROOT / "docs").rglob("*.[m1]*"), *(ROOT / "deploy/systemd").iterdir(), ROOT / "README.md"]
    named = [(file.name, found) for file in pages
             for found in re.findall(r"unix:(/run/(?!user/)[a-z./-]*[a-z])", file.read_text())]
    assert {found for _, found in named} == {path}
    assert {"enclaved-relay.service", "troubleshooting.md", "enclavectl.1"} <= {name for name, _ in named}
    program = ROOT / os.environ.get("BUILD", "build") / "enclavectl"
    shown = subprocess.run([program, "relay", "--help"], stdout=subprocess.PIPE, text=True,
                           check=True).stdout
    assert set(re.findall(r"unix:(/run/\S*[a-z])", shown)) == {path}
