"""The directive ``{states}``: states in a grid and the transitions between them, drawn as inline SVG.

Contract: that of `diagram`. Lines with bars are rows of the grid, a dot is an empty cell; lines with arrows are
transitions. A state that no transition leaves is an end, and has a double border:

    waiting | running   | done
    .       | cancelled | .
    waiting -> running
    running -> done, cancelled
"""

from __future__ import annotations

from typing import NamedTuple

from diagram import DiagramDirective, draw_text, text_width, wrap_svg
from sphinx.application import Sphinx

GAP, PADDING, ROW_HEIGHT, BOX_HEIGHT = 34, 8, 84, 30
EMPTY, HEAD = ".", 7
"""The mark of an empty cell; the length of an arrow's head in pixels."""


class Box(NamedTuple):
    """Where a state is drawn: its centre, and half of its width."""

    x: float
    y: float
    half: float


class StateGraph(NamedTuple):
    """A parsed diagram: the rows of the grid, and the transitions as pairs of states."""

    rows: list[list[str]]
    transitions: list[tuple[str, str]]

    @property
    def states(self) -> set[str]:
        """Every state."""
        return {name for row in self.rows for name in row if name != EMPTY}

    @property
    def ends(self) -> set[str]:
        """The states that no transition leaves."""
        return self.states - {source for source, _ in self.transitions}


def parse_states(text: str) -> StateGraph:
    """Parse the notation of the module docstring.

    Raises:
        ValueError: A transition names a state that is not in the grid, or the grid has no state.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    rows = [[name.strip() for name in line.split("|")] for line in lines if "->" not in line]
    arrows = [line.split("->") for line in lines if "->" in line]
    transitions = [(source.strip(), target.strip()) for source, ends in arrows for target in ends.split(",")]
    graph = StateGraph(rows, transitions)
    if not graph.states:
        raise ValueError("a diagram of states needs a line with their names, separated by |")
    if unknown := {name for pair in transitions for name in pair} - graph.states:
        raise ValueError(f"unknown state {', '.join(sorted(unknown))!r}")
    return graph


def render_states(text: str, title: str) -> str:
    """Return the SVG of the states that *text* describes."""
    graph = parse_states(text)
    boxes, width = place_states(graph)
    height = 2 * PADDING + ROW_HEIGHT * (len(graph.rows) - 1) + BOX_HEIGHT
    parts = [_draw_transition(boxes[source], boxes[target]) for source, target in graph.transitions]
    for name, box in boxes.items():
        parts += _draw_state(name, box, is_end=name in graph.ends)
    return wrap_svg(parts, width, height, title, text)


def place_states(graph: StateGraph) -> tuple[dict[str, Box], float]:
    """Return the box of each state, and the width of all: a column is as wide as its longest name."""
    columns = max(len(row) for row in graph.rows)
    names = [[row[column] for row in graph.rows if column < len(row)] for column in range(columns)]
    halves = [max(text_width(name) for name in column) / 2 + PADDING for column in names]
    boxes, left = {}, float(PADDING)
    for column, half in enumerate(halves):
        for number, row in enumerate(graph.rows):
            if column < len(row) and row[column] != EMPTY:
                boxes[row[column]] = Box(left + half, PADDING + BOX_HEIGHT / 2 + ROW_HEIGHT * number, half)
        left += 2 * half + GAP
    return boxes, left - GAP + PADDING


def _draw_state(name: str, box: Box, *, is_end: bool) -> list[str]:
    def draw_border(inset: int) -> str:
        size = f'width="{2 * (box.half - inset):.1f}" height="{BOX_HEIGHT - 2 * inset}"'
        corner = f'x="{box.x - box.half + inset:.1f}" y="{box.y - BOX_HEIGHT / 2 + inset:g}"'
        return f'<rect {corner} {size} rx="{12 - inset}"/>'

    return [draw_border(0), *([draw_border(3)] if is_end else []), draw_text(box.x, box.y + 4, name)]


def _draw_transition(source: Box, target: Box) -> str:
    """Return an arrow from border to border, along the line between the two centres."""
    dx, dy = target.x - source.x, target.y - source.y
    length = (dx * dx + dy * dy) ** 0.5
    ux, uy = dx / length, dy / length
    start, end = _distance_to_border(source, ux, uy), length - _distance_to_border(target, ux, uy)
    neck = end - HEAD
    left, right = (
        (source.x + ux * neck - uy * 4, source.y + uy * neck + ux * 4),
        (
            source.x + ux * neck + uy * 4,
            source.y + uy * neck - ux * 4,
        ),
    )
    return (
        f'<path d="M{source.x + ux * start:.1f} {source.y + uy * start:.1f}'
        f'L{source.x + ux * neck:.1f} {source.y + uy * neck:.1f}"/>'
        f'<path d="M{source.x + ux * end:.1f} {source.y + uy * end:.1f}L{left[0]:.1f} {left[1]:.1f}'
        f'L{right[0]:.1f} {right[1]:.1f}Z" fill="currentColor"/>'
    )


def _distance_to_border(box: Box, ux: float, uy: float) -> float:
    """Return how far a line in direction (*ux*, *uy*) runs from the centre of *box* to its border."""
    return min(box.half / abs(ux) if ux else float("inf"), BOX_HEIGHT / 2 / abs(uy) if uy else float("inf"))


class StatesDirective(DiagramDirective):
    """Draws its content; the argument is the diagram's title."""

    render = staticmethod(render_states)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("states", StatesDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
