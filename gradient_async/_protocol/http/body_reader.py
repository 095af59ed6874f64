"""The body of a success, as the class that the call returns.

Contract: an error object with a success status is raised, never returned. What the form of the class refuses is for the
converter, and the two agree on every field.
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


@attrs.define(eq=False, repr=False, slots=False)  # a cached property needs a dict
class ResponseReader(Generic[M]):
    """Reads bodies as one class; what decodes them is made when the first one arrives.

    Attributes:
        cls: The class.
        required: The field without which it is no such answer.
        prepare: Makes the converter's input of the JSON value.
    """

    cls: type[M]
    required: str
    prepare: Callable[[Any], Any] = identity

    def __call__(self, body: bytes) -> M:
        """Return the answer in *body*.

        Raises:
            APIStatusError: It is an error object.
            ResponseDecodeError: It is no such answer.
        """
        try:
            return self._fast_reader(body)
        except FAST_READ_ERRORS:
            pass
        value = decode_json(body)
        if type(value) is dict:
            self._check(value)
        return structure(self.prepare(value), self.cls)

    def _check(self, value: dict[str, Any]) -> None:
        if error := find_error(value):
            raise error
        if self.required not in value:
            message = f"The service sent something that is no {self.cls.__name__}: it has no {self.required}."
            raise ResponseDecodeError(message, path=f"$.{self.required}")

    @cached_property
    def _fast_reader(self) -> FastReader[M]:
        return FastReader(self.cls, required=(self.required,))


read_completion = ResponseReader(ChatCompletion, "choices")
"""Returns the completion in the body of a successful answer."""
