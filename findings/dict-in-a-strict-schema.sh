#!/usr/bin/env bash
# A field `prices: dict[str, int]` in a strict tool: two of four converters send a schema that admits only `{}`.
#
# Versions:  langchain-core 1.8.3, pydantic-ai-slim 2.68.0, openai 3.57.0, openai-agents 0.24.0; jsonschema 4.26.0 judges.
# Input:     a tool with that field, converted with the switch for strict schemas; arguments with one price, and without.
# Seen:      LangChain and Pydantic AI replace the type of the values by `"additionalProperties": false`: with a decoder
#            held to the schema the model cannot say a price. openai's own helper keeps the type; the agents SDK raises.
# Matters:   the call is valid, the tool runs, and the dict is empty. A service that refuses the type says so; nobody
#            says that a field cannot be filled.
. "$(dirname "$0")/lib/run.sh"
run_python langchain-core==1.8.3 'pydantic-ai-slim[openai]==2.68.0' openai==3.57.0 openai-agents==0.24.0 jsonschema==4.26.0 <<'PY'
import jsonschema
import openai
from agents import function_tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel
from pydantic_ai import Tool
from pydantic_ai.profiles.openai import OpenAIJsonSchemaTransformer
from serve import expect, outcome


class Prices(BaseModel):
    """Set prices."""

    prices: dict[str, int]


def set_prices(prices: dict[str, int]) -> None:
    """Set prices."""


def admitted(schema):
    validator = jsonschema.Draft202012Validator(schema)
    return {str(prices): validator.is_valid({"prices": prices}) for prices in ({"tea": 3}, {})}


def langchain():
    return admitted(convert_to_openai_tool(Prices, strict=True)["function"]["parameters"])


def pydantic_ai():
    return admitted(OpenAIJsonSchemaTransformer(Tool(set_prices).function_schema.json_schema, strict=True).walk())


def openai_helper():
    return admitted(openai.pydantic_function_tool(Prices)["function"]["parameters"])


def agents():
    return admitted(function_tool(set_prices).params_json_schema)


only_empty = {"{'tea': 3}": False, "{}": True}
expect(
    {
        "langchain": langchain(),
        "pydantic-ai": pydantic_ai(),
        "openai": openai_helper(),
        "agents": outcome(agents).partition(".")[0],
    },
    {
        "langchain": only_empty,
        "pydantic-ai": only_empty,
        "openai": {"{'tea': 3}": True, "{}": True},
        "agents": "UserError: additionalProperties should not be set for object types",
    },
)
PY
