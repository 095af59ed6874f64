"""The emulator: a server on loopback ports with the inference API.

Contract: uses real sockets, shares no state with other objects and does not import the client's code. ``requests``
records every request. Leaving the context is prompt, also with open and stalled streams.
Source: the documents that each module names; each module decides what they leave open.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import attrs
from aiohttp import web

from gradient_async.testing.batch.service import BatchService
from gradient_async.testing.endpoints.async_invoke import InvocationService
from gradient_async.testing.endpoints.table import build_endpoint_table
from gradient_async.testing.endpoints.videos import VideoService
from gradient_async.testing.http.delivery import Delivery
from gradient_async.testing.http.dispatcher import ApiKeys, Dispatcher
from gradient_async.testing.http.rate_limits import DOCUMENTED_WINDOWS, RateLimit, RollingLimit
from gradient_async.testing.http.router import Router
from gradient_async.testing.http.server import Connection, LocalServer, new_record, send_continue
from gradient_async.testing.http.tiers import TierLimits, Tiers
from gradient_async.testing.http.tls import LocalAuthority
from gradient_async.testing.http.upstream import Upstream
from gradient_async.testing.model.text_model import TextModel
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import parse_json
from gradient_async.testing.scripting.methods import ScriptingAPI
from gradient_async.testing.storage.host import StorageHost

Windows = Sequence[tuple[int, float]]


@attrs.define(kw_only=True, eq=False)
class Emulator(ScriptingAPI):
    """The inference API on loopback; an async context manager.

    Example::

        async with Emulator() as gradient, AsyncSession(api_key="test", base_url=gradient.url) as session:
            gradient.reply("Hello")
            completion = await session.chat.completions.create(...)
        assert completion.text == "Hello"
        assert gradient.requests[0].json["model"] == ...

    Attributes:
        host: The loopback address to listen on.
        port: The port of the serverless host; 0 takes a free port.
        agent_port: The port of the agent host; 0 takes a free port.
        storage_port: The port of the storage host behind presigned URLs; 0 takes a free port.
        api_key: The key of the serverless host; None accepts every key but *agent_key*.
        agent_key: The key of the agent host; None accepts every key but *api_key*.
        limits: The rolling windows of each key, as pairs of requests and seconds; ``"documented"`` for those of the
            documents. None admits every request, and counts for the headers only.
        tier: The quotas of each key and model with ``x-ratelimit-*`` headers, in place of *limits*: the requests per
            minute of every model, a `Tier`, or one of these for each model by name.
        time_scale: The factor by which the windows, and the lifetime of URLs, pass faster than the clock.
        token_delay: Seconds between two events of a stream.
        seed: A number that changes the generated content.
        upstream: The URL of an OpenAI-compatible server that responds to unscripted requests.
        models: The slugs of the models.
        strict_models: Whether a request for any other model is a 404.
        batch_seconds: The duration of a batch in seconds; None to step batches with ``batches.advance()``.
        batch_shape: The JSON shape of batches: as in the reference, or as captured from the service.
        anthropic_endpoint: Whether ``endpoint`` is required or forbidden in a batch for Anthropic.
        invocation_seconds: The duration of an asynchronous invocation in seconds.
        video_seconds: The duration of a video job in seconds.
        speech_shape: The form of a response with speech: the audio itself, or JSON that holds it in base64.
        lenient_agent: Whether the agent takes requests as live agents do: without ``agent=true``, with any ``model``,
            and with fields that the reference does not allow, which it ignores.
        knowledge_bases: The texts of each knowledge base by its id; without any, every id exists.
        tls: Whether all hosts speak TLS, with a new certificate for *host* and ``localhost``; see *ca_file* and
            *ssl_context*. Needs the extra ``testing``.
        clock: Returns the time in epoch seconds.
        batches: The batch service, with its jobs and scripting methods.
        storage: The storage host, with its requests and scripting methods.
        requests: The requests to the serverless and the agent host, oldest first.
        active: The number of requests that are being handled.
    """

    host: str = "127.0.0.1"
    port: int = 0
    agent_port: int = 0
    storage_port: int = 0
    api_key: str | None = attrs.field(default=None, repr=False)
    agent_key: str | None = attrs.field(default=None, repr=False)
    limits: Windows | Literal["documented"] | None = None
    tier: Tiers | None = None
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
    video_seconds: float = 0.3
    speech_shape: Literal["bytes", "base64"] = "bytes"
    lenient_agent: bool = False
    knowledge_bases: Mapping[str, Sequence[str]] = attrs.field(factory=dict)
    tls: bool = False
    clock: Callable[[], float] = attrs.field(default=time.time, repr=False)
    batches: BatchService = attrs.field(init=False, repr=False)
    storage: StorageHost = attrs.field(init=False, repr=False)
    requests: list[RecordedRequest] = attrs.field(factory=list, init=False, repr=False)
    active: int = attrs.field(default=0, init=False)
    _dispatcher: Dispatcher = attrs.field(init=False, repr=False)
    _upstream: Upstream = attrs.field(init=False, repr=False)
    _authority: LocalAuthority | None = attrs.field(default=None, init=False, repr=False)
    _servers: tuple[LocalServer, ...] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        model = TextModel(self.seed)
        self.storage = StorageHost(
            address=lambda: self._servers[2].url, script=self._script, clock=self.clock, time_scale=self.time_scale
        )
        self.batches = _new_batches(self, model)
        self._dispatcher = Dispatcher(
            router=Router(
                (
                    *build_endpoint_table(
                        model,
                        models=self.models,
                        strict=self.strict_models,
                        speech_shape=self.speech_shape,
                        lenient_agent=self.lenient_agent,
                        passages=self.knowledge_bases,
                    ),
                    *self.batches.build_endpoints(),
                    *InvocationService(storage=self.storage, seconds=self.invocation_seconds).build_endpoints(),
                    *VideoService(
                        seconds=self.video_seconds, known=self.models if self.strict_models else None
                    ).build_endpoints(),
                ),
            ),
            script=self._script,
            keys=ApiKeys(api_key=self.api_key, agent_key=self.agent_key),
            new_limit=partial(_new_limit, self),
            forwards=self.upstream is not None,
        )
        self._upstream = Upstream(self.upstream or "")
        self._servers = (
            LocalServer(partial(self._handle_api, agent=False), self.host, self.port),
            LocalServer(partial(self._handle_api, agent=True), self.host, self.agent_port),
            LocalServer(self._handle_storage, self.host, self.storage_port),
        )

    async def __aenter__(self) -> Self:
        self._authority = LocalAuthority.issue_certificate(self.host) if self.tls else None
        try:
            for server in self._servers:
                await server.start_listening(self._authority.server_context if self._authority else None)
        except OSError:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop listening and abort every connection and response."""
        for server in self._servers:
            await server.aclose()
        await self._upstream.aclose()
        await self.batches.aclose()
        if self._authority is not None:
            self._authority.delete_file()
            self._authority = None

    @property
    def url(self) -> str:
        """The base URL of the serverless host.

        Raises:
            RuntimeError: The emulator is not running.
        """
        return self._servers[0].url

    @property
    def agent_url(self) -> str:
        """The URL of the agent host, on a port of its own.

        Raises:
            RuntimeError: The emulator is not running.
        """
        return self._servers[1].url

    @property
    def ca_file(self) -> Path:
        """The file with the certificate to trust, in PEM; it exists as long as the emulator runs.

        Example: ``NODE_EXTRA_CA_CERTS``, ``SSL_CERT_FILE`` or ``curl --cacert`` make other clients trust it.

        Raises:
            RuntimeError: The emulator is not running, or has no TLS.
        """
        return self._running_authority.ca_file

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """The context of a client that trusts the emulator.

        Example: ``AsyncSession("test", base_url=gradient.url, ssl=gradient.ssl_context)``.

        Raises:
            RuntimeError: The emulator is not running, or has no TLS.
        """
        return self._running_authority.client_context

    @property
    def connections(self) -> int:
        """The number of TCP connections accepted so far, on all hosts."""
        return sum(server.accepted_count for server in self._servers)

    @property
    def open_connections(self) -> int:
        """The number of open TCP connections, on all hosts."""
        return sum(server.open_count for server in self._servers)

    @property
    def refusals(self) -> int:
        """The number of requests that a rate limit refused."""
        return self._dispatcher.refusals

    def drop_idle(self, *, stale: bool = False) -> None:
        """Close the idle keep-alive connections.

        A client that sends a request before the next turn of the loop uses a closed connection.

        Example: ``gradient.drop_idle(stale=True)`` before a second call tests what the client makes of its loss.

        Args:
            stale: Close nothing now, but the next reused connection when a request arrives on it, like `hang_up`: a
                race that no client can foresee, and that looks like the loss of a request that is being processed.
        """
        if stale:
            self.hang_up()
            return
        for server in self._servers:
            server.drop_idle()

    @property
    def _running_authority(self) -> LocalAuthority:
        if self._authority is None:
            raise RuntimeError("There is no certificate; enter `Emulator(tls=True)` with `async with` first.")
        return self._authority

    async def _handle_api(self, http: web.BaseRequest, connection: Connection, *, agent: bool) -> web.StreamResponse:
        record = await _record_request(http, connection, self.clock)
        record.agent = agent
        self.requests.append(record)
        self.active += 1
        try:
            decision = self._dispatcher.decide_response(record, record.time)
            response = decision.response or await self._upstream.forward_request(record, decision.upstream)
            delivery = Delivery(
                http=http,
                connection=connection,
                record=record,
                response=response,
                plan=decision.plan,
                headers={"x-request-id": record.request_id, **decision.headers},
                token_delay=self.token_delay,
            )
            return await delivery.deliver_response()
        finally:
            self.active -= 1

    async def _handle_storage(self, http: web.BaseRequest, connection: Connection) -> web.StreamResponse:
        self.active += 1
        try:
            return await self.storage.handle_request(http, connection)
        finally:
            self.active -= 1


async def _record_request(http: web.BaseRequest, connection: Connection, clock: Callable[[], float]) -> RecordedRequest:
    send_continue(http)
    body = await http.read()
    record = new_record(RecordedRequest, http, connection, clock())
    record.body, record.json = body, _parse_body(body)
    return record


def _parse_body(body: bytes) -> Any:
    try:
        return parse_json(body)
    except (ValueError, RecursionError):
        return None


def _new_batches(emulator: Emulator, model: TextModel) -> BatchService:
    return BatchService(
        storage=emulator.storage,
        model=model,
        models=emulator.models if emulator.strict_models else None,
        seed=emulator.seed,
        seconds=emulator.batch_seconds,
        shape=emulator.batch_shape,
        anthropic_endpoint=emulator.anthropic_endpoint,
    )


def _new_limit(emulator: Emulator) -> RateLimit:
    if emulator.tier is not None:
        return TierLimits(emulator.tier, emulator.time_scale)
    limits = emulator.limits
    windows = DOCUMENTED_WINDOWS if limits is None or isinstance(limits, str) else limits
    return RollingLimit.from_windows(windows, scale=emulator.time_scale, enforced=limits is not None)
