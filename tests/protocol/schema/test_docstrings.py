"""Docstrings in Google style: the first paragraph and the descriptions of arguments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async._protocol.schema.docstrings import first_paragraph, parse_argument_descriptions


@pytest.mark.parametrize(
    ("doc", "summary", "arguments"),
    [
        (None, "", {}),
        ("", "", {}),
        ("Do it.", "Do it.", {}),
        ("\nArgs:\n    x: One.", "", {"x": "One."}),
        ("Do.\n\nArguments:\n    x: One.\n\n    *y: Two.\n    z (list of int): a: b", "Do.", {"x": "One.", "y": "Two.", "z": "a: b"}),
        ("Do.\n\nArgs:\n    no entry here\n    x: One.\n\nReturns:\n    y: no.", "Do.", {"x": "One."}),
        ("Do.\n\nParameters:\n", "Do.", {}),
    ],
)  # fmt: skip
def test_a_docstring_has_a_summary_and_descriptions(doc: str | None, summary: str, arguments: dict[str, str]) -> None:
    assert first_paragraph(doc) == summary
    assert parse_argument_descriptions(doc) == arguments


@given(st.text(alphabet="Args: \n\tx*()", max_size=60))
def test_any_docstring_is_accepted(doc: str) -> None:
    assert "\n" not in first_paragraph(doc)
    assert all(name.isidentifier() for name in parse_argument_descriptions(doc))
