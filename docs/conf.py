"""How the documentation is built: ``make docs``.

Contract: nothing is fetched. A docstring that names, in single backticks or as an error, what is not in the reference
is a warning, and so is a link of a page that leads nowhere.
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, is_typeddict

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains.python import ObjectEntry
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer

import gradient_async
from gradient_async.params import agent, chat, media, messages, responses

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "gradient_async"
version = release = gradient_async.__version__

extensions = ["myst_parser", "sequence_diagram", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build", "_ext"]
myst_heading_anchors = 3  # so that page.md#a-heading leads there, as in the repository
default_role = "py:obj"
nitpicky = True
nitpick_ignore_regex = [("py:class", ".*"), ("py:obj", r".*\.T")]  # annotations name other libraries and variables too

html_theme = "furo"
html_title = f"gradient_async {version}"
html_show_copyright = False
html_copy_source = False
toc_object_entries_show_parents = "hide"

add_module_names = False  # each page says where its names are imported from
autodoc_default_options = {
    "members": True,
    "undoc-members": True,
    "member-order": "bysource",
    "exclude-members": "wire_fields",
}
autodoc_typehints_format = "short"
autodoc_type_aliases = {"Source": "Source"}  # documented once, instead of spelled out in every signature
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
python_display_short_literal_types = True

MADE_BY_CALLERS = {
    "AsyncSession",
    "BatchLimits",
    "BatchRequest",
    "ChatAccumulator",
    "ChatGradient",
    "Emulator",
    "GradientModel",
    "LimitedTransport",
    "Poll",
    "RateLimiter",
    "RateLimits",
    "RedisLimiter",
    "Reply",
    "RetryPolicy",
    "RollingTokenBucket",
    "SSEParser",
    "Telemetry",
    "Timeouts",
}
"""The classes whose arguments matter; every other one is only handed out."""

PARAMETERS = (agent, chat, media, messages, responses)
UPWARD_LINK = re.compile(r"\]\((\.\./[^)#\s]+)(?:#[^)\s]*)?\)")
ARGUMENTS = re.compile(r"^Args:\n(?:(?: +.*)?\n)*", re.MULTILINE)
ATTRIBUTES = re.compile(r"^Attributes:\n((?:(?: +.*)?\n)*)", re.MULTILINE)
ATTRIBUTE = re.compile(r"^    (\w+): (.*\n(?:     +.*\n)*)", re.MULTILINE)
BUILT_IN = re.compile(r"= ?<built-in \w+ (\w+)[^>]*>")


def setup(app: Sphinx) -> None:
    """Say what is done to pages, docstrings, signatures and links."""
    app.connect("source-read", offer_files)
    app.connect("autodoc-process-docstring", take_sections, priority=400)  # before napoleon, which would list them
    app.connect("autodoc-process-docstring", say_attribute, priority=600)  # after it: it takes text for types
    app.connect("autodoc-process-signature", show_arguments)
    app.connect("doctree-read", refer_by_name)
    app.connect("missing-reference", find_by_name)


def offer_files(app: Sphinx, page: str, source: list[str]) -> None:
    """Make a download of each link to a file of the repository that is no page: there, the link shows the file."""
    folder = Path(app.env.doc2path(page)).parent

    def offered(link: re.Match[str]) -> str:
        is_page = (folder / link[1]).resolve().is_relative_to(app.srcdir)
        return link[0] if is_page else f"](path:{link[1]})"

    source[0] = UPWARD_LINK.sub(offered, source[0])


def take_sections(_app: Sphinx, what: str, _name: str, cls: type, _options: object, lines: list[str]) -> None:
    """Take ``Attributes:`` out of a class, and have each documented alone; take out arguments that nobody gives."""
    if what not in {"class", "exception"}:
        return
    documented = ModuleAnalyzer.for_module(cls.__module__).attr_docs
    for attribute in said_of(cls):
        documented.setdefault((cls.__qualname__, attribute), [""])
    text = ATTRIBUTES.sub("", "\n".join([*lines, ""]))
    lines[:] = (text if cls.__name__ in MADE_BY_CALLERS else ARGUMENTS.sub("", text)).splitlines()


def say_attribute(_app: Sphinx, what: str, name: str, _obj: object, _options: object, lines: list[str]) -> None:
    """Say of an attribute, beside its type, what its class says of it."""
    owner, _, attribute = name.rpartition(".")
    if what == "attribute" and (text := said_of(resolve_name(owner)).get(attribute)):
        lines[:] = [*text.splitlines(), ""]


def said_of(cls: type) -> dict[str, str]:
    """Return what a class and those it inherits from say of their attributes."""
    return {name: text for each in [*parents(cls), *reversed(cls.__mro__)] for name, text in said_by(each).items()}


def parents(cls: type) -> list[type]:
    """Return those whose keys a TypedDict has, which it does not remember itself."""
    if not is_typeddict(cls):
        return []
    others = [other for module in PARAMETERS for other in vars(module).values() if is_typeddict(other)]
    return [other for other in others if other.__annotations__.items() <= cls.__annotations__.items()]


def said_by(cls: type) -> dict[str, str]:
    """Return what a class itself says of its attributes."""
    section = ATTRIBUTES.search(inspect.cleandoc(cls.__doc__ or "") + "\n")
    return {name: inspect.cleandoc(text) for name, text in ATTRIBUTE.findall(section[1])} if section else {}


def show_arguments(
    _app: Sphinx, what: str, name: str, obj: object, _options: object, arguments: str | None, returns: str | None
) -> tuple[str, str | None] | None:
    """Show no arguments of a class that nobody but the library makes, and none that an error inherits."""
    if not arguments:
        return None
    is_handed_out = what == "class" and name.rpartition(".")[2] not in MADE_BY_CALLERS
    is_inherited = what == "exception" and "__init__" not in vars(obj)
    return ("", None) if is_handed_out or is_inherited else (BUILT_IN.sub(r"= \1", arguments), returns)


def refer_by_name(_app: Sphinx, doctree: nodes.document) -> None:
    """Let annotations mean what they name: without this, ``bytes`` may be an attribute of some class."""
    for reference in doctree.findall(pending_xref):
        if "refspecific" in reference:
            del reference["refspecific"]
            reference.attributes.pop("py:class", None)


def find_by_name(app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.Element) -> Any:
    """Link a name to the one thing that has it: annotations and docstrings do not say where it is documented."""
    if node.get("refdomain") != "py":
        return None
    python, target = env.domains.python_domain, node["reftarget"]
    found = [name for name, entry in python.objects.items() if name.endswith(f".{target}") and is_meant(entry, target)]
    if len(found) > 1:  # the emulator has a class `Batches` of its own
        found = [name for name in found if (".testing." in name) == ("testing" in (node.get("py:module") or ""))]
    if len(found) != 1:
        return None
    return python.resolve_xref(env, node["refdoc"], app.builder, "obj", found[0], node, contnode)


def is_meant(entry: ObjectEntry, target: str) -> bool:
    """Whether *target* alone can mean *entry*: a name of a module, or with its class one of a class."""
    return not entry.aliased and ("." in target or entry.objtype in {"class", "data", "exception", "function"})
