"""A map with a checkpoint: each request is answered once, whatever happens in between."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gradient_async import (
    AsyncSession,
    BadRequestError,
    CheckpointError,
    ConfigurationError,
    MapResult,
    RetryPolicy,
)
from gradient_async._io.batch.threads import write_all
from gradient_async.testing import Emulator
from tests.support.raw_server import read_request, run_raw_server

TEXTS = [f"Question {number}" for number in range(12)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "answers.ckpt"


def open_session(emulator: Emulator) -> AsyncSession:
    return AsyncSession("test", base_url=emulator.url, limits=None, retry=RetryPolicy(attempts=1))


async def run_map(
    emulator: Emulator, requests: Any, path: Path, *, stop_at: int = 0, **options: Any
) -> list[MapResult]:
    """Map *requests*; leave the block after *stop_at* results."""
    found: list[MapResult] = []
    async with (
        open_session(emulator) as session,
        session.chat.completions.map(
            requests, checkpoint=path, **{"model": "m", "concurrency": 2, **options}
        ) as results,
    ):
        async for result in results:
            found.append(result)
            if len(found) == stop_at:
                break
    return found


def read_lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def write_lines(path: Path, *lines: bytes) -> None:
    path.write_bytes(b"".join(lines))


def cut_end(path: Path, lost: int) -> None:
    os.truncate(path, path.stat().st_size - lost)


def list_prompts(emulator: Emulator) -> Counter[str]:
    return Counter(request.json["messages"][-1]["content"] for request in emulator.requests)


async def test_a_second_run_asks_only_for_what_has_no_answer(gradient_emulator: Emulator, path: Path) -> None:
    first = await run_map(gradient_emulator, TEXTS, path, stop_at=5)
    second = await run_map(gradient_emulator, TEXTS, path, ordered=True)
    assert [result.index for result in second] == list(range(12))
    restored = {result.index: result.text for result in second if result.restored}
    assert restored.items() >= {result.index: result.text for result in first}.items()
    prompts = list_prompts(gradient_emulator)
    assert all(prompts[TEXTS[result.index]] == 1 for result in first)
    assert not any(result.restored for result in first)


async def test_a_finished_map_is_read_from_the_file_alone(gradient_emulator: Emulator, path: Path) -> None:
    first = await run_map(gradient_emulator, TEXTS, path, ordered=True)
    second = await run_map(gradient_emulator, iter(TEXTS), path, ordered=True)
    assert len(gradient_emulator.requests) == 12
    assert [result.completion for result in first] == [result.completion for result in second]
    assert all(result.restored and result.ok for result in second)


async def test_only_changed_items_are_asked_wherever_they_are(gradient_emulator: Emulator, path: Path) -> None:
    await run_map(gradient_emulator, TEXTS, path)
    changed = ["A new first one", *reversed(TEXTS[3:]), "Question 0, changed"]
    results = await run_map(gradient_emulator, changed, path, ordered=True)
    assert [result.index for result in results if not result.restored] == [0, len(changed) - 1]
    assert [result.request for result in results] == changed


@pytest.mark.parametrize("change", [{"model": "other"}, {"temperature": 0.5}, {"max_tokens": 9}])
async def test_a_changed_shared_parameter_makes_new_requests(
    gradient_emulator: Emulator, path: Path, change: dict[str, Any]
) -> None:
    await run_map(gradient_emulator, TEXTS[:2], path)
    assert not any(result.restored for result in await run_map(gradient_emulator, TEXTS[:2], path, **change))


async def test_the_same_request_twice_has_two_answers(gradient_emulator: Emulator, path: Path) -> None:
    await run_map(gradient_emulator, ["Roll a die."] * 3, path)
    results = await run_map(gradient_emulator, ["Roll a die."] * 4, path)
    assert sorted(result.restored for result in results) == [False, True, True, True]
    assert len(gradient_emulator.requests) == 4


async def test_a_failed_request_is_asked_again(gradient_emulator: Emulator, path: Path) -> None:
    gradient_emulator.fail(status=400, times=1)
    assert sum(result.ok for result in await run_map(gradient_emulator, TEXTS, path)) == 11
    assert all(result.ok for result in await run_map(gradient_emulator, TEXTS, path))
    assert len(gradient_emulator.requests) == 13


@pytest.mark.parametrize("lost", [1, 10, 200])
async def test_a_torn_last_line_is_asked_again(gradient_emulator: Emulator, path: Path, lost: int) -> None:
    await run_map(gradient_emulator, TEXTS, path)
    cut_end(path, lost)
    results = await run_map(gradient_emulator, TEXTS, path)
    assert sum(not result.restored for result in results) == 1
    assert all(result.restored for result in await run_map(gradient_emulator, TEXTS, path))


@pytest.mark.parametrize("cut", [0, 1, 30])
async def test_a_torn_header_is_written_again(gradient_emulator: Emulator, path: Path, cut: int) -> None:
    await run_map(gradient_emulator, [], path)
    os.truncate(path, cut)
    assert len(await run_map(gradient_emulator, TEXTS, path)) == 12
    assert all(result.restored for result in await run_map(gradient_emulator, TEXTS, path))


@pytest.mark.parametrize(
    "damage", [b"\0" * 40, b"{", b"\xff\xfe", b'{"request":"00000000000000000000000000000000","result":{}}']
)
async def test_a_damaged_line_in_the_middle_costs_only_its_item(
    gradient_emulator: Emulator, path: Path, damage: bytes
) -> None:
    await run_map(gradient_emulator, TEXTS, path)
    header, _, *others = read_lines(path)
    write_lines(path, header, damage + b"\n", *others)
    results = await run_map(gradient_emulator, TEXTS, path)
    assert sum(not result.restored for result in results) == 1


async def test_a_result_that_no_longer_decodes_is_asked_again(gradient_emulator: Emulator, path: Path) -> None:
    await run_map(gradient_emulator, TEXTS[:2], path)
    header, first, second = read_lines(path)
    write_lines(path, header, first[: first.index(b'"result":') + 9] + b"[]}\n", second)
    assert sorted(result.restored for result in await run_map(gradient_emulator, TEXTS[:2], path)) == [False, True]


@pytest.mark.parametrize(
    "content", [b"What is the capital of Portugal?\n", b'{"kind":"begin"}\n', b"{}", b"a" * 10_000]
)
async def test_a_file_that_is_not_a_checkpoint_is_left_alone(
    gradient_emulator: Emulator, path: Path, content: bytes
) -> None:
    write_lines(path, content)
    with pytest.raises(ConfigurationError, match=r"answers\.ckpt' is not a checkpoint"):
        await run_map(gradient_emulator, TEXTS, path)
    assert b"".join(read_lines(path)) == content
    assert gradient_emulator.requests == []


async def test_a_checkpoint_in_a_missing_folder_names_it(gradient_emulator: Emulator, path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"gone/answers\.ckpt' cannot be opened: No such file"):
        await run_map(gradient_emulator, TEXTS, path.parent / "gone" / path.name)


@pytest.mark.skipif(os.name == "nt", reason="no file locks")
async def test_two_maps_cannot_share_a_checkpoint(gradient_emulator: Emulator, path: Path) -> None:
    async with (
        open_session(gradient_emulator) as session,
        session.chat.completions.map(TEXTS, checkpoint=path, model="m"),
    ):
        with pytest.raises(ConfigurationError, match="in use by another process"):
            await run_map(gradient_emulator, TEXTS, path)


async def test_a_full_disk_ends_the_map_with_the_file_and_loses_no_result(
    gradient_emulator: Emulator, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = [0]

    def write_half(target: Any, data: bytes) -> None:
        written[0] += 1
        if written[0] <= 3:
            write_all(target, data)
            return
        write_all(target, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("gradient_async._io.map.checkpoint_file.write_all", write_half)
    found: list[MapResult] = []
    async with open_session(gradient_emulator) as session:
        with pytest.raises(CheckpointError, match=r"answers\.ckpt' cannot be written: No space left on device"):
            async with session.chat.completions.map(TEXTS, checkpoint=path, model="m", concurrency=1) as results:
                async for result in results:
                    found.append(result)
    assert len(found) == len(gradient_emulator.requests)
    assert len(found) < 12
    monkeypatch.undo()
    results_again = await run_map(gradient_emulator, TEXTS, path)
    assert sum(result.restored for result in results_again) == 2


async def test_a_result_is_in_the_file_before_it_is_handed_out(gradient_emulator: Emulator, path: Path) -> None:
    async with (
        open_session(gradient_emulator) as session,
        session.chat.completions.map(TEXTS, checkpoint=path, model="m") as results,
    ):
        count = 0
        async for result in results:
            count += 1
            stored = [json.loads(line)["result"] for line in read_lines(path)[1:]]
            assert result.completion is not None
            assert result.completion.raw in stored
    assert count == 12


async def test_a_restored_completion_has_the_json_that_arrived(gradient_emulator: Emulator, path: Path) -> None:
    arrived, restored = [await run_map(gradient_emulator, TEXTS, path, ordered=True) for _ in range(2)]
    assert [result.restored for result in arrived + restored] == 12 * [False] + 12 * [True]
    raws = [[result.completion.raw for result in results if result.completion] for results in (arrived, restored)]
    assert raws[0] == raws[1]


async def test_a_body_of_several_lines_takes_one_line_of_the_file(path: Path) -> None:
    body = b'{\n "choices": [{"message": {"content": "Lisbon\\nand\\u2028Porto"}}],\n "note": 1.0\n}'

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async with run_raw_server(serve) as address:
        for is_restored in (False, True):
            async with (
                AsyncSession("test", base_url=f"http://{address}", limits=None) as session,
                session.chat.completions.map(["Where?"], model="m", checkpoint=path) as results,
            ):
                (result,) = [result async for result in results]
            assert (result.text, result.restored) == ("Lisbon\nand\u2028Porto", is_restored)
            assert result.completion is not None
            assert result.completion.extra == {"note": 1.0}
    assert len(read_lines(path)) == 2


async def test_agents_at_other_addresses_have_other_answers(gradient_emulator: Emulator, path: Path) -> None:
    async with Emulator() as other, open_session(gradient_emulator) as session:
        for emulator in (gradient_emulator, other, gradient_emulator):
            agent = session.agent(emulator.agent_url, "agent-key")
            async with agent.chat.completions.map(["Hello"], checkpoint=path) as results:
                assert [result.ok async for result in results] == [True]
        assert (len(gradient_emulator.requests), len(other.requests)) == (1, 1)


async def test_a_refused_key_keeps_what_was_answered(gradient_emulator: Emulator, path: Path) -> None:
    gradient_emulator.reply("Yes", times=3)
    gradient_emulator.fail(status=401, times=1)
    with pytest.raises(Exception, match="401"):
        await run_map(gradient_emulator, TEXTS, path, concurrency=1)
    assert sum(result.restored for result in await run_map(gradient_emulator, TEXTS, path)) == 3


async def test_a_lone_surrogate_in_an_answer_survives_the_file(gradient_emulator: Emulator, path: Path) -> None:
    gradient_emulator.reply("half a smile: \ud83d")
    (first,) = await run_map(gradient_emulator, ["Smile"], path)
    (second,) = await run_map(gradient_emulator, ["Smile"], path)
    assert second.restored
    assert first.text == second.text


async def test_a_status_error_is_not_an_answer(gradient_emulator: Emulator, path: Path) -> None:
    gradient_emulator.fail(status=400, times=None)
    results = await run_map(gradient_emulator, TEXTS, path)
    assert all(isinstance(result.error, BadRequestError) for result in results)
    assert len(read_lines(path)) == 1
