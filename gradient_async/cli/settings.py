"""Where the command line takes its configuration from, by name; values stay where they are.

Contract: pure; the environment is an argument. Nothing here returns or shows a key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import attrs

from gradient_async._protocol.http import credentials
from gradient_async._protocol.http.credentials import Setting
from gradient_async.errors import ConfigurationError

DEFAULT_MODEL = "llama3.3-70b-instruct"
MODEL_VARIABLE = "GRADIENT_MODEL"


@attrs.frozen(kw_only=True)
class Lookup:
    """One setting, as it was looked up.

    Attributes:
        name: What it is.
        tried: The environment variables it may come from, the first one that is set wins.
        found: Those that are set.
        problem: Why it cannot be used, None if it can or is not set.
    """

    name: str
    tried: tuple[str, ...]
    found: tuple[str, ...]
    problem: str | None = None
    value: str | None = attrs.field(default=None, repr=False)

    @property
    def used(self) -> str | None:
        """The variable that wins."""
        return self.found[0] if self.found else None


def inference_key(environ: Mapping[str, str]) -> Lookup:
    """Look up the key for the serverless models."""
    return _lookup("inference key", credentials.INFERENCE_KEYS, environ, _find_key)


def agent_key(environ: Mapping[str, str]) -> Lookup:
    """Look up the key for the agent."""
    return _lookup("agent key", credentials.AGENT_KEYS, environ, _find_key)


def inference_endpoint(environ: Mapping[str, str]) -> Lookup:
    """Look up the address of the serverless models; without one, `value` is the documented address."""
    lookup = _lookup("inference address", credentials.INFERENCE_ENDPOINTS, environ, _find_address)
    return lookup if lookup.found else attrs.evolve(lookup, value=credentials.DEFAULT_BASE_URL)


def agent_endpoint(environ: Mapping[str, str]) -> Lookup:
    """Look up the address of the agent."""
    return _lookup("agent address", credentials.AGENT_ENDPOINTS, environ, _find_address)


def lookups(environ: Mapping[str, str]) -> Iterator[Lookup]:
    """Look up everything."""
    for look_up in (inference_key, inference_endpoint, agent_key, agent_endpoint):
        yield look_up(environ)


_Find = Callable[[tuple[str, ...], Mapping[str, str]], Setting]


def _lookup(name: str, variables: tuple[str, ...], environ: Mapping[str, str], find: _Find) -> Lookup:
    found = tuple(variable for variable in variables if environ.get(variable, "").strip())
    lookup = Lookup(name=name, tried=variables, found=found)
    try:
        return attrs.evolve(lookup, value=find(variables, environ).value)
    except ConfigurationError as error:
        return attrs.evolve(lookup, problem=str(error))


def _find_key(variables: tuple[str, ...], environ: Mapping[str, str]) -> Setting:
    return credentials.find_key("api_key", None, variables, environ)


def _find_address(variables: tuple[str, ...], environ: Mapping[str, str]) -> Setting:
    return credentials.normalize_address(credentials.find_setting("base_url", None, variables, environ))
