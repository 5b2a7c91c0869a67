# SPDX-License-Identifier: Apache-2.0
"""The man pages: well-formed, and in step with --help and shell completion, in the same words."""
import glob
import os
import re
import shutil
import subprocess

import pytest

from host_tools import BUILD

FOLDER = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "man")
PAGES = sorted(glob.glob(os.path.join(FOLDER, "*.[18]")))
GROUPS = {"enclavectl": ["image", "policy"], "enclave-sim": []}
# what the page says once, for the commands that have it
SHARED = {"enclavectl": {"to", "timeout", "json", "help"}, "enclave-sim": {"help"}, "enclaved": set()}
BUILT_IN = ["help", "version", "completion"]


def output(program, *arguments):
    path = os.path.join(BUILD, program)
    if not os.path.exists(path):
        pytest.skip(f"{program} is not built")
    return subprocess.run([path, *arguments], stdout=subprocess.PIPE, text=True, timeout=30).stdout


def names_in(text, title):
    """The first words of a list in --help."""
    block = text.split(f"\n{title}:\n")[1].split("\n\n")[0]
    return re.findall(r"^  ([a-z-]+)  ", block, re.MULTILINE)


def commands(program):
    """Every command that can be run, as a list of words."""
    for name in names_in(output(program, "--help"), "commands"):
        if name in GROUPS[program]:
            for verb in names_in(output(program, name, "--help"), "verbs"):
                yield [name, verb]
        else:
            yield [name]


def options_of(program, words):
    """{name: (argument, help)} as --help has them."""
    text = output(program, *words, "--help").split("\noptions:\n")[1].split("\n\n")[0]
    found = {}
    for row in re.split(r"\n(?=  \S)", text):
        match = re.match(r"  --([a-z0-9-]+)(?: (\S+))?  +(.*)", row.replace("\n", " "))
        if match:
            found[match.group(1)] = (match.group(2), " ".join(match.group(3).split()))
    return found


def page_of(program):
    path = next(p for p in PAGES if os.path.basename(p).split(".")[0] == program)
    with open(path) as file:
        return file.read()


def section_of(program, title):
    """The lines under .Ss TITLE, or before the first .Ss where there is no title."""
    parts = re.split(r"^\.S[sh] (.*)$", page_of(program), flags=re.MULTILINE)
    titles = dict(zip(parts[1::2], parts[2::2], strict=True))
    return titles["DESCRIPTION" if title is None else title]


def items_of(section):
    """{name: (argument, help)} of the tagged list; what is in brackets macros is said besides."""
    found = {}
    for item in re.split(r"^\.It ", section, flags=re.MULTILINE)[1:]:
        head, *lines = item.split("\n")
        match = re.match(r"Fl -([a-z0-9-]+)(?: Ar (\S+))?$", head)
        if match is None:
            continue
        lines = re.sub(r"\\\n", "", "\n".join(lines)).split("\n")
        end = next((i for i, line in enumerate(lines) if line.startswith(".")), len(lines))
        text = " ".join(" ".join(lines[:end]).replace("\\&", "").replace("\\-", "-").split())
        found[match.group(1)] = (match.group(2), text)
    return found


@pytest.mark.parametrize("page", PAGES, ids=os.path.basename)
def test_lint(page):
    if shutil.which("mandoc") is None:
        pytest.skip("no mandoc")
    done = subprocess.run(["mandoc", "-T", "lint", page], stdout=subprocess.PIPE, text=True,
                          timeout=30)
    # a page it refers to need not be installed yet
    told = [line for line in done.stdout.splitlines() if "referenced manual not found" not in line]
    assert told == []


@pytest.mark.parametrize("program", ["enclavectl", "enclave-sim"])
def test_the_page_and_help_have_the_same_options_in_the_same_words(program):
    shared = items_of(section_of(program, None))
    used = set()
    for words in commands(program):
        if words[0] in BUILT_IN:
            continue
        helped = options_of(program, words)
        said = items_of(section_of(program, " ".join(words)))
        # the options that commands share are said once, unless this command means its own thing
        for name in SHARED[program] & set(helped) - set(said):
            used.add(name)
            assert name == "help" or helped.pop(name) == shared[name], (words, name)
            helped.pop(name, None)
        assert said == helped, words
    assert used == SHARED[program]
    assert set(shared) <= SHARED[program]


@pytest.mark.parametrize("program", ["enclavectl", "enclave-sim"])
def test_the_page_has_a_section_for_every_command_and_no_other(program):
    titles = re.findall(r"^\.Ss (.*)$", page_of(program), re.MULTILINE)
    named = [name for title in titles for name in title.split(" , ")]
    assert sorted(named) == sorted([" ".join(words) for words in commands(program)] +
                                   ["Former names"])


def bash_options(program, words):
    """The options that the completion for bash offers after these words."""
    script = output(program, "completion", "bash")
    match = re.search(rf"^    '{' '.join(words)}'\)\n.*?^        \*\)\n +words='([^']*)'", script,
                      re.MULTILINE | re.DOTALL)
    return {word.removeprefix("--") for word in match.group(1).split()}


def fish_options(program, words):
    script = output(program, "completion", "fish")
    return set(re.findall(rf"-n '__{program}_at {' '.join(words)}' -l ([a-z0-9-]+)", script))


@pytest.mark.parametrize("program", ["enclavectl", "enclave-sim"])
def test_completion_and_help_have_the_same_options(program):
    for words in commands(program):
        helped = set(options_of(program, words))
        assert "help" in helped
        assert bash_options(program, words) == helped, words
        assert fish_options(program, words) == helped, words


@pytest.mark.parametrize("program", ["enclavectl", "enclave-sim"])
def test_former_names_work_and_are_in_the_page(program):
    """Each is taken with a note: the command then fails for what else it needs."""
    rows = re.findall(r"^\.It (.*) Ta Fl -(\S+) Ta Fl -(\S+)$", section_of(program, "Former names"),
                      re.MULTILINE)
    assert rows
    for command, former, now in rows:
        assert now in options_of(program, command.split()), command
        done = subprocess.run([os.path.join(BUILD, program), *command.split(), f"--{former}", "/",
                               "--no-such-option"], stderr=subprocess.PIPE, text=True, timeout=30)
        assert done.returncode == 2, done.stderr
        assert f"{program}: --{former} is now --{now}; " in done.stderr


def test_the_page_of_enclaved_has_every_option():
    options = set(re.findall(r"^ +--([a-z0-9-]+)", output("enclaved", "--help"), re.MULTILINE))
    assert options
    assert {o for o in options if f"-{o}" not in page_of("enclaved")} == set()
