"""Headers of requests."""

from gradient_async import Timeouts
from gradient_async._protocol.requests.json_post import build_post
from gradient_async._protocol.requests.request import Request, build_headers


def test_headers_that_differ_in_case_are_sent_once() -> None:
    own = {"user-agent": "mine", "x-own": "1", "X-Own": "2", "content-type": "text/plain", "ACCEPT": "image/png"}
    stream = build_post("/v1/chat/completions", {"extra_headers": own}, stream=True, timeouts=Timeouts())
    assert build_headers(stream, "k") == {
        "Authorization": "Bearer k",
        "user-agent": "mine",
        "X-Own": "2",
        "Content-Type": "application/json",
        "Accept": "text/event-stream",
        "Accept-Encoding": "identity",
    }


def test_a_get_sends_authorization_and_user_agent_only() -> None:
    request = Request(method="GET", path="/v1/models")
    assert build_headers(request, "k") == {"Authorization": "Bearer k", "User-Agent": "gradient-async"}
