"""Who is served: tokens in each place where SDKs put them, and without tokens programs of this machine only."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping

import pytest
from multidict import CIMultiDict

from gradient_async.gateway.access import AccessPolicy, is_loopback


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "app.localhost", "127.0.0.1", "127.8.9.1", "::1", "[::1]"])
def test_these_hosts_are_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "192.168.0.2", "localhost.evil.example", "127.0.0.1.nip.io"])
def test_these_hosts_can_be_reached_from_elsewhere(host: str) -> None:
    assert not is_loopback(host)


def find_status(policy: AccessPolicy, headers: Mapping[str, str]) -> int | None:
    refusal = policy.find_refusal(CIMultiDict(headers))
    return refusal[0] if refusal else None


PASSWORD = base64.b64encode(b"anyone:two").decode()
PLACES = [
    {"Authorization": "Bearer two"},
    {"authorization": "bearer  two"},
    {"X-Api-Key": "two"},
    {"Api-Key": "two"},
    {"Authorization": f"Basic {PASSWORD}"},
    {"Authorization": "Bearer placeholder", "X-Api-Key": "two"},
]


@pytest.mark.parametrize("headers", PLACES)
def test_a_token_is_found_wherever_an_sdk_puts_it(headers: dict[str, str]) -> None:
    assert find_status(AccessPolicy(["one", "two"]), {"Host": "gateway.example", **headers}) is None


WRONG = [
    {},
    {"Authorization": "Bearer "},
    {"Authorization": "Bearer tw"},
    {"Authorization": "two"},
    {"Authorization": "Basic two"},
    {"Authorization": "Basic é"},
    {"X-Api-Key": "TWO"},
    {"Cookie": "token=two"},
]


@pytest.mark.parametrize("headers", WRONG)
def test_anything_else_is_refused(headers: dict[str, str]) -> None:
    assert find_status(AccessPolicy(["one", "two"]), {"Host": "127.0.0.1", **headers}) == 401


def test_every_token_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[tuple[int, int]] = []

    def compare(one: bytes, other: bytes) -> bool:
        lengths.append((len(one), len(other)))
        return one == other

    policy = AccessPolicy(["one", "much-longer", "three"])
    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert find_status(policy, {"X-Api-Key": "one"}) is None
    assert lengths == [(32, 32)] * 3


def test_no_token_is_shown() -> None:
    assert "s3cret" not in repr(AccessPolicy(["s3cret"]))


LOCAL = [
    {"Host": "127.0.0.1:8090"},
    {"Host": "localhost:8090", "Origin": "http://localhost:3000"},
    {"Host": "[::1]:8090", "Authorization": "Bearer anything"},
]


@pytest.mark.parametrize("headers", LOCAL)
def test_without_tokens_programs_of_this_machine_are_served(headers: dict[str, str]) -> None:
    assert find_status(AccessPolicy(), headers) is None


FOREIGN = [
    {"Host": "rebound.example:8090"},
    {"Host": ""},
    {"Host": "127.0.0.1:8090", "Origin": "https://evil.example"},
    {"Host": "127.0.0.1:8090", "Origin": "null"},
    {"Host": "[::1", "Origin": "http://localhost"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_without_tokens_web_pages_are_refused(headers: dict[str, str]) -> None:
    assert find_status(AccessPolicy(), headers) == 403
