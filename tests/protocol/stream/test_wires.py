"""The streams of ``tests/wires`` in blocks of many sizes, through each decoder, and as chunks through the accumulator."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pydantic
import pytest

from gradient_async import ChatAccumulator
from gradient_async._protocol.stream.accelerators.fast_chat_decoder import FastChatDecoder
from gradient_async._protocol.stream.accelerators.fast_event_decoder import FastEventDecoder
from gradient_async._protocol.stream.chat_decoder import ChatDecoder, find_stream_error
from gradient_async._protocol.stream.event_decoder import EventDecoder
from gradient_async._protocol.stream.message_accumulator import MESSAGE_DIALECT, MESSAGE_HOLES, MessageAccumulator
from gradient_async._protocol.stream.response_accumulator import RESPONSE_DIALECT, RESPONSE_HOLES, ResponseAccumulator
from tests.support.chat_events import take_events
from tests.support.wires import Wire, load_wires, snapshot_fields

SIZES = [1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 10**6]
MESSAGE_DECODERS: list[Callable[[], Any]] = [
    partial(EventDecoder, MESSAGE_DIALECT),
    partial(FastEventDecoder, MESSAGE_DIALECT, MESSAGE_HOLES),
]
RESPONSE_DECODERS: list[Callable[[], Any]] = [
    partial(EventDecoder, RESPONSE_DIALECT),
    partial(FastEventDecoder, RESPONSE_DIALECT, RESPONSE_HOLES),
]
READERS: list[tuple[Wire, Callable[[], Any], Callable[[], Any]]] = [
    *((wire, decoder, ChatAccumulator) for wire in load_wires("chat") for decoder in (ChatDecoder, FastChatDecoder)),
    *((wire, decoder, MessageAccumulator) for wire in load_wires("messages") for decoder in MESSAGE_DECODERS),
    *((wire, decoder, ResponseAccumulator) for wire in load_wires("responses") for decoder in RESPONSE_DECODERS),
]


def name_reader(value: object) -> str:
    return f"{value.api}: {value.name}" if isinstance(value, Wire) else getattr(value, "__name__", "")


@pytest.mark.parametrize(("wire", "new_decoder", "new_accumulator"), READERS, ids=name_reader)
def test_a_stream_gives_its_result_in_blocks_of_any_size(
    wire: Wire, new_decoder: Callable[[], Any], new_accumulator: Callable[[], Any]
) -> None:
    for size in SIZES:
        decoder, accumulator = new_decoder(), new_accumulator()
        for begin in range(0, len(wire.body), size):
            take_events(accumulator, decoder.decode_block(wire.body[begin : begin + size]))
        take_events(accumulator, decoder.decode_eof())
        assert snapshot_fields(accumulator.snapshot()) == wire.snapshot
        if wire.error not in (None, "StreamTruncatedError") and not accumulator.has_failed:
            assert type(decoder.error or find_stream_error(decoder, accumulator)).__name__ == wire.error


class Chunk(pydantic.BaseModel, extra="allow"):
    """A chunk as an object with fields."""


@pytest.mark.parametrize("form", [dict, Chunk.model_validate])
@pytest.mark.parametrize("wire", [wire for wire in load_wires("chat") if not wire.error], ids=name_reader)
def test_chunks_of_a_stream_give_its_result(wire: Wire, form: Callable[[object], Any]) -> None:
    accumulator = ChatAccumulator()
    for event in wire.events:
        if isinstance(event, dict) and "choices" in event:
            accumulator.add(form(event))
    assert snapshot_fields(accumulator.snapshot()) == wire.snapshot
