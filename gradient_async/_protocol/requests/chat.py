"""Chat completions: the request.

Contract: a parameter that is None is left out, except inside ``extra_body`` and among unknown keywords, which go into
the body untouched. Models among the messages become dicts, functions among the tools their descriptions.

Source: chat completions of the agent and serverless reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.json_post import build_post
from gradient_async._protocol.requests.parameters import require_iterable, require_model, to_json_value
from gradient_async._protocol.requests.request import Request
from gradient_async.errors import ConfigurationError
from gradient_async.models import Message
from gradient_async.models._base import to_jsonable
from gradient_async.params import AgentParams, ChatParams, Role

CHAT_PATH = "/v1/chat/completions"
AGENT_CHAT_PATH = "/api/v1/chat/completions?agent=true"
AGENT_MODEL = "ignored"
MESSAGES_EXPECTED = "a list of messages, as [{'role': 'user', 'content': 'Hello'}]"
"""The expected form of ``messages``, for `require_iterable`."""

_KNOWN = ChatParams.__required_keys__ | ChatParams.__optional_keys__ | AgentParams.__optional_keys__
_ROLES = get_args(Role)
_SCALARS = frozenset({str, int, float, bool, type(None)})


def build_chat_request(path: str, params: Mapping[str, Any], *, stream: bool, timeouts: Timeouts) -> Request:
    """Build the request for a chat completion.

    Hot: runs once for each chat request; a scalar parameter costs no call.

    Raises:
        ConfigurationError: A parameter is missing or invalid: no messages, no model, a value without a JSON form.
    """
    body = {name: value for name, value in params.items() if value is not None or name not in _KNOWN}
    body["messages"] = _validate_messages(body.get("messages"))
    require_model(body.get("model"))
    for name, value in body.items():
        if name != "messages" and (type(value) not in _SCALARS or type(value) is float):
            body[name] = to_json_value(name, value)
    return build_post(path, body, stream=stream, timeouts=timeouts)


def reject_stream(params: Mapping[str, Any]) -> None:
    """Raise a `ConfigurationError` if *params* ask for a stream where a whole completion is needed."""
    if params.get("stream"):
        raise ConfigurationError("stream=True is for create; this call needs a whole completion, leave it out.")


def _validate_messages(messages: object) -> Any:
    """Return *messages* as a list of JSON objects with known roles.

    Hot: runs once for each chat request. The common case, dicts of scalars, costs no call per message.
    """
    items = messages if type(messages) is list else require_iterable("messages", messages, MESSAGES_EXPECTED)
    if not items:
        raise ConfigurationError("messages is empty; give at least one, as {'role': 'user', 'content': 'Hello'}.")
    is_jsonable = True
    for position, message in enumerate(items):
        if type(message) is not dict or message.get("role") not in _ROLES:
            _check_message(message, position)
            is_jsonable = False
        else:
            is_jsonable = is_jsonable and _SCALARS.issuperset(map(type, message.values()))
    return items if is_jsonable else to_jsonable(items)


def _check_message(message: object, position: int) -> None:
    if isinstance(message, Message):
        return
    if not isinstance(message, Mapping):
        raise ConfigurationError(f"messages[{position}] must be an object with a role; got {type(message).__name__}.")
    if message.get("role") not in _ROLES:
        raise ConfigurationError(
            f"messages[{position}] has the role {message.get('role')!r}; the service knows {', '.join(_ROLES)}."
        )
