"""How results look in notebooks: the facts are shown, nothing hostile passes, and the size is bounded."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from typing import Any, Protocol, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import BatchError, ChatCompletion, MessageReply, NotFoundError, ResponseReply
from gradient_async._protocol.rate_limit.status import LimiterStatus, QuotaStatus, WindowStatus
from gradient_async.models import ResponseMeta, Timings
from gradient_async.models._base import Displayed
from gradient_async.models._html import page
from gradient_async.models._html.page import escape_html
from gradient_async.models._html.views import VIEWS
from gradient_async.models.batch import Batch, BatchFault, RequestCounts
from gradient_async.models.batch_result import BatchReport, missing_result
from gradient_async.models.chat import (
    Choice,
    FunctionCall,
    Guardrails,
    Message,
    Retrieval,
    RetrievedData,
    ToolCall,
    TriggeredGuardrail,
    Usage,
)
from gradient_async.models.embedding_result import EmbeddingResult
from gradient_async.models.embeddings import Embedding, EmbeddingList
from gradient_async.models.images import GeneratedImage, ImageList
from gradient_async.models.map_progress import MapProgress
from gradient_async.models.map_result import MapResult
from gradient_async.models.media_file import MediaFile
from gradient_async.models.messages import ContentBlock, MessageUsage
from gradient_async.models.model_info import ModelInfo, ModelList
from gradient_async.models.parsed import ParsedCompletion
from gradient_async.models.responses import IncompleteDetails, OutputItem, OutputPart
from gradient_async.models.tool_run import ToolRun, ToolStep
from gradient_async.resources.batch import map as batch_map

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>$\\href{javascript:alert(3)}{x}$ \\(y\\)\x00\x1b[2J\ud800\u202e'
PROMPT = "the confidential prompt"
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(64)).decode()
ELEMENTS = {
    "audio", "b", "caption", "code", "details", "div", "img", "pre", "progress", "span", "summary", "table", "td", "th", "tr", "video",
}  # fmt: skip
ATTRIBUTES = {"alt", "colspan", "controls", "max", "src", "style", "value"}


class Shown(Protocol):
    def _repr_html_(self) -> str | None: ...


class Elements(HTMLParser):
    """The elements and attributes of a page, as a browser finds them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: dict[str, str | None] = {}
        self.loose: list[str] = []
        self._pre = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes.update(attrs)
        self._pre += tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        self._pre -= tag == "pre"

    def handle_data(self, data: str) -> None:
        if not self._pre:
            self.loose.append(data)


def show(result: Shown) -> str:
    """Return the HTML of *result*; refuse what could do harm."""
    html = result._repr_html_()
    assert html is not None
    html.encode()  # a notebook is stored as UTF-8
    found = Elements(html)
    assert found.names <= ELEMENTS
    assert found.attributes.keys() <= ATTRIBUTES
    assert [text for text in found.loose if re.search(r"[$\\].|.[$\\]", text)] == []  # no front end sees a formula
    assert re.match(r"data:(image|audio|video)/[\w.+-]+;base64,", found.attributes.get("src") or "data:image/a;base64,")
    assert re.search(r"[\x00-\x08\x1b\u202e]", html) is None
    return html


def completion(text: str = EVIL, **fields: Any) -> ChatCompletion:
    message = Message(content=text, reasoning=EVIL, refusal=EVIL, tool_calls=[call()])
    meta = ResponseMeta(request_id=EVIL, attempts=2, timings=Timings(total=1.5))
    choices = [Choice(message=message, finish_reason=EVIL), Choice(index=1, message=Message(content="second"))]
    return ChatCompletion(model=EVIL, choices=choices, usage=Usage(prompt_tokens=12, completion_tokens=5), meta=meta, **fields)  # fmt: skip


def call() -> ToolCall:
    return ToolCall(id=EVIL, function=FunctionCall(name=EVIL, arguments=EVIL))


