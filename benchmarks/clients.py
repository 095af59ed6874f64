"""The contenders: this library, hand-written clients, and other packages.

Each reads a stream, iterates over the texts of a stream, and requests a completion, at the address given to its
constructor. A contender whose package is not installed is left out.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, ClassVar

import aiohttp
import attrs
import msgspec
from harness import print_note

from gradient_async import AsyncSession, RateLimits

MODEL = "llama3.3-70b-instruct"
MESSAGES: list[Any] = [
    {"role": "system", "content": "You answer briefly."},
    {"role": "user", "content": "What is the capital of Portugal, and what is it known for?"},
]
KEY = "sk-do-benchmark-0123456789abcdef"
HEADERS = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
PATH = "/v1/chat/completions"
STREAM_BODY = msgspec.json.encode({"model": MODEL, "messages": MESSAGES, "stream": True})
ASK_BODY = msgspec.json.encode({"model": MODEL, "messages": MESSAGES})
ROOMY = RateLimits(per_minute=10_000_000, per_hour=100_000_000)
DATA = len("data: ")


class Client:
    """Interface of a contender."""

    name: ClassVar[str]
    module: ClassVar[str] = "aiohttp"
    is_slow: ClassVar[bool] = False
    """Whether the contender gets fewer chunks, requests and rounds, because it is slow."""

    def __init__(self, base: str, *, wide: bool = False) -> None:
        self.base, self.wide = base, wide

    async def open(self) -> None:
        """Create the parts that need a running loop."""

    async def close(self) -> None:
        """Close every connection."""

    async def read(self) -> None:
        """Read one stream to its end and access each text."""
        async for _ in self.texts():
            pass

    def texts(self) -> AsyncIterator[str]:
        """Iterate over the texts of one stream."""
        raise NotImplementedError

    async def ask(self) -> str:
        """Return the text of one completion."""
        raise NotImplementedError


class Ours(Client):
    """This library with its defaults: limiter, retries, timeouts, assembly and outcome are on."""

    name = "gradient_async"

    async def open(self) -> None:
        """Open a session with a budget that is never exhausted."""
        self.session = AsyncSession(KEY, base_url=self.base, limits=ROOMY)

    async def close(self) -> None:
        """Close the session."""
        await self.session.aclose()

    async def read(self) -> None:
        """Read one stream to its end and access each text by the path that openai uses."""
        async with self.session.chat.completions.stream(model=MODEL, messages=MESSAGES) as stream:
            async for chunk in stream:
                _ = chunk.choices[0].delta.content
        if stream.outcome != "done":
            raise RuntimeError(f"the stream ended as {stream.outcome}")

    async def texts(self) -> AsyncIterator[str]:
        """Iterate over the texts of one stream."""
        async with self.session.chat.completions.stream(model=MODEL, messages=MESSAGES) as stream:
            async for chunk in stream:
                if text := chunk.text:
                    yield text

    async def ask(self) -> str:
        """Return the text of one completion."""
        return (await self.session.chat.completions.create(model=MODEL, messages=MESSAGES)).text


class Bare(Client):
    """aiohttp with its defaults and no pool limit; reads the bytes and parses nothing."""

    name = "bare aiohttp"
    _text = re.compile(rb'"content":"([^"]+)"')

    async def open(self) -> None:
        """Open a session without a connection limit."""
        self.http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    async def close(self) -> None:
        """Close the session."""
        await self.http.close()

    async def read(self) -> None:
        """Read the body of one stream."""
        async with self.http.post(self.base + PATH, data=STREAM_BODY, headers=HEADERS) as response:
            async for _ in response.content.iter_any():
                pass

    async def texts(self) -> AsyncIterator[str]:
        """Iterate over the texts that a regular expression finds in the bytes."""
        async with self.http.post(self.base + PATH, data=STREAM_BODY, headers=HEADERS) as response:
            async for block in response.content.iter_any():
                for text in self._text.findall(block):
                    yield text.decode()

    async def ask(self) -> str:
        """Read the body of one completion."""
        async with self.http.post(self.base + PATH, data=ASK_BODY, headers=HEADERS) as response:
            await response.read()
        return ""


@attrs.define
class _Message:
    role: str | None = None
    content: str | None = None


@attrs.define
class _Choice:
    index: int = 0
    finish_reason: str | None = None


@attrs.define
class _ChunkChoice(_Choice):
    delta: _Message = attrs.field(factory=_Message)


@attrs.define
class _CompletionChoice(_Choice):
    message: _Message = attrs.field(factory=_Message)


@attrs.define
class _Usage:
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


@attrs.define
class _Reply:
    id: str = ""
    object: str = ""
    created: int = 0
    model: str = ""
    usage: _Usage | None = None


@attrs.define
class _Chunk(_Reply):
    choices: list[_ChunkChoice] = attrs.field(factory=list)


@attrs.define
class _Completion(_Reply):
    choices: list[_CompletionChoice] = attrs.field(factory=list)


class ByHand(Bare):
    """aiohttp without timeouts and cookies, one split per read, msgspec into slotted attrs classes."""

    name = "aiohttp+msgspec"
    _chunk = staticmethod(msgspec.json.Decoder(_Chunk).decode)
    _completion = staticmethod(msgspec.json.Decoder(_Completion).decode)

    async def open(self) -> None:
        """Open a session with tuned settings."""
        self.http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            read_bufsize=65_536,
        )

    async def chunks(self) -> AsyncIterator[_Chunk]:
        """Iterate over the chunks of one stream."""
        decode, rest = self._chunk, b""
        async with self.http.post(self.base + PATH, data=STREAM_BODY, headers=HEADERS) as response:
            async for block in response.content.iter_any():
                *events, rest = (rest + block).split(b"\n\n")
                for event in events:
                    if not event.endswith(b"[DONE]"):
                        yield decode(event[DATA:])

    async def read(self) -> None:
        """Read one stream to its end and access each text."""
        async for chunk in self.chunks():
            _ = chunk.choices[0].delta.content

    async def texts(self) -> AsyncIterator[str]:
        """Iterate over the texts of one stream."""
        async for chunk in self.chunks():
            if text := chunk.choices[0].delta.content:
                yield text

    async def ask(self) -> str:
        """Return the text of one completion."""
        async with self.http.post(self.base + PATH, data=ASK_BODY, headers=HEADERS) as response:
            return self._completion(await response.read()).choices[0].message.content or ""


class _Peer(Client):
    """Base of the packages with a ``chat.completions.create``.

    A *wide* client has no connection limit: with the defaults (100 to 1,000), streams would queue instead of being open
    at the same time. Other measurements use the defaults, because a pool without a limit makes httpx slower.
    """

    is_slow = True
    client: Any

    async def close(self) -> None:
        """Close the client."""
        await self.client.close()

    async def read(self) -> None:
        """Read one stream to its end and access each text."""
        stream = await self.client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
        async for chunk in stream:
            _ = chunk.choices[0].delta.content

    async def texts(self) -> AsyncIterator[str]:
        """Iterate over the texts of one stream."""
        stream = await self.client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
        async for chunk in stream:
            if text := chunk.choices[0].delta.content:
                yield text

    async def ask(self) -> str:
        """Return the text of one completion."""
        completion = await self.client.chat.completions.create(model=MODEL, messages=MESSAGES)
        return str(completion.choices[0].message.content)


class Pydo(_Peer):
    """DigitalOcean's pydo, asynchronous; results are dicts."""

    name = module = "pydo"

    async def open(self) -> None:
        """Create the client."""
        from azure.core.credentials import AzureKeyCredential
        from azure.core.pipeline.policies import AzureKeyCredentialPolicy
        from pydo.aio import Client

        # The default policy refuses addresses without TLS, including loopback.
        policy = AzureKeyCredentialPolicy(AzureKeyCredential(KEY), "Authorization", prefix="Bearer")
        options = {"transport": await self._wide_transport()} if self.wide else {}
        self.client = Client(KEY, inference_endpoint=self.base, authentication_policy=policy, **options)

    async def _wide_transport(self) -> Any:
        """Return the default transport with an unlimited pool."""
        from azure.core.pipeline.transport import AioHttpTransport

        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=True,
        )
        return AioHttpTransport(session=session)

    async def read(self) -> None:
        """Read one stream to its end and access each text."""
        stream = await self.client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
        async for chunk in stream:
            _ = chunk["choices"][0]["delta"].get("content")

    async def texts(self) -> AsyncIterator[str]:
        """Iterate over the texts of one stream."""
        stream = await self.client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
        async for chunk in stream:
            if text := chunk["choices"][0]["delta"].get("content"):
                yield text


