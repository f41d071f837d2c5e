"""List the requests to ARM and Key Vault that Certroll's clients can send, each as a method and a path of kinds."""

import functools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import pytest
import requests
from azure.core.pipeline.transport import RequestsTransport

from shared.domain.errors import CertrollError
from tests.broken_answers import Answer, answering, good_body
from tests.client_calls import calls_of, ports

AZURE = ("app_service", "environments", "managed", "vault", "orders", "vault_rights")
"""The clients of APIs of Azure. A client that is neither here nor in `ELSEWHERE` fails a test."""
VAULT_HOST = ".vault."
ACTIONS = frozenset(
    {
        "appsettings",
        "config",
        "configreferences",
        "configurations",
        "list",
        "networking",
        "refresh",
        "reissue",
        "renew",
        "restart",
        "retrievecertificateactions",
        "start",
        "stop",
        "versions",
    }
)
"""Words of paths that are no names of resources, in lower case."""
TAGS = ("providers", "microsoft.resources", "tags", "default")
"""The end of the path under which the Tags API keeps the tags of a resource."""
_TYPE = re.compile(r"resourceType eq '([^']+)'", re.IGNORECASE)


class Template(NamedTuple):
    """A kind of request: the method, and the path with `*` for each name."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to ARM or Key Vault."""

    method: str
    host: str
    path: str
    filter: str = ""
    """The type of resource that a list of resources is about."""

    @classmethod
    def of(cls, method: str, host: str, path: str, query: str) -> "Asked":
        """Return the request without what does not tell its kind. A list of resources differs by its filter."""
        found = _TYPE.search(unquote(query))
        return cls(method, host, unquote(path).rstrip("/"), found[1].lower() if found else "")

    @property
    def segments(self) -> tuple[str, ...]:
        """The parts of the path in lower case."""
        return tuple(self.path.lower().strip("/").split("/"))

    @property
    def template(self) -> Template:
        """The kind of the request."""
        in_vault = VAULT_HOST in self.host
        kinds = ("vault", *_vault_kinds(self.segments)) if in_vault else _arm_kinds(self.segments)
        return Template(self.method, "/".join(kinds) + (f"?{self.filter}" if self.filter else ""))

    @property
    def resource(self) -> str:
        """The id of the deepest resource that the path names, in lower case. A list and tags belong to their owner."""
        kinds = self.template.path.partition("?")[0].split("/")
        if VAULT_HOST in self.host:
            return "/".join((self.host.lower(), *self.segments[1:2]))
        named = max((number for number, kind in enumerate(kinds, 1) if kind == "*"), default=0)
        words = _owner(self.segments[:named])
        after = self.segments[named : named + 1]
        tail = after if after and after[0] in {"config", "publiccertificates"} and "sites" in words else ()
        tail = after if after == ("hostnamebindings",) else tail
        return "/" + "/".join((*words, *tail)) if words else ""


def _owner(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the path of the resource whose tags the path names, else the path itself."""
    return words[: -len(TAGS)] if words[-len(TAGS) :] == TAGS else words


def _vault_kinds(segments: tuple[str, ...]) -> Iterator[str]:
    for number, word in enumerate(segments):
        yield word if number == 0 or word in ACTIONS else "*"


@functools.cache
def _arm_kinds(segments: tuple[str, ...]) -> tuple[str, ...]:
    """Return the path with `*` for names: after a namespace, types and names take turns (Azure docs, resource ids)."""
    kinds: list[str] = []
    name_is_next = False
    for number, word in enumerate(segments):
        before = segments[number - 1] if number else ""
        if word in ACTIONS and not (name_is_next and before == "hostnamebindings"):
            kinds.append(word)
            name_is_next = False
        elif name_is_next:
            kinds.append("*")
            name_is_next = False
        else:
            kinds.append(word)
            name_is_next = word != "providers" and before != "providers" and word not in ACTIONS
    return tuple(kinds)


def sent_by_clients() -> frozenset[Template]:
    """Return the kinds of requests that the methods of all clients of Azure send when Azure answers them well."""
    return frozenset(asked.template for client in AZURE for asked in _sent_by(client))


def _sent_by(client: str) -> Iterator[Asked]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RequestsTransport, "sleep", lambda *_: None)
        for name, call in calls_of(getattr(ports(), client)):
            with answering(_good) as requested:
                try:
                    call()
                except CertrollError:
                    assert name, "an unreadable answer ends a call after its requests"
            for line in requested:
                method, _, url = line.partition(" ")
                parts = urlsplit(url)
                if "management." in parts.netloc or VAULT_HOST in parts.netloc:
                    yield Asked.of(method, parts.netloc, parts.path, parts.query)


def _good(request: requests.PreparedRequest) -> Answer:
    return 200, {"Content-Type": "application/json"}, json.dumps(good_body(request)).encode()
