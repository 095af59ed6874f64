"""The real SDKs of OpenAI and Anthropic through the gateway, and curl's way of speaking."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import pytest

from gradient_async import RateLimits, RetryPolicy
from tests.support.gateway import Bench, open_bench

M = "llama3.3-70b-instruct"
HI: list[Any] = [{"role": "user", "content": "Capital of Portugal?"}]


def open_openai(bench: Bench, **options: Any) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{bench.url}/v1", api_key="t-1", **options)


def open_anthropic(bench: Bench, **options: Any) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=bench.url, api_key="t-1", **options)


async def test_openai_gets_completions_streams_responses_and_vectors() -> None:
    async with open_bench(tokens=("t-1",)) as bench, open_openai(bench) as client:
        bench.emulator.reply("Lisbon")
        completion = await client.chat.completions.create(model=M, messages=HI)
        assert completion.choices[0].message.content == "Lisbon"
        bench.emulator.reply("Lisbon, of course")
        stream = await client.chat.completions.create(model=M, messages=HI, stream=True)
        assert (
            "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
            == "Lisbon, of course"
        )
        assert (await client.responses.create(model="openai-gpt-oss-20b", input="Hi")).output_text
        assert (await client.embeddings.create(model="gte-large", input="Hi")).data[0].embedding
        assert (await client.models.list()).data
        speech = await client.audio.speech.create(model="gpt-4o-mini-tts", input="Hi", voice="alloy")
        assert speech.content


async def test_anthropic_gets_messages_and_streams() -> None:
    async with open_bench(tokens=("t-1",)) as bench, open_anthropic(bench) as client:
        bench.emulator.reply("Lisbon", times=2)
        message = await client.messages.create(model=M, messages=HI, max_tokens=20)
        assert [block.text for block in message.content if block.type == "text"] == ["Lisbon"]
        async with client.messages.stream(model=M, messages=HI, max_tokens=20) as stream:
            assert "".join([text async for text in stream.text_stream]) == "Lisbon"
        status = await bench.get_json("/status.json", headers={"X-Api-Key": "t-1"})
        assert status["models"][0]["output_tokens"] == 2 * message.usage.output_tokens


async def test_the_sdks_raise_their_own_errors() -> None:
    async with open_bench(tokens=("t-2",)) as bench, open_openai(bench) as one, open_anthropic(bench) as other:
        with pytest.raises(openai.AuthenticationError, match="its own tokens"):
            await one.models.list()
        with pytest.raises(anthropic.AuthenticationError, match="its own tokens"):
            await other.messages.create(model=M, messages=HI, max_tokens=20)


async def test_the_sdks_do_not_send_again_what_may_have_been_processed() -> None:
    once = RetryPolicy(attempts=1)
    async with open_bench(retry=once) as bench, open_openai(bench) as one, open_anthropic(bench) as other:
        bench.emulator.fail(500, times=None)
        with pytest.raises(openai.InternalServerError):
            await one.chat.completions.create(model=M, messages=HI)
        with pytest.raises(anthropic.InternalServerError):
            await other.messages.create(model=M, messages=HI, max_tokens=20)
        assert len(bench.emulator.requests) == 2


async def test_the_sdks_learn_when_to_come_back() -> None:
    async with open_bench(limits=RateLimits(windows=[(1, 60.0)])) as bench, open_openai(bench, max_retries=0) as client:
        await client.chat.completions.create(model=M, messages=HI)
        with pytest.raises(openai.RateLimitError) as caught:
            await client.chat.completions.create(model=M, messages=HI, extra_headers={"X-Deadline": "1"})
        assert 30 <= int(caught.value.response.headers["retry-after"]) <= 61
