"""What the diagrams of the documentation share: text of known width, an SVG with a description, a directive.

Contract: the same text gives the same SVG, byte for byte; nothing is fetched and no program is run. Colours are the
page's own (``currentColor``), so that a dark theme works. Builders other than HTML show the text.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

CHARACTER_WIDTH, FONT_SIZE = 7.2, 12
"""Pixels. Labels are set in a monospaced font, so their width is known without a font file."""
_MAX_WIDTH, _MIN_SCALE = 700, 0.8
"""Pixels of the column of text; how small a diagram may become before it scrolls inside its own box."""


def text_width(text: str) -> float:
    """Return the width of a label in pixels."""
    return len(text) * CHARACTER_WIDTH


def draw_text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    """Return a label; *anchor* is ``start``, ``middle`` or ``end``."""
    return f'<text x="{x:.1f}" y="{y:g}" text-anchor="{anchor}" fill="currentColor" stroke="none">{escape(text)}</text>'


def wrap_svg(parts: Iterable[str], width: float, height: float, title: str, description: str) -> str:
    """Return the SVG of *parts*; screen readers read *title* and *description*."""
    root = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'style="width: 100%; max-width: {width:.0f}px; min-width: {min(width * _MIN_SCALE, _MAX_WIDTH):.0f}px" '
        f'fill="none" stroke="currentColor" font-family="monospace" font-size="{FONT_SIZE}">'
    )
    described = f"<title>{escape(title)}</title><desc>{escape(description.strip())}</desc>"
    return "".join([root, described, *parts, "</svg>"])


class DiagramDirective(SphinxDirective):
    """Draws its content with `render`; the argument is the diagram's title."""

    has_content = True
    required_arguments = 1
    final_argument_whitespace = True

    @staticmethod
    def render(text: str, title: str) -> str:
        """Return the SVG of *text*."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Return the SVG in a box that scrolls if the page is narrow, or the error of a faulty line."""
        text = "\n".join(self.content)
        try:
            svg = self.render(text, self.arguments[0])
        except ValueError as error:
            raise self.error(str(error)) from None
        if self.env.app.builder.format != "html":
            return [nodes.container("", nodes.literal_block(text, text, language="text"))]
        return [nodes.raw("", f'<div class="diagram" style="overflow-x: auto">{svg}</div>', format="html")]
