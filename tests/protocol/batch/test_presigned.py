"""Presigned URLs, the type to upload with, and errors of the storage host."""

from __future__ import annotations

from typing import Any

import pytest

from gradient_async import APIConnectionError, ProtocolError, RetryPolicy, UploadError
from gradient_async._protocol.batch.presigned import (
    CONTENT_TYPES,
    UrlPolicy,
    needs_new_url,
    next_content_type,
    signs_content_type,
    storage_error,
    storage_retry_delay,
)

PUBLIC = UrlPolicy("inference.do-ai.run")
LOCAL = UrlPolicy("127.0.0.1")
SIGNED = "https://bucket.nyc3.digitaloceanspaces.com/u/a%2Fb~c.jsonl?X-Amz-Credential=k%2F20260424&X-Amz-Signature=s"
LEAK = (
    b'<?xml version="1.0"?><Error><Code>SignatureDoesNotMatch</Code><Message>nope</Message>'
    b"<SignatureProvided>secret-signature</SignatureProvided><StringToSign>secret-string</StringToSign></Error>"
)


@pytest.mark.parametrize(
    "url",
    [
        SIGNED,
        "https://8.8.8.8/x?s=1",
        "https://[2606:4700::1111]/x",
        "https://[64:ff9b::808:808]/x",
        "https://host.example.com:8443/x",
        "https://my_bucket.s3-1.example.com./x",
    ],
)
def test_a_public_https_url_is_valid(url: str) -> None:
    assert PUBLIC.validate_url(url) is url


@pytest.mark.parametrize(
    "url",
    [
        "http://bucket.example.com/x?s=secret",
        "http://127.0.0.1:9000/x?s=secret",
        "https://127.0.0.1/x?s=secret",
        "https://localhost/x?s=secret",
        "https://[::1]/x?s=secret",
        "https://10.0.0.5/x?s=secret",
        "https://169.254.169.254/latest?s=secret",
        "https://192.168.1.1/x?s=secret",
        "https://[fd00::1]/x?s=secret",
        "https://user:password@bucket.example.com/x?s=secret",
        "file:///etc/passwd?s=secret",
        "ftp://host/x?s=secret",
        "https:///x?s=secret",
        "https://ho st/x?s=secret",
        "https://host/x\r\nEvil: 1?s=secret",
        "https://[broken?s=secret",
        "https://bucket.example.com:99999/x?s=secret",
        "https://bucket.example.com:abc/x?s=secret",
        "https://bucket.example.com:-1/x?s=secret",
        "https://bucket.example.com:0/x?s=secret",
        "https://127.1/x?s=secret",
        "https://2130706433/x?s=secret",
        "https://0x7f.1/x?s=secret",
        "https://017700000001/x?s=secret",
        "https://127.0.0.1./x?s=secret",
        "https://localhost./x?s=secret",
        "https://[::ffff:127.0.0.1]/x?s=secret",
        "https://[::ffff:10.0.0.1]/x?s=secret",
        "https://[64:ff9b::7f00:1]/x?s=secret",
        "https://intranet/x?s=secret",
        "https://files.internal/x?s=secret",
        "https://nas.local./x?s=secret",
        "https://[64:ff9b::a00:1]/x?s=secret",
        "https://[2002:7f00:1::]/x?s=secret",
        "https://[2002:a00:1::1]/x?s=secret",
        "https://[::127.0.0.1]/x?s=secret",
        "https://[ff02::1]/x?s=secret",
        "https://224.0.0.1/x?s=secret",
        "https://bucket..example.com/x?s=secret",
        "https://-bucket.example.com/x?s=secret",
        "https://%62ucket.example.com/x?s=secret",
        "https://127.0.0.1\\.example.com/x?s=secret",
        "https://" + "a" * 64 + ".example.com/x?s=secret",
        "https://" + "a." * 127 + "com/x?s=secret",
        "",
        "/uploads/x?s=secret",
    ],
)
def test_any_other_url_is_refused_without_its_query_in_the_error(url: str) -> None:
    with pytest.raises(ProtocolError, match="nothing was sent to it") as caught:
        PUBLIC.validate_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000/x", "http://localhost/x", "https://[::1]/x", SIGNED])
def test_a_loopback_url_is_valid_when_the_api_is_on_loopback(url: str) -> None:
    assert LOCAL.validate_url(url) is url


@pytest.mark.parametrize("url", ["http://10.0.0.5/x", "https://10.0.0.5/x", "http://bucket.example.com/x"])
def test_an_api_on_loopback_does_not_allow_other_networks(url: str) -> None:
    with pytest.raises(ProtocolError):
        LOCAL.validate_url(url)
    assert UrlPolicy("10.0.0.4", allow_insecure=True).validate_url(url) is url


