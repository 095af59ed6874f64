"""``demo``: every step says something, here and live."""

from __future__ import annotations

import pytest

from gradient_async.cli import demo
from gradient_async.cli.demo_steps import STEPS
from gradient_async.cli.exit_codes import ExitCode


@pytest.fixture(autouse=True)
def _no_pacing(monkeypatch):
    monkeypatch.setattr(demo, "TOKEN_DELAY", 0.0)


def test_it_shows_every_step_without_any_configuration(invoke):
    result = invoke("demo")
    assert (result.exit_code, result.stderr) == (0, "")
    assert [step.title for step in STEPS if step.title not in result.stdout] == []
    assert "Lisbon" in result.stdout
    assert "from the knowledge base" in result.stdout
    assert "of 250" in result.stdout


def test_in_a_pipe_it_is_plain_text(invoke):
    shown = invoke("demo").stdout
    assert "\x1b" not in shown
    assert [line for line in shown.splitlines() if line != line.rstrip()] == []


def test_live_without_a_key_names_the_variables(invoke):
    result = invoke("demo", "--live")
    assert (result.exit_code, result.stdout) == (ExitCode.USAGE, "")
    assert "MODEL_ACCESS_KEY" in result.stderr


def test_live_uses_the_configuration_of_the_environment(gradient, invoke):
    result = invoke("demo", "--live")
    assert result.exit_code == 0
    assert [seen.path for seen in gradient.requests] == [
        "/v1/models",
        "/v1/chat/completions",
        "/v1/chat/completions",
        "/api/v1/chat/completions",
    ]


@pytest.mark.parametrize("missing", ["AGENT_ENDPOINT", "AGENT_ACCESS_KEY"])
def test_live_asks_no_agent_that_is_not_configured(missing, gradient, invoke, monkeypatch):
    monkeypatch.delenv(missing)
    result = invoke("demo", "--live")
    assert result.exit_code == 0
    assert "Skipped" in result.stdout
    assert all(seen.path.startswith("/v1/") for seen in gradient.requests)
