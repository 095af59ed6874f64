"""The public surface: which names the package exports."""

import subprocess
import sys
import weakref

import gradient_async


def test_all_is_sorted_and_every_name_in_it_exists() -> None:
    names = gradient_async.__all__
    assert names == sorted(names)
    assert len(set(names)) == len(names)
    assert all(hasattr(gradient_async, name) for name in names)


def test_every_name_of_the_public_contract_is_exported() -> None:
    contract = {
        "AsyncSession", "ChatStream", "ChatAccumulator", "SSEParser", "ServerSentEvent", "RateLimits", "RateLimiter",
        "RollingTokenBucket", "RetryPolicy", "Timeouts", "ChatCompletion", "ChatCompletionChunk", "GradientError",
        "ConfigurationError", "SessionClosedError", "APIConnectionError", "APITimeoutError", "APIStatusError",
        "BadRequestError", "AuthenticationError", "PaymentRequiredError", "PermissionDeniedError", "NotFoundError",
        "ConflictError", "PreconditionFailedError", "UnprocessableEntityError", "RateLimitError", "InternalServerError",
        "ProtocolError", "ResponseDecodeError", "StreamTruncatedError", "BatchError", "BatchValidationError",
        "BatchFailedError", "BatchNotReadyError", "UploadError", "MapResult",
        "ParsedCompletion", "ToolRun", "ToolStep", "ToolRoundsError", "EmbeddingList", "ImageList",
        "AsyncInvocation", "InvocationFailedError",
    }  # fmt: skip
    assert contract <= set(gradient_async.__all__)


def test_every_public_name_is_documented() -> None:
    public = [getattr(gradient_async, name) for name in gradient_async.__all__ if name != "__version__"]
    assert [item.__name__ for item in public if not item.__doc__] == []


def test_importing_the_package_loads_no_server_and_no_command_line() -> None:
    unwanted = ["click", "rich", "aiohttp.web", "redis", "gradient_async.testing", "gradient_async.cli"]
    code = f"import sys, gradient_async; print([name for name in {unwanted} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_caches_can_refer_weakly_to_public_objects_without_settings() -> None:
    made = [gradient_async.ChatAccumulator(), gradient_async.SSEParser(), gradient_async.RateLimiter()]
    assert [weakref.ref(item)() for item in made] == made


async def test_caches_can_refer_weakly_to_a_permit() -> None:
    permit = await gradient_async.RateLimiter().acquire()
    assert weakref.ref(permit)() is permit
