"""HTML for notebooks: tables, texts, bars and images, escaped and of bounded size.

Contract: pure. Everything that is shown may have been written by a model or by the service: no text can add an element,
an attribute, a script or a formula, nothing is loaded from an address, and characters that no notebook can store are
replaced. The size of a page is bounded: texts share one budget, images and recordings another, and parts and rows are
counted.

Source: the rich display of IPython, whose front ends call ``_repr_html_`` and run what it returns; MathJax, whose
options ``ignoreClass`` and ``ignoreHtmlClass`` some front ends do not heed.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from html import escape
from itertools import islice

import attrs

from gradient_async.errors import ResponseDecodeError
from gradient_async.models._base import Displayed
from gradient_async.models._texts import format_size
from gradient_async.models.images import decode_image

MAX_ROWS = 50
_MAX_TEXT_CHARS, _MAX_MEDIA_CHARS, _MAX_CELL_CHARS, _MAX_PARTS = 50_000, 20_000_000, 300, 200
_SIGNATURE_CHARS = 32
_UNSTORABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
"""Control characters, halves of surrogate pairs, and marks that reverse the direction of the text after them."""
_FORMULA = re.compile(r"[$\\]")
"""The characters that begin a formula for MathJax."""
_IMAGE_TYPES = ((b"\x89PNG", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF8", "gif"), (b"RIFF", "webp"))
_MEDIA_TYPE = re.compile(r"(audio|video)/[a-z0-9][a-z0-9.+-]{0,60}")
_PRE = '<pre style="white-space: pre-wrap; text-align: left">'


def escape_html(value: object, chars: int = _MAX_CELL_CHARS) -> str:
    """Return the text of *value*, cut to *chars* characters, as the content of an element.

    Front ends typeset text between dollar signs and after a backslash, which runs macros. They do not look for either
    in a ``pre``, nor for a whole formula across elements.
    """
    text = str(value)
    shown = text if len(text) <= chars else f"{text[:chars]}..."
    return _FORMULA.sub(r"<span>\g<0></span>", escape_preformatted(shown))


def escape_preformatted(text: str) -> str:
    """Return *text* as the content of a ``pre``."""
    return escape(_UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text))


def render_table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    """Return a table; its cells are HTML. At most `MAX_ROWS` rows are shown."""
    remaining = iter(rows)
    shown = [_render_row("td", row) for row in islice(remaining, MAX_ROWS)]
    if hidden := sum(1 for _ in remaining):
        shown.append(f'<tr><td colspan="{len(head)}">and {hidden} more</td></tr>')
    title = f"<caption>{escape_html(caption)}</caption>" if caption else ""
    return f"<table>{title}{_render_row('th', map(escape_html, head))}{''.join(shown)}</table>"


def render_bar(done: int, total: int | None, note: str = "") -> str:
    """Return a progress bar with a *note* beside it; one that only moves if *total* is unknown."""
    position = f' value="{min(done, total)}" max="{max(total, 1)}"' if total is not None else ""
    return f"<div><progress{position}></progress> {escape_html(note)}</div>"


@attrs.define(eq=False)
class Page:
    """The parts of a view, one below the other."""

    _parts: list[str] = attrs.field(factory=list, init=False)
    _hidden: int = attrs.field(default=0, init=False)
    _text_chars: int = attrs.field(default=_MAX_TEXT_CHARS, init=False)
    _media_chars: int = attrs.field(default=_MAX_MEDIA_CHARS, init=False)

    def add_html(self, html: str) -> None:
        """Add a part that is HTML, if there are not too many already."""
        if len(self._parts) < _MAX_PARTS:
            self._parts.append(html)
        else:
            self._hidden += 1

    def add_facts(self, facts: Iterable[tuple[str, object]]) -> None:
        """Add a line of names and values; a value that is None or empty is left out."""
        known = [f"<b>{escape_html(name)}</b> {escape_html(value)}" for name, value in facts if value not in (None, "")]
        if known:
            self.add_html(f"<div>{' · '.join(known)}</div>")

    def add_text(self, text: str | None, *, title: str = "", folded: bool = False) -> None:
        """Add a text as it is, or nothing if it is empty; *folded* shows it after a click on its title."""
        if not text:
            return
        shown = text[: self._text_chars]
        self._text_chars -= len(shown)
        block = f"{_PRE}{escape_preformatted(shown)}</pre>" if shown else ""
        if hidden := len(text) - len(shown):
            block += f"<div>... and {hidden} more characters</div>"
        if folded:
            block = f"<details><summary>{escape_html(title)}</summary>{block}</details>"
        elif title:
            block = f"<div><b>{escape_html(title)}</b></div>{block}"
        self.add_html(block)

    def add_reply(self, reply: object) -> None:
        """Add the view of a result, if it has one."""
        if isinstance(reply, Displayed):
            self.add_html(reply._repr_html_() or "")

    def add_image(self, b64_json: str) -> None:
        """Add an image from its base64; a note in its place if it is not an image of a known type, or too large."""
        if len(b64_json) > self._media_chars:
            size = format_size(len(b64_json) * 3 // 4)
            self.add_html(f"<div>An image of {size}, too large to be shown; its <code>content</code> has it.</div>")
            return
        kind = _detect_image_type(b64_json)
        if kind is None:
            self.add_html("<div>Not an image that can be shown; its <code>b64_json</code> has what arrived.</div>")
            return
        self._media_chars -= len(b64_json)
        source = escape(f"data:image/{kind};base64,{b64_json}")
        self.add_html(f'<img src="{source}" alt="generated image" style="max-width: 100%; max-height: 512px">')

    def add_player(self, content: bytes, content_type: str) -> None:
        """Add a player of speech or a video; a note in its place if the type is another, or the file too large."""
        kind = _MEDIA_TYPE.fullmatch(content_type.partition(";")[0].strip().lower())
        chars = len(content) * 4 // 3
        if kind is None or chars > self._media_chars:
            self.add_html(f"<div>{escape_html(content_type)}, {format_size(len(content))}; save it with save().</div>")
            return
        self._media_chars -= chars
        source = f"data:{kind[0]};base64,{b64encode(content).decode()}"
        self.add_html(f'<{kind[1]} controls src="{source}" style="max-width: 100%; max-height: 512px"></{kind[1]}>')

    def render(self) -> str:
        """Return the HTML of all parts."""
        rest = f"<div>and {self._hidden} more parts</div>" if self._hidden else ""
        return f"<div>{''.join(self._parts)}{rest}</div>"


def _render_row(cell: str, values: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{cell}>{value}</{cell}>' for value in values)}</tr>"


def _detect_image_type(b64_json: str) -> str | None:
    """Return the type of an image file by its first bytes, None if it is of no known type or not base64."""
    try:
        decode_image(b64_json)
        start = b64decode(b64_json[:_SIGNATURE_CHARS])
    except (ResponseDecodeError, ValueError):
        return None
    return next((kind for signature, kind in _IMAGE_TYPES if start.startswith(signature)), None)
