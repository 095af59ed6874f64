"""Values compare and print as attrs classes whose methods attrs has generated."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from gradient_async import RateLimitInfo, ResponseMeta, RetryPolicy, ServerSentEvent, Timeouts

VALUES = [
    Timeouts(total=3.0),
    RetryPolicy(attempts=2),
    RateLimitInfo(limit=5, remaining=None),
    ServerSentEvent(data="x"),
    ResponseMeta(request_id="r", raw_headers=((b"Authorization", b"secret"),)),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_behaves_as_its_class_with_generated_methods(value: Any) -> None:
    cls = type(value)
    fields = {field.name: attrs.field(repr=field.repr, eq=field.eq) for field in attrs.fields(cls)}
    twin_class = attrs.make_class(cls.__name__, fields, frozen=cls.__hash__ is not None)
    twin = twin_class(**{name: getattr(value, name) for name in fields})
    assert repr(value) == repr(twin)
    assert (cls.__hash__ is None) == (twin_class.__hash__ is None)
    assert (value == attrs.evolve(value), value == twin, value != twin) == (True, False, True)


def test_a_subclass_within_a_function_prints_its_name_alone() -> None:
    class Patient(Timeouts):
        pass

    assert repr(Patient(total=3.0)).startswith("Patient(connect=10.0,")
    assert Patient(total=3.0) != Timeouts(total=3.0)
