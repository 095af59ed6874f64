"""Crawl the built documentation: every link within it leads to a page, a file or an anchor that exists.

Contract: nothing is fetched; addresses of other hosts are skipped. Pages that no link of the start page leads to are
reported as well. ``make docs`` runs it:

    python docs/_ext/site_crawl.py docs/_build
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

START = "index.html"
UNLINKED = {"404.html", "genindex.html", "py-modindex.html", "search.html", "_modules/index.html"}
"""Pages that Sphinx adds for the theme's own forms and lists."""


class Page(NamedTuple):
    """One page: the anchors that can be linked to, and the addresses that it links to."""

    anchors: frozenset[str]
    links: tuple[str, ...]


class PageParser(HTMLParser):
    """Collects the anchors and the links of one page."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the parser's
        """Note what an element defines and what it refers to."""
        found = dict(attrs)
        self.anchors |= {value for name in ("id", "name") if (value := found.get(name))}
        self.links += [value for name in ("href", "src") if (value := found.get(name))]


def read_page(text: str) -> Page:
    """Return the anchors and the links of a page."""
    parser = PageParser()
    parser.feed(text)
    return Page(frozenset(parser.anchors), tuple(parser.links))


def find_faults(site: Path) -> Iterator[str]:
    """Yield a sentence for each dead link of the site in the folder *site*, and for each page without a link to it."""
    pages = {path: read_page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    targets: dict[Path, set[Path]] = {path: set() for path in pages}
    for path, page in pages.items():
        for link in dict.fromkeys(page.links):
            target, anchor = _resolve_link(site, path, link)
            if target is None:
                continue
            targets[path].add(target)
            if target not in pages and not target.is_file():
                yield f"{path.relative_to(site)} links to {link}, which does not exist"
            elif anchor and target in pages and anchor not in pages[target].anchors:
                yield f"{path.relative_to(site)} links to {link}, which has no such anchor"
    for path in pages.keys() - _reach_pages(site / START, targets):
        if path.relative_to(site).as_posix() not in UNLINKED:
            yield f"no link leads to {path.relative_to(site)}"


def _resolve_link(site: Path, page: Path, link: str) -> tuple[Path | None, str]:
    """Return the file and the anchor of *link* on *page*; None for another host and for data in the link itself."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None, ""
    base = site if parts.path.startswith("/") else page.parent
    target = (base / unquote(parts.path).lstrip("/")).resolve() if parts.path else page
    return (target / START if target.is_dir() else target), unquote(parts.fragment)


def _reach_pages(start: Path, targets: dict[Path, set[Path]]) -> set[Path]:
    reached, waiting = set(), [start]
    while waiting:
        path = waiting.pop()
        if path in targets and path not in reached:
            reached.add(path)
            waiting += targets[path]
    return reached


def main(site: Path) -> int:
    """Print the faults of the site; return 1 if there are any."""
    site = site.resolve()
    if not (site / START).is_file():
        print(f"{site} has no {START}: build the documentation first, with make docs.")
        return 1
    faults = sorted(find_faults(site))
    print(*faults, f"{len(faults)} dead links and lost pages.", sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
