#!/usr/bin/env bash
# A budget of $0.001 lets five answers through that cost $0.00075 each, and counts them as 0.
#
# Versions:  litellm 1.110.2.
# Input:     `litellm.max_budget = 0.001`, then five completions of a model with a known price: whole, streamed with
#            their usage, and asynchronous. Before each call LiteLLM compares the setting, "the max budget across all
#            providers" in its source, with the costs so far, and raises a BudgetExceededError if they are higher.
# Seen:      `completion_cost` knows the price of each answer. All five are sent in each of the three ways, and the sum
#            that is held against the budget stays at 0: costs are added for dicts alone, which completions are not.
# Matters:   the one setting against a loop that spends money does nothing, and says nothing. Limits are counted from
#            what a server reports, and a test has to reach them.
. "$(dirname "$0")/lib/run.sh"
run_python litellm==1.110.2 <<'PY'
import asyncio
import json
import time

import litellm
from serve import MESSAGES, Server, complete, expect

litellm.suppress_debug_info = True
options = {"model": "openai/gpt-4o", "messages": MESSAGES, "api_key": "k", "max_retries": 0}


def ask(url):
    answer = litellm.completion(base_url=url, **options)
    return litellm.completion_cost(answer, model="gpt-4o")


def ask_stream(url):
    pieces = list(litellm.completion(base_url=url, stream=True, stream_options={"include_usage": True}, **options))
    return litellm.completion_cost(litellm.stream_chunk_builder(pieces), model="gpt-4o")


def ask_async(url):
    return litellm.completion_cost(asyncio.run(litellm.acompletion(base_url=url, **options)), model="gpt-4o")


def spend(ask):
    server = Server(lambda sent: complete(json.loads(sent), {"content": "Yes."}), "application/json")
    litellm.max_budget, litellm._current_cost = 0.001, 0
    costs = set()
    for _ in range(5):
        costs.add(round(ask(server.url), 6))
        time.sleep(0.3)
    return len(server.bodies), costs, litellm._current_cost


expect(
    {each.__name__: spend(each) for each in (ask, ask_stream, ask_async)},
    dict.fromkeys(["ask", "ask_stream", "ask_async"], (5, {0.00075}, 0)),
)
PY
