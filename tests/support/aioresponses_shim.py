"""aioresponses, with the argument that aiohttp 3.14 added to its responses."""

import inspect
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import aiohttp
import pytest
from aioresponses import aioresponses


class _Response(aiohttp.ClientResponse):
    """A response that is made without the stream writer aioresponses does not pass."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "stream_writer" in inspect.signature(aiohttp.ClientResponse.__init__).parameters:
            kwargs.setdefault("stream_writer", Mock())
        super().__init__(*args, **kwargs)


class Answers(aioresponses):
    """Answers every request by URL; `add` takes what aioresponses' own does."""

    def add(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]
        super().add(*args, **{"response_class": _Response, **kwargs})


@pytest.fixture
def answers() -> Iterator[Answers]:
    with Answers() as answers:
        yield answers
