"""Responses: results of models as lists of items, in the form of OpenAI's Responses API.

Source: ``POST /v1/responses`` of the serverless reference.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from gradient_async._protocol.http.reply_bodies import read_response
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.messages_and_responses import (
    RESPONSES_PATH,
    build_response_request,
    load_responses_dialect,
)
from gradient_async.models.responses import OutputItem, ResponseReply, ResponseUsage
from gradient_async.params import ResponsesFunctionParam, ResponsesMapParams, ResponsesParams, ResponsesRunToolsParams
from gradient_async.resources.text_generation import TextGenerationResource

if TYPE_CHECKING:
    from gradient_async._io.map.map_results import MapResults
    from gradient_async._io.stream.response_stream import ResponseStream
    from gradient_async._protocol.sources.request_form import RequestForm
    from gradient_async._protocol.sources.row_template import Template
    from gradient_async.models.map_progress import MapProgress
    from gradient_async.models.map_result import MapResult
    from gradient_async.models.parsed_response import ParsedResponse
    from gradient_async.models.tool_run import ToolRun
    from gradient_async.resources.text_generation import Requests

T = TypeVar("T")


class Responses(TextGenerationResource[ResponseReply]):
    """``session.responses``."""

    _path = RESPONSES_PATH
    _results = "response"
    _build = staticmethod(build_response_request)
    _load_dialect = staticmethod(load_responses_dialect)
    _read = staticmethod(read_response)

    @staticmethod
    def _load_form() -> RequestForm:
        from gradient_async._protocol.sources.request_form import INPUT_FORM  # many programs send single calls

        return INPUT_FORM

    async def create(
        self, *, timeout: float | Timeouts | None = None, **params: Unpack[ResponsesParams]
    ) -> ResponseReply:
        """Send one request and return the response.

        Example:
            ``response = await session.responses.create(model=M, input="Hello")``

        Args:
            timeout: Seconds for the whole call, or a `Timeouts` for each part of it.
            **params: Documented parameters; any other keyword goes into the body unchanged.

        Returns:
            The `ResponseReply`.

        Raises:
            ConfigurationError: The call cannot work; nothing was sent.
            APIStatusError: The service refused the request; the subclass says why.
            APIConnectionError: No response came.
            ProtocolError: The response is not a response object.
        """
        return await self._send(params, timeout)

    def stream(self, *, timeout: float | Timeouts | None = None, **params: Unpack[ResponsesParams]) -> ResponseStream:
        """Return the response as a stream; the request is sent when the stream is entered or first read.

        Example:
            ``async for text in session.responses.stream(model=M, input="Hello").text(): ...``

        Args:
            timeout: As for `create`; a number of seconds covers the whole stream.
            **params: As for `create`.

        Returns:
            The `ResponseStream`.

        Raises:
            ConfigurationError: The call cannot work; nothing was sent.
        """
        from gradient_async._io.stream.response_stream import ResponseStream  # many programs never stream

        return self._new_stream(ResponseStream, self._build_request(params, timeout, stream=True))

    async def parse(
        self, *, response_format: type[T], timeout: float | Timeouts | None = None, **params: Unpack[ResponsesParams]
    ) -> ParsedResponse[T]:
        """Request a response in the form of a class; its ``parsed`` is an instance of that class.

        The class is sent as ``text.format``; other settings of ``text`` stay.

        Example:
            ``response = await session.responses.parse(model=M, input="Hello", response_format=City)``

        Args:
            response_format: As for ``chat.completions.parse``: an attrs class, a dataclass, a TypedDict, a Pydantic
                model or a msgspec Struct.
            timeout: As for `create`.
            **params: As for `create`.

        Returns:
            The response, with its answer converted in ``parsed``.

        Raises:
            ConfigurationError: The class has no JSON Schema, or the call cannot work; nothing was sent.
            ResponseDecodeError: The answer does not fit, was refused or cut off; ``snapshot`` has the response.
            GradientError: As for `create`.
        """
        parsed: ParsedResponse[T] = await self._send_parsed(params, response_format, timeout)
        return parsed

    async def run_tools(
        self,
        *,
        tools: Iterable[Callable[..., Any] | ResponsesFunctionParam | Mapping[str, Any]],
        max_rounds: int = 8,
        concurrency: int = 8,
        in_threads: bool = False,
        timeout: float | Timeouts | None = None,
        **params: Unpack[ResponsesRunToolsParams],
    ) -> ToolRun[ResponseReply, Mapping[str, Any] | OutputItem, ResponseUsage]:
        """Call the model, run the functions it calls and send their results, until a response calls none.

        The rules are those of ``chat.completions.run_tools``.

        Args:
            tools: Annotated functions, plain or async, and tools that the service runs itself.
            max_rounds: Maximum number of requests to the model.
            concurrency: Maximum number of functions of one round that run at once; 1 runs one after the other.
            in_threads: Whether plain functions run in threads; otherwise one that blocks stops the event loop.
            timeout: Seconds for each request, or a `Timeouts` for each part of it.
            **params: As for `create`.

        Returns:
            The last response as ``completion``, the conversation as ``messages`` and the steps taken. The conversation
            is the next ``input``.

        Raises:
            ConfigurationError: A function has no JSON Schema, or the call cannot work.
            ToolRoundsError: The model called tools in every round.
            GradientError: As for `create`; ``messages`` has the conversation so far.
        """
        items = {**params}
        if isinstance(params["input"], str):
            items["input"] = [{"role": "user", "content": params["input"]}]
        run: ToolRun[ResponseReply, Mapping[str, Any] | OutputItem, ResponseUsage] = await self._run_tool_rounds(
            items, tools, timeout, max_rounds=max_rounds, concurrency=concurrency, in_threads=in_threads
        )
        return run

    def map(
        self,
        requests: Requests[ResponsesParams],
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
        **shared: Unpack[ResponsesMapParams],
    ) -> MapResults[MapResult[ResponseReply]]:
        """Send many requests concurrently: ``async with ....map(requests, model=M) as results``.

        Everything is as in ``chat.completions.map``; the ``completion`` of a result is a `ResponseReply`.

        Args:
            requests: Parameters of each request, as `create` takes them, or texts: the message of a user. Also a path,
                an open stream of lines, a data frame or an Arrow table.
            template: The user's message, or a list of messages, with ``{column}`` for the columns of a row.
            columns: Columns of the rows that are used; without *template* one, which is the user's message.
            concurrency: Maximum number of concurrent requests.
            ordered: Whether results come in the order of the requests instead of the order of completion.
            timeout: Seconds for each request once the limiter admits it, or a `Timeouts` for each part of it.
            checkpoint: Path of a file that keeps each result; the same call, after any interruption, sends the rest.
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
