"""The manual pages know every option that the programs have."""

import json
import re
import subprocess

import pytest

from documents import MAN
from harness import PROGRAMS

PAGES = {"cz": "cz.1", "cz-pull": "cz-pull.1", "cz-janitor": "cz-janitor.8",
         "cz-runtime": "cz-runtime.8", "containerzd": "containerzd.8"}
# In every program, and of use without a manual.
USUAL = {"help", "version", "generate-completion-script", "experimental-dump-help"}


def options(command):
    """The long names of a command's options and its subcommands', by command."""
    found = {name["name"] for argument in command.get("arguments", [])
             for name in argument.get("names", []) if name["kind"] == "long"}
    for subcommand in command.get("subcommands", []):
        if subcommand["commandName"] != "help":
            found |= options(subcommand)
    return found - USUAL


@pytest.mark.parametrize("program", PAGES)
def test_every_option_is_documented(program):
    dump = json.loads(subprocess.run(
        [PROGRAMS / program, "--experimental-dump-help"], check=True, capture_output=True).stdout)
    text = (MAN / PAGES[program]).read_text().replace("\\-", "-")
    text = re.sub(r"\\f.", "", text)
    documented = set(re.findall(r"--([a-z0-9]+(?:-[a-z0-9]+)*)", text))
    assert options(dump["command"]) - documented == set()


@pytest.mark.parametrize("page", sorted(path.name for path in MAN.iterdir()))
def test_pages_are_sound(page):
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", MAN / page],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
