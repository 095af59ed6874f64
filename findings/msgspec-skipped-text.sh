#!/usr/bin/env bash
# msgspec's verdict on a text depends on whether anybody wants it; half an emoji is "truncated" input.
#
# Versions:  msgspec 0.23.0.
# Input:     an object with one field that the struct knows and one that it does not, whose text has a byte that is no
#            UTF-8; then a JSON string with one half of a surrogate pair, which json.loads takes.
# Seen:      the line with the bad byte decodes while the field is skipped, and is refused when the field is declared;
#            the half pair is refused as `Input data was truncated`, though nothing is missing.
# Matters:   a line that was counted as good can fail when it is read in full, and streams cut characters in two: both
#            need the decoder of the standard library as a second road.
. "$(dirname "$0")/lib/run.sh"
run_python msgspec==0.23.0 <<'PY'
import json

import msgspec
from serve import expect, outcome


class Short(msgspec.Struct):
    n: int


class Long(msgspec.Struct):
    n: int
    text: str


line, half = b'{"n": 1, "text": "\xff"}', b'"\\ud83d"'
expect(
    {
        "skipped": outcome(lambda: msgspec.json.decode(line, type=Short).n),
        "wanted": str(outcome(lambda: msgspec.json.decode(line, type=Long))).split(":")[0],
        "half a pair": outcome(lambda: msgspec.json.decode(half)),
        "half a pair, json": ascii(json.loads(half)),
    },
    {
        "skipped": 1,
        "wanted": "DecodeError",
        "half a pair": "DecodeError: Input data was truncated",
        "half a pair, json": "'\\ud83d'",
    },
)
PY
