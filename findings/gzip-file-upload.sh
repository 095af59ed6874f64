#!/usr/bin/env bash
# aiohttp uploads the beginning of a file opened by gzip.open as the whole of it; two other clients fail in the middle.
#
# Versions:  aiohttp 3.14.5, httpx 0.28.1, niquests 3.21.2, requests 2.34.2.
# Input:     `gzip.open("batch.jsonl.gz")` as the body: 1,000 lines, 35,000 bytes, 2,361 of them packed.
# Seen:      the file object hands out its unpacked bytes, but its fileno() is that of the packed file, whose size becomes
#            the Content-Length. aiohttp sends 2,361 unpacked bytes, cut within line 68, as a body and as a form's file,
#            and the server answers 200. httpx and niquests raise after the headers; requests sends it all in chunks.
# Matters:   a batch runs on 67 of 1,000 requests, and storages refuse an upload in chunks. Unpack the file first, or
#            state the length of the unpacked bytes.
. "$(dirname "$0")/lib/run.sh"
run_python aiohttp==3.14.5 httpx==0.28.1 niquests==3.21.2 requests==2.34.2 <<'PY'
import asyncio
import gzip
import tempfile

import aiohttp
import httpx
import niquests
import requests
from serve import Server, expect, outcome

lines = b"".join(b'{"custom_id": "%05d", "body": {}}\n' % number for number in range(1000))
file = tempfile.NamedTemporaryFile(suffix=".jsonl.gz")
file.write(gzip.compress(lines, mtime=0))
file.flush()


async def put(data):
    async with aiohttp.ClientSession() as client, client.put(server.url, data=data()) as response:
        return response.status


def form():
    fields = aiohttp.FormData()
    fields.add_field("file", gzip.open(file.name), filename="batch.jsonl")
    return fields


def lines_arrived(upload):
    server.bodies.clear()
    status = outcome(upload)
    return status, [body.count(b"\n{") + body.startswith(b"{") for body in server.bodies]


server = Server()
expect(
    {
        "aiohttp": lines_arrived(lambda: asyncio.run(put(lambda: gzip.open(file.name)))),
        "aiohttp, form": lines_arrived(lambda: asyncio.run(put(form))),
        "httpx": lines_arrived(lambda: httpx.put(server.url, content=gzip.open(file.name))),
        "niquests": lines_arrived(lambda: niquests.put(server.url, data=gzip.open(file.name))),
        "requests": lines_arrived(lambda: requests.put(server.url, data=gzip.open(file.name)).status_code),
    },
    {
        "aiohttp": (200, [68]),
        "aiohttp, form": (200, [68]),
        "httpx": ("LocalProtocolError: Too much data for declared Content-Length", [0]),
        "niquests": ("ConnectionError: Too much data for declared Content-Length", [0]),
        "requests": (200, [1000]),
    },
)
PY
