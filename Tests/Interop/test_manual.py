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


def options_of(program):
    return options(json.loads(subprocess.run(
        [PROGRAMS / program, "--experimental-dump-help"], check=True,
        capture_output=True).stdout)["command"])


def page_of(program):
    text = (MAN / PAGES[program]).read_text().replace("\\-", "-")
    return re.sub(r"\\f.", "", text)


def long_names(text):
    return set(re.findall(r"--([a-z0-9]+(?:-[a-z0-9]+)*)", text))


@pytest.mark.parametrize("program", PAGES)
def test_every_option_is_documented(program):
    assert options_of(program) - long_names(page_of(program)) == set()


@pytest.mark.parametrize("program", PAGES)
def test_every_documented_option_is_there(program):
    tags = re.findall(r"^\.TP\n(\.B.*--.*)$", page_of(program), re.MULTILINE)
    assert tags
    assert long_names("\n".join(tags)) - options_of(program) - USUAL == set()


def test_all_say_the_same_version():
    versions = {subprocess.run([PROGRAMS / program, "--version"], check=True, capture_output=True,
                               text=True).stdout.split()[-1] for program in PAGES}
    assert len(versions) == 1, versions
    version, = versions
    for page in MAN.iterdir():
        title = page.read_text().splitlines()[0]
        assert re.fullmatch(rf'\.TH \S+ \d 20\d\d-\d\d-\d\d "containerz {re.escape(version)}" '
                            r'"containerz"', title), f"{page.name}: {title}"
    changelog = (MAN.parent / "packaging/debian/changelog").read_text()
    assert changelog.startswith(f"containerz ({version}) ")


@pytest.mark.parametrize("page", sorted(path.name for path in MAN.iterdir()))
def test_pages_are_sound(page):
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", MAN / page],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
