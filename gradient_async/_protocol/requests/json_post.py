"""Builds the POST request of a call from its parameters.

Contract: pure. Every refusal is a `ConfigurationError` before anything is sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gradient_async._protocol.codec.json_text import encode_jsonable
from gradient_async._protocol.codec.request_json import to_request_json
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.parameters import find_keys, require_mapping, require_text, without_unset
from gradient_async._protocol.requests.request import NO_HEADERS, Request

_BYTES_PER_TOKEN = 4
_LONG_BODY = 16_384
_FILES = (rb';base64,([^"]+)', rb'"data":"([A-Za-z0-9+/=]{1000,})')
"""Files in base64. Patterns that begin with a literal are searched 40 times faster than one with either beginning."""
_FILE_TOKENS = 1000
"""Model tokens of an image or another file in a prompt: a guess."""
_MOST_OUTPUT = 10**9
_USUAL_OUTPUT = 500
"""Tokens of a chat completion without a limit: a guess, which the limiter corrects by the usage of earlier ones."""

AS_GIVEN = frozenset({"extra_body", "extra_headers"})
"""The keys of `gradient_async.params.ExtraParams`, which `build_post` converts and checks itself."""


def build_post(path: str, body: dict[str, Any], *, stream: bool = False, timeouts: Timeouts) -> Request:
    """Build the POST of *body*, a dict of JSON values, and pop its ``extra_body`` and ``extra_headers``.

    ``extra_body`` goes into the body untouched, null included, and overrides the parameters. ``stream_options`` is left
    out of a request that is not a stream: the service refuses it there.

    Raises:
        ConfigurationError: A value has no JSON form, or a header cannot be set.
    """
    extra_body, headers = body.pop("extra_body", None), body.pop("extra_headers", None)
    if stream:
        body["stream"] = True
    else:
        body.pop("stream_options", None)
    if extra_body:
        body |= to_request_json("extra_body", require_mapping("extra_body", extra_body), keep_nulls=True)
    encoded, model = encode_jsonable(body), body.get("model") or body.get("model_id")
    # Estimate the tokens inline, because this runs for each request.
    prompt = len(encoded) // _BYTES_PER_TOKEN if len(encoded) < _LONG_BODY else _estimate_long_prompt(encoded)
    limit = body.get("max_tokens") or body.get("max_completion_tokens") or body.get("max_output_tokens")
    usual_output = _USUAL_OUTPUT if "messages" in body else 0
    return Request(
        method="POST",
        path=path,
        body=encoded,
        headers=_validate_headers(headers) if headers else NO_HEADERS,
        timeouts=timeouts,
        stream=stream,
        model=model if isinstance(model, str) else None,
        tokens=prompt + (limit if type(limit) is int and 0 < limit < _MOST_OUTPUT else usual_output),
    )


def _validate_headers(headers: Any) -> Mapping[str, str]:
    from gradient_async._protocol.http.headers import validate_headers  # most programs pass none

    return validate_headers(require_mapping("extra_headers", headers))


def estimate_tokens(encoded: bytes, limit: object, *, has_messages: bool) -> int:
    """Return the model tokens that `build_post` expects of a body: those of the prompt, and the *limit* of the output.

    Without a limit, chat completions count as usual ones.
    """
    prompt = len(encoded) // _BYTES_PER_TOKEN if len(encoded) < _LONG_BODY else _estimate_long_prompt(encoded)
    if type(limit) is int and 0 < limit < _MOST_OUTPUT:
        return prompt + limit
    return prompt + (_USUAL_OUTPUT if has_messages else 0)


def _estimate_long_prompt(encoded: bytes) -> int:
    """Return the model tokens of a long body, in which files in base64 do not count by their length."""
    files = [match.end(1) - match.start(1) for pattern in _FILES for match in re.finditer(pattern, encoded)]
    return (len(encoded) - sum(files)) // _BYTES_PER_TOKEN + len(files) * _FILE_TOKENS


class PostBuilder:
    """Builds the POST requests of an endpoint whose parameters are documented.

    Args:
        documented: The TypedDict of the parameters.
        keep_nulls: Parameters whose nulls inside are sent.
        **texts: An example of each parameter that must be a text.
    """

    def __init__(self, documented: Any, *, keep_nulls: Iterable[str] = (), **texts: str) -> None:
        self._known, self._texts = find_keys(documented), texts
        self._without_nulls = self._known.difference(keep_nulls)

    def read_params(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of a call without those that are unset.

        Raises:
            ConfigurationError: A text is missing.
        """
        body = without_unset(params, self._known)
        for name, example in self._texts.items():
            require_text(body, name, example)
        return body

    def build_request(self, path: str, body: Mapping[str, Any], *, stream: bool = False, timeouts: Timeouts) -> Request:
        """Build the POST of *body* to *path*, converting its values to their JSON form.

        Raises:
            ConfigurationError: A value has no JSON form, or a header cannot be set.
        """
        converted = {
            name: value
            if name in AS_GIVEN
            else to_request_json(name, value, keep_nulls=name not in self._without_nulls)
            for name, value in body.items()
        }
        return build_post(path, converted, stream=stream, timeouts=timeouts)
