"""Retrieval from knowledge bases, from the emulator over real sockets, and which key goes to which host."""

from __future__ import annotations

from typing import Any

import pytest

from gradient_async import (
    AsyncSession,
    BadRequestError,
    ConfigurationError,
    InternalServerError,
    NotFoundError,
    RateLimits,
    ResponseDecodeError,
)
from gradient_async.testing import Emulator

KB = "479333ec-0000-4000-8000-000000000000"
PASSAGES = {KB: ["Refunds take five days.", "Trains leave at noon.", "Refunds for trains need a ticket."]}
VARIABLES = (
    *("MODEL_ACCESS_KEY", "DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN"),
    *("GRADIENT_KNOWLEDGE_BASE_ENDPOINT", "GRADIENT_KBASS_ENDPOINT", "GRADIENT_INFERENCE_ENDPOINT"),
)
HOST, OTHER = "https://kbaas.do-ai.run", "https://gateway.example"


@pytest.fixture(autouse=True)
def _clear_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


async def test_the_best_passages_come_first_with_their_source() -> None:
    async with (
        Emulator(knowledge_bases=PASSAGES) as gradient,
        AsyncSession("test", base_url=gradient.url) as session,
    ):
        found = await session.knowledge_bases.retrieve(
            KB,
            query="refunds for trains",
            num_results=2,
            alpha=0.5,
            reranking={"enabled": True},
            filters={"and_all": [{"field": "item_name", "operator": "equals", "value": "faq.pdf"}]},
        )
        with pytest.raises(NotFoundError):
            await session.knowledge_bases.retrieve("another", query="q")
    assert [passage.text_content for passage in found] == [PASSAGES[KB][2], PASSAGES[KB][0]]
    assert found.results[0].metadata["item_name"] == "document-2.txt"
    assert (len(found), found.total_results) == (2, 2)
    assert found.meta.request_id == gradient.requests[0].request_id
    assert gradient.requests[0].path == f"/v1/{KB}/retrieve"
    assert gradient.requests[0].json["filters"]["and_all"][0]["operator"] == "equals"


async def test_odd_fields_of_a_passage_are_kept(gradient_session: AsyncSession, gradient_emulator: Emulator) -> None:
    rows = [{"text_content": "a", "metadata": "none", "score": 0.5}, {"metadata": {"page_number": 3}}]
    gradient_emulator.reply(body={"results": rows, "total_results": "2"}, path="*/retrieve")
    one, two = await gradient_session.knowledge_bases.retrieve(KB, query="q")
    assert (one.text_content, one.metadata, one.extra) == ("a", {}, {"score": 0.5})
    assert (two.text_content, two.metadata) == ("", {"page_number": 3})
    gradient_emulator.reply(body={"results": [{"text_content": ["a"]}]}, path="*/retrieve")
    with pytest.raises(ResponseDecodeError, match="text_content"):
        await gradient_session.knowledge_bases.retrieve(KB, query="q")


async def test_a_500_is_not_sent_again_and_a_bad_value_is_the_services_refusal(
    gradient_session: AsyncSession, gradient_emulator: Emulator
) -> None:
    gradient_emulator.fail(500)
    with pytest.raises(InternalServerError) as caught:
        await gradient_session.knowledge_bases.retrieve(KB, query="q")
    assert caught.value.attempts == 1
    with pytest.raises(BadRequestError, match="alpha must be between 0 and 1"):
        await gradient_session.knowledge_bases.retrieve(KB, query="q", alpha=2.0)


async def test_the_id_is_one_segment_of_the_path(gradient_session: AsyncSession, gradient_emulator: Emulator) -> None:
    with pytest.raises(NotFoundError):
        await gradient_session.knowledge_bases.retrieve("../chat/completions?x=", query="q")
    with pytest.raises(ConfigurationError, match="knowledge_base_id must be the id of a knowledge base"):
        await gradient_session.knowledge_bases.retrieve("..", query="q")
    with pytest.raises(ConfigurationError, match="query must be a text that is not empty"):
        await gradient_session.knowledge_bases.retrieve(KB, query="")
    assert len(gradient_emulator.requests) == 1


TARGETS: list[tuple[dict[str, str], dict[str, Any], str, str]] = [
    # environment, arguments, address, key
    ({}, {"api_key": "dop_v1_a"}, HOST, "dop_v1_a"),
    ({"DIGITALOCEAN_TOKEN": "dop_v1_a"}, {}, HOST, "dop_v1_a"),
    ({"DIGITALOCEAN_TOKEN": "dop_v1_b"}, {"api_key": "dop_v1_a"}, HOST, "dop_v1_a"),
    ({"DIGITALOCEAN_TOKEN": "dop_v1_b"}, {"api_key": "sk-do-a"}, HOST, "dop_v1_b"),
    ({"MODEL_ACCESS_KEY": "sk-do-a", "DIGITALOCEAN_ACCESS_TOKEN": "doo_v1_b"}, {}, HOST, "doo_v1_b"),
    ({}, {"api_key": "unknown", "knowledge_base_token": "mine"}, HOST, "mine"),
    ({}, {"api_key": "unknown"}, HOST, "unknown"),
    ({"DIGITALOCEAN_TOKEN": "dop_v1_b"}, {"api_key": "unknown"}, HOST, "dop_v1_b"),
    ({}, {"api_key": "sk-do-a", "base_url": f"{OTHER}/team"}, f"{OTHER}/team", "sk-do-a"),
    ({"DIGITALOCEAN_TOKEN": "dop_v1_b"}, {"api_key": "sk-a", "base_url": OTHER}, OTHER, "sk-a"),
    ({}, {"api_key": "sk-a", "base_url": OTHER, "knowledge_base_token": "mine"}, OTHER, "mine"),
    ({"GRADIENT_KBASS_ENDPOINT": "kb.example/v1/"}, {"knowledge_base_token": "mine"}, "https://kb.example", "mine"),
]


@pytest.mark.parametrize(("environ", "arguments", "address", "key"), TARGETS)
async def test_which_key_goes_to_which_host(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], arguments: dict[str, Any], address: str, key: str
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    async with AsyncSession(**arguments) as session:
        target = session._parts.build_knowledge_base_target(session._options)
    assert (target.base_url, target.key) == (address, key)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"api_key": "sk-do-a"},
        {"api_key": "dop_v1_a", "knowledge_base_endpoint": "https://kb.example"},
        {"api_key": "sk-a", "base_url": OTHER, "knowledge_base_endpoint": HOST},
    ],
)
async def test_without_a_token_for_the_host_nothing_is_sent(arguments: dict[str, Any]) -> None:
    async with AsyncSession(**arguments) as session:
        with pytest.raises(ConfigurationError, match=r"GenAI:read.*knowledge_base_token=.*DIGITALOCEAN_ACCESS_TOKEN"):
            await session.knowledge_bases.retrieve(KB, query="q")


async def test_another_key_has_a_budget_of_its_own(gradient_emulator: Emulator) -> None:
    limits = RateLimits(per_minute=10, per_hour=100)
    async with AsyncSession("test", base_url=gradient_emulator.url, limits=limits) as session:
        await session.knowledge_bases.retrieve(KB, query="a")
        assert session.limits is not None
        assert session.limits.status().windows[0].used == 1  # the same key at the same address
    async with AsyncSession(
        "test", base_url=gradient_emulator.url, knowledge_base_token="other", limits=limits
    ) as session:
        await session.knowledge_bases.retrieve(KB, query="a")
        assert session.limits is not None
        assert session.limits.status().windows[0].used == 0
        assert gradient_emulator.requests[-1].headers["Authorization"] == "Bearer other"
