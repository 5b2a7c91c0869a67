# SPDX-License-Identifier: Apache-2.0
"""Makes a pytest item of every case of a cmocka program.

A program runs once, when its file is collected, and its standard output is read, because cmocka
cannot list cases without running them. With tests/unit/stdout.c nothing that a program printed before
a crash is lost, and it is in order with standard error.
"""

import contextlib
import os
import re
import select
import signal
import subprocess
import time

import pytest

LIMIT_SECONDS = 600

_RUNNING = re.compile(r"^\[=+\] (?:.*: )?Running (\d+) test\(s\)")
_MARK = re.compile(r"^\[\s*(RUN|OK|FAILED|SKIPPED|ERROR)\s*\] (\S+)\s*$")
_END = re.compile(r"^\[=+\] (?:.*: )?\d+ test\(s\) run")


def run_program(command, env, limit=LIMIT_SECONDS):
    """Returns (exit status, or None if it ran out of time; what it printed)."""
    process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True)
    until = time.monotonic() + limit
    output = bytearray()
    timed_out = False
    while True:
        ready, _, _ = select.select([process.stdout], [], [], 0.1)
        if ready:
            chunk = os.read(process.stdout.fileno(), 65536)
            if not chunk:
                break
            output += chunk
        elif process.poll() is not None:
            break  # a child that it left behind holds the pipe open
        if time.monotonic() > until:
            timed_out = True
            break
    try:
        process.wait(0 if timed_out else max(1, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        timed_out = True
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # and whatever it left behind
    process.stdout.close()
    status = process.wait()
    return (None if timed_out else status), output.decode("utf-8", "replace")


def read_output(text):
    """Returns ([(case, outcome, its output)], cases announced, output after the last case).

    outcome: passed, failed, skipped, or None if the output ends within the case.
    """
    cases, announced, current, said = [], 0, None, []
    for line in text.split("\n"):
        match = _RUNNING.match(line)
        if match:
            announced += int(match.group(1))
            continue
        if _END.match(line):
            current, said = None, []
            continue
        match = _MARK.match(line)
        if match and match.group(1) == "RUN":
            current, said = match.group(2), []
        elif match and current is not None and match.group(2) == current:
            outcome = {"OK": "passed", "SKIPPED": "skipped"}.get(match.group(1), "failed")
            cases.append((current, outcome, "\n".join(said).strip()))
            current, said = None, []
        else:
            said.append(line)
    rest = "\n".join(said).strip()
    if current is not None:
        cases.append((current, None, rest))
    return cases, announced, rest


class Case(pytest.Item):
    """One case, which has run already: to run it as a test only reports its outcome."""

    def __init__(self, *, outcome, said, **kwargs):
        super().__init__(**kwargs)
        self.outcome = outcome
        self.said = said

    def runtest(self):
        if self.outcome == "skipped":
            pytest.skip(self.said or "skipped")
        if self.outcome != "passed":
            raise CaseFailed(self.said)

    def repr_failure(self, excinfo):
        if excinfo.errisinstance(CaseFailed):
            return f"{self.path.name}: {self.name}\n{excinfo.value}"
        return super().repr_failure(excinfo)

    def reportinfo(self):
        return self.path, None, self.name


class CaseFailed(Exception):
    """What the program printed about the case."""


class Program(pytest.File):
    """tests/unit/test_NAME.c, and with it BUILD/tests/test_NAME."""

    def collect(self):
        program = self.config.build_folder / "tests" / self.path.stem
        if not program.exists():
            yield self.case("build", "failed",
                            f"{program} does not exist: is {self.path.stem[5:]} in the list of "
                            "tests/meson.build, and the build up to date?")
            return
        status, text = run_program([str(program)], self.config.program_env())
        cases, announced, rest = read_output(text)
        if self.config.new_reports():
            rest = "\n".join([rest] + self.config.take_reports()).strip()
            status = status or "sanitizer report"
        ending = f"{describe(status)}\n{rest}"
        for name, outcome, said in cases:
            if outcome is None:
                yield self.case(name, "failed", ending)
            else:
                yield self.case(name, outcome, said)
        # Cases that a crash kept from running count as failed, one by one.
        for number in range(len(cases), announced):
            yield self.case(f"case_{number + 1}_did_not_run", "failed", ending)
        failed = any(outcome not in ("passed", "skipped") for _, outcome, _ in cases)
        if not cases and announced == 0:
            yield self.case("no_cases", "failed", f"it reported no case; {ending}")
        elif status != 0 and not failed and len(cases) >= announced:
            yield self.case("at_exit", "failed", ending)

    def case(self, name, outcome, said):
        return Case.from_parent(self, name=name, outcome=outcome, said=said)


def describe(status):
    if status is None:
        return f"ended after {LIMIT_SECONDS} s"
    if isinstance(status, int) and status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit status {status}"
