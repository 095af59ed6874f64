"""The fast reader: JSON text straight to models, for the usual response.

msgspec decodes the text into a struct with the fields of the model, and a function generated for the class moves the
fields to the model. That takes 2.0 µs for a completion; msgspec needs 3.3 µs to fill the models itself (6.7 on CPython
3.13), and the JSON decoder with the converter 5.8.

Worked example. For

    class Choice(Model):
        index: int = 0
        message: Message | None = None

the struct is ``ChoiceStruct(index: int = 0, message: MessageStruct | None = None)``, and the generated function

    def build(struct, raw):
        model = new(cls)
        model._raw = raw
        model.index = struct.index
        model.message = None if struct.message is None else message_builder(struct.message, (*raw, 'message'))
        return model

Contract: a model that is built equals the one that the converter returns, ``raw`` included; a property test holds the
two together. Input that the struct rejects (null for a default, lone surrogates, NaN, lists of content parts, fields
of the wrong type) falls back to the converter, which reports the path of a bad field.
"""

from __future__ import annotations

from collections.abc import Callable
from types import UnionType
from typing import Any, Generic, TypeVar, get_args, get_origin

import attrs
import msgspec

from gradient_async.models._base import Model
from gradient_async.models._raw_source import JSONTextSource

__all__ = ["FAST_READ_ERRORS", "NO_ERROR", "OPEN_STRUCTS", "FastReader", "StructTypes", "build_model"]

