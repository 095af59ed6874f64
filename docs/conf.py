"""Sphinx configuration: ``make docs`` builds the documentation with it.

Contract: nothing is fetched. A name in single backticks or in ``Raises:`` that is missing from the reference is a
warning, and so is a broken link.
"""

from __future__ import annotations

import inspect
import re
import sys
from functools import cache
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, is_typeddict

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains.python import ObjectEntry, PythonDomain
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer

import gradient_async
from gradient_async.params import agent, chat, media, messages, responses

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "gradient_async"
version = release = gradient_async.__version__

extensions = [
    "command_reference",
    "field_glossary",
    "layer_diagram",
    "limit_plot",
    "myst_parser",
    "sequence_diagram",
    "source_backlinks",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "state_diagram",
]
exclude_patterns = ["_build", "_ext", "_static"]
myst_heading_anchors = 3  # makes page.md#heading work as on the repository's pages
default_role = "py:obj"
nitpicky = True
nitpick_ignore_regex = [
    ("py:class", ".*"),
    ("py:obj", r".*\.T"),
]  # annotations also name other libraries and type variables

html_theme = "furo"
html_theme_options = {  # "view" and "edit" at the top of each page lead into the repository
    "source_repository": "https://github.com/gradient-async/gradient-async/",
    "source_branch": "main",
    "source_directory": "docs/",
}
html_title = f"gradient_async {version}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_show_copyright = False
html_copy_source = False
toc_object_entries_show_parents = "hide"

add_module_names = False  # each page names the module to import from
autodoc_default_options = {
    "members": True,
    "undoc-members": True,
    "member-order": "bysource",
    "exclude-members": "wire_fields",
}
autodoc_typehints_format = "short"
autodoc_type_aliases = {"Source": "Source"}  # documented once instead of expanded in every signature
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
python_display_short_literal_types = True

