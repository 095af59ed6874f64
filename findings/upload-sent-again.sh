#!/usr/bin/env bash
# An upload whose body is a generator, sent again after a 503: four retry layers send nothing, and report 200.
#
# Versions:  aiohttp-retry 2.9.1 with aiohttp 3.14.5, urllib3 2.8.0, requests 2.34.2, niquests 3.21.2, httpx-retries
#            0.6.0 with httpx 0.28.1.
# Input:     a PUT of ten pieces, 1,000 bytes, from a generator, to a storage that says 503 once; PUT is idempotent.
# Seen:      the generator is at its end: the second PUT of aiohttp-retry, urllib3, requests and niquests has 0 bytes and
#            is stored. urllib3 has UnrewindableBodyError for such bodies and does not raise it; httpx-retries raises.
# Matters:   the object is empty, and the last status is the one that says it is whole. A body is sent again only if it
#            can be made again.
. "$(dirname "$0")/lib/run.sh"
run_python aiohttp-retry==2.9.1 aiohttp==3.14.5 urllib3==2.8.0 requests==2.34.2 niquests==3.21.2 httpx-retries==0.6.0 httpx==0.28.1 <<'PY'
import asyncio

import httpx
import httpx_retries
import niquests
import requests
import urllib3
from aiohttp_retry import ExponentialRetry, RetryClient
from requests.adapters import HTTPAdapter
from serve import Server, expect, outcome


def pieces():
    for _ in range(10):
        yield b"x" * 100


async def pieces_async():
    for piece in pieces():
        yield piece


async def put_with_aiohttp(url):
    async with RetryClient(retry_options=ExponentialRetry(attempts=2, start_timeout=0.01)) as client:
        async with client.put(url, data=pieces_async()) as response:
            return response.status


def put_with_urllib3(url):
    retries = urllib3.Retry(total=1, status_forcelist=[503], backoff_factor=0.01)
    return urllib3.PoolManager(retries=retries).request("PUT", url, body=pieces()).status


def put_with_requests(url):
    client = requests.Session()
    client.mount("http://", HTTPAdapter(max_retries=urllib3.Retry(total=1, status_forcelist=[503], backoff_factor=0.01)))
    return client.put(url, data=pieces()).status_code


def put_with_niquests(url):
    retries = niquests.RetryConfiguration(total=1, status_forcelist=[503], backoff_factor=0.01)
    return niquests.Session(retries=retries).put(url, data=pieces()).status_code


def put_with_httpx(url):
    retry = httpx_retries.Retry(total=1, backoff_factor=0.01)
    return httpx.Client(transport=httpx_retries.RetryTransport(retry=retry)).put(url, content=pieces()).status_code


def upload(put):
    statuses = iter([503])
    storage = Server(status=lambda body: next(statuses, 200))
    status = outcome(lambda: put(storage.url))
    return (status, [len(body) for body in storage.bodies]) if status == 200 else status.split(":")[0]


expect(
    {
        "aiohttp-retry": upload(lambda url: asyncio.run(put_with_aiohttp(url))),
        "urllib3": upload(put_with_urllib3),
        "requests": upload(put_with_requests),
        "niquests": upload(put_with_niquests),
        "httpx-retries": upload(put_with_httpx),
    },
    {
        "aiohttp-retry": (200, [1000, 0]),
        "urllib3": (200, [1000, 0]),
        "requests": (200, [1000, 0]),
        "niquests": (200, [1000, 0]),
        "httpx-retries": "StreamConsumed",
    },
)
PY