def agent_completion() -> ChatCompletion:
    triggered = TriggeredGuardrail(message=EVIL, rule_name=EVIL)
    guardrails, retrieval = Guardrails(triggered_guardrails=[triggered]), Retrieval(retrieved_data=[RetrievedData()])
    return completion(guardrails=guardrails, retrieval=retrieval)


def message_reply() -> MessageReply:
    blocks = [
        ContentBlock(type="thinking", thinking=EVIL),
        ContentBlock(text=EVIL),
        ContentBlock(type="tool_use", name=EVIL, input={EVIL: EVIL}),
        ContentBlock(type=EVIL),
    ]
    usage = MessageUsage(input_tokens=12, output_tokens=5)
    return MessageReply(model=EVIL, content=blocks, stop_reason=EVIL, usage=usage)


def response_reply() -> ResponseReply:
    items = [
        OutputItem(type="reasoning", summary=[OutputPart(type="summary_text", text=EVIL)]),
        OutputItem(content=[OutputPart(text=EVIL), OutputPart(type="refusal", refusal=EVIL)]),
        OutputItem(type="function_call", name=EVIL, arguments=EVIL),
        OutputItem(type=EVIL),
    ]
    return ResponseReply(model=EVIL, output=items, status=EVIL, incomplete_details=IncompleteDetails(reason=EVIL))


def embeddings() -> EmbeddingList:
    return EmbeddingList(model=EVIL, data=[Embedding(embedding=[0.6, 0.8]), Embedding(index=1, embedding=[3.0, 4.0])])


def failed_batch() -> Batch:
    faults = [BatchFault(code=EVIL, message=EVIL, line=3)] * 30
    return Batch(batch_id=EVIL, status=EVIL, endpoint=EVIL, errors=faults, request_counts=RequestCounts(total=9, completed=4, failed=1))  # fmt: skip


def report() -> BatchReport:
    errors = {f"{EVIL}{number}": BatchFault(message=EVIL) for number in range(30)}
    return BatchReport(failed=tuple(errors), missing=(EVIL,) * 30, errors=errors, finish_reasons={EVIL: 3}, problems=(BatchError(EVIL),))  # fmt: skip


def limits() -> LimiterStatus:
    window = WindowStatus(capacity=250, period=60.0, used=200, next_free_at=12.0, foreign=7)
    quota = QuotaStatus(kind="tokens per minute", limit=9000, period=60.0, free=30, next_free_at=14.0)
    return LimiterStatus(windows=(window,), model=EVIL, quotas=(quota,), now=10.0, queued=3, model_paused_until=14.5)


HOSTILE: dict[str, Shown] = {
    "completion": completion(),
    "parsed": ParsedCompletion(parsed=[EVIL], choices=[Choice(message=Message(content=EVIL))]),
    "agent": agent_completion(),
    "message": message_reply(),
    "response": response_reply(),
    "image": GeneratedImage(b64_json=EVIL, revised_prompt=PROMPT),
    "images": ImageList(data=[GeneratedImage(b64_json=PNG), GeneratedImage(b64_json="")], size=EVIL, quality=EVIL),
    "embedding": Embedding(embedding=[0.6, 0.8]),
    "embeddings": embeddings(),
    "text": EmbeddingResult(index=3, text=PROMPT, embedding=[0.6, 0.8]),
    "failed text": EmbeddingResult(index=3, text=PROMPT, error=NotFoundError(EVIL)),
    "map result": MapResult(index=3, request={"id": EVIL, "messages": PROMPT}, completion=completion(), restored=True),
    "failed map result": MapResult(index=3, request=PROMPT, error=NotFoundError(EVIL)),
    "progress": MapProgress(total=20, done=7, rate=2.0, waiting=1, limiter_delay=9.0, limit=EVIL),
    "batch": failed_batch(),
    "batch result": missing_result(EVIL),
    "report": report(),
    "limits": limits(),
    "tool run": ToolRun(
        completion=completion(),
        messages=[{"role": "user", "content": PROMPT}],
        steps=[ToolStep(round=1, call=call(), error=ValueError(EVIL))],
        usage=None,
    ),
    "models": ModelList(data=[ModelInfo(id=EVIL, owned_by=EVIL)] * 90),
}


