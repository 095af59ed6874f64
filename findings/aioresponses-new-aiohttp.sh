#!/usr/bin/env bash
# The newest aioresponses cannot make a single response with the newest aiohttp that its metadata admits.
#
# Versions:  aioresponses 0.7.9, aiohttp 3.14.5.
# Input:     the first example of its README: a GET with a JSON payload.
# Seen:      TypeError: ClientResponse.__init__() misses the argument `stream_writer`. pip installs the pair without a
#            word.
# Matters:   a suite that mocks aiohttp this way breaks by an update of aiohttp. A server on loopback does not.
. "$(dirname "$0")/lib/run.sh"
run_python aioresponses==0.7.9 aiohttp==3.14.5 <<'PY'
import asyncio

import aiohttp
from aioresponses import aioresponses
from serve import expect, outcome


async def fetch():
    with aioresponses() as mocked:
        mocked.get("http://example.com", payload={"foo": "bar"})
        async with aiohttp.ClientSession() as session, session.get("http://example.com") as response:
            return await response.json()


error = "TypeError: ClientResponse.__init__() missing 1 required keyword-only argument: 'stream_writer'"
expect({"get": outcome(lambda: asyncio.run(fetch()))}, {"get": error})
PY
