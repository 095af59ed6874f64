"""The examples in the docstrings of jobs run as they are."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gradient_async import AsyncSession, BatchJob
from gradient_async.resources.batch.batches import Batches
from gradient_async.testing import Emulator
from tests.support.batches import FAST, NewSession, jsonl, line, requests


def read_example(method: Callable[..., Any]) -> str:
    """The code under ``Example::`` in the docstring of *method*."""
    lines = (inspect.getdoc(method) or "").partition("Example::\n\n")[2].splitlines()
    ends = [number for number, text in enumerate(lines) if text and not text.startswith(" ")]
    return textwrap.dedent("\n".join(lines[: ends[0]]))


async def run_example(method: Callable[..., Any], **names: Any) -> dict[str, Any]:
    """Run the example of *method*; return the names that it defines."""
    code = compile(read_example(method), method.__qualname__, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    await eval(code, names)
    return names


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gradient_emulator: Emulator) -> Path:
    """A working directory with an input; jobs end at once."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prompts.jsonl").write_bytes(jsonl(line("a"), line("b")))
    gradient_emulator.batches.seconds = 0.0
    return tmp_path


async def test_the_example_of_submit(session: AsyncSession) -> None:
    names = await run_example(Batches.submit, session=session)
    assert isinstance(names["job"], BatchJob)


async def test_the_example_of_run(session: AsyncSession, folder: Path) -> None:
    await run_example(Batches.run, session=session)
    assert len((folder / "results.jsonl").read_bytes().splitlines()) == 2
    assert (folder / "errors.jsonl").read_bytes() == b""


async def test_the_examples_of_results_and_download(
    session: AsyncSession, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = await session.batches.run(requests(2), poll=FAST)
    await run_example(BatchJob.results, job=job)
    assert sorted(text.split()[0] for text in capsys.readouterr().out.splitlines()) == ["r0", "r1"]
    await run_example(BatchJob.download, job=job)
    size = (folder / "results.jsonl").stat().st_size
    assert capsys.readouterr().out == f"{size} 0\n"


async def test_the_example_of_retry_failed(gradient_emulator: Emulator, new_session: NewSession) -> None:
    gradient_emulator.batches.drop_line("r1")
    async with new_session(limits=None) as session:
        job = await session.batches.run(requests(2), poll=FAST)
        names = await run_example(BatchJob.retry_failed, job=job)
    assert names["again"].batch.request_counts.completed == 1
