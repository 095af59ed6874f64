"""The base of every result: equality, a readable repr, and conversion back to JSON.

The classes are slotted attrs without a generated ``__eq__`` and ``__repr__``: sharing those of `Model` halves the
import time of each class. The modules of results do not postpone their annotations: the converter would have to
compile the text of each on first use.
"""

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, SupportsIndex

import attrs

from gradient_async.models._raw_source import RawValue, load_object

if TYPE_CHECKING:
    MaybeNone = Any
else:
    MaybeNone = None
"""The None of a field that whole responses have: type checkers ask for no check, and the converter sees None."""

NOT_WIRE = {"wire": False}
"""Metadata of a field that is not part of the service's JSON."""
ESSENTIAL, TEXT, POSITION = ({"odd": treatment} for treatment in ("refuse", "encode", "parse"))
"""Metadata of a field whose value matters, and so what becomes of a value of another type: it is refused; its JSON
becomes the text; digits in a string become the number. Any other field with a default takes the default."""


def to_jsonable(value: Any) -> Any:
    """Return *value* with a dict for every model inside it, and RFC 3339 text for every date."""
    if type(value) is str:
        return value
    if isinstance(value, dict):  # Hot: most values of a body are text; testing for it is cheaper than a call
        return {key: item if type(item) is str else to_jsonable(item) for key, item in value.items()}
    if isinstance(value, Model):
        return value.to_dict()
    if isinstance(value, list | tuple):
        return [to_jsonable(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value


class Displayed:
    """Mixin: notebooks show an object as HTML, if `gradient_async.models._html.views` has a view of its class."""

    __slots__ = ()

    def _repr_html_(self) -> str | None:
        from gradient_async.models._html.views import render_view  # loaded in notebooks only

        return render_view(self)


@attrs.define(kw_only=True, eq=False, repr=False)
class Model(Displayed):
    """A result of the service."""

    wire_fields: ClassVar[tuple[str, ...]] = ()
    """The names of the fields that are part of the service's JSON."""

    _raw: RawValue = attrs.field(default=None, alias="raw", metadata=NOT_WIRE)

    @classmethod
    def __attrs_init_subclass__(cls) -> None:
        if "wire_fields" not in vars(cls):
            cls.wire_fields = tuple(f.name for f in attrs.fields(cls) if f.metadata.get("wire", True))

    @property
    def raw(self) -> dict[str, Any]:
        """The JSON object that this was decoded from, with unknown fields and values of an unexpected type.

        For a result that was assembled from a stream it holds only the fields that no attribute holds; for one made by
        hand it equals `to_dict`.
        """
        return self.to_dict() if self._raw is None else self._load_raw()

    @property
    def extra(self) -> dict[str, Any]:
        """The fields that arrived and are unknown to this class."""
        return {name: value for name, value in self._load_raw().items() if name not in self.wire_fields}

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object: every field that is not None, then every unknown field that arrived."""
        known = {name: value for name in self.wire_fields if (value := getattr(self, name)) is not None}
        return {name: to_jsonable(value) for name, value in known.items()} | self.extra

    def to_json(self) -> str:
        """Return `to_dict` as JSON text. It is ASCII only, so that lone surrogates survive any transport."""
        return json.dumps(self.to_dict(), separators=(",", ":"))

    def _load_raw(self) -> dict[str, Any]:
        """Return the JSON object that this was decoded from; decode it on first access."""
        if self._raw is None:
            return {}
        if type(self._raw) is not dict:
            self._raw = load_object(self._raw, type(self))
        return self._raw

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.wire_fields)

    __hash__ = None  # type: ignore[assignment]  # a result can change, so it cannot be a key

    def __repr__(self) -> str:
        fields = ((name, getattr(self, name)) for name in self.wire_fields)
        return f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in fields if v is not None)})"


class LazyModel(Model):
    """A result that builds its fields on first access.

    Until then its ``_raw`` is a tuple that begins with a `LazySource`, and no slot of a field is set: reading one gets
    here. A result that was made in any other way never does.
    """

    __slots__ = ()

    if not TYPE_CHECKING:  # or a type checker would take any name for an attribute

        def __getattr__(self, name: str) -> Any:
            raw = None if name == "_raw" else self._raw
            if name in self.wire_fields and type(raw) is tuple:
                self._set_fields(*raw)
            return object.__getattribute__(self, name)  # set meanwhile, maybe by another thread; or an AttributeError

    def _set_fields(self, source: Any, *arguments: Any) -> None:
        """Build the fields; ``_raw`` comes last, for it tells other threads that the fields are set."""
        built = source.assemble_model(*arguments)
        for field in self.wire_fields:
            try:
                object.__getattribute__(self, field)  # it may have been set before
            except AttributeError:
                setattr(self, field, getattr(built, field))
        self._raw = built._raw

    @property
    def raw(self) -> dict[str, Any]:
        """The JSON object that this was decoded from; for one that was assembled, all of it."""
        self._build_fields()
        return super().raw

    def _load_raw(self) -> dict[str, Any]:
        self._build_fields()
        return super()._load_raw()

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        self._build_fields()  # what it was made from may not be pickled
        return super().__reduce_ex__(protocol)

    def _build_fields(self) -> None:
        getattr(self, self.wire_fields[0])
