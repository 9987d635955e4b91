"""cz-pull as the tests call it, by itself and through containerzd."""

import io
import json
import os
import subprocess
import tarfile

from harness import PROGRAMS

DONE, FAILED, USAGE, UNREACHABLE, NOT_ALLOWED = 0, 1, 64, 69, 77


def pull(*arguments, code=DONE, input=None, environment=None):
    done = subprocess.run([PROGRAMS / "cz-pull", *map(str, arguments)], input=input,
                          capture_output=True, timeout=120,
                          env=os.environ | (environment or {}))
    assert done.returncode == code, done.stderr.decode()
    pull.errors = done.stderr.decode()
    return done.stdout


def fails(*arguments, code=FAILED, **options):
    """The one line on standard error."""
    pull(*arguments, code=code, **options)
    assert pull.errors.count("\n") == 1 and pull.errors.startswith("cz-pull: "), pull.errors
    return pull.errors.rstrip("\n")


def image_in(tarball):
    """The tag, configuration and layer digests of a docker-archive."""
    with tarfile.open(fileobj=io.BytesIO(tarball)) as tar:
        (manifest,) = json.load(tar.extractfile("manifest.json"))
        config = json.load(tar.extractfile(manifest["Config"]))
        return manifest["RepoTags"], config


def remote(device, name, tag, is_plugin=False, **download):
    """Deploys with remote_download; what came before the success, and the success."""
    with device.deploy() as deploy:
        deploy.transfer(name, tag, 0, remote_download=download, is_plugin=is_plugin)
        deploy.close()
        responses = list(deploy.call)
    return responses[:-1], responses[-1].image_transfer_success
