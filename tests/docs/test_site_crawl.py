"""The crawl of the built documentation finds dead links, missing anchors and pages that nothing leads to."""

from __future__ import annotations

from pathlib import Path

import pytest
from site_crawl import find_faults, main

PAGES = {
    "index.html": '<a href="guide/streams.html#ends">1</a> <a href="https://example.com/gone">2</a> <a href="#top">3</a>',
    "guide/streams.html": '<h2 id="ends"></h2> <a href="../">home</a> <img src="../_static/a%20b.svg"> {}',
    "_static/a b.svg": "<svg/>",
}


def write_site(folder: Path, link: str = "") -> Path:
    for name, text in PAGES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{}", link) + '<p id="top">')
    return folder


def test_a_whole_site_has_no_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(write_site(tmp_path)) == 0
    assert capsys.readouterr().out.strip() == "0 dead links and lost pages."


@pytest.mark.parametrize(
    ("link", "fault"),
    [
        ('<a href="gone.html">', "guide/streams.html links to gone.html, which does not exist"),
        ('<img src="/_static/gone.svg">', "guide/streams.html links to /_static/gone.svg, which does not exist"),
        ('<a href="#gone">', "guide/streams.html links to #gone, which has no such anchor"),
        ('<a href="../index.html#gone">', "guide/streams.html links to ../index.html#gone, which has no such anchor"),
        ('<a href="../guide/">', "guide/streams.html links to ../guide/, which does not exist"),
    ],
)
def test_a_dead_link_is_named(tmp_path: Path, link: str, fault: str) -> None:
    assert list(find_faults(write_site(tmp_path, link))) == [fault]


def test_a_page_without_a_link_is_named(tmp_path: Path) -> None:
    (write_site(tmp_path) / "lost.html").touch()
    assert list(find_faults(tmp_path)) == ["no link leads to lost.html"]


def test_a_folder_without_a_site_is_refused(tmp_path: Path) -> None:
    assert main(tmp_path) == 1
