"""`TemplateDecoder` agrees with `ChatDecoder`, whatever the stream looks like and however its bytes are cut."""

import itertools
import json
from collections.abc import Sequence
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from gradient_async import ChatCompletionChunk
from gradient_async._protocol.stream.chat_decoder import ChatDecoder
from gradient_async._protocol.stream.template_decoder import TemplateDecoder

Outcome = tuple[list[ChatCompletionChunk], list[Any], bool, str]


def decode_blocks(decoder: ChatDecoder | TemplateDecoder, blocks: Sequence[bytes]) -> Outcome:
    chunks = [chunk for block in blocks for chunk in decoder.feed(block)] + [*decoder.feed_eof()]
    error = decoder.error
    found = "" if error is None else f"{error!r} {getattr(error, 'path', '')} {getattr(error, 'body', '')}"
    return chunks, [chunk.raw for chunk in chunks], decoder.done, found


TEXTS = st.text(max_size=12) | st.sampled_from(['"', "\\", '"content":"x"', "a\nb", "\u2028", "\ud83d", "😀", ""])
TOPS = st.sampled_from(
    [{}, {}, {}, {"usage": {"total_tokens": 1}}, {"x": [1]}, {"content": "z"}, {"error": {"code": 429}}]
)
CHOICES = st.sampled_from([{}, {}, {"finish_reason": "stop"}, {"index": 1}, {"index": "no"}, {"x": 1}])
DELTAS = st.sampled_from([{}, {}, {"role": "assistant"}, {"x": [1]}, {"reasoning": "r"}])
OTHERS = st.sampled_from(
    [
        b": ping\n\n", b"\n", b"\r\n", b"\xef\xbb\xbf", b"data: [DONE]\n\n", b"data:[DONE]\r\n\r\n", b"data:\n\n",
        b"event: ping\ndata: {}\n\n", b'event: error\ndata: {"message": "m"}\n\n', b'data: {"id":\ndata: "c"}\n\n',
        b"data: {broken\n\n", b"id: 7\nretry: 5\n", b"data: 5\n\n", b'data: {"detail": "m"}\n\n', b"data: \xff\n\n",
    ]
)  # fmt: skip


@st.composite
def runs(draw: st.DrawFn) -> bytes:
    """Events that differ only in their text, all ended in the same way."""
    end = draw(st.sampled_from([b"\n\n", b"\n\n", b"\n\n", b"\r\n\r\n", b"\n\r\n"]))
    ascii_only, separators = draw(st.booleans()), draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    top, around, beside = draw(TOPS), draw(CHOICES), draw(DELTAS)
    name = draw(st.sampled_from(["content", "content", "reasoning_content"]))
    run = b""
    for text in draw(st.lists(TEXTS, min_size=1, max_size=6)):
        choice = {"index": 0, "delta": {name: text} | beside, "finish_reason": None} | around
        event = json.dumps({"id": "c"} | top | {"choices": [choice]}, ensure_ascii=ascii_only, separators=separators)
        run += b"data: " + event.encode(errors="surrogatepass") + end
    return run


BODIES = st.lists(runs() | runs() | OTHERS | st.binary(max_size=8), max_size=6).map(b"".join)
RUN = b"".join(b'data: {"choices":[{"delta":{"content":"%d"}}]}\n\n' % number for number in range(9))


@given(BODIES, st.lists(st.integers(0, 600), max_size=8))
@example(RUN, list(range(600)))
@example(b"\xef\xbb\xbf" + RUN, [1, 2])
@example(b"\xef\xbb\xbf" + RUN, [0])
@example(RUN[:-20], [100])
@example(RUN[:-1], [100])
def test_the_template_decoder_agrees_with_the_reference_at_any_cut(body: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), max(len(body), *cuts, 0)]
    blocks = [body[begin:end] for begin, end in itertools.pairwise(edges)]
    expected = decode_blocks(ChatDecoder(), blocks)
    assert decode_blocks(TemplateDecoder(), blocks) == expected
