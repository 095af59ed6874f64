"""``batch``: every step, the interruption of a run, and what goes where."""

from __future__ import annotations

import json
import signal

import pytest

from gradient_async import Batch, BatchStep
from gradient_async.cli.batch.progress_view import BarView, format_size
from gradient_async.cli.exit_codes import ExitCode

CHAT = "/v1/chat/completions"


def line(custom_id, **fields):
    body = {"model": "llama3.3-70b-instruct", "messages": [{"role": "user", "content": "Hello"}]}
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": CHAT, "body": body, **fields}) + "\n"


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text("".join(line(f"r{number}") for number in range(6)))
    return path


@pytest.fixture
def submitted(gradient, invoke, source):
    """The id of a job that is complete."""
    return invoke("batch", "run", str(source), "--every", "0.02", "--json").stdout and gradient.batches.jobs[0].id


def ids(text):
    return sorted(json.loads(each)["custom_id"] for each in text.splitlines())


def test_run_leaves_the_results_and_prints_where(gradient, invoke, source, tmp_path):
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
def test_run_never_writes_over_one_of_its_own_files(gradient, invoke, source, files, monkeypatch):
    monkeypatch.chdir(source.parent)
    before = source.read_text()
    result = invoke("batch", "run", str(source), *files, "--every", "0.02")
    assert (result.exit_code, "are the same file" in result.stderr) == (ExitCode.USAGE, True)
    assert (source.read_text(), gradient.requests) == (before, [])


def test_run_again_is_the_same_job(gradient, invoke, source):
    for _ in range(2):
        assert invoke("batch", "run", str(source), "--every", "0.02").exit_code == ExitCode.OK
    assert len(gradient.batches.jobs) == 1


def test_run_with_failures_is_a_partial_failure(gradient, invoke, source, tmp_path):
    gradient.batches.fail_line("r2", status=400)
    result = invoke("batch", "run", str(source), "--every", "0.02", "--json", "-o", str(tmp_path / "o.jsonl"))
    assert result.exit_code == ExitCode.PARTIAL
    said = json.loads(result.stdout)
    assert (said["status"], said["request_counts"]["failed"]) == ("completed", 1)
    assert ids((tmp_path / "o.errors.jsonl").read_text()) == ["r2"]


def test_run_of_a_job_that_fails_says_how_to_begin_anew(gradient, invoke, source, tmp_path):
    gradient.batches.max_requests = 1
    result = invoke("batch", "run", str(source), "--every", "0.02")
    assert result.exit_code == ExitCode.API_ERROR
    assert "1 to 1 are allowed" in result.stderr
    assert f"{tmp_path / 'in.results.jsonl.journal'} still refers to this job" in result.stderr


def test_run_that_is_interrupted_says_so_and_goes_on_with_the_same_command(
    gradient, start, source, tmp_path, wait_until
):
    gradient.batches.seconds = 3
    command = ["batch", "run", str(source), "--every", "0.02"]
    first = start(*command)
    wait_until(lambda: gradient.batches.jobs)
    wait_until(lambda: any(request.method == "GET" for request in gradient.requests))
    first.send_signal(signal.SIGINT)
    _, said = first.communicate(timeout=5)
    assert first.returncode == ExitCode.INTERRUPTED
    assert "run the same command to resume it" in said
    second = start(*command)
    assert second.wait(timeout=15) == 0
    assert len(gradient.batches.jobs) == 1
    assert len(ids((tmp_path / "in.results.jsonl").read_text())) == 6


def test_an_invalid_input_is_a_usage_error_with_its_lines(gradient, invoke, source):
    source.write_text(line("a") + line(""))
    result = invoke("batch", "submit", str(source))
    assert result.exit_code == ExitCode.USAGE
    assert "Line 2: field 'custom_id' is empty." in result.stderr
    assert gradient.requests == []


def test_submit_prints_the_id(gradient, invoke, source):
    result = invoke("batch", "submit", str(source), "--metadata", "team=x", "--metadata", "run=1")
    (job,) = gradient.batches.jobs
    assert result.stdout.strip() == job.id
    assert job.request["metadata"] == {"team": "x", "run": "1"}


