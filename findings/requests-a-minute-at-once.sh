#!/usr/bin/env bash
# A router's two requests a minute are two at a time: ten in turn are sent within a second, of ten at once eight fail.
#
# Versions:  litellm 1.110.2.
# Input:     `rpm: 2` on the one deployment of a Router, and ten calls, in turn and at once, which the service answers.
# Seen:      with the default strategy ten calls in turn are ten requests. At once two are sent; the others wait for
#            nothing and raise RateLimitError: all "max_parallel_requests slots" are in use, which nobody had set. With
#            the check `enforce_model_rate_limits` two are sent in both cases.
# Matters:   a loop is refused by the service, a gather by the client, and neither keeps the rate that was stated. A
#            rate is a number in a time, and calls past it wait for their turn.
. "$(dirname "$0")/lib/run.sh"
run_python litellm==1.110.2 <<'PY'
import asyncio
import json
import logging

import litellm
from litellm.types.router import RouterRateLimitError
from serve import MESSAGES, Server, expect

logging.disable()
litellm.suppress_debug_info = True
choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
whole = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


async def count_sent(at_once, checks):
    server = Server(json.dumps(whole).encode(), "application/json")
    settings = {"model": "openai/m", "api_base": server.url, "api_key": "k", "max_retries": 0, "rpm": 2}
    models = [{"model_name": "any", "litellm_params": settings}]
    router = litellm.Router(model_list=models, num_retries=0, optional_pre_call_checks=checks)
    errors = []

    async def call():
        try:
            await router.acompletion("any", MESSAGES)
        except (litellm.RateLimitError, RouterRateLimitError) as error:
            errors.append("max_parallel_requests" in str(error))

    if at_once:
        await asyncio.gather(*(call() for _ in range(10)))
    for _ in range(0 if at_once else 10):
        await call()
    return len(server.bodies), len(errors), any(errors)


def count(at_once, *checks):
    return asyncio.run(count_sent(at_once, list(checks)))


check = "enforce_model_rate_limits"
expect(
    {
        "in turn": count(False),
        "at once": count(True),
        "in turn, with the check": count(False, check),
        "at once, with the check": count(True, check),
    },
    {
        "in turn": (10, 0, False),
        "at once": (2, 8, True),
        "in turn, with the check": (2, 8, False),
        "at once, with the check": (2, 8, True),
    },
)
PY
