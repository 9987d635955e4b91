"""What the README and the manual pages show."""

import pathlib
import re

MAN = pathlib.Path(__file__).parents[2] / "man"
README = pathlib.Path(__file__).parents[2] / "README.md"


def examples(heading, language=""):
    """The code blocks of a section; a language's are there if it is given."""
    section = README.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```([a-z]*)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return [text for kind, text in blocks if kind == language]


def blocks(page):
    """What a page shows as it is, in order."""
    found = re.findall(r"^\.(?:nf|EX)\n(.*?)^\.(?:fi|EE)$", (MAN / page).read_text(), re.M | re.S)
    for escape, character in ((r"\-", "-"), (r"\(dq", '"'), (r"\&", ""), (r"\e", "\\")):
        found = [text.replace(escape, character) for text in found]
    return [re.sub(r"\\f.", "", text) for text in found]
