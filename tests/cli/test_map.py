"""``map``: a line of JSON for each line of questions."""

from __future__ import annotations

import json
import os
import signal

import pytest

from gradient_async.cli.exit_codes import ExitCode
from gradient_async.cli.settings import DEFAULT_MODEL


def lines(output: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.splitlines()]


def test_prompts_become_answers_in_order(gradient, invoke):
    gradient.reply("One.")
    gradient.reply("Two.")
    result = invoke("map", "--ordered", "-c", "1", stdin="First?\n\n  Second?\n")
    assert (result.exit_code, result.stderr) == (0, "")
    assert lines(result.stdout) == [{"index": 0, "text": "One."}, {"index": 1, "text": "Two."}]
    assert [request.json for request in gradient.requests] == [
        {"model": DEFAULT_MODEL, "messages": [{"role": "user", "content": text}]} for text in ("First?", "Second?")
    ]


def test_objects_are_parameters_and_win(gradient, invoke, tmp_path):
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


def test_a_byte_order_mark_of_a_pipe_hides_no_object(gradient, invoke):
    invoke("map", stdin='\ufeff{"messages": [{"role": "user", "content": "Hi"}]}\n')
    assert gradient.requests[0].json["messages"] == [{"role": "user", "content": "Hi"}]


def test_a_stdin_that_cannot_be_read_ends_it(gradient, start, tmp_path):
    unreadable = os.open(tmp_path / "write-only", os.O_WRONLY | os.O_CREAT)
    process = start("map", stdin=unreadable)
    os.close(unreadable)
    _, said = process.communicate(timeout=5)
    assert (process.returncode, "Bad file descriptor" in said, "Traceback" in said) == (ExitCode.API_ERROR, True, False)


def test_json_is_the_whole_completion(gradient, invoke):
    gradient.reply("Lisbon.")
    (line,) = lines(invoke("map", "--json", stdin="Capital of Portugal?").stdout)
    assert line["completion"]["choices"][0]["message"]["content"] == "Lisbon."
    assert line["completion"]["usage"]["total_tokens"] > 0


@pytest.mark.parametrize(("times", "code"), [(1, ExitCode.PARTIAL), (3, ExitCode.API_ERROR)])
def test_a_failure_is_a_line_and_an_exit_code(times, code, gradient, invoke):
    gradient.fail(status=400, times=times)
    result = invoke("map", "-c", "1", "--ordered", stdin="1\n2\n3\n")
    assert result.exit_code == code
    shown = lines(result.stdout)
    assert [line["index"] for line in shown] == [0, 1, 2]
    assert [line.get("status") for line in shown] == [400] * times + [None] * (3 - times)
    assert all(line["error"] for line in shown[:times])
    assert result.stderr == f"{times} of 3 requests failed.\n"


def test_what_is_no_object_ends_it_after_what_came_before(gradient, invoke):
    gradient.reply("Yes.")
    result = invoke("map", stdin='Really?\n{"messages": \nNever asked\n')
    assert result.exit_code == ExitCode.USAGE
    assert lines(result.stdout) == [{"index": 0, "text": "Yes."}]
    assert "Line 2 begins with a brace and is not a JSON object" in result.stderr


def test_of_nothing_it_says_so(gradient, invoke):
    result = invoke("map", stdin="\n \n")
    assert (result.exit_code, result.stdout) == (ExitCode.USAGE, "")
    assert "The input is empty" in result.stderr


def test_an_agent_answers_too(gradient, invoke):
    result = invoke("map", "--agent", stdin="Hello")
    assert result.exit_code == 0
    assert gradient.requests[0].path == "/api/v1/chat/completions"


def test_a_missing_key_is_told_once_for_each_and_nothing_is_sent(gradient, invoke, monkeypatch):
    monkeypatch.delenv("MODEL_ACCESS_KEY")
    result = invoke("map", stdin="Hello")
    assert result.exit_code == ExitCode.USAGE
    assert "MODEL_ACCESS_KEY" in result.stdout
    assert gradient.requests == []


def test_ctrl_c_stops_it_while_it_waits_for_stdin(gradient, start):
    read_end, write_end = os.pipe()
    try:
        os.write(write_end, b"Hello\n")
        process = start("map", stdin=read_end)
        assert json.loads(process.stdout.readline())["index"] == 0
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=5) == ExitCode.INTERRUPTED
    finally:
        os.close(read_end)
        os.close(write_end)