@pytest.mark.parametrize("result", HOSTILE.values(), ids=HOSTILE)
def test_no_text_can_add_an_element_to_a_view(result: Shown) -> None:
    assert PROMPT not in show(result)


@pytest.mark.parametrize("result", HOSTILE.values(), ids=HOSTILE)
def test_no_repr_holds_a_prompt_of_a_map_or_controls_a_terminal(result: Shown) -> None:
    assert (PROMPT in repr(result)) == isinstance(result, GeneratedImage)
    assert "\x1b" not in repr(result)


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("completion", ["12 in, 5 out", "1.50 s", "<b>attempts</b> 2", "<summary>reasoning", ">second</pre>"]),
        ("parsed", ["<b>parsed</b>"]),
        ("agent", ["1 passages", "<b>triggered</b>"]),
        ("message", ["12 in, 5 out", "<summary>thinking", "calls "]),
        ("response", ["<summary>reasoning", "<b>refusal</b>", "calls "]),
        ("image", ["Not an image"]),
        ("images", [f'<img src="data:image/png;base64,{PNG}"', "Not an image"]),
        ("embedding", ["2 dimensions, norm 1.000"]),
        ("embeddings", ["2 dimensions, norm 1.000", "2 dimensions, norm 5.000"]),
        ("text", ["2 dimensions, norm 1.000"]),
        ("failed text", ["<b>error</b> NotFoundError"]),
        ("map result", ["<b>request</b> 3", "from the checkpoint", "12 in, 5 out"]),
        ("failed map result", ["<b>error</b> NotFoundError"]),
        ("progress", ['<progress value="7" max="20">', "7 of 20, 2.0/s, waiting 9 s"]),
        ("batch", ['<progress value="5" max="9">', "4 of 9 completed, 1 failed", "Line 3: ", "and 10 more"]),
        ("batch result", ["no line for this request"]),
        ("report", ["0 succeeded, 30 failed, 30 missing", "and 10 more", "<b>missing</b>", "<b>problem</b>"]),
        ("limits", ["<td>250</td><td>200</td><td>7</td><td>2.0 s</td>", "<td>9000</td><td>30</td><td>4.0 s</td>", "3 queued"]),
        ("tool run", ["<b>round 1</b>", "ValueError", "12 in, 5 out"]),
        ("models", ["90 models", "and 40 more"]),
    ],
)  # fmt: skip
def test_a_view_shows_what_matters(name: str, facts: list[str]) -> None:
    html = show(HOSTILE[name])
    assert [fact for fact in facts if fact not in html] == []


def test_limits_without_a_model_name_the_models_that_have_quotas() -> None:
    shown = show(LimiterStatus(windows=(), models=("one", EVIL)))
    assert "limits.status(model=...), for one, " in shown


def test_each_view_is_of_a_class_that_notebooks_show() -> None:
    classes = {cls.__name__: cls for cls in list_subclasses(Displayed)}
    assert batch_map.BatchMapResults in classes.values()
    assert VIEWS.keys() <= classes.keys()


def list_subclasses(cls: type[Any]) -> list[type[Any]]:
    return [found for each in type.__subclasses__(cls) for found in (each, *list_subclasses(each))]


def test_a_result_without_a_view_is_shown_as_text() -> None:
    assert Usage()._repr_html_() is None


