"""Profiles: keys, addresses and defaults from a file, in the place of environment variables that are not set.

    [profiles.work]
    api_key = "..."
    model = "openai-gpt-oss-120b"
    headers = {X-Team = "search"}

Contract: an option wins over the environment, the environment over the profile. No value is printed. The file lies in
the platform's folder for configuration, never in the current directory, which may belong to somebody else.

A profile becomes variables of this process until the command ends, so that whatever reads the environment follows it.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs
import click

from gradient_async._protocol.http import credentials
from gradient_async.cli.settings import MODEL_VARIABLE

PROFILE_VARIABLE = "GRADIENT_PROFILE"
DEFAULT_PROFILE = "default"
VARIABLES: dict[str, tuple[str, ...]] = {
    "api_key": credentials.INFERENCE_KEYS,
    "base_url": credentials.INFERENCE_ENDPOINTS,
    "agent_access_key": credentials.AGENT_KEYS,
    "agent_endpoint": credentials.AGENT_ENDPOINTS,
    "model": (MODEL_VARIABLE,),
    "proxy": ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"),
}
"""The variables that a field stands for, in order of precedence."""
FIELDS = (*VARIABLES, "timeout", "headers")
_ADDRESSES = {"api_key": "base_url", "agent_access_key": "agent_endpoint"}
"""The fields that hold keys, and where those are sent."""


@attrs.frozen
class Profile:
    """One profile.

    Attributes:
        name: Its name in the file.
        path: The file.
        texts: The fields that stand for variables.
        timeout: Seconds for each request, None for the library's limit.
        headers: Headers of every request.
    """

    name: str
    path: Path
    texts: dict[str, str] = attrs.field(repr=False)
    timeout: float | None = None
    headers: dict[str, str] = attrs.field(factory=dict, repr=False)

    def find_variables(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the variables to set, by field: those of which neither they nor their other names are set."""
        return {
            field: VARIABLES[field][0]
            for field in self.texts
            if not any(environ.get(name, "").strip() for name in VARIABLES[field])
        }


@attrs.frozen
class AppliedProfile:
    """A profile in use.

    Attributes:
        profile: The profile.
        variables: The variables that it has set, by field.
    """

    profile: Profile
    variables: dict[str, str]

    def list_sources(self) -> dict[str, str]:
        """Return a description of the field that each variable has its value from."""
        return {name: f"{field} of the profile {self.profile.name!r}" for field, name in self.variables.items()}

    def name_fields(self, text: str) -> str:
        """Return the message *text* with the fields in the place of variables that they have set."""
        for variable, source in self.list_sources().items():
            text = text.replace(f"from {variable}", f"from {source}")
        return text


def find_config_file() -> Path:
    """Return the path of the configuration file."""
    folder = Path(click.get_app_dir("gradient-async"))
    if not folder.is_absolute():  # XDG_CONFIG_HOME is empty or relative, which its specification has ignored
        folder = Path.home() / ".config" / "gradient-async"
    return folder / "config.toml"


def find_profile(name: str | None, environ: Mapping[str, str]) -> Profile | None:
    """Return the profile *name*, else that of ``GRADIENT_PROFILE``, else ``default``; None if nobody asked for one.

    Raises:
        click.UsageError: The profile does not exist, or the file cannot be used.
    """
    path, wanted = find_config_file(), name or environ.get(PROFILE_VARIABLE, "").strip()
    profiles = read_profiles(path)
    chosen = wanted or DEFAULT_PROFILE
    if chosen in profiles:
        _warn_if_shared(path, profiles)
        return parse_profile(chosen, path, profiles[chosen])
    if not wanted:
        return None
    known = f"it has: {', '.join(map(repr, profiles)) or 'none'}" if path.exists() else "the file does not exist"
    raise click.UsageError(f"There is no profile {wanted!r} in {path}: {known}.")


def read_profiles(path: Path) -> dict[str, dict[str, Any]]:
    """Return the tables of the file at *path*, none if it does not exist."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise click.UsageError(f"{path} cannot be read: {reason}.") from None
    import tomllib  # most commands have no file to read

    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise click.UsageError(f"{path} is not TOML: {error}.") from None
    profiles = tables.pop("profiles", {})
    if tables or not isinstance(profiles, dict) or not all(isinstance(each, dict) for each in profiles.values()):
        raise click.UsageError(f"{path}: write each profile as a table, as [profiles.{DEFAULT_PROFILE}].")
    return profiles


def parse_profile(name: str, path: Path, table: Mapping[str, Any]) -> Profile:
    """Return the profile in *table*.

    Raises:
        click.UsageError: A field is unknown, or its value is of another type.
    """
    where = f"{path}: the profile {name!r}"
    if unknown := next((field for field in table if field not in FIELDS), None):
        raise click.UsageError(f"{where} has no field {unknown!r}; its fields: {', '.join(FIELDS)}.")
    texts, timeout, headers = dict(table), table.get("timeout"), table.get("headers", {})
    for other in ("timeout", "headers"):
        texts.pop(other, None)
    if wrong := next(
        (field for field, value in texts.items() if not isinstance(value, str) or not value.strip()), None
    ):
        raise click.UsageError(f"{where}: {wrong} must be a text in quotation marks.")
    if timeout is not None and (type(timeout) not in (int, float) or not 0 < timeout < float("inf")):
        raise click.UsageError(f"{where}: timeout must be a number of seconds.")
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise click.UsageError(f'{where}: headers must be a table of texts, as {{X-Team = "search"}}.')
    return Profile(name, path, texts, timeout, headers)


def apply_profile(profile: Profile, context: click.Context, *, explain: bool) -> AppliedProfile:
    """Set the variables of *profile* until the command ends.

    With *explain*, print a line for each field that the environment overrides; always for a key, if it goes to an
    address of the profile.
    """
    variables = profile.find_variables(os.environ)
    os.environ.update({variable: profile.texts[field] for field, variable in variables.items()})
    context.find_root().call_on_close(lambda: [os.environ.pop(variable, None) for variable in variables.values()])
    for field in profile.texts:
        if field not in variables and (explain or _ADDRESSES.get(field) in variables):
            used = next(name for name in VARIABLES[field] if os.environ.get(name, "").strip())
            print_warning(f"{used} is set: {field} of the profile {profile.name!r} is not used.")
    return AppliedProfile(profile, variables)


def complete_profile(_context: click.Context, _option: click.Parameter, incomplete: str) -> Iterable[str]:
    """Return the names of profiles for the shell."""
    try:
        return [name for name in read_profiles(find_config_file()) if name.startswith(incomplete)]
    except click.UsageError:
        return []


def _warn_if_shared(path: Path, profiles: Mapping[str, Mapping[str, Any]]) -> None:
    """Warn if others may read a file that holds keys."""
    has_key = any(field in _ADDRESSES for table in profiles.values() for field in table)
    if has_key and os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        print_warning(f"{path} holds keys and can be read by others; chmod 600 {path}")


def print_warning(text: str) -> None:
    """Print a line on stderr, safe for a terminal."""
    from gradient_async.cli.terminal import remove_controls  # loads rich, which most commands need later anyway

    click.echo(remove_controls(text, sys.stderr), err=True)
