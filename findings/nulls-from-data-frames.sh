#!/usr/bin/env bash
# A batch file that went through a data frame asks for other tools: every object gets the keys of all others, as null.
#
# Versions:  polars 2.1.0, duckdb 2.0.1, datasets 5.2.0, pyarrow 26.0.1.
# Input:     two valid requests: one with a user's message and the tool `weather(city)`, one with a tool's message and the
#            tool `cancel(order)`; read and written again, without a change.
# Seen:      Polars, DuckDB, Parquet and a list in datasets give the user's message `"tool_call_id": null`, and the schema
#            of `weather` the property `"order": null`. datasets keeps both out if it reads the same lines from a file.
# Matters:   services refuse a null there, after the upload, for every line; `null` is no JSON Schema either. The lines
#            have the right shape where two requests are alike, so a small trial passes.
. "$(dirname "$0")/lib/run.sh"
run_python polars==2.1.0 duckdb==2.0.1 datasets==5.2.0 pyarrow==26.0.1 <<'PY'
import json
import tempfile
from pathlib import Path

import datasets
import duckdb
import polars
import pyarrow
import pyarrow.parquet
from serve import expect

datasets.disable_progress_bars()


def request(custom_id, message, name, properties):
    function = {"name": name, "parameters": {"type": "object", "properties": properties}}
    body = {"model": "m", "messages": [message], "tools": [{"type": "function", "function": function}]}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}


rows = [
    request("a", {"role": "user", "content": "Rain?"}, "weather", {"city": {"type": "string"}}),
    request("b", {"role": "tool", "content": "0", "tool_call_id": "c"}, "cancel", {"order": {"type": "string"}}),
]
folder = Path(tempfile.mkdtemp())
source, target, parquet = str(folder / "in.jsonl"), str(folder / "out.jsonl"), str(folder / "rows.parquet")
Path(source).write_text("".join(json.dumps(row) + "\n" for row in rows))


def first_line(write):
    write()
    body = json.loads(Path(target).read_text().splitlines()[0])["body"]
    return find_nulls(body)


def find_nulls(body):
    properties = body["tools"][0]["function"]["parameters"]["properties"]
    return [name for fields in (body["messages"][0], properties) for name, value in fields.items() if value is None]


def read_parquet():
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), parquet)
    return pyarrow.parquet.read_table(parquet).to_pylist()[0]["body"]


def from_file():
    return datasets.load_dataset("json", data_files=source, split="train", cache_dir=str(folder))


nulls = ["tool_call_id", "order"]
expect(
    {
        "polars": first_line(lambda: polars.read_ndjson(source).write_ndjson(target)),
        "duckdb": first_line(lambda: duckdb.sql(f"COPY (FROM read_json('{source}')) TO '{target}' (FORMAT json)")),
        "parquet": find_nulls(read_parquet()),
        "datasets, list": first_line(lambda: datasets.Dataset.from_list(rows).to_json(target)),
        "datasets, file": first_line(lambda: from_file().to_json(target)),
    },
    {"polars": nulls, "duckdb": nulls, "parquet": nulls, "datasets, list": nulls, "datasets, file": []},
)
PY