class Gradient(_Peer):
    """DigitalOcean's gradient package."""

    name = module = "gradient"

    async def open(self) -> None:
        """Create the client."""
        from gradient import AsyncGradient, DefaultAsyncHttpxClient
        from gradient._constants import DEFAULT_CONNECTION_LIMITS

        limits = type(DEFAULT_CONNECTION_LIMITS)()
        pool = DefaultAsyncHttpxClient(limits=limits) if self.wide else None
        self.client = AsyncGradient(
            access_token=KEY, model_access_key=KEY, inference_endpoint=self.base, http_client=pool
        )


class OpenAI(_Peer):
    """The openai package with another base address."""

    name = module = "openai"

    async def open(self) -> None:
        """Create the client."""
        from openai import DEFAULT_CONNECTION_LIMITS, AsyncOpenAI, DefaultAsyncHttpxClient

        limits = type(DEFAULT_CONNECTION_LIMITS)()
        pool = DefaultAsyncHttpxClient(limits=limits) if self.wide else None
        self.client = AsyncOpenAI(api_key=KEY, base_url=f"{self.base}/v1", http_client=pool)


class OpenAIHelper(OpenAI):
    """The openai package's ``.stream()``, which also assembles the completion."""

    name = "openai .stream()"

    async def read(self) -> None:
        """Read one stream to its end and access each text."""
        async with self.client.chat.completions.stream(model=MODEL, messages=MESSAGES) as stream:
            async for event in stream:
                if event.type == "chunk":
                    _ = event.chunk.choices[0].delta.content


PEERS: tuple[type[Client], ...] = (Pydo, Gradient, OpenAI)


def select_installed(kinds: Sequence[type[Client]]) -> list[type[Client]]:
    """Return the *kinds* with an installed package, and print a note about the others."""
    missing = {kind.module for kind in kinds if importlib.util.find_spec(kind.module) is None}
    if missing:
        print_note(f"not installed and left out: {', '.join(sorted(missing))}")
    return [kind for kind in kinds if kind.module not in missing]


async def use_client(kind: type[Client], base: str, use: Callable[[Client], Any], *, wide: bool = False) -> float:
    """Return the measurement of *use* with a new client of *kind*."""
    client = kind(base, wide=wide)
    await client.open()
    try:
        return float(await use(client))
    finally:
        await client.close()
