"""Which key goes to which host."""

from urllib.parse import urlparse, urlsplit

import attrs
import httpx
import pytest
import yarl
from pydantic import AnyUrl, HttpUrl, SecretBytes, SecretStr

from gradient_async import ConfigurationError
from gradient_async._protocol.http.credentials import Setting, find_key, find_setting, is_loopback, normalize_address
from gradient_async._protocol.http.proxies import parse_proxy

NAMES = ("FIRST", "SECOND")


@attrs.frozen
class SecretBox:
    """A secret of another library, which holds one of Pydantic."""

    _content: SecretStr

    def get_secret_value(self) -> SecretStr:
        return self._content


def test_an_argument_takes_precedence_over_the_environment() -> None:
    found = find_setting("api_key", "given", NAMES, {"FIRST": "x"})
    assert (found.value, found.source) == ("given", "api_key=")


def test_the_first_variable_that_is_not_blank_is_used() -> None:
    assert find_setting("api_key", None, NAMES, {"FIRST": " ", "SECOND": "x"}).source == "SECOND"


def test_a_missing_setting_names_its_argument_and_variables() -> None:
    with pytest.raises(ConfigurationError, match=r"Pass api_key=\.\.\. or set one of FIRST, SECOND"):
        find_setting("api_key", None, NAMES, {}).require_value("A key is needed.")


def test_whitespace_around_a_key_is_stripped() -> None:
    assert find_key("api_key", " sk-do-1\n", NAMES, {}).value == "sk-do-1"


@pytest.mark.parametrize("key", ["sk\r\nX: y", "sk\0", "sk\u2028secret", "schlüssel", "two words", ""])
def test_a_key_that_cannot_be_a_header_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_key("api_key", key, NAMES, {})
    assert "secret" not in str(caught.value)
    assert not key or key not in str(caught.value)


def test_a_setting_does_not_show_its_value() -> None:
    assert "sk-do-1" not in repr(find_key("api_key", "sk-do-1", NAMES, {}))


@pytest.mark.parametrize("key", [SecretStr("sk-do-1"), SecretBox(SecretStr("sk-do-1"))])
def test_a_key_may_be_an_object_that_hides_it(key: object) -> None:
    setting = find_key("api_key", key, NAMES, {})
    assert setting.value == "sk-do-1"
    assert "sk-do-1" not in repr(setting)


@pytest.mark.parametrize(
    ("value", "advice"),
    [(b"sk", "got bytes; decode it first"), (bytearray(b"sk"), "decode it"), (SecretBytes(b"sk"), "got bytes"),
     (5, "got int"), (["sk"], "got list"), (lambda: "sk", "got function; call it first"), (str, "call it first")],
)  # fmt: skip
@pytest.mark.parametrize("argument", ["api_key", "base_url"])
def test_a_setting_of_another_type_is_refused(argument: str, value: object, advice: str) -> None:
    with pytest.raises(ConfigurationError, match=advice) as caught:
        find_setting(argument, value, NAMES, {})
    assert f"{argument}= must be text" in str(caught.value)


@pytest.mark.parametrize(
    ("key", "advice"),
    [("https://inference.do-ai.run", "base_url="), ("http://localhost/v1", "is an address"),
     ("Bearer sk-do-1", "begins with Bearer"), ("bearer sk-do-1", "begins with Bearer"),
     ('"sk-do-1"', "quotation marks"), ("'sk-do-1'", "quotation marks"), ("`sk-do-1`", "quotation marks"),
     ("<your key>", "placeholder"), ("$MODEL_ACCESS_KEY", "placeholder"), ("${MODEL_ACCESS_KEY}", "placeholder"),
     ("{{ key }}", "placeholder"), ("%KEY%", "placeholder")],
)  # fmt: skip
def test_what_is_taken_for_a_key_is_named(key: str, advice: str) -> None:
    with pytest.raises(ConfigurationError, match=f"from SECOND.*{advice}") as caught:
        find_key("api_key", None, NAMES, {"SECOND": key})
    assert "sk-do-1" not in str(caught.value)


@pytest.mark.parametrize("key", ["abc+/=", "a:b", "sk_live-1.2~3", "ey.J0.x_y", "a'b", "100%"])
def test_a_key_of_another_form_is_taken(key: str) -> None:
    assert find_key("api_key", key, NAMES, {}).value == key


