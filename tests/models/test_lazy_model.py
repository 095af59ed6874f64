"""A `LazyModel` behaves like one whose fields were built at once."""

import copy
import pickle
import threading
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from gradient_async._protocol.codec.fast_reader import FastReader
from gradient_async._protocol.stream.logprobs_builder import LogprobsBuilder
from gradient_async.models import Logprobs

TEXT = b'{"content":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[{"token":"b","logprob":-1}]}],"refusal":null}'
EAGER = FastReader(Logprobs, forbid_unknown=True)


def assemble_lazily() -> Logprobs:
    builder = LogprobsBuilder()
    builder.add_texts([TEXT.decode()])
    logprobs = builder.build_logprobs()
    builder.add_texts([TEXT.decode()])  # comes later
    return logprobs


@pytest.mark.parametrize(
    "look",
    [
        lambda model: model.content,
        lambda model: model.refusal,
        lambda model: model,
        repr,
        copy.copy,
        copy.deepcopy,
        lambda model: pickle.loads(pickle.dumps(model)),
        lambda model: model.to_dict(),
        lambda model: model.to_json(),
        lambda model: model.extra,
        attrs.evolve,
        lambda model: hasattr(model, "other"),
    ],
)
def test_it_looks_like_one_that_was_built_at_once(look: Callable[[Logprobs], Any]) -> None:
    assert look(assemble_lazily()) == look(EAGER(TEXT))


def test_its_raw_is_all_of_it() -> None:
    assert assemble_lazily().raw == assemble_lazily().to_dict() == EAGER(TEXT).to_dict()


def test_it_can_be_changed_before_it_is_read() -> None:
    model = assemble_lazily()
    model.refusal = []
    assert (model.content, model.refusal) == (EAGER(TEXT).content, [])


def test_an_unknown_attribute_is_missing() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = assemble_lazily().nothing  # type: ignore[attr-defined]


class CopiedLater:
    """What a source builds; *meanwhile* is called before its first field is copied."""

    def __init__(self, built: Any, meanwhile: Callable[[], None]) -> None:
        self._raw, self._built, self._meanwhile = built._raw, built, meanwhile

    def __getattr__(self, name: str) -> Any:
        self._meanwhile()
        return getattr(self._built, name)


@attrs.define
class ReadInThread:
    """A source whose model another thread reads while its fields are copied."""

    source: Any
    model: Logprobs
    seen: list[object] = attrs.field(factory=list)
    _threads: list[threading.Thread] = attrs.field(factory=list)

    def assemble_model(self, *arguments: Any) -> CopiedLater:
        return CopiedLater(self.source.assemble_model(*arguments), self._read_once)

    def _read_once(self) -> None:
        if not self._threads:
            self._threads.append(threading.Thread(target=lambda: self.seen.append(self.model.content)))
            self._threads[0].start()
            self._threads[0].join()


def test_another_thread_may_read_it_at_the_same_time() -> None:
    model = assemble_lazily()
    source: Any
    source, *arguments = model._raw  # type: ignore[misc]  # a lazy one has a tuple
    model._raw = (reader := ReadInThread(source, model), *arguments)
    assert model.content == EAGER(TEXT).content
    assert reader.seen == [EAGER(TEXT).content]
