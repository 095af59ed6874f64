#!/usr/bin/env bash
# instructor's synchronous client hands out the first partial object after the last chunk; its asyncio client at once.
#
# Versions:  instructor 1.17.0, openai 3.3.0.
# Input:     `create_partial` of a stream of two chunks; the second is sent when the caller has an object, or after a
#            second of waiting for that. As a tool call and as text in JSON.
# Seen:      the synchronous client reads the whole stream into a list, then yields every object there was on the way.
#            Its documentation has "incremental snapshots", "immediately useable", with a synchronous client.
# Matters:   the loop gives the same objects as it should, so only a clock shows that nothing is streamed, and a stream
#            that is left early is paid to its end. Partial objects are what the last chunk made, or they are none.
. "$(dirname "$0")/lib/run.sh"
run_python instructor==1.17.0 openai==3.3.0 <<'PY'
import asyncio
import http.server
import threading

import instructor
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel
from serve import MESSAGES, chunk, events, expect, tool_call

has_first, waited_in_vain = threading.Event(), threading.Event()
text = {"content": '{"title": "Tea", '}, {"content": '"price": 3}'}
call = tool_call("Offer", text[0]["content"], "call_1"), tool_call("Offer", text[1]["content"], "call_1")


class Offer(BaseModel):
    title: str
    price: int


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        as_call = b'"tools"' in self.rfile.read(int(self.headers["content-length"]))
        first, second = call if as_call else map(chunk, text)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self.wfile.write(events(first, end=b""))
        if not has_first.wait(1):
            waited_in_vain.set()
        self.wfile.write(events(second, chunk({}, "tool_calls" if as_call else "stop")))

    def log_message(self, format, *args):
        pass


def verdict(objects):
    return "at the end" if waited_in_vain.is_set() else "at once", objects[-1].model_dump()


def read(client):
    objects = []
    for each in client.chat.completions.create_partial(model="m", messages=MESSAGES, response_model=Offer):
        has_first.set()
        objects.append(each)
    return verdict(objects)


async def read_async(client):
    objects = []
    async for each in client.chat.completions.create_partial(model="m", messages=MESSAGES, response_model=Offer):
        has_first.set()
        objects.append(each)
    return verdict(objects)


def first_object(make, mode):
    has_first.clear()
    waited_in_vain.clear()
    client = instructor.from_openai(make(base_url=url, api_key="k", max_retries=0), mode=mode)
    return read(client) if make is OpenAI else asyncio.run(read_async(client))


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/v1"
offer = {"title": "Tea", "price": 3}
expect(
    {
        "tools": first_object(OpenAI, instructor.Mode.TOOLS),
        "json": first_object(OpenAI, instructor.Mode.JSON),
        "asyncio, tools": first_object(AsyncOpenAI, instructor.Mode.TOOLS),
        "asyncio, json": first_object(AsyncOpenAI, instructor.Mode.JSON),
    },
    {
        "tools": ("at the end", offer),
        "json": ("at the end", offer),
        "asyncio, tools": ("at once", offer),
        "asyncio, json": ("at once", offer),
    },
)
PY
