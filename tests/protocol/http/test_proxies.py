"""Addresses of proxies, and the proxies that an environment names."""

import pytest

from gradient_async import ConfigurationError
from gradient_async._protocol.http.proxies import choose_proxy, parse_proxy

HOST = "https://inference.do-ai.run/v1/models"
PROXY = {"https": "http://proxy:3128"}


@pytest.mark.parametrize(
    ("variables", "url", "proxy"),
    [
        ({}, HOST, None),
        (PROXY, HOST, "http://proxy:3128"),
        ({"https": "proxy:3128"}, HOST, "http://proxy:3128"),
        ({"http": "http://proxy:3128"}, HOST, None),
        ({"http": "http://proxy:3128"}, "http://localhost:8080/v1", "http://proxy:3128"),
        ({"all": "http://proxy:3128"}, HOST, "http://proxy:3128"),
        ({"all": "http://all:1", **PROXY}, HOST, "http://proxy:3128"),
        ({"https": ""}, HOST, None),
    ],
)
def test_the_proxy_of_an_address(variables: dict[str, str], url: str, proxy: str | None) -> None:
    found = choose_proxy(url, variables)
    assert (None if found is None else found.url) == proxy


@pytest.mark.parametrize(
    ("exceptions", "url", "is_excepted"),
    [
        ("*", HOST, True),
        ("do-ai.run", HOST, True),
        (".do-ai.run", HOST, True),
        ("*.do-ai.run", HOST, True),
        ("INFERENCE.do-ai.run", HOST, True),
        ("inference.do-ai.run.", HOST, True),
        ("inference.do-ai.run:443", HOST, True),
        ("inference.do-ai.run:8443", HOST, False),
        ("o-ai.run", HOST, False),
        ("example.com, do-ai.run", HOST, True),
        ("example.com do-ai.run", HOST, True),
        ("example.com", HOST, False),
        ("", HOST, False),
        (",, .", HOST, False),
        ("h:8443", "https://h:8443/x", True),
        ("h:80", "http://h/x", True),
        ("10.1.2.3", "https://10.1.2.3/x", True),
        ("10.0.0.0/8", "https://10.1.2.3/x", True),
        ("10.0.0.1/8", "https://10.1.2.3/x", True),
        ("10.0.0.0/8", "https://11.1.2.3/x", False),
        ("10.0.0.0/8", HOST, False),
        ("no/network", HOST, False),
        ("[::1]", "http://[::1]:8080/x", True),
        ("[::1]:8080", "http://[::1]:8080/x", True),
        ("[::1]:8081", "http://[::1]:8080/x", False),
        ("::1", "http://[::1]:8080/x", True),
        ("fd00::/8", "http://[fd00::7]/x", True),
    ],
)
def test_the_exceptions_of_an_environment(exceptions: str, url: str, *, is_excepted: bool) -> None:
    assert (choose_proxy(url, {"all": "proxy:3128", "no": exceptions}) is None) is is_excepted


@pytest.mark.parametrize(
    ("address", "authorization"),
    [
        ("http://proxy:3128", None),
        ("http://user:secret@proxy:3128", "Basic dXNlcjpzZWNyZXQ="),
        ("user:secret@proxy:3128", "Basic dXNlcjpzZWNyZXQ="),
        ("http://user%40x:p%3Aw@proxy", "Basic dXNlckB4OnA6dw=="),
        ("http://user@proxy", "Basic dXNlcjo="),
    ],
)
def test_the_credentials_of_a_proxy(address: str, authorization: str | None) -> None:
    proxy = parse_proxy(address)
    assert proxy.authorization == authorization
    assert "secret" not in repr(proxy)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "",
            "http://",
            "http://proxy:99999",
            "http://pro xy",
            "http://proxy:x",
            "http://u:secret\n@proxy",
            "//[secret",
        ),
        *(
            "socks5://u:secret@proxy:1080",
            "http://\u20ac:secret@proxy",
            "ftp://u:secret@proxy",
            "http://:3128",
            "http://p:0",
        ),
    ],
)
def test_what_is_not_a_proxy_is_refused_without_its_credentials(address: str) -> None:
    with pytest.raises(ConfigurationError, match=r"proxy.*http://user:password@host:3128") as caught:
        parse_proxy(address)
    assert "secret" not in str(caught.value)


def test_an_unusable_proxy_of_the_environment_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"ALL_PROXY.* socks5.*client_session"):
        choose_proxy(HOST, {"all": "socks5://proxy:1080"})
