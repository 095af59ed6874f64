"""Readers of response bodies: from the bytes of a successful response to an object of one class.

Contract: pure; an error object with a success status is raised, never returned. Input that the fast reader rejects
falls back to the cattrs converter, which reports the path of the bad field; both build equal objects.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic, TypeVar

import attrs

from gradient_async._protocol.codec.converter import decode_json, structure
from gradient_async._protocol.codec.fast_reader import FAST_READ_ERRORS, FastReader
from gradient_async._protocol.http.error_body import find_error
from gradient_async.errors import ResponseDecodeError
from gradient_async.models._base import Model
from gradient_async.models.chat import ChatCompletion

M = TypeVar("M", bound=Model)


def identity(value: Any) -> Any:
    """Return *value*."""
    return value


@attrs.define(eq=False, repr=False, slots=False)  # a cached property needs a __dict__
class ResponseReader(Generic[M]):
    """Reads response bodies as objects of one class. Its decoder is built on first use, not at import.

    Attributes:
        cls: Class of the objects.
        required: Field without which a body is rejected.
        prepare: Transforms the decoded JSON for the converter.
    """

    cls: type[M]
    required: str
    prepare: Callable[[Any], Any] = identity

    def __call__(self, body: bytes) -> M:
        """Read *body*.

        Raises:
            APIStatusError: The body is an error object.
            ResponseDecodeError: The body is not JSON, lacks the required field, or does not fit the class.
        """
        try:
            return self._fast_reader(body)
        except FAST_READ_ERRORS:
            pass
        value = decode_json(body)
        if type(value) is dict:
            if error := find_error(value):
                raise error
            if self.required not in value:
                message = f"The service's response is not a {self.cls.__name__}: it has no {self.required}."
                raise ResponseDecodeError(message, path=f"$.{self.required}")
        return structure(self.prepare(value), self.cls)

    @cached_property
    def _fast_reader(self) -> FastReader[M]:
        return FastReader(self.cls, required=(self.required,))


read_completion = ResponseReader(ChatCompletion, "choices")
"""Reads the body of a chat completion."""
