"""A name that would turn a request into a request about another resource never leaves the process."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from inspect import signature
from typing import Any, get_type_hints

import pytest
import requests
from requests.adapters import HTTPAdapter

from shared.domain.errors import CertrollError, Rejected
from shared.domain.names import CopyRef, EnvironmentRef, RootRef, SiteRef, VaultCertificateRef
from shared.domain.orders.order import OrderRef
from shared.domain.path_names import NEW_CERTIFICATE, path_problem
from shared.domain.reason import Reason
from tests.build import site_ref
from tests.client_calls import CLIENTS, NO_CALLS, VALUES, WORDS, ports

HOSTILE = {
    "parent": "..",
    "collection": ".",
    "slash": "a/b",
    "query": "a?api-version=1",
    "encoded slash": "a%2fb",
    "backslash": "a\\b",
    "line break": "a\r\nHost: b",
    "too long": "a" * 400,
}
REFS: tuple[Any, ...] = (SiteRef, CopyRef, EnvironmentRef, RootRef, OrderRef, VaultCertificateRef)
IDS = ("plan", "vault_id")
OUTSIDE = frozenset({"subscription", "host_name", "version", "operation"})
AZURE = ("shared.clients.arm", "shared.clients.vault")
ASKING_AZURE = tuple(name for name in CLIENTS if type(getattr(ports(), name)).__module__.startswith(AZURE))


@pytest.mark.parametrize("hostile", ["..", ".", "a\\b", "a\r\nHost: b", "a" * 400, "another"])
def test_reference_with_a_hostile_name_has_no_path(hostile: str) -> None:
    """A reference has no path for a request if its id breaks Azure's rule for names, or is that of another resource."""
    ref = site_ref()
    with pytest.raises(Rejected) as refusal:
        _ = replace(ref, written=f"{ref.resource_id.rpartition('/')[0]}/{hostile}").path
    assert refusal.value.reason is Reason.NAME_INVALID
    assert ref.path == ref.resource_id


def spoiled(value: object, hostile: str) -> Iterator[object]:
    """Yield the value with each name in it replaced by a hostile one, also the names of references within the value."""
    if not is_dataclass(value) or isinstance(value, type):
        return
    for field in fields(value):
        if field.name == "source":
            continue
        found = getattr(value, field.name)
        if isinstance(value, REFS) and isinstance(found, str) and found and field.name not in {"written", "kind"}:
            yield replace(value, **{field.name: hostile, **({"written": ""} if hasattr(value, "written") else {})})
        elif isinstance(found, REFS):
            yield from (replace(value, **{field.name: bad}) for bad in spoiled(found, hostile))


def hostile_arguments(name: str, hint: object, hostile: str) -> Iterator[object]:
    """Yield hostile arguments for a parameter, and nothing for a parameter that names no resource of Azure."""
    if name in IDS and hint is str:
        yield WORDS[name].rpartition("/")[0].replace("/resourceGroups/rg", f"/resourceGroups/{hostile}") + f"/{hostile}"
    elif name == "operation" and hint is str:
        yield f"{WORDS[name].partition('?')[0]}/{hostile}" if hostile not in {"a/b", HOSTILE["query"]} else "//evil/a"
    elif name in OUTSIDE and hint is str:
        yield hostile
    elif hint in VALUES:
        yield from spoiled(VALUES[hint](), hostile)


