# SPDX-License-Identifier: Apache-2.0
"""Shell completion, as bash, zsh and fish do it with the scripts that the programs print."""
import os
import re
import select
import shutil
import subprocess
import time

import pytest

from host_tools import BUILD, open_terminal

COMMANDS = ["invoke", "pipeline", "configure", "health", "dev", "doctor", "image", "policy", "relay",
            "help", "version", "completion"]
# what is typed, the last word being completed; what must be offered; what must not
CASES = [
    ("enclavectl ", COMMANDS, ["build", "kms"]),
    ("enclavectl i", ["invoke", "image"], ["relay"]),
    ("enclavectl image ", ["build", "inspect", "pcr", "sign", "verify"], ["check", "invoke"]),
    ("enclavectl image build --w", ["--wrapped-tsk-file", "--write-measurements"], ["--arch"]),
    ("enclavectl image build --arch ", ["x86_64", "aarch64"], ["--kernel"]),
    ("enclavectl image build --arch a", ["aarch64"], ["x86_64"]),
    ("enclavectl image build --kernel an", ["an image"], ["folder"]),
    ("enclavectl image build --kernel k --roots an", ["an image"], ["folder"]),
    ("enclavectl image inspect an", ["an image"], []),
    ("enclavectl image sign x --r", ["--remove"], ["--json"]),
    ("enclavectl policy check --n", ["--nsm-root"], ["--root"]),
    ("enclavectl dev --state fo", ["folder"], ["an image"]),
    ("enclavectl help p", ["pipeline", "policy"], ["image"]),
    ("enclavectl help policy ", ["check", "render"], ["build"]),
    ("enclavectl completion ", ["bash", "zsh", "fish"], []),
    ("enclavectl invoke --mode an", [], ["an image"]),
    ("enclave-sim ", ["kms", "nsm", "vm", "help", "version", "completion"], ["relay"]),
    ("enclave-sim vm an", ["an image"], []),
    ("enclave-sim vm x --accel ", ["auto", "kvm", "tcg"], []),
    ("enclave-sim nsm --p", ["--pcr"], ["--pcrs"]),
]


def script(program, shell):
    done = subprocess.run([os.path.join(BUILD, program), "completion", shell], stdout=subprocess.PIPE,
                          text=True, timeout=30, check=True)
    return done.stdout


@pytest.fixture(name="place")
def fixture_place(tmp_path):
    """A folder to complete files in, and the scripts beside it."""
    for program in "enclavectl", "enclave-sim":
        for shell in "bash", "zsh", "fish":
            (tmp_path / f"{program}.{shell}").write_text(script(program, shell))
    place = tmp_path / "place"
    (place / "folder").mkdir(parents=True)
    (place / "an image").write_text("")
    return place


def needs(shell):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")


def judge(line, offered, wanted, unwanted):
    assert set(wanted) <= offered, (line, offered)
    assert not set(unwanted) & offered, (line, offered)


def bash(place, line):
    """What bash offers. Words are parted as readline parts them."""
    words = line.split(" ")
    commands = f"""
        source ../{words[0]}.bash
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        function=$(complete -p {words[0]} | sed 's/.* -F //; s/ .*//')
        $function
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "--norc", "-c", commands, "bash", *words], cwd=place,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return set(done.stdout.splitlines())


@pytest.mark.parametrize("line, wanted, unwanted", CASES, ids=[case[0] for case in CASES])
def test_bash(place, line, wanted, unwanted):
    needs("bash")
    judge(line, bash(place, line), wanted, unwanted)


@pytest.mark.parametrize("line, wanted", [
    ("enclavectl image build --arch = x", {"x86_64"}),
    ("enclavectl image build --arch =", {"x86_64", "aarch64"}),
])
def test_bash_parts_words_at_an_equals_sign(place, line, wanted):
    needs("bash")
    assert bash(place, line) == wanted


@pytest.mark.parametrize("program", ["enclavectl", "enclave-sim"])
def test_the_script_for_bash_has_no_flaw_that_shellcheck_knows(place, program):
    needs("shellcheck")
    done = subprocess.run(["shellcheck", "-s", "bash", place.parent / f"{program}.bash"],
                          stdout=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("line, wanted, unwanted", CASES, ids=[case[0] for case in CASES])
def test_fish(place, line, wanted, unwanted):
    needs("fish")
    commands = f"source ../{line.split()[0]}.fish; complete -C '{line}'"
    done = subprocess.run(["fish", "--no-config", "-c", commands], cwd=place, capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    offered = {row.split("\t")[0].rstrip("/").replace("\\ ", " ") for row in done.stdout.splitlines()}
    judge(line, offered, wanted, unwanted)


class Zsh:
    """An interactive zsh on a terminal: its completion is there and nowhere else."""

    def __init__(self, place):
        self.fd, inner = open_terminal()
        env = dict(os.environ, TERM="dumb", HOME=str(place.parent), ZDOTDIR=str(place.parent))
        # setsid makes the terminal the shell's own.
        self.process = subprocess.Popen(["setsid", "--ctty", "zsh", "-f", "-i"], cwd=place, env=env,
                                        stdin=inner, stdout=inner, stderr=inner)
        os.close(inner)
        self.type("stty cols 300 rows 200; PROMPT= RPROMPT= LISTMAX=1000; unsetopt zle_bracketed_paste; "
                  "autoload -Uz compinit; compinit -u -d ../dump; "
                  "source ../enclavectl.zsh; source ../enclave-sim.zsh; "
                  "bindkey '^I' list-choices; zstyle ':completion:*' list-packed no; print rea''dy\n")
        self.read("ready\r")

    def type(self, text):
        os.write(self.fd, text.encode())

    def read(self, end, patience=60):
        """What appears until end does, or until nothing more does for so many seconds."""
        got = ""
        until = time.monotonic() + patience
        while end not in got and time.monotonic() < until:
            if select.select([self.fd], [], [], 0.2)[0]:
                got += os.read(self.fd, 65536).decode(errors="replace")
        assert end in got, got
        return got

    def list(self, line, patience):
        """The list that TAB shows in this time, without descriptions; the line is then taken back."""
        self.type(line + "\t")
        time.sleep(patience)  # zsh shows no list where more is typed already
        self.type("\x15print do''ne\n")
        shown = self.read("done\r")
        rows = [row.split(" -- ")[0] for row in shown.split("\n")[1:-1] if "print do" not in row]
        return {cell.strip("/").replace("\\ ", " ") for row in rows
                for cell in re.split(r"\s{2,}", row.strip())}

    def offers(self, line, wanted):
        for patience in 0.2, 1, 3, 9:
            offered = self.list(line, patience)
            if set(wanted) <= offered:
                break
        return offered

    def close(self):
        os.close(self.fd)  # hangs up
        self.process.wait(60)


@pytest.mark.slow
def test_zsh(place):
    needs("zsh")
    zsh = Zsh(place)
    try:
        for line, wanted, unwanted in CASES:
            judge(line, zsh.offers(line, wanted), wanted, unwanted)
    finally:
        zsh.close()


def test_a_shell_that_is_not_known():
    done = subprocess.run([os.path.join(BUILD, "enclavectl"), "completion", "tcsh"],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and "SHELL is bash, zsh or fish" in done.stderr
