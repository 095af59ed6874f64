"""``batch``: every command, the interruption of a run, and the output of each."""

from __future__ import annotations

import errno
import json
import os
import signal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from gradient_async import Batch, BatchStep
from gradient_async.cli.exit_codes import ExitCode
from gradient_async.models._texts import format_size
from gradient_async.resources.batch import result_download
from gradient_async.resources.progress_bars.base import ProgressBars
from gradient_async.resources.progress_bars.rich_bars import open_rich_bars
from gradient_async.testing import Emulator
from tests.support.cli import Invoke, Start, StartInTerminal, WaitUntil
from tests.support.waiting import HANG_SECONDS

CHAT = "/v1/chat/completions"


def line(custom_id: str, **fields: Any) -> str:
    body = {"model": "llama3.3-70b-instruct", "messages": [{"role": "user", "content": "Hello"}]}
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": CHAT, "body": body, **fields}) + "\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An input of six requests."""
    path = tmp_path / "in.jsonl"
    path.write_text("".join(line(f"r{number}") for number in range(6)))
    return path


@pytest.fixture
def completed_job(gradient: Emulator, invoke: Invoke, source: Path) -> str:
    """The id of a completed job."""
    assert invoke("batch", "run", str(source), "--every", "0.02", "--json").stdout
    return gradient.batches.jobs[0].id


def ids(text: str) -> list[str]:
    return sorted(json.loads(each)["custom_id"] for each in text.splitlines())


def test_run_saves_the_results_and_prints_their_path(
    gradient: Emulator, invoke: Invoke, source: Path, tmp_path: Path
) -> None:
    result = invoke("batch", "run", str(source), "--every", "0.02")
    output = tmp_path / "in.results.jsonl"
    assert (result.exit_code, result.stdout.strip()) == (ExitCode.OK, str(output))
    assert ids(output.read_text()) == [f"r{number}" for number in range(6)]
    assert (tmp_path / "in.results.errors.jsonl").read_text() == ""
    assert "uploaded" in result.stderr
    assert "completed: 6 of 6 completed" in result.stderr


@pytest.mark.parametrize(
    "files", [("-o", "in.jsonl"), ("-o", "o.jsonl", "--errors", "o.jsonl"), ("-o", "o.jsonl", "--journal", "o.jsonl")]
)
def test_run_refuses_paths_that_are_the_same_file(
    gradient: Emulator, invoke: Invoke, source: Path, files: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source.parent)
    before = source.read_text()
    result = invoke("batch", "run", str(source), *files, "--every", "0.02")
    assert (result.exit_code, "are the same file" in result.stderr) == (ExitCode.USAGE, True)
    assert (source.read_text(), gradient.requests) == (before, [])


def test_a_repeated_run_returns_the_same_job(gradient: Emulator, invoke: Invoke, source: Path) -> None:
    for _ in range(2):
        assert invoke("batch", "run", str(source), "--every", "0.02").exit_code == ExitCode.OK
    assert len(gradient.batches.jobs) == 1


def test_run_with_failures_is_a_partial_failure(
    gradient: Emulator, invoke: Invoke, source: Path, tmp_path: Path
) -> None:
    gradient.batches.fail_line("r2", status=400)
    result = invoke("batch", "run", str(source), "--every", "0.02", "--json", "-o", str(tmp_path / "o.jsonl"))
    assert result.exit_code == ExitCode.PARTIAL
    report = json.loads(result.stdout)
    assert (report["status"], report["request_counts"]["failed"]) == ("completed", 1)
    assert ids((tmp_path / "o.errors.jsonl").read_text()) == ["r2"]


def test_a_failed_run_advises_to_retry_its_job_and_never_to_pay_again(
    gradient: Emulator, invoke: Invoke, source: Path
) -> None:
    gradient.batches.max_requests = 1
    result = invoke("batch", "run", str(source), "--every", "0.02")
    assert result.exit_code == ExitCode.API_ERROR
    assert "1 to 1 are allowed" in result.stderr
    assert f"gradient-async batch retry {gradient.batches.jobs[0].id} {source}" in result.stderr
    assert "delete" not in result.stderr


def test_a_run_finds_the_job_of_its_input_under_another_output(
    gradient: Emulator, invoke: Invoke, source: Path, tmp_path: Path
) -> None:
    for name in ("one.jsonl", "two.jsonl"):
        result = invoke("batch", "run", str(source), "--every", "0.02", "-o", str(tmp_path / name))
        assert result.exit_code == ExitCode.OK
    assert len(gradient.batches.jobs) == 1
    assert str(tmp_path / "one.jsonl.journal") in result.stderr
    assert ids((tmp_path / "two.jsonl").read_text()) == ids((tmp_path / "one.jsonl").read_text())
    journal = str(tmp_path / "new.journal")
    assert invoke("batch", "run", str(source), "--every", "0.02", "--journal", journal).exit_code == ExitCode.OK
    assert len(gradient.batches.jobs) == 2


def test_a_run_works_without_a_folder_for_its_state(
    gradient: Emulator, invoke: Invoke, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    for _ in range(2):
        assert invoke("batch", "run", str(source), "--every", "0.02").exit_code == ExitCode.OK
    assert len(gradient.batches.jobs) == 1


@pytest.mark.parametrize("option", ["-o", "--errors"])
def test_a_run_that_could_not_save_sends_nothing(gradient: Emulator, invoke: Invoke, source: Path, option: str) -> None:
    result = invoke("batch", "run", str(source), option, os.devnull)
    assert (result.exit_code, "not a plain file" in result.stderr) == (ExitCode.USAGE, True)
    assert gradient.requests == []


def test_a_run_that_cannot_save_names_file_journal_job_and_command(
    gradient: Emulator, invoke: Invoke, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    output = tmp_path / "out.jsonl"
    command = ["batch", "run", str(source), "--every", "0.02", "-o", str(output)]
    with monkeypatch.context() as context:
        context.setattr(result_download, "write_all", fail)
        result = invoke(*command)
    assert result.exit_code == ExitCode.API_ERROR
    for text in ("No space left", repr(str(output)), f"{output}.journal", gradient.batches.jobs[0].id, "batch run"):
        assert text in result.stderr
    assert invoke(*command).exit_code == ExitCode.OK
    assert len(gradient.batches.jobs) == 1


def test_a_replaced_key_is_told_the_journal_and_the_job(
    gradient: Emulator, invoke: Invoke, source: Path, completed_job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_ACCESS_KEY", "rotated")
    result = invoke("batch", "run", str(source), "--every", "0.02")
    assert result.exit_code == ExitCode.USAGE
    assert completed_job in result.stderr
    assert "in.results.jsonl.journal" in result.stderr
    assert len(gradient.batches.jobs) == 1


def test_missing_requests_are_shown_and_make_a_partial_failure(
    gradient: Emulator, invoke: Invoke, source: Path
) -> None:
    gradient.batches.drop_line("r2")
    result = invoke("batch", "run", str(source), "--every", "0.02", "--json")
    assert result.exit_code == ExitCode.PARTIAL
    assert "missing: r2" in result.stderr
    assert json.loads(result.stdout)["report"]["missing"] == ["r2"]


def test_retry_requests_only_what_has_no_response(
    gradient: Emulator, invoke: Invoke, source: Path, tmp_path: Path
) -> None:
    gradient.batches.drop_line("r2")
    gradient.batches.fail_line("r3", status=500)
    gradient.batches.fail_line("r4", status=400, times=None)
    invoke("batch", "run", str(source), "--every", "0.02")
    first = gradient.batches.jobs[0].id
    for _ in range(2):
        result = invoke("batch", "retry", first, str(source), "--every", "0.02", "--skip-status", "400")
        assert result.exit_code == ExitCode.OK
    assert ids((tmp_path / f"in.retry-{first[:8]}.results.jsonl").read_text()) == ["r2", "r3"]
    assert len(gradient.batches.jobs) == 2
    assert invoke("batch", "retry", first, str(source), "--every", "0.02").exit_code == ExitCode.USAGE


def test_a_job_that_failed_as_a_whole_is_retried_as_another_job(
    gradient: Emulator, invoke: Invoke, source: Path
) -> None:
    gradient.batches.max_requests = 1
    for command in (["run"], ["retry", "FIRST"]):
        gradient.batches.max_requests = 1 if command == ["run"] else 50_000
        named = [gradient.batches.jobs[0].id if part == "FIRST" else part for part in command]
        result = invoke("batch", *named, str(source), "--every", "0.02")
    assert result.exit_code == ExitCode.OK
    assert len(gradient.batches.jobs) == 2


def test_report_compares_a_job_with_its_input(gradient: Emulator, invoke: Invoke, source: Path) -> None:
    gradient.batches.fail_line("r1", status=400)
    gradient.batches.drop_line("r2")
    invoke("batch", "run", str(source), "--every", "0.02")
    batch_id = gradient.batches.jobs[0].id
    result = invoke("batch", "report", batch_id, str(source))
    assert result.exit_code == ExitCode.PARTIAL
    assert "4 succeeded, 1 failed, 1 missing" in result.stdout
    assert "failed: r1" in result.stderr
    summary = json.loads(invoke("batch", "report", batch_id, str(source), "--json").stdout)
    assert (summary["failed"], summary["missing"], summary["succeeded"]) == (["r1"], ["r2"], 4)
    assert summary["tokens"]["total"] > 0


def test_an_interrupted_run_is_resumed_by_the_same_command(
    gradient: Emulator, start: Start, source: Path, tmp_path: Path, wait_until: WaitUntil
) -> None:
    gradient.batches.seconds = 600
    command = ["batch", "run", str(source), "--every", "0.02"]
    first = start(*command)
    wait_until(lambda: gradient.batches.jobs)
    wait_until(lambda: any(request.method == "GET" for request in gradient.requests))
    first.send_signal(signal.SIGINT)
    _, notes = first.communicate(timeout=HANG_SECONDS)
    assert first.returncode == ExitCode.INTERRUPTED
    assert f"run the same command to resume it: gradient-async batch run {source}" in notes
    while not gradient.batches.jobs[0].finished:
        gradient.batches.advance()
    second = start(*command)
    assert second.wait(timeout=HANG_SECONDS) == 0
    assert len(gradient.batches.jobs) == 1
    assert len(ids((tmp_path / "in.results.jsonl").read_text())) == 6


STAGES = {
    "stdin": (None, "before anything was submitted"),
    "announce": ("/v1/batches/files", "while submitting"),
    "upload": ("/inputs/*", "while submitting"),
    "create": ("/v1/batches", "while submitting"),
    "poll": ("/v1/batches/????????-*", "The submitted job continues"),
    "links": ("/v1/batches/*/results", "The submitted job continues"),
    "download": ("/outputs/*", "The submitted job continues"),
}


@pytest.mark.parametrize("stage", STAGES)
def test_ctrl_c_ends_a_run_at_every_stage_with_the_command_that_goes_on(
    stage: str, gradient: Emulator, start: Start, source: Path, wait_until: WaitUntil
) -> None:
    path, outcome = STAGES[stage]
    if path is not None:
        gradient.stall(60, times=None, path=path)
    read_end, write_end = os.pipe()
    process = start("batch", "run", "-" if path is None else str(source), "--every", "0.02", stdin=read_end)
    os.close(read_end)
    if path is None:
        os.write(write_end, line("a").encode() * 20_000)  # more than a pipe holds: it returns when stdin is being read
    else:
        wait_until(
            lambda: any(fnmatchcase(each.path, path) for each in (*gradient.requests, *gradient.storage.requests))
        )
    process.send_signal(signal.SIGINT)
    _, notes = process.communicate(timeout=HANG_SECONDS)
    os.close(write_end)
    assert process.returncode == ExitCode.INTERRUPTED
    assert "Interrupted" in notes
    assert outcome in notes
    assert "gradient-async batch run" in notes
    assert "Traceback" not in notes


# Rows.


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Three rows of a table, one of which cannot be sent."""
    path = tmp_path / "words.csv"
    path.write_text("id,word\na7,Haus\nb8,\nc9,Katze\n")
    return path


