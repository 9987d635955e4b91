"""cz, run as scripts and people do."""

import json
import os
import subprocess

from harness import PROGRAMS

DONE, FAILED, PARTLY, USAGE, UNREACHABLE, NOT_ALLOWED = 0, 1, 2, 64, 69, 77


class Client:
    """Runs cz against a stack with mutual TLS, or as the arguments say."""

    def __init__(self, stack):
        self.stack = stack
        certificate, key = stack.certificates.client
        self.options = {
            "target": f"localhost:{stack.port}", "ca": stack.certificates.authority.certificate,
            "cert": certificate, "key": key}

    def arguments(self, **changes):
        options = {k: v for k, v in (self.options | changes).items() if v is not None}
        return [part for key, value in options.items() for part in (f"--{key}", str(value))]

    def run(self, *command, input=None, code=DONE, environment=None, **changes):
        done = subprocess.run(
            [PROGRAMS / "cz", *self.arguments(**changes), *map(str, command)], input=input,
            capture_output=True, timeout=60, env=os.environ | (environment or {}))
        self.errors = done.stderr.decode()
        assert done.returncode == code, f"{done.returncode}: {self.errors}"
        return done.stdout.decode()

    def fails(self, *command, code=FAILED, environment=None, **changes):
        """The one line on standard error."""
        assert self.run(*command, code=code, environment=environment, **changes) == ""
        assert self.errors.count("\n") == 1, self.errors
        assert self.errors.startswith("cz: ")
        return self.errors.rstrip("\n")

    def json(self, *command, **changes):
        return [json.loads(line) for line in self.run(*command, "--json", **changes).splitlines()]


def tls_init(folder, *options, code=DONE):
    """Standard output, or standard error when it ought to fail."""
    done = subprocess.run([PROGRAMS / "cz", "tls", "init", folder, *options],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout
