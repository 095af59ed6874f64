"""Time to the first session and to the first response of a program.

Measures the wall time of the import and of creating one client, each in a new interpreter with compiled files. Further
rows show the slowest modules of the library by ``-X importtime``; the time from the first line of a program to its
first completion and to the end of its first stream, so that late imports are not mistaken for savings; the time to
decode the first response; and that of a whole process that prints the help of the command line.

Baselines: importing the dependencies; aiohttp alone; pydo, gradient and openai with a client of each. For the first
response: a program that does the same with aiohttp and ``json``. For the command line: importing click.

    python benchmarks/import_time.py [--quick] [--json]
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from functools import partial

import attrs
import server
from harness import Goal, Row, Server, compare_rows, main, measure_medians, print_note, run_server

OURS = "import gradient_async; gradient_async.AsyncSession('key')"
DEPENDENCIES = "its dependencies"
FLOORS = {DEPENDENCIES: "import aiohttp, attrs, cattrs, anyio, msgspec", "aiohttp alone": "import aiohttp"}
PEERS = {
    "pydo": "from pydo.aio import Client; Client('key')",
    "gradient": "from gradient import AsyncGradient; AsyncGradient(access_token='key')",
    "openai": "from openai import AsyncOpenAI; AsyncOpenAI(api_key='key')",
}
PROGRAM = """
url = {url!r}
{imports}
import asyncio
async def main():
    async with {client} as session:
        {code}
asyncio.run(main())
"""
BODY = "{'model': 'm', 'messages': [{'role': 'user', 'content': 'Hi'}]}"
ASK = "(await session.chat.completions.create(model='m', messages=[{'role': 'user', 'content': 'Hi'}])).text"
READ = "await session.chat.completions.stream(model='m', messages=[{'role': 'user', 'content': 'Hi'}]).completion()"
ASK_BY_HAND = f"""
        async with session.post(url + '/v1/chat/completions', json={BODY}) as response:
            (await response.json())['choices'][0]['message']['content']
"""
READ_BY_HAND = f"""
        texts = []
        async with session.post(url + '/v1/chat/completions', json={BODY}) as response:
            async for line in response.content:
                if line.startswith(b'data: {{'):
                    texts += [choice['delta'].get('content') or '' for choice in json.loads(line[6:])['choices']]
        ''.join(texts)
"""
BY_HAND = "aiohttp by hand"
FIRST_CALL = {
    "start to first completion": ("json", ASK, ASK_BY_HAND, Goal(1.15)),
    "start to end of first stream": ("whole/8", READ, READ_BY_HAND, Goal(1.2)),
}
HELP = {"ours": ("-m", "gradient_async", "--help"), "import click": ("-c", "import click")}
FIRST = (
    "from gradient_async._protocol.http.body_reader import read_completion; "
    "from gradient_async._protocol.stream.accelerators.fast_chat_decoder import FastChatDecoder; body = {body!r}"
)
FIRST_RESPONSE = {
    "first completion decoded": "read_completion(body)",
    "first chunk decoded": "FastChatDecoder().feed(body)",
}
GOALS = {DEPENDENCIES: Goal(1.1)}
LONGEST = 8
FIRST_CALL_ROUNDS = 3
"""Rounds of a first call for each of the other rows: with 15, the medians of one program differ by 4 %."""
ENVIRON = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""The environment of the interpreters: each but the first finds compiled files."""


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
    done = run_process("-c", code)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return float(done.stdout)


def measure_own_modules() -> list[Row]:
    """Return the slowest modules of the library, without the modules that they import."""
    lines = run_process("-X", "importtime", "-c", OURS).stderr.splitlines()
    cells = (line.removeprefix("import time:").split("|") for line in lines if "gradient_async" in line)
    times = sorted(((int(own), name.strip()) for own, _, name in cells), reverse=True)
    total = Row("import of all our modules, traced", "ms", sum(own for own, _ in times) / 1e3)
    return [total, *(Row(f"import of {name}, traced", "ms", own / 1e3) for own, name in times[:LONGEST])]


async def measure_first_call(what: str, running: Server, rounds: int) -> list[Row]:
    """Compare the program of *what* with the one that does the same by hand."""
    behaviour, code, code_by_hand, goal = FIRST_CALL[what]
    url, client = running.url(behaviour), "gradient_async.AsyncSession('key', base_url=url)"
    by_hand = {"imports": "import aiohttp, json", "client": "aiohttp.ClientSession()", "code": code_by_hand}
    programs = {
        "ours": PROGRAM.format(url=url, imports="import gradient_async", client=client, code=code),
        BY_HAND: PROGRAM.format(url=url, **by_hand),
    }
    contenders = {name: lambda p=program: time_code(f"exec({p!r})") for name, program in programs.items()}
    return compare_rows(what, "ms", await measure_medians(contenders, rounds), {BY_HAND: goal})


async def time_process(*arguments: str) -> float:
    """Return the milliseconds that an interpreter with *arguments* runs."""
    began = time.perf_counter()
    run_process(*arguments)
    return (time.perf_counter() - began) * 1e3


def run_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run an interpreter with *arguments*."""
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, env=ENVIRON)


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
        for what in FIRST_CALL:
            rows += await measure_first_call(what, running, size.rounds * FIRST_CALL_ROUNDS)
    helps = {name: partial(time_process, *arguments) for name, arguments in HELP.items()}
    rows += compare_rows(
        "gradient-async --help", "ms", await measure_medians(helps, size.rounds), {"import click": Goal(1.3)}
    )
    bodies = (server.COMPLETION.encode(), server.make_events(1)[0])
    for (what, code), body in zip(FIRST_RESPONSE.items(), bodies, strict=True):
        before = FIRST.format(body=body)
        found = await measure_medians({"ours": partial(time_code, code, before)}, size.rounds)
        rows += compare_rows(what, "ms", found)
    return rows


if __name__ == "__main__":
    main(measure, full=Size(15), quick=Size(5), tiny=Size(1, peers=False))
