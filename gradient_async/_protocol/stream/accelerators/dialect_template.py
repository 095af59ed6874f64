"""The holes that a template of a dialect's events may have, and the events that share a template.

    delta.text, .thinking, .partial_json, .signature     of a message: a text that grows
    delta                                                of a response: a text that grows
    sequence_number                                      of a response: adds nothing
    any field that the models do not know                adds nothing, such as a padding against eavesdroppers

Contract: the event that a template builds equals the one that `EventDecoder` makes of the same bytes, ``raw`` included;
a property test holds the two together. Adding the events of a template to a result, one after the other, changes one
text and nothing else, or the same fields in the same way each time.
"""

from __future__ import annotations

from functools import cached_property
from typing import Generic, TypeVar

import attrs

from gradient_async._protocol.stream.accelerators.event_template import EventTemplate
from gradient_async._protocol.stream.accelerators.json_template import Hole, HoleRules, JSONText, Path, infer_template
from gradient_async.models._base import Model

M = TypeVar("M", bound=Model)
_ERROR_FIELDS = frozenset({"choices", "code", "error", "object", "status"})
"""Unknown fields that can make an error of an event."""


def split_frame(text: str) -> tuple[str, str] | None:
    """Split an event in the usual form before its data: a line with its name, if it has one, and a line of data.

    Args:
        text: The bytes between two blank lines and the second of them, as text.

    Returns:
        What precedes the data, and the data; None if the event has another form.
    """
    begin, _, rest = text.partition("data:")
    is_usual = not begin or (begin.startswith("event:") and begin.find("\n") == len(begin) - 1)
    if not is_usual or "\r" in text or rest.find("\n") != len(rest) - 2:
        return None
    return (f"{begin}data: ", rest[1:-2]) if rest[0] == " " else (f"{begin}data:", rest[:-2])


@attrs.frozen(kw_only=True, slots=False)  # a cached property needs a dict
class TextHoles(Generic[M]):
    """The values in which the events of a template may differ.

    Attributes:
        texts: The paths of the texts, of which an event adds one.
        ignored: The paths of known values that add nothing.
        models: The class of the events, and of the object at each field that is known to hold one.
    """

    texts: frozenset[Path]
    ignored: frozenset[Path] = frozenset()
    models: dict[Path, type[Model]]

    @cached_property
    def rules(self) -> HoleRules:
        """The rules for inferring a template."""
        return HoleRules(frozenset(str(path[-1]) for path in self.texts | self.ignored), (), self._accepts_hole)

    def _accepts_hole(self, hole: Hole) -> bool:
        if hole.path in self.texts:
            return hole.kind == "text"
        return hole.path in self.ignored or self._is_unknown(hole.path)

    def _is_unknown(self, path: Path) -> bool:
        """Whether the models do not know the value at *path*, and it cannot make an error of its event."""
        cls = self.models.get(path[:-1])
        return cls is not None and path[-1] not in cls.wire_fields and path[-1] not in _ERROR_FIELDS

    def adds_text(self, event: M) -> bool:
        """Whether *event* has one of the texts, so that the next events may be like it."""
        return any(_get_value(event, path) is not None for path in self.texts)

    def infer_template(self, last: str, text: str, event: M, known: EventTemplate[M] | None) -> EventTemplate[M] | None:
        """Return the template that two events in a row share, None if they differ in something that matters.

        Args:
            last: The event before, its blank line included.
            text: This event.
            event: This event, as the reference decoder decoded it.
            known: The template of earlier events; its holes stay holes.
        """
        before, frame = split_frame(last), split_frame(text)
        if before is None or frame is None or before[0] != frame[0]:
            return None
        template = infer_template(
            JSONText(before[1]), JSONText(frame[1]), self.rules, known.holes if known is not None else ()
        )
        if template is None or sum(hole.path in self.texts for hole in template.holes) != 1:
            return None
        return EventTemplate.from_event(template, event, frame[0], "\n\n", {})


def _get_value(value: object, path: Path) -> object:
    for step in path:
        if isinstance(step, str):
            value = getattr(value, step, None)
        else:
            value = value[step] if isinstance(value, list) and step < len(value) else None
    return value
