# SPDX-License-Identifier: Apache-2.0
"""What judges the tests is tested itself: no crash, hang or silence may pass for success."""

import importlib.machinery
import importlib.util
import pathlib
import re
import subprocess

import cmocka
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

OK = "[ RUN      ] one\n[       OK ] one\n"
START = "[==========] group: Running 3 test(s).\n"
END = "[==========] group: 3 test(s) run.\n"


def load_script(path):
    loader = importlib.machinery.SourceFileLoader(path.name.replace("-", "_"), str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


@pytest.mark.parametrize("text, cases", [
    (START + OK + END, [("one", "passed", "")]),
    (OK + "[ RUN      ] two\nwhy\nand where\n[  FAILED  ] two\n" + END + "[  FAILED  ] two\n",
     [("one", "passed", ""), ("two", "failed", "why\nand where")]),
    ("[ RUN      ] two\nno vectors\n[  SKIPPED ] two\n", [("two", "skipped", "no vectors")]),
    ("[ RUN      ] two\nsetup broke\n[  ERROR   ] two\n", [("two", "failed", "setup broke")]),
    (START + OK + "[ RUN      ] two\nSegmentation fault", [("one", "passed", ""),
                                                          ("two", None, "Segmentation fault")]),
    ("[ RUN      ] two\n[       OK ] another\n", [("two", None, "[       OK ] another")]),
    ("", []),
])
def test_output_is_read(text, cases):
    assert cmocka.read_output(text)[0] == cases


def test_announced_cases_are_counted():
    assert cmocka.read_output(START + OK)[1] == 3


def test_program_that_is_killed_leaves_its_output():
    status, text = cmocka.run_program(["/bin/sh", "-c", "echo before; kill -SEGV $$"], None)
    assert (status, text) == (-11, "before\n")


def test_program_that_hangs_is_ended():
    status, text = cmocka.run_program(["/bin/sh", "-c", "echo before; sleep 600"], None, limit=0.5)
    assert (status, text) == (None, "before\n")


def run_program_as_suite(tmp_path, script):
    """Runs pytest over one program made of a shell script; returns its status and output."""
    (tmp_path / "build" / "tests").mkdir(parents=True)
    (tmp_path / "reports").mkdir()
    program = tmp_path / "build" / "tests" / "test_made"
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(0o755)
    (tmp_path / "test_made.c").write_text("")
    done = subprocess.run(
        ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path,
         "--confcutdir", tmp_path, "-c", "/dev/null", "-p", "conftest", tmp_path],
        env={"BUILD": str(tmp_path / "build"), "PYTHONPATH": str(ROOT / "tests"),
             "SANITIZER_REPORTS": str(tmp_path / "reports"),
             "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


PRINT = "printf '%s'"


@pytest.mark.parametrize("script, code, summary", [
    (f"{PRINT} '{START}{OK}'; exit 0", 1, "2 failed, 1 passed"),
    (f"{PRINT} '{START}{OK}[ RUN      ] two\n'; kill -ABRT $$", 1, "2 failed, 1 passed"),
    (f"{PRINT} '[==========] Running 1 test(s).\n{OK}'; exit 0", 0, "1 passed"),
    (f"{PRINT} '[==========] Running 1 test(s).\n{OK}'; exit 23", 1, "1 failed, 1 passed"),
    (f"{PRINT} '[==========] Running 1 test(s).\n{OK}'; echo leak >$SANITIZER_REPORTS/report.1", 1,
     "1 failed, 1 passed"),
    ("exit 0", 1, "1 failed"),
])
def test_nothing_passes_for_success(tmp_path, script, code, summary):
    returncode, output = run_program_as_suite(tmp_path, script)
    assert summary in output.splitlines()[-1], output
    assert returncode == code


def test_report_of_a_server_fails_the_test(tmp_path):
    (tmp_path / "test_leaves_a_report.py").write_text(
        "import os\n"
        "def test_good(): pass\n"
        "def test_bad(): open(os.environ['SANITIZER_REPORTS'] + '/report.1', 'w').write('race')\n")
    returncode, output = run_program_as_suite(tmp_path, f"{PRINT} '{OK}'; exit 0")
    assert "3 passed, 1 error" in output.splitlines()[-1], output
    assert "race" in output
    assert returncode == 1


@pytest.mark.parametrize("room, line, refused", [
    ("base", '#include "codec/json.h"', True),
    ("base", '#include "base/hex.h"', False),
    ("codec", '#include "crypto/hash.h"', True),
    ("crypto", '#include "codec/cms.h"', False),
    ("crypto", '#include "formats/eif.h"', True),
    ("formats", '#include "crypto/hash.h"', False),
    ("codec", "#include <openssl/evp.h>", True),
    ("crypto", "#include <openssl/evp.h>", False),
    ("net", '#include "codec/json.h"', True),
    ("enclave", '# include  "host/dev/dev.h"', True),
    ("enclave", '#include "sim/nsm/nsm.h"', True),
    ("enclave", '#include "net/frame.h"', False),
    ("host", '#include "enclave/nsm.h"', True),
    ("sim", '#include "host/dev/dev.h"', True),
    ("host", '#include "dev.h"', True),
    ("host", '#include "host/dev/dev.h"', True),
    ("host/dev", '#include "system/file.h"', False),
    ("host/dev", '#include "host/image/image.h"', True),
    ("sim/kms", '#include "sim/vm/vm_run.h"', True),
    ("sim/kms_store", '#include "sim/kms/kms_call.h"', True),
    ("sim/vm", '#include "sim/nsm/nsm_module.h"', False),
    ("sim/vm", '#include "sim/nsm_service/nsm_server.h"', True),
    ("host", '#include "../sim/nsm.h"', True),
    ("attic", "", True),
])
def test_forbidden_includes(tmp_path, room, line, refused):
    (tmp_path / room).mkdir(parents=True)
    (tmp_path / room / "x.c").write_text(line + "\n")
    done = subprocess.run([ROOT / "scripts" / "check-includes", tmp_path], capture_output=True,
                          text=True, check=False)
    assert done.returncode == (1 if refused else 0), done.stdout


@pytest.fixture
def runner(tmp_path, monkeypatch):
    """tests/run, over an empty project."""
    made = load_script(ROOT / "tests" / "run")
    monkeypatch.setattr(made, "ROOT", tmp_path)
    return made


def test_a_pattern_without_a_match_fails(runner, tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.c").touch()
    assert runner.matching("src/*.c") == ["src/a.c"]
    for patterns in ["src/*.h"], ["src/*.c", "src/b*.c"], ["none/**/*"], ["sr*"]:
        with pytest.raises(runner.Failed, match=r"^no file matches"):
            runner.matching(*patterns)


@pytest.mark.parametrize("step", [
    "step_format", "step_man", "step_lint", "step_shell", "step_tsan", "step_tidy",
])
def test_a_step_without_files_fails(runner, tmp_path, monkeypatch, step):
    monkeypatch.setattr(runner, "build", lambda *_, **__: None)
    monkeypatch.setattr(runner, "ruff", lambda _: "true")
    with pytest.raises(runner.Failed, match=r"^no file matches"):
        getattr(runner, step)(runner.Log(tmp_path / "log"))


def test_each_pattern_of_the_thread_sanitizer_matches():
    made = load_script(ROOT / "tests" / "run")
    assert len(made.matching(*made.THREADED)) >= len(made.THREADED)


@pytest.mark.parametrize("line, language", [
    ("#!/usr/bin/python3", "python"), ("#!/usr/bin/env python3", "python"), ("#!/bin/sh", "sh"),
    ("#! /bin/bash -e", "bash"), ("# no script", None), ("", None),
])
def test_scripts_are_told_by_their_first_line(runner, tmp_path, line, language):
    script = tmp_path / "script"
    script.write_text(line + "\n:\n")
    assert runner.interpreter_of(script) == language


def test_a_room_without_lines_is_too_low(runner):
    files = [{"filename": f"{room}/x.c", "line_covered": 9, "line_total": 10} for room in runner.ROOMS]
    assert runner.report_coverage(files) == []
    assert runner.report_coverage(files[1:]) == runner.ROOMS[:1]


@pytest.mark.slow
def test_a_linter_that_cannot_be_installed_fails(runner, tmp_path, monkeypatch):
    """No run without it passes for one that found nothing."""
    for folder in (*runner.SOURCES, "build"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.py").touch()
    (tmp_path / "tests" / "requirements.txt").write_text("ruff==0.0.0\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(runner.Failed, match="cannot install the linter"):
        runner.step_lint(runner.Log(tmp_path / "log"))


@pytest.mark.slow
def test_an_order_is_drawn_from_its_seed(tmp_path):
    """Each test runs once, those of a file together; the seed alone decides the order."""
    for name in "abc":
        (tmp_path / f"test_{name}.py").write_text("".join(
            f"def test_{i}(): pass\n" for i in range(5)))

    def order(*options):
        done = subprocess.run(
            ["/usr/bin/python3", "-m", "pytest", "-v", "-p", "no:cacheprovider", "--rootdir", tmp_path,
             "--confcutdir", tmp_path, "-c", "/dev/null", "-p", "conftest", *options, tmp_path],
            env={"PYTHONPATH": str(ROOT / "tests"), "PATH": "/usr/bin:/bin",
                 "PYTHONDONTWRITEBYTECODE": "1"},
            cwd=tmp_path, capture_output=True, text=True, timeout=60)
        return re.findall(r"^(\S+)::(\S+) PASSED", done.stdout, re.M)

    plain, one, other = order(), order("--shuffle=1"), order("--shuffle=2")
    assert len(plain) == 15 and one == order("--shuffle=1")
    assert sorted(one) == sorted(other) == plain and one != other != plain != one
    files = [file for file, _ in one]
    assert all(len(set(files[i:i + 5])) == 1 for i in (0, 5, 10))


def test_lines_of_code_are_counted(tmp_path):
    source = tmp_path / "x.c"
    source.write_text('/* one\n two */\nint a; /* three */\n\n// four\n'
                      'const char *s = "/* no */ // comment";\nchar c = \'"\'; // "\nint b;\n')
    assert load_script(ROOT / "scripts" / "tcb").count(source) == (8, 4)
