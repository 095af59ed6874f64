"""URLs that boto3 presigned with the keys of the storage host: any spelling of them, but no other request."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from gradient_async.testing import Emulator
from gradient_async.testing.storage.sigv4 import compute_signature
from tests.support.emulator_client import BatchClient, NewBatchClient

KEYS = ["1.jsonl", "a b~c+d.jsonl", "naïve/100%.jsonl", "quote'(1)*.jsonl"]


def presign(emulator: Emulator, operation: str = "put_object", key: str = KEYS[1], **options: Any) -> str:
    """Let boto3 presign a URL for *key* in the bucket ``inputs``."""
    boto3 = pytest.importorskip("boto3", reason="it signs the URLs")
    config = pytest.importorskip("botocore.config").Config(signature_version="s3v4")
    storage = emulator.storage
    client = boto3.client(
        "s3",
        endpoint_url=storage.url,
        aws_access_key_id=options.pop("access_key", storage.access_key),
        aws_secret_access_key=storage.secret_key,
        aws_session_token=options.pop("token", None),
        region_name="nyc3",
        config=config,
    )
    expires = options.pop("expires", 900)
    url: str = client.generate_presigned_url(
        operation, Params={"Bucket": "inputs", "Key": key, **options}, ExpiresIn=expires
    )
    return url


@pytest.mark.parametrize("key", KEYS)
async def test_a_url_of_boto3_uploads_and_downloads(batch_client: BatchClient, gradient: Emulator, key: str) -> None:
    assert (await batch_client.put(presign(gradient, key=key, token="a/b+c=="))).status == 200
    assert list(gradient.storage.objects) == [f"/inputs/{key}"]
    assert (await batch_client.send("GET", presign(gradient, "get_object", key))).status == 200
    assert (await batch_client.send("HEAD", presign(gradient, "head_object", key))).status == 200


@pytest.mark.parametrize(
    "respell",
    [
        lambda url: url.replace("%2F", "/"),
        lambda url: url.replace("%2F", "%2f"),
        lambda url: url.replace("~", "%7E"),
        lambda url: url.replace("a%20b", "%61%20b"),
        lambda url: url.partition("?")[0] + "?" + "&".join(reversed(url.partition("?")[2].split("&"))),
    ],
)
async def test_another_spelling_of_a_foreign_url_is_the_same_url(
    batch_client: BatchClient, gradient: Emulator, respell: Callable[[str], str]
) -> None:
    url = presign(gradient)
    assert respell(url) != url
    assert (await batch_client.put(respell(url))).status == 200


@pytest.mark.parametrize(
    "tamper",
    [
        lambda url: url.replace("Expires=900", "Expires=9000"),
        lambda url: url.replace("c%2Bd", "c%20d"),
        lambda url: url.replace("/inputs/", "/outputs/"),
        lambda url: url.replace("nyc3", "ams3"),
        lambda url: url + "&x-id=PutObject",
        lambda url: url.replace("SignedHeaders=host", "SignedHeaders="),
        lambda url: url.replace("X-Amz-Date=2", "X-Amz-Date=3"),
        lambda url: url.replace("X-Amz-Credential=", "X-Amz-Other="),
    ],
)
async def test_a_foreign_url_that_was_changed_is_refused(
    batch_client: BatchClient, gradient: Emulator, tamper: Callable[[str], str]
) -> None:
    url = presign(gradient)
    assert tamper(url) != url
    response = await batch_client.put(tamper(url))
    assert (response.status, gradient.storage.objects) == (403, {})


async def test_a_foreign_url_is_for_one_method_key_and_type(batch_client: BatchClient, gradient: Emulator) -> None:
    url = presign(gradient, ContentType="application/jsonl")
    assert (await batch_client.send("GET", url)).s3_code == "SignatureDoesNotMatch"
    assert (await batch_client.put(url, headers={"Content-Type": "text/x"})).s3_code == "SignatureDoesNotMatch"
    assert (await batch_client.put(url, headers={"Content-Type": "application/jsonl"})).status == 200
    other = presign(gradient, access_key="ANOTHER").replace("ANOTHER", "THIRD")
    assert (await batch_client.put(other)).s3_code == "InvalidAccessKeyId"


async def test_a_foreign_url_expires_by_its_own_time(new_batch_client: NewBatchClient) -> None:
    now = time.time()
    async with Emulator(clock=lambda: now, time_scale=10) as gradient:
        url, batch_client = presign(gradient, expires=100), new_batch_client(gradient)
        now += 8
        assert (await batch_client.put(url)).status == 200
        now += 3
        assert b"Request has expired" in (await batch_client.put(url)).body
        now -= 3
        gradient.storage.expire()
        assert b"Request has expired" in (await batch_client.put(url)).body


def test_the_signature_of_the_reference_is_computed() -> None:
    """The example of "Authenticating Requests: Using Query Parameters" in Amazon's S3 API Reference."""
    target = (
        "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-SignedHeaders=host"
    )
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    signature = compute_signature(secret, "GET", target, {"Host": "examplebucket.s3.amazonaws.com"})
    assert signature == "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
