"""Lazy imports: which modules are loaded when, counted in a process of its own and never timed."""

from __future__ import annotations

import ast
import gc
import inspect
import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, get_args, get_type_hints

import pytest

import gradient_async
from gradient_async import models, params
from gradient_async._lazy import rest_collector
from gradient_async._protocol.requests.json_post import AS_GIVEN
from gradient_async._protocol.requests.parameters import ROLES
from tests.support.threaded_emulator import run_emulator

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
    "_protocol.stream.base_decoder",
    "_protocol.stream.chat_decoder",
    "_protocol.stream.accelerators.fast_chat_decoder",
    "_protocol.stream.chat_accumulator",
}
RARE_IN_STREAMS = {
    "_io.stream.tee",
    "_protocol.stream.accelerators.chunk_template",
    "_protocol.stream.accelerators.event_template",
    "_protocol.stream.accelerators.fast_chat_accumulator",
    "_protocol.stream.accelerators.json_template",
    "_protocol.stream.tool_call_assembler",
}
"""What only several readers, tool calls, or more than a few chunks need."""
FOR_TYPE_CHECKERS = {"_protocol.stream.interfaces", "resources.interfaces"}
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


RESOURCES = sorted(OTHERS)
MESSAGE = "messages=[{'role': 'user', 'content': 'Hi'}]"
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
MAP = "async with session.chat.completions.map(['Hi'], model='m') as results: [repr(each) async for each in results]"
CALLS = {
    "completion": ASK,
    "stream": READ,
    "message": f"await session.messages.create(model='m', max_tokens=9, {MESSAGE})",
    "response": "await session.responses.create(model='m', input='Hi')",
    "message stream": f"await session.messages.stream(model='m', max_tokens=9, {MESSAGE}).message()",
    "map": MAP,
}
PROGRAMS = {
    "package": "import gradient_async",
    "session": SESSION,
    "chat of a session": f"{SESSION}; session.chat; session.limits",
    **{resource: f"{SESSION}; session.{resource}" for resource in RESOURCES},
    **{name: CALL.replace("{code}", code) for name, code in CALLS.items()},
    "types of others": TYPED + CALL.replace("{code}", PARSE),
    "types of others without Pydantic": NO_PYDANTIC + TYPED + CALL.replace("{code}", PARSE),
}
"""Programs by name; ``{url!r}`` stands for the address of an emulator."""
RUN_EACH = """
import json, os, sys, traceback
import aiohttp  # takes most of the time of a program, and is a third of its modules
for name, program in json.load(sys.stdin).items():
    if child := os.fork():
        os.waitpid(child, 0)
        continue
    try:
        exec(program, {"__name__": "__main__"})
        print(json.dumps([name, list(sys.modules)]), flush=True)
    except BaseException:
        traceback.print_exc()
    os._exit(0)
"""
"""Runs each program in a process of its own, forked from one that has imported aiohttp and nothing of this library."""


@pytest.fixture(scope="module")
def loaded_by() -> dict[str, set[str]]:
    """The modules that each of `PROGRAMS` has loaded at its end."""
    with run_emulator() as emulator:
        programs = {name: program.replace("{url!r}", repr(emulator.url)) for name, program in PROGRAMS.items()}
        done = subprocess.run(
            [sys.executable, "-c", RUN_EACH], input=json.dumps(programs), capture_output=True, text=True, check=True
        )
    loaded = {name: set(modules) for name, modules in map(json.loads, done.stdout.splitlines())}
    assert loaded.keys() == PROGRAMS.keys(), done.stderr
    return loaded


def list_loaded(program: str) -> set[str]:
    """Return the modules that *program* has loaded at its end, in an interpreter of its own."""
    command = [sys.executable, "-c", f"{program}\n{LOADED}"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def our_modules(loaded: set[str]) -> set[str]:
    return {name.removeprefix("gradient_async.") for name in loaded if name.startswith("gradient_async.")}


def test_importing_the_package_loads_its_errors_alone(loaded_by: dict[str, set[str]]) -> None:
    assert our_modules(loaded_by["package"]) == {"_lazy", "errors"}


def test_creating_a_session_loads_its_settings_alone(loaded_by: dict[str, set[str]]) -> None:
    assert our_modules(loaded_by["session"]) == {
        "_io", "_io.http", "_io.rate_limit", "_protocol.http", "_protocol.rate_limit", "_protocol.stream", "_io.http.hooks", "_io.rate_limit.permit", "_io.http.target", "_lazy", "_protocol", "_value", "_protocol.http.credentials",
        "_protocol.rate_limit.rate_limits", "_protocol.http.retry", "_protocol.http.timeouts", "errors", "session", "_session_arguments", "_session_parts",
    }  # fmt: skip


LIST_ATTRS_CLASSES = """
import sys
values = {value for name, module in sys.modules.items() if name.startswith("gradient_async.") for value in vars(module).values()
          if isinstance(value, type) and hasattr(value, "__attrs_attrs__") and not value.__module__.startswith("gradient_async.models")}
print(*(value.__name__ for value in values))
"""


def test_a_first_completion_defines_few_attrs_classes() -> None:
    with run_emulator() as emulator:
        program = CALL.replace("{code}", ASK).replace("{url!r}", repr(emulator.url)) + LIST_ATTRS_CLASSES
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"RateLimits", "RetryPolicy", "Timeouts"}


