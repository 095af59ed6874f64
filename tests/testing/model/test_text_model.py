"""The effect of sampling parameters on the default completions."""

from __future__ import annotations

from gradient_async.testing import Emulator
from tests.support.emulator_client import (
    EmulatorClient,
    NewClient,
)


async def test_the_same_request_has_the_same_completion(client: EmulatorClient) -> None:
    assert (await client.ask(seed=1)).content == (await client.ask(seed=1)).content


async def test_another_seed_gives_another_completion(client: EmulatorClient) -> None:
    assert (await client.ask(seed=1)).content != (await client.ask(seed=2)).content


async def test_another_emulator_seed_gives_another_completion(client: EmulatorClient, new_client: NewClient) -> None:
    async with Emulator(seed=7) as other:
        assert (await new_client(other).ask()).content != (await client.ask()).content


async def test_temperature_zero_ignores_the_seed(client: EmulatorClient) -> None:
    responses = {(await client.ask(temperature=0, seed=seed)).content for seed in range(5)}
    assert len(responses) == 1


async def test_a_small_top_p_is_close_to_temperature_zero(client: EmulatorClient) -> None:
    narrow = {(await client.ask(top_p=0.01, seed=seed)).content for seed in range(5)}
    wide = {(await client.ask(top_p=1, seed=seed)).content for seed in range(5)}
    assert len(narrow) < len(wide)


async def test_penalties_change_the_words(client: EmulatorClient) -> None:
    plain = await client.ask(temperature=0)
    penalised = await client.ask(temperature=0, frequency_penalty=2, presence_penalty=2)
    assert plain.content != penalised.content


async def test_max_tokens_truncates_with_finish_reason_length(client: EmulatorClient) -> None:
    body = (await client.ask(max_tokens=5)).json
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 5


async def test_the_smaller_of_both_token_limits_applies(client: EmulatorClient) -> None:
    body = (await client.ask(max_tokens=50, max_completion_tokens=3)).json
    assert body["usage"]["completion_tokens"] == 3


async def test_reasoning_counts_as_tokens(client: EmulatorClient) -> None:
    message = (await client.ask(max_tokens=4, reasoning_effort="low")).choice["message"]
    assert message["content"] == ""
    assert message["reasoning_content"] == "The user wants to"


async def test_a_stop_text_ends_the_completion_before_itself(client: EmulatorClient) -> None:
    choice = (await client.ask("What is the capital of France?", stop=["Paris"])).choice
    assert choice["message"]["content"] == "The capital of France is "
    assert choice["finish_reason"] == "stop"


async def test_the_completion_names_its_subject(client: EmulatorClient) -> None:
    assert "rolling windows" in (await client.ask("Please explain rolling windows to me")).content
