#!/usr/bin/env bash
# json_repair changes strings that are whole: a comma too many elsewhere, and a file loses its last line break.
#
# Versions:  json_repair 0.64.6, jsonrepair 3.15.0 of npm.
# Input:     arguments of a tool call with a text to be written, once as valid JSON and once with a comma before the last
#            brace, which models write. Each text is a valid JSON string in both.
# Seen:      as valid JSON every text comes back. With the comma json_repair takes the line break off the end, leaves
#            `n{}` and a fence of a fenced `{}`, and makes of an escaped U+1D11E two halves that cannot be written to a
#            file; `stream_stable=True` mends the line break alone. jsonrepair changes none.
# Matters:   the result has the right keys and types, so validation passes and the wrong content is written. A parser of
#            damaged JSON is no filter to put before every tool: what is valid is read strictly, the rest is refused.
. "$(dirname "$0")/lib/run.sh"
run_python json_repair==0.64.6 <<'PY'
import json

import json_repair
from serve import expect

texts = {"line break": "x = 1\n", "fence": "```json\n{}\n```", "escape": "\U0001d11e", "quotes": 'say "hi", then go'}


def repair(text, damage=",}", **settings):
    arguments = json.dumps({"path": "a", "content": text})
    return json_repair.loads(arguments[:-1] + damage, **settings)["content"]


expect(
    {name: (repair(text, "}") == text, repair(text), repair(text, stream_stable=True)) for name, text in texts.items()},
    {
        "line break": (True, "x = 1", "x = 1\n"),
        "fence": (True, "n{}\n```", "n{}\n```"),
        "escape": (True, "\ud834\udd1e", "\ud834\udd1e"),
        "quotes": (True, texts["quotes"], texts["quotes"]),
    },
)
PY
run_node jsonrepair@3.15.0 <<'JS'
import { jsonrepair } from "jsonrepair";

const texts = ["x = 1\n", "```json\n{}\n```", "\u{1d11e}", 'say "hi", then go'];
const escape = (text) => JSON.stringify({ content: text }).replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16)}`);
const kept = texts.map((text) => JSON.parse(jsonrepair(escape(text).slice(0, -1) + ",}")).content === text);
console.log("jsonrepair keeps", kept);
if (!kept.every(Boolean)) throw new Error("The behaviour has changed.");
JS
