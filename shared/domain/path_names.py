"""Check every name in the path of a request to Azure by Azure's own rule for the name.

A name that breaks its rule may turn a request into a request about another resource: `..` takes the segment before it
away, and `a/b` adds a segment. The rules come from the Azure docs, "Naming rules and restrictions for Azure resources".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

MOST_QUOTED = 120
"""How many characters of a foreign name a message quotes."""


@dataclass(frozen=True, slots=True)
class NameRule:
    """Azure's rule for the names of one kind of resource."""

    what: str
    """The kind of name, with an article, for a message."""
    pattern: re.Pattern[str]
    form: str
    """The rule in words."""

    def problem(self, name: str) -> str:
        """Return which rule the name breaks, or an empty text for a good name. The text quotes the name's beginning."""
        if self.pattern.fullmatch(name):
            return ""
        return f"{name[:MOST_QUOTED]!r} is not {self.what}: {self.form}"


_NO_DOTS, _UNSAFE = r"(?!\.{1,2}\Z)", r"/\\?%\x00-\x1f\x7f\x85\u2028\u2029\ufffd\ud800-\udfff"
_TEXT = re.compile(rf"{_NO_DOTS}[^{_UNSAFE}]{{1,260}}")
_WORD = r"[\w-]{1,60}"
_LABEL, _LAST_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"

SUBSCRIPTION: Final = NameRule(
    "a subscription id",
    re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"),
    "32 hex digits in five groups",
)
RESOURCE_GROUP: Final = NameRule(
    "a resource group name",
    re.compile(r"[\w.()-]{0,89}[\w()-]"),
    "1 to 90 letters, digits, `_`, `-`, `.` and parentheses, and no period at the end",
)
SITE: Final = NameRule("a site name", re.compile(_WORD), "1 to 60 letters, digits, `-` and `_`")
SLOT: Final = NameRule("a slot name", re.compile(_WORD), SITE.form)
ENVIRONMENT: Final = NameRule("the name of an App Service Environment", re.compile(_WORD), SITE.form)
CERTIFICATE: Final = NameRule(
    "a certificate resource name",
    _TEXT,
    "1 to 260 characters without `/`, `\\`, `?`, `%` and line breaks, and neither `.` nor `..`",
)
NEW_CERTIFICATE: Final = NameRule(
    "a name for a new certificate",
    re.compile(rf"[^#{_UNSAFE}]{{0,259}}[^#{_UNSAFE}\s.]"),
    "1 to 260 characters without `/`, `\\`, `?`, `#`, `%` and line breaks, and no space or period at the end",
)
"""Certroll writes no name that Azure advises against: `#` disturbs the parsing of a request. Other clients upload
certificates with `#` in the name."""
PLAN: Final = NameRule("the name of an App Service plan", _TEXT, CERTIFICATE.form)
ORDER: Final = NameRule(
    "the name of a certificate order",
    re.compile(rf"{_NO_DOTS}[\w .()-]{{1,260}}"),
    "1 to 260 letters, digits, spaces, `_`, `-`, `.` and parentheses",
)
VAULT: Final = NameRule(
    "a Key Vault name or resource id",
    re.compile(r"(?=.{3,24}\Z)[A-Za-z](?:-?[A-Za-z0-9])+"),
    "3 to 24 letters, digits and single `-`, and a letter first",
)
VAULT_OBJECT: Final = NameRule(
    "a Key Vault object name", re.compile(r"[A-Za-z0-9-]{1,127}"), "1 to 127 letters, digits and `-`"
)
THUMBPRINT: Final = NameRule("a SHA-1 thumbprint of 40 hex digits", re.compile(r"[0-9A-Fa-f]{40}"), "40 hex digits")
HOST_NAME: Final = NameRule(
    "a host name",
    re.compile(rf"(?=.{{1,253}}\Z)(\*\.)?(?:{_LABEL}\.)+{_LAST_LABEL}"),
    "labels of 1 to 63 letters, digits, `-` and `_`, with periods in between",
)
"""The rule for a host name in lower case and with A-labels."""
OTHER: Final = NameRule("a name for the path of a request", _TEXT, CERTIFICATE.form)

_ARM: Mapping[str, NameRule] = {
    "subscriptions": SUBSCRIPTION,
    "resourcegroups": RESOURCE_GROUP,
    "sites": SITE,
    "slots": SLOT,
    "serverfarms": PLAN,
    "hostingenvironments": ENVIRONMENT,
    "certificates": CERTIFICATE,
    "publiccertificates": CERTIFICATE,
    "certificateorders": ORDER,
    "vaults": VAULT,
}
"""The rule for a name in a path of ARM, by the word before the name, in lower case."""


def path_problem(path: str, *, of_vault: bool) -> str:
    """Return which segment of a request's path breaks Azure's rule for it, or an empty text for a good path.

    `path` is percent-encoded. With `of_vault` the path is one of Key Vault, else one of Azure Resource Manager. In a
    path of ARM, words and names alternate (Azure docs, "Resource ID"). Key Vault takes an empty last segment for the
    newest version of a secret.
    """
    segments = [unquote(segment) for segment in path.lstrip("/").removesuffix("/").split("/")]
    words = ["", *(segment.lower() for segment in segments)]
    rules = (
        VAULT_OBJECT if of_vault else _ARM.get(word, OTHER) if place % 2 else OTHER for place, word in enumerate(words)
    )
    problems = (rule.problem(segment) for rule, segment in zip(rules, segments, strict=False))
    return next((problem for problem in problems if problem), "")
