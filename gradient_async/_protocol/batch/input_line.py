"""What a line of a batch's input must be.

Contract: pure. A line that is right is recognised by one pass of a C decoder; only a line that is not is looked at
again, to say what is wrong with it. Neither looks into what the service checks better: names of models, sizes,
roles. No fault shows a prompt.

Source: OpenAI's batch input (``custom_id, method, url, body``) and Anthropic's message batches
(``custom_id, params``), as the batch inference reference names them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal, TypeGuard

import attrs
import msgspec

from gradient_async._protocol.batch.api import Provider
from gradient_async._protocol.codec.converter import decode_json, encode_json, shorten_text
from gradient_async.errors import ConfigurationError, ResponseDecodeError
from gradient_async.models.batch import BatchRequest

_SHOWN_CHARS = 100
_ANTHROPIC_ID = r"^[a-zA-Z0-9_-]{1,64}$"
_NAMES = {str: "a string", int: "an integer", list: "an array", dict: "an object"}
_KINDS = {type(None): "null", bool: "a boolean", float: "a number"} | _NAMES


class _Object(msgspec.Struct, gc=False):
    """Any object."""


_Text = Annotated[str, msgspec.Meta(min_length=1)]
_Items = Annotated[list[_Object], msgspec.Meta(min_length=1)]

_BODIES: dict[str | None, dict[str, type]] = {
    "/v1/chat/completions": {"model": str, "messages": list},
    "/v1/messages": {"model": str, "max_tokens": int, "messages": list},
    "/v1/embeddings": {"model": str, "input": object},
    "/v1/responses": {"model": str, "input": object},
}
_OTHER_BODY: dict[str, type] = {"model": str}
_QUICK: dict[type, Any] = {str: _Text, list: _Items, int: int, object: msgspec.Raw}


@attrs.frozen
class LineSchema:
    """The form of every line of one job.

    Attributes:
        endpoint: The ``url`` that every line of an OpenAI job must name; None for any.
    """

    provider: Provider
    endpoint: str | None
    custom_id: Callable[[bytes], Any] = attrs.field(init=False, repr=False)
    """Returns a struct with the ``custom_id`` of a line that is right; anything else raises."""

    def __attrs_post_init__(self) -> None:
        if self.provider not in ("openai", "anthropic"):
            raise ConfigurationError(f"provider is {self.provider!r}: give 'openai' or 'anthropic'.")
        line = msgspec.defstruct("Line", self._quick_fields(), gc=False)
        object.__setattr__(self, "custom_id", msgspec.json.Decoder(line).decode)

    def faults(self, line: bytes) -> list[str]:
        """Return what is wrong with *line*, each as ``missing required field 'custom_id'``; [] if nothing is."""
        try:
            value = json.loads(line.decode(), parse_constant=_no_constant)
        except UnicodeDecodeError as error:
            return [f"not valid UTF-8 at byte {error.start + 1}"]
        except json.JSONDecodeError as error:
            return [f"not valid JSON: {error.msg.lower()} at column {error.colno}"]
        except ValueError as error:
            return [f"not valid JSON: {error}"]
        except RecursionError:
            return ["not usable JSON: it is nested too deeply"]
        if type(value) is not dict:
            return [f"the line must be an object, not {_kind(value)}"]
        return list(self._field_faults(value))

    def encode_line(self, request: BatchRequest | Mapping[str, Any]) -> bytes:
        """Return the line, with its LF, for a request or for a dict that is one or is the line itself.

        Raises:
            ConfigurationError: It is neither, or has no JSON form.
        """
        if isinstance(request, BatchRequest):
            request = {"custom_id": request.custom_id, "body": request.body}
        if not isinstance(request, Mapping):
            raise ConfigurationError(
                f"A batch is made of BatchRequest(custom_id, body) or dicts like that; got {type(request).__name__}."
            )
        return encode_json(self._completed(request)) + b"\n"

    @property
    def _holder(self) -> str:
        return "body" if self.provider == "openai" else "params"

    @property
    def _body(self) -> dict[str, type]:
        endpoint = self.endpoint if self.provider == "openai" else "/v1/messages"
        return _BODIES.get(endpoint, _OTHER_BODY)

    def _completed(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add what the form of the line wants and the caller did not have to say."""
        if self.provider == "anthropic":
            if "params" in request or "body" not in request:
                return request
            return {"params" if name == "body" else name: value for name, value in request.items()}
        return {"method": "POST", **({"url": self.endpoint} if self.endpoint else {}), **request}

    def _quick_fields(self) -> list[tuple[str, Any]]:
        body = msgspec.defstruct("Body", [(name, _QUICK[kind]) for name, kind in self._body.items()], gc=False)
        if self.provider == "anthropic":
            return [("custom_id", Annotated[str, msgspec.Meta(pattern=_ANTHROPIC_ID)]), ("params", body)]
        url = Literal[self.endpoint] if self.endpoint else _Text
        return [("custom_id", _Text), ("method", Literal["POST"]), ("url", url), ("body", body)]

    def _field_faults(self, line: dict[str, Any]) -> Iterator[str]:
        yield from _fault(line, "custom_id", str)
        if self.provider == "openai":
            yield from _fault(line, "method", str)
            yield from _fault(line, "url", str)
            yield from self._address_faults(line)
        elif _is_text(custom_id := line.get("custom_id")) and not re.match(_ANTHROPIC_ID, custom_id):
            yield "field 'custom_id' must be 1 to 64 of a-z, A-Z, 0-9, _ and -"
        yield from _fault(line, self._holder, dict)
        if type(body := line.get(self._holder)) is dict:
            for name, kind in self._body.items():
                yield from _fault(body, name, kind, f"{self._holder}.")

    def _address_faults(self, line: dict[str, Any]) -> Iterator[str]:
        method, url = line.get("method"), line.get("url")
        if _is_text(method) and method != "POST":
            yield f"field 'method' must be 'POST', not {shorten_text(method, _SHOWN_CHARS)!r}"
        if self.endpoint and _is_text(url) and url != self.endpoint:
            yield f"field 'url' is {shorten_text(url, _SHOWN_CHARS)!r}, but the job's endpoint is {self.endpoint!r}"


class _Id(msgspec.Struct, gc=False):
    custom_id: str


_read_id = msgspec.json.Decoder(_Id).decode


def read_custom_id(line: bytes) -> str | None:
    """Return the ``custom_id`` of any line, of an input or of results; None if it has none."""
    try:
        return _read_id(line).custom_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        value = decode_json(line)
    except ResponseDecodeError:
        return None
    custom_id = value.get("custom_id") if type(value) is dict else None
    return custom_id if type(custom_id) is str else None


def read_url(line: bytes) -> str | None:
    """Return the ``url`` of a line of an input; None if it has none."""
    value = decode_json(line)
    url = value.get("url") if type(value) is dict else None
    return url if type(url) is str else None


def _fault(holder: dict[str, Any], name: str, kind: type, prefix: str = "") -> Iterator[str]:
    """Yield the one fault of a field: absent, of another type, or empty."""
    value = holder.get(name)
    if name not in holder:
        yield f"missing required field '{prefix}{name}'"
    elif kind is not object and type(value) is not kind:
        yield f"field '{prefix}{name}' must be {_NAMES[kind]}, not {_kind(value)}"
    elif kind in (str, list) and not value:
        yield f"field '{prefix}{name}' is empty"
    elif kind is list and any(type(item) is not dict for item in value or ()):
        yield f"field '{prefix}{name}' must hold objects only"


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value != ""


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "something else")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")
