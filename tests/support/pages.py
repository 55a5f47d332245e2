"""The documents of the repository, and the code blocks in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.support.paths import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    ROOT / "model" / "weights" / "MODEL_CARD.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


@dataclass(frozen=True)
class Block:
    """A fenced code block.

    Attributes:
        page: the file that it is in
        language: the word after the opening fence; empty if there is none
        text: the lines between the fences
    """

    page: Path
    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    """Return the fenced code blocks of a page, in order."""
    return [Block(page, *match) for match in re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), re.DOTALL | re.M)]


def block(page: Path, language: str, start: str) -> str:
    """Return the only block of a page in this language that has a line with this start.

    Raises:
        ValueError: If there is none, or more than one.
    """
    line = re.compile(f"^{re.escape(start)}", re.MULTILINE)
    (text,) = (each.text for each in blocks(page) if each.language == language and line.search(each.text))
    return text


def commands() -> list[tuple[str, str]]:
    """Return every line of the shell blocks of all pages, without comments, as (page and line, command)."""
    lines = []
    for page in PAGES:
        for each in blocks(page):
            if each.language == "sh":
                commands = (re.sub(r"\s+#.*", "", line) for line in each.text.splitlines())
                lines += [(page.relative_to(ROOT).as_posix(), command) for command in commands if command]
    return lines
