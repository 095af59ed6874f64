#!/usr/bin/env bash
# msgspec fills attrs classes past their converters and aliases, but runs their validators, on the unconverted value.
#
# Versions:  msgspec 0.23.0, attrs 26.1.0.
# Input:     classes with a converter (lowercase) and a validator (one of `low`, `high`), and with an alias.
# Seen:      `{"level": "LOW"}`, which the class itself takes, is refused by the validator; without the validator it stays
#            `LOW`; a field with alias `kind` is read from its name `kind_`, and refused under its alias.
# Matters:   a class that is right when it is called is another one when JSON is decoded into it.
. "$(dirname "$0")/lib/run.sh"
run_python msgspec==0.23.0 attrs==26.1.0 <<'PY'
import attrs
import msgspec
from serve import expect, outcome


@attrs.define
class Checked:
    level: str = attrs.field(converter=str.lower, validator=attrs.validators.in_(["low", "high"]))


@attrs.define
class Converted:
    level: str = attrs.field(converter=str.lower)


@attrs.define
class Aliased:
    kind_: str = attrs.field(alias="kind")


def decode(cls, text):
    return outcome(lambda: msgspec.json.decode(text, type=cls))


expect(
    {
        "called": Checked("LOW").level,
        "decoded, validator": decode(Checked, b'{"level": "LOW"}').split(":")[0],
        "decoded, converter": decode(Converted, b'{"level": "LOW"}').level,
        "decoded, alias": decode(Aliased, b'{"kind": "a"}'),
        "decoded, name": decode(Aliased, b'{"kind_": "a"}').kind_,
    },
    {
        "called": "low",
        "decoded, validator": "ValidationError",
        "decoded, converter": "LOW",
        "decoded, alias": "ValidationError: Object missing required field `kind_`",
        "decoded, name": "a",
    },
)
PY
