"""Proxies that the environment names."""

import pytest

from gradient_async._io.http.proxies import find_environment_proxy

HOST = "https://inference.do-ai.run/v1/models"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name.upper()}_PROXY", raising=False)


@pytest.mark.parametrize(
    ("variables", "url", "proxy"),
    [
        ({}, HOST, None),
        ({"HTTPS_PROXY": "http://proxy:3128"}, HOST, "http://proxy:3128"),
        ({"https_proxy": "http://proxy:3128"}, HOST, "http://proxy:3128"),
        ({"HTTPS_PROXY": "proxy:3128"}, HOST, "http://proxy:3128"),
        ({"HTTP_PROXY": "http://proxy:3128"}, HOST, None),
        ({"HTTP_PROXY": "http://proxy:3128"}, "http://localhost:8080/v1", "http://proxy:3128"),
        ({"ALL_PROXY": "http://proxy:3128"}, HOST, "http://proxy:3128"),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "do-ai.run"}, HOST, None),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "*"}, HOST, None),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "example.com"}, HOST, "http://proxy:3128"),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "h:8443"}, "https://h:8443/x", None),
        ({"HTTPS_PROXY": ""}, HOST, None),
    ],
)
def test_the_proxy_of_an_address(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], url: str, proxy: str | None
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert find_environment_proxy(url) == proxy
