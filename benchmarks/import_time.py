"""Time to the first session and to the first response of a program.

Measures the wall time of the import and of creating one client, each in a new interpreter with compiled files. Further
rows show the slowest modules of the library by ``-X importtime``; the time from the start of a program to its first
completion and to the end of its first stream, so that late imports are not mistaken for savings; and the time to decode
the first response, which includes creating the converters of its classes.

Baselines: importing the dependencies; aiohttp alone; pydo, gradient and openai with a client of each. For the first
response: the dependencies and one request of bare aiohttp.

    python benchmarks/import_time.py [--quick] [--json]
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from functools import partial

import attrs
import server
from harness import Goal, Row, compare_rows, main, measure_medians, print_note, run_server

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
    "from gradient_async._protocol.stream.template_decoder import TemplateDecoder; body = {body!r}"
)
FIRST_RESPONSE = {
    "first completion decoded": "read_completion(body)",
    "first chunk decoded": "TemplateDecoder().feed(body)",
}
GOALS = {DEPENDENCIES: Goal(1.1)}
LONGEST = 8


@attrs.frozen
class Size:
    """Amount of work in one run."""

    rounds: int
    peers: bool = True


async def time_code(code: str, before: str = "pass") -> float:
    """Return the milliseconds that *code* needs in a new interpreter, after running *before*."""
    return run_code(
        f"import time; {before}; began = time.perf_counter(); {code}; print((time.perf_counter() - began) * 1e3)"
    )


def run_code(code: str) -> float:
    """Run *code* in a new interpreter and return the number it prints.

    Raises:
        RuntimeError: The code failed; the message has the last line of its output.
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return float(done.stdout)


def measure_own_modules() -> list[Row]:
    """Return the slowest modules of the library, without the modules that they import."""
    command = [sys.executable, "-X", "importtime", "-c", OURS]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()
    cells = (line.removeprefix("import time:").split("|") for line in lines if "gradient_async" in line)
    times = sorted(((int(own), name.strip()) for own, _, name in cells), reverse=True)
    total = Row("import of all our modules, traced", "ms", sum(own for own, _ in times) / 1e3)
    return [total, *(Row(f"import of {name}, traced", "ms", own / 1e3) for own, name in times[:LONGEST])]


async def measure_first_call(what: str, url: str, code: str, rounds: int) -> list[Row]:
    """Compare a program that runs *code* with one that sends a bare request."""
    client = f"gradient_async.AsyncSession('key', base_url={url!r})"
    programs = {
        "ours": PROGRAM.format(imports="import gradient_async", client=client, code=code),
        "a bare request": PROGRAM.format(
            imports=FLOORS[DEPENDENCIES], client="aiohttp.ClientSession()", code=BARE.format(url=url)
        ),
    }
    contenders = {name: lambda p=program: time_code(f"exec({p!r})") for name, program in programs.items()}
    return compare_rows(what, "ms", await measure_medians(contenders, rounds))


async def measure(size: Size) -> list[Row]:
    """Return the rows of imports, of the library's modules, and of first responses."""
    peers = {name: code for name, code in PEERS.items() if size.peers and importlib.util.find_spec(name)}
    if size.peers and (missing := PEERS.keys() - peers):
        print_note(f"not installed and left out: {', '.join(sorted(missing))}")
    codes = {"ours": OURS, **FLOORS, **peers}
    contenders = {name: lambda code=code: time_code(code) for name, code in codes.items()}
    rows = compare_rows("import and first session", "ms", await measure_medians(contenders, size.rounds), GOALS)
    rows += measure_own_modules()
    with run_server() as running:
        for what, (behaviour, code) in FIRST_CALL.items():
            rows += await measure_first_call(what, running.url(behaviour), code, size.rounds)
    bodies = (server.COMPLETION.encode(), server.make_events(1)[0])
    for (what, code), body in zip(FIRST_RESPONSE.items(), bodies, strict=True):
        before = FIRST.format(body=body)
        found = await measure_medians({"ours": partial(time_code, code, before)}, size.rounds)
        rows += compare_rows(what, "ms", found)
    return rows


if __name__ == "__main__":
    main(measure, full=Size(7), quick=Size(5), tiny=Size(1, peers=False))
