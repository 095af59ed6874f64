"""The code of docs/frameworks.md runs, and every request passes the limiter. Run it with ``make test-frameworks``."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import attrs
import pytest

from gradient_async import AsyncSession
from gradient_async.testing import Emulator

PAGE = Path(__file__).parents[2] / "docs" / "frameworks.md"
SECTION = re.compile(r"^## (.+?)\n.*?^```python no-run\n(.*?)^```", re.MULTILINE | re.DOTALL)
GATEWAY = "http://127.0.0.1:8090"
pytestmark = pytest.mark.filterwarnings("default")  # the frameworks warn of themselves


@attrs.frozen
class Recipe:
    """The code below a heading of the page."""

    name: str
    code: str

    @property
    def modules(self) -> set[str]:
        return set(re.findall(r"^(?:from|import) ([\w.]+)", self.code, re.MULTILINE))

    @property
    def is_installed(self) -> bool:
        return all(_is_installed(*module.split(".")) for module in self.modules)


def _is_installed(package: str, *rest: str) -> bool:
    """Whether *package* is there; of a namespace such as ``google``, whether the package in it is."""
    spec = find_spec(package)
    if spec is not None and spec.origin is None and rest:
        return _is_installed(f"{package}.{rest[0]}", *rest[1:])
    return spec is not None


RECIPES = [Recipe(*found) for found in SECTION.findall(PAGE.read_text(encoding="utf-8"))]
INSTALLED = [recipe for recipe in RECIPES if recipe.is_installed]


@asynccontextmanager
async def run_gateway(emulator: Emulator) -> AsyncIterator[str]:
    """Run ``gradient-async proxy`` in front of *emulator*."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    command = ["-m", "gradient_async", "proxy", "--port", str(port), "--upstream", emulator.url]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(30):
            while not await _is_listening(port):
                await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def _is_listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def test_the_page_has_a_recipe_for_each_framework() -> None:
    table = re.findall(r"^\| \[.+?\]\(#(.+?)\)", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert table == [recipe.name.lower().replace(" ", "-") for recipe in RECIPES]


@pytest.mark.parametrize("recipe", INSTALLED, ids=lambda recipe: recipe.name)
async def test_a_recipe_runs_in_the_budget(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # otherwise it is downloaded
    monkeypatch.setenv("CREWAI_DISABLE_TELEMETRY", "true")  # otherwise it tells its makers of each run
    monkeypatch.setenv("DSPY_CACHEDIR", str(tmp_path))  # otherwise the replies of the last run are used
    async with Emulator() as emulator, AsyncSession("test", base_url=emulator.url) as session:
        monkeypatch.setenv("GRADIENT_INFERENCE_ENDPOINT", emulator.url)
        monkeypatch.setenv("MODEL_ACCESS_KEY", "test")
        question = [{"role": "user", "content": "What is the capital of Portugal?"}]
        names: dict[str, Any] = {"session": session, "messages": question, "__name__": "recipe"}
        if GATEWAY in recipe.code:
            async with run_gateway(emulator) as gateway:
                await run_code(recipe.code.replace(GATEWAY, gateway), names)
        else:
            await run_code(recipe.code, names)
            assert session.limits is not None
            assert session.limits.status().windows[0].used == len(emulator.requests)
        assert emulator.requests
        assert {seen.headers["Authorization"] for seen in emulator.requests} == {"Bearer test"}
    assert capsys.readouterr().out.strip()


async def run_code(code: str, names: dict[str, Any]) -> None:
    """Run a recipe: in this loop if it awaits, else in a thread."""
    compiled = compile(code, str(PAGE), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    if compiled.co_flags & inspect.CO_COROUTINE:
        await eval(compiled, names)
    else:
        await asyncio.to_thread(exec, compiled, names)