ROW_OPTIONS = ("--template", "Translate: {word}", "--model", "openai-gpt-5.4-mini")


def test_rows_of_a_table_become_a_batch(gradient: Emulator, invoke: Invoke, table: Path) -> None:
    table.write_text(table.read_text().replace("b8,\n", ""))
    gradient.batches.fail_line("c9", status=500)
    run = invoke("batch", "run", str(table), *ROW_OPTIONS, "--system", "Be brief.", "--every", "0.02")
    assert run.exit_code == ExitCode.PARTIAL
    assert ids((table.parent / "words.csv.results.jsonl").read_text()) == ["a7"]
    (job,) = gradient.batches.jobs
    first = json.loads(job.execution.source.read_text().splitlines()[0])
    assert [each["content"] for each in first["body"]["messages"]] == ["Be brief.", "Translate: Haus"]
    rows = (*ROW_OPTIONS, "--system", "Be brief.")
    assert "1 succeeded, 1 failed, 0 missing" in invoke("batch", "report", job.id, str(table), *rows).stdout
    again = invoke("batch", "retry", job.id, str(table), *rows, "--every", "0.02")
    assert again.exit_code == ExitCode.OK
    assert ids(gradient.batches.jobs[1].execution.source.read_text()) == ["c9"]


def test_rows_of_stdin_become_a_batch(gradient: Emulator, invoke: Invoke) -> None:
    assert invoke("batch", "submit", "-", "-m", "m", stdin="One?\nTwo?\n").exit_code == ExitCode.OK
    assert ids(gradient.batches.jobs[0].execution.source.read_text()) == ["request-0", "request-1"]


