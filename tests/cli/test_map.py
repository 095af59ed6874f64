"""``map``: one line of JSON for each line of the input."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from gradient_async.cli.exit_codes import ExitCode
from gradient_async.cli.settings import DEFAULT_MODEL
from gradient_async.testing import Emulator
from tests.support.cli import Invoke, Start, stdout_of
from tests.support.waiting import HANG_SECONDS


def lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def test_map_prints_ordered_answers(gradient: Emulator, invoke: Invoke) -> None:
    gradient.reply("One.")
    gradient.reply("Two.")
    result = invoke("map", "--ordered", "-c", "1", stdin="First?\n\n  Second?\n")
    assert (result.exit_code, result.stderr) == (0, "")
    assert lines(result.stdout) == [{"index": 0, "text": "One."}, {"index": 1, "text": "Two."}]
    assert [request.json for request in gradient.requests] == [
        {"model": DEFAULT_MODEL, "messages": [{"role": "user", "content": text}]} for text in ("First?", "Second?")
    ]


def test_a_line_with_an_object_overrides_the_shared_parameters(
    gradient: Emulator, invoke: Invoke, tmp_path: Path
) -> None:
    source = tmp_path / "questions.jsonl"
    own = {"model": "mine", "messages": [{"role": "user", "content": "Hi"}], "seed": 3}
    source.write_text("\ufeff" + json.dumps(own) + "\nA prompt, Grüße", encoding="utf-8")
    result = invoke("map", str(source), "-m", "theirs", "--max-tokens", "9", "--system", "Be brief.", "-c", "1")
    assert result.exit_code == 0
    first, second = (request.json for request in gradient.requests)
    assert first == {**own, "max_tokens": 9}
    assert second["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "A prompt, Grüße"},
    ]
    assert second["model"] == "theirs"


def test_a_byte_order_mark_in_a_pipe_is_skipped(gradient: Emulator, invoke: Invoke) -> None:
    invoke("map", stdin='\ufeff{"messages": [{"role": "user", "content": "Hi"}]}\n')
    assert gradient.requests[0].json["messages"] == [{"role": "user", "content": "Hi"}]


def test_an_unreadable_stdin_ends_map_with_an_error(gradient: Emulator, start: Start, tmp_path: Path) -> None:
    unreadable = os.open(tmp_path / "write-only", os.O_WRONLY | os.O_CREAT)
    process = start("map", stdin=unreadable)
    os.close(unreadable)
    _, notes = process.communicate(timeout=HANG_SECONDS)
    assert (process.returncode, "Bad file descriptor" in notes, "Traceback" in notes) == (
        ExitCode.API_ERROR,
        True,
        False,
    )


def test_map_with_json_prints_whole_completions(gradient: Emulator, invoke: Invoke) -> None:
    gradient.reply("Lisbon.")
    (line,) = lines(invoke("map", "--json", stdin="Capital of Portugal?").stdout)
    assert line["completion"]["choices"][0]["message"]["content"] == "Lisbon."
    assert line["completion"]["usage"]["total_tokens"] > 0


@pytest.mark.parametrize(("times", "code"), [(1, ExitCode.PARTIAL), (3, ExitCode.API_ERROR)])
def test_a_failed_request_is_a_line_and_an_exit_code(
    times: int, code: ExitCode, gradient: Emulator, invoke: Invoke
) -> None:
    gradient.fail(status=400, times=times)
    result = invoke("map", "-c", "1", "--ordered", stdin="1\n2\n3\n")
    assert result.exit_code == code
    shown = lines(result.stdout)
    assert [line["index"] for line in shown] == [0, 1, 2]
    assert [line.get("status") for line in shown] == [400] * times + [None] * (3 - times)
    assert all(line["error"] for line in shown[:times])
    assert result.stderr == f"{times} of 3 requests failed.\n"


def test_a_malformed_line_ends_map_after_the_lines_before_it(gradient: Emulator, invoke: Invoke) -> None:
    gradient.reply("Yes.")
    result = invoke("map", stdin='Really?\n{"messages": \nNever asked\n')
    assert result.exit_code == ExitCode.USAGE
    assert lines(result.stdout) == [{"index": 0, "text": "Yes."}]
    assert "Line 2 begins with a brace and is not a JSON object" in result.stderr


def test_an_empty_input_is_a_usage_error(gradient: Emulator, invoke: Invoke) -> None:
    result = invoke("map", stdin="\n \n")
    assert (result.exit_code, result.stdout) == (ExitCode.USAGE, "")
    assert "The input is empty" in result.stderr


def test_map_sends_requests_to_an_agent(gradient: Emulator, invoke: Invoke) -> None:
    result = invoke("map", "--agent", stdin="Hello")
    assert result.exit_code == 0
    assert gradient.requests[0].path == "/api/v1/chat/completions"


def test_a_missing_key_is_an_error_of_each_line_and_nothing_is_sent(
    gradient: Emulator, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MODEL_ACCESS_KEY")
    result = invoke("map", stdin="Hello")
    assert result.exit_code == ExitCode.USAGE
    assert "MODEL_ACCESS_KEY" in result.stdout
    assert gradient.requests == []


def test_ctrl_c_stops_map_while_it_waits_for_stdin(gradient: Emulator, start: Start) -> None:
    read_end, write_end = os.pipe()
    try:
        os.write(write_end, b"Hello\n")
        process = start("map", stdin=read_end)
        assert json.loads(stdout_of(process).readline())["index"] == 0
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=HANG_SECONDS) == ExitCode.INTERRUPTED
    finally:
        os.close(read_end)
        os.close(write_end)
