"""The results of the image API.

Source: ``POST /v1/images/generations`` of the serverless reference.
"""

import base64
from binascii import Error as Base64Error
from collections.abc import Iterator

import attrs

from gradient_async.errors import ResponseDecodeError
from gradient_async.models._base import ESSENTIAL, POSITION, MaybeNone, Model
from gradient_async.models.response_meta import ResponseModel


def decode_image(b64_json: str) -> bytes:
    """Return the bytes of an image file from its base64.

    Raises:
        ResponseDecodeError: The bytes are missing, or not base64.
    """
    if not b64_json:
        raise ResponseDecodeError("The service sent no bytes of this image; .raw has what it sent.", path="$.b64_json")
    try:
        return base64.b64decode(b64_json, validate=True)
    except (Base64Error, ValueError):
        pass
    raise ResponseDecodeError("The service sent an image that is not base64.", path="$.b64_json")


@attrs.define(kw_only=True, eq=False, repr=False)
class GeneratedImage(Model):
    """One image.

    Attributes:
        b64_json: The bytes of the image file in base64; `content` decodes them.
        revised_prompt: The prompt that the model rewrote and used, None if it used yours.
        partial_image_index: Number of this preview, from 0, in the snapshot of a stream; None for a whole image.
    """

    b64_json: str = attrs.field(default="", metadata=ESSENTIAL)
    revised_prompt: str | None = None
    partial_image_index: int | None = attrs.field(default=None, metadata=POSITION)

    @property
    def content(self) -> bytes:
        """The bytes of the image file.

        Raises:
            ResponseDecodeError: The bytes are missing, or not base64.
        """
        return decode_image(self.b64_json)

    def __repr__(self) -> str:
        return f"GeneratedImage(<{len(self.b64_json)} characters>, revised_prompt={self.revised_prompt!r})"


@attrs.define(kw_only=True, eq=False, repr=False)
class ImageInputTokens(Model):
    """Numbers of prompt tokens by kind."""

    text_tokens: int = 0
    image_tokens: int = 0


@attrs.define(kw_only=True, eq=False, repr=False)
class ImageUsage(Model):
    """Numbers of tokens that an image call is billed for."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    input_tokens_details: ImageInputTokens = attrs.field(factory=ImageInputTokens)


@attrs.define(kw_only=True, eq=False, repr=False)
class ImageList(ResponseModel):
    """The images of one prompt; iteration and ``len()`` go over ``data``.

    Attributes:
        created: The time of creation, in epoch seconds.
        background: The background that was used, as are ``output_format``, ``quality`` and ``size``.
    """

    created: int = 0
    data: list[GeneratedImage] = attrs.field(factory=list, metadata=ESSENTIAL)
    background: str | None = None
    output_format: str | None = None
    quality: str | None = None
    size: str | None = None
    usage: ImageUsage | MaybeNone = None

    @property
    def text(self) -> str:
        """The empty text: images have none. Results of other streams have it."""
        return ""

    def __iter__(self) -> Iterator[GeneratedImage]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)
