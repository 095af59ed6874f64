"""Vectors, maps and batches in a notebook.

Contract: as for `gradient_async.models._html.page`. Neither requests nor the numbers of vectors are shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradient_async.errors import GradientError
from gradient_async.models._html.page import Page, escape_html, render_bar, render_table
from gradient_async.models._texts import summarize_error, summarize_vector

if TYPE_CHECKING:
    from gradient_async.models.batch import Batch, BatchFault
    from gradient_async.models.batch_result import BatchReport, BatchResult
    from gradient_async.models.embedding_result import EmbeddingResult
    from gradient_async.models.embeddings import Embedding, EmbeddingList
    from gradient_async.models.map_progress import MapProgress
    from gradient_async.models.map_result import MapResult

_MAX_FAULTS = 20


def show_embedding(embedding: Embedding) -> str:
    """Return the shape of a vector."""
    page = Page()
    page.add_facts([("vector", embedding.index), ("", summarize_vector(embedding.embedding))])
    return page.render()


def show_embeddings(embeddings: EmbeddingList) -> str:
    """Return a table with the shape of each vector."""
    page = Page()
    tokens = embeddings.usage.total_tokens if embeddings.usage else None
    page.add_facts([("model", embeddings.model), ("vectors", len(embeddings.data)), ("tokens", tokens)])
    rows = ((f"{each.index}", escape_html(summarize_vector(each.embedding))) for each in embeddings.data)
    page.add_html(render_table(("vector", "shape"), rows))
    return page.render()


def show_embedding_result(result: EmbeddingResult) -> str:
    """Return the shape of the vector of one text, or the error."""
    outcome = summarize_vector(result.embedding or ()) if result.error is None else None
    page = Page()
    page.add_facts([("text", result.index), ("vector", outcome), ("error", _describe_error(result.error))])
    return page.render()


def show_map_result(result: MapResult[Any]) -> str:
    """Return the reply to one request of a map, or the error."""
    page = Page()
    restored = "from the checkpoint" if result.restored else None
    page.add_facts([("request", result.index), ("id", result.id), ("restored", restored)])
    page.add_facts([("error", _describe_error(result.error))])
    page.add_reply(result.completion)
    return page.render()


def show_map_progress(progress: MapProgress) -> str:
    """Return a bar with the facts of a map."""
    return render_bar(progress.done, progress.total, str(progress))


def show_running_map(results: Any) -> str | None:
    """Return the progress of a map; None before it begins, and where no event loop runs."""
    try:
        return show_map_progress(results.progress) if getattr(results, "_was_entered", True) else None
    except RuntimeError:
        return None


def show_job(job: Any) -> str | None:
    """Return the last known state of a job, None if it was never requested."""
    return None if job.batch is None else show_batch(job.batch)


def show_batch(batch: Batch) -> str:
    """Return the state of a job, and its faults."""
    page, counts = Page(), batch.request_counts
    page.add_facts([("batch", batch.batch_id), ("status", batch.status), ("endpoint", batch.endpoint)])
    page.add_html(render_bar(counts.completed + counts.failed, counts.total or None, str(counts)))
    page.add_facts([("created", batch.created_at), ("completed", batch.completed_at), ("expires", batch.expires_at)])
    if batch.errors:
        page.add_html(_render_faults([("", fault) for fault in batch.errors]))
    return page.render()


def show_batch_result(result: BatchResult) -> str:
    """Return the response to one request of a batch, or its fault."""
    page = Page()
    page.add_facts([("request", result.custom_id), ("status", result.status), ("error", result.error)])
    page.add_reply(result.answer)
    return page.render()


def show_report(report: BatchReport) -> str:
    """Return the numbers of a job, and the faults of its first failed requests."""
    page = Page()
    page.add_facts([("batch", "complete" if report.ok else "incomplete"), ("", report)])
    reasons = ", ".join(f"{count} {reason}" for reason, count in report.finish_reasons.items())
    tokens = f"{report.tokens.input} in, {report.tokens.output} out"
    page.add_facts([("requests", report.requests), ("tokens", tokens), ("finish", reasons)])
    page.add_facts([("missing", ", ".join(report.missing[:_MAX_FAULTS]))])
    page.add_facts(("problem", _describe_error(problem)) for problem in report.problems[:_MAX_FAULTS])
    if report.errors:
        page.add_html(_render_faults(list(report.errors.items())))
    return page.render()


def _render_faults(faults: list[tuple[str, BatchFault]]) -> str:
    rows = [(escape_html(name), escape_html(fault)) for name, fault in faults[:_MAX_FAULTS]]
    if hidden := len(faults) - len(rows):
        rows.append(("", f"and {hidden} more"))
    return render_table(("request", "fault"), rows)


def _describe_error(error: GradientError | None) -> str | None:
    return None if error is None else summarize_error(error)
