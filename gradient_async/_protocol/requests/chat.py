"""Chat completions: the request.

Contract: what is None is left out at every depth, except inside ``extra_body`` and unknown keywords, which go into the
body untouched. Objects among the messages become dicts, functions among the tools their descriptions. A value without a
JSON form is refused with its path. `_protocol.codec.request_json` has the rules.

Source: chat completions of the agent and serverless reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from gradient_async._protocol.codec.request_json import to_request_json
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.json_post import AS_GIVEN, build_post
from gradient_async._protocol.requests.parameters import (
    ROLES,
    describe_role,
    find_keys,
    require_iterable,
    require_model,
    to_json_value,
)
from gradient_async._protocol.requests.request import Request
from gradient_async.errors import ConfigurationError, quote_argument

if TYPE_CHECKING:
    from gradient_async._protocol.schema.dialect import Dialect
    from gradient_async.models.chat import ChatCompletion

CHAT_PATH = "/v1/chat/completions"
AGENT_CHAT_PATH = "/api/v1/chat/completions"
"""The path of most documents; one of them names `CHAT_PATH`. Both get ``?agent=true`` by `build_agent_path`."""
AGENT_MODEL = "ignored"
MESSAGES_EXPECTED = "a list of messages, as [{'role': 'user', 'content': 'Hello'}]"
"""The expected form of ``messages``, for `require_iterable`."""

_PLAIN = frozenset({str, int, bool})
_CONVERTED = AS_GIVEN | {"messages"}


def build_chat_request(path: str, params: Mapping[str, Any], *, stream: bool, timeouts: Timeouts) -> Request:
    """Build the request for a chat completion.

    Hot: runs once for each chat request; a scalar parameter costs no call.

    Raises:
        ConfigurationError: A parameter is missing or invalid: no messages, no model, a value without a JSON form.
    """
    body = {name: value for name, value in params.items() if value is not None or name not in _known_names()}
    body["messages"] = _convert_messages(body.get("messages"))
    require_model(body.get("model"))
    for name, value in body.items():
        if type(value) not in _PLAIN and name not in _CONVERTED:
            body[name] = to_json_value(name, value, keep_nulls=name not in _known_names())
    return build_post(path, body, stream=stream, timeouts=timeouts)


@cache
def _known_names() -> frozenset[str]:
    """Return the names of the documented parameters."""
    from gradient_async.params import AgentParams, ChatParams  # many programs pass neither None nor a list of tools

    return find_keys(ChatParams) | find_keys(AgentParams)


def build_agent_path(path: object) -> str:
    """Return path and query of an agent's chat completions; a path without a query gets ``agent=true``.

    Raises:
        ConfigurationError: It is not a path.
    """
    if not isinstance(path, str) or not path.startswith("/") or not path.isascii() or not path.isprintable():
        raise ConfigurationError(f"path must be a path, as '/v1/chat/completions'; got {quote_argument(path)}.")
    return path if "?" in path else f"{path}?agent=true"


def load_chat_dialect() -> Dialect[ChatCompletion]:
    """Return the form of the tools of chat completions."""
    from gradient_async._protocol.schema.dialect import CHAT_DIALECT  # many programs have no tools

    return CHAT_DIALECT


def reject_stream(params: Mapping[str, Any]) -> None:
    """Raise a `ConfigurationError` if *params* ask for a stream where a whole completion is needed."""
    if params.get("stream"):
        raise ConfigurationError("stream=True is for create; this call needs a whole completion, leave it out.")


def _convert_messages(messages: object) -> Any:
    """Return *messages* as a list of JSON objects with known roles.

    Hot: runs once for each chat request. The common case, dicts of text, costs no call per message.
    """
    items = messages if type(messages) is list else require_iterable("messages", messages, MESSAGES_EXPECTED)
    if not items:
        raise ConfigurationError("messages is empty; give at least one, as {'role': 'user', 'content': 'Hello'}.")
    for message in items:
        if (
            type(message) is not dict
            or message.get("role") not in ROLES
            or not _PLAIN.issuperset(map(type, message.values()))
        ):
            return _check_messages(to_request_json("messages", items))
    return items


def _check_messages(messages: list[Any]) -> list[Any]:
    for position, message in enumerate(messages):
        if type(message) is not dict:
            got = type(message).__name__
            raise ConfigurationError(f"messages[{position}] must be an object with a role; got {got}.")
        if message.get("role") not in ROLES:
            role = describe_role(message)
            raise ConfigurationError(f"messages[{position}] has {role}; the service knows {', '.join(ROLES)}.")
    return messages
