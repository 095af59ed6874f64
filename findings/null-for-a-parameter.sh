#!/usr/bin/env bash
# A model leaves two optional parameters null, and the function gets the text "None" and False from Semantic Kernel.
#
# Versions:  semantic-kernel 1.45.0 with openai 3.3.0; contrasted with pydantic-ai-slim 2.68.0 with openai 3.57.0.
# Input:     a function with the parameters `note: str | None = None` and `urgent: bool | None = None`, and a call of it
#            with {"note": null, "urgent": null}: so models say that they leave a parameter out, and must where a schema
#            is strict, as OpenAI's guide to structured output makes an optional field a required one that admits null.
# Seen:      Semantic Kernel calls the first type of the annotation with the value: str(None), bool(None). Its schema
#            does not say that null is possible, the annotation does. Pydantic AI passes None twice.
# Matters:   a note that says None is stored, and what was not said becomes a no. Null goes to the function as None
#            where its annotation admits it, else back to the model as an error.
. "$(dirname "$0")/lib/run.sh"
run_python semantic-kernel==1.45.0 openai==3.3.0 <<'PY'
import asyncio
import json

from openai import AsyncOpenAI
from semantic_kernel.agents import ChatCompletionAgent
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion
from semantic_kernel.functions import kernel_function
from serve import expect, serve_call

got = []


class Orders:
    @kernel_function
    def place(self, note: str | None = None, urgent: bool | None = None) -> str:
        """Place an order."""
        got.append((note, urgent))
        return "Placed."


async def ask(server):
    client = AsyncOpenAI(base_url=server.url, api_key="k")
    service = OpenAIChatCompletion(ai_model_id="m", async_client=client)
    await ChatCompletionAgent(service=service, plugins=[Orders()]).get_response("Hi")
    (tool,) = json.loads(server.bodies[0])["tools"]
    return tool["function"]["parameters"]


parameters = asyncio.run(ask(serve_call("Orders-place", note=None, urgent=None)))
expect(
    {"types": [each["type"] for each in parameters["properties"].values()], "semantic-kernel": got},
    {"types": ["string", "boolean"], "semantic-kernel": [("None", False)]},
)
PY
run_python 'pydantic-ai-slim[openai]==2.68.0' openai==3.57.0 <<'PY'
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from serve import expect, serve_call

got = []


def place(note: str | None = None, urgent: bool | None = None) -> str:
    """Place an order."""
    got.append((note, urgent))
    return "Placed."


provider = OpenAIProvider(base_url=serve_call("place", note=None, urgent=None).url, api_key="k")
Agent(OpenAIChatModel("m", provider=provider), tools=[place]).run_sync("Hi")
expect({"pydantic-ai": got}, {"pydantic-ai": [(None, None)]})
PY
