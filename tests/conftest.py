# SPDX-License-Identifier: Apache-2.0
"""One run for all tests: the cases of the cmocka programs and the tests of the real binaries.

$BUILD names the folder with the binaries (default: build). Where $SANITIZER_REPORTS names a folder,
the sanitizers write their reports there, and a test that left one, in whatever process, fails.
"""

import os
import pathlib
import random
import signal
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import cmocka  # noqa: E402

# Programs that walk through all of something, with the same outcome each time.
SLOW_PROGRAMS = ["test_attestation.c", "test_cms.c", "test_deflate.c", "test_faults.c", "test_json.c",
                 "test_json_portable.c"]


def restore_signals():
    """A run in the background ignores these signals, and so would the programs that it starts."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser):
    group = parser.getgroup("enclaved")
    group.addoption("--quick", action="store_true",
                    help="leave out what is marked as slow: about a second and more")
    group.addoption("--shuffle", type=int, metavar="SEED",
                    help="run the files, and the tests of each, in an order drawn from SEED")


def pytest_configure(config):
    restore_signals()
    config.build_folder = ROOT / os.environ.get("BUILD", "build")
    reports = os.environ.get("SANITIZER_REPORTS")
    config.reports_folder = pathlib.Path(reports) if reports else None
    config.seen_reports = set()

    def new_reports():
        if config.reports_folder is None:
            return []
        return sorted(set(config.reports_folder.iterdir()) - config.seen_reports)

    def take_reports():
        new = new_reports()
        config.seen_reports.update(new)
        return [path.read_text(errors="replace") for path in new]

    def program_env():
        return dict(os.environ, CMOCKA_MESSAGE_OUTPUT="STDOUT")

    config.new_reports = new_reports
    config.take_reports = take_reports
    config.program_env = program_env


def pytest_collect_file(file_path, parent):
    if parent.config.getoption("quick") and file_path.name in SLOW_PROGRAMS:
        return None
    if file_path.suffix == ".c" and file_path.name.startswith("test_"):
        return cmocka.Program.from_parent(parent, path=file_path)
    return None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    if config.getoption("quick"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]
    if config.getoption("shuffle") is not None:
        shuffle(items, random.Random(config.getoption("shuffle")))


def shuffle(items, dice):
    """Tests of one file stay together, because they share what is costly to start."""
    files = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    for tests in files.values():
        dice.shuffle(tests)
    groups = list(files.values())
    dice.shuffle(groups)
    items[:] = [item for group in groups for item in group]


def pytest_report_header(config):
    return f"binaries: {config.build_folder}"


@pytest.fixture(autouse=True)
def no_sanitizer_report(request):
    """Fails a test after which a process, its own or a server it started, left a report."""
    yield
    texts = request.config.take_reports()
    if texts:
        pytest.fail("\n".join(texts), pytrace=False)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    """A report that a process wrote after the last test fails the run, too."""
    texts = session.config.take_reports()
    if texts:
        print("\n".join(["sanitizer reports after the last test:"] + texts))
        session.exitstatus = 1
