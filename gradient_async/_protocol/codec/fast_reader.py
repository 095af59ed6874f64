"""Models straight from JSON text, for what most answers look like.

msgspec decodes the text into a form, a struct made from the model's fields; a function made from them too moves these
over. That takes 2.0 µs for a completion, where msgspec needs 3.3 to fill the models itself (6.7 on CPython 3.13), and
the decoder with the converter 5.8.

Contract: what a form takes is what the converter returns, ``raw`` included; a property test holds the two together.
What it refuses (nulls for defaults, lone surrogates, NaN, lists of content parts, fields of the wrong type) is for the
converter, which also says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from types import UnionType
from typing import Any, Generic, TypeVar, get_args, get_origin

import attrs
import msgspec

from gradient_async.models._base import Model
from gradient_async.models._raw_source import JSONTextSource

__all__ = ["FAST_READ_ERRORS", "OPEN_STRUCTS", "FastReader", "StructTypes", "build_model"]

M = TypeVar("M", bound=Model)
Raw = tuple[Any, ...]
Builder = Callable[[Any, Raw], Any]
FAST_READ_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a decoder of forms raises for what it does not take."""


@attrs.frozen(eq=False, repr=False)
class StructTypes:
    """The structs that have the fields of models.

    Attributes:
        is_all_known: Whether they refuse an object with a field that its class does not know.
    """

    is_all_known: bool
    _made: dict[type[Model], type[msgspec.Struct]] = attrs.field(factory=dict, init=False)

    def struct_for(self, cls: type[Model]) -> type[msgspec.Struct]:
        """Return the struct of *cls*."""
        if cls not in self._made:
            self._made[cls] = self.define_struct(cls)
        return self._made[cls]

    def define_struct(self, cls: type[Model], *more: Any, required: tuple[str, ...] = ()) -> type[msgspec.Struct]:
        """Return a new struct of *cls* with *more* fields, where those that are *required* have no default."""
        fields = [self._field(field, is_required=field.name in required) for field in _wire_fields(cls)]
        return msgspec.defstruct(
            f"{cls.__name__}Form", [*fields, *more], kw_only=True, gc=False, forbid_unknown_fields=self.is_all_known
        )

    def _field(self, field: attrs.Attribute[Any], *, is_required: bool) -> tuple[str, Any, Any]:
        kind = self._type(field.type)
        if is_required or field.default is attrs.NOTHING:
            return field.name, kind, msgspec.NODEFAULT
        return (field.name, kind | None, None) if _has_factory(field) else (field.name, kind, field.default)

    def _type(self, kind: Any) -> Any:
        if _is_model(kind):
            return self.struct_for(kind)
        if get_origin(kind) is list:
            return list[self._type(*get_args(kind))]  # type: ignore[misc]
        return self._type(_without_none(kind)) | None if isinstance(kind, UnionType) else kind


OPEN_STRUCTS, CLOSED_STRUCTS = StructTypes(is_all_known=False), StructTypes(is_all_known=True)
TEXT, KNOWN_TEXT = JSONTextSource(is_known=False), JSONTextSource(is_known=True)


@attrs.frozen(eq=False, repr=False)
class ModelBuilders:
    """The functions that move a form's fields to its model.

    They are written out, because a loop over the names of the fields takes three times as long.
    """

    _made: dict[type[Model], Builder] = attrs.field(factory=dict, init=False)

    def builder_for(self, cls: type[Model]) -> Builder:
        """Return the function for *cls*."""
        if cls not in self._made:
            self._made[cls] = self._new(cls)
        return self._made[cls]

    def _new(self, cls: type[Model]) -> Builder:
        names: dict[str, Any] = {"new": object.__new__, "cls": cls}
        values = {field.name: "None" for field in attrs.fields(cls)} | {"_raw": "raw"}
        for field in _wire_fields(cls):
            inner = _model_in(field.type)
            if inner is not None:
                names |= {f"{field.name}_class": inner, f"{field.name}_of": self.builder_for(inner)}
            values[field.name] = _value(field, holds_models=inner is not None)
        stores = [f"    model.{name} = {value}" for name, value in values.items()]
        source = ["def build(struct, raw):", "    model = new(cls)", *stores, "    return model"]
        code = compile("\n".join(source), f"<{cls.__module__}.{cls.__name__} of its form>", "exec")
        exec(code, names)  # noqa: S102  nothing of it comes from outside
        build: Builder = names["build"]
        return build


_BUILDERS = ModelBuilders()


class FastReader(Generic[M]):
    """Reads models of one class.

    Args:
        cls: The class.
        required: The fields that have to be there, so that it is surely no error object.
        is_all_known: Refuse an object with a field that its class does not know.
    """

    def __init__(self, cls: type[M], *, required: tuple[str, ...] = (), is_all_known: bool = False) -> None:
        structs = CLOSED_STRUCTS if is_all_known else OPEN_STRUCTS
        struct = structs.define_struct(cls, ("error", None, None), required=required)
        self._decode = msgspec.json.Decoder(struct).decode
        self._build: Callable[[Any, Raw], M] = _BUILDERS.builder_for(cls)
        self._source = KNOWN_TEXT if is_all_known else TEXT

    def __call__(self, text: bytes) -> M:
        """Return the model in *text*.

        Raises:
            One of `FAST_READ_ERRORS`: It is not as simple as that.
        """
        return self._build(self._decode(text), (self._source, [text]))


def build_model(cls: type[M], struct: Any, text: bytes, *path: str | int) -> M:
    """Return the *cls* with the fields of *struct*, which was decoded from the object at *path* in *text*."""
    model: M = _BUILDERS.builder_for(cls)(struct, (TEXT, [text], *path))
    return model
    return model


def _value(field: attrs.Attribute[Any], *, holds_models: bool) -> str:
    """Return the expression for a model's field: *form* is its form and *raw* what that was decoded from."""
    name, here = field.name, f"struct.{field.name}"
    has_factory = _has_factory(field)
    if not holds_models and not has_factory:
        return here
    is_list = get_origin(_without_none(field.type)) is list
    value = here
    if holds_models and is_list:
        value = f"[{name}_of(each, (*raw, {name!r}, at)) for at, each in enumerate({here})]"
    elif holds_models:
        value = f"{name}_of({here}, (*raw, {name!r}))"
    default = "None" if not has_factory else "[]" if is_list else f"{name}_class()"
    return f"{default} if {here} is None else {value}"


def _wire_fields(cls: type[Model]) -> list[attrs.Attribute[Any]]:
    return [field for field in attrs.fields(cls) if field.name in cls.wire_fields]


def _has_factory(field: attrs.Attribute[Any]) -> bool:
    return isinstance(field.default, attrs.Factory)  # type: ignore[arg-type]  # a class, whatever its stub says


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Model)


def _without_none(kind: Any) -> Any:
    kinds = [each for each in get_args(kind) if each is not type(None)] if isinstance(kind, UnionType) else [kind]
    (known,) = kinds
    return known


def _model_in(kind: Any) -> type[Model] | None:
    """Return the class of model that a field of this *kind* holds, alone or in a list."""
    kind = _without_none(kind)
    inner = get_args(kind)[0] if get_origin(kind) is list else kind
    return inner if _is_model(inner) else None
