"""The sequence diagrams of the documentation: deterministic SVG that needs nothing from the network."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from sequence_diagram import Step, parse_sequence, render_sequence

DOCS = Path(__file__).parent.parent.parent / "docs"
BLOCK = re.compile(r"^```\{sequence\} ([^\n]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DIAGRAMS = [found for page in sorted(DOCS.rglob("*.md")) for found in BLOCK.findall(page.read_text(encoding="utf-8"))]
EXAMPLE = """
caller | pipeline | service
caller -> pipeline: send(request)
[ until accepted
pipeline -> service: POST <body>
service --> pipeline: status: 200
]
pipeline: classify
"""
SVG = "{http://www.w3.org/2000/svg}"


def test_each_kind_of_line_is_parsed() -> None:
    assert parse_sequence(EXAMPLE).participants == ["caller", "pipeline", "service"]
    assert parse_sequence(EXAMPLE).steps == [
        Step("->", "send(request)", 0, 1),
        Step("[", "until accepted"),
        Step("->", "POST <body>", 1, 2),
        Step("-->", "status: 200", 2, 1),
        Step("]"),
        Step("note", "classify", 1, 1),
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [("no step", "no step"), ("caller -> nobody: x", "nobody"), ("[ never closed", "box"), ("]", "box")],
)
def test_a_faulty_line_is_named(line: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_sequence(f"caller | service\n{line}")


def test_the_svg_holds_every_label_once_and_escapes_them() -> None:
    root = ET.fromstring(render_sequence(EXAMPLE, "A & B"))
    texts = [element.text or "" for element in root.iter(f"{SVG}text")]
    assert sorted(texts) == sorted(
        [*parse_sequence(EXAMPLE).participants, *(s.label for s in parse_sequence(EXAMPLE).steps if s.label)]
    )
    assert [element.text for element in root.iter(f"{SVG}title")] == ["A & B"]


def test_the_same_text_gives_the_same_svg() -> None:
    assert render_sequence(EXAMPLE, "t") == render_sequence(EXAMPLE, "t")


def test_the_architecture_has_two_diagrams() -> None:
    assert len(DIAGRAMS) >= 2


@pytest.mark.parametrize(("title", "text"), DIAGRAMS, ids=[title for title, _ in DIAGRAMS])
def test_a_diagram_of_the_documentation_needs_no_network_and_fits_its_labels(title: str, text: str) -> None:
    svg = render_sequence(text, title)
    assert re.findall(r"(?:href|src|url|script)", svg) == []
    root = ET.fromstring(svg)
    width = float(root.attrib["viewBox"].split()[2])
    for element in root.iter(f"{SVG}text"):
        length, center = 7.2 * len(element.text or ""), float(element.attrib["x"])
        left = center - (length / 2 if element.attrib["text-anchor"] == "middle" else 0)
        assert left >= 0
        assert left + length <= width
