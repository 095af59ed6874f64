"""Maps over files, rows and tables, from the emulator over real sockets."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from gradient_async import AsyncSession, ConfigurationError, MapResult
from gradient_async.testing import Emulator


async def collect_results(session: AsyncSession, source: Any, **options: Any) -> list[MapResult]:
    async with session.chat.completions.map(
        source, **{"model": "m", "ordered": True, "concurrency": 1, **options}
    ) as results:
        found = [result async for result in results]
        assert results.progress.total in (None, len(found))
    return found


def list_prompts(emulator: Emulator) -> list[str]:
    return [request.json["messages"][-1]["content"] for request in emulator.requests]


async def test_a_file_is_mapped_by_its_path(
    gradient_session: AsyncSession, gradient_emulator: Emulator, tmp_path: Path
) -> None:
    (tmp_path / "q.txt.gz").write_bytes(gzip.compress(b"One\n\nTwo\n"))
    results = await collect_results(gradient_session, tmp_path / "q.txt.gz")
    assert [result.request for result in results] == list_prompts(gradient_emulator) == ["One", "Two"]


async def test_a_bad_byte_is_an_error_before_anything_is_sent(
    gradient_session: AsyncSession, gradient_emulator: Emulator, tmp_path: Path
) -> None:
    (tmp_path / "q.txt").write_bytes(b"One\n" * 100 + "Straße\n".encode("latin-1"))
    with pytest.raises(ConfigurationError, match="line 101"):
        await collect_results(gradient_session, tmp_path / "q.txt")
    assert gradient_emulator.requests == []


async def test_rows_are_filled_into_a_template_and_keep_their_ids(
    gradient_session: AsyncSession, gradient_emulator: Emulator, tmp_path: Path
) -> None:
    (tmp_path / "q.csv").write_text("id,word,note\na,Haus,x\nb,,y\nc,Katze,z\n")
    results = await collect_results(gradient_session, tmp_path / "q.csv", template="Translate: {word}")
    assert list_prompts(gradient_emulator) == ["Translate: Haus", "Translate: Katze"]
    assert [result.id for result in results] == ["a", "b", "c"]
    assert [result.ok for result in results] == [True, False, True]
    assert "requests[1] (id 'b') has nothing in the column 'word'" in str(results[1].error)
    assert results[0].request == {"id": "a", "word": "Haus", "note": "x"}


async def test_a_column_is_the_message(gradient_session: AsyncSession, gradient_emulator: Emulator) -> None:
    await collect_results(gradient_session, [{"q": "What?", "n": 1}, {"q": "Why?", "n": 2}], columns=["q"])
    assert list_prompts(gradient_emulator) == ["What?", "Why?"]


async def test_rows_without_messages_are_refused_with_their_columns(
    gradient_session: AsyncSession, gradient_emulator: Emulator
) -> None:
    (result,) = await collect_results(gradient_session, [{"id": 7, "q": "What?"}])
    assert "requests[0] (id '7'): it has no messages but: q. Give a template" in str(result.error)
    assert gradient_emulator.requests == []


@pytest.mark.parametrize("value", [float("nan"), b"x", object()])
async def test_a_refused_value_names_row_id_and_field(value: Any, gradient_session: AsyncSession) -> None:
    row = {"id": "r5", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": value}
    (result,) = await collect_results(gradient_session, [row])
    assert str(result.error).startswith("requests[0] (id 'r5'): max_tokens is ")


async def test_lines_of_a_batch_are_mapped(gradient_session: AsyncSession, gradient_emulator: Emulator) -> None:
    body = {"model": "own", "messages": [{"role": "user", "content": "Hi"}]}
    line = {"custom_id": "r1", "method": "POST", "url": "/v1/chat/completions", "body": body}
    (result,) = await collect_results(gradient_session, [line])
    assert (result.ok, result.id) == (True, "r1")
    assert gradient_emulator.requests[0].json == body
