"""Signatures with every documented parameter, for `help`, Jupyter and IPython.

A method takes ``**params: Unpack[ChatParams]``, which editors expand and `inspect` does not. The names are read from
the TypedDict when somebody asks: a program that only calls the method pays nothing but one object for each method.

Source: PEP 692; ``inspect.signature``, which returns the ``__signature__`` of a function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter, Signature
from types import FunctionType, MappingProxyType
from typing import Any, ForwardRef, TypeVar

C = TypeVar("C", bound=type)

_UNPACK, _REQUIRED = "Unpack[", "Required["


class ParameterSignature(Signature):
    """The signature of a method, with the keys of its TypedDict as keyword arguments.

    Args:
        function: The method, whose last argument is ``**name: Unpack[...]``.
    """

    __slots__ = ("_found", "_function")

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(return_annotation=function.__annotations__.get("return", Signature.empty))
        self._function = function
        self._found: Mapping[str, Parameter] | None = None

    @property
    def parameters(self) -> MappingProxyType[str, Parameter]:
        """All parameters: those that are required first, those of every call last, then any other keyword."""
        if self._found is None:
            self._found = {parameter.name: parameter for parameter in _list_parameters(self._function)}
        return MappingProxyType(dict(self._found))

    def replace(self, **changes: Any) -> Signature:  # type: ignore[override]  # the class of the result is no promise
        """Return a plain signature with *changes*, as that of a bound method is made."""
        return Signature(list(self.parameters.values()), return_annotation=self.return_annotation).replace(**changes)


def show_parameters(cls: C) -> C:
    """Give each method of *cls* that takes a TypedDict a signature with its keys."""
    for function in vars(cls).values():
        if isinstance(function, FunctionType) and _find_type_name(function):
            function.__signature__ = ParameterSignature(function)  # type: ignore[attr-defined]  # of any function
    return cls


def _list_parameters(function: Callable[..., Any]) -> list[Parameter]:
    from gradient_async import params as documented  # loaded when somebody asks

    *own, rest = _read_signature(function).parameters.values()
    name, of_every_call = _find_type_name(function), documented.ExtraParams.__annotations__
    documented_class: Any = function.__globals__.get(name) or getattr(documented, name)
    keys = [_build_parameter(name, documented_class) for name in documented_class.__annotations__]
    if rest.name in documented_class.__annotations__:
        rest = rest.replace(name=f"other_{rest.name}")
    positional = [each for each in own if each.kind is not Parameter.KEYWORD_ONLY]
    keywords = [*(each for each in own if each.kind is Parameter.KEYWORD_ONLY), *keys]
    keywords.sort(key=lambda each: (each.default is not Parameter.empty, each.name in of_every_call))  # stable
    return [*positional, *keywords, rest]


def _read_signature(function: Any) -> Signature:
    """Return the signature of the code alone: a copy of the function has no ``__signature__``."""
    copy = FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__)
    copy.__kwdefaults__, copy.__annotations__ = function.__kwdefaults__, function.__annotations__
    return Signature.from_callable(copy)


def _build_parameter(name: str, documented_class: Any) -> Parameter:
    annotation = documented_class.__annotations__[name]
    text = annotation.__forward_arg__ if isinstance(annotation, ForwardRef) else annotation
    is_marked = isinstance(text, str) and text.startswith(_REQUIRED)  # Python does not see it in postponed ones
    is_required = is_marked or name in documented_class.__required_keys__
    shown = text.removeprefix(_REQUIRED).removesuffix("]") if is_marked else text
    return Parameter(name, Parameter.KEYWORD_ONLY, default=Parameter.empty if is_required else None, annotation=shown)


def _find_type_name(function: Any) -> str:
    """Return the name of the TypedDict that *function* unpacks, ``""`` if it unpacks none."""
    for text in map(str, function.__annotations__.values()):
        if text.startswith(_UNPACK):
            return text.removeprefix(_UNPACK).removesuffix("]")
    return ""
