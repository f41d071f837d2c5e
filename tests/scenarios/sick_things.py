"""Let one thing of a simulated fleet answer wrongly for good, and return what else went wrong because of it."""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from local.azure.scripting.faults import Call, Faults
from local.azure.wire import Drop, Request, Response, arm_error, vault_error, web_error
from local.azure.world import World
from shared.clients.connect import Connections
from shared.domain.deadline import Deadline
from shared.domain.errors import CertrollError
from shared.domain.reason import Reason
from shared.loop.run import Run
from tests.client_requests import Asked, Template
from tests.scenarios.installation import Installation
from tests.scenarios.sick_fleets import HOUR, Fleet, Promise, webspace_of

ANY = Template("*", "*")
UPLOAD_DATES = "resources?microsoft.web/certificates"
"""The list whose only use is to find uploads from before a date. Certroll reports each upload of unknown date."""
_MADE = re.compile(r"[0-9a-f]{32,}|(?<=operationresults/)[^/]+")
"""Parts of names that differ from run to run: thumbprints, versions and ids of operations."""
ASKED_IN_HEADER = {"Retry-After": "20"}
CODES = {
    400: "BadRequest",
    401: "ExpiredAuthenticationToken",
    403: "AuthorizationFailed",
    404: "ResourceNotFound",
    409: "Conflict",
    412: "PreconditionFailed",
    429: "TooManyRequests",
    500: "InternalServerError",
    503: "ServiceUnavailable",
    504: "GatewayTimeout",
}


def _error(status: int, request: Request) -> Response:
    make = vault_error if ".vault." in request.host else arm_error
    answer = make(status, CODES[status], "The simulated thing is sick.")
    return answer.adding(ASKED_IN_HEADER) if status in {429, 503} else answer


def _locked(_: Request) -> Response:
    template = "Cannot acquire exclusive lock to create, update or delete this site. Retry the request later."
    return web_error(429, "429", "59206", template).adding(ASKED_IN_HEADER)


def _text(text: str) -> Callable[[Request], Response]:
    return lambda _: Response(200, {"Content-Type": "application/json"}, text.encode())


def _none(_: Request) -> Response:
    raise Drop


ANSWERS: dict[str, Callable[[Request], Response]] = {
    **{str(status): lambda request, status=status: _error(status, request) for status in CODES},  # type: ignore[misc]
    "site lock": _locked,
    "no JSON": _text("<html><body>Bad gateway</body></html>"),
    "odd JSON": _text(json.dumps([None, 5])),
    "no answer": _none,
}


WEB = "subscriptions/*/resourcegroups/*/providers/microsoft.web"
HARMLESS = {
    # the managed certificate itself shows that Azure has issued it
    *((f"{WEB}/certificates/*/operationresults/*", answer) for answer in ANSWERS.values()),
}
"""The requests whose answer needs no finding, as long as it prevents no work."""
UNSEEN = {
    # Azure says that it restarts the app, and no read shows more
    (f"{WEB}/sites/*/restart", ANSWERS["odd JSON"]),
    (f"{WEB}/sites/*/slots/*/restart", ANSWERS["odd JSON"]),
    # Azure says that the root is gone, which is what Certroll wants
    (f"{WEB}/hostingenvironments/*/publiccertificates/*", ANSWERS["404"]),
}
"""The requests whose answer says that all is well. Certroll believes the answer."""


class Thing(NamedTuple):
    """What is sick: one kind of request about one resource."""

    template: Template
    path: str
    """The host and the path, without what differs from run to run."""
    resource: str
    """The id of the resource, as the promises of a fleet name it."""

    @classmethod
    def of(cls, asked: Asked) -> "Thing":
        """Return the thing that a request is about."""
        path = _MADE.sub("~", f"{asked.host}{asked.path}".lower())
        return cls(asked.template, path, _MADE.sub("~", asked.resource))

    def covers(self, other: "Thing") -> bool:
        """Return True if the other request is about this thing. A thing of any kind covers all paths below its own."""
        if self.template == ANY:
            return other.path.startswith(self.path)
        return (self.template, self.path) == (other.template, other.path)

    @property
    def name(self) -> str:
        """The name by which a finding must name the thing, or what a finding must tell of it."""
        if self.template.path.endswith(UPLOAD_DATES):
            return Reason.UPLOAD_DATE_UNKNOWN.lower()
        words = self.resource.partition("/operationresults/")[0]
        for part in ("/config", "/publiccertificates", "/hostnamebindings"):
            words = words.removesuffix(part)
        return words.rpartition("/")[2].removesuffix(".vault.azure.net").removesuffix("~")


