"""aioresponses, with the argument that aiohttp 3.14 added to its responses."""

import inspect
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import aiohttp
import pytest
from aioresponses import aioresponses


class _Response(aiohttp.ClientResponse):
    """A response with the stream writer that aioresponses does not pass."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "stream_writer" in inspect.signature(aiohttp.ClientResponse.__init__).parameters:
            kwargs.setdefault("stream_writer", Mock())
        super().__init__(*args, **kwargs)


class MockedResponses(aioresponses):
    """Scripted responses by URL; `add` takes the arguments of aioresponses' own."""

    def add(self, *args: Any, **kwargs: Any) -> None:
        super().add(*args, **{"response_class": _Response, **kwargs})


@pytest.fixture
def mocked_responses() -> Iterator[MockedResponses]:
    mocked = MockedResponses()
    with mocked:
        yield mocked
