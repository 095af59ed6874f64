"""Responses that are files, or JSON that holds one."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import GradientError, ResponseDecodeError
from gradient_async._protocol.http.media_body import read_media_file, sniff_type

WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "
ENCODED = base64.b64encode(WAV).decode()


@pytest.mark.parametrize(
    ("value", "content_type"),
    [
        ({"data": [{"b64_json": ENCODED}]}, "audio/wav"),
        ({"created": 1, "data": [{"index": 0}, {"b64_json": ENCODED, "content_type": "audio/x-wav"}]}, "audio/x-wav"),
        ({"data": [{"b64_json": ENCODED}], "mime_type": "audio/wave"}, "audio/wave"),
        ({"data": [{"b64_json": ENCODED, "media_type": "wav"}]}, "audio/wav"),
        ({"data": [{"b64_json": f"data:audio/vnd.wave;base64,{ENCODED}"}]}, "audio/vnd.wave"),
        ({"data": [{"b64_json": "\n".join(ENCODED)}]}, "audio/wav"),
        ({"data": {"b64_json": ENCODED}}, "audio/wav"),
        ({"b64_json": ENCODED}, "audio/wav"),
        ({"audio": {"format": "wav", "b64_json": ENCODED}}, "audio/wav"),
    ],
)
def test_a_file_in_json_is_found_with_its_type(value: dict[str, Any], content_type: str) -> None:
    file = read_media_file(json.dumps(value).encode(), "application/json; charset=utf-8")
    assert (file.content, file.content_type, file.raw) == (WAV, content_type, value)


@pytest.mark.parametrize("stated", ["", "application/octet-stream", "binary/octet-stream", "text/plain", "audio/mpeg"])
def test_json_is_read_whatever_its_content_type(stated: str) -> None:
    assert read_media_file(b'  {"data": [{"b64_json": "%b"}]}' % ENCODED.encode(), stated).content == WAV


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"ID3\x04", "audio/mpeg"),
        (b"\xff\xfb\x90", "audio/mpeg"),
        (b"\xff\xf1\x50", "audio/aac"),
        (WAV, "audio/wav"),
        (b"OggS\x00", "audio/ogg"),
        (b"fLaC\x00", "audio/flac"),
        (b"\x00\x00\x00\x20ftypisom", "video/mp4"),
        (b"\x1aE\xdf\xa3", "video/webm"),
        (b"\x89PNG\r\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBP", "image/webp"),
        (b"RIFF\x00\x00", "application/octet-stream"),
        (b"", "application/octet-stream"),
        (b"\n\n\n\n", "application/octet-stream"),
    ],
)
def test_the_first_bytes_show_the_type(content: bytes, kind: str) -> None:
    assert sniff_type(content) == kind


@pytest.mark.parametrize("stated", ["", "application/octet-stream"])
def test_a_type_that_says_nothing_is_replaced(stated: str) -> None:
    assert read_media_file(WAV, stated).content_type == "audio/wav"
    assert read_media_file(WAV, "audio/x-custom").content_type == "audio/x-custom"


def test_a_file_deep_inside_json_is_found() -> None:
    body = b'{"a":[' * 400 + b'{"b64_json": "%b"}' % ENCODED.encode() + b"]}" * 400
    assert read_media_file(body, "application/json").content == WAV


def test_an_address_in_place_of_the_file_stays_readable() -> None:
    with pytest.raises(ResponseDecodeError, match="JSON without a file") as caught:
        read_media_file(b'{"data": [{"url": "https://files.example/a.mp3"}]}', "application/json")
    assert "https://files.example/a.mp3" in caught.value.body


@given(st.binary(max_size=40), st.sampled_from(["", "audio/mpeg", "application/json", "text/html; q=1", "é", ";"]))
def test_any_body_is_a_file_or_an_error_of_ours(body: bytes, content_type: str) -> None:
    try:
        file = read_media_file(body, content_type)
    except GradientError:
        return
    assert file.content == body != b""


@given(st.binary(min_size=1), st.recursive(st.none() | st.integers(), lambda inner: st.lists(inner, max_size=2)))
def test_base64_anywhere_in_json_gives_its_bytes(content: bytes, other: Any) -> None:
    value = {"other": other, "data": [{"b64_json": base64.b64encode(content).decode()}]}
    assert read_media_file(json.dumps(value).encode(), "application/json").content == content
