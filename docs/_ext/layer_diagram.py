"""The directive ``{layers}``: layers from top to bottom, written as text, drawn as inline SVG.

Contract: that of `diagram`. Each line is a layer; bars separate siblings, a colon begins a note beside the layer:

    cli | testing | integrations : optional
    session : connects the parts
"""

from __future__ import annotations

from typing import NamedTuple

from diagram import DiagramDirective, draw_text, text_width, wrap_svg
from sphinx.application import Sphinx

GAP, PADDING, ROW_HEIGHT, BOX_HEIGHT = 12, 10, 44, 28


class Layer(NamedTuple):
    """One layer: its parts, which do not import each other, and a note."""

    parts: list[str]
    note: str = ""


def parse_layers(text: str) -> list[Layer]:
    """Parse the notation of the module docstring.

    Raises:
        ValueError: There is no layer, or a layer has a part without a name.
    """
    layers = [_parse_layer(line) for line in text.splitlines() if line.strip()]
    if not layers:
        raise ValueError("a diagram of layers needs at least one line")
    return layers


def _parse_layer(line: str) -> Layer:
    names, _, note = line.partition(":")
    parts = [name.strip() for name in names.split("|")]
    if not all(parts):
        raise ValueError(f"a part without a name in {line!r}")
    return Layer(parts, note.strip())


def render_layers(text: str, title: str) -> str:
    """Return the SVG of the layers that *text* describes, with arrows that point down."""
    layers = parse_layers(text)
    inner = max(_natural_width(layer) for layer in layers)
    width = PADDING + inner + GAP + max(text_width(layer.note) for layer in layers) + PADDING
    parts: list[str] = []
    for row, layer in enumerate(layers):
        top = PADDING + row * ROW_HEIGHT
        parts += _draw_layer(layer, top, inner)
        parts.append(draw_text(PADDING + inner + GAP, top + 18, layer.note, anchor="start"))
        if row < len(layers) - 1:
            parts.append(_draw_arrow(PADDING + inner / 2, top + BOX_HEIGHT))
    return wrap_svg([part for part in parts if part], width, PADDING + len(layers) * ROW_HEIGHT, title, text)


def _natural_width(layer: Layer) -> float:
    return sum(text_width(name) + 2 * PADDING for name in layer.parts) + GAP * (len(layer.parts) - 1)


def _draw_layer(layer: Layer, top: float, inner: float) -> list[str]:
    """Return the boxes of one layer, which together are as wide as every other."""
    spare = (inner - _natural_width(layer)) / len(layer.parts)
    drawn, left = [], float(PADDING)
    for name in layer.parts:
        width = text_width(name) + 2 * PADDING + spare
        size = f'x="{left:.1f}" y="{top}" width="{width:.1f}" height="{BOX_HEIGHT}" rx="4"'
        drawn.append(f'<rect {size} fill="currentColor" fill-opacity="0.08"/>')
        drawn.append(draw_text(left + width / 2, top + 18, name))
        left += width + GAP
    return drawn


def _draw_arrow(x: float, top: float) -> str:
    tip = top + ROW_HEIGHT - BOX_HEIGHT
    return f'<path d="M{x:.1f} {top}V{tip - 6}M{x:.1f} {tip}l-4 -7h8Z" fill="currentColor"/>'


class LayersDirective(DiagramDirective):
    """Draws its content; the argument is the diagram's title."""

    render = staticmethod(render_layers)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("layers", LayersDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
