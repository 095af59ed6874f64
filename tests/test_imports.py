"""Lazy imports: which modules are loaded when, counted in a fresh interpreter and never timed."""

from __future__ import annotations

import ast
import asyncio
import inspect
import sys
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import get_type_hints

import pytest

import gradient_async
from gradient_async import models
from gradient_async.testing import Emulator

SESSION = "import gradient_async; session = gradient_async.AsyncSession('key')"
LOADED = "import sys; print(*sys.modules)"
HI = [{"role": "user", "content": "Hi"}]
CALL = """
import asyncio
from gradient_async import AsyncSession
async def main():
    async with AsyncSession("test", base_url={url!r}) as session:
        {code}
asyncio.run(main())
"""
ASK = f"await session.chat.completions.create(model='m', messages={HI})"
READ = f"await session.chat.completions.stream(model='m', messages={HI}).completion()"
STREAMING = {
    "_io.stream.chat_stream",
    "_io.stream.tee",
    "_protocol.stream.base_decoder",
    "_protocol.stream.chat_decoder",
    "_protocol.stream.accelerators.chunk_template",
    "_protocol.stream.accelerators.event_template",
    "_protocol.stream.accelerators.json_template",
    "_protocol.stream.accelerators.template_decoder",
    "_protocol.stream.chat_accumulator",
}
TOOLS = {
    "_protocol.schema.docstrings", "_protocol.schema.function_tool", "_protocol.schema.annotations", "_protocol.schema.structured_output", "_protocol.schema.json_schema",
    "_protocol.schema.tool_loop", "_protocol.schema.convert", "_protocol.schema.foreign_schema",
    "_protocol.codec.type_adapter", "_protocol.codec.pydantic_adapter", "_protocol.codec.msgspec_adapter", "models.parsed", "models.tool_run", "resources.structured_call",
    "resources.tool_rounds", "resources.request_map", "_protocol.schema.dialect", "_protocol.schema.messages_dialect",
    "_protocol.schema.responses_dialect", "models.parsed_message", "models.parsed_response", "models.map_result",
}  # fmt: skip
OTHERS = {"knowledge_bases", "embeddings", "images", "async_invoke", "audio", "rerank", "systemone", "videos"}
ELSEWHERE = TOOLS | {
    "resources.models",
    "resources.batch.batches",
    *(f"resources.{name}" for name in OTHERS),
    "models.batch",
    "limits",
    "testing",
    "cli",
}


