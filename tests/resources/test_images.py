"""Images, from the emulator over real sockets."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from gradient_async import AsyncSession, ConfigurationError, GeneratedImage, ResponseDecodeError
from gradient_async.testing import Emulator

MODEL = "openai-gpt-image-1"


async def test_an_image_has_the_requested_size_and_format(gradient_session: AsyncSession) -> None:
    images = await gradient_session.images.generate(model=MODEL, prompt="A cute otter", size="1536x1024")
    (image,) = images
    assert image.content.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", image.content[16:24]) == (1536, 1024)
    assert (images.size, images.output_format) == ("1536x1024", "png")
    assert images.usage is not None
    assert images.usage.input_tokens == 3


async def test_one_image_is_requested_by_default(gradient_session: AsyncSession, gradient_emulator: Emulator) -> None:
    images = await gradient_session.images.generate(model=MODEL, prompt="A cute otter", quality=None)
    more = await gradient_session.images.generate(model=MODEL, prompt="A cute otter", n=3)
    assert (len(images), len(more)) == (1, 3)
    assert gradient_emulator.requests[0].json == {"model": MODEL, "prompt": "A cute otter", "n": 1}
    assert images.data[0].content == more.data[0].content


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"model": MODEL}, "prompt must be a text that is not empty"),
        ({"model": MODEL, "prompt": ""}, "prompt must be a text that is not empty"),
        ({"prompt": "p"}, "model must be a text that is not empty"),
        ({"model": MODEL, "prompt": "p", "n": 0}, "n=0"),
        ({"model": MODEL, "prompt": "p", "n": True}, "n=True"),
        ({"model": MODEL, "prompt": "p", "stream": True}, "leave stream out"),
        ({"model": MODEL, "prompt": "p", "extra_body": {"stream": True}}, "leave stream out"),
    ],
)
async def test_invalid_parameters_are_not_sent(
    gradient_session: AsyncSession, gradient_emulator: Emulator, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        await gradient_session.images.generate(**params)
    assert gradient_emulator.requests == []


def test_the_repr_of_an_image_omits_its_content() -> None:
    assert repr(GeneratedImage(b64_json="A" * 10_000)) == "GeneratedImage(<10000 characters>, revised_prompt=None)"


@pytest.mark.parametrize("text", ["A", "%%%%", "é"])
def test_an_image_that_is_not_base64_raises_a_decode_error(text: str) -> None:
    with pytest.raises(ResponseDecodeError, match="not base64"):
        _ = GeneratedImage(b64_json=text).content


def test_an_image_without_content_raises_a_decode_error() -> None:
    with pytest.raises(ResponseDecodeError, match=r"no bytes of this image; \.raw has what it sent"):
        _ = GeneratedImage(raw={"url": "https://example.com/a.png"}).content
