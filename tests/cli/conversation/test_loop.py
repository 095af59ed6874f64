"""The conversation of ``chat``: the messages of each request, the commands, and the keys of a terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Protocol

import pytest
from click.testing import Result

from gradient_async.cli import chat
from gradient_async.cli.exit_codes import ExitCode
from gradient_async.testing import Emulator
from tests.support.cli import Invoke
from tests.support.terminal import CTRL_C, CTRL_D, open_terminal
from tests.support.waiting import HANG_SECONDS


class Converse(Protocol):
    """Types lines into a conversation, then Ctrl-D."""

    def __call__(self, *lines: str, args: tuple[str, ...] = ()) -> Result: ...


@pytest.fixture
def converse(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> Converse:
    def run(*lines: str, args: tuple[str, ...] = ()) -> Result:
        keyboard = iter(lines)

        def read_line(_prompt: str) -> str:
            line = next(keyboard, None)
            if line is None:
                raise EOFError
            return line

        monkeypatch.setattr("builtins.input", read_line)
        monkeypatch.setattr(chat, "is_conversation", lambda: True)
        return invoke("chat", *args)

    return run


def sent_texts(gradient: Emulator, number: int = -1) -> list[str]:
    """Return the contents of the messages of a request, by its number."""
    return [message["content"] for message in gradient.requests[number].json["messages"]]


def test_each_request_holds_the_messages_before_it(gradient: Emulator, converse: Converse) -> None:
    gradient.reply("Lisbon.")
    gradient.reply("Half a million.")
    result = converse("Capital of Portugal?", "", "How many people?")
    assert result.exit_code == 0
    assert result.stdout == "Lisbon.\nHalf a million.\n\n"
    assert sent_texts(gradient) == ["Capital of Portugal?", "Lisbon.", "How many people?"]
    assert gradient.requests[0].json["stream"] is True


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (['"""', "def f():", "", '    return "a"', '"""'], 'def f():\n\n    return "a"'),
        (['"""one', 'two"""'], "one\ntwo"),
        (['"""one"""'], "one"),
        (["one\\", "two\\", "three"], "one\ntwo\nthree"),
        (['"""', "no end"], "no end"),
        (["one\\"], "one\n"),
        ([" /exit is a command"], "/exit is a command"),
    ],
)
def test_a_text_may_have_several_lines(lines: list[str], text: str, gradient: Emulator, converse: Converse) -> None:
    converse(*lines)
    assert sent_texts(gradient, 0) == [text.strip()]


@pytest.mark.parametrize("end", ["/exit", "/quit"])
def test_a_command_ends_the_conversation(end: str, gradient: Emulator, converse: Converse) -> None:
    assert converse(end, "Not sent.").exit_code == 0
    assert gradient.requests == []


def test_clear_forgets_the_messages_and_keeps_the_instructions(gradient: Emulator, converse: Converse) -> None:
    converse("One", "/clear", "Two", args=("--system", "Be brief."))
    assert sent_texts(gradient) == ["Be brief.", "Two"]


def test_the_instructions_and_the_model_can_be_changed(gradient: Emulator, converse: Converse) -> None:
    result = converse("/system Be kind.", "One", "/system -", "/model other", "/system", "/model", "Two")
    assert sent_texts(gradient, 0) == ["Be kind.", "One"]
    assert sent_texts(gradient)[0] == "One"
    assert gradient.requests[1].json["model"] == "other"
    assert "System instructions: none\nModel: other\n" in result.stderr


def test_retry_replaces_the_last_response(gradient: Emulator, converse: Converse) -> None:
    for text in ("first", "second", "third"):
        gradient.reply(text)
    converse("One", "/retry", "Two")
    assert sent_texts(gradient, 1) == ["One"]
    assert sent_texts(gradient, 2) == ["One", "second", "Two"]


def test_a_refused_text_is_not_in_the_next_request_and_can_be_sent_again(
    gradient: Emulator, converse: Converse
) -> None:
    gradient.fail(401)
    gradient.reply("Yes.")
    result = converse("One", "/retry", "Two")
    assert result.exit_code == 0
    assert "401" in result.stderr
    assert "/retry sends it again" in result.stderr
    assert [sent_texts(gradient, number) for number in range(3)] == [["One"], ["One"], ["One", "Yes.", "Two"]]


def test_a_failed_retry_keeps_the_response_before_it(gradient: Emulator, converse: Converse) -> None:
    gradient.reply("first")
    gradient.fail(401)
    converse("One", "/retry", "Two")
    assert sent_texts(gradient) == ["One", "first", "Two"]


def test_a_broken_response_stays_as_far_as_it_came(gradient: Emulator, converse: Converse) -> None:
    gradient.reply("One two three four five six.")
    gradient.truncate(after=3)
    converse("Count.", "Go on.")
    assert sent_texts(gradient) == ["Count.", "One two three", "Go on."]


@pytest.mark.parametrize("args", [("--no-stream",), ("--stats",)])
def test_the_options_hold_for_every_request(args: tuple[str, ...], gradient: Emulator, converse: Converse) -> None:
    gradient.reply("Lisbon.")
    result = converse("Capital?", args=(*args, "--max-tokens", "9", "-o", "top_p=0.5"))
    assert result.stdout == "Lisbon.\n\n"
    assert ("rate limit" in result.stderr) == ("--stats" in args)
    assert (gradient.requests[0].json["max_tokens"], gradient.requests[0].json["top_p"]) == (9, 0.5)


