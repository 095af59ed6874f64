"""Requests to any path of a host, with the limiter, retries, errors and metadata of every call."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.parameters import describe_type
from gradient_async._protocol.requests.raw import FormPart, RawBody, build_raw_request, encode_form, resolve_path
from gradient_async._protocol.requests.raw_results import cast_reply, read_raw_reply
from gradient_async.errors import ConfigurationError, quote_argument
from gradient_async.resources.base import StreamingResource

if TYPE_CHECKING:
    from gradient_async._io.stream.raw_stream import RawStream

_FORM_VALUE = "text, bytes, a path, an open file, or a tuple of file name, content and maybe type"


async def send_raw(
    host: StreamingResource,
    method: str,
    path: str,
    *,
    cast_to: Any = None,
    stream: bool = False,
    timeout: float | Timeouts | None = None,
    json: Any = None,
    data: Any = None,
    params: Any = None,
    headers: Any = None,
) -> Any:
    """Send a request to *host* and return its response, cast to a class, or the opened stream.

    Raises:
        ConfigurationError: The request cannot be sent.
        GradientError: As for every call.
    """
    target = host._target()
    if stream and cast_to is not None:
        raise ConfigurationError("cast_to is for whole responses; the events of a stream have text, in their data.")
    request = build_raw_request(
        method,
        resolve_path(path, target.base_url, params),
        json=json,
        body=None if data is None else await _read_body(data),
        headers=headers,
        stream=stream,
        timeouts=host._timeouts.override_with(timeout),
    )
    if stream:
        from gradient_async._io.stream.raw_stream import RawStream

        opened: RawStream = host._new_stream(RawStream, request)
        await opened.open()
        return opened
    reply = await host._pipeline.send_and_decode_typed(request, target, read_raw_reply)
    return reply if cast_to is None else cast_reply(reply, cast_to)


async def _read_body(data: Any) -> RawBody:
    """Return the body that *data* is: bytes as they are, or the fields of a form."""
    if isinstance(data, bytes | bytearray | memoryview):
        return RawBody(content=bytes(data), content_type="application/octet-stream")
    if not isinstance(data, Mapping):
        raise ConfigurationError(f"data must be bytes, or a dict of the fields of a form; got {describe_type(data)}.")
    fields = [
        (str(name), value)
        for name, values in data.items()
        for value in (
            values if isinstance(values, Sequence) and not isinstance(values, str | bytes | tuple) else [values]
        )
    ]
    parts = [await _read_part(name, value) for name, value in fields]
    return encode_form(parts, secrets.token_hex(16))


async def _read_part(name: str, value: Any) -> FormPart:
    if isinstance(value, tuple):
        return await _read_named_file(name, *value)
    if isinstance(value, str | int | float):
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return FormPart(name=name, content=text.encode())
    return FormPart(name=name, content=await _read_content(name, value), filename=_find_name(value) or name)


async def _read_named_file(name: str, *file: Any) -> FormPart:
    filename, content, *types = file if len(file) in (2, 3) else (None, None)
    if not isinstance(filename, str):
        raise ConfigurationError(f"data: {quote_argument(name)} must be {_FORM_VALUE}.")
    data = content.encode() if isinstance(content, str) else await _read_content(name, content)
    part = FormPart(name=name, content=data, filename=filename)
    return attrs.evolve(part, content_type=str(types[0])) if types else part


async def _read_content(name: str, value: Any) -> bytes:
    """Return the bytes of a file; reading one that is on disk does not block the event loop."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    try:
        content = await asyncio.to_thread(_read_file, value)
    except OSError as error:
        raise ConfigurationError(
            f"data: the file of {quote_argument(name)} cannot be read: {error.strerror}."
        ) from None
    if isinstance(content, bytes):
        return content
    raise ConfigurationError(f"data: {quote_argument(name)} must be {_FORM_VALUE}; got {describe_type(value)}.")


def _read_file(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return Path(value).read_bytes()
    return value.read() if hasattr(value, "read") else None


def _find_name(value: Any) -> str:
    """Return the name of a file on disk, ``""`` for bytes."""
    path = value if isinstance(value, os.PathLike) else getattr(value, "name", "")
    return Path(path).name if isinstance(path, str | os.PathLike) else ""
