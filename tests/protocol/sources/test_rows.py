"""Lines as rows, and rows as messages."""

from __future__ import annotations

import math
from typing import Any

import pytest

from gradient_async._protocol.sources.row_template import RowTemplate, build_row_template
from gradient_async._protocol.sources.rows import Format, detect_format, iterate_rows
from gradient_async.errors import ConfigurationError


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("q.txt", "txt"),
        ("/data/Q.TXT.GZ", "txt"),
        ("q.jsonl.zst", "jsonl"),
        ("q.ndjson", "jsonl"),
        ("q.csv.xz", "csv"),
        ("q.tsv", "tsv"),
        ("q.parquet", "parquet"),
        ("prompts", "lines"),
        ("q.json", "lines"),
        ("/dev/fd/63", "lines"),
    ],
)
def test_the_name_says_the_format(name: str, form: Format) -> None:
    assert detect_format(name) == form


@pytest.mark.parametrize(
    ("form", "lines", "rows"),
    [
        ("txt", ["One", "", "  {two}  "], ["One", "{two}"]),
        ("jsonl", ['{"a": 1}', " ", '"text"'], [{"a": 1}, "text"]),
        ("lines", ['{"a": 1}', "text"], [{"a": 1}, "text"]),
        ("csv", ["a,b", '1,"x', 'y"', "", "3,"], [{"a": "1", "b": "x\ny"}, {"a": "3", "b": ""}]),
        ("csv", ["", "a;b", '1;"2,5"'], [{"a": "1", "b": "2,5"}]),
        ("csv", ["text", "one, two".replace(",", "")], [{"text": "one two"}]),
        ("tsv", ["a\tb", "1,0\t2"], [{"a": "1,0", "b": "2"}]),
        ("csv", [], []),
        ("csv", ["a,b"], []),
    ],
)
def test_lines_become_rows(form: Format, lines: list[str], rows: list[Any]) -> None:
    assert list(iterate_rows(lines, "q", form)) == rows


@pytest.mark.parametrize(
    ("form", "lines", "problem"),
    [
        ("jsonl", ['{"a": 1}', "text"], "line 2 is not a JSON object or a JSON string"),
        ("jsonl", ["[1]"], "line 1 is not"),
        ("lines", ["x", "", '{"messages": '], "line 3 is not a JSON object, although"),
        ("csv", ["a,b", "1,2", "3"], "record 3 has 1 fields, the header 2"),
        ("csv", ["a,b", "1,2,3"], "record 2 has 3 fields"),
        ("csv", ["a,a"], "same name"),
        ("csv", ["a,b", '1,"open'], "unexpected end"),
    ],
)
def test_a_malformed_line_is_refused_with_its_number(form: Format, lines: list[str], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        list(iterate_rows(lines, "q", form))


# Templates.


@pytest.mark.parametrize(
    ("template", "row", "content"),
    [
        ("Translate: {text}", "Olá", "Translate: Olá"),
        ("{a} and {b}", {"a": 1, "b": 2.5}, "1 and 2.5"),
        ("{first name}: {{braces}}", {"first name": "Eça"}, "Eça: {braces}"),
        ("{a.__class__}", {"a.__class__": "a name, not code"}, "a name, not code"),
        ("{a}", {"a": "{b}", "b": "never"}, "{b}"),
        ("{a}", {"a": 0}, "0"),
        ("No field", "x", "No field"),
    ],
)
def test_fields_are_filled(template: str, row: Any, content: str) -> None:
    assert RowTemplate(template).build_messages("row 1", row) == [{"role": "user", "content": content}]


def test_a_template_may_be_messages() -> None:
    template: list[dict[str, Any]] = [
        {"role": "system", "content": "Answer in {language}."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "{q}"}, {"type": "image_url", "image_url": {"url": "{u}"}}],
        },
    ]
    system, user = RowTemplate(template).build_messages("row 1", {"language": "German", "q": "What?", "u": "https://x"})
    assert system["content"] == "Answer in German."
    assert user["content"] == [
        {"type": "text", "text": "What?"},
        {"type": "image_url", "image_url": {"url": "https://x"}},
    ]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"id": "a7", "b": 1}, r"row 3 \(id 'a7'\) has no column for \{text\}"),
        ({"text": ""}, "row 3 has nothing in the column 'text'"),
        ({"text": None}, "nothing in the column"),
        ({"custom_id": "c", "text": math.nan}, r"row 3 \(id 'c'\) has nothing in the column"),
        (["text"], "row 3 is of type list"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_by_name(row: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        RowTemplate("{text}").build_messages("row 3", row)


@pytest.mark.parametrize(
    ("columns", "shown"), [(["text"], "it has: id, body"), (None, "it has: id, body"), (["body"], "it has: id, body")]
)
def test_a_missing_column_is_told_with_those_of_the_row(columns: list[str] | None, shown: str) -> None:
    with pytest.raises(ConfigurationError, match=shown):
        RowTemplate("{text}", columns).build_messages("row 1", {"id": "a7", "body": "x"})


@pytest.mark.parametrize("template", ["{", "}", '{"json": 1}', "{}"])
def test_single_braces_are_refused_with_advice(template: str) -> None:
    with pytest.raises(ConfigurationError, match="Double the braces"):
        RowTemplate(template).build_messages("row 1", {"text": "x"})


def test_columns_restrict_a_template_and_replace_a_simple_one() -> None:
    only = build_row_template(None, ["q"])
    assert only is not None
    assert only.build_messages("row 1", {"q": "What?", "a": 1})[0]["content"] == "What?"
    restricted = build_row_template("{a}", ["q"])
    assert restricted is not None
    with pytest.raises(ConfigurationError, match="no column"):
        restricted.build_messages("row 1", {"q": "What?", "a": 1})
    with pytest.raises(ConfigurationError, match="a list of one column"):
        build_row_template(None, ["a", "b"])
    assert build_row_template(None, None) is None
