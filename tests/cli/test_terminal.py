"""BarView, word wrap and safe text."""

from __future__ import annotations

import io

import pytest

from gradient_async import WaitDetails, WaitOutcome
from gradient_async._protocol.rate_limit.status import LimiterStatus, QuotaStatus
from gradient_async.cli.terminal import (
    Wrapper,
    describe_quotas,
    describe_waiting,
    draw_bar,
    format_period,
    remove_controls,
)
from gradient_async.cli.wait_notes import WaitNotes
from gradient_async.testing import Emulator
from tests.support.cli import StartInTerminal


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("used", "drawn"),
    [(0, "...."), (1, "#..."), (49, "#..."), (50, "##.."), (99, "###."), (100, "####"), (120, "####")],
)
def test_a_bar_shows_any_use_and_is_full_only_at_capacity(used: int, drawn: str) -> None:
    assert draw_bar(used, 100, cells=4, marks="#.") == drawn


def test_text_that_arrives_in_pieces_is_wrapped_between_words() -> None:
    wrapper = Wrapper(12, indent="  ")
    pieces = ["The", " quick", " brown", " fox", "es", " jump", "."]
    assert "".join(wrapper.feed(piece) for piece in pieces) == "  The quick\n  brown foxes\n  jump."


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb\x07\x9b\tc\n", "a�[31mb��\tc\n"),
        ("pay \u202e001\u202c EUR", "pay �001� EUR"),
        ("\u2066hidden\u2069", "�hidden�"),
        ("line\rforged\x08\x7f", "line�forged��"),
        ("שלום, Grüße, 日本", "שלום, Grüße, 日本"),
    ],
)
def test_a_terminal_gets_no_control_and_no_bidirectional_characters(text: str, shown: str) -> None:
    assert remove_controls(text, Terminal()) == shown
    assert remove_controls(text, io.StringIO()) == text


@pytest.mark.parametrize(
    ("args", "path"),
    [
        (["chat", "Hello"], None),
        (["chat", "Hello", "--json"], None),
        (["chat", "Hello", "--json", "--no-stream"], None),
        (["demo", "--live"], None),
        (["models"], "/v1/models"),
        (["models", "--json"], "/v1/models"),
        (["batch", "status", "one"], "/v1/batches/one"),
        (["batch", "list"], "/v1/batches"),
    ],
)
def test_no_command_lets_the_service_drive_the_terminal(
    args: list[str], path: str | None, gradient: Emulator, start_in_terminal: StartInTerminal
) -> None:
    title, home = "\x1b]0;owned\x07", "\x9bH"
    listed = {"batch_id": "one", "id": title, "owned_by": home, "status": title + home}
    if path is None:
        gradient.reply(title + home, times=None)
    else:
        gradient.reply(body={"object": "list", "data": [listed], **listed}, path=path)
    shown, code = start_in_terminal(*args)
    assert (code, "owned" in shown) == (0, True)
    assert (title in shown, home in shown) == (False, False)


@pytest.mark.parametrize("mark", "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
def test_a_terminal_shows_text_in_its_own_order(mark: str) -> None:
    assert remove_controls(f"rm {mark}file \u05d0\u200f", Terminal()) == "rm \ufffdfile \u05d0\u200f"


def test_a_pipe_gets_every_byte() -> None:
    assert remove_controls("a\x1b[31m", io.StringIO()) == "a\x1b[31m"


def test_the_queue_and_the_pause_are_described() -> None:
    notes = describe_waiting(LimiterStatus(windows=(), queued=3, paused_until=12.5, now=10.0))
    assert notes == ["3 requests wait.", "Paused by the service for 2.5 s."]


def test_the_quotas_and_the_pause_of_a_model_are_described() -> None:
    quota = QuotaStatus(kind="requests", limit=120, period=60.0, free=3, next_free_at=10.0)
    status = LimiterStatus(windows=(), model="m", quotas=(quota,), model_paused_until=12.5, now=10.0)
    assert describe_quotas(status) == ["m: 3 requests left, 120 per minute."]
    assert describe_waiting(status) == ["m: paused by the service for 2.5 s."]


@pytest.mark.parametrize(("seconds", "name"), [(60.0, "per minute"), (3600.0, "per hour"), (12.5, "per 12.5 s")])
def test_a_window_is_named_by_its_period(seconds: float, name: str) -> None:
    assert format_period(seconds) == name


def test_waits_at_the_same_time_are_one_note(capsys: pytest.CaptureFixture[str]) -> None:
    notes = WaitNotes()
    wait = WaitDetails(seconds=41.2, limit="250 in 60 s", queued=3, model="m", priority="interactive")
    first, second = notes.begin_wait(wait), notes.begin_wait(wait)
    for end in (first, second):
        end(WaitOutcome(waited=41.2, granted=True))
    notes.begin_wait(wait)
    assert capsys.readouterr().err == "waiting 41 s for the rate limit (250 in 60 s)\n" * 2
