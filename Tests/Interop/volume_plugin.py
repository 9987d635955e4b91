"""A volume plugin for Docker, made from C for the tests."""

import pathlib
import subprocess

SOURCE = pathlib.Path(__file__).parents[1] / "Support/volume_plugin.c"

CONFIG = {
    "description": "a volume plugin for tests", "entrypoint": ["/plugin"],
    "interface": {"types": ["docker.volumedriver/1.0"], "socket": "cztest.sock"},
    "propagatedMount": "/volumes", "network": {"type": "none"},
    "env": [{"name": "COLOUR", "value": "red"}]}


def build(path):
    """Makes its program, which needs no other file."""
    subprocess.run(["gcc", "-O1", "-static", "-o", path, SOURCE], check=True)
