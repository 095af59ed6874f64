"""``chat``: attachments, files with instructions, templates and free parameters become the request."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async.cli.attachments import MAX_ATTACHMENT_BYTES
from gradient_async.cli.exit_codes import ExitCode
from gradient_async.cli.prompt_template import fill_template
from gradient_async.cli.request_options import parse_value
from gradient_async.testing import Emulator
from tests.support.cli import Invoke, Start
from tests.support.waiting import HANG_SECONDS

PNG = b"\x89PNG\r\n\x1a\n\x00\x00"
IMAGES = {
    "image/png": PNG,
    "image/jpeg": b"\xff\xd8\xff\xe0\x00",
    "image/gif": b"GIF89a\x00",
    "image/webp": b"RIFF\x00\x00\x00\x00WEBPVP8 \xff",
}
REFUSED = {
    b"%PDF-1.7 text": "a PDF document",
    b"PK\x03\x04\xff\xff": "a ZIP archive",
    b"\x1f\x8b\x08\x00": "compressed",
    b"\x00\x00\x00\x18ftypheic\xff": "an HEIC image",
    b"\x00\x00\x00\x18ftypisom\xff": "a video",
    b"RIFF\x00\x00\x00\x00WAVE": "audio",
    b"II*\x00\xff": "a TIFF image",
    b"\x00\x01\x02": "neither",
    b"caf\xe9": "nor text in UTF-8",
    b"": "empty",
}


def sent_content(gradient: Emulator) -> Any:
    return gradient.requests[-1].json["messages"][-1]["content"]


@pytest.mark.parametrize(("media_type", "data"), IMAGES.items())
def test_an_attached_image_is_a_data_url_before_the_prompt(
    media_type: str, data: bytes, gradient: Emulator, invoke: Invoke, tmp_path: Path
) -> None:
    (tmp_path / "photo.bin").write_bytes(data)
    assert invoke("chat", "What is it?", "-a", str(tmp_path / "photo.bin")).exit_code == 0
    url = f"data:{media_type};base64,{base64.b64encode(data).decode()}"
    assert sent_content(gradient) == [
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "text", "text": "What is it?"},
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_attached_text_files_precede_the_prompt_as_text(
    encoding: str, gradient: Emulator, invoke: Invoke, tmp_path: Path
) -> None:
    (tmp_path / "one.md").write_text("# Één", encoding=encoding)
    (tmp_path / "two.py").write_text("BM = 1")
    invoke("chat", "Compare.", "-a", str(tmp_path / "one.md"), "--attach", str(tmp_path / "two.py"))
    assert sent_content(gradient) == "File one.md:\n\n# Één\n\nFile two.py:\n\nBM = 1\n\nCompare."


@pytest.mark.parametrize(("data", "reason"), REFUSED.items())
def test_a_file_of_another_type_is_refused_with_the_reason(
    data: bytes, reason: str, gradient: Emulator, invoke: Invoke, tmp_path: Path
) -> None:
    (tmp_path / "photo.png").write_bytes(data)
    result = invoke("chat", "What is it?", "-a", str(tmp_path / "photo.png"))
    assert (result.exit_code, gradient.requests) == (ExitCode.USAGE, [])
    assert reason in " ".join(result.stderr.split())


def test_a_file_that_is_too_large_is_refused(gradient: Emulator, invoke: Invoke, tmp_path: Path) -> None:
    with (tmp_path / "large.txt").open("wb") as file:
        file.truncate(MAX_ATTACHMENT_BYTES + 1)
    result = invoke("chat", "Hi", "-a", str(tmp_path / "large.txt"))
    assert (result.exit_code, "larger than 20 MiB" in result.stderr) == (ExitCode.USAGE, True)


def test_a_file_holds_the_system_instructions(gradient: Emulator, invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "system.md").write_text("Be brief.\n")
    invoke("chat", "Hi", "--system-file", str(tmp_path / "system.md"))
    assert gradient.requests[0].json["messages"][0] == {"role": "system", "content": "Be brief.\n"}
    assert invoke("chat", "Hi", "-s", "x", "--system-file", str(tmp_path / "system.md")).exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("template", "values", "prompt", "text"),
    [
        ("Translate into {language}: {text}", {"language": "French"}, "Good day", "Translate into French: Good day"),
        ("Review this {language}.\n", {"language": "C"}, "int x;", "Review this C.\n\nint x;"),
        ("Tell a joke.", {}, None, "Tell a joke."),
        ('{{"a": "{x}"}}', {"x": "{y}"}, None, '{"a": "{y}"}'),
        ("{text} and {text}", {}, "this", "this and this"),
        ("{text}", {"text": "given"}, "prompt", "given\n\nprompt"),
    ],
)
def test_a_template_is_filled(template: str, values: dict[str, str], prompt: str | None, text: str) -> None:
    assert fill_template(template, values, prompt) == text


@given(st.text())
def test_a_value_stays_as_it_is_in_any_template(value: str) -> None:
    assert fill_template("a {x} {{b}}", {"x": value}, None) == f"a {value} {{b}}"


@pytest.mark.parametrize(
    ("template", "values", "message"),
    [
        ("{a} {b} {a}", {"b": "1"}, "-p a=..."),
        ("Hello", {"a": "1"}, "has no {a}"),
        ("if (x) { y }}", {}, "a brace"),
        ("{}", {}, "a brace"),
    ],
)
def test_a_template_that_does_not_fit_is_refused(template: str, values: dict[str, str], message: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        fill_template(template, values, None)
    assert message in caught.value.message


def test_a_template_takes_the_prompt_and_the_values(gradient: Emulator, invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("Translate into {language}: {text}")
    invoke("chat", "Good day", "--template", str(tmp_path / "t.txt"), "-p", "language=French=fr")
    invoke("chat", "--template", str(tmp_path / "t.txt"), "-p", "language=French", stdin="Good night")
    contents = [seen.json["messages"][0]["content"] for seen in gradient.requests]
    assert contents == ["Translate into French=fr: Good day", "Translate into French: Good night"]


def test_text_that_is_piped_in_follows_a_template_without_a_place_for_it(
    gradient: Emulator, start: Start, tmp_path: Path
) -> None:
    (tmp_path / "t.txt").write_text("Review this.")
    process = start("chat", "--template", str(tmp_path / "t.txt"), stdin=subprocess.PIPE)
    process.communicate("int x;\n", timeout=HANG_SECONDS)
    assert sent_content(gradient) == "Review this.\n\nint x;\n"


def test_any_parameter_is_sent_as_json_or_text(gradient: Emulator, invoke: Invoke) -> None:
    pairs = ("top_p=0.5", 'stop=["END"]', "seed=7", "user=team-1", "reasoning_effort=low", "x_new={}", "x_none=null")
    result = invoke("chat", "Hi", *(part for pair in pairs for part in ("-o", pair)))
    assert result.exit_code == 0, result.output
    body = gradient.requests[0].json
    assert (body["top_p"], body["stop"], body["seed"], body["user"]) == (0.5, ["END"], 7, "team-1")
    assert (body["reasoning_effort"], body["x_new"], body["x_none"]) == ("low", {}, None)


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "yes", "{", "1 2", ""])
def test_a_value_that_is_not_json_is_text(text: str) -> None:
    assert parse_value(text) == text


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("-o", "top_p"), "-o name=value"),
        (("-o", "=1"), "-o name=value"),
        (("-o", "n=1", "-o", "n=2"), "given twice"),
        (("-o", "model=x"), "--model"),
        (("-o", "stream=false"), "--no-stream"),
        (("-o", "messages=[]"), "--system"),
        (("-p", "a=1"), "--template"),
        (("-a", "absent.png"), "does not exist"),
    ],
)
def test_wrong_inputs_are_usage_errors(args: tuple[str, ...], message: str, gradient: Emulator, invoke: Invoke) -> None:
    result = invoke("chat", "Hi", *args)
    assert (result.exit_code, gradient.requests) == (ExitCode.USAGE, [])
    assert message in " ".join(result.stderr.split())
