"""The events of an image stream.

Source: the streaming example of ``POST /v1/images/generations`` in the serverless reference.
"""

import attrs

from gradient_async.models._base import ESSENTIAL, POSITION, Model
from gradient_async.models.images import ImageUsage, decode_image


@attrs.define(kw_only=True, eq=False, repr=False)
class ImageEvent(Model):
    """One event of an image stream: a preview, or a whole image.

    Attributes:
        type: ``image_generation.partial_image``, ``image_generation.completed``, or a newer type.
        b64_json: The bytes of the image file in base64; `content` decodes them.
        partial_image_index: Number of the preview, from 0; None for a whole image.
        created_at: The time of the event, in epoch seconds.
        background: The background that was used, as are ``output_format``, ``quality`` and ``size``.
        revised_prompt: The prompt that the model rewrote and used, None if it used yours.
        usage: The tokens that the call is billed for, with a whole image.
    """

    type: str = ""
    b64_json: str = attrs.field(default="", metadata=ESSENTIAL)
    partial_image_index: int | None = attrs.field(default=None, metadata=POSITION)
    created_at: int = 0
    background: str | None = None
    output_format: str | None = None
    quality: str | None = None
    size: str | None = None
    revised_prompt: str | None = None
    usage: ImageUsage | None = None

    @property
    def is_partial(self) -> bool:
        """Whether the image is a preview."""
        return self.type.endswith("partial_image")

    @property
    def content(self) -> bytes:
        """The bytes of the image file.

        Raises:
            ResponseDecodeError: The bytes are missing, or not base64.
        """
        return decode_image(self.b64_json)

    @property
    def text(self) -> str:
        """The empty text: images have none."""
        return ""

    def __repr__(self) -> str:
        place = f", partial_image_index={self.partial_image_index}" if self.is_partial else ""
        return f"ImageEvent({self.type!r}, <{len(self.b64_json)} characters>{place})"
