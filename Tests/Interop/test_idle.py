"""An idle daemon sleeps: nothing in it looks around every now and then."""

import os
import pathlib
import shutil
import tempfile
import time

import pytest

import gnoi
from conftest import engine_socket, need
from harness import AUTHZ_POLICY, Daemon, free_port, process_status, wait_until
from pki import Certificates

# What looks around once a second is seen.
SILENCE = 3


@pytest.fixture
def folder():
    """Where nobody else is at work: the daemons are woken by changes beside what they watch, such
    as in /tmp."""
    need("docker")
    with tempfile.TemporaryDirectory(dir="/run") as folder:
        yield pathlib.Path(folder)


def threads(daemon):
    return len(os.listdir(f"/proc/{daemon.pid}/task"))


def wakings(daemon):
    """How often it has gone to sleep, which is how often it was woken."""
    return process_status(daemon.pid, "voluntary_ctxt_switches")


def is_quiet(daemon):
    """What was asked of it is done, closing connections included."""
    before = wakings(daemon)
    time.sleep(0.3)
    return wakings(daemon) == before


def test_idle_daemons_sleep(folder, tarball, unique):
    certificates = Certificates(folder)
    shutil.copy(AUTHZ_POLICY, folder)
    (certificate, key), port = certificates.server, free_port()
    image, name = unique("image"), unique("follows")
    with (Daemon("cz-runtime", "--socket", folder / "runtime.sock", "--engine", "docker",
                 "--engine-socket", engine_socket("docker"), "--state-dir", folder / "state")
          as runtime,
          Daemon("containerzd", "--listen", f"127.0.0.1:{port}", "--runtime-socket",
                 folder / "runtime.sock", "--tls-cert", certificate, "--tls-key", key,
                 "--client-ca", certificates.authority.certificate, "--authz-policy",
                 folder / AUTHZ_POLICY.name, "--plugin-dir", folder / "plugins") as front):
        with gnoi.secure_channel(port, certificates.authority, certificates.client) as channel:
            device = gnoi.Device(channel)
            device.containers()
            device.push(tarball, image, "1")
            device.start(f"{image}:1", name)
            followed = device.log(name, follow=True)
            next(followed)
            device.stop(name)
            list(followed)
            device.remove(name)
            device.remove_image(f"{image}:1")
        for daemon in front, runtime:
            wait_until(lambda: threads(daemon) == 1, f"{daemon.name} to have one thread")
            wait_until(lambda: is_quiet(daemon), f"{daemon.name} to have nothing left to do")
        before = wakings(front), wakings(runtime)
        time.sleep(SILENCE)
        assert (wakings(front), wakings(runtime)) == before
        assert (threads(front), threads(runtime)) == (1, 1)