@pytest.mark.parametrize("signature", [b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\x00\x00\x00\x00WEBPVP8 "])
def test_images_of_other_types_are_shown(signature: bytes) -> None:
    shown = show(GeneratedImage(b64_json=base64.b64encode(signature + bytes(32)).decode()))
    assert '<img src="data:image/' in shown


@pytest.mark.parametrize(
    ("content_type", "shown"),
    [
        ("audio/mpeg", '<audio controls src="data:audio/mpeg;base64,YWJj"'),
        ("Video/MP4; codecs=x", '<video controls src="data:video/mp4;base64,YWJj"'),
        (f"audio/{EVIL}", "3 B; save it with save()"),
        ("text/html", "text/html, 3 B"),
        ("image/svg+xml", "image/svg+xml, 3 B"),
    ],
)
def test_speech_and_videos_can_be_played(content_type: str, shown: str) -> None:
    assert shown in show(MediaFile(content=b"abc", content_type=content_type))


def test_a_recording_that_is_too_large_is_named() -> None:
    assert "video/mp4, 30.0 MB" in show(MediaFile(content=bytes(30_000_000), content_type="video/mp4"))


@pytest.mark.parametrize("data", [b"<svg onload='alert(1)'/>", b"%PDF-1.7", b""])
def test_other_files_are_not_shown_as_images(data: bytes) -> None:
    assert "<img" not in show(GeneratedImage(b64_json=base64.b64encode(data).decode()))


@pytest.mark.parametrize(
    "result",
    [
        completion("x" * 10_000_000),
        ChatCompletion(choices=[Choice(message=Message(content="<" * 9_000))] * 1_000),
        MessageReply(content=[ContentBlock(text="y" * 999)] * 5_000),
        MessageReply(content=[ContentBlock(type="other")] * 5_000),
        EmbeddingList(data=[Embedding(embedding=[1.0] * 9)] * 10_000),
        MapResult(index=0, request="r", completion=completion("z" * 10_000_000)),
    ],
    ids=["text", "choices", "blocks", "unknown blocks", "vectors", "map"],
)
def test_the_size_of_a_view_is_bounded(result: Shown) -> None:
    html = show(result)
    assert len(html) < 500_000
    assert re.search(r"and \d+ more", html)


def test_an_image_that_is_too_large_is_named() -> None:
    shown = show(ImageList(data=[GeneratedImage(b64_json="A" * 30_000_000), GeneratedImage(b64_json=PNG)]))
    assert (shown.count("<img"), "An image of 22.5 MB, too large to be shown" in shown) == (1, True)


@given(st.text() | st.text(alphabet="$\\<&;\"'(["))
def test_escaped_text_is_text_for_a_browser(text: str) -> None:
    seen: list[str] = []
    parser = HTMLParser()
    writable = cast("Any", parser)
    writable.handle_data = seen.append
    parser.feed(f"<pre>{escape_html(text, 10_000)}</pre>")
    parser.close()
    assert "".join(seen) == page._UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (MapResult(index=3, request=PROMPT, completion=completion("Lisbon")), "MapResult(3, 'Lisbon')"),
        (MapResult(index=0, request={"id": 7}, timings=Timings(total=0.414), completion=completion("a" * 90)), f"MapResult(0, id=7, '{'a' * 80}...', 0.41 s)"),
        (MapResult(index=0, request=PROMPT, completion=completion("a"), restored=True), "MapResult(0, 'a', restored)"),
        (MapResult(index=0, request=PROMPT, error=NotFoundError("No model.")), "MapResult(0, NotFoundError: No model. (404) Check the name or the id; session.models.list() gives every model.)"),
        (EmbeddingResult(index=2, text=PROMPT, embedding=[3.0, 4.0]), "EmbeddingResult(2, 2 dimensions, norm 5.000)"),
        (EmbeddingResult(index=2, text=PROMPT, error=BatchError("m"), restored=True), "EmbeddingResult(2, BatchError: m, restored)"),
        (Embedding(index=1, embedding=[3.0, 4.0]), "Embedding(index=1, 2 dimensions, norm 5.000)"),
        (Embedding(embedding=[10**400]), "Embedding(index=0, 1 dimensions, norm unknown)"),
        (EmbeddingList(model="m", data=[Embedding(embedding=[1.0])] * 2), "EmbeddingList(2 vectors of 1 dimensions, model='m', usage=None)"),
        (EmbeddingList(model="m"), "EmbeddingList(no vectors, model='m', usage=None)"),
    ],
)  # fmt: skip
def test_the_repr_of_a_bulk_result_is_one_short_line(result: object, text: str) -> None:
    assert repr(result) == text
