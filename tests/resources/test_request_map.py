"""Many messages and responses, over a real socket; more of the rules of maps are in `chat/test_map.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
from pydantic import BaseModel

from gradient_async import (
    AsyncSession,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    MapProgress,
    MapResult,
    MessageReply,
    ResponseReply,
)
from gradient_async.testing import Emulator
from tests.support.dialects import API, CHAT, MESSAGES, QUESTION, RESPONSES, both_apis, every_api

TEXTS = ["What is the capital of Portugal?", "What is the capital of Italy?", "What is 2 + 3?"]
ANSWERS = ["The capital of Portugal is Lisbon.", "The capital of Italy is Rome.", "2 + 3 is 5."]


async def collect(session: AsyncSession, api: API, requests: Any, **options: Any) -> list[MapResult[Any]]:
    options = {"ordered": True, **api.params, **options}
    async with api.find_resource(session).map(requests, **options) as results:
        return [result async for result in results]


@both_apis
async def test_texts_are_answered_in_order(
    api: API, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    results = await collect(gradient_session, api, TEXTS)
    assert [result.text for result in results] == ANSWERS
    assert all(isinstance(r.completion, MessageReply if api is MESSAGES else ResponseReply) for r in results)
    assert all(r.timings is r.completion.meta.timings for r in results if r.completion)
    assert {request.path for request in gradient_emulator.requests} == {api.path}
    sent = [request.json[api.conversation] for request in gradient_emulator.requests]
    wanted: list[Any] = [text if api is RESPONSES else [{"role": "user", "content": text}] for text in TEXTS]
    assert sorted(map(str, sent)) == sorted(map(str, wanted))


class Row(BaseModel):
    id: int
    messages: list[dict[str, str]] | None = None
    input: list[dict[str, str]] | None = None
    temperature: float | None = None


class StructRow(msgspec.Struct, omit_defaults=True):
    custom_id: str
    messages: list[dict[str, str]] | None = None
    input: list[dict[str, str]] | None = None


@attrs.define
class Question:
    id: str
    country: str


@every_api
async def test_requests_may_be_objects_of_any_library(
    api: API, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    conversation = {api.conversation: QUESTION}
    requests = [Row(id=7, temperature=0.5, **conversation), StructRow("s", **conversation)]
    results = await collect(gradient_session, api, requests, concurrency=1)
    assert [(result.id, result.ok) for result in results] == [(7, True), ("s", True)]
    assert [result.request for result in results] == requests
    bodies = [request.json for request in gradient_emulator.requests]
    assert [body.get("temperature") for body in bodies] == [0.5, None]
    assert not {"id", "custom_id"} & (bodies[0].keys() | bodies[1].keys())


@every_api
async def test_a_template_is_filled_with_the_fields_of_objects(
    api: API, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    results = await collect(
        gradient_session,
        api,
        [Question("q", "Portugal"), {"country": "Italy"}],
        template="What is the capital of {country}?",
        concurrency=1,
    )
    assert [result.text for result in results] == ANSWERS[:2]
    assert results[0].id == "q"


@both_apis
async def test_instructions_of_a_template_go_where_the_api_has_them(
    api: API, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    template = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "{text}"}]
    await collect(gradient_session, api, TEXTS[:1], template=template)
    body = gradient_emulator.requests[0].json
    turn = {"role": "user", "content": TEXTS[0]}
    if api is MESSAGES:
        assert (body["system"], body["messages"]) == ("Be brief.", [turn])
    else:
        assert body["input"] == [{"role": "system", "content": "Be brief."}, turn]


@both_apis
async def test_the_line_of_a_batch_is_a_request(api: API, gradient_session: AsyncSession) -> None:
    body = api.add_question()
    line = {"custom_id": "a", "params": body} if api is MESSAGES else {"custom_id": "a", "url": api.path, "body": body}
    (result,) = await collect(gradient_session, api, [line])
    assert (result.id, result.ok) == ("a", True)


@both_apis
async def test_a_request_that_fails_is_a_result(
    api: API, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.fail(status=400, times=1)
    failed, *others = await collect(gradient_session, api, TEXTS, concurrency=1)
    assert isinstance(failed.error, BadRequestError)
    assert (failed.ok, failed.text) == (False, "")
    assert [result.text for result in others] == ANSWERS[1:]


@both_apis
async def test_a_refused_key_ends_the_map(
    api: API, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.fail(status=401)
    with pytest.raises(AuthenticationError):
        await collect(gradient_session, api, TEXTS * 9, concurrency=1)
    assert len(gradient_emulator.requests) == 1


@every_api
async def test_a_missing_key_ends_the_map_before_any_item(api: API, gradient_emulator: Emulator) -> None:
    async with AsyncSession(base_url=gradient_emulator.url) as session:
        async with api.find_resource(session).map(TEXTS, **api.params) as results:
            with pytest.raises(ConfigurationError, match="needs a model access key"):
                await anext(results)
        assert results.progress.failed == 0
    assert gradient_emulator.requests == []


async def test_a_missing_address_ends_the_map_of_an_agent_with_a_checkpoint(tmp_path: Path) -> None:
    async with AsyncSession() as session:
        agent = session.agent()
        async with agent.chat.completions.map(TEXTS, checkpoint=tmp_path / "agent.ckpt") as results:
            with pytest.raises(ConfigurationError, match="An agent has an address of its own"):
                await anext(results)


@both_apis
async def test_a_checkpoint_is_resumed(
    api: API, gradient_emulator: Emulator, gradient_session: AsyncSession, tmp_path: Path
) -> None:
    path = tmp_path / "answers.ckpt"
    first = await collect(gradient_session, api, TEXTS[:2], checkpoint=path)
    again = await collect(gradient_session, api, TEXTS, checkpoint=path)
    assert [(result.text, result.restored) for result in again] == [
        (ANSWERS[0], True), (ANSWERS[1], True), (ANSWERS[2], False)
    ]  # fmt: skip
    assert [result.completion for result in again[:2]] == [result.completion for result in first]
    assert len(gradient_emulator.requests) == 3


async def test_a_checkpoint_of_another_api_is_refused(gradient_session: AsyncSession, tmp_path: Path) -> None:
    path = tmp_path / "answers.ckpt"
    await collect(gradient_session, MESSAGES, TEXTS[:1], checkpoint=path)
    for api in (RESPONSES, CHAT):
        with pytest.raises(ConfigurationError, match="holds results of another kind"):
            await collect(gradient_session, api, TEXTS[:1], checkpoint=path)


@both_apis
async def test_progress_counts_tokens_and_stop_ends_the_map(
    api: API, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    seen: list[MapProgress] = []
    found: list[str] = []
    async with api.find_resource(gradient_session).map(
        TEXTS * 20, concurrency=1, on_progress=seen.append, **api.params
    ) as results:
        assert len(results) == 60
        async for result in results:
            found.append(result.text)
            results.stop()
    assert 1 <= len(found) == len(gradient_emulator.requests) < 60
    assert seen[-1].done == len(found)
    assert seen[-1].tokens > 0


@both_apis
@pytest.mark.parametrize(
    ("request_", "advice"),
    [
        ("", r"requests\[0\] is an empty text"),
        ({"question": "Hi"}, r"requests\[0\]: it has no \w+ but: question\. Give a template"),
        (7, r"requests\[0\] must be a dict of parameters; got int"),
        ({"custom_id": "x", "stream": True}, r"requests\[0\] \(id 'x'\): stream=True is for create"),
    ],
)
async def test_a_request_that_cannot_be_sent_is_a_result(
    api: API, request_: Any, advice: str, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    (result,) = await collect(gradient_session, api, [request_])
    assert isinstance(result.error, ConfigurationError)
    with pytest.raises(ConfigurationError, match=advice):
        raise result.error
    assert gradient_emulator.requests == []


async def test_a_message_without_a_limit_of_tokens_is_not_sent(gradient_session: AsyncSession) -> None:
    (result,) = await collect(gradient_session, MESSAGES, TEXTS[:1], max_tokens=None)
    assert "max_tokens must be a whole number" in str(result.error)


@both_apis
async def test_the_conversation_cannot_be_shared(api: API, gradient_session: AsyncSession) -> None:
    with pytest.raises(ConfigurationError, match=f"{api.conversation} belong to each request"):
        await collect(gradient_session, api, TEXTS, **{api.conversation: QUESTION})
