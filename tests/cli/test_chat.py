"""``chat``: what goes to stdout, what to stderr, and how it ends."""

from __future__ import annotations

import asyncio
import json
import signal

import pytest

from gradient_async.cli.chat import ChatOptions, print_stream
from gradient_async.cli.exit_codes import ExitCode
from gradient_async.cli.settings import DEFAULT_MODEL


def test_the_answer_goes_to_stdout_alone(gradient, invoke):
    gradient.reply("Lisbon, of course.")
    result = invoke("chat", "Capital of Portugal?")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "Lisbon, of course.\n", "")


def test_by_default_it_is_a_stream_of_the_default_model(gradient, invoke):
    invoke("chat", "Hello")
    assert gradient.requests[0].json == {
        "model": DEFAULT_MODEL,
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": True,
    }


def test_options_become_parameters(gradient, invoke):
    invoke("chat", "Hi", "--system", "Be brief.", "--max-tokens", "7", "--temperature", "0.5", "--no-stream", "-m", "m")
    assert gradient.requests[0].json == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        "max_tokens": 7,
        "temperature": 0.5,
    }


def test_the_environment_names_the_model(gradient, invoke, monkeypatch):
    monkeypatch.setenv("GRADIENT_MODEL", "another")
    invoke("chat", "Hi")
    assert gradient.requests[0].json["model"] == "another"


@pytest.mark.parametrize("args", [["chat"], ["chat", "-"]])
def test_without_an_argument_stdin_is_the_prompt(args, gradient, invoke):
    invoke(*args, stdin="From a pipe.\n")
    assert gradient.requests[0].json["messages"][0]["content"] == "From a pipe.\n"


@pytest.mark.parametrize("mode", [[], ["--no-stream"]])
def test_json_is_the_completion_on_one_line(mode, gradient, invoke):
    gradient.reply("Lisbon.")
    result = invoke("chat", "Capital of Portugal?", "--json", *mode)
    completion = json.loads(result.stdout)
    assert result.stdout.count("\n") == 1
    assert completion["choices"][0]["message"]["content"] == "Lisbon."
    assert completion["usage"]["total_tokens"] > 0


@pytest.mark.parametrize("mode", [[], ["--no-stream"]])
def test_stats_go_to_stderr(mode, gradient, invoke):
    gradient.reply("Lisbon.")
    result = invoke("chat", "Capital of Portugal?", "--stats", *mode)
    assert result.stdout == "Lisbon.\n"
    told = dict(line.split(maxsplit=1) for line in result.stderr.splitlines())
    assert {"model", "finish", "tokens", "time", "rate", "request"} <= told.keys()
    assert "4999 of 5000" in told["rate"]


def test_an_agent_gets_its_own_key_and_no_model_of_ours(gradient, invoke):
    result = invoke("chat", "--agent", "Hello")
    assert result.exit_code == 0
    seen = gradient.requests[0]
    assert seen.path == "/api/v1/chat/completions"
    assert seen.headers["Authorization"] == "Bearer agent-secret"
    assert seen.json["model"] != DEFAULT_MODEL


def test_another_address_can_be_given(gradient, invoke, monkeypatch):
    monkeypatch.delenv("GRADIENT_INFERENCE_ENDPOINT")
    assert invoke("chat", "Hello", "--base-url", f"{gradient.url}/v1").exit_code == 0


@pytest.mark.parametrize("prompt", ["", "  \n"])
def test_an_empty_prompt_is_a_usage_error(prompt, gradient, invoke):
    assert invoke("chat", prompt).exit_code == ExitCode.USAGE
    assert gradient.requests == []


def test_a_missing_key_is_a_configuration_error_that_names_every_variable(invoke):
    result = invoke("chat", "Hello")
    assert result.exit_code == ExitCode.USAGE
    assert "MODEL_ACCESS_KEY" in result.stderr
    assert "DIGITALOCEAN_TOKEN" in result.stderr


@pytest.mark.parametrize("mode", [[], ["--no-stream"], ["--json"]])
def test_a_refusal_is_one_line_on_stderr(mode, gradient, invoke):
    gradient.fail(status=401)
    result = invoke("chat", "Hello", *mode)
    assert (result.exit_code, result.stdout) == (ExitCode.API_ERROR, "")
    assert result.stderr.startswith("gradient-async: ")
    assert "401" in result.stderr
    assert "secret" not in result.stderr


def test_what_came_of_a_broken_stream_stays(gradient, invoke):
    gradient.reply("One two three four five six.")
    gradient.truncate(after=3)
    result = invoke("chat", "Count.")
    assert result.exit_code == ExitCode.API_ERROR
    assert result.stdout.startswith("One two")
    assert result.stdout.endswith("\n")
    assert "gradient-async: " in result.stderr


def test_an_answer_that_was_cut_off_is_noted(gradient, invoke):
    result = invoke("chat", "Tell me about limits", "--max-tokens", "3")
    assert result.exit_code == 0
    assert "token limit" in result.stderr


def test_ctrl_c_leaves_what_came_and_exits_130(gradient, start):
    gradient.reply("One two three four five six.")
    gradient.stall(30, after=3)
    process = start("chat", "Count.")
    came = process.stdout.read(len("One two"))
    process.send_signal(signal.SIGINT)
    rest, notes = process.communicate(timeout=5)
    assert came == "One two"
    assert rest.endswith("\n")
    assert process.returncode == ExitCode.INTERRUPTED
    assert "Traceback" not in notes


async def test_an_interruption_prints_the_partial_json(gradient_emulator, gradient_session, capsys):
    gradient_emulator.reply("One two three four five six.")
    gradient_emulator.stall(30, after=3)
    question = ChatOptions(params={"model": "m", "messages": [{"role": "user", "content": "Count."}]}, as_json=True)
    stream = gradient_session.chat.completions.stream(**question.params)
    showing = asyncio.create_task(print_stream(stream, question))
    async with asyncio.timeout(5):
        while stream.snapshot.text != "One two three":
            await asyncio.sleep(0.001)
    showing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await showing
    assert json.loads(capsys.readouterr().out)["choices"][0]["message"]["content"] == "One two three"


def test_a_reader_that_leaves_ends_it_without_a_traceback(gradient, start):
    gradient.reply("word " * 20, token_delay=0.01)
    process = start("chat", "Talk.")
    process.stdout.read(4)
    process.stdout.close()
    assert process.wait(timeout=5) == 1
    assert "Traceback" not in process.stderr.read()
