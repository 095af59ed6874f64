"""How long until the first session exists?

Wall time of the import and of making one client, in a fresh interpreter each time, with compiled files in place.
Then where our own share of it goes, by ``-X importtime``; what a program takes from its start to its first answer and
to the end of its first stream, so that nothing is gained by loading it later; and what decoding the first answer costs,
when the converters of its classes are made.

Baselines: importing the libraries ours is made of; aiohttp alone; pydo, gradient and openai with a client of each. For
the first answer: the same libraries and one bare request of aiohttp.

    python benchmarks/import_time.py [--quick] [--json]
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import attrs
import server
from harness import Goal, Row, main, medians, note, rows_against
from harness import server as serving

OURS = "import gradient_async; gradient_async.AsyncSession('key')"
DEPENDENCIES = "its dependencies"
FLOORS = {DEPENDENCIES: "import aiohttp, attrs, cattrs, anyio, msgspec", "aiohttp alone": "import aiohttp"}
PEERS = {
    "pydo": "from pydo.aio import Client; Client('key')",
    "gradient": "from gradient import AsyncGradient; AsyncGradient(access_token='key')",
    "openai": "from openai import AsyncOpenAI; AsyncOpenAI(api_key='key')",
}
PROGRAM = """
{imports}
import asyncio
async def main():
    async with {client} as session:
        {code}
asyncio.run(main())
"""
BARE = "await (await session.post({url!r} + '/v1/chat/completions', json={{}})).read()"
ASK = "(await session.chat.completions.create(model='m', messages=[{'role': 'user', 'content': 'Hi'}])).text"
READ = "await session.chat.completions.stream(model='m', messages=[{'role': 'user', 'content': 'Hi'}]).completion()"
FIRST_CALL = {"start to first completion": ("json", ASK), "start to end of first stream": ("whole/8", READ)}
FIRST = (
    "from gradient_async._protocol.http.body_reader import read_completion; "
    "from gradient_async._protocol.stream.template_decoder import TemplateDecoder; answer = {answer!r}"
)
FIRST_ANSWER = {
    "first completion decoded": "read_completion(answer)",
    "first chunk decoded": "TemplateDecoder().feed(answer)",
}
GOALS = {DEPENDENCIES: Goal(1.1)}
LONGEST = 8


@attrs.frozen
class Size:
    """How much is measured."""

    rounds: int
    peers: bool = True


async def milliseconds(code: str, before: str = "pass") -> float:
    """Return the milliseconds that *code* takes in a fresh interpreter that has run *before*."""
    return printed_number(
        f"import time; {before}; began = time.perf_counter(); {code}; print((time.perf_counter() - began) * 1e3)"
    )


def printed_number(code: str) -> float:
    """Return the number that *code* prints in a fresh interpreter.

    Raises:
        RuntimeError: It failed; the message has its last line.
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return float(done.stdout)


def our_modules() -> list[Row]:
    """Return the modules of ours that take longest to import, without what they import in turn."""
    command = [sys.executable, "-X", "importtime", "-c", OURS]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()
    cells = (line.removeprefix("import time:").split("|") for line in lines if "gradient_async" in line)
    times = sorted(((int(own), name.strip()) for own, _, name in cells), reverse=True)
    total = Row("import of all our modules, traced", "ms", sum(own for own, _ in times) / 1e3)
    return [total, *(Row(f"import of {name}, traced", "ms", own / 1e3) for own, name in times[:LONGEST])]


async def until_answered(what: str, url: str, code: str, rounds: int) -> list[Row]:
    """Return what a program takes that does *code*, against one that sends a request by hand."""
    client = f"gradient_async.AsyncSession('key', base_url={url!r})"
    programs = {
        "ours": PROGRAM.format(imports="import gradient_async", client=client, code=code),
        "a bare request": PROGRAM.format(
            imports=FLOORS[DEPENDENCIES], client="aiohttp.ClientSession()", code=BARE.format(url=url)
        ),
    }
    contenders = {name: lambda p=program: milliseconds(f"exec({p!r})") for name, program in programs.items()}  # type: ignore[misc]
    return rows_against(what, "ms", await medians(contenders, rounds))


async def measure(size: Size) -> list[Row]:
    """Return the rows of imports, of our modules, and of the first answers."""
    peers = {name: code for name, code in PEERS.items() if size.peers and importlib.util.find_spec(name)}
    if size.peers and (missing := PEERS.keys() - peers):
        note(f"not installed and left out: {', '.join(sorted(missing))}")
    codes = {"ours": OURS, **FLOORS, **peers}
    contenders = {name: lambda code=code: milliseconds(code) for name, code in codes.items()}  # type: ignore[misc]
    rows = rows_against("import and first session", "ms", await medians(contenders, size.rounds), GOALS)
    rows += our_modules()
    with serving() as running:
        for what, (behaviour, code) in FIRST_CALL.items():
            rows += await until_answered(what, running.url(behaviour), code, size.rounds)
    answers = (server.COMPLETION.encode(), server.events(1)[0])
    for (what, code), answer in zip(FIRST_ANSWER.items(), answers, strict=True):
        before = FIRST.format(answer=answer)
        found = await medians({"ours": lambda c=code, b=before: milliseconds(c, b)}, size.rounds)  # type: ignore[misc]
        rows += rows_against(what, "ms", found)
    return rows


if __name__ == "__main__":
    main(measure, full=Size(7), quick=Size(5), tiny=Size(1, peers=False))
