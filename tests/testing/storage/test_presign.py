"""Presigned URLs: signature, method, expiry."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from gradient_async.testing import Emulator
from tests.support.emulator_client import BatchClient, NewBatchClient

SPELLINGS = [
    lambda url: url.replace("%2F", "/"),
    lambda url: url.replace("%7E", "~"),
    lambda url: url.replace("+", "%20"),
    lambda url: url.replace("%2F", "%2f"),
    lambda url: url.partition("?")[0] + "?" + "&".join(reversed(url.partition("?")[2].split("&"))),
]
REWRITES = [
    lambda url: url.replace("+", "%2B"),
    lambda url: url + "&x=1",
    lambda url: url + "&X-Amz-Signature=0",
    lambda url: url.replace("X-Emulated-Expiry=", "X-Emulated-Expiry=9"),
    lambda url: url.replace("X-Amz-Expires=900&", ""),
    lambda url: "&".join([url.partition("?")[0] + "?" + url.partition("?")[2].split("&")[1], url.split("&")[0]]),
    lambda url: url[:-1] + ("0" if url[-1] != "0" else "1"),
    lambda url: url.replace("/inputs/", "/outputs/"),
]


async def test_a_url_contains_characters_that_clients_rewrite(url: str) -> None:
    query = url.partition("?")[2]
    assert all(text in query for text in ("%2F", "%7E", "+", "%3D"))
    assert parse_qs(urlsplit(url).query)["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]


@pytest.mark.parametrize("rewrite", REWRITES)
async def test_a_rewritten_url_does_not_match(
    batch_client: BatchClient, gradient: Emulator, url: str, rewrite: Callable[[str], str]
) -> None:
    assert rewrite(url) != url
    response = await batch_client.put(rewrite(url))
    assert (response.status, response.headers["Content-Type"]) == (403, "application/xml")
    assert response.s3_code in ("SignatureDoesNotMatch", "AccessDenied")
    assert gradient.storage.objects == {}
    assert gradient.storage.requests[0].error == response.s3_code


@pytest.mark.parametrize("respell", SPELLINGS)
async def test_another_spelling_of_a_url_is_the_same_url(
    batch_client: BatchClient, url: str, respell: Callable[[str], str]
) -> None:
    assert respell(url) != url
    assert (await batch_client.put(respell(url))).status == 200


async def test_the_url_library_of_aiohttp_keeps_the_signature(http: aiohttp.ClientSession, url: str) -> None:
    async with http.put(url, data=b"x") as response:
        assert response.status == 200


async def test_a_url_is_valid_for_one_method(batch_client: BatchClient, url: str) -> None:
    await batch_client.put(url)
    assert (await batch_client.send("GET", url)).s3_code == "SignatureDoesNotMatch"
    assert (await batch_client.send("DELETE", url)).s3_code == "MethodNotAllowed"


async def test_a_url_without_a_signature_is_denied(batch_client: BatchClient, url: str) -> None:
    assert (await batch_client.put(url.partition("?")[0])).s3_code == "AccessDenied"


async def test_a_url_expires_after_fifteen_minutes_of_emulated_time(new_batch_client: NewBatchClient) -> None:
    now = 1000.0
    async with Emulator(clock=lambda: now, time_scale=10) as gradient:
        batch_client = new_batch_client(gradient)
        url = (await batch_client.create_intent())["upload_url"]
        now = 1089.9
        assert (await batch_client.put(url)).status == 200
        now = 1090.0
        response = await batch_client.put(url)
        assert (response.status, response.s3_code) == (403, "AccessDenied")
        assert b"Request has expired" in response.body


@pytest.mark.parametrize(
    ("headers", "expected"), [({"Authorization": "Bearer k"}, "InvalidArgument"), ({"Cookie": "a=b"}, "InvalidRequest")]
)
async def test_credentials_and_cookies_are_refused(
    batch_client: BatchClient, url: str, headers: dict[str, str], expected: str
) -> None:
    response = await batch_client.put(url, headers=headers)
    assert (response.status, response.s3_code) == (400, expected)
