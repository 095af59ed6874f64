"""Rows of text files: texts, JSON objects, or columns of CSV.

Contract: pure; a generator over lines, one row at a time. A row is a text or a dict. Blank lines are skipped. A
malformed line is refused with its number.

    format   a line is
    txt      a text
    jsonl    a JSON object, or a JSON string: a text
    csv      a record with the columns of the first line; commas, or semicolons if the first line has no comma
    tsv      the same with tabs
    lines    a JSON object if it begins with a brace, else a text: for pipes and unknown names
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

from gradient_async._protocol.batch.api_requests import COMPRESSIONS
from gradient_async._protocol.codec.json_text import decode_json
from gradient_async.errors import ConfigurationError, ResponseDecodeError

Row = str | Mapping[str, Any]
Format = Literal["txt", "jsonl", "csv", "tsv", "lines", "parquet"]

_FORMATS: Mapping[str, Format] = {
    "txt": "txt",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "csv": "csv",
    "tsv": "tsv",
    "parquet": "parquet",
}


def detect_format(name: str) -> Format:
    """Return the format of the file *name*, by its ending before that of a compression."""
    name = name.lower()
    for suffix in COMPRESSIONS:
        name = name.removesuffix(suffix)
    return _FORMATS.get(name.rpartition(".")[2], "lines")


def iterate_rows(lines: Iterable[str], name: str, form: Format, *, first: int = 1) -> Iterator[Row]:
    """Yield the rows in the *lines* of the file *name*; *first* is the number of the first line.

    Raises:
        ConfigurationError: A line is malformed.
    """
    if form in ("csv", "tsv"):
        yield from _iterate_records(lines, name, "\t" if form == "tsv" else ",")
        return
    read = _LINE_READERS[form]
    for number, line in enumerate(lines, first):
        if text := line.strip():
            try:
                row = read(text)
            except ResponseDecodeError:
                row = None
            if row is None:
                raise ConfigurationError(f"{name}: line {number} is not a JSON object{_OR_TEXT[form]}.")
            yield row


def _iterate_records(lines: Iterable[str], name: str, delimiter: str) -> Iterator[Row]:
    iterator = iter(lines)
    header = next((line for line in iterator if line.strip()), "")
    if delimiter == "," and "," not in header and ";" in header:
        delimiter = ";"
    reader = csv.reader(_join_lines(header, iterator), delimiter=delimiter, strict=True)
    columns: list[str] = []
    problem, number = "", 0
    try:
        for record in reader:
            number += 1
            if not columns:
                columns = _check_columns(record, name)
            elif len(record) == len(columns):
                yield dict(zip(columns, record, strict=True))
            elif any(record):
                problem = f"record {number} has {len(record)} fields, the header {len(columns)}"
                break
    except csv.Error as error:
        problem = f"line {reader.line_num}: {error}"
    if problem:
        raise ConfigurationError(f"{name}: {problem}.")


def _join_lines(header: str, lines: Iterator[str]) -> Iterator[str]:
    """Yield lines with their line breaks, which a quoted field keeps."""
    yield header + "\n"
    for line in lines:
        yield line + "\n"


def _check_columns(record: list[str], name: str) -> list[str]:
    columns = [column.strip() for column in record]
    if len(set(columns)) < len(columns):
        raise ConfigurationError(f"{name}: two columns have the same name.")
    return columns


def _read_text(line: str) -> Row | None:
    return line


def _read_json(line: str) -> Row | None:
    value = decode_json(line)
    return value if isinstance(value, dict | str) else None


def _read_either(line: str) -> Row | None:
    return _read_json(line) if line.startswith("{") else line


_LINE_READERS: Mapping[str, Callable[[str], Row | None]] = {
    "txt": _read_text,
    "jsonl": _read_json,
    "lines": _read_either,
}
_OR_TEXT = {"txt": "", "jsonl": " or a JSON string", "lines": ", although it begins with a brace"}