def normalized_url(address: str, *, allow_insecure: bool = False) -> str | None:
    return normalize_address(Setting("base_url", (), address, "base_url="), allow_insecure=allow_insecure).value


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://inference.do-ai.run", "https://inference.do-ai.run"),
        ("https://inference.do-ai.run/", "https://inference.do-ai.run"),
        ("https://inference.do-ai.run/v1", "https://inference.do-ai.run"),
        ("https://inference.do-ai.run/v1/", "https://inference.do-ai.run"),
        ("https://x.agents.do-ai.run/api/v1", "https://x.agents.do-ai.run"),
        ("x.agents.do-ai.run", "https://x.agents.do-ai.run"),
        ("x.agents.do-ai.run/api/v1/", "https://x.agents.do-ai.run"),
        (" https://gateway.example/team/a/v1 ", "https://gateway.example/team/a"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://localhost:8000/v1", "http://localhost:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://bücher.example.", "https://bücher.example."),
    ],
)
def test_an_address_is_normalized(address: str, expected: str) -> None:
    assert normalized_url(address) == expected


@pytest.mark.parametrize(
    "address",
    [
        yarl.URL("https://host.example/team/v1"),
        httpx.URL("https://host.example/team/v1/"),
        AnyUrl("https://host.example/team/v1"),
        HttpUrl("https://host.example/team"),
        urlsplit("https://host.example/team/v1"),
        urlparse("https://host.example/team/"),
        SecretStr("host.example/team"),
    ],
    ids=lambda address: f"{type(address).__module__}.{type(address).__name__}",
)
def test_an_address_may_be_a_url_object(address: object) -> None:
    found = find_setting("base_url", address, NAMES, {})
    assert normalize_address(found).value == "https://host.example/team"
    assert parse_proxy(address).url.removesuffix("/").removesuffix("/v1").endswith("://host.example/team")


@pytest.mark.parametrize(
    ("address", "endpoint", "base"),
    [
        ("https://inference.do-ai.run/v1/chat/completions", "/v1/chat/completions", "https://inference.do-ai.run"),
        ("inference.do-ai.run/v1/chat/completions/", "/v1/chat/completions", "https://inference.do-ai.run"),
        ("https://h/chat/completions", "/chat/completions", "https://h"),
        ("https://h/team/v1/messages", "/v1/messages", "https://h/team"),
        ("https://h/v1/responses?x=1", "/v1/responses", "https://h"),
        ("https://h/v1/models/llama", "/v1/models/llama", "https://h"),
        ("https://h/v1/images/generations", "/v1/images/generations", "https://h"),
        ("https://h/v1/batches/files", "/v1/batches/files", "https://h"),
        ("https://a.agents.do-ai.run/api/v1/chat/completions?agent=true", "/api/v1/chat/completions",
         "https://a.agents.do-ai.run"),
    ],
)  # fmt: skip
def test_the_address_of_an_endpoint_is_refused_with_the_one_to_give(address: str, endpoint: str, base: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        normalized_url(address)
    assert f"ends with {endpoint}," in str(caught.value)
    assert f"give {base} instead" in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "https://h/models",
        "https://h/v1/account/gateway/openai",
        "https://h/responses",
        "https://h/chat",
        "https://h/v2",
    ],
)
def test_the_prefix_of_a_gateway_is_kept(address: str) -> None:
    assert normalized_url(address) == address


@pytest.mark.parametrize("address", ["http://example.com", "http://10.0.0.1:80", "http://127.0.0.1.example.com"])
def test_plain_http_to_another_machine_needs_allow_insecure(address: str) -> None:
    with pytest.raises(ConfigurationError, match="allow_insecure"):
        normalized_url(address)
    assert normalized_url(address, allow_insecure=True) == address


@pytest.mark.parametrize(
    "address",
    ["", "https://", "ftp://host", "https://host:port", "https://host:99999", "https://u:p@host", "https://host?x=1",
     "https://host#f", "https://ho st", "https://[::1", "https://host\r\nX", "https://a..b", "https://host\\x",
     f"https://{'x' * 64}.example"],
)  # fmt: skip
def test_a_malformed_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match="address"):
        normalized_url(address)


@pytest.mark.parametrize(
    ("host", "expected"), [("localhost", True), ("127.9.9.9", True), ("::1", True), ("10.0.0.1", False), ("x", False)]
)
def test_loopback_is_this_machine(host: str, *, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize("word", ["sk-do-secret", "secret/", "secret/v1"])
def test_a_single_word_is_refused_as_a_host_because_it_may_be_a_key(word: str) -> None:
    with pytest.raises(ConfigurationError, match="may be a key") as caught:
        normalized_url(word)
    assert "secret" not in str(caught.value)
