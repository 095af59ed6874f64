"""Saves the file that an open response holds.

Contract: streamed, so memory does not grow with the body, and nothing blocks the loop. Bytes go to a file beside the
target; the complete, synced file is renamed to its name. So the target is the old file or the whole new one, never a
part. However saving ends, the connection is released and no partial file stays.
"""

from __future__ import annotations

import os
import uuid
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import BinaryIO

from gradient_async._io.batch.threads import run_in_thread
from gradient_async._io.http.exchange import MAX_JSON_BYTES
from gradient_async._io.http.reply import Reply
from gradient_async._io.stream.idle_watchdog import IdleWatchdog
from gradient_async._protocol.http.media_body import empty_file_error, names_file, read_media_file
from gradient_async.errors import ConfigurationError, GradientError, ProtocolError


def resolve_target(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file to write.

    Raises:
        ConfigurationError: The path is a directory or a device, or its directory does not exist.
    """
    target = Path(path)
    if os.path.exists(target) and not os.path.isfile(target):  # noqa: PTH110, PTH113 - these two never raise
        raise ConfigurationError(f"The file cannot be written to {os.fspath(path)!r}: it is not a plain file.")
    if not target.parent.is_dir():
        raise ConfigurationError(f"The file cannot be written to {os.fspath(path)!r}: its directory does not exist.")
    return target


async def save_body(reply: Reply, target: Path) -> int:
    """Write the file in the body of *reply* to *target*, and return its size in bytes.

    A body of another type than that of a file is read whole: it may be JSON that holds the file, or an error.

    Raises:
        APIConnectionError: The connection was lost, or a time limit ran out, before the end of the body.
        GradientError: The body is an error object, or not a file.
        OSError: The file cannot be written.
    """
    part = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}.part")
    error: BaseException | None = None
    try:
        size = await _write_part(reply, part)
        await run_in_thread(partial(os.replace, part, target))
    except BaseException as caught:
        error = caught
        if isinstance(caught, GradientError):
            caught.request_id, caught.attempts = caught.request_id or reply.meta.request_id, reply.meta.attempts
        raise
    finally:
        reply.exchange.close()
        part.unlink(missing_ok=True)
        reply.record_total(None)
        if reply.on_end is not None:
            reply.on_end(None if error else target, "error" if error else "done", error)
    return size


async def _write_part(reply: Reply, part: Path) -> int:
    """Write the file in the body to the new file *part*, and return its size in bytes."""
    watchdog = IdleWatchdog(reply.exchange)
    watchdog.start()
    content_type = reply.exchange.headers.get("Content-Type", "")
    with ExitStack() as opened:  # closes the file also if the task is cancelled while a thread opens it
        opened.callback(watchdog.stop)
        file = await run_in_thread(partial(_create_file, part, opened))
        if names_file(content_type):
            size = await _copy_blocks(watchdog, file)
        else:
            content = read_media_file(await _read_whole(watchdog), content_type).content
            size = await run_in_thread(partial(file.write, content))
        await run_in_thread(partial(_sync_file, file))
    return size


async def _copy_blocks(watchdog: IdleWatchdog, file: BinaryIO) -> int:
    """Write every block of the body to *file*, and return their size."""
    size = 0
    while block := await watchdog.read_block():
        await run_in_thread(partial(file.write, block))
        size += len(block)
    if watchdog.lost is not None:
        raise watchdog.lost
    if not size:
        raise empty_file_error()
    return size


async def _read_whole(watchdog: IdleWatchdog) -> bytes:
    """Return the body, which has at most `MAX_JSON_BYTES`."""
    blocks, size = [b""], 0
    while (block := await watchdog.read_block()) and size <= MAX_JSON_BYTES:
        blocks.append(block)
        size += len(block)
    if watchdog.lost is not None:
        raise watchdog.lost
    if size > MAX_JSON_BYTES:
        raise ProtocolError(f"The service sent a body of more than {MAX_JSON_BYTES} bytes.")
    return b"".join(blocks)


def _create_file(path: Path, opened: ExitStack) -> BinaryIO:
    return opened.enter_context(open(path, "xb"))  # noqa: PTH123 - the mode that never follows a link


def _sync_file(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
