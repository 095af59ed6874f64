"""What an image call returns.

Source: ``POST /v1/images/generations`` of the serverless reference.
"""

import base64
from binascii import Error as Base64Error
from collections.abc import Iterator

import attrs

from gradient_async.errors import ResponseDecodeError
from gradient_async.models._base import Model
from gradient_async.models.response_meta import ResponseModel


@attrs.define(kw_only=True, eq=False, repr=False)
class GeneratedImage(Model):
    """One image, and the prompt that the model made of yours."""

    b64_json: str = ""
    revised_prompt: str | None = None

    @property
    def content(self) -> bytes:
        """The bytes of the image file.

        Raises:
            ResponseDecodeError: There are none, or they are not base64.
        """
        if not self.b64_json:
            raise ResponseDecodeError(
                "The service sent no bytes of this image; .raw has what it sent.", path="$.b64_json"
            )
        try:
            return base64.b64decode(self.b64_json, validate=True)
        except (Base64Error, ValueError):
            pass
        raise ResponseDecodeError("The service sent an image that is not base64.", path="$.b64_json")

    def __repr__(self) -> str:
        return f"GeneratedImage(<{len(self.b64_json)} characters>, revised_prompt={self.revised_prompt!r})"


@attrs.define(kw_only=True, eq=False, repr=False)
class ImageInputTokens(Model):
    """What the tokens of a prompt were."""

    text_tokens: int = 0
    image_tokens: int = 0


@attrs.define(kw_only=True, eq=False, repr=False)
class ImageUsage(Model):
    """The tokens of an image call."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    input_tokens_details: ImageInputTokens = attrs.field(factory=ImageInputTokens)


@attrs.define(kw_only=True, eq=False, repr=False)
class ImageList(ResponseModel):
    """The images of one prompt; iterating and ``len()`` go over ``data``.

    Attributes:
        created: When they were made, in epoch seconds.
        background: The background, output_format, quality and size are those that were chosen where it was left open.
    """

    created: int = 0
    data: list[GeneratedImage] = attrs.field(factory=list)
    background: str | None = None
    output_format: str | None = None
    quality: str | None = None
    size: str | None = None
    usage: ImageUsage | None = None

    def __iter__(self) -> Iterator[GeneratedImage]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)
