"""Templates of events: where the values of an event are, and how its models are built from them.

A `JSONTemplate` tells where the values are; a decoded event tells what all events of the template share. From both, a
function is generated that builds the event with other values. For a chunk with the holes ``choices[0].index`` and
``choices[0].delta.content`` it begins like this:

    def build(raw, v0, v1):
        m0 = new(ChatCompletionChunk)
        m0._raw = raw
        m0.id = c0
        m0.object = c1
        ...
        m2 = new(Delta)
        m2._raw = raw
        m2.content = v1

All models of an event share one ``raw``, the source and the values as the event had them.

Contract: an event that is built equals the one that the reference decoder makes of the same bytes, ``raw`` included; a
property test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from types import CodeType
from typing import Any, Generic, TypeVar

import attrs

from gradient_async._protocol.codec.fast_reader import FastReader
from gradient_async._protocol.stream.accelerators.event_run import EventRun
from gradient_async._protocol.stream.accelerators.event_splitter import (
    EventSplitter,
    decode_integers,
    decode_texts,
    decode_valid,
)
from gradient_async._protocol.stream.accelerators.json_template import Hole, JSONTemplate, Path
from gradient_async.models._base import Model
from gradient_async.models._raw_source import unknown_fields

E = TypeVar("E", bound=Model)
E_co = TypeVar("E_co", bound=Model, covariant=True)
_CONSTANTS = (str, int, float)


@attrs.frozen(eq=False, repr=False)
class TemplateSource:
    """The JSON that the events of a template share: the `RawSource` of every model in them.

    Attributes:
        template: The JSON with its holes.
        paths: The path of the only model of each class.
        all_fields_known: Whether the models know every field in it.
    """

    template: JSONTemplate
    paths: dict[type[Model], Path]
    all_fields_known: bool

    def load_object(self, cls: type[Model], *values: str) -> Any:
        """Return the JSON object of a *cls* in the event with *values*."""
        return self.template.decode_values(values, self.paths[cls])


@attrs.frozen(eq=False, repr=False)
class EventTemplate(Generic[E]):
    """The template of an event: finds events in a run, and builds them.

    Attributes:
        source: The source of the models that are built.
        splitter: Splits a run of events into their values.
        holes: The holes, in the order of the columns of a run.
        build_event: Returns an event; takes its raw tuple, and the value of each hole that a model has.
        is_modelled: For each hole, whether a model has its value. Any other value is in ``raw`` only.
    """

    source: TemplateSource
    splitter: EventSplitter
    holes: tuple[Hole, ...]
    build_event: Callable[..., E]
    is_modelled: tuple[bool, ...]
    _readers: dict[Path, FastReader[Any]]
    _has_texts_only: bool

    @classmethod
    def from_event(
        cls, template: JSONTemplate, event: E, begin: str, end: str, readers: dict[Path, FastReader[Any]]
    ) -> EventTemplate[E] | None:
        """Return the template of events like *event*, None if they cannot be built from their values.

        Args:
            template: The JSON of the event, with holes.
            event: An event that was decoded in full.
            begin: The text of an event before its JSON.
            end: The text of an event after its JSON.
            readers: For the path of each hole that holds an object or a list, what reads it.
        """
        writer = _BuilderWriter({hole.path: hole for hole in template.holes}, readers)
        try:
            writer.add_model(event, ())
        except _UnsuitableError:
            return None
        if not all(hole.path in writer.used or writer.is_unknown_field(hole.path) for hole in template.holes):
            return None
        is_known = not any(unknown_fields(model, frozenset(model.wire_fields)) for model in writer.models)
        return cls(
            TemplateSource(template, writer.paths, is_known),
            EventSplitter.from_template(template, begin, end),
            template.holes,
            writer.compile_function(template.holes),
            tuple(hole.path in writer.used for hole in template.holes),
            readers,
            all(hole.kind == "text" for hole in template.holes),
        )

    def read_run(self, text: str) -> EventRun[E] | None:
        """Return the first events in *text*, as long as they are of this template; None if there are none."""
        columns, length = self.splitter.split_run(text)
        if self._has_texts_only and "\\" not in text:
            return EventRun(self, columns, columns, length) if columns[0] else None
        values = [self._decode_column(hole, column) for hole, column in zip(self.holes, columns, strict=True)]
        size = min(map(len, values))
        if size < len(columns[0]):
            columns = [column[:size] for column in columns]
            length = self.splitter.measure_events(columns)
        return EventRun(self, columns, values, length) if size else None

    def _decode_column(self, hole: Hole, column: Sequence[str]) -> Sequence[Any]:
        if hole.kind == "text":
            return decode_texts(column)
        if hole.kind == "integer":
            return decode_integers(column)
        texts = [value.encode() for value in column]
        structs = decode_valid(self._readers[hole.path].decode_struct, texts)
        return list(zip(structs, texts))  # noqa: B905 - up to the first that is not valid


class _UnsuitableError(Exception):
    """An event that no function can be generated for."""


class _BuilderWriter:
    """Writes the function that builds an event like a given one, with other values in its holes.

    Hot: setting a slot costs 7 ns; the constructors of attrs, with their keywords, would take twice as long.

    Attributes:
        used: The paths of the holes whose values a model has.
        paths: The path of the only model of each class that arrived with the event.
        models: Every model in the event.
    """

    def __init__(self, holes: dict[Path, Hole], readers: dict[Path, FastReader[Any]]) -> None:
        self.used: set[Path] = set()
        self.paths: dict[type[Model], Path] = {}
        self.models: list[Model] = []
        self._holes, self._readers = holes, readers
        self._lines: list[str] = []
        self._names: dict[str, Any] = {"new": object.__new__}

    def add_model(self, model: Model, path: Path) -> str:
        """Write the lines that build *model*, which is at *path*; return its name in the function."""
        cls, name = type(model), f"m{len(self.models)}"
        if cls in self.paths:
            raise _UnsuitableError
        self.models.append(model)
        self._names[cls.__name__] = cls
        self._lines.append(f"{name} = new({cls.__name__})")
        if model._raw is not None:
            self.paths[cls] = path
        for field in attrs.fields(cls):
            if field.name == "_raw":
                value = "None" if model._raw is None else "raw"
            else:
                value = self._write_value(getattr(model, field.name), (*path, field.name))
            self._lines.append(f"{name}.{field.name} = {value}")
        return name

    def _write_value(self, value: Any, path: Path) -> str:
        """Return the expression for *value*, which is at *path*."""
        if (hole := self._holes.get(path)) is not None:
            self._require_kind(hole, value)
            self.used.add(path)
            number = list(self._holes).index(path)
            if path not in self._readers:
                return f"v{number}"
            self._names[f"build{number}"] = self._readers[path].build_from
            return f"build{number}(*v{number})"
        if value is None or isinstance(value, bool):
            return repr(value)
        if type(value) in _CONSTANTS:
            self._names[name := f"c{len(self._names)}"] = value
            return name
        if type(value) is list:
            return f"[{', '.join(self._write_value(item, (*path, at)) for at, item in enumerate(value))}]"
        if isinstance(value, Model):
            return self.add_model(value, path)
        raise _UnsuitableError

    @staticmethod
    def _require_kind(hole: Hole, value: Any) -> None:
        """Refuse a *value* that is of another type than the hole: the converter has changed it."""
        expected = {"text": str, "integer": int}.get(hole.kind, Model)
        if not isinstance(value, expected) or isinstance(value, bool):
            raise _UnsuitableError

    def is_unknown_field(self, path: Path) -> bool:
        """Whether *path* leads into a field that its model does not know."""
        for end in range(len(path) - 1, -1, -1):
            for cls, known in self.paths.items():
                if known == path[:end]:
                    return path[end] not in cls.wire_fields
        return False

    def compile_function(self, holes: Sequence[Hole]) -> Callable[..., Any]:
        """Return the function."""
        parameters = [f"v{number}" for number, hole in enumerate(holes) if hole.path in self.used]
        head = f"def build({', '.join(['raw', *parameters])}):"
        code = _compile_source("\n    ".join([head, *self._lines, "return m0"]))
        exec(code, self._names)  # noqa: S102 - the source holds names of our own classes and fields only
        build: Callable[..., Any] = self._names["build"]
        return build


@lru_cache(maxsize=64)
def _compile_source(source: str) -> CodeType:
    """Compile the *source* of a function; streams of one server share it, for their constants have names."""
    return compile(source, "<builder of an event template>", "exec")
