#!/usr/bin/env bash
# One schema, two decoders that enforce it: one lets through numbers out of bounds, the other refuses the schema.
#
# Versions:  outlines-core 0.2.14, llguidance 1.9.1, jsonschema 4.26.0.
# Input:     JSON texts and schemas of `response_format`; asked is whether a model that is held to the schema could have
#            written the text.
# Seen:      outlines-core lets 99 pass for a maximum of 5, 3 for a multipleOf 5 and [1, 1] for uniqueItems, and rules
#            out every key that the schema does not name, and line breaks between members. llguidance holds the numbers,
#            but refuses a schema with uniqueItems. Both rule out an é that is escaped, and another order of keys.
# Matters:   servers choose such an engine per request, so a "strict" response is not valid by being strict. Validate it,
#            and do not count on the order of keys of another server.
. "$(dirname "$0")/lib/run.sh"
run_python outlines-core==0.2.14 llguidance==1.9.1 jsonschema==4.26.0 <<'PY'
import json
import re

from jsonschema import Draft202012Validator
from llguidance import LLMatcher, LLTokenizer
from outlines_core.json_schema import build_regex_from_schema
from serve import expect

numbers = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}
cases = {
    "maximum": ({"type": "integer", "minimum": 1, "maximum": 5}, "99"),
    "multipleOf": ({"type": "integer", "multipleOf": 5}, "3"),
    "uniqueItems": ({"type": "array", "items": {"type": "integer"}, "uniqueItems": True}, "[1, 1]"),
    "escaped letter": ({"type": "string"}, r'"\u00e9"'),
    "other order": (numbers, '{"b": 1, "a": 2}'),
    "one more key": (numbers, '{"a": 1, "b": 2, "c": 3}'),
    "line breaks": (numbers, '{\n"a": 1,\n"b": 2\n}'),
}
tokenizer = LLTokenizer("byte")


def llguidance(schema, text):
    matcher = LLMatcher(tokenizer, LLMatcher.grammar_from_json_schema(schema))
    if matcher.is_error():
        return "refused"
    tokens = tokenizer.tokenize_str(text)
    return matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting()


def outlines(schema, text):
    return re.fullmatch(build_regex_from_schema(json.dumps(schema)), text) is not None


def verdicts(schema, text):
    valid = Draft202012Validator(schema).is_valid(json.loads(text))
    return {"valid": valid, "outlines": outlines(schema, text), "llguidance": llguidance(schema, text)}


expect(
    {name: list(verdicts(*case).values()) for name, case in cases.items()},
    {
        "maximum": [False, True, False],
        "multipleOf": [False, True, False],
        "uniqueItems": [False, True, "refused"],
        "escaped letter": [True, False, False],
        "other order": [True, False, False],
        "one more key": [True, False, True],
        "line breaks": [True, False, True],
    },
)
PY
