# SPDX-License-Identifier: Apache-2.0
"""Booting images of this project: where the kernel and QEMU are, and the programs that do it."""
import os
import pathlib
import shutil
import signal
import subprocess

from host_tools import BUILD, clean_environment

ROOT = pathlib.Path(__file__).resolve().parents[3]
KERNEL = ROOT / "build" / "bzImage"
CACHE = pathlib.Path(os.environ.get("ENCLAVED_CACHE") or pathlib.Path(
    os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "enclaved")
QEMU = CACHE / "qemu" / "run"


def static_init():
    """An enclaved-init that runs without any other file, which one with sanitizers does not."""
    for folder in (pathlib.Path(BUILD), ROOT / "build"):
        init = folder / "enclaved-init"
        if init.exists() and b"/ld-linux" not in init.read_bytes():
            return init
    return None


def missing():
    """What is not there to boot with, or None."""
    if not KERNEL.exists():
        return "no build/bzImage: make kernel"
    if not QEMU.exists():
        return "no QEMU: scripts/fetch-qemu"
    return None if static_init() else "no static enclaved-init: make"


class Programs:
    """The programs under test in one folder, with an enclaved-init that can be /init."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("enclavectl", "enclave-sim"):
            shutil.copy(os.path.join(BUILD, name), folder / name)
        shutil.copy(static_init(), folder / "enclaved-init")
        self.ctl = folder / "enclavectl"
        self.sim = folder / "enclave-sim"
        self.env = clean_environment(folder, ENCLAVE_QEMU=str(QEMU))

    def run(self, *arguments, timeout=240):
        return subprocess.run([self.ctl, *map(str, arguments)], env=self.env, timeout=timeout,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


class Process:
    """A program that prints `ready ADDRESS`, its standard error in a file."""

    def __init__(self, programs, log, *arguments):
        self.log_path = log
        with open(log, "wb") as file:
            self.process = subprocess.Popen(list(map(str, arguments)), env=programs.env,
                                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                            stderr=file, text=True)
        self.first = self.process.stdout.readline()

    @property
    def address(self):
        assert self.first.startswith("ready "), self.first + self.log()
        return self.first.split()[1]

    def log(self):
        return self.log_path.read_text(errors="replace")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self, timeout=120):
        try:
            self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate(timeout=30)
        return self.process.returncode


def dev(programs, folder, *options, memory=64):
    """enclavectl dev in a virtual machine of so many MiB, its world in folder."""
    return Process(programs, folder.parent / f"{folder.name}.log", programs.ctl, "dev", "--kernel",
                   KERNEL, "--state", folder, "--memory", memory, *options)


def vm(programs, image, folder, *options):
    """enclave-sim vm alone."""
    return Process(programs, folder / "vm.log", programs.sim, "vm", image, "--memory", 64, *options)
