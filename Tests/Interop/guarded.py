"""Daemons under a policy of the test's own."""

import contextlib
import json
import os

import grpc

from engine_api import Engine
from gnoi import Device
from harness import Daemon, runtime_call, wait_until


class Guarded:
    """Both daemons, a client, and what whoever owns containerzd could do: call cz-runtime."""

    def __init__(self, engine, engine_socket, folder):
        self.engine_name, self.folder = engine, folder
        self.engine = Engine(engine_socket)
        self.policy = folder / "policy.json"
        self.socket = folder / "runtime.sock"

    @contextlib.contextmanager
    def running(self, **policy):
        self.policy.write_text(json.dumps(policy))
        front = f"unix:{self.folder}/front.sock"
        with (Daemon("cz-runtime", "--socket", self.socket, "--engine", self.engine_name,
                     "--engine-socket", self.engine.socket, "--state-dir", self.folder / "state",
                     "--policy", self.policy, "--settle-time", "0.5") as self.runtime,
              Daemon("containerzd", "--insecure", "--listen", front, "--runtime-socket",
                     self.socket, "--plugin-dir", self.folder / "plugins",
                     "--pull-from", "localhost") as self.front,
              grpc.insecure_channel(front) as channel):
            self.device = Device(channel)
            yield self

    def set_policy(self, **policy):
        """Puts another policy in place, as an administrator would."""
        self.replace_policy(json.dumps(policy))

    def replace_policy(self, text, outcome="was read again"):
        before = self.runtime.text().count(outcome)
        new = self.policy.with_suffix(".new")
        new.write_text(text)
        os.rename(new, self.policy)
        wait_until(lambda: self.runtime.text().count(outcome) > before, "the policy to be read")

    def call(self, method, _file=None, **parameters):
        """Straight to cz-runtime: the error's name and parameters, or None and the reply."""
        done = runtime_call(self.socket, method, json.dumps(parameters),
                            *(["--fd", _file] if _file else []))
        if done.returncode == 0:
            return None, json.loads(done.stdout.splitlines()[-1])
        name, _, text = done.stderr.removeprefix("cz-runtime: ").partition(" ")
        return name.rpartition(".")[2], json.loads(text)

    def refused(self, method, _file=None, **parameters):
        """The rule by which cz-runtime itself refuses a call."""
        error, parameters = self.call(method, _file, **parameters)
        assert error == "PermissionDenied", (error, parameters)
        assert parameters["reason"]
        return parameters["rule"]
