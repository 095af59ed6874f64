#!/usr/bin/env bash
# cattrs makes a list of letters of a text, True of "false" and 1 of 1.9, also through its converter for msgspec.
#
# Versions:  cattrs 26.2.1, msgspec 0.23.0.
# Input:     JSON values of other types than the class says, as other servers of the same API send them.
# Seen:      `"abc"` as list[str] is ['a', 'b', 'c'], `{"a": 1}` as list[str] is ['a'], `"false"` as bool is True,
#            1.9 as int is 1; nothing is raised, although the converter for msgspec validates in C where it can.
# Matters:   `"stop": "abc"` becomes three stop sequences. Structure hooks of one's own have to look at the type first.
. "$(dirname "$0")/lib/run.sh"
run_python cattrs==26.2.1 msgspec==0.23.0 <<'PY'
import cattrs
from cattrs.preconf.msgspec import make_converter
from serve import expect

loads = make_converter().loads
cases = {"text as a list": (b'"abc"', list[str]), "object as a list": (b'{"a": 1}', list[str])}
cases |= {"text as a bool": (b'"false"', bool), "fraction as an int": (b"1.9", int)}
values = {"text as a list": "abc", "object as a list": {"a": 1}, "text as a bool": "false", "fraction as an int": 1.9}
wanted = {"text as a list": ["a", "b", "c"], "object as a list": ["a"], "text as a bool": True, "fraction as an int": 1}
expect({name: cattrs.structure(values[name], kind) for name, (_, kind) in cases.items()}, wanted)
expect({name: loads(text, kind) for name, (text, kind) in cases.items()}, wanted)
PY
