"""JSON objects behind models, decoded on first access."""

import json
from typing import Any, SupportsIndex

import pytest

from gradient_async import ChatAccumulator, ChatCompletion
from gradient_async._protocol.codec.json_text import decode_json
from gradient_async._protocol.http.body_reader import read_completion
from gradient_async._protocol.stream.accelerators.fast_chat_decoder import FastChatDecoder
from gradient_async.models._raw_source import JSONTextSource, find_json_text, load_json

NUMBER = "9" * 5_000
MESSAGE = '{"role": "assistant", "content": "Hello", "weird": %s}'
BODIES = [
    '{"choices": [], "weird": %s}',
    '{"choices": [], "weird": {"deep": [%s, 1]}}',
    '{"choices": [], "weird": -%s}',
    '{"choices": [{"index": 0, "message": ' + MESSAGE + "}]}",
    '{"choices": [], "created": %s}',
    '{"choices": [], "usage": {"prompt_tokens": %s}}',
]


def assert_usable(completion: ChatCompletion) -> None:
    assert repr(completion)
    assert json.loads(completion.to_json())
    assert json.dumps(completion.to_dict())
    assert json.dumps(completion.raw)
    assert all(repr(choice.message.to_dict()) for choice in completion.choices)


@pytest.mark.parametrize("body", BODIES)
def test_a_number_of_very_many_digits_costs_nothing_but_itself(body: str) -> None:
    completion = read_completion((body % NUMBER).encode())
    assert_usable(completion)


@pytest.mark.parametrize("body", BODIES[:4])
def test_a_number_that_the_model_does_not_know_keeps_its_digits(body: str) -> None:
    assert NUMBER in read_completion((body % NUMBER).encode()).to_json()


def test_a_number_of_very_many_digits_in_a_stream_costs_nothing_but_itself() -> None:
    delta = '{"index": 0, "delta": {"content": "Hello", "weird": ' + NUMBER + '}, "finish_reason": "stop"}'
    decoder, accumulator = FastChatDecoder(min_run_bytes=0), ChatAccumulator()
    for chunk in decoder.feed(f'data: {{"choices": [{delta}], "more": {NUMBER}}}\n\n'.encode()):
        accumulator.add(chunk)
        assert repr(chunk)
        assert json.dumps(chunk.to_dict())
    assert accumulator.snapshot().text == "Hello"
    assert_usable(accumulator.snapshot())


@pytest.mark.parametrize(
    ("text", "value"),
    [(NUMBER, NUMBER), (f"-{NUMBER}", f"-{NUMBER}"), (f'{{"a": [{NUMBER}, 7]}}', {"a": [NUMBER, 7]}), ("12", 12)],
)
def test_an_integer_that_python_would_not_print_stays_text(text: str, value: Any) -> None:
    assert load_json(text) == value
    assert decode_json(text.encode()) == value


@pytest.mark.parametrize("text", ["", "{", '{"a": 1,}', f"[{NUMBER}"])
def test_text_that_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        load_json(text)


class DecodedMeanwhile(list[Any]):
    """A document that another thread decodes right after it was read."""

    def __getitem__(self, index: SupportsIndex) -> Any:  # type: ignore[override]  # one item, so no slices
        value = super().__getitem__(index)
        self[0] = {"choices": []}
        return value


def test_another_thread_may_decode_the_document_at_the_same_time() -> None:
    source = JSONTextSource(all_fields_known=True)
    assert source.load_object(ChatCompletion, DecodedMeanwhile([b'{"choices": []}'])) == {"choices": []}
    completion = ChatCompletion(choices=[], raw=(source, DecodedMeanwhile([b'{"choices": []}'])))
    assert find_json_text(completion) in (b'{"choices": []}', None)
