#!/usr/bin/env bash
# Answers that look like dates are other answers when a results file was read and written: "9:30" is "09:30:00".
#
# Versions:  duckdb 2.0.1, datasets 5.2.0, pyarrow 26.0.1, polars 2.1.0, pandas 3.1.1.
# Input:     result lines whose `content` is a time with an offset, a time of the day, or a date, as prompts that
#            extract ask for; with numbers of twenty digits, in quotes, as `custom_id`.
# Seen:      deep in the body of a response DuckDB makes times and dates of texts, and writes them in the time zone of
#            the machine: half past eleven on 30 November at -02:00 comes back as `2026-12-01 01:30:00+00` in UTC.
#            datasets writes it as the number 1796088600000; PyArrow, which reads for it, has a timestamp without an
#            offset. Polars and pandas keep the answers, but pandas makes one id of two, 1.23456789e+19, and writes it
#            so.
# Matters:   the column has its type by what all the answers sampled have in common, so one "unknown" among the first
#            lines leaves everything as it was. Another day is extracted than the one in the text, and scored as wrong.
. "$(dirname "$0")/lib/run.sh"
run_python duckdb==2.0.1 datasets==5.2.0 pyarrow==26.0.1 polars==2.1.0 pandas==3.1.1 <<'PY'
import json
import tempfile
from pathlib import Path

import datasets
import duckdb
import pandas
import polars
import pyarrow.json
from serve import expect

datasets.disable_progress_bars()
duckdb.sql("SET TimeZone = 'UTC'")
folder = Path(tempfile.mkdtemp())
source, target = str(folder / "results.jsonl"), str(folder / "again.jsonl")
ids = ["12345678901234567890", "12345678901234567891"]


def content_of(row):
    return row["response"]["body"]["choices"][0]["message"]["content"]


def write_results(*answers):
    with open(source, "w") as file:
        for custom_id, answer in zip(ids, answers, strict=True):
            body = {"choices": [{"index": 0, "message": {"role": "assistant", "content": answer}}]}
            row = {"custom_id": custom_id, "response": {"status_code": 200, "body": body}, "error": None}
            file.write(json.dumps(row) + "\n")


def read_again(write, read=content_of):
    write()
    return [read(json.loads(line)) for line in Path(target).read_text().splitlines()]


def use_duckdb():
    duckdb.sql(f"COPY (FROM read_json('{source}')) TO '{target}' (FORMAT json)")


def use_datasets():
    datasets.load_dataset("json", data_files=source, split="train", cache_dir=str(folder)).to_json(target)


def use_polars():
    polars.read_ndjson(source).write_ndjson(target)


def use_pandas():
    pandas.read_json(source, lines=True).to_json(target, orient="records", lines=True)


seen = {}
write_results("2026-11-30T23:30:00-02:00", "2026-11-30T08:00:00Z")
seen["duckdb, with offset"] = read_again(use_duckdb)
seen["datasets, with offset"] = read_again(use_datasets)
seen["pyarrow, with offset"] = [str(content_of(row)) for row in pyarrow.json.read_json(source).to_pylist()]
seen["polars, with offset"] = read_again(use_polars)
seen["pandas, with offset"] = read_again(use_pandas)
seen["pandas, ids"] = read_again(use_pandas, lambda row: row["custom_id"])
seen["duckdb, ids"] = read_again(use_duckdb, lambda row: row["custom_id"])
write_results("9:30", "14:05")
seen["duckdb, time"] = read_again(use_duckdb)
write_results("2026-1-5", "2026-01-05")
seen["duckdb, date"] = read_again(use_duckdb)
write_results("9:30", "unknown")
seen["duckdb, one unknown"] = read_again(use_duckdb)
kept = ["2026-11-30T23:30:00-02:00", "2026-11-30T08:00:00Z"]
expect(
    seen,
    {
        "duckdb, with offset": ["2026-12-01 01:30:00+00", "2026-11-30 08:00:00+00"],
        "datasets, with offset": [1796088600000, 1796025600000],
        "pyarrow, with offset": ["2026-12-01 01:30:00", "2026-11-30 08:00:00"],
        "polars, with offset": kept,
        "pandas, with offset": kept,
        "pandas, ids": [1.23456789e19, 1.23456789e19],
        "duckdb, ids": ids,
        "duckdb, time": ["09:30:00", "14:05:00"],
        "duckdb, date": ["2026-01-05", "2026-01-05"],
        "duckdb, one unknown": ["9:30", "unknown"],
    },
)
PY
