"""Jobs that the service runs apart from the request: the ids in their paths, and the bodies that describe them.

Contract: pure. An ``error`` that is an object, which upstream services send although the reference says text, becomes
text. A job that has failed is a result, not an error object.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar
from urllib.parse import quote

import attrs

from gradient_async._protocol.codec.converter import decode_json, encode_json, structure
from gradient_async._protocol.http.error_detection import find_error
from gradient_async._protocol.requests.parameters import describe_type
from gradient_async.errors import ConfigurationError, quote_argument
from gradient_async.models._base import Model

M = TypeVar("M", bound=Model)


def encode_id(name: str, value: object, noun: str) -> str:
    """Return an id as one segment of a path: percent-encoded, so that it cannot add a segment or a query.

    Args:
        name: Name of the argument.
        value: The id; any text, of any length.
        noun: What it is the id of, as ``"a video"``.

    Raises:
        ConfigurationError: It is empty, not a text, or would lead to another path.
    """
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{name} must be the id of {noun}; got {describe_type(value)}.")
    if value.strip() in ("", ".", ".."):
        raise ConfigurationError(f"{name} must be the id of {noun}; got {quote_argument(value)}.")
    return quote(value, safe="")


@attrs.frozen
class JobReader(Generic[M]):
    """Reads response bodies as the state of a job.

    Attributes:
        cls: The class of the job; it has a required ``status``.
    """

    cls: type[M]

    def __call__(self, body: bytes) -> M:
        """Read *body*.

        Raises:
            APIStatusError: The body is an error object.
            ResponseDecodeError: The body is not such a job.
        """
        value = decode_json(body)
        if type(value) is dict and type(value.get("status")) is not str and (error := find_error(value)):
            raise error
        return structure(_with_error_text(value), self.cls, raw=value)


def _with_error_text(value: Any) -> Any:
    """Return *value* with its ``error`` as text: the message of the error object, else its JSON."""
    error = value.get("error") if type(value) is dict else None
    if error is None or type(error) is str:
        return value
    message = error.get("message") if type(error) is dict else None
    return value | {"error": message if type(message) is str else encode_json(error).decode()}
