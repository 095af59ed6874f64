"""Clients that are not Python's SDKs, through the gateway in front of the emulator, and its page in a browser.

``make test-frameworks`` installs the pinned packages of Python and of npm. Programs that it cannot install (node, curl,
Chromium) are left out with a reason.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import attrs
import pytest

from gradient_async import Timeouts
from tests.support.gateway import CHAT, Bench, open_bench

NODE = Path(__file__).parent / "node"
MODEL = str(CHAT["model"])
TEXT = "Lisbon, of course."
BUSY_SECONDS = 90


@attrs.frozen
class Result:
    """The end of a program."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


async def run_program(bench: Bench, *command: str, folder: Path | None = None) -> Result:
    """Run *command* with the variables that ``gradient-async proxy`` prints."""
    environ = {"OPENAI_BASE_URL": f"{bench.url}/v1", "OPENAI_API_KEY": "unused", "MODEL": MODEL}
    if folder is not None:
        environ["LLM_USER_PATH"] = str(folder)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, env=os.environ | environ, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
    )
    out, err = await process.communicate()
    return Result(process.returncode or 0, out.decode(), err.decode())


def refuse_next(bench: Bench) -> None:
    """Let the service refuse what comes next, for longer than any caller here waits."""
    bench.emulator.fail(429, retry_after=BUSY_SECONDS, code="slow_down", times=None)


IMPATIENT = Timeouts(total=5)
"""A refusal for longer than this is passed on."""


# node.


@pytest.fixture(params=["openai.mjs", "vercel_ai.mjs"])
def script(request: pytest.FixtureRequest) -> str:
    """The path of a script; the programs that it needs are installed."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    if not (NODE / "node_modules").exists():
        pytest.skip("the packages of node are not installed: `make test-frameworks` does, if there is an npm")
    return str(NODE / request.param)


async def test_node_gets_a_whole_answer(script: str) -> None:
    async with open_bench() as bench:
        bench.emulator.reply(TEXT, usage={"completion_tokens": 5})
        assert (await run_program(bench, "node", script, "whole")).json == {"text": TEXT, "tokens": 5}
        assert bench.emulator.requests[0].headers["Authorization"] == "Bearer sk-real"


async def test_node_reads_a_stream(script: str) -> None:
    async with open_bench() as bench:
        bench.emulator.reply(TEXT)
        result = (await run_program(bench, "node", script, "stream")).json
        assert result["text"] == TEXT
        assert result["pieces"] > 1


async def test_node_gets_vectors(script: str) -> None:
    async with open_bench() as bench:
        first, second = (await run_program(bench, "node", script, "embeddings")).json["vectors"]
        assert first == second > 0


async def test_node_learns_when_to_come_back(script: str) -> None:
    async with open_bench(timeouts=IMPATIENT) as bench:
        refuse_next(bench)
        result = (await run_program(bench, "node", script, "error")).json
        assert (result["status"], result["type"]) in [(429, "RateLimitError"), (429, "AI_APICallError")]
        assert BUSY_SECONDS <= int(result["retryAfter"]) <= BUSY_SECONDS + 10


# curl.


async def run_curl(bench: Bench, path: str, body: dict[str, Any], *options: str) -> Result:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    sent = ("-H", "Content-Type: application/json", "-d", json.dumps(body))
    return await run_program(bench, "curl", "--silent", "--show-error", *sent, *options, bench.url + path)


async def test_curl_gets_a_whole_answer_and_vectors() -> None:
    async with open_bench() as bench:
        bench.emulator.reply(TEXT)
        completion = (await run_curl(bench, "/v1/chat/completions", CHAT)).json
        assert completion["choices"][0]["message"]["content"] == TEXT
        vectors = (await run_curl(bench, "/v1/embeddings", {"model": "gte-large", "input": "one"})).json
        assert vectors["data"][0]["embedding"]


async def test_curl_reads_a_stream() -> None:
    async with open_bench() as bench:
        bench.emulator.reply(TEXT)
        result = await run_curl(bench, "/v1/chat/completions", {**CHAT, "stream": True}, "--no-buffer")
        assert result.out.count("data: {") > 1
        assert result.out.endswith("data: [DONE]\n\n")


async def test_curl_sends_a_long_body_after_the_gateway_asked_for_it() -> None:
    async with open_bench() as bench:
        bench.emulator.reply(TEXT)
        result = await run_curl(bench, "/v1/chat/completions", CHAT, "-H", "Expect: 100-continue", "--verbose")
        assert "HTTP/1.1 100 Continue" in result.err
        assert result.json["choices"]


async def test_curl_learns_when_to_come_back() -> None:
    async with open_bench(timeouts=IMPATIENT) as bench:
        refuse_next(bench)
        template = "%{stderr}%{http_code} %header{retry-after}"
        if not await _curl_knows_headers(bench):
            pytest.skip("this curl is older than 7.84, which prints a header")
        result = await run_curl(bench, "/v1/chat/completions", CHAT, "--write-out", template)
        status, seconds = result.err.split()
        assert (status, result.json["id"]) == ("429", "slow_down")
        assert BUSY_SECONDS <= int(seconds) <= BUSY_SECONDS + 10


async def _curl_knows_headers(bench: Bench) -> bool:
    version = (await run_curl(bench, "/metrics", {}, "--version")).out.split()[1]
    return tuple(int(part) for part in version.split(".")[:2]) >= (7, 84)


# llm.


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the command ``llm``, which is installed."""
    if find_spec("llm") is None:
        pytest.skip("llm is not installed: `make test-frameworks` does")
    return tmp_path