def test_metadata_without_a_value_is_a_usage_error(gradient, invoke, source):
    result = invoke("batch", "submit", str(source), "--metadata", "team")
    assert (result.exit_code, "team=VALUE" in result.stderr, gradient.requests) == (ExitCode.USAGE, True, [])


def test_submit_reads_stdin(gradient, invoke):
    assert invoke("batch", "submit", "-", "--json", stdin=line("a")).exit_code == ExitCode.OK
    assert len(gradient.batches.jobs) == 1


def test_status_and_wait_show_a_job(gradient, invoke, submitted):
    shown = invoke("batch", "status", submitted).stdout.split("\t")
    assert shown[:5] == [submitted, "completed", "6", "0", "6"]
    waited = invoke("batch", "wait", submitted, "--json")
    assert json.loads(waited.stdout)["status"] == "completed"


def test_wait_of_a_job_that_failed_is_an_error(gradient, invoke, source):
    gradient.batches.max_requests = 1
    batch_id = invoke("batch", "submit", str(source)).stdout.strip()
    result = invoke("batch", "wait", batch_id, "--every", "0.02")
    assert (result.exit_code, "ended as failed" in result.stderr) == (ExitCode.API_ERROR, True)


def test_results_are_lines_on_stdout(gradient, invoke, submitted):
    result = invoke("batch", "results", submitted)
    assert result.exit_code == ExitCode.OK
    assert ids(result.stdout) == [f"r{number}" for number in range(6)]


def test_results_can_be_saved(gradient, invoke, submitted, tmp_path):
    result = invoke("batch", "results", submitted, "-o", str(tmp_path / "saved.jsonl"))
    assert result.exit_code == ExitCode.OK
    assert len(ids((tmp_path / "saved.jsonl").read_text())) == 6
    assert invoke("batch", "results", submitted, "--errors", "x").exit_code == ExitCode.USAGE


def test_cancel(gradient, invoke, source):
    gradient.batches.seconds = 30
    batch_id = invoke("batch", "submit", str(source)).stdout.strip()
    assert invoke("batch", "cancel", batch_id).stdout.split("\t")[1] in ("cancelling", "cancelled")


def test_cancel_of_what_has_ended_is_an_api_error(gradient, invoke, submitted):
    assert invoke("batch", "cancel", submitted).exit_code == ExitCode.API_ERROR


def test_list_is_newest_first_and_bounded(gradient, invoke, source):
    made = [invoke("batch", "submit", str(source)).stdout.strip() for _ in range(3)]
    shown = [each.split("\t")[0] for each in invoke("batch", "list", "-n", "2").stdout.splitlines()]
    assert shown == made[:0:-1]
    assert json.loads(invoke("batch", "list", "-n", "1", "--json").stdout)["batch_id"] == made[-1]


def test_validate_lists_every_fault(invoke, source):
    source.write_text(line("a") + "{\n" + line("a"))
    result = invoke("batch", "validate", str(source))
    assert result.exit_code == ExitCode.USAGE
    assert [each.split(":")[0] for each in result.stdout.splitlines()] == ["Line 2", "Line 3"]
    said = json.loads(invoke("batch", "validate", str(source), "--json").stdout)
    assert (said["ok"], said["total"], said["requests"]) == (False, 2, 3)


def test_validate_needs_no_key(invoke, source):
    result = invoke("batch", "validate", str(source), "--split")
    assert (result.exit_code, result.stdout) == (ExitCode.OK, "")
    assert "6 requests" in result.stderr


def test_bars_show_every_stage(capsys):
    with BarView() as bars:
        bars.show_step(BatchStep("upload", 1, 2))
        bars.show_job(Batch(batch_id="b", status="in_progress"))
        bars.show_download(1, 2)
    shown = capsys.readouterr().err
    assert all(word in shown for word in ("uploaded 1 B of 2 B", "in_progress", "results"))


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2e9, "2.0 GB")])
def test_sizes_are_for_people(count, text):
    assert format_size(count) == text
