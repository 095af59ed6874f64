"""The view of each class, by its name: a view loads no class that the program does not use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradient_async.models._html import bulk, replies

VIEWS: dict[str, Callable[[Any], str | None]] = {
    "Batch": bulk.show_batch,
    "BatchJob": bulk.show_job,
    "BatchMapResults": bulk.show_running_map,
    "BatchReport": bulk.show_report,
    "BatchResult": bulk.show_batch_result,
    "ChatCompletion": replies.show_completion,
    "Embedding": bulk.show_embedding,
    "EmbeddingList": bulk.show_embeddings,
    "EmbeddingResult": bulk.show_embedding_result,
    "GeneratedImage": replies.show_image,
    "ImageList": replies.show_images,
    "MapProgress": bulk.show_map_progress,
    "MapResult": bulk.show_map_result,
    "MapResults": bulk.show_running_map,
    "MediaFile": replies.show_media_file,
    "MessageReply": replies.show_message,
    "ModelList": replies.show_models,
    "ResponseReply": replies.show_response,
    "ToolRun": replies.show_tool_run,
}


def render_view(result: object) -> str | None:
    """Return *result* as HTML, with the view of its nearest base that has one; None if none has."""
    view = next((VIEWS[base.__name__] for base in type(result).__mro__ if base.__name__ in VIEWS), None)
    return None if view is None else view(result)
