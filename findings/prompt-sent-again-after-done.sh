#!/usr/bin/env bash
# Event-source clients that can POST send the prompt again when its answer has ended, as long as somebody reads on.
#
# Versions:  requests-sse 0.5.3, aiohttp-sse-client2 0.3.0 with aiohttp 3.14.5, httpx-sse 0.4.3 with httpx 0.28.1.
# Input:     a POST, which all three take, whose answer is `retry: 100`, the events `Hello` and `[DONE]`, and the end of
#            the body. The caller reads on until the answer is there a third time, or the loop ends.
# Seen:      requests-sse and aiohttp-sse-client2 send the prompt each time the body ends, and hand out the answers as
#            one stream. httpx-sse sends it once, and ends the loop.
# Matters:   the HTML standard has a reader connect again, but with a GET; RFC 9110, 9.2.2, says that a client should
#            not repeat a POST by itself. Each time is billed, and a loop that does not look for `[DONE]` has no end.
#            Close such a client at `[DONE]`, or read completions with one that does not reconnect.
. "$(dirname "$0")/lib/run.sh"
run_python requests-sse==0.5.3 aiohttp-sse-client2==0.3.0 aiohttp==3.14.5 httpx-sse==0.4.3 httpx==0.28.1 <<'PY'
import asyncio
import contextlib

import httpx
import requests_sse
from aiohttp_sse_client2.client import EventSource
from httpx_sse import connect_sse
from serve import MESSAGES, Server, expect

ANSWER = b"retry: 100\n\ndata: Hello\n\ndata: [DONE]\n\n"
PROMPT = {"model": "m", "messages": MESSAGES, "stream": True}


def read_with_requests_sse(url):
    with requests_sse.EventSource(url, method="POST", json=PROMPT) as source:
        for event in source:
            yield event.data


def read_with_httpx_sse(url):
    with httpx.Client() as client, connect_sse(client, "POST", url, json=PROMPT) as source:
        for event in source.iter_sse():
            yield event.data


async def read_with_aiohttp(url):
    async with EventSource(url, option={"method": "POST"}, json=PROMPT) as source:
        async for event in source:
            yield event.data


def count_sync(reader):
    server, seen = Server(ANSWER), []
    with contextlib.closing(reader(server.url)) as events:
        for data in events:
            seen += [data] if data else []
            if seen.count("[DONE]") == 3:
                break
    return len(server.bodies), " ".join(seen)


async def count(reader):
    server, seen = Server(ANSWER), []
    async with contextlib.aclosing(reader(server.url)) as events:
        async for data in events:
            seen += [data] if data else []
            if seen.count("[DONE]") == 3:
                break
    return len(server.bodies), " ".join(seen)


thrice = (3, "Hello [DONE] Hello [DONE] Hello [DONE]")
expect(
    {
        "requests-sse": count_sync(read_with_requests_sse),
        "aiohttp-sse-client2": asyncio.run(count(read_with_aiohttp)),
        "httpx-sse": count_sync(read_with_httpx_sse),
    },
    {"requests-sse": thrice, "aiohttp-sse-client2": thrice, "httpx-sse": (1, "Hello [DONE]")},
)
PY
