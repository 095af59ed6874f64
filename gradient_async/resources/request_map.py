"""Many requests concurrently: the results that the ``map`` of chat, messages and responses returns.

Contract: a request that fails is a result with an error, except one that ends the map. Requests wait at the limiter
behind interactive ones, without a time limit; their own time limits begin after that wait.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import attrs

from gradient_async._io.deadline_timer import get_loop
from gradient_async._io.map.limiter_gate import LimiterGate
from gradient_async._io.map.map_results import MapOptions, MapResults
from gradient_async._io.sources.row_source import open_source
from gradient_async._protocol.codec.json_text import shorten_text
from gradient_async._protocol.codec.request_json import to_result_json
from gradient_async._protocol.http.usage import find_used_tokens
from gradient_async._protocol.map.checkpoint_records import fingerprint_request
from gradient_async._protocol.requests.chat import reject_stream
from gradient_async._protocol.requests.parameters import require_params
from gradient_async._protocol.requests.request import Request
from gradient_async._protocol.sources.request_form import CHAT_FORM, RequestForm
from gradient_async._protocol.sources.row_template import RowTemplate
from gradient_async.errors import ConfigurationError, GradientError, SessionClosedError
from gradient_async.models._raw_source import find_json_text
from gradient_async.models.map_result import MapResult, find_own_id
from gradient_async.models.response_meta import ResponseModel, Timings

_MAX_ID_CHARS, _MAX_COLUMNS_CHARS = 100, 200
_OWN_ID = ("custom_id", "id")
_BODIES = ("body", "params")
"""The parameters in the line of a batch, by the form of the line."""

R = TypeVar("R", bound=ResponseModel)


@attrs.frozen(eq=False)
class RequestMap(Generic[R]):
    """Makes the results of one map.

    Attributes:
        shared: Parameters of every request; its own override them.
        template: Makes the messages of a row; None if requests bring theirs.
        build: Builds the request from its parameters.
        send: Sends a request through the gate of the map.
        find_scope: Returns the part of a request's fingerprint that its body does not have.
        read: Reads a reply from its JSON text.
        form: How the API carries messages.
    """

    shared: Mapping[str, Any]
    template: RowTemplate | None
    build: Callable[[Mapping[str, Any]], Request]
    send: Callable[[Request, LimiterGate], Awaitable[R]]
    find_scope: Callable[[], str]
    read: Callable[[bytes], R]
    form: RequestForm = CHAT_FORM

    async def fetch_results(
        self, results: MapResults[MapResult[R]], index: int, request: Any
    ) -> Sequence[MapResult[R]]:
        """Return the result of one request; a failure becomes its error, except that of a closed session."""
        loop = get_loop()
        started_at = loop.time()
        try:
            built = self.build_request(index, request)
            completion, is_restored = await self._fetch_reply(results, built)
        except SessionClosedError:
            raise
        except GradientError as error:
            results.count_failed(error)
            timings = Timings(total=loop.time() - started_at)
            return (MapResult(index=index, request=request, error=error, timings=timings),)
        timings = completion.meta.timings
        return (MapResult(index=index, request=request, completion=completion, timings=timings, restored=is_restored),)

    async def _fetch_reply(self, results: MapResults[MapResult[R]], request: Request) -> tuple[R, bool]:
        """Return the reply to *request*, and whether it comes from the checkpoint."""
        fingerprint = ""
        if results.checkpoint is not None:
            fingerprint = fingerprint_request(self.find_scope(), request.body or b"")
            if stored := self._read_stored(results.checkpoint.pop_result(fingerprint)):
                results.count_restored()
                return stored, True
        reply = await self.send(request, results.gate)
        if results.checkpoint is not None:
            await results.store_results([(fingerprint, _encode_result(reply))])
        results.count_answered(attempts=reply.meta.attempts, tokens=find_used_tokens(reply) or 0)
        return reply, False

    def _read_stored(self, text: bytes | None) -> R | None:
        """Return the reply in the checkpoint, None if there is none or it cannot be read."""
        try:
            return None if text is None else self.read(text)
        except GradientError:
            return None

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
        name = f"requests[{index}]"
        if self.template is not None:
            row = _read_row(name, request)
            if not self._has_conversation(row):
                return {**self.shared, **self.form.compose(self.template.build_messages(name, row))}
        if isinstance(request, str):
            if not request:
                raise ConfigurationError(f"{name} is an empty text.")
            return {**self.shared, **self.form.compose([{"role": "user", "content": request}])}
        return {**self.shared, **self._read_params(index, request)}

    def _read_params(self, index: int, request: Any) -> dict[str, Any]:
        """Return the parameters of a request that brings its conversation."""
        params = require_params(f"requests[{index}]", request)
        reject_stream(params)
        if self.form.field not in params:  # a line of a batch
            params = next((params[name] for name in _BODIES if isinstance(params.get(name), Mapping)), params)
        own = {name: value for name, value in params.items() if name not in _OWN_ID}
        if self.form.field not in own:
            columns = shorten_text(", ".join(map(str, own)), _MAX_COLUMNS_CHARS)
            raise ConfigurationError(f"it has no {self.form.field} but: {columns}. Give a template or columns.")
        return own

    def _has_conversation(self, row: Any) -> bool:
        if not isinstance(row, Mapping):
            return False
        return self.form.field in row or any(isinstance(row.get(name), Mapping) for name in _BODIES)


def _read_row(name: str, row: Any) -> Any:
    """Return the row for a template: a text, columns, or the fields of an object."""
    return row if isinstance(row, str | Mapping) else to_result_json(name, row)


def map_results(source: Any, request_map: RequestMap[R], options: MapOptions) -> MapResults[MapResult[R]]:
    """Return the results of *source*.

    Raises:
        ConfigurationError: *source* is of another type, or a shared parameter cannot be shared.
    """
    name = request_map.form.field
    if name in request_map.shared:
        raise ConfigurationError(f"the {name} belong to each request; give texts, dicts with {name}, or template=.")
    reject_stream(request_map.shared)
    columns = None if request_map.template is None else request_map.template.columns
    return MapResults(open_source(source, columns), request_map.fetch_results, options)


def _encode_result(reply: ResponseModel) -> bytes:
    """Return the JSON text of *reply* in one line: as it arrived, if it came so."""
    text = find_json_text(reply)
    return reply.to_json().encode() if text is None or b"\n" in text else text
