"""Requests as input lines."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import msgspec
import pytest
from pydantic import BaseModel, ConfigDict

from gradient_async import BatchRequest, ConfigurationError
from gradient_async._protocol.batch.input_line import LineSchema
from tests.support.batches import CHAT, body, line

BODY = body()


class BodyModel(BaseModel):
    model_config = ConfigDict(extra="allow")

    model: str
    messages: list[dict[str, str]]
    temperature: float | None = None


class RequestModel(BaseModel):
    custom_id: str
    body: BodyModel


class RequestStruct(msgspec.Struct):
    custom_id: str
    body: dict[str, Any]


OPENAI = LineSchema("openai", CHAT)
ANTHROPIC = LineSchema("anthropic", "/v1/messages")


@pytest.mark.parametrize(
    ("schema", "request_", "expected"),
    [
        (OPENAI, BatchRequest("a", BODY), line()),
        (OPENAI, {"custom_id": "a", "body": BODY}, line()),
        (OPENAI, RequestModel(custom_id="a", body=BodyModel.model_validate(BODY)), line()),
        (OPENAI, BatchRequest("a", BodyModel.model_validate(BODY)), line()),  # type: ignore[arg-type]  # as objects may be
        (OPENAI, RequestStruct("a", BODY), line()),
        (
            ANTHROPIC,
            RequestModel(custom_id="a", body=BodyModel.model_validate(BODY)),
            {"custom_id": "a", "params": BODY},
        ),
        (OPENAI, line(url="/other"), line(url="/other")),
        (ANTHROPIC, BatchRequest("a", BODY), {"custom_id": "a", "params": BODY}),
        (ANTHROPIC, {"custom_id": "a", "params": BODY}, {"custom_id": "a", "params": BODY}),
    ],
)
def test_requests_are_encoded_as_lines(schema: LineSchema, request_: Any, expected: Any) -> None:
    written = schema.encode_line(request_)
    assert written.endswith(b"\n")
    assert json.loads(written) == expected


@attrs.define
class Row:
    custom_id: str
    body: dict[str, Any]
    note: str | None = None


def test_a_request_may_be_an_object_with_fields() -> None:
    row: Any = Row("a", BODY)
    assert json.loads(OPENAI.encode_line(row)) == line()


@pytest.mark.parametrize(("schema", "name"), [(OPENAI, "body"), (ANTHROPIC, "params")])
def test_what_is_none_is_left_out_of_a_line(schema: LineSchema, name: str) -> None:
    message = {"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": None}], "name": None}
    written = schema.encode_line(BatchRequest("a", {"model": "m", "messages": [message], "temperature": None}))
    assert json.loads(written)[name] == {
        "model": "m",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
    }


@pytest.mark.parametrize("value", [b"a", math.nan, math.inf, Decimal(1), {1}, datetime.now(UTC), object(), [b"a"]])
def test_a_value_without_a_json_form_is_refused_with_id_and_path(value: Any) -> None:
    for request in (
        BatchRequest("r7", body(seed=value)),
        line("r7", body=body(seed=value)),
        Row("r7", body(seed=value)),
    ):
        with pytest.raises(ConfigurationError, match=r"^Request 'r7': body\.seed(\[0\])? is "):
            OPENAI.encode_line(request)  # type: ignore[arg-type]  # objects are for those without type checkers
    with pytest.raises(ConfigurationError, match=r"^body\.seed"):
        OPENAI.encode_line({"body": {"seed": value}})


def test_a_request_that_contains_itself_is_refused() -> None:
    fields: dict[str, Any] = body()
    fields["metadata"] = fields
    with pytest.raises(ConfigurationError, match=r"^Request 'r7': body\.metadata.* contains itself"):
        OPENAI.encode_line(BatchRequest("r7", fields))


STREAM_FAULT = "field 'body.stream' is for streams; the results of a batch are whole"


@pytest.mark.parametrize(
    ("fields", "faults"),
    [
        ({}, []),
        ({"stream": False, "stream_options": None}, []),
        ({"stream": None}, []),
        ({"stream": True}, [STREAM_FAULT]),
        ({"stream": "yes"}, [STREAM_FAULT]),
        ({"stream_options": {}}, [STREAM_FAULT.replace("stream'", "stream_options'")]),
        (
            {"stream": True, "stream_options": {"a": 1}},
            [STREAM_FAULT, STREAM_FAULT.replace("stream'", "stream_options'")],
        ),
    ],
)
def test_a_stream_in_a_batch_is_a_fault(fields: dict[str, Any], faults: list[str]) -> None:
    written = json.dumps(line(body=body(**fields))).encode()
    assert OPENAI.find_faults(written) == faults
    if any(value is not None for value in fields.values()):  # the fast path leaves it to the slow one
        with pytest.raises(msgspec.ValidationError):
            OPENAI.decode_id(written)


@pytest.mark.parametrize("wrong", ["text", 5, None, ["a"]])
def test_a_value_that_is_not_a_request_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="BatchRequest"):
        OPENAI.encode_line(wrong)


def test_an_unknown_provider_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'openai' or 'anthropic'"):
        LineSchema("cohere", None)  # type: ignore[arg-type]
