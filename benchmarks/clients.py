"""The contenders: our client, what a careful user writes by hand, and the other clients.

Each can read a stream to its end, iterate over the texts of one, and ask for a whole answer, at an address that
its constructor was given. A contender that is not installed is left out.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, ClassVar

import aiohttp
import attrs
import msgspec
from harness import note

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
    """What every contender can do."""

    name: ClassVar[str]
    module: ClassVar[str] = "aiohttp"
    is_slow: ClassVar[bool] = False
    """Whether it needs so long that it gets fewer chunks, requests and rounds."""

    def __init__(self, base: str, *, wide: bool = False) -> None:
        self.base, self.wide = base, wide

    async def open(self) -> None:
        """Make what needs a running loop."""

    async def close(self) -> None:
        """Close every connection."""

    async def read(self) -> None:
        """Read one stream to its end and look at each text."""
        async for _ in self.texts():
            pass

    def texts(self) -> AsyncIterator[str]:
        """Iterate over the texts of one stream."""
        raise NotImplementedError

    async def ask(self) -> str:
        """Return the text of one whole answer."""
        raise NotImplementedError


class Ours(Client):
    """This library: limiter, retries, time limits, assembly and outcome are on, as they are for its users."""

    name = "gradient_async"

    async def open(self) -> None:
        """Open a session whose budget is out of reach."""
        self.session = AsyncSession(KEY, base_url=self.base, limits=ROOMY)

    async def close(self) -> None:
        """Close the session."""
        await self.session.aclose()

    async def read(self) -> None:
        """Read one stream to its end and look at each text where openai has it."""
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
        """Return the text of one whole answer."""
        return (await self.session.chat.completions.create(model=MODEL, messages=MESSAGES)).text


class Bare(Client):
    """aiohttp with its defaults but for the pool's limit: the bytes are read and nothing is made of them."""

    name = "bare aiohttp"
    _text = re.compile(rb'"content":"([^"]+)"')

    async def open(self) -> None:
        """Open a session without a limit of connections."""
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
        """Iterate over what looks like texts in the bytes."""
        async with self.http.post(self.base + PATH, data=STREAM_BODY, headers=HEADERS) as response:
            async for block in response.content.iter_any():
                for text in self._text.findall(block):
                    yield text.decode()

    async def ask(self) -> str:
        """Read the body of one answer."""
        async with self.http.post(self.base + PATH, data=ASK_BODY, headers=HEADERS) as response:
            await response.read()
        return ""


@attrs.define
class _Delta:
    role: str | None = None
    content: str | None = None


@attrs.define
class _ChunkChoice:
    index: int = 0
    delta: _Delta = attrs.field(factory=_Delta)
    finish_reason: str | None = None


@attrs.define
class _Usage:
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


@attrs.define
class _Chunk:
    id: str = ""
    object: str = ""
    created: int = 0
    model: str = ""
    choices: list[_ChunkChoice] = attrs.field(factory=list)
    usage: _Usage | None = None


@attrs.define
class _Message:
    role: str = ""
    content: str | None = None


@attrs.define
class _Choice:
    index: int = 0
    message: _Message = attrs.field(factory=_Message)
    finish_reason: str | None = None


@attrs.define
class _Completion:
    id: str = ""
    object: str = ""
    created: int = 0
    model: str = ""
    choices: list[_Choice] = attrs.field(factory=list)
    usage: _Usage | None = None


class ByHand(Bare):
    """aiohttp without time limits and cookies, one split a read, msgspec into slotted attrs classes."""

    name = "aiohttp+msgspec"
    _chunk = staticmethod(msgspec.json.Decoder(_Chunk).decode)
    _completion = staticmethod(msgspec.json.Decoder(_Completion).decode)

    async def open(self) -> None:
        """Open a session with the settings a careful user finds."""
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
        """Read one stream to its end and look at each text."""
        async for chunk in self.chunks():
            _ = chunk.choices[0].delta.content

    async def texts(self) -> AsyncIterator[str]:
        """Iterate over the texts of one stream."""
        async for chunk in self.chunks():
            if text := chunk.choices[0].delta.content:
                yield text

    async def ask(self) -> str:
        """Return the text of one whole answer."""
        async with self.http.post(self.base + PATH, data=ASK_BODY, headers=HEADERS) as response:
            return self._completion(await response.read()).choices[0].message.content or ""


