"""Parameters of a request to any path.

Source: RFC 7578 for forms.
"""

import os
from collections.abc import Mapping, Sequence
from typing import IO, Any, TypedDict

FileContent = bytes | os.PathLike[str] | IO[bytes]
FormValue = str | int | float | FileContent | tuple[str, str | FileContent] | tuple[str, str | FileContent, str]
"""The value of a field of a form: text, or a file as bytes, a path, an open file or a tuple of its name, its content
and maybe its type."""
Query = str | int | float | bool | None
"""The value of a parameter of a query; None leaves it out."""


class RawRequestParams(TypedDict, total=False):
    """Parameters of ``session.request``.

    Attributes:
        json: The body as a JSON value: dicts, lists, objects with fields.
        data: The body as bytes, or the fields of a form, which is sent as ``multipart/form-data``.
        params: Parameters of the query.
        headers: Headers of this request; a ``Content-Type`` among them is that of the body.
    """

    json: Any  # any JSON value, and objects with fields inside
    data: bytes | Mapping[str, FormValue | Sequence[FormValue]]
    params: Mapping[str, Query | Sequence[Query]]
    headers: Mapping[str, str]
