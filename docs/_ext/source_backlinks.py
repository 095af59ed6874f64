"""Mend the links "[docs]" on the pages of source code, which `sphinx.ext.viewcode` makes.

Viewcode remembers one name for each module, so that it links every class of ``models/images.py`` as a member of
``gradient_async.models.images`` or of ``gradient_async``, depending on which it met first. A link to a name that no
page has is led to the entry of the same object under its other name, and removed if there is none.

Contract: changes pages below ``_modules`` only.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from sphinx.application import Sphinx

BACKLINK = re.compile(r'(<a class="viewcode-back" href="[^"#]*#)([^"]+)(">.*?</a>)')


def mend_backlinks(body: str, known: Collection[str]) -> str:
    """Return *body* with every link "[docs]" leading to a name in *known*."""

    def replace_link(link: re.Match[str]) -> str:
        name = find_name(link[2], known)
        return f"{link[1]}{name}{link[3]}" if name else ""

    return BACKLINK.sub(replace_link, body)


def find_name(name: str, known: Collection[str]) -> str | None:
    """Return the name in *known* of what a link calls *name*: the one with the longest common end."""
    if name in known:
        return name
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        end = "." + ".".join(parts[-length:])
        if found := sorted((each for each in known if each.endswith(end)), key=len):
            return found[0]
    return None


def _change_page(app: Sphinx, page: str, _template: str, context: dict[str, Any], _doctree: object) -> None:
    if page.startswith("_modules/") and "body" in context:
        objects = app.env.domains.python_domain.objects
        known = {name for name, entry in objects.items() if not entry.aliased}  # an alias has no anchor
        context["body"] = mend_backlinks(context["body"], known)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to the pages that are about to be written."""
    app.connect("html-page-context", _change_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