def test_the_model_of_the_environment_is_for_rows_only(
    gradient: Emulator, invoke: Invoke, source: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--model must name a model" in invoke("batch", "submit", str(table), "--columns", "word").stderr
    monkeypatch.setenv("GRADIENT_MODEL", "mine")
    assert invoke("batch", "submit", str(source)).exit_code == ExitCode.OK
    table.write_text("word\nHaus\n")
    assert invoke("batch", "submit", str(table), "--columns", "word").exit_code == ExitCode.OK
    models = [
        json.loads(job.execution.source.read_text().splitlines()[0])["body"]["model"] for job in gradient.batches.jobs
    ]
    assert models == ["llama3.3-70b-instruct", "mine"]


def test_validate_lists_the_rows_that_cannot_be_sent(invoke: Invoke, table: Path) -> None:
    result = invoke("batch", "validate", str(table), *ROW_OPTIONS)
    assert result.exit_code == ExitCode.USAGE
    assert result.stdout == "Row 2 (id 'b8') has nothing in the column 'word', which the template needs.\n"


def test_a_dry_run_counts_and_sends_nothing(gradient: Emulator, invoke: Invoke, source: Path, table: Path) -> None:
    result = invoke("batch", "run", str(source), "--dry-run")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (ExitCode.OK, "requests: 6")
    numbers = json.loads(invoke("batch", "run", str(source), "--dry-run", "--json").stdout)
    assert (numbers["requests"], numbers["jobs"]) == (6, 1)
    assert numbers["prompt_tokens"] > 6 * 20
    refused = invoke("batch", "run", str(table), *ROW_OPTIONS, "--dry-run")
    assert (refused.exit_code, "Row 2 (id 'b8')" in refused.stdout) == (ExitCode.USAGE, True)
    assert gradient.requests == []


@pytest.mark.parametrize(
    ("text", "options", "hint"),
    [
        ("What?\n", (), "gradient-async map; with --model MODEL"),
        ('{"messages": [{"role": "user", "content": "Hi"}]}\n', (), "gradient-async map; with --model MODEL"),
        ('{"custom_id": "a", "params": {}}\n', (), "pass --provider anthropic"),
        (line("a"), ("--endpoint", "/v1/responses"), "pass --endpoint /v1/chat/completions"),
        ('{"q": 1}\n', (), "--template or --columns"),
    ],
)
def test_validate_names_what_an_input_is_meant_for(
    invoke: Invoke, source: Path, text: str, options: tuple[str, ...], hint: str
) -> None:
    source.write_text(text)
    result = invoke("batch", "validate", str(source), *options)
    assert result.exit_code == ExitCode.USAGE
    assert hint in result.stderr


def test_an_invalid_input_is_a_usage_error_with_its_lines(gradient: Emulator, invoke: Invoke, source: Path) -> None:
    source.write_text(line("a") + line(""))
    result = invoke("batch", "submit", str(source))
    assert result.exit_code == ExitCode.USAGE
    assert "Line 2: field 'custom_id' is empty." in result.stderr
    assert gradient.requests == []


def test_submit_prints_the_id(gradient: Emulator, invoke: Invoke, source: Path) -> None:
    result = invoke("batch", "submit", str(source), "--metadata", "team=x", "--metadata", "run=1")
    (job,) = gradient.batches.jobs
    assert result.stdout.strip() == job.id
    assert job.request["metadata"] == {"team": "x", "run": "1"}


def test_metadata_without_a_value_is_a_usage_error(gradient: Emulator, invoke: Invoke, source: Path) -> None:
    result = invoke("batch", "submit", str(source), "--metadata", "team")
    assert (result.exit_code, "team=VALUE" in result.stderr, gradient.requests) == (ExitCode.USAGE, True, [])


def test_submit_reads_stdin(gradient: Emulator, invoke: Invoke) -> None:
    assert invoke("batch", "submit", "-", "--json", stdin=line("a")).exit_code == ExitCode.OK
    assert len(gradient.batches.jobs) == 1


def test_status_and_wait_show_a_job(gradient: Emulator, invoke: Invoke, completed_job: str) -> None:
    shown = invoke("batch", "status", completed_job).stdout.split("\t")
    assert shown[:5] == [completed_job, "completed", "6", "0", "6"]
    waited = invoke("batch", "wait", completed_job, "--json")
    assert json.loads(waited.stdout)["status"] == "completed"


def test_wait_of_a_job_that_failed_is_an_error(gradient: Emulator, invoke: Invoke, source: Path) -> None:
    gradient.batches.max_requests = 1
    batch_id = invoke("batch", "submit", str(source)).stdout.strip()
    result = invoke("batch", "wait", batch_id, "--every", "0.02")
    assert (result.exit_code, "ended as failed" in result.stderr) == (ExitCode.API_ERROR, True)


def test_results_are_lines_on_stdout(gradient: Emulator, invoke: Invoke, completed_job: str) -> None:
    result = invoke("batch", "results", completed_job)
    assert result.exit_code == ExitCode.OK
    assert ids(result.stdout) == [f"r{number}" for number in range(6)]


def test_results_can_be_saved(gradient: Emulator, invoke: Invoke, completed_job: str, tmp_path: Path) -> None:
    result = invoke("batch", "results", completed_job, "-o", str(tmp_path / "saved.jsonl"))
    assert result.exit_code == ExitCode.OK
    assert len(ids((tmp_path / "saved.jsonl").read_text())) == 6
    assert invoke("batch", "results", completed_job, "--errors", "x").exit_code == ExitCode.USAGE


def test_cancel_prints_the_new_status(gradient: Emulator, invoke: Invoke, source: Path) -> None:
    gradient.batches.seconds = 30
    batch_id = invoke("batch", "submit", str(source)).stdout.strip()
    assert invoke("batch", "cancel", batch_id).stdout.split("\t")[1] in ("cancelling", "cancelled")


def test_cancel_of_an_ended_job_is_an_api_error(gradient: Emulator, invoke: Invoke, completed_job: str) -> None:
    assert invoke("batch", "cancel", completed_job).exit_code == ExitCode.API_ERROR


def test_list_is_newest_first_and_bounded(gradient: Emulator, invoke: Invoke, source: Path) -> None:
    made = [invoke("batch", "submit", str(source)).stdout.strip() for _ in range(3)]
    shown = [each.split("\t")[0] for each in invoke("batch", "list", "-n", "2").stdout.splitlines()]
    assert shown == made[:0:-1]
    assert json.loads(invoke("batch", "list", "-n", "1", "--json").stdout)["batch_id"] == made[-1]


HEADER = ["id", "status", "completed", "failed", "total", "created"]


def test_a_list_has_a_header_in_a_terminal_only(
    gradient: Emulator, invoke: Invoke, source: Path, start_in_terminal: StartInTerminal
) -> None:
    made = invoke("batch", "submit", str(source)).stdout.strip()
    shown, _ = start_in_terminal("batch", "list")
    heading, line = shown.splitlines()
    assert (heading.split(), line.split()[0]) == (HEADER, made)
    assert heading.index("status") == line.index(line.split()[1])
    piped = invoke("batch", "list")
    assert (piped.stdout.split("\t")[0], piped.stderr) == (made, "")
    hidden, _ = start_in_terminal("batch", "list", "--no-header")
    assert hidden.split()[0] == made


def test_validate_lists_every_fault(invoke: Invoke, source: Path) -> None:
    source.write_text(line("a") + "{\n" + line("a"))
    result = invoke("batch", "validate", str(source))
    assert result.exit_code == ExitCode.USAGE
    assert [each.split(":")[0] for each in result.stdout.splitlines()] == ["Line 2", "Line 3"]
    report = json.loads(invoke("batch", "validate", str(source), "--json").stdout)
    assert (report["ok"], report["total"], report["requests"]) == (False, 2, 3)


def test_validate_needs_no_key(invoke: Invoke, source: Path) -> None:
    result = invoke("batch", "validate", str(source), "--split")
    assert (result.exit_code, result.stdout) == (ExitCode.OK, "")
    assert "6 requests" in result.stderr


def test_bars_show_every_stage(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBars(open_rich_bars()) as bars:
        bars.show_step(BatchStep("upload", 1, 2))
        bars.show_job(Batch(batch_id="b", status="in_progress"))
        bars.show_download(1, 2)
    shown = capsys.readouterr().err
    assert all(word in shown for word in ("uploaded 1 B of 2 B", "in_progress", "results"))


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2e9, "2.0 GB")])
def test_a_size_has_a_unit(count: float, text: str) -> None:
    assert format_size(count) == text
