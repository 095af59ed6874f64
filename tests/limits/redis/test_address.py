"""Addresses of servers, Sentinels and clusters."""

import pytest

from gradient_async.errors import ConfigurationError
from gradient_async.limits import RedisLimiter
from gradient_async.limits.redis.address import parse_address

SECRET = "hidden-word"


@pytest.mark.parametrize(
    ("url", "hosts", "server_url"),
    [
        ("redis+sentinel://one/s", [("one", 26379)], "redis://one:26379"),
        ("redis+sentinel://one:1,two:2/s/3", [("one", 1), ("two", 2)], "redis://one:1/3"),
        ("rediss+sentinel://u:p%40@one/s/0", [("one", 26379)], "rediss://u:p%40@one:26379/0"),
        ("redis+sentinel://[::1]:7,two/s", [("::1", 7), ("two", 26379)], "redis://[::1]:7"),
        ("redis+sentinel://one/s?ssl_ca_certs=/a&db=2", [("one", 26379)], "redis://one:26379/?ssl_ca_certs=%2Fa&db=2"),
        ("redis+cluster://one,two:8", [("one", 6379), ("two", 8)], "redis://one:6379"),
        ("rediss+cluster://:p@one:7000/0", [("one", 7000)], "rediss://:p@one:7000"),
    ],
)
def test_an_address_of_several_hosts_is_parsed(url: str, hosts: list[tuple[str, int]], server_url: str) -> None:
    address = parse_address(url)
    assert list(address.hosts) == hosts
    assert address.server_url == server_url


def test_the_sentinels_have_credentials_of_their_own() -> None:
    address = parse_address(f"redis+sentinel://u:{SECRET}@one/s?sentinel_username=a&sentinel_password=b")
    assert address.sentinel_options == {"username": "a", "password": "b"}
    assert "sentinel" not in address.server_url
    assert SECRET not in repr(address)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "not a Redis address"),
        ("localhost:6379", "not a Redis address"),
        (f"http://u:{SECRET}@host", "not a Redis address"),
        (f"redis://u:{SECRET}/x@host", "not a Redis address"),
        (f"redis://u:{SECRET}@host:port/0", "not a Redis address"),
        (f"redis://u:{SECRET}@host/0?socket_timeout=soon", "not a Redis address"),
        (f"redis://u:{SECRET}@host/0?no_such_option=1", "options that redis does not know"),
        (f"redis://u:{SECRET}@[::1/0", "not a Redis address"),
        (f"redis+other://u:{SECRET}@host", "not a Redis address"),
        (f"redis+sentinel://u:{SECRET}@one,two", "no service"),
        (f"redis+sentinel://u:{SECRET}@one/service/name", "no service"),
        (f"redis+sentinel://u:{SECRET}@one:x/service", "a host that is not one"),
        (f"redis+sentinel://u:{SECRET}@one:70000/service", "a host that is not one"),
        (f"redis+cluster://u:{SECRET}@one,,two", "a host that is not one"),
        (f"redis+cluster://u:{SECRET}@one/1", "only number 0"),
    ],
)
def test_an_address_that_cannot_work_is_refused_without_showing_it(url: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as refusal:
        RedisLimiter(url)
    assert SECRET not in str(refusal.value)
    assert refusal.value.__context__ is None
