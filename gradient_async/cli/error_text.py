"""The text of the library's errors on the command line: options in the place of Python arguments.

The advice itself is in `errors` and where an error is raised; here is only what a command calls otherwise.

Contract: pure.
"""

from __future__ import annotations

import re

_OPTIONS = {
    "Pass split=True for several jobs, or other limits.": "Pass --split for several jobs.",
    "pass another journal for another job": "pass another --journal for another job",
    "chat.completions.map": "gradient-async map",
    "params={'model': ...}": "--model MODEL",
    "template= or columns=": "--template or --columns",
    "Give a template or columns.": "Give --template or --columns.",
    "model must name a model, as 'llama3.3-70b-instruct'; session.models.list() gives all.": (
        "--model must name a model; gradient-async models gives all."
    ),
    "the agent's own key for an agent.": "the agent's own key for an agent. gradient-async doctor names its source.",
    "session.models.list() gives every model": "gradient-async models lists the models",
    " What arrived is in .snapshot;": "",
    " .snapshot has the part.": "",
    "; error.snapshot has its reason at": " for the reason at",
    "raise Timeouts.total or pass timeout=.": "give a longer --timeout.",
    "raise Timeouts.total": "give a longer --timeout",
    "raise Timeouts.first_byte, or stream the response": "try again later",
    "raise Timeouts.idle if that is normal for it": "try again later",
    ", or raise Timeouts.connect": "",
    "pass ssl=ssl.create_default_context(cafile=...)": "name it in SSL_CERT_FILE",
    "; load yours with context.load_cert_chain(...) and pass ssl=context": ", which only the Python library can send",
    ", as proxy='http://user:password@host:3128', or in HTTPS_PROXY": ", as --proxy http://user:password@host:3128",
    ", as proxy='http://user:password@host:3128'": ", as --proxy http://user:password@host:3128",
    ", or pass allow_insecure=True if the network is yours": "",
    "set base_url to that address if it is the right one": "give it as --base-url if it is the right one",
    "base_url= ": "--base-url ",
    "Check base_url": "Check the address",
    "check base_url": "check the address",
    ", or pass the list that json.load gives": "",
    "; what arrived is in .body. Read it with stream(), or check": "; check",
    "For texts and rows pass params={'model': ...}, and a template or columns.": (
        "For texts and rows give --model, and --template or --columns."
    ),
    "; pass text.encode()": "",
    "another Content-Type, pass content_type=.": "another Content-Type, upload the file again.",
    "give it as base_url= or agent_endpoint=, and the key here": "give it as --base-url, and the key here",
}
_MORE_FAULTS = re.compile(r" \.\.\. and (\S+) more in \.faults\.")
_SETTING = re.compile(r"Pass \w+=\.\.\. or set one of")
_ARGUMENT = re.compile("pass (provider|endpoint)='([^']+)'")


def name_options(text: str) -> str:
    """Return *text* with the names of options in the place of Python arguments."""
    for argument, option in _OPTIONS.items():
        text = text.replace(argument, option)
    text = _SETTING.sub("Set one of", text)
    text = _MORE_FAULTS.sub(r" \1 more: gradient-async batch validate shows all.", text)
    return _ARGUMENT.sub(r"pass --\1 \2", text)
