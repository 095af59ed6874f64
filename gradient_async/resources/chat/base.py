"""Chat completions of one host: the methods that `ChatCompletions` and `AgentChatCompletions` share.

Source: ``POST /v1/chat/completions`` and ``POST /api/v1/chat/completions?agent=true``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, Unpack

from gradient_async._protocol.http.body_reader import read_completion
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.chat import build_chat_request, load_chat_dialect
from gradient_async._protocol.requests.request import Request
from gradient_async.models.chat import ChatCompletion
from gradient_async.resources.text_generation import TextGenerationResource

if TYPE_CHECKING:
    from gradient_async._io.map.map_results import MapResults
    from gradient_async._io.stream.chat_stream import ChatStream
    from gradient_async._protocol.sources.request_form import RequestForm
    from gradient_async._protocol.sources.row_template import Template
    from gradient_async.models.map_progress import MapProgress
    from gradient_async.models.map_result import MapResult
    from gradient_async.params import MapParams
    from gradient_async.resources.text_generation import Requests

P = TypeVar("P", bound=Mapping[str, Any])


class BaseChatCompletions(TextGenerationResource[ChatCompletion], Generic[P]):
    """Sends chat requests to one host; *P* is the type of the parameters of one request.

    Attributes:
        _default_model: Model of a request that names none, None where a model is required.
    """

    _results = "chat.completion"
    _load_dialect = staticmethod(load_chat_dialect)
    _read = read_completion
    _default_model: ClassVar[str | None] = None

    @staticmethod
    def _load_form() -> RequestForm:
        from gradient_async._protocol.sources.request_form import CHAT_FORM  # many programs send single calls

        return CHAT_FORM

    def map(
        self,
        requests: Requests[P],
        *,
        template: Template | None = None,
        columns: Sequence[str] | None = None,
        concurrency: int = 64,
        ordered: bool = False,
        timeout: float | Timeouts | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        on_progress: Callable[[MapProgress], object] | None = None,
        progress: bool = False,
        stop_after: int | None = None,
        **shared: Unpack[MapParams],
    ) -> MapResults[MapResult]:
        """Send many requests concurrently: ``async with ....map(requests) as results: async for result in results``.

        Requests are pulled from the iterable as results are read: at most twice *concurrency* are taken whose results
        were not read yet. They wait at the limiter behind single calls, without a time limit. A request that fails is a
        `MapResult` with an ``error``; a 401, 402 or 403 ends the map with that error, after the results of the requests
        under way. Leaving the block cancels the running requests.

        Args:
            requests: Parameters of each request, as `create` takes them, or texts: the message of a user. An ``id`` or
                ``custom_id`` among the parameters is not sent; it is the ``id`` of the result. Also a path
                (``.txt``, ``.jsonl``, ``.csv``, ``.tsv``, ``.parquet``, compressed or not), an open stream of lines, a
                pandas or polars data frame, or an Arrow table.
            template: The user's message, or a list of messages, with ``{column}`` for the columns of a row; ``{text}``
                if the rows are texts. Rows that have messages keep them.
            columns: Columns of the rows that are used; without *template* one, which is the user's message.
            concurrency: Maximum number of concurrent requests.
            ordered: Whether results come in the order of the requests instead of the order of completion.
            timeout: Seconds for each request once the limiter admits it, or a `Timeouts` for each part of it; a
                request may have its own ``timeout``.
            checkpoint: Path of a file that keeps each completion. The same call in another process, after any
                interruption, sends only requests whose completion is not in the file.
            on_progress: Receives a `MapProgress` while something changes, at most ten times a second, and at the end.
            progress: Whether to show a progress bar: in a notebook, else on stderr, which needs rich or tqdm.
            stop_after: Number of failures in a row that ends the map with the last of them.
            **shared: Parameters of every request; its own override them.

        Raises:
            ConfigurationError: *requests* is not an iterable, an argument is invalid, or the checkpoint is unusable.
            CheckpointError: The checkpoint could not be written; raised where results are read.
            SessionClosedError: The session was closed while the results were read.
        """
        return self._map_requests(
            requests,
            shared,
            template=template,
            columns=columns,
            concurrency=concurrency,
            ordered=ordered,
            timeout=timeout,
            checkpoint=checkpoint,
            on_progress=on_progress,
            progress=progress,
            stop_after=stop_after,
        )

    def _build_stream(self, params: Mapping[str, Any], timeout: float | Timeouts | None) -> ChatStream:
        """Return a stream; its request is sent on first use."""
        from gradient_async._io.stream.chat_stream import ChatStream  # many programs never stream

        return self._new_stream(ChatStream, self._build_request(params, timeout, stream=True))

    def _build_request(self, params: Mapping[str, Any], timeout: float | Timeouts | None, *, stream: bool) -> Request:
        if self._default_model is not None and not params.get("model"):
            params = {**params, "model": self._default_model}
        return build_chat_request(self._path, params, stream=stream, timeouts=self._timeouts.override_with(timeout))

    def _find_scope(self) -> str:
        """Return the endpoint for fingerprints: an agent is its address, a model is named in the body."""
        if self._default_model is None:
            return self._path
        from gradient_async._io.map.limiter_gate import find_map_target  # loaded by the map

        return f"{find_map_target(self._target).base_url}{self._path}"
