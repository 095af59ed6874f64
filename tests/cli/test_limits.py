"""``limits``: the table of windows, the JSON and the repetition."""

from __future__ import annotations

import json
import signal
import subprocess

import pytest

from gradient_async.cli.exit_codes import ExitCode
from gradient_async.testing import Emulator
from tests.support.cli import Invoke, Serve, Start, StartInTerminal, WaitUntil, stdout_of
from tests.support.waiting import HANG_SECONDS


def test_limits_shows_a_row_for_each_window_after_one_request(gradient: Emulator, invoke: Invoke) -> None:
    result = invoke("limits")
    assert result.exit_code == 0
    assert "per minute" in result.stdout
    assert "1 of 250" in result.stdout
    assert "per hour" in result.stdout
    assert "4999 of 5000 requests left" in result.stdout
    assert [seen.path for seen in gradient.requests] == ["/v1/models"]


@pytest.mark.parametrize("columns", ["75", "50", "30"])
def test_a_narrow_terminal_loses_the_bars_and_no_digit(
    columns: str, gradient: Emulator, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    shown = invoke("limits").stdout
    assert ("…" in shown, "█" in shown, shown.count("4999")) == (False, False, 2)


def test_limits_includes_the_requests_of_others(gradient: Emulator, invoke: Invoke) -> None:
    for _ in range(3):
        invoke("models")
    status = json.loads(invoke("limits", "--json").stdout)
    assert status["limiter"]["windows"][-1]["foreign"] == 3
    assert status["headers"]["remaining"] == 4996


def test_watching_limits_repeats_until_ctrl_c(gradient: Emulator, start: Start) -> None:
    process = start("limits", "--watch", "--every", "0.02", "--json")
    seen = [json.loads(stdout_of(process).readline())["headers"]["remaining"] for _ in range(3)]
    process.send_signal(signal.SIGINT)
    _, notes = process.communicate(timeout=HANG_SECONDS)
    assert seen == [4999, 4998, 4997]
    assert (process.returncode, notes) == (0, "")


def test_watching_limits_in_a_terminal_redraws_until_ctrl_c(
    gradient: Emulator, start_in_terminal: StartInTerminal, wait_until: WaitUntil
) -> None:
    def interrupt(process: subprocess.Popen[str]) -> None:
        wait_until(lambda: len(gradient.requests) >= 3)
        process.send_signal(signal.SIGINT)

    shown, code = start_in_terminal("limits", "--watch", "--every", "0.02", then=interrupt)
    assert code == 0
    assert "1 of 250" in shown
    assert "2 of 250" in shown


def test_ctrl_c_without_watching_is_an_interruption(gradient: Emulator, start: Start, wait_until: WaitUntil) -> None:
    gradient.stall(60)
    process = start("limits")
    wait_until(lambda: gradient.requests)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=HANG_SECONDS) == ExitCode.INTERRUPTED


def test_limits_of_a_model_show_its_quotas(monkeypatch: pytest.MonkeyPatch, serve: Serve, invoke: Invoke) -> None:
    with serve(Emulator(tier=120)) as emulator:
        monkeypatch.setenv("GRADIENT_INFERENCE_ENDPOINT", emulator.url)
        monkeypatch.setenv("MODEL_ACCESS_KEY", "sk-secret")
        shown = invoke("limits", "--model", "m").stdout
        status = json.loads(invoke("limits", "-m", "m", "--json").stdout)["limiter"]
    assert "m: 149 requests left, 120 per minute." in shown
    assert "tokens left, 8000000 per day." in shown
    assert [quota["kind"] for quota in status["quotas"]] == ["requests", "tokens per minute", "tokens per day"]
    assert [seen.json["max_tokens"] for seen in emulator.requests] == [1, 1]
