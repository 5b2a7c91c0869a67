# SPDX-License-Identifier: Apache-2.0
"""The kept seeds of every fuzz target, replayed without a fuzzer: what was found once stays mended."""
import pathlib
import subprocess

import pytest

from host_tools import BUILD

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FUZZ = ROOT / "fuzz"
TARGETS = sorted(path.stem for path in FUZZ.glob("*.c") if path.stem != "replay")
FOLDERS = sorted(path.name for path in (FUZZ / "corpus").iterdir())
SEEDS = [path.relative_to(FUZZ / "corpus").as_posix() for folder in FOLDERS
         for path in sorted((FUZZ / "corpus" / folder).iterdir())]


def test_each_target_has_seeds_and_a_place_in_the_build():
    assert TARGETS == FOLDERS
    assert {seed.split("/")[0] for seed in SEEDS} == set(TARGETS)
    built = {path.name for path in pathlib.Path(BUILD, "fuzz").glob("replay_*") if path.is_file()}
    assert {f"replay_{target}" for target in TARGETS} == built


@pytest.mark.parametrize("seed", SEEDS)
def test_seed(seed):
    target = seed.split("/")[0]
    done = subprocess.run([pathlib.Path(BUILD, "fuzz", f"replay_{target}"), FUZZ / "corpus" / seed],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=120)
    assert done.returncode == 0, done.stdout.decode(errors="replace")


def test_what_is_no_seed_fails(tmp_path):
    """A replay that reads nothing must not pass."""
    program = pathlib.Path(BUILD, "fuzz", "replay_json")
    for arguments in [], [tmp_path / "none"], [tmp_path]:
        assert subprocess.run([program, *arguments], stderr=subprocess.PIPE, timeout=60).returncode != 0
