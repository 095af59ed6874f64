"""The decoder and the accumulator of image streams: any split of the bytes, and no cut that looks complete."""

from __future__ import annotations

import base64
import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gradient_async import ImageEvent, ImageList
from gradient_async._protocol.stream.image_accumulator import ImageAccumulator, ImageDecoder
from tests.support.event_streams import encode_stream

IMAGES = st.binary(min_size=1, max_size=9).map(lambda data: base64.b64encode(data).decode())


def partial_event(image: str, number: int) -> dict[str, Any]:
    return {"type": "image_generation.partial_image", "b64_json": image, "partial_image_index": number}


@st.composite
def streams(draw: st.DrawFn) -> list[list[dict[str, Any]]]:
    """Return the events of each of one to three images: previews, then the whole one."""
    return [
        [
            *(partial_event(image, number) for number, image in enumerate(draw(st.lists(IMAGES, max_size=2)))),
            {"type": "image_generation.completed", "b64_json": draw(IMAGES), "size": "auto"},
        ]
        for _ in range(draw(st.integers(1, 3)))
    ]


def read_blocks(blocks: list[bytes], count: int) -> tuple[ImageDecoder, ImageAccumulator, list[ImageEvent]]:
    decoder, accumulator = ImageDecoder(remaining=count), ImageAccumulator(count)
    events = [event for block in blocks for event in decoder.feed(block)] + list(decoder.feed_eof())
    for event in events:
        accumulator.add_decoded(event)
    return decoder, accumulator, events


@given(streams(), st.data())
def test_any_split_of_the_bytes_gives_the_same_images(images: list[list[dict[str, Any]]], data: st.DataObject) -> None:
    body = encode_stream([event for events in images for event in events])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6)))
    blocks = [body[start:end] for start, end in pairwise([0, *cuts, len(body)])]
    decoder, accumulator, events = read_blocks(blocks, len(images))
    assert (decoder.error, decoder.done, accumulator.is_complete) == (None, True, True)
    assert [event.raw for event in events] == [event for part in images for event in part]
    assert [image.b64_json for image in accumulator.snapshot()] == [part[-1]["b64_json"] for part in images]


@given(streams(), st.data())
def test_a_cut_before_the_last_image_is_never_complete(images: list[list[dict[str, Any]]], data: st.DataObject) -> None:
    whole = [event for events in images for event in events]
    body = b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in whole)
    last = len(body) - len(b"data: %b\n\n" % json.dumps(whole[-1]).encode())
    decoder, accumulator, events = read_blocks([body[: data.draw(st.integers(0, last))]], len(images))
    assert (decoder.done, accumulator.is_complete) == (False, False)
    snapshot = accumulator.snapshot()
    previews = [image for image in snapshot if image.partial_image_index is not None]
    assert len(previews) == bool(events and events[-1].is_partial)


def test_an_empty_stream_has_an_empty_result() -> None:
    assert ImageAccumulator().snapshot() == ImageList()
