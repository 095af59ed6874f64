"""Makes the messages of a request from a row.

Contract: ``{name}`` stands for the column *name*, ``{{`` and ``}}`` for braces. Nothing else is evaluated. A text is a
row with the only column ``text``. Every refusal names the row, its own id if it has one, and the column, never its
content.

    template="Translate: {text}"                                  a message of the user
    template=[{"role": "system", "content": "Be brief."},
              {"role": "user", "content": "{question}"}]          messages
    columns=["question"]                                          the user's message is this column
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

import attrs

from gradient_async.errors import ConfigurationError, quote_argument
from gradient_async.models.map_result import find_own_id

Template = str | Sequence[Mapping[str, Any]]

FIELD = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
"""A doubled brace, a name in braces, or a brace that stands alone."""
_MAX_SHOWN = 100


@attrs.frozen
class RowTemplate:
    """A template for the messages of each row.

    Args:
        template: The text or messages with fields in braces.
        columns: The columns that may be used; None for all.
    """

    template: Template
    columns: Sequence[str] | None = None

    def build_messages(self, name: str, row: Any) -> list[Mapping[str, Any]]:
        """Return the messages for *row*; *name* describes the row in an error.

        Raises:
            ConfigurationError: A column is missing or empty, or the row has no columns.
        """
        if isinstance(row, str):
            row = {"text": row}
        if not isinstance(row, Mapping):
            raise ConfigurationError(f"{name} is of type {type(row).__name__}; a template needs a text or columns.")
        own_id = find_own_id(row)
        name = name if own_id is None else f"{name} (id {str(own_id)[:_MAX_SHOWN]!r})"
        fill = partial(FIELD.sub, partial(self._fill_field, name, row))
        if isinstance(self.template, str):
            return [{"role": "user", "content": fill(self.template)}]
        return [_fill_texts(message, fill) for message in self.template]

    def _fill_field(self, name: str, row: Mapping[str, Any], field: re.Match[str]) -> str:
        if field[0] in ("{{", "}}"):
            return field[0][0]
        column = field[1]
        is_allowed = self.columns is None or column in self.columns
        if column is None or column not in row or not is_allowed:
            usable = row if column not in row else self.columns or ()
            known = ", ".join(map(str, usable))[:_MAX_SHOWN]
            shown = f"{field[0][:_MAX_SHOWN]}"
            raise ConfigurationError(f"{name} has no column for {shown} of the template; it has: {known}. {_ADVICE}")
        value = row[column]
        if value is None or value == "" or value != value:
            raise ConfigurationError(f"{name} has nothing in the column {column!r}, which the template needs.")
        return str(value)


_ADVICE = "Double the braces that are not fields."


def build_row_template(template: Template | None, columns: Sequence[str] | None) -> RowTemplate | None:
    """Return the template for these arguments of ``map``, None if there are none.

    Raises:
        ConfigurationError: The template is neither a text nor messages, or there are several columns and no template.
    """
    if template is not None and (not template or not isinstance(template, str | Sequence)):
        got = quote_argument(template)
        raise ConfigurationError(f"template= must be a text or a list of messages with {{column}}s; got {got}.")
    if columns is not None and not _are_names(columns):
        raise ConfigurationError(f"columns= must be a list of names; got {quote_argument(columns)}.")
    if template is not None:
        return RowTemplate(template, columns)
    if columns is None:
        return None
    if len(columns) != 1:
        raise ConfigurationError("columns= without template= must be a list of one column, the user's message.")
    return RowTemplate("{" + columns[0] + "}", columns)


def _are_names(columns: object) -> bool:
    if isinstance(columns, str) or not isinstance(columns, Collection):
        return False
    return all(isinstance(column, str) for column in columns)


def _fill_texts(value: Any, fill: Any) -> Any:
    """Return *value* with every text inside it filled."""
    if isinstance(value, str):
        return fill(value)
    if isinstance(value, Mapping):
        return {name: item if name in ("role", "type") else _fill_texts(item, fill) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_fill_texts(item, fill) for item in value]
    return value