CREATED_BY_CALLERS = {
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
"""Classes whose constructor is public; instances of the others are only returned."""

PARAMETERS = (agent, chat, media, messages, responses)
UPWARD_LINK = re.compile(r"\]\((\.\./[^)#\s]+)(?:#[^)\s]*)?\)")
ARGUMENTS = re.compile(r"^Args:\n(?:(?: +.*)?\n)*", re.MULTILINE)
ATTRIBUTES = re.compile(r"^Attributes:\n((?:(?: +.*)?\n)*)", re.MULTILINE)
ATTRIBUTE = re.compile(r"^    (\w+): (.*\n(?:     +.*\n)*)", re.MULTILINE)
BUILT_IN = re.compile(r"= ?<built-in \w+ (\w+)[^>]*>")


def setup(app: Sphinx) -> None:
    """Connect the functions below to Sphinx's events."""
    app.connect("source-read", link_repository_files)
    # Before napoleon, which would list attributes, and after it, because it would parse text as types.
    app.connect("autodoc-process-docstring", extract_attribute_sections, priority=400)
    app.connect("autodoc-process-docstring", insert_attribute_docs, priority=600)
    app.connect("autodoc-process-signature", hide_internal_arguments)
    app.connect("doctree-read", use_full_names)
    app.connect("missing-reference", resolve_unique_name)


def link_repository_files(app: Sphinx, page: str, source: list[str]) -> None:
    """Turn links to repository files outside the documentation into downloads."""
    folder = Path(app.env.doc2path(page)).parent

    def replace_link(link: re.Match[str]) -> str:
        is_page = (folder / link[1]).resolve().is_relative_to(app.srcdir)
        return link[0] if is_page else f"](path:{link[1]})"

    source[0] = UPWARD_LINK.sub(replace_link, source[0])


def extract_attribute_sections(
    _app: Sphinx, what: str, _name: str, cls: type, _options: object, lines: list[str]
) -> None:
    """Move each entry of ``Attributes:`` to its own attribute; drop ``Args:`` of classes that callers do not create."""
    if what not in {"class", "exception"}:
        return
    documented = ModuleAnalyzer.for_module(cls.__module__).attr_docs
    for attribute in [*collect_attribute_docs(cls), *getattr(cls, "__annotations__", {})]:
        documented.setdefault((cls.__qualname__, attribute), [""])
    text = ATTRIBUTES.sub("", "\n".join([*lines, ""]))
    lines[:] = (text if cls.__name__ in CREATED_BY_CALLERS else ARGUMENTS.sub("", text)).splitlines()


def insert_attribute_docs(_app: Sphinx, what: str, name: str, _obj: object, _options: object, lines: list[str]) -> None:
    """Insert the text of the class's ``Attributes:`` section into the attribute's own entry."""
    owner, _, attribute = name.rpartition(".")
    if what == "attribute" and (text := collect_attribute_docs(resolve_name(owner)).get(attribute)):
        lines[:] = [*text.splitlines(), ""]


def collect_attribute_docs(cls: type) -> dict[str, str]:
    """Return the attribute documentation of a class and its bases, by attribute."""
    return {
        name: text
        for each in [*find_typed_dict_bases(cls), *reversed(cls.__mro__)]
        for name, text in parse_attribute_docs(each).items()
    }


def find_typed_dict_bases(cls: type) -> list[type]:
    """Return the TypedDicts whose keys *cls* includes; a TypedDict does not record its bases."""
    if not is_typeddict(cls):
        return []
    others = [other for module in PARAMETERS for other in vars(module).values() if is_typeddict(other)]
    return [other for other in others if other.__annotations__.items() <= cls.__annotations__.items()]


def parse_attribute_docs(cls: type) -> dict[str, str]:
    """Return the entries of a class's own ``Attributes:`` section."""
    section = ATTRIBUTES.search(inspect.cleandoc(cls.__doc__ or "") + "\n")
    return {name: inspect.cleandoc(text) for name, text in ATTRIBUTE.findall(section[1])} if section else {}


def hide_internal_arguments(
    _app: Sphinx, what: str, name: str, obj: object, _options: object, arguments: str | None, returns: str | None
) -> tuple[str, str | None] | None:
    """Hide constructor arguments of classes that only the library creates, and inherited ones of errors."""
    if not arguments:
        return None
    is_handed_out = what == "class" and name.rpartition(".")[2] not in CREATED_BY_CALLERS
    is_inherited = what == "exception" and "__init__" not in vars(obj)
    return ("", None) if is_handed_out or is_inherited else (BUILT_IN.sub(r"= \1", arguments), returns)


def use_full_names(_app: Sphinx, doctree: nodes.document) -> None:
    """Resolve annotations by their full name; otherwise ``bytes`` could match an attribute of some class."""
    for reference in doctree.findall(pending_xref):
        if "refspecific" in reference:
            del reference["refspecific"]
            reference.attributes.pop("py:class", None)


def resolve_unique_name(app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.Element) -> Any:
    """Link a name to its only entry, because annotations and docstrings do not name the documented module."""
    if node.get("refdomain") != "py":
        return None
    python = env.domains.python_domain
    found = find_entries(python, node["reftarget"])
    if len(found) > 1:  # the emulator also has a class `Batches`
        found = [name for name in found if (".testing." in name) == ("testing" in (node.get("py:module") or ""))]
    if len(found) != 1:
        return None
    return python.resolve_xref(env, node["refdoc"], app.builder, "obj", found[0], node, contnode)


@cache
def find_entries(python: PythonDomain, target: str) -> list[str]:
    """Return the full names of the entries that *target* can refer to."""
    return [
        name for name, entry in python.objects.items() if name.endswith(f".{target}") and is_target_of(entry, target)
    ]


def is_target_of(entry: ObjectEntry, target: str) -> bool:
    """Whether *target* can refer to *entry*: a module-level name, or a class member given with its class."""
    return not entry.aliased and ("." in target or entry.objtype in {"class", "data", "exception", "function"})
