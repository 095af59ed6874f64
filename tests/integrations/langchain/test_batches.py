"""Batches of the chat model: what is still sent after a failure, or when the loop is left."""

from __future__ import annotations

from contextlib import aclosing

import pytest
from langchain_core.language_models import LanguageModelInput
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableConfig

from gradient_async import BadRequestError
from gradient_async.integrations.langchain import ChatGradient
from gradient_async.testing import Emulator

INPUTS: list[LanguageModelInput] = [f"Number {number}?" for number in range(9)]
TWO_AT_ONCE = RunnableConfig(max_concurrency=2)


async def count_sent(emulator: Emulator, model: ChatGradient) -> int:
    """Return how many of the inputs were sent after as many calls more, in which a batch would go on."""
    for _ in INPUTS:
        await model.ainvoke("Later")
    return sum("Number" in seen.json["messages"][0]["content"] for seen in emulator.requests)


async def test_a_batch_returns_messages_in_order(gradient_emulator: Emulator, model: ChatGradient) -> None:
    answers = await model.abatch([f"Number {number}?" for number in range(5)])
    asked = {seen.request_id: seen.json["messages"][0]["content"] for seen in gradient_emulator.requests}
    assert [asked[answer.response_metadata["request_id"]] for answer in answers] == [
        f"Number {number}?" for number in range(5)
    ]


async def test_a_batch_that_fails_sends_nothing_more(gradient_emulator: Emulator, model: ChatGradient) -> None:
    gradient_emulator.fail(400)
    with pytest.raises(BadRequestError):
        await model.abatch(INPUTS, TWO_AT_ONCE)
    assert await count_sent(gradient_emulator, model) < len(INPUTS)


async def test_a_chain_over_a_batch_that_fails_sends_nothing_more(
    gradient_emulator: Emulator, model: ChatGradient
) -> None:
    gradient_emulator.fail(400)
    chain = ChatPromptTemplate.from_template("{question}") | model.bind(top_p=0.5)
    with pytest.raises(BadRequestError):
        await chain.abatch([{"question": each} for each in INPUTS], TWO_AT_ONCE)
    assert await count_sent(gradient_emulator, model) < len(INPUTS)


async def test_a_batch_whose_loop_is_left_sends_nothing_more(gradient_emulator: Emulator, model: ChatGradient) -> None:
    async with aclosing(model.abatch_as_completed(INPUTS, TWO_AT_ONCE)) as completed:
        async for _ in completed:
            break
    assert await count_sent(gradient_emulator, model) < len(INPUTS)


async def test_a_batch_can_return_failures_in_the_place_of_messages(
    gradient_emulator: Emulator, model: ChatGradient
) -> None:
    gradient_emulator.fail(400)
    answers = await model.abatch(INPUTS, RunnableConfig(max_concurrency=1), return_exceptions=True)
    assert [isinstance(answer, BadRequestError) for answer in answers] == [True, *[False] * 8]


async def test_an_empty_batch_is_empty(model: ChatGradient) -> None:
    assert await model.abatch([]) == []
