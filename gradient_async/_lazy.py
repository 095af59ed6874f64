"""Lazy names of a package: each is loaded from its module on first access (PEP 562).

Contract: a name is the same object however it is reached, and is resolved once. Type checkers do not see this: the
packages tell them where each name is defined.

`loaded_property` does the same for the resources of a session.

Collector. Modules define objects that stay: functions, classes, constants. While aiohttp and this library load, the
garbage collector would look at them some seventy times and find nothing, which takes 7 of 150 ms. So it rests, and what
was created meanwhile joins its oldest generation. The way there leads through the permanent generation: freezing moves
all objects and looks at none.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, wraps
from importlib import import_module
from typing import Any, TypeVar

T = TypeVar("T")


def lazy_names(
    package: str, names_by_module: Mapping[str, tuple[str, ...]], modules: tuple[str, ...] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and ``__dir__`` of a package.

    Args:
        package: The name of the package.
        names_by_module: The public names that each module of the package defines.
        modules: Modules of the package that are public names themselves.
    """
    module_of = {name: module for module, names in names_by_module.items() for name in names}

    def load_name(name: str) -> Any:
        if name in modules:
            return import_module(f"{package}.{name}")
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        with rest_collector():
            value = getattr(import_module(f"{package}.{module_of[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    def list_names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *module_of, *modules})

    return load_name, list_names


def loaded_property(load: Callable[[Any], T]) -> cached_property[T]:
    """Return the property whose value *load* returns on first access; the first one in a process imports its module."""
    is_imported = False  # rest once: where objects are frozen, asking for their number takes milliseconds

    @wraps(load)
    def load_value(instance: Any) -> T:
        nonlocal is_imported
        if is_imported:
            return load(instance)
        with rest_collector():
            value = load(instance)
        is_imported = True
        return value

    return cached_property(load_value)


@contextmanager
def rest_collector() -> Iterator[None]:
    """Let the garbage collector rest; put the objects created meanwhile into its oldest generation.

    Does nothing where the program has switched the collector off, or keeps objects in the permanent generation.
    """
    if not gc.isenabled() or gc.get_freeze_count():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.unfreeze()
        gc.enable()
