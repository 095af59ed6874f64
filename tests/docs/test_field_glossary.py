"""The glossary of fields fills entries of the reference that have no text, and no others."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any, cast

from field_glossary import GLOSSARY, fill_entry

from tests.support.pages import ROOT

PACKAGE, APP = ROOT / "gradient_async", cast("Any", SimpleNamespace())


def test_an_entry_without_a_text_gets_that_of_its_name() -> None:
    lines: list[str] = [""]
    fill_entry(APP, "attribute", "package.Usage.total_tokens", None, None, lines)
    assert lines == [GLOSSARY["total_tokens"], ""]


def test_a_text_of_the_class_itself_is_kept() -> None:
    lines = ["Its own text."]
    fill_entry(APP, "attribute", "package.Usage.total_tokens", None, None, lines)
    assert lines == ["Its own text."]


def test_every_name_of_the_glossary_is_a_name_of_the_package() -> None:
    words = {word for path in PACKAGE.rglob("*.py") for word in re.findall(r"\w+", path.read_text(encoding="utf-8"))}
    assert GLOSSARY.keys() <= words
