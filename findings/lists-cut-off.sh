#!/usr/bin/env bash
# A list that max_tokens cut off is a shorter list, whose last name is half a name, in two of four typed answers.
#
# Versions:  dspy 3.4.1, langchain-core 1.8.3 with langchain-openai 1.7.4, instructor 1.17.0; openai 3.3.0.
# Input:     an answer of the type `list[str]` that ends in `"Ann", "Bo`, with the finish reason `length`; in the form
#            that each asks the model for.
# Seen:      DSPy's signature returns ['Ann', 'Bo'], with both of its adapters, which repair the JSON and log a warning,
#            and so does LangChain's PydanticOutputParser, which is made for whole answers. `with_structured_output` of
#            the same package and instructor raise, with the reason.
# Matters:   a table that is extracted from a long document ends early and looks whole: each row is valid, the last one
#            is false, and the class was asked to see to that. What is cut off is no answer, whatever can be made of it.
. "$(dirname "$0")/lib/run.sh"
run_python dspy==3.4.1 langchain-core==1.8.3 langchain-openai==1.7.4 instructor==1.17.0 openai==3.3.0 <<'PY'
import json
import logging

import dspy
import instructor
from langchain_core.output_parsers import PydanticOutputParser
from langchain_openai import ChatOpenAI
from openai import OpenAI
from pydantic import BaseModel
from serve import MESSAGES, Server, expect, outcome

logging.disable()
dspy.configure_cache(enable_disk_cache=False, enable_memory_cache=False)


class Guests(BaseModel):
    names: list[str]


def serve_cut(text):
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "length"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    whole = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    return Server(json.dumps(whole).encode(), "application/json").url


fields = serve_cut('[[ ## names ## ]]\n["Ann", "Bo')
document = serve_cut('{"names": ["Ann", "Bo')


def ask_dspy(url, adapter):
    model = dspy.LM("openai/m", api_base=url, api_key="k", cache=False)
    with dspy.context(lm=model, adapter=adapter):
        return dspy.Predict("text -> names: list[str]")(text="Hi").names


def ask_langchain(make):
    answer = outcome(lambda: make(ChatOpenAI(base_url=document, api_key="k", model="m", max_retries=0)).invoke("Hi"))
    return answer.names if isinstance(answer, Guests) else answer.split(":")[0]


def ask_instructor():
    client = instructor.from_openai(OpenAI(base_url=document, api_key="k", max_retries=0), mode=instructor.Mode.JSON)
    return client.chat.completions.create(model="m", messages=MESSAGES, response_model=Guests, max_retries=0).names


expect(
    {
        "dspy": ask_dspy(fields, dspy.ChatAdapter()),
        "dspy, JSON": ask_dspy(document, dspy.JSONAdapter()),
        "langchain, parser": ask_langchain(lambda model: model | PydanticOutputParser(pydantic_object=Guests)),
        "langchain, model": ask_langchain(lambda model: model.with_structured_output(Guests)),
        "instructor": str(outcome(ask_instructor)).split(":")[0],
    },
    {
        "dspy": ["Ann", "Bo"],
        "dspy, JSON": ["Ann", "Bo"],
        "langchain, parser": ["Ann", "Bo"],
        "langchain, model": "LengthFinishReasonError",
        "instructor": "IncompleteOutputException",
    },
)
PY
