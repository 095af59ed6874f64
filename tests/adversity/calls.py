"""The calls of the adversity suite, each with a number of its own that its answer has to repeat.

Contract: a call returns if its result is complete and its own, raises `Mismatch` if it is not, and otherwise an error
of the client.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from gradient_async import AsyncSession, GradientError, Poll
from gradient_async.testing.endpoints.embeddings import embeddings_body
from gradient_async.testing.recorded_request import RecordedRequest

MODEL = "openai-gpt-oss-20b"
ROWS = 4
"""Rows of a map and of a batch; so many numbers belong to each call."""
_NUMBER = re.compile(rb"number (\d{9})\.")


class MismatchError(AssertionError):
    """A call succeeded with a part of its result, or with another's."""


def build_prompt(number: int) -> str:
    """Return the prompt of the call with this *number*; the emulator's model solves the sum in batches."""
    return f"Tell me {number} + 1, number {number}."


def build_answer(number: int) -> str:
    """Return the emulator's answer to the prompt of *number*, in live calls."""
    return " ".join([str(number), *(f"word{place}-{number % 97}" for place in range(number % 40))])


def build_batch_answer(number: int) -> str:
    """Return the emulator's answer to the prompt of *number*, in batches."""
    return f"{number} + 1 is {number + 1}."


def find_numbers(body: bytes) -> list[int]:
    """Return the numbers of the prompts in *body*."""
    return [int(found) for found in _NUMBER.findall(body)]


def answer_prompt(request: RecordedRequest) -> str | None:
    """Return the answer to a request that generates content; a handler for `Emulator.on_request`."""
    numbers = find_numbers(request.body) if request.generates else []
    return build_answer(numbers[-1]) if numbers else None


def compare(got: object, expected: object) -> None:
    """Raise `MismatchError` unless both are equal."""
    if got != expected:
        raise MismatchError(f"expected {str(expected)[:200]!r}, got {str(got)[:200]!r}")


@attrs.frozen
class Call:
    """A kind of call.

    Attributes:
        run: Makes the call with the given number, and those behind it if it needs several. Returns the errors of single
            requests by their number.
        steps: How many requests the call may make one after the other, each with a time limit of its own.
    """

    run: Callable[[AsyncSession, int], Awaitable[dict[int, GradientError] | None]]
    steps: int = 1


def chat_params(number: int) -> dict[str, Any]:
    """Return the parameters of a chat completion."""
    return {"model": MODEL, "messages": [{"role": "user", "content": build_prompt(number)}]}


async def create_chat(session: AsyncSession, number: int) -> None:
    completion = await session.chat.completions.create(**chat_params(number))
    compare(completion.text, build_answer(number))


async def stream_chat(session: AsyncSession, number: int) -> None:
    texts = []
    async with session.chat.completions.stream(**chat_params(number)) as stream:
        async for chunk in stream:
            texts.append(chunk.text)
        compare((stream.outcome, stream.snapshot.text), ("done", build_answer(number)))
    compare("".join(texts), build_answer(number))


async def stream_text(session: AsyncSession, number: int) -> None:
    texts = [text async for text in session.chat.completions.stream(**chat_params(number)).text()]
    compare("".join(texts), build_answer(number))


async def create_message(session: AsyncSession, number: int) -> None:
    reply = await session.messages.create(**chat_params(number), max_tokens=9999)
    compare(reply.text, build_answer(number))


async def stream_message(session: AsyncSession, number: int) -> None:
    async with session.messages.stream(**chat_params(number), max_tokens=9999) as stream:
        texts = [text async for text in stream.text()]
        compare(stream.snapshot.text, build_answer(number))
    compare("".join(texts), build_answer(number))


async def create_response(session: AsyncSession, number: int) -> None:
    response = await session.responses.create(model=MODEL, input=build_prompt(number))
    compare(response.text, build_answer(number))


async def stream_response(session: AsyncSession, number: int) -> None:
    async with session.responses.stream(model=MODEL, input=build_prompt(number)) as stream:
        texts = [text async for text in stream.text()]
        compare(stream.snapshot.text, build_answer(number))
    compare("".join(texts), build_answer(number))


async def embed_texts(session: AsyncSession, number: int) -> None:
    texts = [build_prompt(number), build_prompt(number + 1)]
    vectors = await session.embeddings.create(model=MODEL, input=texts)
    compare([vector.embedding for vector in vectors], embed_prompts([number, number + 1]))


def embed_prompts(numbers: list[int]) -> list[Any]:
    """Return the emulator's vectors of the prompts of *numbers*."""
    body = embeddings_body({"model": MODEL, "input": [build_prompt(number) for number in numbers]})
    return [item["embedding"] for item in body["data"]]


async def map_chats(session: AsyncSession, number: int) -> dict[int, GradientError]:
    numbers = [number + row for row in range(ROWS)]
    async with session.chat.completions.map(map(chat_params, numbers), concurrency=2, stop_after=None) as results:
        items = [item async for item in results]
    compare(sorted(item.index for item in items), list(range(ROWS)))
    for item in items:
        compare(item.text, build_answer(numbers[item.index]) if item.ok else "")
    return {numbers[item.index]: item.error for item in items if item.error is not None}


async def run_batch(session: AsyncSession, number: int, timeout: float = 2.0) -> None:
    numbers = [number + row for row in range(ROWS)]
    rows = [{"custom_id": str(each), "body": chat_params(each)} for each in numbers]
    poll = Poll(first=0.005, longest=0.02)
    job = await session.batches.run(rows, poll=poll, timeout=timeout, file_name=f"{number}.jsonl")
    lines = {line.custom_id: line.text async for line in job.results()}
    compare(lines, {str(each): build_batch_answer(each) for each in numbers})


CALLS = {
    "chat": Call(create_chat),
    "chat stream": Call(stream_chat),
    "chat text": Call(stream_text),
    "message": Call(create_message),
    "message stream": Call(stream_message),
    "response": Call(create_response),
    "response stream": Call(stream_response),
    "embeddings": Call(embed_texts),
    "map": Call(map_chats, steps=ROWS),
    "batch": Call(run_batch, steps=10),
}
