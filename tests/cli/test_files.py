"""``image`` and ``speech``: files, bytes on stdout, JSON; ``embed``: vectors of arguments and of lines."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from gradient_async.cli.exit_codes import ExitCode
from gradient_async.testing import Emulator, Reply
from tests.support.cli import Invoke, StartInTerminal

PNG = b"\x89PNG"


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# speech


def test_speech_without_a_file_goes_to_stdout_as_bytes(gradient: Emulator, invoke: Invoke) -> None:
    result = invoke("speech", "Hello there", "--voice", "alloy", "--instructions", "Slowly.")
    assert (result.exit_code, result.stdout_bytes[:4]) == (0, b"RIFF")
    assert gradient.requests[0].json == {
        "model": "qwen3-tts-voicedesign",
        "input": "Hello there",
        "voice": "alloy",
        "instructions": "Slowly.",
    }


def test_speech_writes_a_file_and_asks_for_its_format(gradient: Emulator, invoke: Invoke, tmp_path: Path) -> None:
    target = tmp_path / "hello.mp3"
    result = invoke("speech", "-m", "tts", "-o", str(target), stdin="Hello from a pipe")
    assert (result.exit_code, result.stdout_bytes) == (0, b"")
    assert target.read_bytes()[:4] == b"RIFF"
    assert "audio/wav, " in result.stderr
    assert "the model sent another format than the name says" in result.stderr
    assert gradient.requests[0].json == {"model": "tts", "input": "Hello from a pipe", "response_format": "mp3"}


def test_speech_as_json_names_the_file_or_holds_the_audio(gradient: Emulator, invoke: Invoke, tmp_path: Path) -> None:
    whole = json.loads(invoke("speech", "Hello", "--json").stdout)
    assert base64.b64decode(whole["b64_json"])[:4] == b"RIFF"
    target = tmp_path / "hello.wav"
    named = json.loads(invoke("speech", "Hello", "--json", "-o", str(target), "--format", "wav").stdout)
    assert named == {
        "content_type": "audio/wav",
        "size": len(target.read_bytes()),
        "request_id": gradient.requests[-1].request_id,
        "file": str(target),
    }
    assert whole["size"] == named["size"]


# image


def test_an_image_without_a_file_goes_to_stdout_as_bytes(gradient: Emulator, invoke: Invoke) -> None:
    result = invoke("image", "A cute otter", "--size", "256x256")
    assert (result.exit_code, result.stdout_bytes[:4]) == (0, PNG)
    assert gradient.requests[0].json == {
        "model": "openai-gpt-image-1",
        "prompt": "A cute otter",
        "n": 1,
        "size": "256x256",
    }


def test_several_images_are_numbered_files(gradient: Emulator, invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("image", "An otter", "-n", "2", "-o", str(tmp_path / "otter.jpg"), "--size", "256x256")
    assert (result.exit_code, result.stdout) == (0, "")
    assert names_in(tmp_path) == ["otter-1.jpg", "otter-2.jpg"]
    assert (tmp_path / "otter-1.jpg").read_bytes()[:4] == PNG
    assert gradient.requests[0].json["output_format"] == "jpeg"
    assert result.stderr.count("the model sent another format than the name says") == 2


def test_images_as_json_name_their_files_or_hold_the_images(gradient: Emulator, invoke: Invoke, tmp_path: Path) -> None:
    whole = json.loads(invoke("image", "An otter", "-n", "2", "--json", "--size", "256x256").stdout)
    assert [base64.b64decode(item["b64_json"])[:4] for item in whole["data"]] == [PNG, PNG]
    target = tmp_path / "otter.png"
    named = json.loads(invoke("image", "An otter", "--json", "-o", str(target), "--size", "256x256").stdout)
    assert named["data"] == [{"file": str(target)}]
    assert named["usage"]["output_tokens"] > 0
    assert named["request_id"] == gradient.requests[-1].request_id


# both


@pytest.mark.parametrize("command", ["image", "speech"])
@pytest.mark.parametrize(
    ("args", "stdin", "problem"),
    [
        ([], "", "The prompt is empty"),
        (["-"], " \n", "The prompt is empty"),
        (["Hi", "-o", "no/such/folder/a.png"], "", "the directory 'no/such/folder' does not exist"),
        (["Hi", "-o", "."], "", "is a directory"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_sent(
    gradient: Emulator, invoke: Invoke, command: str, args: list[str], stdin: str, problem: str
) -> None:
    result = invoke(command, *args, stdin=stdin)
    assert result.exit_code == ExitCode.USAGE
    assert problem in result.stderr
    assert gradient.requests == []


def test_several_images_need_a_file(gradient: Emulator, invoke: Invoke) -> None:
    result = invoke("image", "An otter", "-n", "2")
    assert result.exit_code == ExitCode.USAGE
    assert gradient.requests == []


@pytest.mark.parametrize("command", ["image", "speech"])
def test_bytes_do_not_go_to_a_terminal(gradient: Emulator, start_in_terminal: StartInTerminal, command: str) -> None:
    _, code = start_in_terminal(command, "Hi")
    assert code == ExitCode.USAGE
    assert gradient.requests == []


@pytest.mark.parametrize("command", ["image", "speech"])
def test_a_refusal_is_an_api_error_and_writes_no_file(
    gradient: Emulator, invoke: Invoke, command: str, tmp_path: Path
) -> None:
    gradient.fail(status=403, times=None)
    target = tmp_path / "a.png"
    result = invoke(command, "Hi", "-o", str(target))
    assert (result.exit_code, result.stdout) == (ExitCode.API_ERROR, "")
    assert not target.exists()


# embed


def test_embed_prints_one_vector_a_line(gradient: Emulator, invoke: Invoke) -> None:
    result = invoke("embed", "one", "two", "one", "-m", "e")
    one, two, three = map(json.loads, result.stdout.splitlines())
    assert (result.exit_code, one, len(two)) == (0, three, 8)
    assert gradient.requests[0].json == {"model": "e", "input": ["one", "two", "one"]}


def test_embed_takes_each_line_of_a_pipe(gradient: Emulator, invoke: Invoke, tmp_path: Path) -> None:
    target = tmp_path / "vectors.jsonl"
    result = invoke("embed", "--json", "-o", str(target), stdin="one\n\ntwo\n")
    assert (result.exit_code, result.stdout) == (0, "")
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert [(row["index"], row["text"], len(row["embedding"])) for row in rows] == [(0, "one", 8), (1, "two", 8)]
    assert gradient.requests[0].json["model"] == "qwen3-embedding-0.6b"


def test_texts_that_fail_are_told_and_make_a_partial_failure(gradient: Emulator, invoke: Invoke) -> None:
    gradient.on_request(lambda request: None if "bad" not in request.json["input"] else _refuse())
    result = invoke("embed", "good", "bad", "fine")
    assert result.exit_code == ExitCode.PARTIAL
    vectors = [json.loads(line) for line in result.stdout.splitlines()]
    assert [vector is None for vector in vectors] == [False, True, False]
    assert "Text 2 failed: " in result.stderr
    as_json = [json.loads(line) for line in invoke("embed", "good", "bad", "--json").stdout.splitlines()]
    assert "embedding" in as_json[0]
    assert "no such words" in as_json[1]["error"]


def _refuse() -> Reply:
    return Reply(status=400, body=b'{"id": "bad_request", "message": "no such words"}')


def test_a_refused_key_ends_embed(gradient: Emulator, invoke: Invoke) -> None:
    gradient.fail(status=403, times=None)
    result = invoke("embed", "one")
    assert (result.exit_code, result.stdout) == (ExitCode.API_ERROR, "null\n")


def test_embed_keeps_an_older_file_until_there_is_a_vector(gradient: Emulator, invoke: Invoke, tmp_path: Path) -> None:
    target = tmp_path / "vectors.jsonl"
    target.write_text("older")
    assert invoke("embed", "-o", str(target), stdin="\n").exit_code == ExitCode.USAGE
    assert target.read_text() == "older"


def test_embed_without_texts_is_a_usage_error(gradient: Emulator, invoke: Invoke) -> None:
    result = invoke("embed", stdin="\n\n")
    assert (result.exit_code, result.stdout) == (ExitCode.USAGE, "")
    assert "The input is empty" in result.stderr
    assert gradient.requests == []
