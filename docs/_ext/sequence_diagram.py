"""The directive ``{sequence}``: a sequence diagram written as text, drawn as inline SVG.

Contract: that of `diagram`.

The notation has one step a line, between participants that the first line names from left to right:

    caller | pipeline | service
    caller -> pipeline: send(request)      a call
    pipeline --> caller: Reply             its result
    pipeline: classify                     a step of one participant
    [ until accepted                       a box around the steps up to the closing bracket
    ]
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

from diagram import DiagramDirective, draw_text, text_width, wrap_svg
from sphinx.application import Sphinx

COLUMN_GAP, PADDING, ROW_HEIGHT, HEAD_HEIGHT = 24, 8, 30, 34
ARROW = re.compile(r"(?P<source>[^:>-]+?) *(?P<kind>--?>) *(?P<target>[^:]+?): *(?P<label>.+)")
NOTE = re.compile(r"(?P<owner>[^:]+?): *(?P<label>.+)")


class Step(NamedTuple):
    """One line of a diagram: an arrow, a note (source is target), or the start or end of a box."""

    kind: str
    label: str = ""
    source: int = 0
    target: int = 0


class Diagram(NamedTuple):
    """A parsed diagram: participants from left to right, and steps from top to bottom."""

    participants: list[str]
    steps: list[Step]


def parse_sequence(text: str) -> Diagram:
    """Parse the notation of the module docstring.

    Raises:
        ValueError: A line is neither an arrow, a note nor a box, names an unknown participant, or a box stays open.
    """
    first, *lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    participants = [name.strip() for name in first.split("|")]
    steps = [_parse_step(line, participants) for line in lines]
    depth = 0
    for step in steps:
        depth += (step.kind == "[") - (step.kind == "]")
        if depth < 0:
            break
    if depth:
        raise ValueError("each box needs one '[' line and one ']' line")
    return Diagram(participants, steps)


def _parse_step(line: str, participants: list[str]) -> Step:
    if line == "]":
        return Step("]")
    if line.startswith("["):
        return Step("[", line[1:].strip())
    if arrow := ARROW.fullmatch(line):
        names, kind = [arrow["source"], arrow["target"]], arrow["kind"]
    elif arrow := NOTE.fullmatch(line):
        names, kind = [arrow["owner"]] * 2, "note"
    else:
        raise ValueError(f"not a step of a sequence diagram: {line!r}")
    if unknown := set(names) - set(participants):
        raise ValueError(f"unknown participant {', '.join(sorted(unknown))!r} in {line!r}")
    source, target = map(participants.index, names)
    return Step(kind, arrow["label"].strip(), source, target)


def render_sequence(text: str, title: str) -> str:
    """Return the SVG of the diagram that *text* describes; screen readers read *title* and *text*."""
    diagram = parse_sequence(text)
    centers, width = _place_columns(diagram)
    height = HEAD_HEIGHT + ROW_HEIGHT * len(diagram.steps) + PADDING * 2
    parts: list[str] = []
    for name, center in zip(diagram.participants, centers, strict=True):
        parts += _draw_participant(name, center, height)
    open_boxes: list[int] = []
    for row, step in enumerate(diagram.steps):
        middle = HEAD_HEIGHT + ROW_HEIGHT * row + ROW_HEIGHT // 2 + PADDING
        if step.kind == "[":
            open_boxes.append(middle)
            parts.append(draw_text(PADDING + 6 + 6 * len(open_boxes), middle + 4, step.label, anchor="start"))
        elif step.kind == "]":
            parts.append(_draw_box(open_boxes.pop(), middle, width, depth=len(open_boxes)))
        elif step.kind == "note":
            parts += _draw_note(step.label, centers[step.source], middle)
        else:
            parts += _draw_arrow(step, centers, middle)
    return wrap_svg(parts, width, height, title, text)


def _place_columns(diagram: Diagram) -> tuple[list[float], float]:
    """Return the centre of each column and the width of all, wide enough for every label."""
    half = [text_width(name) / 2 + PADDING for name in diagram.participants]
    for step in diagram.steps:
        if step.kind == "note":
            half[step.source] = max(half[step.source], text_width(step.label) / 2 + PADDING)
    centers = [half[0] + COLUMN_GAP]
    for left, right in pairwise(half):
        centers.append(centers[-1] + left + COLUMN_GAP + right)
    for step in diagram.steps:
        low, high = sorted((step.source, step.target))
        if low != high:
            missing = text_width(step.label) + PADDING * 3 - (centers[high] - centers[low])
            centers = [at + max(missing, 0.0) * (column >= high) for column, at in enumerate(centers)]
    longest_box = max((text_width(step.label) for step in diagram.steps if step.kind == "["), default=0.0)
    return centers, max(centers[-1] + half[-1] + COLUMN_GAP, longest_box + 5 * PADDING)


def _draw_participant(name: str, center: float, height: int) -> list[str]:
    width = text_width(name) + PADDING * 2
    return [
        f'<rect x="{center - width / 2:.1f}" y="4" width="{width:.1f}" height="{HEAD_HEIGHT - 10}" rx="4"/>',
        draw_text(center, HEAD_HEIGHT - 14, name),
        f'<path d="M{center:.1f} {HEAD_HEIGHT - 6}V{height - 4}" stroke-opacity="0.25"/>',
    ]


def _draw_box(top: int, bottom: int, width: float, depth: int) -> str:
    inset = 2 + 6 * depth
    return (
        f'<rect x="{inset}" y="{top - 12}" width="{width - 2 * inset:.1f}" height="{bottom - top + 12}" rx="6" '
        'stroke-opacity="0.6" stroke-dasharray="4 4"/>'
    )


def _draw_note(label: str, center: float, middle: int) -> list[str]:
    width = text_width(label) + PADDING
    size = f'x="{center - width / 2:.1f}" y="{middle - 10}" width="{width:.1f}" height="20" rx="10"'
    backdrop = f'<rect {size} fill="currentColor" fill-opacity="0.12" stroke="none"/>'
    return [backdrop, draw_text(center, middle + 4, label)]


def _draw_arrow(step: Step, centers: list[float], middle: int) -> list[str]:
    start, end = centers[step.source], centers[step.target]
    tip = end - 7 if end > start else end + 7
    dashes = ' stroke-dasharray="5 3"' if step.kind == "-->" else ""
    return [
        f'<path d="M{start:.1f} {middle + 6}H{tip:.1f}"{dashes}/>',
        f'<path d="M{end:.1f} {middle + 6}L{tip:.1f} {middle + 2}V{middle + 10}Z" fill="currentColor"/>',
        draw_text((start + end) / 2, middle, step.label),
    ]


class SequenceDirective(DiagramDirective):
    """Draws its content; the argument is the diagram's title."""

    render = staticmethod(render_sequence)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("sequence", SequenceDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
