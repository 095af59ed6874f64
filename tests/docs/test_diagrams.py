"""The drawings of layers, states and limits: made from text or from the library itself, and true to it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from layer_diagram import Layer, parse_layers, render_layers
from limit_plot import CAPACITY, END, PERIOD, count_recent, render_plot, simulate_bucket, simulate_window
from state_diagram import parse_states, place_states, render_states

from gradient_async.testing.batch.lifecycle import TERMINAL
from tests.support.pages import DOCS, ROOT

SVG = "{http://www.w3.org/2000/svg}"
RENDERERS: dict[str, Callable[[str, str], str]] = {
    "layers": render_layers,
    "states": render_states,
    "limit-plot": render_plot,
}
BLOCK = re.compile(r"^```\{(layers|states|limit-plot)\} ([^\n]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DIAGRAMS = [found for page in sorted(DOCS.rglob("*.md")) for found in BLOCK.findall(page.read_text(encoding="utf-8"))]


def find_diagram(kind: str) -> str:
    (text,) = (str(text) for found, _, text in DIAGRAMS if found == kind)
    return text


@pytest.mark.parametrize(("kind", "title", "text"), DIAGRAMS, ids=[title for _, title, _ in DIAGRAMS])
def test_a_drawing_has_a_description_and_keeps_within_its_borders(kind: str, title: str, text: str) -> None:
    svg = RENDERERS[kind](text, title)
    assert svg == RENDERERS[kind](text, title)
    assert re.findall(r"(?:href|src|url|script)", svg) == []
    root = ET.fromstring(svg)
    assert [element.text for element in root.iter(f"{SVG}title")] == [title]
    assert [element.text for element in root.iter(f"{SVG}desc")] != [""]
    width = float(root.attrib["viewBox"].split()[2])
    for element in root.iter(f"{SVG}text"):
        length, x = 7.2 * len(element.text or ""), float(element.attrib["x"])
        left = x - length * {"start": 0, "middle": 0.5, "end": 1}[element.attrib["text-anchor"]]
        assert left >= 0
        assert left + length <= width


def test_the_layers_are_those_that_the_import_contract_holds() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = [layer.replace("gradient_async.", "").split(" : ") for layer in contracts[0]["layers"]]
    assert [layer.parts for layer in parse_layers(find_diagram("layers"))] == layers


def test_a_layer_without_a_name_is_refused() -> None:
    assert parse_layers("one | two : note\nthree") == [Layer(["one", "two"], "note"), Layer(["three"])]
    with pytest.raises(ValueError, match="without a name"):
        parse_layers("one | : note")


def test_the_states_and_their_ends_are_those_of_the_service() -> None:
    graph = parse_states(find_diagram("states"))
    assert graph.ends == TERMINAL
    assert graph.states - TERMINAL == {"queued", "validating", "in_progress", "finalizing", "cancelling"}


@pytest.mark.parametrize(("text", "problem"), [("one -> two", "names"), ("one | two\none -> three", "three")])
def test_a_faulty_transition_is_named(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_states(text)


def test_no_state_lies_on_another() -> None:
    boxes, width = place_states(parse_states(find_diagram("states")))
    placed = sorted((box.y, box.x - box.half, box.x + box.half) for box in boxes.values())
    for (y, _, right), (next_y, left, _) in pairwise(placed):
        assert y < next_y or right < left
    assert max(right for _, _, right in placed) <= width


def test_the_plot_shows_what_each_kind_of_limit_admits() -> None:
    window, bucket = simulate_window(), simulate_bucket()
    moments = [tenth / 10 for tenth in range(int(END) * 10)]
    assert max(count_recent(window, at) for at in moments) == CAPACITY
    assert 2 * CAPACITY - 2 <= max(count_recent(bucket, at) for at in moments) <= 2 * CAPACITY
    assert [sum(start <= at < start + PERIOD for at in window) for start in (0, 60, 120)] == [CAPACITY] * 3
