"""Requests to any path: the path stays on its host, and goes out as the wire wants it."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from gradient_async import ConfigurationError, Timeouts
from gradient_async._protocol.requests.raw import FormPart, RawBody, build_raw_request, encode_form, resolve_path

BASE = "https://inference.do-ai.run"
PREFIXED = "https://gateway.example/team"


@pytest.mark.parametrize(
    ("path", "params", "sent"),
    [
        ("/v1/models", None, "/v1/models"),
        ("/", None, "/"),
        ("/v1/a b/\u00e9", None, "/v1/a%20b/%C3%A9"),
        ("/v1/a%20b%2Fc", None, "/v1/a%20b%2Fc"),
        ("/v1/100%/x", None, "/v1/100%25/x"),
        ("/v1/a\\b", None, "/v1/a%5Cb"),
        ("/v1/chat?agent=true", None, "/v1/chat?agent=true"),
        ("/v1/x?a=b c", {"d": "e&f"}, "/v1/x?a=b%20c&d=e%26f"),
        ("/v1/x", {"a": [1, 2], "b": True, "c": None, "d": 1.5, "e": ""}, "/v1/x?a=1&a=2&b=true&d=1.5&e="),
        ("/v1/x", {"a": None}, "/v1/x"),
        ("https://inference.do-ai.run/v1/models?x=1", None, "/v1/models?x=1"),
        ("HTTPS://Inference.DO-AI.run:443/v1/models", None, "/v1/models"),
    ],
)
def test_a_path_is_sent_as_the_wire_wants_it(path: str, params: Any, sent: str) -> None:
    assert resolve_path(path, BASE, params) == sent


def test_an_address_below_a_prefix_is_its_path() -> None:
    assert resolve_path("https://gateway.example/team/v1/x", PREFIXED) == "/v1/x"


ELSEWHERE = [
    "https://evil.example/v1/models",
    "http://inference.do-ai.run/v1/models",
    "https://inference.do-ai.run:8443/v1/models",
    "https://inference.do-ai.run.evil.example/v1",
    "https://inference.do-ai.run@evil.example/v1",
    "https://user:secret@inference.do-ai.run/v1",
    "https://evil.example\\@inference.do-ai.run/v1",
    "//evil.example/v1",
    "///evil.example/v1",
    "ftp://inference.do-ai.run/v1",
    "https://[",
]


@pytest.mark.parametrize("path", ELSEWHERE)
def test_an_address_of_another_host_is_refused(path: str) -> None:
    with pytest.raises(ConfigurationError, match="the key must not go") as caught:
        resolve_path(path, BASE)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("path", ["https://gateway.example/other/v1", "https://gateway.example/teammate/v1"])
def test_an_address_beside_the_prefix_is_refused(path: str) -> None:
    with pytest.raises(ConfigurationError, match="outside"):
        resolve_path(path, PREFIXED)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("v1/models", "begin with /"),
        ("", "begin with /"),
        ("http:evil.example", "begin with /"),
        ("/v1/../admin", r"segment \. or \.\."),
        ("/v1/%2e%2E/admin", r"segment \. or \.\."),
        ("/v1/.", r"segment \. or \.\."),
        ("/v1\\..\\admin", r"segment \. or \.\."),
        ("/v1/x#y", "%23"),
        ("/v1/x\r\nHost: evil", "control character"),
        ("/v1/x\0", "control character"),
        (7, "begin with /"),
    ],
)
def test_what_is_not_a_path_is_refused(path: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        resolve_path(path, BASE)


@given(st.text(max_size=40) | st.from_regex(r"(https?:)?/{0,3}[a-z@:.\\]{0,20}/[a-z.%2eE/?]{0,20}"))
def test_a_request_never_leaves_its_host(path: str) -> None:
    try:
        sent = resolve_path(path, PREFIXED)
    except ConfigurationError:
        return
    url = URL(PREFIXED + sent, encoded=True)
    assert (url.scheme, url.raw_host, url.explicit_port, url.user) == ("https", "gateway.example", None, None)
    assert sent.isascii()
    assert url.raw_path_qs.startswith("/team/")
    assert urlsplit(PREFIXED + sent).netloc == "gateway.example"


def build(method: str = "POST", **options: Any) -> Any:
    return build_raw_request(method, "/v1/x", timeouts=Timeouts(), **options)


@pytest.mark.parametrize("value", [{"a": None}, [1, "two"], "text", 0, False, {"extra_body": 1, "stream_options": {}}])
def test_json_is_sent_as_it_is(value: Any) -> None:
    import json

    assert json.loads(build(json=value).body) == value


def test_a_json_object_is_held_to_the_quotas_of_its_model() -> None:
    request = build(json={"model": "m", "messages": [], "max_tokens": 100})
    assert request.model == "m"
    assert request.tokens > 100


@pytest.mark.parametrize(
    ("value", "sent"), [({"a": 1}, b'"stream":true'), ({"stream": False}, b'{"stream":false}'), ([1], b"[1]")]
)
def test_a_stream_is_asked_for_in_an_object_without_stream(value: Any, sent: bytes) -> None:
    assert sent in build(json=value, stream=True).body


@pytest.mark.parametrize(
    ("options", "content_type", "headers"),
    [
        ({"json": {}}, "application/json", {}),
        ({"json": {}, "headers": {"content-type": "application/x"}}, None, {"content-type": "application/x"}),
        ({"body": RawBody(content=b"", content_type="a/b")}, None, {"Content-Type": "a/b"}),
        (
            {"body": RawBody(content=b"", content_type="a/b"), "headers": {"X-A": "1"}},
            None,
            {"Content-Type": "a/b", "X-A": "1"},
        ),
    ],
)
def test_the_type_of_a_body_is_its_own_or_the_callers(
    options: dict[str, Any], content_type: str | None, headers: dict[str, str]
) -> None:
    request = build(**options)
    assert (request.content_type, dict(request.headers)) == (content_type, headers)


@pytest.mark.parametrize(
    ("method", "idempotent"), [("get", True), ("PUT", True), ("DELETE", True), ("POST", False), ("PATCH", False)]
)
def test_what_may_be_repeated(method: str, *, idempotent: bool) -> None:
    assert build(method).idempotent is idempotent


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "GET /x"}, "method"),
        ({"method": ""}, "method"),
        ({"method": None}, "method"),
        ({"method": "CONNECT"}, "method"),
        ({"json": {}, "body": RawBody(content=b"", content_type="a/b")}, "not both"),
        ({"json": {"a": b"bytes"}}, r"json\.a"),
        ({"headers": {"Authorization": "Bearer secret"}}, "Authorization"),
    ],
)
def test_what_cannot_be_sent_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        build(**options)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("params", [{"a": b"bytes"}, {"a": {"b": 1}}, [("a", "b")]])
def test_parameters_that_a_query_cannot_carry_are_refused(params: Any) -> None:
    with pytest.raises(ConfigurationError, match="params"):
        resolve_path("/v1/x", BASE, params)


def test_a_form_has_its_fields_and_files() -> None:
    parts = [
        FormPart(name='a"\r\nb', content="caf\u00e9".encode()),
        FormPart(name="file", content=b"\0\r\n--", filename='x".wav', content_type="audio/wav"),
    ]
    form = encode_form(parts, "mark")
    assert form.content_type == "multipart/form-data; boundary=mark"
    assert form.content == (
        b'--mark\r\nContent-Disposition: form-data; name="a%22%0D%0Ab"\r\n\r\ncaf\xc3\xa9\r\n'
        b'--mark\r\nContent-Disposition: form-data; name="file"; filename="x%22.wav"\r\n'
        b"Content-Type: audio/wav\r\n\r\n\0\r\n--\r\n--mark--\r\n"
    )


def test_a_form_cannot_be_broken_by_the_type_of_a_file() -> None:
    with pytest.raises(ConfigurationError, match="'file'"):
        encode_form([FormPart(name="file", content=b"", filename="x", content_type="a/b\r\nX: 1")], "mark")