class Sick(Faults):
    """All requests of a fleet, and the wrong answer to the requests about one thing."""

    def __init__(self, world: World, thing: Thing | None, answer: Callable[[Request], Response]) -> None:
        super().__init__(world.clock, world.journal)
        self.seen: dict[Thing, int] = {}
        """How often Certroll has asked about each thing."""
        self.thing, self.answer = thing, answer

    def around(self, request: Request, call: Call) -> Response:
        """Answer as Azure does, except about the sick thing."""
        query = f"{request.query.get('$filter', '')}"
        if request.host == "login.microsoftonline.com":
            return call()
        thing = Thing.of(Asked.of(request.method, request.host, request.path, query))
        self.seen[thing] = self.seen.get(thing, 0) + 1
        return self.answer(request) if self.thing is not None and self.thing.covers(thing) else call()


class Bounded(Installation):
    """Certroll with the clients that respect the deadline of each run, as the Function App builds them."""

    connections: Connections

    def start(self) -> Run:
        """Return a run with a deadline of its own."""
        deadline = Deadline.of_run(self.clock.now())
        ports = replace(self.storage.under(self.connections.ports(deadline)), queue=self.queue)
        return Run.start(ports, self.intent, self.pool, deadline)


@dataclass(slots=True)
class Trial:
    """A fleet with Certroll, and perhaps one sick thing."""

    fleet: Fleet
    sick: Sick
    certroll: Installation

    def carry(self) -> None:
        """Renew what the fleet renews, and let Certroll sweep hourly and deliver its messages."""
        self.fleet.renew()
        for _ in range(self.fleet.sweeps):
            self._hour()
        if self.fleet.later:
            self.certroll.clock.advance(self.fleet.later)
            self._hour()

    def _hour(self) -> None:
        """Let Certroll sweep, and deliver its messages for an hour."""
        certroll, began = self.certroll, self.certroll.clock.now()
        certroll.pay()
        try:
            certroll.sweep_everything()
        except ExceptionGroup as group:
            certroll.errors.extend(group.exceptions)
        certroll.deliver_all(began + HOUR - certroll.clock.now())
        certroll.clock.set(max(certroll.clock.now(), began + HOUR))

    def broken(self) -> list[Promise]:
        """Return the promises that Certroll has not kept."""
        return [promise for promise in self.fleet.promises if not promise.kept()]

    def troubles(self, excused: frozenset[str]) -> Iterable[str]:
        """Yield what went wrong, apart from the promises that need one of the excused resources."""
        broken = self.broken()
        for promise in broken:
            if promise.needs.isdisjoint(excused):
                yield f"not moved: {promise.what}"
        for message in self.certroll.queue.dead_letter:
            yield f"in a poison queue: {message.queue} {message.body}"
        for error in flat(self.certroll.errors):
            if not isinstance(error, CertrollError):
                yield f"unknown error: {error!r}"
        name = self.sick.thing.name if self.sick.thing else ""
        asked = (self.sick.thing.template.path, self.sick.answer) if self.sick.thing else None
        if asked in UNSEEN or (asked in HARMLESS and not broken):
            return
        told = ("subject", "detail", "site", "reason")
        rows = self.certroll.rows("certrollfindings")
        if not any(name in " ".join(str(row.get(column)) for column in told).lower() for row in rows):
            yield f"no finding names {name}"


def flat(errors: Iterable[Exception]) -> Iterable[Exception]:
    """Yield the errors, with the errors of groups instead of the groups."""
    for error in errors:
        if isinstance(error, ExceptionGroup):
            yield from flat(error.exceptions)
        else:
            yield error


def excused_by(thing: Thing, world: World) -> frozenset[str]:
    """Return the ids of the resources that Certroll cannot judge or change while the thing is sick.

    Something unread that could use a certificate of a webspace holds what could harm it in that webspace.
    """
    path = thing.template.path
    if not thing.resource:
        return frozenset(f"/subscriptions/{identifier}" for identifier in world.subscriptions)
    if path.endswith(("sites/*/slots", "sites/*/certificates")):
        site = next(site for site in world.web.sites.values() if site.id.lower() == thing.resource)
        return frozenset({webspace_of(site).lower()})
    if "/operationresults/" in thing.resource:
        certificate = thing.resource.partition("/operationresults/")[0]
        return frozenset({thing.resource, f"operation of {certificate.rpartition('/')[2]}"})
    # while an app that Certroll has stopped does not start, Certroll stops no other app of the environment
    if path.endswith("/start"):
        site = next(site for site in world.web.sites.values() if site.id.lower() == thing.resource)
        return frozenset({site.environment.id.lower()} if site.environment else {thing.resource})
    if path.endswith("serverfarms/*/sites"):
        plan = next(plan for plan in world.web.plans.values() if plan.id.lower() == thing.resource)
        return frozenset({webspace_of(plan).lower()})
    owner, _, name = thing.resource.rpartition("/")
    if name.startswith("certroll-") and owner.endswith("/publiccertificates"):
        # what Certroll uploads itself is what the environment or the site must get
        hosted = "/hostingenvironments/" in owner
        return frozenset({owner.removesuffix("/publiccertificates") if hosted else owner})
    return frozenset({thing.resource})
