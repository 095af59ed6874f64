"""``map``: one line of JSON for each line of the input."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gradient_async import AsyncSession, MapProgress, RateLimits
from gradient_async.cli.exit_codes import ExitCode
from gradient_async.cli.map_estimate import estimate_seconds
from gradient_async.cli.map_view import create_map_view
from gradient_async.cli.settings import DEFAULT_MODEL
from gradient_async.models._texts import format_duration
from gradient_async.testing import Emulator
from tests.support.cli import Invoke, Start, WaitUntil, stdout_of
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
    assert "line 2 is not a JSON object, although it begins with a brace" in result.stderr


def test_an_empty_input_is_a_usage_error(gradient: Emulator, invoke: Invoke) -> None:
    result = invoke("map", stdin="\n \n")
    assert (result.exit_code, result.stdout) == (ExitCode.USAGE, "")
    assert "The input is empty" in result.stderr


def test_map_sends_requests_to_an_agent(gradient: Emulator, invoke: Invoke) -> None:
    result = invoke("map", "--agent", stdin="Hello")
    assert result.exit_code == 0
    assert gradient.requests[0].path == "/api/v1/chat/completions"


@pytest.mark.parametrize("command", ["map", "embed"])
def test_a_missing_key_is_told_once_and_nothing_is_sent(
    command: str, gradient: Emulator, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MODEL_ACCESS_KEY")
    result = invoke(command, stdin="One\nTwo\nThree\n")
    assert (result.exit_code, result.stdout) == (ExitCode.USAGE, "")
    assert result.stderr.count("Set one of MODEL_ACCESS_KEY") == 1
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


# Output files, tables, dry runs.


def test_an_output_file_goes_on_where_it_was(gradient: Emulator, invoke: Invoke, tmp_path: Path) -> None:
    source, output = tmp_path / "q.txt", tmp_path / "a.jsonl"
    source.write_text("".join(f"Question {number}\n" for number in range(5)))
    gradient.fail(status=400, times=2)
    first = invoke("map", str(source), "-o", str(output), "-c", "1")
    assert (first.exit_code, first.stdout) == (ExitCode.PARTIAL, "")
    second = invoke("map", str(source), "-o", str(output), "--ordered")
    assert second.exit_code == 0
    assert [line["index"] for line in lines(output.read_text())] == list(range(5))
    assert len(gradient.requests) == 7
    assert invoke("map", str(source), "-o", str(output)).exit_code == 0
    assert len(gradient.requests) == 7


def test_a_file_that_is_not_the_output_of_a_map_is_not_overwritten(
    gradient: Emulator, invoke: Invoke, tmp_path: Path
) -> None:
    output = tmp_path / "notes.txt"
    output.write_text("mine")
    result = invoke("map", "-o", str(output), stdin="Hello")
    assert result.exit_code == ExitCode.USAGE
    assert "notes.txt exists" in result.stderr
    assert (output.read_text(), gradient.requests) == ("mine", [])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_as_the_output_has_no_checkpoint(gradient: Emulator, start: Start, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "q.txt").write_text("One\nTwo\n")
    process = start("map", str(tmp_path / "q.txt"), "-o", str(pipe))
    read = subprocess.run(["cat", str(pipe)], capture_output=True, text=True, check=True, timeout=HANG_SECONDS)
    assert {line["index"] for line in lines(read.stdout)} == {0, 1}
    assert process.wait(HANG_SECONDS) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pipe", "q.txt"]


def test_a_table_becomes_prompts_and_keeps_its_ids(gradient: Emulator, invoke: Invoke, tmp_path: Path) -> None:
    source = tmp_path / "q.csv"
    source.write_text("id,word\na7,Haus\n")
    result = invoke("map", str(source), "--template", "Translate: {word}", "--system", "Be {brief}.")
    assert lines(result.stdout)[0]["id"] == "a7"
    assert gradient.requests[0].json["messages"] == [
        {"role": "system", "content": "Be {brief}."},
        {"role": "user", "content": "Translate: Haus"},
    ]
    assert invoke("map", str(source), "--columns", "word").exit_code == 0
    assert gradient.requests[1].json["messages"] == [{"role": "user", "content": "Haus"}]


def test_a_parquet_file_is_mapped(gradient: Emulator, invoke: Invoke, tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.Table.from_pylist([{"id": 7, "q": "What?", "big": "x"}]), tmp_path / "q.parquet")
    result = invoke("map", str(tmp_path / "q.parquet"), "--columns", "q")
    assert lines(result.stdout)[0]["id"] == 7
    assert gradient.requests[0].json["messages"] == [{"role": "user", "content": "What?"}]


def test_a_dry_run_counts_and_sends_nothing(
    gradient: Emulator, invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MODEL_ACCESS_KEY")
    source = tmp_path / "q.csv"
    source.write_text("q\n" + "What?\n" * 999)
    result = invoke("map", str(source), "--columns", "q", "--dry-run", "--json", "--max-tokens", "10")
    assert result.exit_code == 0
    estimate = json.loads(result.stdout)
    assert (estimate["requests"], estimate["faulty"]) == (999, 0)
    assert estimate["tokens"] > 999 * 10
    assert 180 <= estimate["seconds"] < 240  # 250 a minute
    assert gradient.requests == []


def test_a_dry_run_names_rows_that_cannot_be_sent(invoke: Invoke, tmp_path: Path) -> None:
    source = tmp_path / "q.csv"
    source.write_text("id,q\na,What?\nb,\n")
    result = invoke("map", str(source), "--template", "{q}", "--dry-run")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (ExitCode.USAGE, "requests: 1")
    assert "(id 'b') has nothing in the column 'q'" in result.stderr


@pytest.mark.parametrize(
    ("requests", "seconds"), [(0, 0), (1, 0), (250, 0), (251, 60), (5_000, 19 * 60), (10_000, 3600)]
)
def test_the_estimate_follows_the_windows(requests: int, seconds: int) -> None:
    assert seconds <= estimate_seconds(requests, [(250, 60.0), (5000, 3600.0)]) <= seconds * 1.4 + 5
    assert estimate_seconds(requests, []) == 0


def test_a_dry_run_has_the_limits_of_the_session(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "q.txt").write_text("What?\n" * 100)
    limits = functools.partial(AsyncSession, limits=RateLimits(windows=[(10, 60.0)]))
    monkeypatch.setattr("gradient_async.cli.map.AsyncSession", limits)
    estimate = json.loads(invoke("map", str(tmp_path / "q.txt"), "--dry-run", "--json").stdout)
    assert 540 <= estimate["seconds"] < 600


def test_a_refused_key_says_how_to_go_on(gradient: Emulator, invoke: Invoke, tmp_path: Path) -> None:
    gradient.reply("Yes")
    gradient.fail(status=401, times=None)
    result = invoke("map", "-o", str(tmp_path / "a.jsonl"), "-c", "1", stdin="1\n2\n3\n4\n")
    assert result.exit_code == ExitCode.API_ERROR
    assert "Run the same command to go on" in result.stderr
    assert len(gradient.requests) == 2


@pytest.mark.parametrize("stage", ["source", "limiter", "response"])
def test_ctrl_c_ends_map_at_every_stage_with_advice(
    stage: str, gradient: Emulator, start: Start, wait_until: WaitUntil, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    if stage == "source":
        os.mkfifo(source)
    else:
        source.write_text("Question\n" * 300)
    if stage == "response":
        gradient.stall(60, times=None)
    process = start("map", str(source), "-o", str(tmp_path / "a.jsonl"), "-c", "8")
    writer = os.open(source, os.O_WRONLY) if stage == "source" else None  # returns when the command has opened it
    if stage != "source":
        wait_until(lambda: len(gradient.requests) >= (250 if stage == "limiter" else 1))
    process.send_signal(signal.SIGINT)
    _, notes = process.communicate(timeout=HANG_SECONDS)
    if writer is not None:
        os.close(writer)
    assert process.returncode == ExitCode.INTERRUPTED
    assert "Interrupted. Run the same command to go on" in notes
    assert "Traceback" not in notes


# Progress.


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (MapProgress(), "0"),
        (MapProgress(total=9, done=2, failed=1, restored=1), "2 of 9, 1 from the checkpoint, 1 failed"),
        (MapProgress(done=2, waiting=1, limiter_delay=41.2), "2, waiting 41 s for the rate limit"),
        (
            MapProgress(done=2, waiting=1, limiter_delay=41.2, limit="250 in 60 s"),
            "2, waiting 41 s for the rate limit (250 in 60 s)",
        ),
        (MapProgress(done=2, rate=4.12, tokens=900, retried=3), "2, 3 retried, 4.1/s, 900 tokens"),
        (MapProgress(done=2, seconds_left=4571.0), "2, 1 h 16 min left"),
    ],
)
def test_progress_is_one_line(progress: MapProgress, text: str) -> None:
    assert str(progress) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (3599, "59 min 59 s"), (3600, "1 h 0 min")]
)
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_a_note_comes_when_a_wait_begins(capsys: pytest.CaptureFixture[str]) -> None:
    with create_map_view(to_file=True) as view:
        for second in range(40):
            delay = 20.0 - second % 20 if second >= 5 else 0.0
            view.show_progress(MapProgress(elapsed=float(second), limiter_delay=delay, limit="250 in 60 s"))
    notes = capsys.readouterr().err.splitlines()
    assert notes[0] == "0, waiting 15 s for the rate limit (250 in 60 s)"
    assert len(notes) <= 3


def test_notes_come_once_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    with create_map_view(to_file=True) as view:
        for second in range(0, 130, 10):
            view.show_progress(MapProgress(done=second, elapsed=float(second)))
    assert capsys.readouterr().err == "60\n120\n"
