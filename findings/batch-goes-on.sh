#!/usr/bin/env bash
# One refused request of forty ends an asynchronous batch with an error, and all others are sent behind it.
#
# Versions:  langchain-openai 1.7.4 with langchain-core 1.8.3, llama-index-llms-openai-like 0.8.1 with llama-index-core
#            0.14.25, aiometer 1.0.0; openai 2.54.0.
# Input:     forty questions, two at a time, of which the first is answered with 400 at once; and the same without it, in
#            a loop that is left after one answer.
# Seen:      LangChain's `abatch` and LlamaIndex's `run_jobs` raise when a few requests are sent, and go on in the
#            background until all forty are; so does `abatch_as_completed` behind the loop. LangChain's `batch`, which is
#            described in the same words, and aiometer's `run_all` stop.
# Matters:   answers that nobody can get are billed, and take the rate limit of the next try. A batch that raises has to
#            end what it began; one that shall go on returns its errors.
. "$(dirname "$0")/lib/run.sh"
run_python langchain-openai==1.7.4 langchain-core==1.8.3 llama-index-llms-openai-like==0.8.1 llama-index-core==0.14.25 aiometer==1.0.0 openai==2.54.0 <<'PY'
import asyncio
import functools
import json
import time

import aiometer
from langchain_openai import ChatOpenAI
from llama_index.core.async_utils import run_jobs
from llama_index.llms.openai_like import OpenAILike
from serve import Server, expect


def status(body):
    if b"Refuse" in body:
        return 400
    time.sleep(0.02)
    return 200


message = {"role": "assistant", "content": "Hi"}
answer = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
answer["choices"] = [{"index": 0, "message": message, "finish_reason": "stop"}]
server = Server(json.dumps(answer).encode(), "application/json", status=status)
questions = [f"Question {number}" for number in range(39)]
langchain = ChatOpenAI(model="m", base_url=server.url, api_key="k", max_retries=0)
llama_index = OpenAILike(model="m", api_base=server.url, api_key="k", max_retries=0)
two = {"max_concurrency": 2}


async def batch():
    await asyncio.to_thread(langchain.batch, ["Refuse", *questions], two)


async def abatch():
    await langchain.abatch(["Refuse", *questions], two)


async def left_loop():
    answers = langchain.abatch_as_completed(["Question", *questions], two)
    async for _ in answers:
        break
    await answers.aclose()


async def jobs():
    await run_jobs([llama_index.acomplete(each) for each in ["Refuse", *questions]], workers=2)


async def run_all():
    calls = [functools.partial(langchain.ainvoke, each) for each in ["Refuse", *questions]]
    await aiometer.run_all(calls, max_at_once=2)


async def observe(call):
    server.bodies.clear()
    try:
        await call()
        ending = "left"
    except Exception:
        ending = "raised"
    soon = len(server.bodies) < 10
    await asyncio.sleep(3)
    return ending, "soon" if soon else "late", "all sent" if len(server.bodies) == 40 else "stopped"


async def observe_all():
    return {name: await observe(call) for name, call in calls.items()}


calls = {"batch": batch, "abatch": abatch, "as completed": left_loop, "run_jobs": jobs, "aiometer": run_all}
expect(
    asyncio.run(observe_all()),
    {
        "batch": ("raised", "soon", "stopped"),
        "abatch": ("raised", "soon", "all sent"),
        "as completed": ("left", "soon", "all sent"),
        "run_jobs": ("raised", "soon", "all sent"),
        "aiometer": ("raised", "soon", "stopped"),
    },
)
PY
