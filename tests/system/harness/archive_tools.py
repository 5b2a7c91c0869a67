# SPDX-License-Identifier: Apache-2.0
"""A Debian archive of the tests' own, signed with a key of its own, for the scripts that fetch."""
import gzip
import hashlib
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]
ARCHITECTURE = "amd64"


def run(command, **kwargs):
    return subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, **kwargs)


class Key:
    """A key pair in a keyring of its own."""

    def __init__(self, folder):
        self.home = folder
        folder.mkdir(mode=0o700)
        self.public = folder / "public.gpg"
        self.gpg("--quick-gen-key", "throw-away", "ed25519", "sign", "never")
        self.gpg("--output", self.public, "--export", "throw-away")

    def gpg(self, *words):
        run(["gpg", "--homedir", self.home, "--batch", "--yes", "--quiet", "--passphrase", "",
             "--pinentry-mode", "loopback", *words])

    def close(self):
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "all"], check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Archive:
    """Suites with packages, as a folder; url is what ENCLAVED_DEBIAN_MIRROR takes."""

    def __init__(self, folder, key):
        self.folder, self.key = folder, key
        self.url = f"file:{folder}"
        self.packages = {}

    def add(self, suite, name, version, files=None, depends=""):
        """A package with files: {path inside: bytes}."""
        scratch = self.folder / "make" / f"{suite}-{name}-{version.replace(':', '.')}"
        (scratch / "DEBIAN").mkdir(parents=True)
        control = [f"Package: {name}", f"Version: {version}", f"Architecture: {ARCHITECTURE}",
                   "Maintainer: nobody <nobody@example.invalid>", "Description: made for a test"]
        if depends:
            control.append(f"Depends: {depends}")
        (scratch / "DEBIAN/control").write_text("\n".join(control) + "\n")
        for path, content in (files or {}).items():
            target = scratch / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            target.chmod(0o755)
        where = f"pool/{name}_{version.replace(':', '.')}_{ARCHITECTURE}.deb"
        (self.folder / "pool").mkdir(exist_ok=True)
        run(["dpkg-deb", "-Znone", "--root-owner-group", "--build", scratch, self.folder / where])
        data = (self.folder / where).read_bytes()
        entry = [*control, f"Filename: {where}", f"Size: {len(data)}",
                 f"SHA256: {hashlib.sha256(data).hexdigest()}"]
        self.packages.setdefault(suite, []).append((name, version, "\n".join(entry) + "\n"))
        return self.folder / where

    def remove(self, suite, name):
        self.packages[suite] = [entry for entry in self.packages[suite] if entry[0] != name]

    def publish(self, key=None, origin="Debian"):
        """Writes and signs the indexes as they now are."""
        for suite, entries in self.packages.items():
            folder = self.folder / "dists" / suite
            index = folder / "main" / f"binary-{ARCHITECTURE}" / "Packages.gz"
            index.parent.mkdir(parents=True, exist_ok=True)
            plain = "\n".join(text for _, _, text in entries).encode()
            data = gzip.compress(plain, mtime=0)
            index.write_bytes(data)
            names = {index.relative_to(folder): data, index.relative_to(folder).with_suffix(""): plain}
            release = folder / "Release"
            release.write_text(
                f"Origin: {origin}\nSuite: {suite}\nCodename: {suite}\n"
                "Date: Thu, 01 Jan 2026 00:00:00 UTC\n"
                f"Architectures: {ARCHITECTURE}\nComponents: main\nSHA256:\n"
                + "".join(f" {hashlib.sha256(content).hexdigest()} {len(content)} {name}\n"
                          for name, content in names.items()))
            (key or self.key).gpg("--output", folder / "InRelease", "--clearsign", release)
            release.unlink()
        return self

    def environment(self, cache, **more):
        """What makes the scripts take this archive and keep what they keep in cache."""
        return {**os.environ, "ENCLAVED_DEBIAN_MIRROR": self.url,
                "ENCLAVED_DEBIAN_KEYRING": str(self.key.public), "ENCLAVED_CACHE": str(cache), **more}


def script(name, *words, env, root=ROOT, prefix=()):
    return subprocess.run([*prefix, str(root / "scripts" / name), *map(str, words)], env=env,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240)
