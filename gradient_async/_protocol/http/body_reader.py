"""Readers of response bodies: from the bytes of a successful response to an object of one class.

Contract: pure; an error object with a success status is raised, never returned. Input that the fast reader rejects
falls back to the cattrs converter, which reports the path of the bad field; both build equal objects.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic, TypeVar

from gradient_async._protocol.codec.converter import decode_json, structure
from gradient_async._protocol.codec.fast_reader import FAST_READ_ERRORS, FastReader
from gradient_async._protocol.http.error_detection import find_completion_error, find_error, is_failure
from gradient_async.errors import APIStatusError, ResponseDecodeError
from gradient_async.models._base import Model
from gradient_async.models.chat import ChatCompletion

M = TypeVar("M", bound=Model)


def identity(value: Any) -> Any:
    """Return *value*."""
    return value


class ResponseReader(Generic[M]):
    """Reads response bodies as objects of one class. Its decoder is built on first use, not at import.

    Attributes:
        cls: Class of the objects.
        required: Field without which a body is rejected.
        prepare: Transforms the decoded JSON for the converter.
        find_error: Returns the error that decoded JSON stands for, None if it is a result.
        absent: Fields with which a body may be an error.
        may_be_error: Whether a result may stand for an error, which `find_error` then decides; None if none may that
            has the required field and no ``error``.
    """

    def __init__(
        self,
        cls: type[M],
        required: str,
        prepare: Callable[[Any], Any] = identity,
        *,
        find_error: Callable[[Any], APIStatusError | None] = find_error,
        absent: tuple[str, ...] = (),
        may_be_error: Callable[[M], bool] | None = None,
    ) -> None:
        self.cls = cls
        self.required = required
        self.prepare = prepare
        self.find_error = find_error
        self.absent = absent
        self.may_be_error = may_be_error

    def __call__(self, body: bytes) -> M:
        """Read *body*.

        Raises:
            APIStatusError: The body is an error object. Parts of a result beside it are in ``snapshot``.
            ResponseDecodeError: The body is not JSON, lacks the required field, or does not fit the class.
        """
        try:
            result = self._fast_reader(body)
            if self.may_be_error is None or not self.may_be_error(result):
                return result
        except FAST_READ_ERRORS:
            pass
        value = decode_json(body)
        if error := self.find_error(value):
            error.snapshot = self._read_parts(value)
            raise error
        if type(value) is dict and self.required not in value:
            message = f"The service's response is not a {self.cls.__name__}: it has no {self.required}."
            raise ResponseDecodeError(message, path=f"$.{self.required}")
        return structure(self.prepare(value), self.cls)

    def _read_parts(self, value: Any) -> Any:
        """Return the result beside an error, None if there is none or it does not decode."""
        try:
            return structure(self.prepare(value), self.cls) if value.get(self.required) else None
        except (AttributeError, ResponseDecodeError):
            return None

    @cached_property
    def _fast_reader(self) -> FastReader[M]:
        return FastReader(self.cls, required=(self.required,), absent=self.absent)


def _may_be_error(completion: ChatCompletion) -> bool:
    """Whether an object without an error is one by its name or a finish reason. Hot: a loop costs no generator."""
    for choice in completion.choices:
        if is_failure(choice.finish_reason):
            return True
    return completion.object == "error"


read_completion = ResponseReader(
    ChatCompletion, "choices", find_error=find_completion_error, absent=("type",), may_be_error=_may_be_error
)
"""Reads the body of a chat completion."""
