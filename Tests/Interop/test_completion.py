"""The shell's completion, as bash runs it."""

import os
import subprocess

import gnoi
from harness import PROGRAMS


COMPLETE = """
source /dev/stdin <<<"$("$CZ" --generate-completion-script bash)"
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
cd "$(mktemp -d)"
_cz
printf '%s\\n' "${COMPREPLY[@]}"
"""


def complete(*words, environment=None):
    """What bash completes a command line to whose last word has been begun."""
    program = str(PROGRAMS / "cz")
    done = subprocess.run(
        ["bash", "-c", COMPLETE, "bash", program, *words], capture_output=True, text=True,
        timeout=60, env=os.environ | {"CZ": program} | (environment or {}))
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.split()


def test_completion_asks_the_device(stack, device, image, unique):
    """Where a target is set."""
    name, tag = image.split(":")
    instance = unique("web")
    device.stub.StartContainer(gnoi.StartRequest(
        image_name=name, tag=tag, instance_name=instance), timeout=gnoi.DEADLINE)
    plain = ["--insecure", "--target", f"127.0.0.1:{stack.plain_port}"]
    assert complete(*plain, "container", "stop", instance[:-1]) == [instance]
    assert complete("container", "logs", "--insecure", "--target", f"127.0.0.1:{stack.plain_port}",
                    instance) == [instance]
    assert complete(*plain, "image", "remove", name) == [image]
    # That one wants TLS.
    assert complete("container", "stop", instance,
                    environment={"CZ_TARGET": f"127.0.0.1:{stack.port}"}) == []
    # One that is not there is no reason to wait, or to say anything.
    assert complete("--insecure", "--target", "127.0.0.1:1", "container", "stop",
                    "") == []
    assert "stop" in complete("container", "")
