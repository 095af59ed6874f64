"""Embeddings, from the emulator over real sockets."""

from __future__ import annotations

from typing import Any

import pytest

from gradient_async import (
    APITimeoutError,
    AsyncSession,
    BadRequestError,
    ConfigurationError,
    InternalServerError,
    RateLimits,
    ResponseDecodeError,
)
from gradient_async.testing import Emulator

MODEL = "qwen3-embedding-0.6b"
TEXTS = ["hello world", "goodbye world", "hello world"]


async def test_vectors_come_in_the_order_of_their_texts(gradient_session: AsyncSession) -> None:
    vectors = await gradient_session.embeddings.create(model=MODEL, input=iter(TEXTS))
    one, two, three = vectors
    assert [vector.index for vector in vectors] == [0, 1, 2]
    assert one.embedding == three.embedding != two.embedding
    assert len(vectors) == 3
    assert vectors.usage is not None
    assert (vectors.model, vectors.usage.prompt_tokens) == (MODEL, 6)


async def test_vectors_in_another_order_are_sorted_by_index(
    gradient_session: AsyncSession, gradient_emulator: Emulator
) -> None:
    data = [{"index": 1, "embedding": [1.0]}, {"index": 0, "embedding": [0.0]}]
    gradient_emulator.reply(body={"object": "list", "data": data}, path="/v1/embeddings")
    vectors = await gradient_session.embeddings.create(model=MODEL, input=["zero", "one"])
    assert [vector.embedding for vector in vectors] == [[0.0], [1.0]]


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (None, "$.data"),
        ([], "$.data"),
        ([{"embedding": [1.0]}, {"embedding": None}], "$.data[1].embedding"),
        ([{"embedding": ""}], "$.data[0].embedding"),
    ],
)
async def test_a_missing_vector_raises_a_decode_error(
    gradient_session: AsyncSession, gradient_emulator: Emulator, data: Any, path: str
) -> None:
    gradient_emulator.reply(body={"object": "list", "data": data}, path="/v1/embeddings")
    with pytest.raises(ResponseDecodeError, match="no vector") as caught:
        await gradient_session.embeddings.create(model=MODEL, input="a")
    assert caught.value.path == path


async def test_base64_encoding_gives_the_same_vectors(gradient_session: AsyncSession) -> None:
    create = gradient_session.embeddings.create
    floats = await create(model=MODEL, input="hello")
    packed = await create(model=MODEL, input="hello", encoding_format="base64")
    assert packed.data[0].embedding == pytest.approx(floats.data[0].embedding, abs=1e-6)


async def test_unset_parameters_are_not_sent_and_unknown_ones_are(
    gradient_session: AsyncSession, gradient_emulator: Emulator
) -> None:
    with pytest.raises(BadRequestError, match="dimensions is not allowed"):
        await gradient_session.embeddings.create(  # type: ignore[call-arg]  # a keyword that the schema lacks
            model=MODEL, input="a", user=None, dimensions=None, extra_body={"more": 1}, extra_headers={"X-Mine": "y"}
        )
    (request,) = gradient_emulator.requests
    assert request.json == {"model": MODEL, "input": "a", "dimensions": None, "more": 1}
    assert request.headers["X-Mine"] == "y"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"model": MODEL}, "input must be a list; got nothing"),
        ({"model": MODEL, "input": []}, "input is empty; give at least one text"),
        ({"model": MODEL, "input": ["a"] * 2049}, "input has 2049 texts"),
        ({"model": MODEL, "input": ["a", 1]}, r"input\[1\] must be a text; got int"),
        ({"model": MODEL, "input": b"a"}, "input must be a list; got bytes"),
        ({"model": MODEL, "input": {"a": 1}}, "input must be a list; got dict"),
        ({"input": "a"}, "model must be a text that is not empty"),
        ({"input": "a", "model": ""}, "model must be a text that is not empty"),
        ({"input": "a", "model": MODEL, "user": float("nan")}, "user is nan"),
        ({"input": "a", "model": MODEL, "user": object()}, "user is of type object, which JSON cannot carry"),
        ({"input": "a", "model": MODEL, "extra_headers": {"Authorization": "x"}}, "cannot set Authorization"),
    ],
)
async def test_invalid_parameters_are_not_sent(
    gradient_session: AsyncSession, gradient_emulator: Emulator, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        await gradient_session.embeddings.create(**params)
    assert gradient_emulator.requests == []


async def test_a_429_is_retried_and_a_500_is_not(gradient_session: AsyncSession, gradient_emulator: Emulator) -> None:
    gradient_emulator.fail(429, retry_after=0)
    vectors = await gradient_session.embeddings.create(model=MODEL, input="a")
    assert vectors.meta.attempts == 2
    gradient_emulator.fail(500)
    with pytest.raises(InternalServerError) as caught:
        await gradient_session.embeddings.create(model=MODEL, input="a")
    assert caught.value.attempts == 1


async def test_a_call_counts_at_the_limiter_and_times_out_there(gradient_emulator: Emulator) -> None:
    limits = RateLimits(per_minute=1, per_hour=10)
    async with AsyncSession("test", base_url=gradient_emulator.url, limits=limits) as session:
        await session.embeddings.create(model=MODEL, input="a")
        with pytest.raises(APITimeoutError) as caught:
            await session.embeddings.create(model=MODEL, input="a", timeout=0.05)
    assert caught.value.phase == "limiter"
