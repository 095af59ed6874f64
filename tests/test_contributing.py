"""Paths and commands of the guide for contributors exist."""

import re
from pathlib import Path

import pytest

from tests.support.file_order import SLOW_FILES

ROOT = Path(__file__).parent.parent
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
ROWS = [row.strip("| ").split(" | ") for row in re.findall(r"^\| .*`.* \|$", GUIDE, re.MULTILINE)]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
HEADINGS = ["Context", "Decision", "Consequences", "Measured", "Alternatives rejected"]


def missing_paths(folder: Path, cell: str) -> list[str]:
    """Return the paths quoted in *cell* that are not in *folder*."""
    return [path for path in re.findall(r"`([^`]+)`", cell) if not (folder / path).exists()]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_paths_of_a_row_exist(row: list[str]) -> None:
    _, code, tests = row
    assert missing_paths(ROOT / "gradient_async", code) == []
    assert missing_paths(ROOT / "tests", tests) == []


def test_the_table_has_a_row_for_each_kind_of_change() -> None:
    assert len(ROWS) >= 13


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_has_every_section_and_a_command(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    assert "```sh\n" in text.partition("## Measured")[2].partition("## Alternatives")[0]


def test_the_index_lists_every_decision_in_order() -> None:
    index = (ROOT / "docs" / "decisions" / "index.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| \d+ \| \[.+?\]\((.+?)\)", index, re.MULTILINE) == [page.name for page in DECISIONS]
    assert [page.name[:4] for page in DECISIONS] == [f"{number:04}" for number in range(1, len(DECISIONS) + 1)]


def test_every_file_that_the_workers_begin_with_exists() -> None:
    assert [name for name in SLOW_FILES if not (ROOT / "tests" / name).exists()] == []
