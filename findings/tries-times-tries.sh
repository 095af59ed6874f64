#!/usr/bin/env bash
# A refused request is sent eighteen times: an agent's six tries around the three of the client that it is made of.
#
# Versions:  strands-agents 1.62.0 with openai 2.54.0; agno 3.1.10 with openai 3.57.0.
# Input:     one question to a service that answers 429, with `retry-after-ms: 10`; everything as it is by default, but
#            for the pauses of Strands and for `retries=2` in agno.
# Seen:      the client alone, which both use, sends 3 requests. Strands sends 18 and agno 9, and with `max_retries=0`
#            for the client 6 and 3.
# Matters:   a service that asked for less gets six times as much, each counts against the limit of the next minute, and
#            the outer tries have pauses of their own. One layer tries again, the others not.
. "$(dirname "$0")/lib/run.sh"
run_python 'strands-agents[openai]==1.62.0' openai==2.54.0 <<'PY'
import json
import logging

from openai import OpenAI
from serve import MESSAGES, Server, expect, outcome
from strands import Agent, ModelRetryStrategy
from strands.models.openai import OpenAIModel

logging.disable()
error = json.dumps({"error": {"message": "Slow down.", "type": "rate_limit_error", "code": None}}).encode()


def count_sent(ask):
    server = Server(error, "application/json", status=429, headers={"retry-after-ms": "10"})
    outcome(lambda: ask(server.url))
    return len(server.bodies)


def ask_client(url):
    OpenAI(base_url=url, api_key="k").chat.completions.create(model="m", messages=MESSAGES)


def ask_strands(url, **options):
    model = OpenAIModel(client_args={"base_url": url, "api_key": "k", **options}, model_id="m")
    Agent(model=model, callback_handler=None, retry_strategy=ModelRetryStrategy(initial_delay=0))("Hi")


expect(
    {
        "openai": count_sent(ask_client),
        "strands": count_sent(ask_strands),
        "strands, max_retries=0": count_sent(lambda url: ask_strands(url, max_retries=0)),
    },
    {"openai": 3, "strands": 18, "strands, max_retries=0": 6},
)
PY
run_python agno==3.1.10 openai==3.57.0 <<'PY'
import json
import logging

from agno.agent import Agent
from agno.models.openai.like import OpenAILike
from serve import Server, expect, outcome

logging.disable()
error = json.dumps({"error": {"message": "Slow down.", "type": "rate_limit_error", "code": None}}).encode()


def count_sent(ask):
    server = Server(error, "application/json", status=429, headers={"retry-after-ms": "10"})
    outcome(lambda: ask(server.url))
    return len(server.bodies)


def ask_agno(url, **options):
    model = OpenAILike(id="m", base_url=url, api_key="k", **options)
    Agent(model=model, retries=2, telemetry=False).run("Hi")


expect(
    {
        "agno": count_sent(ask_agno),
        "agno, max_retries=0": count_sent(lambda url: ask_agno(url, max_retries=0)),
    },
    {"agno": 9, "agno, max_retries=0": 3},
)
PY
