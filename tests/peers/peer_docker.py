# SPDX-License-Identifier: Apache-2.0
"""deploy/docker/Dockerfile, built for real: by buildah, which needs no daemon, on the Debian that
scripts/check-peers made under the name that the Dockerfile asks for."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest
from cryptography import x509

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMAGES = os.environ["IMAGES"]
POLICY = ["--signature-policy", f"{IMAGES}/policy.json"]
IMAGE = "localhost/enclaved:test"
CONTAINER = "enclaved-test"
pytestmark = pytest.mark.timeout(1800)


def buildah(*arguments, timeout=600, check=True):
    command = ["buildah", "--root", f"{IMAGES}/store", "--runroot", f"{IMAGES}/run",
               "--storage-driver", "vfs", *map(str, arguments)]
    done = subprocess.run(command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=timeout)
    if check:
        assert done.returncode == 0, done.stdout[-4000:]
    return done


def copy_tracked(to):
    """The files that git knows or would add, as a clone has them."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    for name in listed.splitlines():
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """The image's root, mounted in a container."""
    context = tmp_path_factory.mktemp("context")
    copy_tracked(context)
    (context / "build").write_text("what make would fail on, unless it is ignored")
    file = context / "deploy/docker/Dockerfile"
    try:
        buildah("build", "--isolation", "chroot", "--network", "host", "--pull-never", "--no-cache",
                *POLICY, "--file", file, "--ignorefile", f"{file}.dockerignore", "--build-arg",
                "CONFIG=deploy/image/enclaved.json", "--tag", IMAGE, context, timeout=1500)
        buildah("from", "--pull-never", *POLICY, "--name", CONTAINER, IMAGE)
        yield pathlib.Path(buildah("mount", CONTAINER).stdout.strip())
    finally:
        buildah("rm", CONTAINER, check=False)
        buildah("rmi", IMAGE, check=False)
        buildah("rmi", "--prune", check=False)


def run_in_it(*arguments):
    return buildah("run", "--isolation", "chroot", CONTAINER, "--", *arguments, check=False)


def test_it_has_three_files(image):
    found = {p.relative_to(image).as_posix() for p in image.rglob("*") if not p.is_dir()}
    assert found == {"enclaved", "etc/enclaved/enclaved.json", "etc/enclaved/roots.pem"}
    assert (image / "etc/enclaved/enclaved.json").read_bytes() == (
        ROOT / "deploy/image/enclaved.json").read_bytes()


def test_its_program_is_static(image):
    program = image / "enclaved"
    assert os.access(program, os.X_OK)
    said = subprocess.run(["readelf", "--program-headers", "--wide", program], check=True, text=True,
                          stdout=subprocess.PIPE, timeout=60).stdout
    assert "DYN" in said and "INTERP" not in said


def test_its_roots_are_amazons(image):
    roots = x509.load_pem_x509_certificates((image / "etc/enclaved/roots.pem").read_bytes())
    names = sorted(r.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value for r in roots)
    assert names == [*(f"Amazon Root CA {i}" for i in (1, 2, 3, 4)),
                     "Starfield Services Root Certificate Authority - G2"]


def test_what_nitro_cli_reads(image):
    config = json.loads(buildah("inspect", "--type", "image", IMAGE).stdout)["OCIv1"]["config"]
    assert config["Cmd"] == ["/enclaved"] and config["Env"] == ["PATH=/"]
    assert "Entrypoint" not in config


def test_it_takes_its_configuration(image):
    """In the image itself, where nothing but the three files is; and it refuses a wrong one there."""
    done = run_in_it("/enclaved", "--check-config")
    assert done.returncode == 0, done.stdout
    config = image / "etc/enclaved/enclaved.json"
    kept = config.read_text()
    config.write_text(kept.replace('"relay"', '"relais"'))
    try:
        done = run_in_it("/enclaved", "--check-config")
        assert done.returncode != 0 and "relais" in done.stdout
    finally:
        config.write_text(kept)
