"""``limits``: bars, and what the service says."""

from __future__ import annotations

import json
import signal
import subprocess

from gradient_async.cli.exit_codes import ExitCode


def test_it_shows_a_row_for_each_window_after_one_request(gradient, invoke):
    result = invoke("limits")
    assert result.exit_code == 0
    assert "per minute" in result.stdout
    assert "1 of 250" in result.stdout
    assert "per hour" in result.stdout
    assert "4999 of 5000 requests left" in result.stdout
    assert [seen.path for seen in gradient.requests] == ["/v1/models"]


def test_it_shows_what_others_used(gradient, invoke):
    for _ in range(3):
        invoke("models")
    status = json.loads(invoke("limits", "--json").stdout)
    assert status["limiter"]["windows"][-1]["foreign"] == 3
    assert status["headers"]["remaining"] == 4996


def test_watching_asks_again_until_ctrl_c(gradient, start):
    process = start("limits", "--watch", "--every", "0.02", "--json")
    seen = [json.loads(process.stdout.readline())["headers"]["remaining"] for _ in range(3)]
    process.send_signal(signal.SIGINT)
    _, notes = process.communicate(timeout=5)
    assert seen == [4999, 4998, 4997]
    assert (process.returncode, notes) == (0, "")


def test_watching_in_a_terminal_redraws_until_ctrl_c(gradient, start_in_terminal, wait_until):
    def interrupt(process: subprocess.Popen[str]) -> None:
        wait_until(lambda: len(gradient.requests) >= 3)
        process.send_signal(signal.SIGINT)

    shown, code = start_in_terminal("limits", "--watch", "--every", "0.02", then=interrupt)
    assert code == 0
    assert "1 of 250" in shown
    assert "2 of 250" in shown


def test_ctrl_c_without_watching_is_an_interruption(gradient, start, wait_until):
    gradient.stall(30)
    process = start("limits")
    wait_until(lambda: gradient.requests)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=5) == ExitCode.INTERRUPTED
