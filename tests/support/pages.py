"""The pages of the documentation, and the fenced blocks on them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import attrs

ROOT = Path(__file__).parent.parent.parent
README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = [
    README,
    ROOT / "CONTRIBUTING.md",
    *sorted(page for page in DOCS.rglob("*.md") if DOCS / "_build" not in page.parents),
]
FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<code>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)


@attrs.frozen
class Block:
    """A fenced block, and the line of the page on which its code begins."""

    page: Path
    line: int
    info: str
    code: str

    @property
    def name(self) -> str:
        return f"{page_name(self.page)}:{self.line}"


def page_name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def find_blocks(page: Path, *languages: str) -> list[Block]:
    return [block for block in _parse_blocks(page) if block.info.split()[:1] and block.info.split()[0] in languages]


def _parse_blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        indent = found["indent"]
        code = "".join(line.removeprefix(indent) for line in found["code"].splitlines(keepends=True))
        yield Block(page, text.count("\n", 0, found.start("code")) + 1, found["info"].strip(), code)
