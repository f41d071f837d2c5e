"""Call every method of every client of Certroll, with an argument for each parameter.

The clients are the fields of `Ports`, and the methods are found by themselves. So a new client and a new method are in
every test that calls them all.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from functools import cache, partial
from inspect import signature
from types import MethodType, UnionType
from typing import Any, Protocol, Union, cast, get_args, get_origin, get_type_hints

import pytest
from azure.core.credentials import AccessToken

from shared.clients import connect
from shared.domain.certificates.pfx import Pfx
from shared.domain.deadline import Deadline
from shared.domain.endpoints import CloudName, StorageAddress
from shared.domain.environments.apps import WaveApp
from shared.domain.environments.record import AppRestart, AppRestartState, EnvironmentRecord, PendingStart
from shared.domain.findings import DeadLetter, Finding, HistoryEntry
from shared.domain.fleet.app_settings import AppSettings
from shared.domain.fleet.bindings import Binding
from shared.domain.fleet.copies import RootCertificate, WebspaceCertificate
from shared.domain.fleet.probe import Probe
from shared.domain.fleet.settings_memory import Memory
from shared.domain.fleet.sites import ServerFarm
from shared.domain.looks import Look
from shared.domain.managed.dns import RecordKind
from shared.domain.managed.issuance import Issuance, Place
from shared.domain.messages import Cause, CertificateMessage, EnvironmentMessage, SiteMessage, SweepMessage
from shared.domain.names import (
    CopyRef,
    EnvironmentRef,
    HostName,
    RootRef,
    SiteRef,
    Thumbprint,
    VaultCertificateRef,
    VaultName,
    Webspace,
)
from shared.domain.orders.action import AskedState, OrderAction, OrderRecord
from shared.domain.orders.order import Order, OrderRef, OrderStatus
from shared.domain.reason import Reason
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.settings_record import RollRecord, RollState
from shared.domain.rollout.site_record import SiteRecord, SiteState
from shared.domain.shown import Shown, Source
from shared.domain.turns import Turn
from shared.ports import Ports
from shared.ports.clock import Clock
from tests import build
from tests.broken_answers import HOST, PLAN, VAULT_ID
from tests.build import ASE, HOUR, NEW, NOW, OLD, REF, SUBSCRIPTION, VAULT, WEST, ManualClock

ORDER = OrderRef.parse(
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.CertificateRegistration"
    "/certificateOrders/shop"
)
WORDS: Mapping[str, str] = {
    "subscription": SUBSCRIPTION,
    "plan": PLAN,
    "operation": f"{PLAN.partition('/serverfarms/')[0]}/certificates/shop/operationResults/1?api-version=1",
    "vault_id": VAULT_ID,
    "version": "0123456789abcdef0123456789abcdef",
    "queue": "certificates",
    "address": "10.0.0.4",
}
"""What a parameter of type `str` gets, by its name."""
SITE = build.site()
VALUES: Mapping[Any, Callable[[], object]] = {
    AppSettings: lambda: build.app_settings({"A": "b"}),
    Binding: build.binding,
    CertificateMessage: lambda: CertificateMessage(REF, Cause.EVENT),
    CopyRef: lambda: build.copy().ref,
    DeadLetter: lambda: DeadLetter("key", "certificates", "body", "cause"),
    EnvironmentMessage: lambda: EnvironmentMessage(ASE),
    EnvironmentRecord: lambda: EnvironmentRecord(ASE),
    EnvironmentRef: lambda: ASE,
    HostName: lambda: HostName(HOST),
    Mapping[str, Shown]: lambda: {"text": Shown(Source.CONFIG, NOW, {"minTlsVersion": "1.2"})},
    Mapping[str, bytes]: lambda: {"report.json": b"{}"},
    Mapping[str, Turn]: lambda: {"text": Turn(NOW, failed=True)},
    Issuance: lambda: Issuance(SITE.ref, HostName(HOST), NOW),
    Order: lambda: Order(ORDER, HostName(HOST), OrderStatus.ISSUED, auto_renew=False),
    OrderRecord: lambda: OrderRecord(ORDER, OrderAction.RENEW, "0A1B", AskedState.ASKED, NOW),
    OrderRef: lambda: ORDER,
    Look: Look,
    Source: lambda: Source.CONFIG,
    Memory: lambda: Memory(SITE.ref.resource_id, NOW, NOW, "{}"),
    PendingStart: lambda: PendingStart(SITE.ref, ASE, NOW),
    Pfx: lambda: Pfx(b"pfx", "password"),
    Place: lambda: Place(SITE, "West Europe", ("10.0.0.4",)),
    Probe: lambda: Probe.parse("/health 200 ok"),
    RecordKind: lambda: RecordKind.CNAME,
    RollRecord: lambda: build.roll(RollState.OVERLAPPING),
    Rollout: lambda: build.rollout(build.record(SiteState.PENDING)),
    RootCertificate: build.root,
    RootRef: lambda: build.root().ref,
    ServerFarm: build.farm,
    SiteMessage: lambda: SiteMessage(SITE.ref, REF),
    SweepMessage: lambda: SweepMessage("orders", NOW),
    SiteRecord: lambda: build.record(SiteState.PENDING),
    SiteRef: lambda: SITE.ref,
    Thumbprint: lambda: NEW,
    VaultCertificateRef: lambda: REF,
    VaultName: lambda: VAULT,
    Webspace: lambda: WEST,
    WebspaceCertificate: build.copy,
    bytes: lambda: b"der",
    datetime: lambda: NOW + HOUR,
    int: lambda: 1,
    timedelta: lambda: timedelta(0),
    tuple[HistoryEntry, ...]: lambda: (HistoryEntry(NOW, "x", "x", Reason.SERVED),) * 2,
    tuple[Finding, ...]: lambda: (Finding(NOW, "x", "x", Reason.SERVED, "x"),) * 2,
    frozenset[Thumbprint]: lambda: frozenset({OLD, Thumbprint("BC" + "BB" * 19)}),
    frozenset[VaultName]: lambda: frozenset({VAULT}),
    object: dict,
}
"""A value for each type of parameter. A new type of parameter needs a value here, else these tests fail."""
NO_CLIENTS = frozenset({"clock", "retrying", "trace"})
"""The fields of `Ports` that ask nobody."""
NO_CALLS = frozenset({"until", "forget_all"})


class _Token:
    def get_token(self, *_: str, **__: object) -> AccessToken:
        return AccessToken("token", 4_000_000_000)


@cache
def connections() -> connect.Connections:
    """Return the clients of Azure, with a token that nobody checks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connect, "make_credential", lambda *_: _Token())
        address = (f"https://contoso.{kind}.core.windows.net" for kind in ("blob", "queue", "table"))
        return connect.Connections(CloudName.PUBLIC, None, StorageAddress(None, *address), ManualClock())


