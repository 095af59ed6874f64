"""``chat``: output on stdout and stderr, parameters, and exit codes."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess

import pytest

from gradient_async import AsyncSession
from gradient_async.cli.chat_output import ChatOptions, print_stream
from gradient_async.cli.exit_codes import ExitCode
from gradient_async.cli.settings import DEFAULT_MODEL
from gradient_async.testing import Emulator
from tests.support.cli import Invoke, Start, stderr_of, stdout_of
from tests.support.waiting import HANG_SECONDS, wait_until


def test_chat_prints_the_answer_on_stdout_only(gradient: Emulator, invoke: Invoke) -> None:
    gradient.reply("Lisbon, of course.")
    result = invoke("chat", "Capital of Portugal?")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "Lisbon, of course.\n", "")


def test_chat_streams_from_the_default_model(gradient: Emulator, invoke: Invoke) -> None:
    invoke("chat", "Hello")
    assert gradient.requests[0].json == {
        "model": DEFAULT_MODEL,
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": True,
    }


def test_options_become_parameters(gradient: Emulator, invoke: Invoke) -> None:
    invoke("chat", "Hi", "--system", "Be brief.", "--max-tokens", "7", "--temperature", "0.5", "--no-stream", "-m", "m")
    assert gradient.requests[0].json == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        "max_tokens": 7,
        "temperature": 0.5,
    }


def test_the_environment_names_the_model(gradient: Emulator, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIENT_MODEL", "another")
    invoke("chat", "Hi")
    assert gradient.requests[0].json["model"] == "another"


@pytest.mark.parametrize("args", [["chat"], ["chat", "-"]])
def test_without_an_argument_stdin_is_the_prompt(args: list[str], gradient: Emulator, invoke: Invoke) -> None:
    invoke(*args, stdin="From a pipe.\n")
    assert gradient.requests[0].json["messages"][0]["content"] == "From a pipe.\n"


@pytest.mark.parametrize("mode", [[], ["--no-stream"]])
def test_chat_with_json_prints_the_completion_on_one_line(mode: list[str], gradient: Emulator, invoke: Invoke) -> None:
    gradient.reply("Lisbon.")
    result = invoke("chat", "Capital of Portugal?", "--json", *mode)
    completion = json.loads(result.stdout)
    assert result.stdout.count("\n") == 1
    assert completion["choices"][0]["message"]["content"] == "Lisbon."
    assert completion["usage"]["total_tokens"] > 0


@pytest.mark.parametrize("mode", [[], ["--no-stream"]])
def test_stats_go_to_stderr(mode: list[str], gradient: Emulator, invoke: Invoke) -> None:
    gradient.reply("Lisbon.")
    result = invoke("chat", "Capital of Portugal?", "--stats", *mode)
    assert result.stdout == "Lisbon.\n"
    stats = dict(line.split(maxsplit=1) for line in result.stderr.splitlines())
    assert {"model", "finish", "tokens", "time", "rate", "request"} <= stats.keys()
    assert "4999 of 5000" in stats["rate"]


def test_chat_with_an_agent_sends_the_agents_key_and_no_default_model(gradient: Emulator, invoke: Invoke) -> None:
    result = invoke("chat", "--agent", "Hello")
    assert result.exit_code == 0
    seen = gradient.requests[0]
    assert seen.path == "/api/v1/chat/completions"
    assert seen.headers["Authorization"] == "Bearer agent-secret"
    assert seen.json["model"] != DEFAULT_MODEL


def test_base_url_replaces_the_address_of_the_environment(
    gradient: Emulator, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GRADIENT_INFERENCE_ENDPOINT")
    assert invoke("chat", "Hello", "--base-url", f"{gradient.url}/v1").exit_code == 0


@pytest.mark.parametrize("prompt", ["", "  \n"])
def test_an_empty_prompt_is_a_usage_error(prompt: str, gradient: Emulator, invoke: Invoke) -> None:
    assert invoke("chat", prompt).exit_code == ExitCode.USAGE
    assert gradient.requests == []


def test_a_missing_key_names_every_variable(invoke: Invoke) -> None:
    result = invoke("chat", "Hello")
    assert result.exit_code == ExitCode.USAGE
    assert "MODEL_ACCESS_KEY" in result.stderr
    assert "DIGITALOCEAN_TOKEN" in result.stderr


@pytest.mark.parametrize("mode", [[], ["--no-stream"], ["--json"]])
def test_a_refusal_is_one_line_on_stderr(mode: list[str], gradient: Emulator, invoke: Invoke) -> None:
    gradient.fail(status=401)
    result = invoke("chat", "Hello", *mode)
    assert (result.exit_code, result.stdout) == (ExitCode.API_ERROR, "")
    assert result.stderr.startswith("gradient-async: ")
    assert "401" in result.stderr
    assert "secret" not in result.stderr


def test_a_broken_stream_keeps_the_partial_answer(gradient: Emulator, invoke: Invoke) -> None:
    gradient.reply("One two three four five six.")
    gradient.truncate(after=3)
    result = invoke("chat", "Count.")
    assert result.exit_code == ExitCode.API_ERROR
    assert result.stdout.startswith("One two")
    assert result.stdout.endswith("\n")
    assert "gradient-async: " in result.stderr


def test_a_cut_off_answer_is_noted_on_stderr(gradient: Emulator, invoke: Invoke) -> None:
    result = invoke("chat", "Tell me about limits", "--max-tokens", "3")
    assert result.exit_code == 0
    assert "token limit" in result.stderr


def test_ctrl_c_keeps_the_partial_answer_and_exits_130(gradient: Emulator, start: Start) -> None:
    gradient.reply("One two three four five six.")
    gradient.stall(60, after=3)
    process = start("chat", "Count.")
    text = stdout_of(process).read(len("One two"))
    process.send_signal(signal.SIGINT)
    rest, notes = process.communicate(timeout=HANG_SECONDS)
    assert text == "One two"
    assert rest.endswith("\n")
    assert process.returncode == ExitCode.INTERRUPTED
    assert "Traceback" not in notes


async def test_an_interrupted_chat_prints_the_partial_json(
    gradient_emulator: Emulator, gradient_session: AsyncSession, capsys: pytest.CaptureFixture[str]
) -> None:
    gradient_emulator.reply("One two three four five six.")
    gradient_emulator.stall(60, after=3)
    options = ChatOptions(params={"model": "m", "messages": [{"role": "user", "content": "Count."}]}, as_json=True)
    stream = gradient_session.chat.completions.stream(**options.params)
    printing = asyncio.create_task(print_stream(stream, options))
    await wait_until(lambda: stream.snapshot.text == "One two three")
    printing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await printing
    assert json.loads(capsys.readouterr().out)["choices"][0]["message"]["content"] == "One two three"


def test_a_closed_pipe_ends_chat_without_a_traceback(gradient: Emulator, start: Start) -> None:
    gradient.reply("word " * 20, token_delay=0.01)
    process = start("chat", "Talk.")
    stdout_of(process).read(4)
    stdout_of(process).close()
    assert process.wait(timeout=HANG_SECONDS) == 1
    assert "Traceback" not in stderr_of(process).read()


HALVES = [{"content": "Hello \ud83d"}, {"content": "\ude00!"}, {"content": " \ud83d"}]


@pytest.mark.parametrize(
    ("mode", "output"),
    [([], "Hello 😀! \ufffd\n"), (["--no-stream"], "Hello 😀! \ufffd\n"), (["--json"], None)],
)
def test_an_emoji_that_came_in_halves_is_printed_whole(
    gradient: Emulator, invoke: Invoke, mode: list[str], output: str | None
) -> None:
    choices = [{"index": 0, "delta": delta, "finish_reason": "stop"} for delta in HALVES]
    body = "".join(f"data: {json.dumps({'choices': [choice]})}\n\n" for choice in choices)
    if "--no-stream" in mode:
        content = "".join(delta["content"] for delta in HALVES)
        body = json.dumps({"choices": [{"message": {"content": content}}]})
    gradient.reply(body=body, content_type="application/json" if "--no-stream" in mode else "text/event-stream")
    result = invoke("chat", "Hi", *mode)
    assert result.exit_code == 0, result.output
    if output is None:
        assert json.loads(result.stdout)["choices"][0]["message"]["content"] == "Hello 😀! \ud83d"
    else:
        assert result.stdout == output


def test_text_that_is_piped_in_follows_the_prompt(gradient: Emulator, start: Start) -> None:
    process = start("chat", "Summarise this", stdin=subprocess.PIPE)
    process.communicate("My notes\n", timeout=HANG_SECONDS)
    (message,) = gradient.requests[0].json["messages"]
    assert message["content"] == "Summarise this\n\nMy notes\n"