def test_an_attached_file_goes_with_the_next_message_only(
    gradient: Emulator, converse: Converse, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("content")
    converse(f"/attach {tmp_path / 'a.txt'}", "One", "Two")
    assert sent_texts(gradient) == ["File a.txt:\n\ncontent\n\nOne", sent_texts(gradient)[1], "Two"]


def test_a_conversation_is_saved_as_json_or_as_text(gradient: Emulator, converse: Converse, tmp_path: Path) -> None:
    gradient.reply("Lisbon.")
    as_json, as_text = tmp_path / "a.json", tmp_path / "a.md"
    converse("Capital?", f"/save {as_json}", f"/save {as_json}", f"/save {as_text}", args=("-m", "m", "-s", "Brief."))
    messages = [("system", "Brief."), ("user", "Capital?"), ("assistant", "Lisbon.")]
    saved = json.loads(as_json.read_text())
    assert saved == {"model": "m", "messages": [{"role": role, "content": text} for role, text in messages]}
    assert as_text.read_text() == "## System\n\nBrief.\n\n## User\n\nCapital?\n\n## Assistant\n\nLisbon.\n"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("/save", "Name a file"),
        ("/save {folder}", "exists"),
        ("/save {folder}/none/a.md", "No such file"),
        ("/attach {folder}/none", "No such file"),
        ("/attach", "Name a file"),
        ("/retry", "no message"),
        ("/etc/passwd?", "no command /etc/passwd?"),
        ("/help", "/retry"),
    ],
)
def test_a_command_that_cannot_run_says_why(
    command: str, message: str, gradient: Emulator, converse: Converse, tmp_path: Path
) -> None:
    result = converse(command.format(folder=tmp_path))
    assert (result.exit_code, gradient.requests) == (0, [])
    assert message in result.stderr


def test_an_existing_file_is_not_overwritten(gradient: Emulator, converse: Converse, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("mine")
    converse("One", f"/save {tmp_path / 'a.md'}")
    assert (tmp_path / "a.md").read_text() == "mine"


def test_the_last_conversation_goes_on_with_continue(
    gradient: Emulator, converse: Converse, invoke: Invoke, tmp_path: Path
) -> None:
    for text in ("first", "second", "third"):
        gradient.reply(text)
    converse("One", args=("-m", "m", "-s", "Brief."))
    invoke("chat", "--continue", "Two")
    converse("Three", args=("-c",))
    assert gradient.requests[-1].json["model"] == "m"
    assert sent_texts(gradient) == ["Brief.", "One", "first", "Two", "second", "Three"]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "gradient-async"


def test_only_the_owner_reads_a_conversation_that_is_kept(gradient: Emulator, converse: Converse, state: Path) -> None:
    converse("One")
    assert {path.stat().st_mode & 0o777 for path in (state, state / "conversation.json")} == {0o700, 0o600}


@pytest.mark.parametrize("saved", [None, "{", "[]", '{"messages": [{"role": "user", "content": "x"}]}', "3"])
def test_a_conversation_that_cannot_go_on_is_a_usage_error(
    saved: str | None, gradient: Emulator, invoke: Invoke, state: Path
) -> None:
    if saved is not None:
        state.mkdir()
        (state / "conversation.json").write_text(saved)
    result = invoke("chat", "--continue", "Hi")
    assert (result.exit_code, gradient.requests) == (ExitCode.USAGE, [])


def test_nothing_is_kept_without_remembering(gradient: Emulator, converse: Converse, state: Path) -> None:
    converse("One", args=("--no-remember",))
    assert not state.exists()


def test_an_agent_can_be_talked_to(gradient: Emulator, converse: Converse) -> None:
    result = converse("One", "/model", args=("--agent",))
    assert (result.exit_code, gradient.requests[0].path) == (0, "/api/v1/chat/completions")
    assert "Model: that of the agent" in result.stderr


def test_values_without_a_template_are_refused(gradient: Emulator, converse: Converse) -> None:
    assert converse("One", args=("-p", "a=1")).exit_code == ExitCode.USAGE


def test_a_missing_key_ends_the_conversation_before_it_begins(converse: Converse) -> None:
    result = converse("One")
    assert (result.exit_code, "MODEL_ACCESS_KEY" in result.stderr) == (ExitCode.USAGE, True)


def test_ctrl_c_stops_a_response_and_ctrl_d_ends_the_conversation(gradient: Emulator) -> None:
    pytest.importorskip("pty", reason="needs pseudo-terminals")
    gradient.reply("One two three four five six.")
    gradient.stall(60, after=3)
    gradient.reply("Hello \x1b]0;owned\x07.")
    with open_terminal("chat") as terminal:
        terminal.wait_for("> ")
        terminal.type("Count.\n")
        terminal.wait_for("One two three")
        terminal.type(CTRL_C)
        terminal.wait_for("Stopped.\n> ")
        terminal.type("half a line")
        terminal.wait_for("half a line")
        terminal.press_until(CTRL_C, "Ctrl-D or /exit ends the conversation.\n> ")
        terminal.type("Go on.\n")
        terminal.wait_for("owned")
        terminal.wait_for("> ")
        terminal.type(CTRL_D)
        assert terminal.process.wait(HANG_SECONDS) == ExitCode.OK
    assert sent_texts(gradient) == ["Count.", "One two three", "Go on."]
    assert "\x1b]0;" not in terminal.screen
    assert "Traceback" not in terminal.screen
