"""``video``: starting, waiting, saving, and going on after an interruption."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from gradient_async.cli.exit_codes import ExitCode
from gradient_async.testing import Emulator
from tests.support.cli import Invoke, Serve


@pytest.fixture
def gradient(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An emulator whose videos are ready at once."""
    with serve(Emulator(video_seconds=0)) as emulator:
        monkeypatch.setenv("GRADIENT_INFERENCE_ENDPOINT", emulator.url)
        monkeypatch.setenv("MODEL_ACCESS_KEY", "sk-secret")
        yield emulator


def test_a_video_is_saved_and_described(gradient: Emulator, invoke: Invoke, tmp_path: Path) -> None:
    target = tmp_path / "waves.mp4"
    result = invoke("video", "Waves", "--size", "1280x720", "--fps", "16", "-o", str(target), "--json")
    assert result.exit_code == 0
    assert target.read_bytes()[4:8] == b"ftyp"
    video = json.loads(result.stdout)
    assert (video["status"], video["file"]) == ("completed", str(target))
    assert f"{video['id']}: completed" in result.stderr
    assert gradient.requests[0].json == {
        "model": "wan2-2-t2v-a14b",
        "prompt": "Waves",
        "size": "1280x720",
        "fps": 16,
    }


def test_a_time_limit_names_the_command_that_goes_on(
    serve: Serve, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MODEL_ACCESS_KEY", "sk-secret")
    target = tmp_path / "waves.mp4"
    with serve(Emulator(video_seconds=60)) as slow:
        result = invoke("video", "Waves", "-o", str(target), "--timeout", "0.05", "--base-url", slow.url)
    assert (result.exit_code, result.stdout) == (ExitCode.API_ERROR, "")
    assert "The video has not ended within the timeout" in result.stderr
    assert f"-o {target} --base-url {slow.url}" in result.stderr
    assert not target.exists()


def test_an_interrupted_video_is_waited_for_by_its_id(gradient: Emulator, invoke: Invoke, tmp_path: Path) -> None:
    target = tmp_path / "my waves.mp4"
    gradient.fail(403, path="/v1/videos/*")
    failed = invoke("video", "-o", str(target), stdin="Waves")
    assert failed.exit_code == ExitCode.API_ERROR
    words = shlex.split(failed.stderr.partition("waits for the same video again: ")[2].splitlines()[0])
    assert words[:2] == ["gradient-async", "video"]
    assert invoke(*words[1:]).exit_code == 0
    assert target.read_bytes()[4:8] == b"ftyp"
    assert [request.method for request in gradient.requests].count("POST") == 1


def test_a_failed_video_is_an_api_error_with_its_reason(gradient: Emulator, invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("video", "Waves", "-m", "fail-now", "-o", str(tmp_path / "a.mp4"))
    assert (result.exit_code, result.stdout) == (ExitCode.API_ERROR, "")
    assert "The model could not make a video" in result.stderr
    assert not (tmp_path / "a.mp4").exists()


@pytest.mark.parametrize(
    "args", [["Waves"], ["Waves", "-o", "no/such/folder/a.mp4"], ["Waves", "-o", os.devnull], ["-o", "a.mp4"]]
)
def test_what_cannot_work_is_refused_before_anything_is_sent(
    gradient: Emulator, invoke: Invoke, args: list[str]
) -> None:
    assert invoke("video", *args).exit_code == ExitCode.USAGE
    assert gradient.requests == []
