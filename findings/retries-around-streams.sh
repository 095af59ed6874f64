#!/usr/bin/env bash
# A retry decorator around a generator of chunks: two never retry, and the one that does says the beginning twice.
#
# Versions:  tenacity 9.2.1, backoff 2.2.1, stamina 26.1.0.
# Input:     an async generator that yields `One`, ` two` and raises ConnectionError the first time, and goes on to
#            ` three` the second time; three attempts.
# Seen:      tenacity and backoff accept the function and let the error out after one attempt. stamina calls it again,
#            and the reader gets `One twoOne two three`.
# Matters:   the loop that adds up text cannot see that it began anew. A stream is sent again before its first chunk or
#            by the one who can drop what came.
. "$(dirname "$0")/lib/run.sh"
run_python tenacity==9.2.1 backoff==2.2.1 stamina==26.1.0 <<'PY'
import asyncio
import logging

import backoff
import stamina
import tenacity
from serve import expect

logging.disable()


async def read(decorate):
    calls = []

    @decorate
    async def chunks():
        calls.append("call")
        yield "One"
        yield " two"
        if len(calls) == 1:
            raise ConnectionError("lost")
        yield " three"

    text = ""
    try:
        async for piece in chunks():
            text += piece
    except ConnectionError:
        return text, "lost", len(calls)
    return text, "whole", len(calls)


decorators = {
    "tenacity": tenacity.retry(stop=tenacity.stop_after_attempt(3)),
    "backoff": backoff.on_exception(backoff.constant, ConnectionError, max_tries=3, interval=0.01),
    "stamina": stamina.retry(on=ConnectionError, attempts=3, wait_initial=0.01),
}
expect(
    {name: asyncio.run(read(decorate)) for name, decorate in decorators.items()},
    {
        "tenacity": ("One two", "lost", 1),
        "backoff": ("One two", "lost", 1),
        "stamina": ("One twoOne two three", "whole", 2),
    },
)
PY