def test_an_error_shows_the_code_and_never_the_signature() -> None:
    error = storage_error(403, {"x-amz-request-id": "r-1"}, LEAK, action="upload", now=0.0)
    assert (error.status, error.code, error.request_id) == (403, "SignatureDoesNotMatch", "r-1")
    assert "content_type=" in str(error)
    assert "secret" not in repr(error) + str(error) + repr(error.__dict__)


@pytest.mark.parametrize("body", [b"", b"<html>", b"<Code></Code>", b"<Code><script></Code>", b"\xff" * 100])
def test_any_body_gives_an_error(body: bytes) -> None:
    assert storage_error(500, {}, body, action="download", now=0.0).code is None


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (403, "AccessDenied", True),
        (403, "SignatureDoesNotMatch", True),
        (401, None, True),
        (400, "ExpiredToken", True),
        (None, "RequestExpired", True),
        (400, "InvalidArgument", False),
        (404, "NoSuchKey", False),
        (503, "SlowDown", False),
    ],
)
def test_an_expired_or_mismatched_url_needs_a_new_one(status: Any, code: Any, expected: bool) -> None:
    assert needs_new_url(UploadError("x", status=status, code=code)) is expected


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (UploadError("x", status=503), True),
        (UploadError("x", status=429), True),
        (UploadError("x", status=408), True),
        (UploadError("x", status=403), False),
        (UploadError("x", status=404), False),
        (APIConnectionError("x", maybe_sent=True), True),
        (ProtocolError("x"), False),
    ],
)
def test_a_transient_storage_error_is_retried(error: Any, again: bool) -> None:
    delay = storage_retry_delay(error, attempt=1, policy=RetryPolicy(), chance=0.5, longest=None)
    assert (delay is not None) is again
    assert storage_retry_delay(error, attempt=4, policy=RetryPolicy(attempts=4), chance=0.5, longest=None) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "7"},
        {"Retry-After": "Thu, 01 Jan 2026 00:00:07 GMT"},
        {"Retry-After": "Thu, 01 Jan 2026 01:00:07 GMT", "Date": "Thu, 01 Jan 2026 01:00:00 GMT"},
    ],
)
def test_retry_after_of_the_storage_host_is_added_to_the_delay(headers: dict[str, str]) -> None:
    error = storage_error(503, headers, b"", action="upload", now=1_767_225_600.0)
    assert storage_retry_delay(error, attempt=1, policy=RetryPolicy(), chance=0.0, longest=60.0) == 7


def test_a_retry_after_beyond_the_longest_wait_gives_up() -> None:
    error = storage_error(503, {"Retry-After": "86400"}, b"", action="upload", now=0.0)
    assert storage_retry_delay(error, attempt=1, policy=RetryPolicy(), chance=0.0, longest=600.0) is None


@pytest.mark.parametrize(
    ("query", "signed"),
    [
        ("X-Amz-SignedHeaders=host", False),
        ("X-Amz-SignedHeaders=content-type%3Bhost", True),
        ("x-amz-signedheaders=Content-Type;host", True),
        ("X-Goog-SignedHeaders=content-type%3Bhost", True),
        ("X-Amz-SignedHeaders=host%3Bx-amz-content-type-hint", False),
        ("AWSAccessKeyId=k&Signature=s&Expires=1", True),
        ("sv=2024&sig=s", False),
        ("", False),
    ],
)
def test_a_url_says_whether_its_type_is_signed(query: str, signed: bool) -> None:
    assert signs_content_type(f"https://host/x?{query}") is signed


@pytest.mark.parametrize(
    ("query", "code", "expected"),
    [
        ("X-Amz-SignedHeaders=content-type%3Bhost", "SignatureDoesNotMatch", ["application/octet-stream", None, None]),
        ("X-Amz-SignedHeaders=content-type%3Bhost", None, ["application/octet-stream", None, None]),
        ("X-Amz-SignedHeaders=content-type%3Bhost", "AccessDenied", ["application/jsonl"] * 3),
        ("X-Amz-SignedHeaders=content-type%3Bhost", "RequestExpired", ["application/jsonl"] * 3),
        ("X-Amz-SignedHeaders=host", "SignatureDoesNotMatch", ["application/jsonl"] * 3),
    ],
)
def test_another_type_is_tried_only_where_the_signature_may_cover_it(
    query: str, code: str | None, expected: list[str | None]
) -> None:
    tried: list[str | None] = [CONTENT_TYPES[0]]
    for _ in expected:
        tried.append(next_content_type(tried[-1], f"https://host/x?{query}", UploadError("x", status=403, code=code)))
    assert tried[1:] == expected
