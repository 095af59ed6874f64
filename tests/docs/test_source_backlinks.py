"""The links from source code to the documentation lead to names that the documentation has."""

from __future__ import annotations

import pytest
from source_backlinks import find_name, mend_backlinks

KNOWN = {"package.Image", "package.models.Usage", "package.Image.size", "package.other.models.Usage"}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("package.Image", "package.Image"),
        ("package.models.images.Image", "package.Image"),
        ("package.models.images.Image.size", "package.Image.size"),
        ("package.Usage", "package.models.Usage"),
        ("package.Hidden", None),
    ],
)
def test_a_name_is_found_by_its_end(name: str, found: str | None) -> None:
    assert find_name(name, KNOWN) == found


def test_links_without_an_entry_are_removed_and_others_kept() -> None:
    link = '<a class="viewcode-back" href="../more.html#package.{}">[docs]</a>'
    other = '<a href="#package.Usage">x</a>'
    body = link.format("Usage") + link.format("Hidden") + other
    assert mend_backlinks(body, KNOWN) == link.format("models.Usage") + other