async def modules_loaded_by(program: str) -> set[str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", f"{program}\n{LOADED}", stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return set(out.decode().split())


def our_modules(loaded: set[str]) -> set[str]:
    return {name.removeprefix("gradient_async.") for name in loaded if name.startswith("gradient_async.")}


async def test_importing_the_package_loads_its_errors_alone() -> None:
    assert our_modules(await modules_loaded_by("import gradient_async")) == {"_lazy", "errors"}


async def test_creating_a_session_loads_its_settings_alone() -> None:
    assert our_modules(await modules_loaded_by(SESSION)) == {
        "_io", "_io.http", "_io.rate_limit", "_protocol.http", "_protocol.rate_limit", "_protocol.stream", "_io.http.hooks", "_io.rate_limit.permit", "_io.http.target", "_lazy", "_protocol", "_protocol.http.credentials",
        "_protocol.rate_limit.rate_limits", "_protocol.http.retry", "_protocol.stream.sse", "_protocol.http.timeouts", "errors", "session", "_wiring",
    }  # fmt: skip


def test_the_type_hints_of_a_session_resolve_at_run_time() -> None:
    hints = get_type_hints(gradient_async.AsyncSession.__init__)
    assert hints["limits"] == gradient_async.RateLimits | gradient_async.Limiter | None
    hook = Callable[[gradient_async.AttemptDetails], object]
    assert (
        hints["hooks"] == Iterable[hook | gradient_async.CallHook | gradient_async.WaitHook | gradient_async.ToolHook]
    )


async def test_a_session_loads_only_the_dependencies_that_it_needs() -> None:
    loaded = await modules_loaded_by(SESSION)
    assert {"aiohttp", "attrs"} <= loaded
    assert loaded & {"anyio", "cattrs", "msgspec", "gzip", "sqlite3", "tempfile"} <= await modules_loaded_by(
        "import aiohttp"
    )


async def test_a_completion_loads_no_module_of_streams_batches_and_tools(gradient_emulator: Emulator) -> None:
    loaded = our_modules(await modules_loaded_by(CALL.format(url=gradient_emulator.url, code=ASK)))
    assert "models.chat" in loaded
    assert loaded & (STREAMING | ELSEWHERE) == set()


async def test_a_stream_loads_no_module_of_batches_and_tools(gradient_emulator: Emulator) -> None:
    loaded = our_modules(await modules_loaded_by(CALL.format(url=gradient_emulator.url, code=READ)))
    assert loaded >= STREAMING
    assert loaded & ELSEWHERE == set()


@pytest.mark.parametrize("code", [ASK, READ], ids=["completion", "stream"])
async def test_a_usual_response_does_not_load_cattrs(code: str, gradient_emulator: Emulator) -> None:
    loaded = await modules_loaded_by(CALL.format(url=gradient_emulator.url, code=code))
    assert "gradient_async._protocol.codec.fast_reader" in loaded
    assert "cattrs" not in loaded


@pytest.mark.parametrize(
    ("call", "needed"),
    [
        ("session.messages.create(model='m', max_tokens=9, messages=[{'role': 'user', 'content': 'Hi'}])", set()),
        ("session.responses.create(model='m', input='Hi')", set()),
        (
            "session.messages.stream(model='m', max_tokens=9, messages=[{'role': 'user', 'content': 'Hi'}]).message()",
            {
                "_io.stream.message_stream",
                "_io.stream.tee",
                "_protocol.stream.base_decoder",
                "_protocol.stream.accelerators.event_template",
                "_protocol.stream.accelerators.json_template",
                "models.message_event",
            },
        ),
    ],
)
async def test_messages_and_responses_load_no_module_of_chat_streams(
    gradient_emulator: Emulator, call: str, needed: set[str]
) -> None:
    loaded = our_modules(await modules_loaded_by(CALL.format(url=gradient_emulator.url, code=f"await {call}")))
    assert loaded >= needed
    assert loaded & (STREAMING | ELSEWHERE | {"resources.chat.completions"}) <= needed


async def test_a_map_loads_no_progress_bars_and_no_views_of_notebooks(gradient_emulator: Emulator) -> None:
    code = "async with session.chat.completions.map(['Hi'], model='m') as results: print(repr([each async for each in results]), file=sys.stderr)"
    loaded = await modules_loaded_by("import sys" + CALL.format(url=gradient_emulator.url, code=code))
    ours = our_modules(loaded)
    assert "_io.map.map_results" in ours
    assert not {name for name in ours if name.startswith(("resources.progress_bars", "models._html"))}
    assert loaded & {"rich", "tqdm", "IPython", "html"} == set()


async def test_accessing_chat_loads_everything_that_a_completion_needs(gradient_emulator: Emulator) -> None:
    before = our_modules(await modules_loaded_by(f"{SESSION}; session.chat; session.limits"))
    assert our_modules(await modules_loaded_by(CALL.format(url=gradient_emulator.url, code=ASK))) == before


TYPED = """
import attrs, dataclasses, msgspec
from typing import Annotated
class Point(msgspec.Struct):
    x: int
@attrs.define
class Place:
    name: Annotated[str, "Its name."]
@dataclasses.dataclass
class City:
    place: Place
    point: Point | None
def visit(city: City) -> Point:
    return city.point
"""
PARSE = f"""
        await session.chat.completions.parse(model='m', messages={HI}, response_format=City)
        await session.chat.completions.run_tools(model='m', messages={HI}, tools=[visit], tool_choice='required')
        await session.chat.completions.create(model='m', messages=[dataclasses.make_dataclass('Hi', ['role', 'content'])('user', 'Hi')])
"""
NO_PYDANTIC = "import sys; sys.modules['pydantic'] = None; sys.modules['annotated_types'] = None\n"


async def test_types_of_others_are_used_without_loading_pydantic(gradient_emulator: Emulator) -> None:
    program = CALL.format(url=gradient_emulator.url, code=PARSE)
    loaded = await modules_loaded_by(TYPED + program)
    assert our_modules(loaded) >= {"_protocol.codec.pydantic_adapter", "resources.tool_rounds"}
    assert not {name for name in loaded if name.startswith("pydantic")}


async def test_types_of_others_are_used_where_pydantic_is_not_installed(gradient_emulator: Emulator) -> None:
    program = CALL.format(url=gradient_emulator.url, code=PARSE)
    assert "gradient_async.resources.tool_rounds" in await modules_loaded_by(NO_PYDANTIC + TYPED + program)


@pytest.mark.parametrize("resource", sorted(OTHERS))
async def test_a_resource_loads_no_other_resource(resource: str) -> None:
    loaded = our_modules(await modules_loaded_by(f"{SESSION}; session.{resource}"))
    bases = {"resources.base", "resources.signatures"}
    assert {name for name in loaded if name.startswith("resources.")} == {*bases, f"resources.{resource}"}
    assert loaded & (STREAMING | {"limits", "testing", "cli"}) == set()


@pytest.mark.parametrize("package", [gradient_async, models], ids=lambda package: package.__name__)
def test_type_checkers_see_the_same_names_in_the_same_modules(package: ModuleType) -> None:
    declared = {
        alias.name: node.module
        for node in ast.walk(ast.parse(inspect.getsource(package)))
        if isinstance(node, ast.ImportFrom) and not (node.module or "typing").endswith(("typing", "_lazy"))
        for alias in node.names
    }
    assert sorted(declared.keys() | {"__version__"} & set(package.__all__)) == package.__all__
    for name, module in declared.items():
        assert module is not None
        assert getattr(package, name) is getattr(sys.modules[module], name)


@pytest.mark.parametrize("package", [gradient_async, models], ids=lambda package: package.__name__)
def test_dir_and_a_star_import_have_every_name(package: ModuleType) -> None:
    namespace: dict[str, object] = {}
    exec(f"from {package.__name__} import *", namespace)
    assert set(package.__all__) <= namespace.keys()
    assert set(package.__all__) <= set(dir(package))


@pytest.mark.parametrize("package", [gradient_async, models], ids=lambda package: package.__name__)
def test_an_undefined_name_is_an_attribute_error(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'Nonsense'"):
        _ = package.Nonsense
