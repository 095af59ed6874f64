"""``demo``: its steps, against the emulator and live."""

from __future__ import annotations

import pytest

from gradient_async.cli import demo
from gradient_async.cli.demo_steps import STEPS
from gradient_async.cli.exit_codes import ExitCode
from gradient_async.testing import Emulator
from tests.support.cli import Invoke


@pytest.fixture(autouse=True)
def _no_pacing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "TOKEN_DELAY", 0.0)


def test_the_demo_shows_every_step_without_configuration(invoke: Invoke) -> None:
    result = invoke("demo")
    assert (result.exit_code, result.stderr) == (0, "")
    assert [step.title for step in STEPS if step.title not in result.stdout] == []
    assert "Lisbon" in result.stdout
    assert "from the knowledge base" in result.stdout
    assert "of 250" in result.stdout


def test_the_demo_in_a_pipe_is_plain_text(invoke: Invoke) -> None:
    shown = invoke("demo").stdout
    assert "\x1b" not in shown
    assert [line for line in shown.splitlines() if line != line.rstrip()] == []


def test_the_live_demo_without_a_key_names_the_variables(invoke: Invoke) -> None:
    result = invoke("demo", "--live")
    assert (result.exit_code, result.stdout) == (ExitCode.USAGE, "")
    assert "MODEL_ACCESS_KEY" in result.stderr


def test_the_live_demo_uses_the_environment(gradient: Emulator, invoke: Invoke) -> None:
    result = invoke("demo", "--live")
    assert result.exit_code == 0
    assert [seen.path for seen in gradient.requests] == [
        "/v1/models",
        "/v1/chat/completions",
        "/v1/chat/completions",
        "/api/v1/chat/completions",
    ]


@pytest.mark.parametrize("missing", ["AGENT_ENDPOINT", "AGENT_ACCESS_KEY"])
def test_the_live_demo_skips_an_unconfigured_agent(
    missing: str, gradient: Emulator, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(missing)
    result = invoke("demo", "--live")
    assert result.exit_code == 0
    assert "Skipped" in result.stdout
    assert all(seen.path.startswith("/v1/") for seen in gradient.requests)
