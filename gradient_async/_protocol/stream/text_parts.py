"""Texts that arrive in parts.

Contract: each part is looked at once, and parts are joined only when somebody asks.
"""

from __future__ import annotations


def append_part(parts: list[str] | None, part: str) -> list[str]:
    """Append *part* to the *parts* of a text and return them; None becomes a new list."""
    if parts is None:
        return [part]
    parts.append(part)
    return parts


def join_parts(parts: list[str] | None) -> str | None:
    """Return the text of *parts*, None for None; the list keeps the joined text as its only part."""
    if parts is None:
        return None
    parts[:] = [_merge_surrogates("".join(parts))]
    return parts[0]


class CharacterJoiner:
    r"""Joins the halves of characters that were cut in two: holds a first half back until the next text comes.

    >>> joiner = CharacterJoiner()
    >>> joiner.feed("Hello \ud83d"), joiner.feed("\ude00!")
    ('Hello ', '😀!')

    Attributes:
        half: The first half that is held back, ``""`` if there is none.
    """

    __slots__ = ("half",)

    def __init__(self) -> None:
        self.half = ""

    def feed(self, text: str) -> str:
        """Return *text* after the half that was held back, in whole characters; keep the half at its end."""
        text, self.half = self.half + text, ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self.half = text[:-1], text[-1]
        return replace_halves(text)

    def feed_eof(self) -> str:
        """Return the replacement of a half that stayed alone, ``""`` if none is held back."""
        half, self.half = self.half, ""
        return replace_halves(half)


def replace_halves(text: str) -> str:
    """Return *text* in whole characters: halves side by side are joined, any other is a replacement character."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _merge_surrogates(text: str) -> str:
    """Return *text* with each surrogate pair merged into its character; unchanged if a surrogate has no partner.

    An upstream that cuts tokens in UTF-16 sends the halves of an emoji in two parts.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        pass
    else:
        return text
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        return text
