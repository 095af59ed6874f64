"""``progress=True``: bars of maps and batches, drawn by what is there."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from gradient_async import AsyncSession, Batch, BatchStep, ConfigurationError, MapProgress
from gradient_async.models.batch import RequestCounts
from gradient_async.resources.batch.options import combine_callbacks
from gradient_async.resources.progress_bars.base import ProgressBars, Throttle
from gradient_async.resources.progress_bars.choice import create_progress_bars
from gradient_async.resources.progress_bars.rich_bars import open_rich_bars
from gradient_async.testing import Emulator
from tests.support.batches import CHAT, FAST, body

MODEL = "llama3.3-70b-instruct"
EMBEDDER = "qwen3-embedding-0.6b"
TEXTS = ["one", "two", "three"]
EVIL = "[red]\x1b[2J<script>"


class NotebookDisplay:
    """Stands for ``IPython.display.display`` and the handle that it returns: keeps every state of the display."""

    def __init__(self) -> None:
        self.states: list[str] = []

    def __call__(self, html: Any, *, display_id: bool) -> NotebookDisplay:
        assert display_id
        self.update(html)
        return self

    def update(self, html: Any) -> None:
        self.states.append(html.data)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> NotebookDisplay:
    pytest.importorskip("IPython", reason="bars of notebooks need IPython, which the extra notebook installs")
    from gradient_async.resources.progress_bars import notebook_bars

    display = NotebookDisplay()
    monkeypatch.setattr(notebook_bars, "display", display)
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: SimpleNamespace(kernel=object()))
    return display


def draw_everything(bars: ProgressBars) -> None:
    with bars:
        bars.show_step(BatchStep("upload", 1, 2))
        bars.show_step(BatchStep("upload", 2, 2))
        bars.show_job(Batch(batch_id="b", status=EVIL))
        bars.show_job(Batch(batch_id="b", status=EVIL, request_counts=RequestCounts(total=6, completed=4, failed=1)))
        bars.show_download(1500, 3000)
        bars.show_progress(MapProgress(done=1))
        bars.show_progress(MapProgress(done=7, total=20, rate=2.0, tokens=90, limiter_delay=9.0, seconds_left=70.0))


SHOWN = [
    "uploaded 2 B of 2 B",
    "4 of 6 completed, 1 failed",
    "1.5 kB of 3.0 kB",
    "7 of 20, 2.0/s, 90 tokens, waiting 9 s for the rate limit, 1 min 10 s left",
]


def create_tqdm_bars() -> ProgressBars:
    pytest.importorskip("tqdm", reason="tqdm is not installed")
    from gradient_async.resources.progress_bars.tqdm_bars import open_tqdm_bars

    return ProgressBars(open_tqdm_bars())


def create_rich_bars() -> ProgressBars:
    return ProgressBars(open_rich_bars(has_times=False))


@pytest.mark.parametrize("create", [create_rich_bars, create_tqdm_bars], ids=["rich", "tqdm"])
def test_bars_of_a_terminal_show_every_stage(
    create: Callable[[], ProgressBars], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    draw_everything(create())
    out, shown = capsys.readouterr()
    assert [text for text in SHOWN if text not in shown] == []
    assert ("[red]" in shown, "\x1b[2J" in shown, out) == (True, False, "")


def test_bars_of_a_notebook_are_one_display(notebook: NotebookDisplay) -> None:
    bars = create_progress_bars()
    draw_everything(bars)
    assert [text for text in SHOWN if text not in notebook.states[-1]] == []
    assert ("<script>" in notebook.states[-1], notebook.states[-1].count("<progress")) == (False, 4)


def test_a_notebook_is_updated_at_most_ten_times_a_second(notebook: NotebookDisplay) -> None:
    from gradient_async.resources.progress_bars.notebook_bars import open_notebook_bars

    clock = iter(number / 64 for number in range(100))  # seven of its ticks are the next ones due
    with ProgressBars(open_notebook_bars(lambda: next(clock))) as bars:
        for done in range(100):
            bars.show_progress(MapProgress(done=done, total=100))
    assert len(notebook.states) == 16
    assert "99 of 100" in notebook.states[-1]


def test_bars_that_were_never_updated_draw_nothing(
    notebook: NotebookDisplay, capsys: pytest.CaptureFixture[str]
) -> None:
    for bars in (create_rich_bars(), create_tqdm_bars(), create_progress_bars()):
        with bars:
            pass
    assert (capsys.readouterr().err.strip(), notebook.states) == ("", [])


def test_a_note_is_drawn_while_the_count_stands_still(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(100))
    bars = create_tqdm_bars()
    monkeypatch.setattr(Throttle, "pass_one", lambda _: next(clock) % 2 == 0)
    with bars:
        for delay in (3.0, 2.0, 1.0):
            bars.show_progress(MapProgress(total=9, limiter_delay=delay))
    shown = capsys.readouterr().err
    assert ["waiting 3 s" in shown, "waiting 2 s" in shown, "waiting 1 s" in shown] == [True, False, True]


# The choice.


@pytest.mark.parametrize(
    ("missing", "drawn"), [([], "━━"), (["rich"], "100%|█"), (["tqdm"], "━━"), (["IPython"], "━━")]
)
def test_bars_are_drawn_by_what_is_there(
    missing: list[str], drawn: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tqdm", reason="tqdm is not installed")
    hide_packages(monkeypatch, *missing)
    with create_progress_bars() as bars:
        bars.show_progress(MapProgress(done=3, total=3))
    assert drawn in capsys.readouterr().err


async def test_without_rich_and_tqdm_an_error_says_what_to_install(
    gradient_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    hide_packages(monkeypatch, "rich", "tqdm")
    async with AsyncSession("test", base_url=gradient_emulator.url) as session:
        with pytest.raises(ConfigurationError, match="pip install rich"):
            session.chat.completions.map(TEXTS, model=MODEL, progress=True)
        with pytest.raises(ConfigurationError, match="pip install rich"):
            await session.batches.run([{"custom_id": "a", "body": body("a")}], endpoint=CHAT, progress=True)
    assert gradient_emulator.requests == []


def hide_packages(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    """Let the bars be imported anew, without *packages*."""
    for name in [name for name in sys.modules if name.startswith("gradient_async.resources.progress_bars.")]:
        if not name.endswith((".choice", ".base")):
            monkeypatch.delitem(sys.modules, name)
    for package in packages:
        for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, package, None)  # which makes the import fail


def test_an_ipython_without_a_kernel_is_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = ModuleType("IPython")
    shell.get_ipython = SimpleNamespace  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", shell)
    with create_progress_bars() as bars:
        bars.show_progress(MapProgress(done=3))
    assert "3" in capsys.readouterr().err


# Calls.


async def iterate_all(results: Any) -> None:
    async with results:
        assert len([result async for result in results]) == 3


def map_with_agent(session: AsyncSession, emulator: Emulator, **options: Any) -> Any:
    agent = session.agent(emulator.agent_url, access_key="agent-key")
    return agent.chat.completions.map(TEXTS, **options)


MAPS: dict[str, Callable[..., Any]] = {
    "chat": lambda session, _, **options: session.chat.completions.map(TEXTS, model=MODEL, **options),
    "agent": map_with_agent,
    "messages": lambda session, _, **options: session.messages.map(TEXTS, model=MODEL, max_tokens=9, **options),
    "responses": lambda session, _, **options: session.responses.map(TEXTS, model=MODEL, **options),
    "embeddings": lambda session, _, **options: session.embeddings.map(TEXTS, model=EMBEDDER, **options),
    "batches": lambda session, _, **options: session.batches.map(TEXTS, model=MODEL, poll=FAST, **options),
}


@pytest.mark.parametrize("create_map", MAPS.values(), ids=MAPS)
async def test_a_map_shows_its_progress(
    create_map: Callable[..., Any], gradient_emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    gradient_emulator.batches.seconds = 0.02
    reports: list[MapProgress] = []
    async with AsyncSession("test", base_url=gradient_emulator.url) as session:
        await iterate_all(create_map(session, gradient_emulator, progress=True, on_progress=reports.append))
        assert "3 of 3" in capsys.readouterr().err
        assert reports[-1].done == 3
        await iterate_all(create_map(session, gradient_emulator))
    assert capsys.readouterr() == ("", "")


REQUESTS = [{"custom_id": name, "body": body(name)} for name in ("a", "b")]
JOBS: dict[str, tuple[Callable[[AsyncSession, Path], Awaitable[object]], list[str]]] = {
    "run": (
        lambda session, _: session.batches.run(REQUESTS, endpoint=CHAT, poll=FAST, progress=True),
        ["uploaded", "created 1 of 1 job(s)", "completed: 2 of 2 completed"],
    ),
    "wait": (lambda session, _: wait_for_job(session), ["completed: 2 of 2 completed"]),
    "download": (lambda session, folder: download_results(session, folder), ["results", "kB of"]),
}


async def wait_for_job(session: AsyncSession) -> object:
    job = await session.batches.submit(REQUESTS, endpoint=CHAT)
    return await job.wait(poll=FAST, progress=True)


async def download_results(session: AsyncSession, folder: Path) -> object:
    job = await session.batches.run(REQUESTS, endpoint=CHAT, poll=FAST)
    return await job.download(folder / "results.jsonl", progress=True)


@pytest.mark.parametrize(("perform", "shown"), JOBS.values(), ids=JOBS)
async def test_a_job_shows_its_progress(
    perform: Callable[[AsyncSession, Path], Awaitable[object]],
    shown: list[str],
    gradient_emulator: Emulator,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    gradient_emulator.batches.seconds = 0.02
    async with AsyncSession("test", base_url=gradient_emulator.url) as session:
        await perform(session, tmp_path)
    printed = capsys.readouterr().err
    assert [text for text in shown if text not in printed] == []


async def test_bars_end_with_a_map_that_fails(gradient_emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    async with AsyncSession("test", base_url=gradient_emulator.url) as session:
        with pytest.raises(ZeroDivisionError):
            async with session.chat.completions.map(TEXTS, model=MODEL, progress=True) as results:
                async for _ in results:
                    raise ZeroDivisionError
    assert "of 3" in capsys.readouterr().err  # rich prints the last state where there is no terminal


def test_bars_draw_nothing_outside_of_their_block(capsys: pytest.CaptureFixture[str]) -> None:
    bars = create_rich_bars()
    bars.show_progress(MapProgress(done=1))
    with bars:
        pass
    bars.show_progress(MapProgress(done=2))
    assert capsys.readouterr().err.strip() == ""


def test_each_callback_is_called_and_none_is_skipped() -> None:
    first: list[object] = []
    second: list[object] = []
    combine_callbacks(first.append, None, second.append)(3)
    assert first == second == [3]
