# SPDX-License-Identifier: Apache-2.0
"""The servers that are measured, each a process that is started and stopped."""
import os
import pathlib
import secrets
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PYTHON = "/usr/bin/python3"
TICK = 1 / os.sysconf("SC_CLK_TCK")
START_SECONDS = 30


class Server:
    """A process that serves, and the process whose CPU time counts."""

    def __init__(self, name, process, address, measured, echo=False, only_each=False):
        self.name = name
        self.process = process
        self.address = address
        self.measured = measured
        self.echo = echo
        self.only_each = only_each

    def cpu_seconds(self):
        """CPU time of all threads so far: exact where the kernel says so, else in ticks."""
        tasks = pathlib.Path(f"/proc/{self.measured}/task")
        try:
            times = {task.name: int((task / "schedstat").read_text().split()[0])
                     for task in tasks.iterdir()}
            return set(times), sum(times.values()) / 1e9, self.cpu_ticks()
        except FileNotFoundError:
            return None, 0.0, self.cpu_ticks()

    def cpu_ticks(self):
        stat = pathlib.Path(f"/proc/{self.measured}/stat").read_text()
        fields = stat[stat.rindex(")") + 2:].split()
        return (int(fields[11]) + int(fields[12])) * TICK

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def cpu_between(before, after):
    """Threads that came or went in between leave only the count in ticks."""
    if before[0] is not None and before[0] == after[0]:
        return after[1] - before[1]
    return after[2] - before[2]


def fail(text):
    print(f"bench: {text}", file=sys.stderr)
    sys.exit(1)


def read_ready(process, what):
    """Waits for the line `ready ADDRESS`."""
    os.set_blocking(process.stdout.fileno(), False)
    until = time.monotonic() + START_SECONDS
    text = b""
    while time.monotonic() < until:
        text += process.stdout.read() or b""
        for line in text.decode("utf-8", "replace").split("\n")[:-1]:
            if line.startswith("ready "):
                return line.split()[1]
        if process.poll() is not None:
            break
        time.sleep(0.02)
    process.kill()
    return fail(f"{what} did not become ready")


def start_echo(build, _):
    process = subprocess.Popen([build / "bench" / "echo", "tcp:127.0.0.1:0"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    return Server("echo", process, read_ready(process, "echo"), process.pid, echo=True)


def start_python(_, scratch):
    folder = pathlib.Path(os.environ.get("PYTHON_REFERENCE")
                          or ROOT.parent / "shared" / "peers" / "python-reference")
    if folder.name == "app.py":
        folder = folder.parent
    if not (folder / "app.py").exists():
        print("No Python reference ($PYTHON_REFERENCE is not set): its rows are skipped.")
        return None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with open(scratch / "python.log", "wb") as log:
        process = subprocess.Popen([PYTHON, "-B", "app.py", str(port), secrets.token_hex(32)],
                                   cwd=folder, stdin=subprocess.DEVNULL, stderr=log)
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return Server("python", process, f"tcp:127.0.0.1:{port}", process.pid, only_each=True)
        except OSError:
            time.sleep(0.05)
    process.kill()
    return fail(f"the Python reference did not start: {(scratch / 'python.log').read_text()}")


def descendants(pid):
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            name = stat[stat.index("(") + 1:stat.rindex(")")]
            parents.setdefault(int(stat[stat.rindex(")") + 2:].split()[1]), []).append(
                (int(entry.name), name))
    found, queue = [], [pid]
    while queue:
        children = parents.get(queue.pop(), [])
        found += children
        queue += [child for child, _ in children]
    return found


def start_enclaved(build, scratch):
    """enclaved under `enclavectl dev`: a real key, from a simulated KMS, over its whole way."""
    key = scratch / "tsk"
    key.write_text(secrets.token_hex(32) + "\n")
    key.chmod(0o600)
    with open(scratch / "dev.log", "wb") as log:
        process = subprocess.Popen(
            [build / "enclavectl", "dev", "--listen", "tcp:127.0.0.1:0", "--tsk-file", key],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
    try:
        address = read_ready(process, "enclavectl dev")
    except SystemExit:
        print((scratch / "dev.log").read_text(errors="replace"), file=sys.stderr)
        raise
    served = [pid for pid, name in descendants(process.pid) if name.startswith("enclaved")]
    if len(served) != 1:
        process.terminate()
        fail(f"one enclaved process was expected below enclavectl dev, there are {len(served)}")
    return Server("enclaved", process, address, served[0])


STARTERS = {"echo": start_echo, "python": start_python, "enclaved": start_enclaved}
