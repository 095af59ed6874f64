#!/usr/bin/env bash
# Three cache decorators answer for another vector: their keys are made of texts that leave out the middle of an array.
#
# Versions:  aiocache 0.12.3, cashews 7.6.0, fastapi-cache2 0.2.2 (with jinja2 3.1.6, without which it cannot be
#            imported), async-lru 2.4.0, numpy 2.4.6.
# Input:     a search decorated without a key of its own, called with two arrays of 1,536 numbers, the length of common
#            embeddings, that differ at place 500; and with a limit of 1 and of "1", a filter of None and of "".
# Seen:      the three return the first vector's result for the second: str() and repr() of an array of more than 1,000
#            numbers are its first and last three. cashews, whose keys have neither types nor quotes, does so for the
#            other two pairs as well. async-lru refuses an array with a TypeError, and knows the other pairs apart.
# Matters:   a search by meaning finds the documents of somebody else's question, without an error. aiocache and
#            fastapi-cache2 document a key of the arguments. Give such a function a key builder, with the array's bytes.
. "$(dirname "$0")/lib/run.sh"
run_python aiocache==0.12.3 cashews==7.6.0 fastapi-cache2==0.2.2 jinja2==3.1.6 async-lru==2.4.0 numpy==2.4.6 <<'PY'
import asyncio

import numpy
from aiocache import cached
from async_lru import alru_cache
from cashews import cache
from fastapi_cache import FastAPICache
from fastapi_cache.backends.inmemory import InMemoryBackend
from fastapi_cache.decorator import cache as fastapi_cache
from serve import expect

cache.setup("mem://")
FastAPICache.init(InMemoryBackend())
one, other = numpy.zeros(1536), numpy.zeros(1536)
other[500] = 1.0


async def ask(decorate, first, second):
    """Return whether the second call runs: "asked"; or "cached", or the name of the exception."""
    runs = []

    @decorate
    async def search(vector, limit=1, filter=None):
        runs.append(1)
        return len(runs)

    try:
        await search(*first)
        await search(*second)
    except TypeError as error:
        return type(error).__name__
    return "asked" if len(runs) == 2 else "cached"


async def ask_all(decorate):
    return (
        await ask(decorate(), [one], [other]),
        await ask(decorate(), ["v", 1], ["v", "1"]),
        await ask(decorate(), ["w", 1, None], ["w", 1, ""]),
    )


async def main():
    expect(
        {
            "aiocache": await ask_all(cached),
            "fastapi-cache2": await ask_all(lambda: fastapi_cache(expire=60)),
            "cashews": await ask_all(lambda: cache(ttl="1h")),
            "async-lru": await ask_all(alru_cache),
        },
        {
            "aiocache": ("cached", "asked", "asked"),
            "fastapi-cache2": ("cached", "asked", "asked"),
            "cashews": ("cached", "cached", "cached"),
            "async-lru": ("TypeError", "asked", "asked"),
        },
    )


asyncio.run(main())
PY
