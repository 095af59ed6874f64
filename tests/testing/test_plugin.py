"""The pytest plugin, in pytest runs of its own."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]
OPTIONS = (
    *("-W", "error", "-p", "no:cacheprovider", "-p", "no:langsmith_plugin"),
    *("-o", "asyncio_default_fixture_loop_scope=function"),
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


@pytest.mark.parametrize(
    ("option", "mark", "extra"),
    [
        ("--asyncio-mode=auto", "", ""),
        ("--asyncio-mode=strict", "@pytest.mark.asyncio", ""),
        ("--asyncio-mode=strict", "@pytest.mark.anyio", ANYIO),
    ],
    ids=["pytest-asyncio auto", "pytest-asyncio strict", "anyio"],
)
def test_the_emulator_fixture_runs_in_every_asyncio_mode(
    pytester: pytest.Pytester, option: str, mark: str, extra: str
) -> None:
    pytester.makepyfile(EMULATOR.format(mark=mark) + extra)
    run = pytester.runpytest_subprocess(option, *OPTIONS)
    run.assert_outcomes(passed=1)


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


def test_the_session_fixture_calls_the_emulator(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SESSION.format(mark="@pytest.mark.asyncio"))
    run = pytester.runpytest_subprocess("--asyncio-mode=strict", *OPTIONS)
    run.assert_outcomes(passed=1)
