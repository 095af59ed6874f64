#!/usr/bin/env bash
# The one failed line of a batch results file, read by four data libraries: DuckDB loses its error in silence.
#
# Versions:  duckdb 2.0.1, polars 2.1.0, pyarrow 26.0.1, pandas 3.1.1.
# Input:     30,000 result lines as a batch API writes them; line 29,000 has `"response": null` and an error, all others
#            have `"error": null`.
# Seen:      DuckDB types the column `error` as NULL by its sample and returns NULL for the failed line, so that no line
#            has an error; Polars and Arrow raise; Arrow's message speaks of timestamps. pandas keeps the error, but
#            turns the ids `00000` ... into integers, which match no row.
# Matters:   failures are rare and late, and types are guessed from the beginning. Declare them, or read by line.
. "$(dirname "$0")/lib/run.sh"
run_python duckdb==2.0.1 polars==2.1.0 pyarrow==26.0.1 pandas==3.1.1 <<'PY'
import json
import tempfile

import duckdb
import pandas
import polars
import pyarrow.json
from serve import expect, outcome

good = {"status_code": 200, "body": {"choices": [{"message": {"content": "Hi"}}]}}
failed = {"response": None, "error": {"code": "server_error", "message": "boom"}}
with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
    for number in range(30_000):
        rest = failed if number == 29_000 else {"response": good, "error": None}
        file.write(json.dumps({"custom_id": f"{number:05d}", **rest}) + "\n")
    file.flush()
    table = pandas.read_json(file.name, lines=True)
    expect(
        {
            "duckdb, errors": duckdb.sql(f"SELECT count(error) FROM read_json('{file.name}')").fetchall(),
            "duckdb, the line": duckdb.sql(f"SELECT error FROM read_json('{file.name}') OFFSET 29000 LIMIT 1").fetchall(),
            "polars": outcome(lambda: polars.read_ndjson(file.name)).split(":")[0],
            "pyarrow": outcome(lambda: pyarrow.json.read_json(file.name)).split(" is not")[0],
            "pandas, errors": int(table["error"].notna().sum()),
            "pandas, first id": repr(table["custom_id"].tolist()[1]),
        },
        {
            "duckdb, errors": [(0,)],
            "duckdb, the line": [(None,)],
            "polars": "ComputeError",
            "pyarrow": "ArrowNotImplementedError: JSON conversion to struct<code: timestamp[s], message: timestamp[s]>",
            "pandas, errors": 1,
            "pandas, first id": "1",
        },
    )
PY
