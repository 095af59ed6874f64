#!/usr/bin/env bash
# httpx ends a gzip body at the end of its first member: half of a results file is gone, without an error.
#
# Versions:  httpx 0.28.1, httpx2 2.16.2, aiohttp 3.14.5, requests 2.34.2.
# Input:     1,000 lines with `Content-Encoding: gzip`, as two members one after the other. RFC 1952 (2.2) makes a gzip
#            file of any number of members; RFC 9110 (8.4.1.3) makes the coding of that format.
# Seen:      httpx and httpx2 return the 500 lines of the first member, read at once and as a stream; aiohttp and requests
#            return 1,000.
# Matters:   results that are compressed block by block, by several threads or by concatenation, look complete after any
#            member. Count the lines, or unpack the bytes yourself.
. "$(dirname "$0")/lib/run.sh"
run_python httpx==0.28.1 httpx2==2.16.2 aiohttp==3.14.5 requests==2.34.2 <<'PY'
import asyncio
import gzip

import aiohttp
import httpx
import httpx2
import requests
from serve import Server, expect


def member(*numbers):
    return gzip.compress(b"".join(b'{"custom_id": "%05d"}\n' % number for number in range(*numbers)))


url = Server(member(500) + member(500, 1000), "application/jsonl", headers={"content-encoding": "gzip"}).url


async def read():
    async with aiohttp.ClientSession() as client, client.get(url) as response:
        return (await response.read()).count(b"\n")


def stream():
    with httpx.stream("GET", url) as response:
        return sum(block.count(b"\n") for block in response.iter_bytes())


expect(
    {
        "httpx": httpx.get(url).content.count(b"\n"),
        "httpx, stream": stream(),
        "httpx2": httpx2.get(url).content.count(b"\n"),
        "aiohttp": asyncio.run(read()),
        "requests": requests.get(url).content.count(b"\n"),
    },
    {"httpx": 500, "httpx, stream": 500, "httpx2": 500, "aiohttp": 1000, "requests": 1000},
)
PY
