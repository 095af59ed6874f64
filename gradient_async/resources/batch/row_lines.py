"""Rows as the lines of a batch: which sources have rows, and the request that each row becomes.

Contract: a row becomes what a single call with the same parameters would send. Texts and templates are messages of the
chat endpoint; the other endpoints carry them in their own way:

    endpoint                        the messages become
    /v1/chat/completions, others    messages
    /v1/messages (Anthropic)        system and messages
    /v1/responses                   input
    /v1/embeddings                  input: the text of the only message
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import attrs

from gradient_async._io.batch.input_file import InputFile
from gradient_async._io.batch.input_source import RowLines, Source
from gradient_async._io.sources.row_source import is_table
from gradient_async._protocol.batch.input_line import LineSchema
from gradient_async._protocol.http.body_reader import identity
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.chat import build_chat_request
from gradient_async._protocol.requests.embeddings import build_embeddings_request
from gradient_async._protocol.requests.messages_and_responses import build_message_request, build_response_request
from gradient_async._protocol.requests.request import Request
from gradient_async._protocol.sources.request_form import CHAT_FORM, INPUT_FORM, MESSAGES_FORM, RequestForm
from gradient_async._protocol.sources.row_template import Template, build_row_template
from gradient_async._protocol.sources.rows import detect_format
from gradient_async.models.batch import BatchRequest
from gradient_async.models.map_result import find_own_id
from gradient_async.resources.request_map import RequestMap

CHAT_ENDPOINT: Final = "/v1/chat/completions"


@attrs.frozen(kw_only=True)
class RowOptions:
    """How rows become requests.

    Attributes:
        template: The user's message or messages with fields in braces; None if rows bring theirs.
        columns: The columns that are used; None for all.
        params: Parameters of every request; a row's own override them. None if none were given.
    """

    template: Template | None = None
    columns: Sequence[str] | None = None
    params: Mapping[str, Any] | None = None

    def is_needed(self, source: Source) -> bool:
        """Whether *source* has rows: by its type or name, or because an option was given."""
        if isinstance(source, InputFile):
            return False
        given = (self.template, self.columns, self.params)
        if any(each is not None for each in given) or is_table(source):
            return True
        return isinstance(source, str | os.PathLike) and is_row_file(str(source))

    def build_lines(self, schema: LineSchema) -> RowLines:
        """Return the maker of lines.

        Raises:
            ConfigurationError: The columns need a template.
        """
        rows = build_row_template(self.template, self.columns)
        row_map = new_row_map(schema.endpoint, self.params or {}, rows)

        def encode(index: int, row: Any) -> bytes:
            own_id = row.custom_id if isinstance(row, BatchRequest) else find_own_id(row)
            body = row_map.build_request(index, row).body or b"{}"
            return schema.encode_body(f"request-{index}" if own_id is None else str(own_id), body)

        return RowLines(None if rows is None else rows.columns, encode)


def is_row_file(path: str) -> bool:
    """Whether the file at *path* has rows, by its name; JSON Lines are taken for the lines of a batch."""
    return detect_format(path) in ("txt", "csv", "tsv", "parquet")


def new_row_map(endpoint: str | None, params: Mapping[str, Any], template: Any) -> RequestMap[Any]:
    """Return the builder of the requests of rows for *endpoint*."""
    build, form = _FORMS.get(endpoint or "", _FORMS[CHAT_ENDPOINT])
    return RequestMap(params, template, build, _never_sent, str, identity, form)


def _build_embeddings(params: Mapping[str, Any]) -> Request:
    return build_embeddings_request(params, timeouts=Timeouts())


_FORMS: Mapping[str, tuple[Callable[[Mapping[str, Any]], Request], RequestForm]] = {
    CHAT_ENDPOINT: (partial(build_chat_request, CHAT_ENDPOINT, stream=False, timeouts=Timeouts()), CHAT_FORM),
    "/v1/messages": (partial(build_message_request, stream=False, timeouts=Timeouts()), MESSAGES_FORM),
    "/v1/responses": (partial(build_response_request, stream=False, timeouts=Timeouts()), INPUT_FORM),
    "/v1/embeddings": (_build_embeddings, INPUT_FORM),
}


async def _never_sent(*_: object) -> Any:
    raise AssertionError  # pragma: no cover - a batch sends no single request


def choose_rows(source: Source, options: RowOptions, schema: LineSchema) -> RowLines | None:
    """Return the maker of lines for *source*; None if it has lines or requests.

    Raises:
        ConfigurationError: The columns need a template.
    """
    return options.build_lines(schema) if options.is_needed(source) else None
