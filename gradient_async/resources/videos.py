"""Videos: jobs that generate one from a prompt, and their files.

Source: ``POST /v1/videos``, ``GET /v1/videos/{video_id}`` and its ``/content`` of the serverless reference.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar, Unpack

from gradient_async._io.batch.poller import poll_to_end
from gradient_async._io.deadline_timer import get_loop
from gradient_async._protocol.batch.poll_schedule import Poll
from gradient_async._protocol.http.media_body import read_media_file
from gradient_async._protocol.http.timeouts import Timeouts, limit_total
from gradient_async._protocol.requests.videos import (
    build_content_request,
    build_state_request,
    build_video_error,
    build_video_request,
    content_retry_delay,
    read_video,
)
from gradient_async.errors import APIConnectionError, APIStatusError, GradientError
from gradient_async.models.media_file import MediaFile
from gradient_async.models.video import Video
from gradient_async.params import VideoParams
from gradient_async.resources.base import Resource

T = TypeVar("T")
_POLL = Poll(first=2.0, longest=15.0)


class Videos(Resource):
    """``session.videos``.

    Example::

        video = await session.videos.create(model="wan2-2-t2v-a14b", prompt="Waves on a beach at sunset")
        await session.videos.wait(video.id, timeout=900)
        await session.videos.download(video.id, "waves.mp4")
    """

    async def create(self, *, timeout: float | Timeouts | None = None, **params: Unpack[VideoParams]) -> Video:
        """Start a video.

        Args:
            timeout: Seconds for the whole call, or a `Timeouts` for each part of it.
            **params: Documented parameters; any other keyword goes into the body unchanged.

        Returns:
            The `Video` in its first state, usually ``queued``.

        Raises:
            ConfigurationError: The call cannot work; nothing was sent.
            APIStatusError: The service refused the request; the subclass says why.
            APIConnectionError: No response came.
            ProtocolError: The response is not a video.
        """
        request = build_video_request(params, timeouts=self._timeouts.override_with(timeout))
        return await self._pipeline.send_and_decode(request, self._target(), read_video)

    async def retrieve(self, video_id: str, *, timeout: float | Timeouts | None = None) -> Video:
        """Return the current state of a video.

        Args:
            video_id: The id that `create` returned.
            timeout: Seconds for the whole call, or a `Timeouts` for each part of it.

        Raises:
            APIStatusError: The service refused the request; the subclass says why.
            APIConnectionError: No response came.
        """
        request = build_state_request(video_id, timeouts=self._timeouts.override_with(timeout))
        return await self._pipeline.send_and_decode(request, self._target(), read_video)

    async def wait(
        self, video_id: str, *, timeout: float | None = None, poll: Poll = _POLL, check: bool = True
    ) -> Video:
        """Poll a video until it has ended.

        Args:
            video_id: The id that `create` returned.
            timeout: Seconds in total; None for no limit.
            poll: Seconds between two polls; they grow with the age of the video.
            check: Whether an end other than ``completed`` raises.

        Returns:
            The ended `Video`; `content` and `download` fetch its file.

        Raises:
            VideoFailedError: The video failed; the message has the reason if the service gives one.
            APITimeoutError: The video has not ended in time; it goes on at the service.
            APIStatusError: The service refused to return the video.
        """
        video = await poll_to_end(partial(self._poll_once, video_id), poll, timeout, subject="video")
        if check and not video.is_completed:
            raise build_video_error(video)
        return video

    async def content(self, video_id: str, *, timeout: float | Timeouts | None = None) -> MediaFile:
        """Return the file of a video that has completed.

        Its bytes are in memory, at most 64 MiB; `download` writes a file of any size to disk. A 5xx for a video that
        has completed passes, so the content is asked for again, up to five times. As for polls, the attempts of the
        `RetryPolicy` count for each request alone.

        Args:
            video_id: The id that `create` returned.
            timeout: Seconds for the whole call, or a `Timeouts` for each part of it.

        Raises:
            VideoFailedError: The video failed; the message has the reason if the service gives one.
            APIStatusError: The service refused the request; the subclass says why.
            APIConnectionError: No response came, or not all of it.
            ProtocolError: The response is not a file.
        """
        return await self._fetch_content(video_id, self._timeouts.override_with(timeout), self._read_content)

    async def download(
        self, video_id: str, path: str | os.PathLike[str], *, timeout: float | Timeouts | None = None
    ) -> Path:
        """Save the file of a video that has completed, and return its path.

        The file is streamed to disk. An older file at *path* is replaced when all of the new one has arrived.

        Args:
            video_id: The id that `create` returned.
            path: Path of the file.
            timeout: Seconds for the whole call, or a `Timeouts` for each part of it.

        Raises:
            ConfigurationError: *path* cannot be the path of a file; nothing was sent.
            OSError: The file cannot be written.
            GradientError: As for `content`.
        """
        from gradient_async._io.stream.body_file import resolve_target  # many programs never save a video

        save = partial(self._save_content, target=resolve_target(path))
        return await self._fetch_content(video_id, self._timeouts.override_with(timeout), save)

    async def _fetch_content(
        self, video_id: str, timeouts: Timeouts, fetch: Callable[[str, Timeouts], Awaitable[T]]
    ) -> T:
        """Call *fetch*, again and again while the service fails to send a video that has completed."""
        clock = get_loop().time
        deadline = math.inf if timeouts.total is None else clock() + timeouts.total
        requests = 0
        while True:
            try:
                return await fetch(video_id, limit_total(timeouts, deadline - clock()))
            except (APIConnectionError, APIStatusError) as caught:
                error = caught.with_traceback(None)
            requests += max(error.attempts, 1)
            delay = await self._find_delay(video_id, error, requests, limit_total(timeouts, deadline - clock()))
            if delay is None or delay >= deadline - clock():
                raise error
            await asyncio.sleep(delay)

    async def _find_delay(
        self, video_id: str, error: APIConnectionError | APIStatusError, requests: int, timeouts: Timeouts
    ) -> float | None:
        """Return the seconds until the content is asked for again, None to give up.

        Raises:
            VideoFailedError: The video has failed, so there is no content.
        """
        if isinstance(error, APIConnectionError):
            return self._pipeline.retry.next_delay(
                error,
                attempt=requests,
                idempotent=True,
                remaining=timeouts.total or math.inf,
                chance=random.random(),  # noqa: S311 - jitter, no secret
            )
        video = await self._find_state(video_id, timeouts)
        if video is not None and video.is_failed:
            raise build_video_error(video)
        return None if video is None else content_retry_delay(error, video, requests)

    async def _find_state(self, video_id: str, timeouts: Timeouts) -> Video | None:
        """Return the state of a video, None if the service does not tell it."""
        try:
            return await self.retrieve(video_id, timeout=timeouts)
        except GradientError:
            return None

    async def _read_content(self, video_id: str, timeouts: Timeouts) -> MediaFile:
        request = build_content_request(video_id, timeouts=timeouts)
        return await self._pipeline.send_and_decode_typed(request, self._target(), read_media_file)

    async def _save_content(self, video_id: str, timeouts: Timeouts, target: Path) -> Path:
        from gradient_async._io.stream.body_file import save_body

        request = build_content_request(video_id, timeouts=timeouts, stream=True)
        await save_body(await self._pipeline.build_opener(request, self._target())(), target)
        return target

    async def _poll_once(self, video_id: str, remaining: float | None) -> Video:
        """Return the state of a video within *remaining* seconds."""
        timeouts = self._timeouts.override_with(remaining)
        request = build_state_request(video_id, timeouts=timeouts, priority="bulk")
        return await self._pipeline.send_and_decode(request, self._target(), read_video)
