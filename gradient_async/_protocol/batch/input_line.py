"""The form of one line of a batch's input, and the check of a line against it.

Contract: pure. Fast path: one pass of a msgspec decoder accepts a valid line. Only a rejected line is parsed again
with `json` to name its faults. Model names, roles and sizes are left to the service. No fault quotes a prompt.

Source: OpenAI's batch input (``custom_id, method, url, body``) and Anthropic's message batches
(``custom_id, params``), as named by the batch inference reference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal, TypeGuard

import attrs
import msgspec

from gradient_async._protocol.batch.api_requests import Provider
from gradient_async._protocol.codec.json_text import decode_json, encode_jsonable, shorten_text
from gradient_async._protocol.codec.request_json import to_request_json
from gradient_async.errors import ConfigurationError, ResponseDecodeError, quote_argument
from gradient_async.models.batch import BatchRequest

_SHOWN_CHARS = 100
_ROWS_ADVICE = "For texts and rows pass params={'model': ...}, and a template or columns."
_ANTHROPIC_ID = r"^[a-zA-Z0-9_-]{1,64}$"
_EXPECTED_TYPES = {str: "a string", int: "an integer", list: "an array", dict: "an object"}
_FOUND_TYPES = {type(None): "null", bool: "a boolean", float: "a number"} | _EXPECTED_TYPES


class _Object(msgspec.Struct, gc=False):
    """Any JSON object."""


_Text = Annotated[str, msgspec.Meta(min_length=1)]
_Objects = Annotated[list[_Object], msgspec.Meta(min_length=1)]

_BODY_FIELDS: dict[str | None, dict[str, type]] = {
    "/v1/chat/completions": {"model": str, "messages": list},
    "/v1/messages": {"model": str, "max_tokens": int, "messages": list},
    "/v1/embeddings": {"model": str, "input": object},
    "/v1/responses": {"model": str, "input": object},
}
"""The required fields of a request body, by endpoint."""

_DEFAULT_BODY_FIELDS: dict[str, type] = {"model": str}
_FORBIDDEN_BODY_FIELDS: Mapping[str, Callable[[object], bool]] = {
    "stream": lambda value: value not in (None, False),
    "stream_options": lambda value: value is not None,
}
"""Fields that no request of a batch may have, with the test for a value that sets them: results are whole."""

_FAST_TYPES: dict[type, Any] = {str: _Text, list: _Objects, int: int, object: msgspec.Raw}


@attrs.frozen
class LineSchema:
    """The form of every line of one job.

    Attributes:
        endpoint: The ``url`` that every line of an OpenAI job must have; None accepts any.

    Raises:
        ConfigurationError: The provider is unknown.
    """

    provider: Provider
    endpoint: str | None
    decode_id: Callable[[bytes], Any] = attrs.field(init=False, repr=False)
    """Fast path: decode a valid line to a struct with its ``custom_id``; raise for any other line."""

    def __attrs_post_init__(self) -> None:
        if self.provider not in ("openai", "anthropic"):
            raise ConfigurationError(f"provider is {quote_argument(self.provider)}: give 'openai' or 'anthropic'.")
        line = msgspec.defstruct("Line", self._fast_fields(), gc=False)
        object.__setattr__(self, "decode_id", msgspec.json.Decoder(line).decode)

    def find_faults(self, line: bytes) -> list[str]:
        """Return the faults of *line*, each as ``missing required field 'custom_id'``; an empty list if valid."""
        try:
            value = json.loads(line.decode(), parse_constant=_reject_constant)
        except UnicodeDecodeError as error:
            return [f"not valid UTF-8 at byte {error.start + 1}"]
        except json.JSONDecodeError as error:
            return [f"not valid JSON: {error.msg.lower()} at column {error.colno}"]
        except ValueError as error:
            return [f"not valid JSON: {error}"]
        except RecursionError:
            return ["not usable JSON: it is nested too deeply"]
        if type(value) is not dict:
            return [f"the line must be an object, not {_describe_type(value)}"]
        return list(self._find_field_faults(value))

    def encode_line(self, request: BatchRequest | Mapping[str, Any], index: int | None = None) -> bytes:
        """Return the line of a request, with its LF. Fields that are None are left out, as in a single call.

        Args:
            request: A `BatchRequest`, a dict or an object with its fields, or the line itself as a dict.
            index: The position among the requests, for errors.

        Raises:
            ConfigurationError: *request* is none of these, or a value has no JSON form; the error names its
                position, ``custom_id`` and path.
        """
        line = _convert_request(request, index)
        if type(line) is not dict:
            place = "" if index is None else f"requests[{index}]: "
            raise ConfigurationError(
                f"{place}A batch consists of BatchRequest(custom_id, body) or equivalent dicts; "
                f"got {type(request).__name__}. {_ROWS_ADVICE}"
            )
        return encode_jsonable(self._fill_line(line)) + b"\n"

    def encode_body(self, custom_id: str, body: bytes) -> bytes:
        """Return the line of a request with the encoded *body*, with its LF."""
        head = encode_jsonable(self._fill_line({"custom_id": custom_id}))
        return b'%s,"%s":%s}\n' % (head.removesuffix(b"}"), self._body_name.encode(), body)

    @property
    def _body_name(self) -> str:
        return "body" if self.provider == "openai" else "params"

    @property
    def _body_fields(self) -> dict[str, type]:
        endpoint = self.endpoint if self.provider == "openai" else "/v1/messages"
        return _BODY_FIELDS.get(endpoint, _DEFAULT_BODY_FIELDS)

    def _fill_line(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add ``method`` and ``url`` to an OpenAI line; rename ``body`` to ``params`` in an Anthropic line."""
        if self.provider == "anthropic":
            if "params" in request or "body" not in request:
                return request
            return {"params" if name == "body" else name: value for name, value in request.items()}
        return {"method": "POST", **({"url": self.endpoint} if self.endpoint else {}), **request}

    def _fast_fields(self) -> list[tuple[str, Any]]:
        fields: list[Any] = [(name, _FAST_TYPES[kind]) for name, kind in self._body_fields.items()]
        fields += [(name, None, None) for name in _FORBIDDEN_BODY_FIELDS]
        body = msgspec.defstruct("Body", fields, gc=False)
        if self.provider == "anthropic":
            return [("custom_id", Annotated[str, msgspec.Meta(pattern=_ANTHROPIC_ID)]), ("params", body)]
        url = Literal[self.endpoint] if self.endpoint else _Text
        return [("custom_id", _Text), ("method", Literal["POST"]), ("url", url), ("body", body)]

    def _find_field_faults(self, line: dict[str, Any]) -> Iterator[str]:
        yield from _check_field(line, "custom_id", str)
        if self.provider == "openai":
            yield from _check_field(line, "method", str)
            yield from _check_field(line, "url", str)
            yield from self._check_method_and_url(line)
        elif _is_nonempty_text(custom_id := line.get("custom_id")) and not re.match(_ANTHROPIC_ID, custom_id):
            yield "field 'custom_id' must be 1 to 64 of a-z, A-Z, 0-9, _ and -"
        yield from _check_field(line, self._body_name, dict)
        if type(body := line.get(self._body_name)) is dict:
            for name, expected in self._body_fields.items():
                yield from _check_field(body, name, expected, f"{self._body_name}.")
            for name, is_set in _FORBIDDEN_BODY_FIELDS.items():
                if is_set(body.get(name)):
                    yield f"field '{self._body_name}.{name}' is for streams; the results of a batch are whole"

    def _check_method_and_url(self, line: dict[str, Any]) -> Iterator[str]:
        method, url = line.get("method"), line.get("url")
        if _is_nonempty_text(method) and method != "POST":
            yield f"field 'method' must be 'POST', not {shorten_text(method, _SHOWN_CHARS)!r}"
        if self.endpoint and _is_nonempty_text(url) and url != self.endpoint:
            yield f"field 'url' is {shorten_text(url, _SHOWN_CHARS)!r}, but the job's endpoint is {self.endpoint!r}"


