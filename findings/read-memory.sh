#!/usr/bin/env bash
# Every read of an aiohttp client maps and unmaps a block of memory, until the program has once freed a large one.
#
# Versions:  aiohttp 3.14.5, with CPython 3.11.7 and glibc 2.36.
# Input:     twenty small responses over one connection, read with asyncio's own loop.
# Seen:      asyncio reads into an object of 256 KiB and shrinks it. glibc maps a block from the kernel for each, remaps
#            it to shrink it, and unmaps it. After one block of 1 MiB was freed, it takes none from the kernel any more.
# Matters:   these calls are a sixth of the CPU of a small request. Two runs of the same program differ by that much,
#            with whatever an import happened to free before.
. "$(dirname "$0")/lib/run.sh"
run_python aiohttp==3.14.5 <<'PY'
import asyncio
import ctypes
from contextlib import suppress

import aiohttp
from aiohttp.client_proto import ResponseHandler
from serve import expect


class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (*"012", "mapped", *"456789")]


get_info = ctypes.CDLL(None).mallinfo2
get_info.restype = Info
mapped = []
receive = ResponseHandler.data_received


def observe(self, data):
    mapped.append(get_info().mapped)
    receive(self, data)


async def answer(reader, writer):
    with suppress(asyncio.IncompleteReadError):
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    found = []
    async with aiohttp.ClientSession() as client:
        for _ in range(2):
            before = get_info().mapped
            mapped.clear()
            for _ in range(20):
                async with client.get(url) as response:
                    await response.read()
            found.append(sum(count > before for count in mapped))
            bytes(1 << 20)
    return found


ResponseHandler.data_received = observe
expect({"reads in a mapped block": asyncio.run(main())}, {"reads in a mapped block": [20, 0]})
PY
