#!/usr/bin/env bash
# An escaped quotation mark in a streamed list ends it: of three items magentic returns the one before it.
#
# Versions:  magentic 0.41.1 with openai 3.57.0.
# Input:     a function that returns `list[Item]`, or `list[str]`, and the arguments of its tool call as whole JSON in
#            one chunk. The texts have no mark, an inch mark, or two quotation marks.
# Seen:      without a mark all three items. With one, or with two around a word, the list has the item before it alone,
#            or none, and nothing is raised: magentic cuts the text into items itself, loses count of the escapes, and
#            takes the rest for a string that never closes. Brackets, commas and backslashes in a text do no harm.
# Matters:   a catalogue with 3" nails is stored without them and without all that follows, and looks complete.
#            Arguments count when a JSON parser has read them to the end.
. "$(dirname "$0")/lib/run.sh"
run_python magentic==0.41.1 openai==3.57.0 <<'PY'
import json

from magentic import OpenaiChatModel, prompt
from pydantic import BaseModel
from serve import Server, chunk, events, expect, tool_call


class Item(BaseModel):
    name: str
    price: int


def list_items(kind, values):
    def answer(sent):
        name = json.loads(sent)["tools"][0]["function"]["name"]
        return events(tool_call(name, json.dumps({"value": values}), "call_1"), chunk({}, "tool_calls"))

    @prompt("List all.", model=OpenaiChatModel("m", base_url=Server(answer).url, api_key="k"))
    def ask() -> list[kind]: ...

    return [each if kind is str else each.name for each in ask()]


def list_both(*names):
    return list_items(Item, [{"name": name, "price": 1} for name in names]), list_items(str, list(names))


expect(
    {
        "none": list_both("screws", "nails", "bolts"),
        "one": list_both("screws", '3" nails', "bolts"),
        "one in the first": list_both('3" nails', "screws", "bolts"),
        "two": list_both("screws", 'the "best" nails', "bolts"),
        "others": list_both("screws", "nails [new], {a}\\b", "bolts"),
    },
    {
        "none": (["screws", "nails", "bolts"], ["screws", "nails", "bolts"]),
        "one": (["screws"], ["screws"]),
        "one in the first": ([], []),
        "two": (["screws"], ["screws"]),
        "others": (["screws", "nails [new], {a}\\b", "bolts"], ["screws", "nails [new], {a}\\b", "bolts"]),
    },
)
PY
