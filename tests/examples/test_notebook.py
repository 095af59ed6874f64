"""The example notebook, run from its first cell to its last in a kernel of its own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[2] / "examples" / "notebook.ipynb"
CELL_SECONDS = 120


@pytest.fixture(scope="module")
def cells() -> list[dict[str, Any]]:
    """The cells of the notebook after a run: a kernel takes seconds to start, so there is one for all tests."""
    reason = "a kernel needs the extra notebook: pip install 'gradient-async[notebook]'"
    pytest.importorskip("ipykernel", reason=reason)
    nbclient = pytest.importorskip("nbclient", reason=reason)
    nbformat = pytest.importorskip("nbformat", reason=reason)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3").execute()
    ran: list[dict[str, Any]] = notebook.cells
    return ran


def find_html(cells: list[dict[str, Any]], source: str) -> list[str]:
    """Return the HTML of all outputs of the cell that has *source*."""
    (cell,) = [cell for cell in cells if cell["cell_type"] == "code" and source in cell["source"]]
    return [output["data"]["text/html"] for output in cell["outputs"] if "text/html" in output.get("data", {})]


@pytest.mark.parametrize(
    ("source", "outputs"),
    [
        ("completions.create", [["<b>model</b> llama3.3-70b-instruct", "<b>tokens</b>", "<pre"]]),
        ("embeddings.create", [["<b>vectors</b> 2", "dimensions, norm"]]),
        ("images.generate", [['<img src="data:image/png;base64,']]),
        ("completions.map", [["40 of 40", '<progress value="40" max="40">'], ["<b>request</b>", "<pre"]]),
        ("session.limits", [["<td>250</td>", "<progress"]]),
        ("batches.run", [["uploaded", "completed: 40 of 40 completed"], ["40 succeeded, 0 failed, 0 missing"]]),
        ("job", [["<b>status</b> completed", "40 of 40 completed"]]),
    ],
)
def test_a_cell_shows_its_result(cells: list[dict[str, Any]], source: str, outputs: list[list[str]]) -> None:
    found = find_html([cell for cell in cells if source != "job" or cell["source"] == "job"], source)
    assert len(found) == len(outputs)
    assert [
        (text, html) for html, texts in zip(found, outputs, strict=True) for text in texts if text not in html
    ] == []


def test_a_stream_is_printed_and_nothing_warns(cells: list[dict[str, Any]]) -> None:
    printed = [output for cell in cells for output in cell.get("outputs", ()) if output["output_type"] == "stream"]
    assert {output["name"] for output in printed} == {"stdout"}
    assert len("".join(output["text"] for output in printed).split()) > 5


def test_no_cell_fails(cells: list[dict[str, Any]]) -> None:
    assert [output for cell in cells for output in cell.get("outputs", ()) if output["output_type"] == "error"] == []


def test_the_notebook_is_stored_without_outputs() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells)
    assert not re.search(r"sk-|MODEL_ACCESS_KEY *=", json.dumps(cells))
