"""Many chat completions concurrently: the results that `ChatCompletions.map` returns.

Contract: a request that fails is a result with an error, except one that ends the map. Requests wait at the limiter
behind interactive ones, without a time limit; their own time limits begin after that wait.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import attrs

from gradient_async._io.deadline_timer import get_loop
from gradient_async._io.map.limiter_gate import LimiterGate
from gradient_async._io.map.map_results import MapOptions, MapResults
from gradient_async._io.sources.row_source import open_source
from gradient_async._protocol.codec.json_text import shorten_text
from gradient_async._protocol.http.body_reader import read_completion
from gradient_async._protocol.map.checkpoint_records import fingerprint_request
from gradient_async._protocol.requests.chat import reject_stream
from gradient_async._protocol.requests.parameters import require_params
from gradient_async._protocol.requests.request import Request
from gradient_async._protocol.sources.row_template import RowTemplate
from gradient_async.errors import ConfigurationError, GradientError, SessionClosedError
from gradient_async.models._raw_source import find_json_text
from gradient_async.models.chat import ChatCompletion
from gradient_async.models.map_result import MapResult, find_own_id
from gradient_async.models.response_meta import Timings

_MAX_ID_CHARS, _MAX_COLUMNS_CHARS = 100, 200
_OWN_ID = ("custom_id", "id")


def compose_chat(messages: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the parameters that carry *messages* to the chat endpoint."""
    return {"messages": messages}


@attrs.frozen(eq=False)
class ChatMap:
    """Makes the results of one map.

    Attributes:
        shared: Parameters of every request; its own override them.
        template: Makes the messages of a row; None if requests bring theirs.
        build: Builds the request from its parameters.
        send: Sends a request through the gate of the map.
        find_scope: Returns the part of a request's fingerprint that its body does not have.
        compose: Returns the parameters that carry the messages of a text or a template.
        field: The parameter that a request with content of its own has.
    """

    shared: Mapping[str, Any]
    template: RowTemplate | None
    build: Callable[[Mapping[str, Any]], Request]
    send: Callable[[Request, LimiterGate], Awaitable[ChatCompletion]]
    find_scope: Callable[[], str]
    compose: Callable[[list[Mapping[str, Any]]], Mapping[str, Any]] = compose_chat
    field: str = "messages"

    async def fetch_results(self, results: MapResults[MapResult], index: int, request: Any) -> Sequence[MapResult]:
        """Return the result of one request; a failure becomes its error, except that of a closed session."""
        loop = get_loop()
        started_at = loop.time()
        try:
            built = self.build_request(index, request)
            completion, is_restored = await self._fetch_completion(results, built)
        except SessionClosedError:
            raise
        except GradientError as error:
            results.count_failed(error)
            timings = Timings(total=loop.time() - started_at)
            return (MapResult(index=index, request=request, error=error, timings=timings),)
        timings = completion.meta.timings
        return (MapResult(index=index, request=request, completion=completion, timings=timings, restored=is_restored),)

    async def _fetch_completion(self, results: MapResults[MapResult], request: Request) -> tuple[ChatCompletion, bool]:
        """Return the completion of *request*, and whether it comes from the checkpoint."""
        fingerprint = ""
        if results.checkpoint is not None:
            fingerprint = fingerprint_request(self.find_scope(), request.body or b"")
            if completion := _read_stored(results.checkpoint.pop_result(fingerprint)):
                results.count_restored()
                return completion, True
        completion = await self.send(request, results.gate)
        if results.checkpoint is not None:
            await results.store_results([(fingerprint, _encode_result(completion))])
        tokens = completion.usage.total_tokens if completion.usage else 0
        results.count_answered(attempts=completion.meta.attempts, tokens=tokens)
        return completion, False

    def build_request(self, index: int, request: Any) -> Request:
        """Build the request for an item; an error names the item by its position and its own id.

        Raises:
            ConfigurationError: The item cannot be sent.
        """
        try:
            return self.build(self._compose_params(index, request))
        except ConfigurationError as error:
            problem = error.message
        if problem.startswith("requests["):
            raise ConfigurationError(problem)
        own_id = find_own_id(request)
        shown = "" if own_id is None else f" (id {shorten_text(str(own_id), _MAX_ID_CHARS)!r})"
        raise ConfigurationError(f"requests[{index}]{shown}: {problem}")

    def _compose_params(self, index: int, request: Any) -> Mapping[str, Any]:
        """Return the parameters of one request: a text is the message of a user."""
        if self.template is not None and not self._has_content(request):
            messages = self.template.build_messages(f"requests[{index}]", request)
            return {**self.shared, **self.compose(messages)}
        if isinstance(request, str):
            if not request:
                raise ConfigurationError(f"requests[{index}] is an empty text.")
            return {**self.shared, **self.compose([{"role": "user", "content": request}])}
        params = require_params(f"requests[{index}]", request)
        reject_stream(params)
        if self.field not in params and isinstance(body := params.get("body"), Mapping):  # a line of a batch
            params = body
        own = {name: value for name, value in params.items() if name not in _OWN_ID}
        if self.field not in own:
            columns = shorten_text(", ".join(map(str, own)), _MAX_COLUMNS_CHARS)
            raise ConfigurationError(f"it has no {self.field} but: {columns}. Give a template or columns.")
        return {**self.shared, **own}

    def _has_content(self, request: Any) -> bool:
        return isinstance(request, Mapping) and (self.field in request or isinstance(request.get("body"), Mapping))


def map_results(source: Any, chat_map: ChatMap, options: MapOptions) -> MapResults[MapResult]:
    """Return the results of *source*.

    Raises:
        ConfigurationError: *source* is of another type, or a shared parameter cannot be shared.
    """
    if "messages" in chat_map.shared:
        raise ConfigurationError("messages belong to each request; give texts, dicts with messages, or template=.")
    reject_stream(chat_map.shared)
    columns = None if chat_map.template is None else chat_map.template.columns
    return MapResults(open_source(source, columns), chat_map.fetch_results, options)


def _encode_result(completion: ChatCompletion) -> bytes:
    """Return the JSON text of *completion* in one line: as it arrived, if it came so."""
    text = find_json_text(completion)
    return completion.to_json().encode() if text is None or b"\n" in text else text


def _read_stored(text: bytes | None) -> ChatCompletion | None:
    """Return the completion in the checkpoint, None if there is none or it cannot be read."""
    try:
        return None if text is None else read_completion(text)
    except GradientError:
        return None