def test_the_type_hints_of_a_session_resolve_at_run_time() -> None:
    hints = get_type_hints(gradient_async.AsyncSession.__init__)
    assert hints["limits"] == gradient_async.RateLimits | gradient_async.Limiter | None
    hook = Callable[[Any], object]  # of an `AttemptDetails`, whose class a session need not define
    assert (
        hints["hooks"] == Iterable[hook | gradient_async.CallHook | gradient_async.WaitHook | gradient_async.ToolHook]
    )


def test_what_is_written_out_to_load_no_parameters_equals_them(loaded_by: dict[str, set[str]]) -> None:
    assert "gradient_async.params" not in loaded_by["completion"]
    assert get_args(params.Role) == ROLES
    assert params.ExtraParams.__annotations__.keys() == AS_GIVEN


class Cycle:
    """An object that only the garbage collector deletes."""

    def __init__(self) -> None:
        self.itself = self


def list_generations(of: object) -> list[int]:
    return [number for number in range(3) if any(each is of for each in gc.get_objects(generation=number))]


def test_the_collector_rests_while_modules_load_and_then_goes_on() -> None:
    with pytest.raises(ImportError), rest_collector():
        made = Cycle()
        assert not gc.isenabled()
        raise ImportError
    assert gc.isenabled()
    assert list_generations(made) == [2]
    assert gc.get_freeze_count() == 0


def test_a_collector_that_was_switched_off_stays_off() -> None:
    gc.disable()
    try:
        with rest_collector():
            made = Cycle()
        assert not gc.isenabled()
        assert list_generations(made) == [0]
    finally:
        gc.enable()


def test_objects_that_the_program_has_frozen_stay_frozen() -> None:
    done = list_loaded("""
import gc
gc.freeze()
import gradient_async; gradient_async.AsyncSession
assert gc.isenabled() and gc.get_freeze_count()""")
    assert "gradient_async.session" in done


def test_the_collector_rests_while_a_session_loads_a_resource() -> None:
    done = list_loaded("""
import gc, gradient_async
session = gradient_async.AsyncSession("key")
gc.collect()
runs = []
gc.callbacks.append(lambda phase, info: runs.append(phase))
session.chat
assert gc.isenabled() and not runs
gc.freeze = None  # a second rest would fail
gradient_async.AsyncSession("key").chat""")
    assert "gradient_async.models.chat" in done


def test_a_session_loads_only_the_dependencies_that_it_needs() -> None:
    loaded = list_loaded(SESSION)
    assert {"aiohttp", "attrs"} <= loaded
    assert loaded & {"anyio", "cattrs", "msgspec", "gzip", "sqlite3", "tempfile"} <= list_loaded("import aiohttp")


def test_a_completion_loads_no_module_of_streams_batches_and_tools(loaded_by: dict[str, set[str]]) -> None:
    loaded = our_modules(loaded_by["completion"])
    assert "models.chat" in loaded
    assert loaded & (STREAMING | RARE_IN_STREAMS | ELSEWHERE | FOR_TYPE_CHECKERS) == set()


def test_a_stream_loads_no_module_of_batches_and_tools(loaded_by: dict[str, set[str]]) -> None:
    loaded = our_modules(loaded_by["stream"])
    assert loaded >= STREAMING
    assert loaded & (RARE_IN_STREAMS | ELSEWHERE | FOR_TYPE_CHECKERS) == set()


@pytest.mark.parametrize("call", ["completion", "stream"])
def test_a_usual_response_does_not_load_cattrs(call: str, loaded_by: dict[str, set[str]]) -> None:
    assert "gradient_async._protocol.codec.fast_reader" in loaded_by[call]
    assert "cattrs" not in loaded_by[call]


@pytest.mark.parametrize(
    ("call", "needed"),
    [
        ("message", set()),
        ("response", set()),
        (
            "message stream",
            {
                "_io.stream.message_stream",
                "_protocol.stream.base_decoder",
                "_protocol.stream.accelerators.event_template",
                "_protocol.stream.accelerators.json_template",
                "models.message_event",
            },
        ),
    ],
)
def test_messages_and_responses_load_no_module_of_chat_streams(
    loaded_by: dict[str, set[str]], call: str, needed: set[str]
) -> None:
    loaded = our_modules(loaded_by[call])
    assert loaded >= needed
    assert loaded & (STREAMING | ELSEWHERE | {"resources.chat.completions"}) <= needed


def test_a_map_loads_no_progress_bars_and_no_views_of_notebooks(loaded_by: dict[str, set[str]]) -> None:
    ours = our_modules(loaded_by["map"])
    assert "_io.map.map_results" in ours
    assert not {name for name in ours if name.startswith(("resources.progress_bars", "models._html"))}
    assert loaded_by["map"] & {"rich", "tqdm", "IPython", "html"} == set()


def test_accessing_chat_loads_everything_that_a_completion_needs(loaded_by: dict[str, set[str]]) -> None:
    assert our_modules(loaded_by["completion"]) == our_modules(loaded_by["chat of a session"])


def test_types_of_others_are_used_without_loading_pydantic(loaded_by: dict[str, set[str]]) -> None:
    loaded = loaded_by["types of others"]
    assert our_modules(loaded) >= {"_protocol.codec.pydantic_adapter", "resources.tool_rounds"}
    assert not {name for name in loaded if name.startswith("pydantic")}


def test_types_of_others_are_used_where_pydantic_is_not_installed(loaded_by: dict[str, set[str]]) -> None:
    assert "gradient_async.resources.tool_rounds" in loaded_by["types of others without Pydantic"]


@pytest.mark.parametrize("resource", RESOURCES)
def test_a_resource_loads_no_other_resource(resource: str, loaded_by: dict[str, set[str]]) -> None:
    loaded = our_modules(loaded_by[resource])
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
