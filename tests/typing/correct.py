"""Use that must type-check, with the types it must have."""

from typing import assert_type

from gradient_async import (
    AsyncSession,
    ChatCompletion,
    ChatCompletionChunk,
    ChatStream,
    MapResult,
    Message,
    ModelList,
    Timeouts,
)
from gradient_async.params import MessageParam


async def use(session: AsyncSession) -> None:
    messages: list[MessageParam] = [{"role": "user", "content": "Hi"}]
    create = session.chat.completions.create

    assert_type(await create(model="m", messages=messages), ChatCompletion)
    assert_type(await create(model="m", messages=messages, stream=False), ChatCompletion)
    assert_type(await create(model="m", messages=messages, stream=True), ChatStream)
    completion = await create(model="m", messages=messages, temperature=None, timeout=Timeouts(total=None))
    conversation: list[MessageParam | Message] = [*messages, completion.message]
    await create(model="m", messages=conversation, stop=["a"], timeout=5, extra_body={"x": 1})

    async with session.chat.completions.stream(model="m", messages=messages) as stream:
        async for chunk in stream:
            assert_type(chunk, ChatCompletionChunk)
        assert_type(stream.snapshot, ChatCompletion)
    async for text in session.chat.completions.stream(model="m", messages=messages).text():
        assert_type(text, str)

    async with session.chat.completions.map([{"model": "m", "messages": messages}], ordered=True) as results:
        async for result in results:
            assert_type(result, MapResult)
            assert_type(result.completion, ChatCompletion | None)

    agent = session.agent("https://a.agents.do-ai.run", "key").chat.completions
    assert_type(await agent.create(messages=messages, k=3, include_retrieval_info=True), ChatCompletion)
    assert_type(await session.models.list(), ModelList)
