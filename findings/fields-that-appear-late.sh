#!/usr/bin/env bash
# The first tool call of a results file, in line 29,000, is gone: two data libraries know the first lines' fields only.
#
# Versions:  polars 2.1.0, duckdb 2.0.1, pyarrow 26.0.1, datasets 5.2.0.
# Input:     result lines of answers with `role` and `content`, but for one with `tool_calls` and one with a `refusal`,
#            as services leave out what an answer does not have; late in the file, and for Polars in line 100 of 200.
# Seen:      Polars and DuckDB return that answer with a content of None, the finish reason `tool_calls`, and no call; a
#            refusal is an empty answer. Neither warns. Polars looks at 100 lines, DuckDB at some 20,000. PyArrow and
#            datasets return all fields of the same file.
# Matters:   a trial of 90 lines has every call, the job of a day has none of the rare ones, and what was paid for looks
#            like a model that had nothing to say. State the schema, or read by line.
. "$(dirname "$0")/lib/run.sh"
run_python polars==2.1.0 duckdb==2.0.1 pyarrow==26.0.1 datasets==5.2.0 <<'PY'
import json
import tempfile
from pathlib import Path

import datasets
import duckdb
import polars
import pyarrow.json
from serve import expect

datasets.disable_progress_bars()
folder = tempfile.mkdtemp()
plain = {"role": "assistant", "content": "Hi"}, "stop"
call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
called = {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
refused = {"role": "assistant", "content": None, "refusal": "I cannot."}, "stop"


def write_results(total, **rare):
    path = Path(folder, f"{total}.jsonl")
    with path.open("w") as file:
        for number in range(total):
            message, finish = rare.get(f"line_{number}", plain)
            body = {"choices": [{"index": 0, "message": message, "finish_reason": finish}]}
            line = {"custom_id": f"q-{number}", "response": {"status_code": 200, "body": body}, "error": None}
            file.write(json.dumps(line) + "\n")
    return str(path)


def fields_of(row):
    choice = row["response"]["body"]["choices"][0]
    return choice["finish_reason"], *(choice["message"].get(name) for name in ("content", "tool_calls", "refusal"))


def read_polars(path, number):
    return fields_of(polars.read_ndjson(path).row(number, named=True))


def read_duckdb(path, number):
    ((response,),) = duckdb.sql(f"SELECT response FROM read_json('{path}') WHERE custom_id = 'q-{number}'").fetchall()
    return fields_of({"response": response})


def read_arrow(path, number):
    return fields_of(pyarrow.json.read_json(path).slice(number, 1).to_pylist()[0])


def read_datasets(path, number):
    return fields_of(datasets.load_dataset("json", data_files=path, split="train", cache_dir=folder)[number])


small = write_results(200, line_99=called, line_100=refused)
large = write_results(30_000, line_29000=called, line_29001=refused)
empty_call, whole_call = ("tool_calls", None, None, None), ("tool_calls", None, [call], None)
empty_refusal, whole_refusal = ("stop", None, None, None), ("stop", None, None, "I cannot.")
expect(
    {
        "polars, line 99": read_polars(small, 99),
        "polars, line 100": read_polars(small, 100),
        "polars, line 29,000": read_polars(large, 29_000),
        "duckdb, line 100": read_duckdb(small, 100),
        "duckdb, line 29,000": read_duckdb(large, 29_000),
        "duckdb, line 29,001": read_duckdb(large, 29_001),
        "pyarrow, line 29,000": read_arrow(large, 29_000),
        "pyarrow, line 29,001": read_arrow(large, 29_001),
        "datasets, line 29,000": read_datasets(large, 29_000),
    },
    {
        "polars, line 99": whole_call,
        "polars, line 100": empty_refusal,
        "polars, line 29,000": empty_call,
        "duckdb, line 100": whole_refusal,
        "duckdb, line 29,000": empty_call,
        "duckdb, line 29,001": empty_refusal,
        "pyarrow, line 29,000": whole_call,
        "pyarrow, line 29,001": whole_refusal,
        "datasets, line 29,000": whole_call,
    },
)
PY
