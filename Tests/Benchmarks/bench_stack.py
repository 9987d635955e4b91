"""The daemons under measurement, beside an engine."""

import contextlib
import subprocess
import sys

import make_image
from engine import Engine
from harness import AUTHZ_POLICY, PROGRAMS, Daemon, free_port


class Stack:
    """containerzd with mutual TLS, if wanted a second one in plain text, and their cz-runtime."""

    def __init__(self, engine, folder, certificates):
        self.engine = engine
        self.folder = folder
        self.port, self.plain_port = free_port(), free_port()
        self.certificates = certificates
        self.runtime_socket = folder / "runtime.sock"

    @contextlib.contextmanager
    def running(self, plain):
        certificate, key = self.certificates.server
        self.runtime = Daemon(
            "cz-runtime", "--socket", self.runtime_socket, "--engine-socket", self.engine.socket,
            "--engine", self.engine.name, "--state-dir", self.folder / "state")
        with self.runtime:
            self.front = Daemon(
                "containerzd", "--authz-policy", AUTHZ_POLICY, "--listen",
                f"127.0.0.1:{self.port}", "--runtime-socket", self.runtime_socket, "--tls-cert",
                certificate, "--tls-key", key, "--client-ca",
                self.certificates.authority.certificate)
            with self.front:
                if not plain:
                    yield self
                    return
                self.plain = Daemon(
                    "containerzd", "--insecure", "--listen", f"127.0.0.1:{self.plain_port}",
                    "--runtime-socket", self.runtime_socket)
                with self.plain:
                    yield self

    def daemons(self):
        """The two that a client with TLS needs."""
        return self.front, self.runtime

    def plain_daemons(self):
        """The two that a client without TLS needs."""
        return self.plain, self.runtime

    def cz_command(self, *arguments, port=None):
        certificate, key = self.certificates.client
        return [PROGRAMS / "cz", "--target", f"localhost:{port or self.port}", "--ca",
                self.certificates.authority.certificate, "--cert", certificate, "--key", key,
                *map(str, arguments)]

    def cz(self, *arguments, port=None):
        """Runs a command of the client, whose output is thrown away."""
        subprocess.run(self.cz_command(*arguments, port=port), check=True,
                       stdout=subprocess.DEVNULL)

    def url(self, method):
        """A method's address in plain text."""
        return f"http://127.0.0.1:{self.plain_port}/{method}"


class Bench:
    """What a part needs: a folder, the daemons, where to report, how much and how often."""

    def __init__(self, report, folder, certificates, options):
        self.report = report
        self.folder = folder
        self.certificates = certificates
        self.options = options

    @property
    def rounds(self):
        return self.options.rounds

    @contextlib.contextmanager
    def stack(self, engine="docker", plain=False):
        """The daemons, fresh, beside "docker" or "podman"; also one in plain text, or not."""
        stack = Stack(Engine(engine), self.folder, self.certificates)
        with stack.running(plain):
            yield stack

    @contextlib.contextmanager
    def image(self, mib, name, seed=1):
        """A tarball of an image with so many MiB that cannot be compressed."""
        path = self.folder / f"{name.replace(':', '-')}.tar"
        with open(path, "wb") as output:
            subprocess.run(
                [sys.executable, make_image.__file__, "-o", "-", "--tag", name, "--mib", str(mib),
                 "--seed", str(seed)], stdout=output, check=True)
        try:
            yield path
        finally:
            path.unlink()

    @contextlib.contextmanager
    def small_image(self, stack, name):
        """A small image on the engine, and none of it afterwards."""
        path = self.folder / "small.tar"
        path.write_bytes(make_image.image_bytes())
        stack.cz("image", "push", path, name)
        try:
            yield name
        finally:
            stack.engine.remove_image(name)