class _IdOnly(msgspec.Struct, gc=False):
    custom_id: str


_decode_id = msgspec.json.Decoder(_IdOnly).decode


def read_custom_id(line: bytes) -> str | None:
    """Return the ``custom_id`` of an input line or a result line; None if it has none."""
    try:
        return _decode_id(line).custom_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        value = decode_json(line)
    except ResponseDecodeError:
        return None
    custom_id = value.get("custom_id") if type(value) is dict else None
    return custom_id if type(custom_id) is str else None


def _convert_request(request: object, index: int | None) -> Any:
    """Return *request* as JSON has it; the error for a value without a JSON form names the request."""
    try:
        return to_request_json("", request)
    except ConfigurationError as error:
        problem = str(error)
    custom_id = request.get("custom_id") if isinstance(request, Mapping) else getattr(request, "custom_id", None)
    shown = repr(shorten_text(custom_id, _SHOWN_CHARS)) if _is_nonempty_text(custom_id) else ""
    if index is not None:
        raise ConfigurationError(f"requests[{index}]{f' (id {shown})' if shown else ''}: {problem}")
    raise ConfigurationError(f"Request {shown}: {problem}" if shown else problem)


def read_url(line: bytes) -> str | None:
    """Return the ``url`` of an input line; None if it has none.

    Raises:
        ResponseDecodeError: The line is not JSON.
    """
    value = decode_json(line)
    url = value.get("url") if type(value) is dict else None
    return url if type(url) is str else None


def _check_field(fields: dict[str, Any], name: str, expected: type, prefix: str = "") -> Iterator[str]:
    """Yield at most one fault of a field: missing, of another type, empty, or with items that are not objects."""
    value = fields.get(name)
    if name not in fields:
        yield f"missing required field '{prefix}{name}'"
    elif expected is not object and type(value) is not expected:
        yield f"field '{prefix}{name}' must be {_EXPECTED_TYPES[expected]}, not {_describe_type(value)}"
    elif expected in (str, list) and not value:
        yield f"field '{prefix}{name}' is empty"
    elif expected is list and any(type(item) is not dict for item in value or ()):
        yield f"field '{prefix}{name}' must hold objects only"


def _is_nonempty_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value != ""


def _describe_type(value: object) -> str:
    return _FOUND_TYPES.get(type(value), "something else")


def _reject_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")
