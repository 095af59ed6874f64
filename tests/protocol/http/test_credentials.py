"""Which key goes to which host."""

import pytest

from gradient_async import ConfigurationError
from gradient_async._protocol.http.credentials import Setting, find_key, find_setting, is_loopback, normalize_address

NAMES = ("FIRST", "SECOND")


def test_an_argument_takes_precedence_over_the_environment() -> None:
    assert find_setting("api_key", "given", NAMES, {"FIRST": "x"}) == Setting("api_key", NAMES, "given", "api_key=")


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
