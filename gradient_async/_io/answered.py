"""What an answer brings besides its status line: its body, and the error it stands for.

Contract: no body is read past its bound; of an error, whatever came of its body is enough.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from gradient_async._io.exchange import Exchange
from gradient_async._io.progress import Progress
from gradient_async._protocol.response import request_id_of, status_error
from gradient_async.errors import APIConnectionError, GradientError, ProtocolError

HTTP_OK_END = 300
HTTP_ERROR_START = 400
MAX_JSON_BYTES = 64 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024


async def read_body(exchange: Exchange, progress: Progress) -> bytes:
    """Return the body, or give the connection up; of an error's, return what came of it."""
    is_error = exchange.status >= HTTP_OK_END
    limit = MAX_ERROR_BYTES if is_error else MAX_JSON_BYTES
    body = exchange.whole_body()
    if body is None:
        body = await _read(exchange, progress, limit, is_error=is_error)
    if len(body) > limit and not is_error:
        raise ProtocolError(f"The service sent a body of more than {limit} bytes.")
    return body


async def _read(exchange: Exchange, progress: Progress, limit: int, *, is_error: bool) -> bytes:
    """Return the body, or what came of it when it passed its *limit* or, if it *is_error*, broke off."""
    idle = progress.timeouts.idle
    blocks: list[bytes] = []
    size, now = 0, exchange.arrived
    try:
        while size <= limit:
            progress.enter("idle", now, idle)
            block = await exchange.next_block()
            blocks.append(block)
            if exchange.at_eof:
                return b"".join(blocks)
            size += len(block)
            now = exchange.time()
    except BaseException as caught:
        exchange.close()
        if not is_error or not isinstance(caught, APIConnectionError):
            raise
    exchange.close()
    return b"".join(blocks)


def error_of(exchange: Exchange, body: bytes, now: float) -> GradientError:
    """Return the error that an answer without success stands for; *now* is the wall clock's."""
    if exchange.status < HTTP_ERROR_START:
        return _redirect_error(exchange)
    return status_error(exchange.status, exchange.headers, body, now=now)


def _redirect_error(exchange: Exchange) -> ProtocolError:
    host = _host_of(exchange.headers.get("Location", "")) or "an address of its own"
    error = ProtocolError(
        f"The service redirected ({exchange.status}) to {host}. Redirects are not followed, because the prompt "
        "would go along; set base_url to that host if it is the right one."
    )
    error.request_id = request_id_of(exchange.headers)
    return error


def _host_of(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