class _Peer(Client):
    """What the clients with a ``chat.completions.create`` have in common.

    A *wide* one has no limit of connections: with their own (100 to 1,000) streams wait for one another, and a thousand
    open streams are not what is measured. Where nothing needs it they are as their users have them, because a pool
    without a limit makes httpx slower.
    """

    is_slow = True
    client: Any

    async def close(self) -> None:
        """Close the client."""
        await self.client.close()

    async def read(self) -> None:
        """Read one stream to its end and look at each text."""
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
        """Return the text of one whole answer."""
        answer = await self.client.chat.completions.create(model=MODEL, messages=MESSAGES)
        return answer.choices[0].message.content


class Pydo(_Peer):
    """DigitalOcean's pydo, asynchronous; its results are dicts."""

    name = module = "pydo"

    async def open(self) -> None:
        """Make the client."""
        from azure.core.credentials import AzureKeyCredential
        from azure.core.pipeline.policies import AzureKeyCredentialPolicy
        from pydo.aio import Client

        # Its own policy refuses addresses without TLS, loopback included.
        policy = AzureKeyCredentialPolicy(AzureKeyCredential(KEY), "Authorization", prefix="Bearer")
        options = {"transport": await self._wide_transport()} if self.wide else {}
        self.client = Client(KEY, inference_endpoint=self.base, authentication_policy=policy, **options)

    async def _wide_transport(self) -> Any:
        """Return a transport whose session is as its own but for the limit."""
        from azure.core.pipeline.transport import AioHttpTransport

        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=True,
        )
        return AioHttpTransport(session=session)

    async def read(self) -> None:
        """Read one stream to its end and look at each text."""
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
    """DigitalOcean's gradient."""

    name = module = "gradient"

    async def open(self) -> None:
        """Make the client."""
        from gradient import AsyncGradient, DefaultAsyncHttpxClient
        from gradient._constants import DEFAULT_CONNECTION_LIMITS

        limits = type(DEFAULT_CONNECTION_LIMITS)()
        pool = DefaultAsyncHttpxClient(limits=limits) if self.wide else None
        self.client = AsyncGradient(
            access_token=KEY, model_access_key=KEY, inference_endpoint=self.base, http_client=pool
        )


class OpenAI(_Peer):
    """openai, pointed at another address."""

    name = module = "openai"

    async def open(self) -> None:
        """Make the client."""
        from openai import DEFAULT_CONNECTION_LIMITS, AsyncOpenAI, DefaultAsyncHttpxClient

        limits = type(DEFAULT_CONNECTION_LIMITS)()
        pool = DefaultAsyncHttpxClient(limits=limits) if self.wide else None
        self.client = AsyncOpenAI(api_key=KEY, base_url=f"{self.base}/v1", http_client=pool)


class OpenAIHelper(OpenAI):
    """openai's ``.stream()``, which assembles the answer as ours does."""

    name = "openai .stream()"

    async def read(self) -> None:
        """Read one stream to its end and look at each text."""
        async with self.client.chat.completions.stream(model=MODEL, messages=MESSAGES) as stream:
            async for event in stream:
                if event.type == "chunk":
                    _ = event.chunk.choices[0].delta.content


PEERS: tuple[type[Client], ...] = (Pydo, Gradient, OpenAI)


def installed(kinds: Sequence[type[Client]]) -> list[type[Client]]:
    """Return those of *kinds* whose package is installed, and say which are not."""
    missing = {kind.module for kind in kinds if importlib.util.find_spec(kind.module) is None}
    if missing:
        note(f"not installed and left out: {', '.join(sorted(missing))}")
    return [kind for kind in kinds if kind.module not in missing]


async def with_client(kind: type[Client], base: str, use: Callable[[Client], Any], *, wide: bool = False) -> float:
    """Return what *use* measures with a client of *kind* that is open for it alone."""
    client = kind(base, wide=wide)
    await client.open()
    try:
        return float(await use(client))
    finally:
        await client.close()
