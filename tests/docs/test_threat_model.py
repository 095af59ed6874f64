"""The threat model names code that exists, and can be found."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/threat_model.md").read_text(encoding="utf-8")


def test_the_code_of_each_defence_exists() -> None:
    paths = re.findall(r"`([\w/]+\.py)`", PAGE)
    assert len(paths) >= 10
    assert [path for path in paths if not (ROOT / "gradient_async" / path).is_file()] == []


def test_the_page_is_linked_where_people_look_for_it() -> None:
    assert "(docs/threat_model.md)" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert "\nthreat_model\n" in (ROOT / "docs/index.md").read_text(encoding="utf-8")