async def run_llm(bench: Bench, folder: Path, *options: str) -> Result:
    """Put a question to ``llm``; its model is in the file that its documentation names."""
    model = {"model_id": "gateway", "model_name": MODEL, "api_base": f"{bench.url}/v1"}
    (folder / "extra-openai-models.yaml").write_text(json.dumps([model]), encoding="utf-8")  # JSON is YAML
    command = (sys.executable, "-m", "llm", "-m", "gateway", *options, "Capital of Portugal?")
    return await run_program(bench, *command, folder=folder)


@pytest.mark.parametrize("options", [("--no-stream",), ()], ids=["whole", "stream"])
async def test_llm_prints_an_answer(folder: Path, options: tuple[str, ...]) -> None:
    async with open_bench() as bench:
        bench.emulator.reply(TEXT)
        result = await run_llm(bench, folder, *options)
        assert result.out.strip() == TEXT, result.err
        assert bench.emulator.requests[0].json.get("stream", False) is not bool(options)


async def test_llm_prints_a_vector(folder: Path) -> None:
    async with open_bench() as bench:
        command = (sys.executable, "-m", "llm", "embed", "-m", "3-small", "-c", "one")
        assert (await run_program(bench, *command, folder=folder)).json


async def test_llm_comes_back_when_it_is_told_to(folder: Path) -> None:
    async with open_bench(timeouts=Timeouts(total=2)) as bench:
        bench.emulator.fail(429, retry_after=3, code="slow_down")
        bench.emulator.reply(TEXT)
        result = await run_llm(bench, folder)
        assert result.out.strip() == TEXT, result.err
        (counts,) = bench.gateway.statistics.models.values()
        assert counts.statuses == {429: 1, 200: 1}


async def test_llm_shows_the_error_of_the_service(folder: Path) -> None:
    async with open_bench() as bench:
        bench.emulator.fail(404, message="There is no such model.")
        result = await run_llm(bench, folder)
        assert (result.code, "There is no such model." in result.err) == (1, True)


# The page.


async def test_chromium_shows_what_the_gateway_does() -> None:
    api = pytest.importorskip("playwright.async_api", reason="playwright is not installed: `make test-frameworks` does")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("Chromium is not installed")
    async with open_bench(tokens=("t-1",)) as bench, api.async_playwright() as playwright:
        bench.emulator.reply(TEXT, usage={"prompt_tokens": 11, "completion_tokens": 5})
        bench.emulator.fail(404)
        async with await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"]) as browser:
            context = await browser.new_context(http_credentials={"username": "any", "password": "t-1"})
            page = await context.new_page()
            problems: list[str] = []
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
            await page.goto(bench.url)
            for _ in range(2):
                await bench.post("/v1/chat/completions", CHAT, headers={"Authorization": "Bearer t-1"})
            await api.expect(page.locator("#requests")).to_have_text("2")
            assert await page.text_content("#errors") == "1"
            assert await page.text_content("#tokens") == "16"
            assert (await page.inner_text("#models tr")).split("\t")[:5] == [MODEL, "2", "1 \xd7 404", "11", "5"]
            assert await page.locator("#plot rect").count() >= 2
            assert await page.locator("#windows tr").count() == 2
            bench.gateway.draining = True
            await api.expect(page.locator("#state")).to_have_text("is stopping")
            assert problems == []
