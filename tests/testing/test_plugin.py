"""The pytest plugin, in pytest runs of its own."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]
UNRELATED = ("cacheprovider", "faker", "hypothesispytest", "langsmith_plugin", "valkey", "xdist")
"""Plugins that happen to be installed here; loading them takes a third of a run."""
OPTIONS = (
    *("-W", "error", "-o", "asyncio_default_fixture_loop_scope=function"),
    *(option for name in UNRELATED for option in ("-p", f"no:{name}")),
)
EMULATOR = """
import aiohttp, pytest
{mark}
async def test_it(gradient_emulator) -> None:
    async with aiohttp.ClientSession() as http, http.get(gradient_emulator.agent_url + "/health") as response:
        assert response.status == 200
    assert len(gradient_emulator.requests) == 1
"""
ANYIO = """
@pytest.fixture
def anyio_backend():
    return "asyncio"
"""
SESSION = """
import pytest
{mark}
async def test_it(gradient_emulator, gradient_session) -> None:
    gradient_emulator.reply("Hello")
    messages = [{{"role": "user", "content": "hi"}}]
    completion = await gradient_session.chat.completions.create(model="m", messages=messages)
    assert completion.text == "Hello"
"""


def test_the_emulator_fixture_runs_in_automatic_mode(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(EMULATOR.format(mark=""))
    run = pytester.runpytest_subprocess("--asyncio-mode=auto", *OPTIONS)
    run.assert_outcomes(passed=1)


def test_the_fixtures_run_in_strict_mode_and_with_anyio(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_strict=EMULATOR.format(mark="@pytest.mark.asyncio"),
        test_anyio=EMULATOR.format(mark="@pytest.mark.anyio") + ANYIO,
        test_session=SESSION.format(mark="@pytest.mark.asyncio"),
    )
    run = pytester.runpytest_subprocess("--asyncio-mode=strict", *OPTIONS)
    run.assert_outcomes(passed=3)


@pytest.mark.parametrize(
    ("mark", "tests", "fixtures"),
    [
        ('(loop_scope="module")', "function", "function"),
        ('(loop_scope="function")', "session", "session"),
        ("", "session", "function"),
    ],
)
def test_the_fixtures_run_in_the_loop_of_the_test(
    pytester: pytest.Pytester, mark: str, tests: str, fixtures: str
) -> None:
    pytester.makepyfile(SESSION.format(mark=f"@pytest.mark.asyncio{mark}"))
    scopes = f"asyncio_default_test_loop_scope={tests}", f"asyncio_default_fixture_loop_scope={fixtures}"
    options = (option for scope in scopes for option in ("-o", scope))
    run = pytester.runpytest_subprocess("--asyncio-mode=strict", *OPTIONS, *options, timeout=120)
    run.assert_outcomes(passed=1)