def calls(hostile: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield each method of each client of ARM and Key Vault with each of its names hostile in turn."""
    for client in ASKING_AZURE:
        made = getattr(ports(), client)
        for name in sorted(dir(made)):
            if name.startswith("_") or name in NO_CALLS or not callable(method := getattr(made, name)):
                continue
            hints: Mapping[str, Any] = get_type_hints(method)
            ordinary = {
                p: VALUES.get(hints[p], lambda p=p: WORDS.get(p, "text"))() for p in signature(method).parameters
            }  # type: ignore[misc]
            for parameter in ordinary:
                for bad in hostile_arguments(parameter, hints[parameter], hostile):
                    yield (
                        f"{client}.{name}({parameter}={bad!r})",
                        lambda m=method, a={**ordinary, parameter: bad}: m(**a),
                    )  # type: ignore[misc]


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_hostile_name_is_never_sent(monkeypatch: pytest.MonkeyPatch, hostile: str) -> None:
    """No method of a client sends a request to ARM or Key Vault in whose path a name breaks Azure's rule for it."""
    sent = list[str]()

    def send(_: object, request: requests.PreparedRequest, **__: object) -> None:
        sent.append(str(request.url))
        raise requests.ConnectionError

    monkeypatch.setattr(HTTPAdapter, "send", send)
    made = dict(calls(hostile))
    for name, call in made.items():
        with suppress(CertrollError, ValueError):
            call()
        assert (name, sent) == (name, [])
    assert len(made) > 60
    assert {call.partition(".")[0] for call in made} >= {"app_service", "environments", "managed", "orders", "vault"}


def test_refused_name_is_a_finding_with_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused request names the bad name and Azure's rule for it, and Certroll reports it as NameInvalid."""
    monkeypatch.setattr(HTTPAdapter, "send", lambda *_, **__: pytest.fail("a request went out"))
    with pytest.raises(Rejected, match=r"'\.\.' is not a certificate resource name: 1 to 260 characters") as refused:
        ports().app_service.delete_certificate(CopyRef("0" * 8 + "-0000-0000-0000-" + "0" * 12, "rg", ".."))
    assert refused.value.reason is Reason.NAME_INVALID


SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-00000000000a"


@pytest.mark.parametrize(
    "path",
    [
        "/subscriptions",
        f"{SUBSCRIPTION}/providers/Microsoft.Web/sites",
        f"{SUBSCRIPTION}/resourceGroups/rg-B%C3%BCcher/providers/Microsoft.Web/sites/sites/slots/subscriptions/config/web",
        f"{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Web/certificates/THUMB%23ase%23West%20Europe%23",
        f"{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Web/sites/a/hostNameBindings/*.example.com",
        f"{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Web/serverfarms/Plan%20(1)/sites",
        f"/{SUBSCRIPTION}/providers/Microsoft.Web/sites/",
    ],
)
def test_paths_of_azure_are_sent(path: str) -> None:
    """A path that Azure itself writes passes, although a site may have the name of a kind of resource."""
    assert path_problem(path, of_vault=False) == ""


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        (f"{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Web/sites/a.b", "is not a site name"),
        (f"{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Web/sites/a/slots/a.b", "is not a slot name"),
        (f"{SUBSCRIPTION}/providers/Microsoft.Web/hostingEnvironments/a%20b", "is not the name of an App Service Env"),
        (
            f"{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Web/sites/a/publicCertificates/{'c' * 261}",
            "is not a certificate resource name",
        ),
    ],
)
def test_each_kind_of_resource_has_its_own_rule(path: str, problem: str) -> None:
    """A name passes only by the rule for its kind of resource, and not by the rule for any name."""
    assert problem in path_problem(path, of_vault=False)


@pytest.mark.parametrize("path", ["/secrets/shop/", "/certificates/shop/0a1b", "/certificates/shop/versions"])
def test_paths_of_a_vault_are_sent(path: str) -> None:
    """A path of a vault's object, of a version and of the newest version passes."""
    assert path_problem(path, of_vault=True) == ""


@pytest.mark.parametrize("path", ["/secrets//x", "/secrets/a.b/x", "/secrets/%2e%2e/x", "/secrets/a_b"])
def test_bad_path_of_a_vault_is_refused(path: str) -> None:
    """A name in a vault's path has only letters, digits and hyphens."""
    assert "is not a Key Vault object name" in path_problem(path, of_vault=True)


@pytest.mark.parametrize("name", [*HOSTILE.values(), "a#b", "a.", "a ", "a\u2028b", ""])
def test_new_certificate_gets_no_such_name(name: str) -> None:
    """Certroll gives a new certificate no name that breaks Azure's rule, nor one that Azure advises against."""
    assert "is not a name for a new certificate" in NEW_CERTIFICATE.problem(name)


@pytest.mark.parametrize("name", ["a", "shop.example.com", "Web Cert (2)", "bücher", "a" * 260])
def test_new_certificate_gets_any_name_that_azure_takes(name: str) -> None:
    """Azure's rule for the names of certificates allows spaces, periods and letters of all scripts."""
    assert NEW_CERTIFICATE.problem(name) == ""
