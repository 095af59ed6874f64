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