M = TypeVar("M", bound=Model)
RawTuple = tuple[Any, ...]
Builder = Callable[[Any, RawTuple], Any]
NO_ERROR = ("error", None, None)
"""A field of a struct that is null or absent."""
FAST_READ_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""The exceptions of a fast reader for text that it rejects."""
_EMPTY: dict[Any, str] = {list: "[]", dict: "{}"}
"""Containers of models, and their defaults as source."""


class StructTypes:
    """The msgspec structs with the fields of the models, each defined on first use.

    Attributes:
        forbid_unknown: Whether the structs reject an object with a field that the model does not know. Else they reject
            an ``error`` that is not null, so that no error inside a result is overlooked.
    """

    def __init__(self, *, forbid_unknown: bool) -> None:
        self.forbid_unknown = forbid_unknown
        self._structs: dict[type[Model], type[msgspec.Struct]] = {}

    def struct_for(self, cls: type[Model]) -> type[msgspec.Struct]:
        """Return the struct of *cls*."""
        if cls not in self._structs:
            rejects_error = not self.forbid_unknown and "error" not in cls.wire_fields
            self._structs[cls] = self.define_struct(cls, *([NO_ERROR] if rejects_error else []))
        return self._structs[cls]

    def define_struct(self, cls: type[Model], *more: Any, required: tuple[str, ...] = ()) -> type[msgspec.Struct]:
        """Define a struct of *cls* with its own fields and *more*, which replace own fields of the same name.

        Its *required* fields have no default.
        """
        replaced = {field[0] for field in more}
        own = [field for field in _wire_fields(cls) if field.name not in replaced]
        fields = [self._define_field(field, is_required=field.name in required) for field in own]
        return msgspec.defstruct(
            f"{cls.__name__}Struct", [*fields, *more], kw_only=True, gc=False, forbid_unknown_fields=self.forbid_unknown
        )

    def _define_field(self, field: attrs.Attribute[Any], *, is_required: bool) -> tuple[str, Any, Any]:
        kind = self._convert_type(field.type)
        if is_required or field.default is attrs.NOTHING:
            return field.name, kind, msgspec.NODEFAULT
        return (field.name, kind | None, None) if _has_factory(field) else (field.name, kind, field.default)

    def _convert_type(self, kind: Any) -> Any:
        """Return the annotation *kind* with structs in the place of models."""
        if _is_model(kind):
            return self.struct_for(kind)
        if get_origin(kind) is list:
            return list[self._convert_type(*get_args(kind))]  # type: ignore[misc]
        if get_origin(kind) is dict:
            key, value = get_args(kind)
            return dict[key, self._convert_type(value)]  # type: ignore[misc,valid-type]
        return self._convert_type(_without_none(kind)) | None if isinstance(kind, UnionType) else kind


OPEN_STRUCTS, CLOSED_STRUCTS = StructTypes(forbid_unknown=False), StructTypes(forbid_unknown=True)
_OPEN_TEXT, _CLOSED_TEXT = JSONTextSource(all_fields_known=False), JSONTextSource(all_fields_known=True)


class ModelBuilders:
    """The functions that move the fields of structs to models, each generated on first use.

    Hot: a generated function takes a third of the time of a loop over the names of the fields.
    """

    def __init__(self) -> None:
        self._builders: dict[type[Model], Builder] = {}

    def builder_for(self, cls: type[Model]) -> Builder:
        """Return the function for *cls*."""
        if cls not in self._builders:
            self._builders[cls] = self._generate_builder(cls)
        return self._builders[cls]

    def _generate_builder(self, cls: type[Model]) -> Builder:
        names: dict[str, Any] = {"new": object.__new__, "cls": cls}
        values = {field.name: "None" for field in attrs.fields(cls)} | {"_raw": "raw"}
        for field in _wire_fields(cls):
            inner = _find_model(field.type)
            if inner is not None:
                names[f"{field.name}_class"] = inner
                self._bind_builder(names, f"{field.name}_builder", inner)
            values[field.name] = _generate_value(field, holds_models=inner is not None)
        stores = [f"    model.{name} = {value}" for name, value in values.items()]
        source = ["def build(struct, raw):", "    model = new(cls)", *stores, "    return model"]
        code = compile("\n".join(source), f"<builder of {cls.__module__}.{cls.__name__}>", "exec")
        exec(code, names)  # noqa: S102  the source holds names of our own classes only
        build: Builder = names["build"]
        return build

    def _bind_builder(self, names: dict[str, Any], name: str, cls: type[Model]) -> None:
        """Let *name* in *names* be the function for *cls*, generated when the first object of that class arrives."""

        def build_first(struct: Any, raw: RawTuple) -> Any:
            names[name] = build = self.builder_for(cls)
            return build(struct, raw)

        names[name] = build_first


_BUILDERS = ModelBuilders()


class FastReader(Generic[M]):
    """Decodes JSON text into models of one class.

    Args:
        cls: The class.
        required: Fields that the object must have, so that an error object is rejected.
        absent: Fields that it must not have unless they are null, for the same reason; ``error`` always is one.
        forbid_unknown: Reject an object with a field that the class does not know.
    """

    def __init__(
        self,
        cls: type[M],
        *,
        required: tuple[str, ...] = (),
        absent: tuple[str, ...] = (),
        forbid_unknown: bool = False,
    ) -> None:
        structs = CLOSED_STRUCTS if forbid_unknown else OPEN_STRUCTS
        struct = structs.define_struct(cls, NO_ERROR, *((name, None, None) for name in absent), required=required)
        self._decode = msgspec.json.Decoder(struct).decode
        self._build: Callable[[Any, RawTuple], M] = _BUILDERS.builder_for(cls)
        self._source = _CLOSED_TEXT if forbid_unknown else _OPEN_TEXT

    def __call__(self, text: bytes) -> M:
        """Decode *text*.

        Raises:
            One of `FAST_READ_ERRORS`: The text is for the converter.
        """
        return self._build(self._decode(text), (self._source, [text]))

    def decode_struct(self, text: bytes) -> Any:
        """Decode *text* to the struct that `build_from` makes a model of.

        Raises:
            One of `FAST_READ_ERRORS`: The text is for the converter.
        """
        return self._decode(text)

    def build_from(self, struct: Any, text: bytes) -> M:
        """Return the model of *struct*, which was decoded from *text*."""
        return self._build(struct, (self._source, [text]))


def build_model(cls: type[M], struct: Any, text: bytes, *path: str | int) -> M:
    """Return the *cls* with the fields of *struct*, which was decoded from the object at *path* in *text*."""
    model: M = _BUILDERS.builder_for(cls)(struct, (_OPEN_TEXT, [text], *path))
    return model


def _generate_value(field: attrs.Attribute[Any], *, holds_models: bool) -> str:
    """Return the expression that a generated function stores in a model's *field*."""
    name, value = field.name, f"struct.{field.name}"
    has_factory = _has_factory(field)
    if not holds_models and not has_factory:
        return value
    container = get_origin(_without_none(field.type))
    default = "None" if not has_factory else _EMPTY.get(container, f"{name}_class()")
    converted = value
    if holds_models and container is list:
        converted = f"[{name}_builder(item, (*raw, {name!r}, at)) for at, item in enumerate({value})]"
    elif holds_models and container is dict:
        converted = f"{{key: {name}_builder(item, (*raw, {name!r}, key)) for key, item in {value}.items()}}"
    elif holds_models:
        converted = f"{name}_builder({value}, (*raw, {name!r}))"
    return f"{default} if {value} is None else {converted}"


def _wire_fields(cls: type[Model]) -> list[attrs.Attribute[Any]]:
    return [field for field in attrs.fields(cls) if field.name in cls.wire_fields]


def _has_factory(field: attrs.Attribute[Any]) -> bool:
    return isinstance(field.default, attrs.Factory)  # type: ignore[arg-type]  # a class, although its stub says otherwise


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Model)


def _without_none(kind: Any) -> Any:
    """Return the one type of the union *kind* that is not None; any other annotation as it is."""
    kinds = [each for each in get_args(kind) if each is not type(None)] if isinstance(kind, UnionType) else [kind]
    (known,) = kinds
    return known


def _find_model(kind: Any) -> type[Model] | None:
    """Return the model in the annotation *kind*, alone, in a list or a value of a dict; None if there is none."""
    kind = _without_none(kind)
    inner = get_args(kind)[-1] if get_origin(kind) in _EMPTY else kind
    return inner if _is_model(inner) else None