def ports() -> Ports:
    """Return the ports of a run that may repeat a call for some seconds."""
    soon = Deadline(NOW + timedelta(seconds=3), NOW + HOUR, NOW + HOUR)
    made = connections()
    made._clock = cast("Clock", ManualClock())
    return made.ports(soon)


CLIENTS = tuple(field.name for field in fields(Ports) if field.name not in NO_CLIENTS)


class Call(Protocol):
    """A method of a client."""

    def __call__(self, *arguments: object) -> object:
        """Ask Azure."""


def calls_of(client: object) -> Iterator[tuple[str, Call]]:
    """Yield the name of each method of a client, and the method with an argument for each parameter."""
    if not isinstance(client, object) or callable(client):
        yield "call", partial(cast("Call", client), '{"data": 5}', frozenset({VAULT}))
        return
    for name in sorted(vars(type(client)).keys() | {n for kind in type(client).__mro__[:-1] for n in vars(kind)}):
        if not name.startswith("_") and name not in NO_CALLS and callable(getattr(client, name)):
            yield name, _filled(getattr(client, name))


def _filled(method: MethodType) -> Call:
    return cast("Call", partial(method, *(value() for value in _values(method.__func__))))


@cache
def _values(function: Callable[..., object]) -> list[Callable[[], object]]:
    """Return a function for each parameter of a method, which returns the argument."""
    hints = get_type_hints(function)
    return [_value(parameter, hints[parameter]) for parameter in [*signature(function).parameters][1:]]


def _value(name: str, hint: Any) -> Callable[[], object]:  # noqa: ANN401 - a type
    if hint is str:
        return lambda: WORDS.get(name, "text")
    if get_origin(hint) in (Union, UnionType):
        return _value(name, get_args(hint)[0])
    if get_origin(hint) is not None and "Callable" in str(hint):
        return lambda: lambda record: record
    if hint == Iterable[str]:
        return lambda: ("text",)
    if hint == Iterable[Memory]:
        return lambda: (VALUES[Memory](),)
    if "Iterable" in str(hint):
        app = WaveApp(SITE.ref, PLAN, frozenset(), runs=True)
        return lambda: (AppRestart(app, AppRestartState.PENDING, NOW),)
    assert hint in VALUES, f"give a value of type {hint} for the parameter {name}"
    return VALUES[hint]
