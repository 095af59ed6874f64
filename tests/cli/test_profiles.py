"""Profiles: what wins over what, faults in the file, and that no value is shown."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from gradient_async.cli.app import cli
from gradient_async.cli.exit_codes import ExitCode
from gradient_async.cli.profiles import FIELDS, VARIABLES, find_config_file
from gradient_async.testing import Emulator
from tests.support.cli import Invoke

WriteConfig = Callable[[str], Path]
HI = ("chat", "Hi")


@pytest.fixture
def write_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WriteConfig:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    def write(text: str) -> Path:
        path = tmp_path / "gradient-async" / "config.toml"
        path.parent.mkdir()
        path.write_text(text)
        path.chmod(0o600)
        return path

    return write


@pytest.fixture
def alone(gradient: Emulator, write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """An emulator that only the profiles of the file name."""
    for name in ("GRADIENT_INFERENCE_ENDPOINT", "MODEL_ACCESS_KEY", "AGENT_ENDPOINT", "AGENT_ACCESS_KEY"):
        monkeypatch.delenv(name)
    write_config(
        f"""
        [profiles.default]
        api_key = "sk-default"
        base_url = "{gradient.url}"

        [profiles.work]
        api_key = "sk-work"
        base_url = "{gradient.url}"
        model = "work-model"
        agent_access_key = "agent-work"
        agent_endpoint = "{gradient.agent_url}"
        timeout = 30
        headers = {{X-Team = "search", X-Other = "a"}}
        """
    )
    return gradient


def sent_key(gradient: Emulator) -> str:
    return gradient.requests[-1].headers["Authorization"].removeprefix("Bearer ")


def test_the_default_profile_is_used_without_being_named(alone: Emulator, invoke: Invoke) -> None:
    result = invoke(*HI)
    assert (result.exit_code, sent_key(alone), result.stderr) == (0, "sk-default", "")


@pytest.mark.parametrize("args", [(*HI, "--profile", "work"), ("--profile", "work", *HI)])
def test_a_profile_is_named_by_an_option(args: tuple[str, ...], alone: Emulator, invoke: Invoke) -> None:
    assert invoke(*args).exit_code == 0
    assert (sent_key(alone), alone.requests[0].json["model"]) == ("sk-work", "work-model")
    assert alone.requests[0].headers["X-Team"] == "search"


def test_a_profile_is_named_by_the_environment(
    alone: Emulator, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIENT_PROFILE", "work")
    invoke(*HI, "--agent")
    assert sent_key(alone) == "agent-work"
    invoke(*HI, "--profile", "default")
    assert sent_key(alone) == "sk-default"


def test_the_environment_wins_over_a_profile_and_an_option_over_both(
    alone: Emulator, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", "dop_v1_environment")
    monkeypatch.setenv("GRADIENT_MODEL", "environment-model")
    result = invoke(*HI, "--profile", "work")
    assert (sent_key(alone), alone.requests[-1].json["model"]) == ("dop_v1_environment", "environment-model")
    assert "DIGITALOCEAN_TOKEN is set: api_key of the profile 'work' is not used." in result.stderr
    invoke(*HI, "--profile", "work", "--model", "option-model", "--header", "x-team: mine")
    seen = alone.requests[-1]
    assert (seen.json["model"], seen.headers["X-Team"], seen.headers["X-Other"]) == ("option-model", "mine", "a")


def test_a_key_of_the_environment_that_goes_to_an_address_of_the_profile_is_noted(
    alone: Emulator, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_ACCESS_KEY", "sk-environment")
    assert "MODEL_ACCESS_KEY is set: api_key of the profile 'default' is not used." in invoke(*HI).stderr
    monkeypatch.setenv("GRADIENT_INFERENCE_ENDPOINT", alone.url)
    assert invoke(*HI).stderr == ""


def test_a_profile_limits_the_time_of_a_request_unless_an_option_does(
    gradient: Emulator, invoke: Invoke, write_config: WriteConfig
) -> None:
    write_config("[profiles.default]\ntimeout = 0.1")
    gradient.stall(0.3, times=2, path="/v1/models")
    assert "in time" in invoke("models").stderr
    assert invoke("models", "--timeout", "30").exit_code == 0


def test_the_environment_is_restored_after_a_command(alone: Emulator, invoke: Invoke) -> None:
    before = dict(os.environ)
    invoke(*HI, "--profile", "work")
    invoke(*HI, "--profile", "work", "--temperature", "9")
    assert dict(os.environ) == before


def test_the_doctor_names_the_profile_and_its_fields_without_their_values(alone: Emulator, invoke: Invoke) -> None:
    shown = invoke("doctor", "--profile", "work")
    report = invoke("doctor", "--profile", "work", "--json")
    assert "  profile            work\n" in shown.stdout
    assert "api_key of the profile 'work'" in shown.stdout
    assert json.loads(report.stdout)["profile"] == "work"
    assert json.loads(report.stdout)["settings"][0]["used"] == "api_key of the profile 'work'"
    assert "sk-work" not in shown.output + report.output


def test_an_error_names_the_field_and_not_the_variable(invoke: Invoke, write_config: WriteConfig) -> None:
    write_config('[profiles.default]\napi_key = "sk-sec ret"')
    result = invoke(*HI)
    assert result.exit_code == ExitCode.USAGE
    assert "api_key of the profile 'default'" in result.stderr
    assert "MODEL_ACCESS_KEY" not in result.stderr
    assert "sec ret" not in result.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[profiles.work", "is not TOML"),
        ("[profiles.work]\nkey = 'sk-secret'", "has no field 'key'; its fields: api_key, base_url"),
        ("[profiles.work]\napi_key = 1234", "api_key must be a text"),
        ("[profiles.work]\napi_key = ' '", "api_key must be a text"),
        ("[profiles.work]\ntimeout = 'sk-secret'", "timeout must be a number"),
        ("[profiles.work]\ntimeout = 0", "timeout must be a number"),
        ("[profiles.work]\ntimeout = true", "timeout must be a number"),
        ("[profiles.work]\nheaders = {X = 1}", "headers must be a table"),
        ("[work]\napi_key = 'sk-secret'", "[profiles.default]"),
        ("profiles = 3", "[profiles.default]"),
        ("[profiles]\nwork = 'sk-secret'", "[profiles.default]"),
        ("[profiles.other]\n[profiles.third]", "There is no profile 'work'"),
    ],
)
def test_a_fault_in_the_file_is_a_usage_error_without_values(
    text: str, message: str, gradient: Emulator, invoke: Invoke, write_config: WriteConfig
) -> None:
    write_config(text)
    result = invoke(*HI, "--profile", "work")
    assert (result.exit_code, gradient.requests) == (ExitCode.USAGE, [])
    assert message in " ".join(result.stderr.split())
    assert "secret" not in result.stderr


def test_a_file_may_begin_with_a_byte_order_mark(gradient: Emulator, invoke: Invoke, write_config: WriteConfig) -> None:
    write_config("\ufeff[profiles.default]\nmodel = 'marked'")
    assert (invoke(*HI).exit_code, gradient.requests[0].json["model"]) == (0, "marked")


def test_a_named_profile_needs_the_file(gradient: Emulator, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIENT_PROFILE", "work")
    result = invoke(*HI)
    assert (result.exit_code, "the file does not exist" in result.stderr) == (ExitCode.USAGE, True)


def test_help_needs_no_valid_file(invoke: Invoke, write_config: WriteConfig) -> None:
    write_config("not TOML")
    assert invoke("chat", "--help").exit_code == 0


@pytest.mark.skipif(os.name != "posix", reason="needs the permissions of POSIX")
@pytest.mark.parametrize(
    ("mode", "text", "warned"),
    [(0o600, 'api_key = "k"', False), (0o640, 'api_key = "k"', True), (0o644, 'model = "m"', False)],
)
def test_keys_that_others_can_read_are_warned_about(
    mode: int, text: str, warned: bool, gradient: Emulator, invoke: Invoke, write_config: WriteConfig
) -> None:
    path = write_config(f"[profiles.default]\n{text}")
    path.chmod(mode)
    assert (f"chmod 600 {path}" in invoke("models").stderr) == warned


@pytest.mark.parametrize("folder", ["", "relative"])
def test_the_current_directory_never_holds_the_file(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", folder)
    assert find_config_file().is_absolute()


def test_the_shell_completes_profiles(alone: Emulator) -> None:
    complete = ShellComplete(cli, {}, "gradient-async", "_GRADIENT_ASYNC_COMPLETE")
    assert [each.value for each in complete.get_completions(["chat", "--profile"], "w")] == ["work"]


def test_the_documentation_lists_every_field() -> None:
    page = (Path(__file__).parents[2] / "docs" / "command_line.md").read_text()
    assert [field for field in FIELDS if f"`{field}`" not in page] == []
    assert [names[0] for names in VARIABLES.values() if f"`{names[0]}`" not in page] == []
