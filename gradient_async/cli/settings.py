"""Settings of the command line, looked up in environment variables by name.

Contract: pure; the environment is an argument. Nothing here returns or prints a key.
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
class SettingLookup:
    """Result of looking up one setting.

    Attributes:
        name: Name of the setting, as the doctor prints it.
        tried: Environment variables that may hold it, in order of precedence.
        found: Those of them that are set.
        problem: Reason why the value cannot be used, None if it can or if no variable is set.
        value: Address, or None for a key that is not set; hidden in ``repr``.
    """

    name: str
    tried: tuple[str, ...]
    found: tuple[str, ...]
    problem: str | None = None
    value: str | None = attrs.field(default=None, repr=False)

    @property
    def used(self) -> str | None:
        """The variable that takes precedence, None if none is set."""
        return self.found[0] if self.found else None


def look_up_inference_key(environ: Mapping[str, str]) -> SettingLookup:
    """Look up the key for the serverless models."""
    return _look_up("inference key", credentials.INFERENCE_KEYS, environ, _find_key)


def look_up_agent_key(environ: Mapping[str, str]) -> SettingLookup:
    """Look up the key for the agent."""
    return _look_up("agent key", credentials.AGENT_KEYS, environ, _find_key)


def look_up_inference_endpoint(environ: Mapping[str, str]) -> SettingLookup:
    """Look up the address of the serverless models; without a variable, `value` is the documented address."""
    lookup = _look_up("inference address", credentials.INFERENCE_ENDPOINTS, environ, _find_address)
    return lookup if lookup.found else attrs.evolve(lookup, value=credentials.DEFAULT_BASE_URL)


def look_up_agent_endpoint(environ: Mapping[str, str]) -> SettingLookup:
    """Look up the address of the agent."""
    return _look_up("agent address", credentials.AGENT_ENDPOINTS, environ, _find_address)


def look_up_settings(environ: Mapping[str, str]) -> Iterator[SettingLookup]:
    """Look up all settings."""
    yield look_up_inference_key(environ)
    yield look_up_inference_endpoint(environ)
    yield look_up_agent_key(environ)
    yield look_up_agent_endpoint(environ)


_Find = Callable[[tuple[str, ...], Mapping[str, str]], Setting]


def _look_up(name: str, variables: tuple[str, ...], environ: Mapping[str, str], find: _Find) -> SettingLookup:
    found = tuple(variable for variable in variables if environ.get(variable, "").strip())
    lookup = SettingLookup(name=name, tried=variables, found=found)
    try:
        return attrs.evolve(lookup, value=find(variables, environ).value)
    except ConfigurationError as error:
        return attrs.evolve(lookup, problem=str(error))


def _find_key(variables: tuple[str, ...], environ: Mapping[str, str]) -> Setting:
    return credentials.find_key("api_key", None, variables, environ)


def _find_address(variables: tuple[str, ...], environ: Mapping[str, str]) -> Setting:
    return credentials.normalize_address(credentials.find_setting("base_url", None, variables, environ))
