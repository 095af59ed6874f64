"""The emulator: a server on loopback ports that speaks the inference API.

Contract: real sockets, no state shared with anything else, nothing of the client's own code. Everything it
saw is in ``requests``. Leaving the context is prompt, also with streams open and stalled.
Source: the documents each module names; what they leave open is decided in that module.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self

import attrs
from aiohttp import web

from gradient_async.testing.batch.service import Batches
from gradient_async.testing.endpoints.async_invoke import Invocations
from gradient_async.testing.endpoints.table import endpoints
from gradient_async.testing.http.delivery import Delivery
from gradient_async.testing.http.dispatcher import Keys, Service
from gradient_async.testing.http.rate_limits import DOCUMENTED, Limit, RollingLimit, TierBucket
from gradient_async.testing.http.router import Router
from gradient_async.testing.http.server import Connection, LocalServer, ask_for_body
from gradient_async.testing.http.upstream import Upstream
from gradient_async.testing.model.text_model import TextModel
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.scripting.api import Verbs
from gradient_async.testing.storage.host import Storage

Windows = Sequence[tuple[int, float]]


@attrs.define(kw_only=True, eq=False)
class Emulator(Verbs):
    """The inference API on loopback; an async context manager.

    Attributes:
        host: The loopback address to listen on.
        port: The port of the serverless host; 0 takes a free one.
        agent_port: The port of the agent host, likewise.
        storage_port: The port of the storage host behind presigned URLs, likewise.
        api_key: The only key the serverless host takes; None takes any but the agent's.
        agent_key: The only key the agent host takes; None takes any but the serverless one.
        limits: Rolling windows to enforce per key, as pairs of requests and seconds; ``"documented"`` for
            those of the documents. None admits everything and counts only for the headers.
        tier: Requests a minute of a refilled bucket with its ``x-ratelimit-*`` headers, in place of *limits*.
        time_scale: How many times as fast as the clock the windows run.
        token_delay: Seconds between two events of a stream.
        seed: Another seed gives other answers.
        upstream: The address of an OpenAI-compatible server that answers what is not scripted.
        models: The slugs of the models.
        strict_models: Whether a request for another model is refused.
        batch_seconds: How long a batch takes; None to let it wait for ``batches.advance()``.
        batch_shape: How batches look: as in the reference, or as captured from the service.
        anthropic_endpoint: Whether a batch of that provider needs its ``endpoint``, or must not have one.
        invocation_seconds: How long an asynchronous invocation takes.
        clock: Returns the time in epoch seconds.
        batches: The batch service: its jobs, and what can be scripted about them.
        storage: The storage host: its own requests, and what can be scripted about them.
        requests: Everything it saw, oldest first.
        active: How many answers are being produced or sent.
    """

    host: str = "127.0.0.1"
    port: int = 0
    agent_port: int = 0
    storage_port: int = 0
    api_key: str | None = attrs.field(default=None, repr=False)
    agent_key: str | None = attrs.field(default=None, repr=False)
    limits: Windows | Literal["documented"] | None = None
    tier: int | None = None
    time_scale: float = 1.0
    token_delay: float = 0.0
    seed: int = 0
    upstream: str | None = None
    models: Sequence[str] = (
        "llama3.3-70b-instruct",
        "openai-gpt-oss-120b",
        "openai-gpt-oss-20b",
        "anthropic-claude-sonnet-4",
    )
    strict_models: bool = False
    batch_seconds: float | None = 0.3
    batch_shape: Literal["reference", "captured"] = "reference"
    anthropic_endpoint: Literal["required", "forbidden"] = "required"
    invocation_seconds: float = 0.3
    clock: Callable[[], float] = attrs.field(default=time.time, repr=False)
    batches: Batches = attrs.field(init=False, repr=False)
    storage: Storage = attrs.field(init=False, repr=False)
    requests: list[RecordedRequest] = attrs.field(factory=list, init=False, repr=False)
    active: int = attrs.field(default=0, init=False)
    _service: Service = attrs.field(init=False, repr=False)
    _upstream: Upstream = attrs.field(init=False, repr=False)
    _servers: tuple[LocalServer, ...] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        model = TextModel(self.seed)
        self.storage = Storage(
            address=lambda: self._servers[2].url, script=self._script, clock=self.clock, time_scale=self.time_scale
        )
        self.batches = _new_batches(self, model)
        self._service = Service(
            router=Router(
                (
                    *endpoints(model, models=self.models, strict=self.strict_models),
                    *self.batches.endpoints(),
                    *Invocations(storage=self.storage, seconds=self.invocation_seconds).endpoints(),
                ),
            ),
            script=self._script,
            keys=Keys(api_key=self.api_key, agent_key=self.agent_key),
            new_limit=partial(_new_limit, self),
            forwards=self.upstream is not None,
        )
        self._upstream = Upstream(self.upstream or "")
        self._servers = (
            LocalServer(self._handle, self.host, self.port),
            LocalServer(self._handle, self.host, self.agent_port),
            LocalServer(self._handle_storage, self.host, self.storage_port),
        )

    async def __aenter__(self) -> Self:
        try:
            for server in self._servers:
                await server.start()
        except OSError:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop listening, abort every connection and end every answer."""
        for server in self._servers:
            await server.aclose()
        await self._upstream.aclose()
        await self.batches.aclose()

    @property
    def url(self) -> str:
        """The base URL of the serverless host."""
        return self._servers[0].url

    @property
    def agent_url(self) -> str:
        """The endpoint of the agent; another port, because agents live on hosts of their own."""
        return self._servers[1].url

    @property
    def connections(self) -> int:
        """How many TCP connections were accepted so far."""
        return sum(server.accepted for server in self._servers)

    @property
    def open_connections(self) -> int:
        """How many TCP connections are open."""
        return sum(server.open for server in self._servers)

    @property
    def refusals(self) -> int:
        """How many requests the rate limits refused."""
        return self._service.refusals

    def drop_idle(self, *, stale: bool = False) -> None:
        """Close the keep-alive connections that are idle now.

        A client that sends without a turn of the loop in between meets a connection that is stale.

        Args:
            stale: Close none now, but the next one that is reused, when its request is there: the race that a
                client cannot see coming.
        """
        if stale:
            self.hang_up()
            return
        for server in self._servers:
            server.drop_idle()

    async def _handle(self, http: web.BaseRequest, connection: Connection) -> web.StreamResponse:
        record = await _record(http, connection, self.clock)
        self.requests.append(record)
        self.active += 1
        try:
            decision = self._service.decide(record, record.time)
            answer = decision.answer or await self._upstream.answer(record, decision.upstream)
            delivery = Delivery(
                http=http,
                connection=connection,
                record=record,
                answer=answer,
                plan=decision.plan,
                headers={"x-request-id": record.request_id, **decision.headers},
                token_delay=self.token_delay,
            )
            return await delivery.run()
        finally:
            self.active -= 1

    async def _handle_storage(self, http: web.BaseRequest, connection: Connection) -> web.StreamResponse:
        self.active += 1
        try:
            return await self.storage.handle(http, connection)
        finally:
            self.active -= 1


async def _record(http: web.BaseRequest, connection: Connection, clock: Callable[[], float]) -> RecordedRequest:
    ask_for_body(http)
    body = await http.read()
    return RecordedRequest(
        method=http.method,
        path=http.path,
        query=dict(http.query),
        headers=http.headers,
        body=body,
        json=_parsed(body),
        time=clock(),
        request_id=str(uuid.uuid4()),
        connection=connection.number,
        reused=connection.served > 0,
    )


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _new_batches(emulator: Emulator, model: TextModel) -> Batches:
    return Batches(
        storage=emulator.storage,
        model=model,
        models=emulator.models if emulator.strict_models else None,
        seed=emulator.seed,
        seconds=emulator.batch_seconds,
        shape=emulator.batch_shape,
        anthropic_endpoint=emulator.anthropic_endpoint,
    )


def _new_limit(emulator: Emulator) -> Limit:
    if emulator.tier is not None:
        return TierBucket(emulator.tier, emulator.time_scale)
    given = emulator.limits
    windows = DOCUMENTED if given is None or isinstance(given, str) else given
    return RollingLimit.of(windows, scale=emulator.time_scale, enforced=given is not None)
