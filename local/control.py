"""Let a developer, the demo or a test in another process change the running simulated Azure.

The control port speaks plain HTTP and JSON on its own loopback port. The control port is apart from the simulated
Azure, so that no client mistakes the control port for Azure.
"""

import http.client
import json
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol, Self, TypeVar, cast

from local.azure.dns.zones import Kind
from local.azure.eventgrid.event import Event, ObjectType, Schema
from local.azure.eventgrid.event import Kind as KindOfEvent
from local.azure.scripting.knobs import Knobs
from local.azure.vault.objects import RenewalDifferences, VaultCertificate
from local.azure.vault.secrets import Secret, SecretDifferences
from local.azure.vault.vault import Vault
from local.azure.wire import Request, Response, RoutedFunction, Router
from local.azure.world import World
from local.bodies import Hints, WrongBody, hints_of, read_body, read_fault, read_json, read_record
from local.fleet import fleet, version_as_json
from local.http_wire import converse
from local.listener import Connection, Listener
from local.sightings import Sighting

Found = TypeVar("Found")
CLOCK: Hints = {"advance": float, "set": datetime}
EVENT: Hints = {
    "do": Literal["emit", "repeat", "hold", "release", "lose"],
    "vault": str,
    "name": str,
    "kind": KindOfEvent,
    "version": str | None,
    "object_type": ObjectType | None,
}
"""What `POST /events` takes. Only `emit` needs more than `do`."""


class FleetPinned(Exception):
    """The simulated fleet cannot change now. The message of `FleetPinned` names the next step."""


class Steered(Protocol):
    """The parts of the local Azure that the control port steers."""

    @property
    def world(self) -> World:
        """The simulated Azure that is served now."""

    def sightings(self) -> list[Sighting]:
        """Visit every bound host name by TLS, and return what the visitor saw."""

    def seed(self, name: str, seed: int = 0) -> None:
        """Serve a new simulated fleet of the given name."""

    def reset(self) -> None:
        """Replace the simulated fleet by a new simulated fleet of the same name."""

    def deliver_to(self, url: str, schema: Schema = "EventGrid") -> None:
        """Deliver every later event to the webhook at `url`."""


class Control:
    """The control port, running from construction until `close`.

    The control port lists all its routes, with a description of each route, at `GET /`.
    """

    def __init__(self, steered: Steered) -> None:
        """Let the control port listen on a free TCP port."""
        self._steered = steered
        self._router = self._routes()
        self._listener = Listener(self._serve, "control")
        self.port = self._listener.listen()

    def __enter__(self) -> Self:
        """Return the running control port."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the control port."""
        self.close()

    @property
    def url(self) -> str:
        """The URL of the control port."""
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop the control port, and free its TCP port."""
        self._listener.close()

    def answer(self, request: Request) -> Response:
        """Return the control port's answer to a request.

        The answer is 409 if the fleet cannot change now, and 400 for any other request that the control port cannot
        carry out. Each of these answers has the cause.
        """
        try:
            return self._router.dispatch(request)
        except (Unknown, FleetPinned) as wrong:
            return _json(400 if isinstance(wrong, Unknown) else 409, {"error": str(wrong)})
        except (KeyError, TypeError, ValueError, OverflowError, OSError) as wrong:
            # The text of a KeyError is its argument in quotes.
            return _json(400, {"error": str(wrong.args[0] if isinstance(wrong, KeyError) and wrong.args else wrong)})

    def _serve(self, connection: Connection) -> None:
        with connection.socket.makefile("rb") as stream:
            converse(stream, connection.socket.sendall, self.answer)

    def _routes(self) -> Router:
        router = Router(lambda request: _json(404, {"error": f"Nothing at {request.method} {request.path}."}))
        routes = self._table()
        known = "".join(f"{method} {path}: {(function.__doc__ or '').strip()}\n" for method, path, function in routes)
        listed = Response(200, {"content-type": "text/plain; charset=utf-8"}, known.encode())
        for method, path, function in (*routes, ("GET", "/", lambda _request, _names: listed)):
            router.add(method, path, function)
        return router

    def _table(self) -> tuple[tuple[str, str, RoutedFunction], ...]:
        return (
            ("GET", "/state", self._state),
            ("GET", "/served", self._served),
            ("GET", "/journal", self._journal),
            ("DELETE", "/journal", self._clear_journal),
            ("GET", "/clock", self._clock),
            ("POST", "/clock", self._move_clock),
            ("GET", "/knobs", self._knobs),
            ("POST", "/knobs", self._turn_knobs),
            ("GET", "/faults", self._faults),
            ("POST", "/faults", self._add_faults),
            ("DELETE", "/faults", self._clear_faults),
            ("GET", "/dns", self._dns),
            ("POST", "/dns", self._add_record),
            ("DELETE", "/dns", self._remove_record),
            ("POST", "/reset", self._reset),
            ("POST", "/world", self._seed),
            ("POST", "/webhooks", self._add_webhook),
            ("POST", "/events", self._event),
            ("POST", "/vaults/{vault}/certificates/{name}/renew", self._renew),
            ("POST", "/vaults/{vault}/secrets/{name}/renew", self._renew_secret),
            ("POST", "/partners/{partner}/move", self._move_partner),
        )

    @property
    def _world(self) -> World:
        return self._steered.world

    def _state(self, _request: Request, _names: Mapping[str, str]) -> Response:
        """Return the whole simulated Azure as JSON, without secrets."""
        return _json(200, fleet(self._world))

    def _served(self, _request: Request, _names: Mapping[str, str]) -> Response:
        """Visit every bound host name by TLS, and return which certificate each serves, and since when."""
        return _json(200, [sighting.to_json() for sighting in self._steered.sightings()])

    def _journal(self, _request: Request, _names: Mapping[str, str]) -> Response:
        """Return every request and change that the simulated Azure has recorded."""
        return _json(200, self._world.journal.to_json())

    def _clear_journal(self, _request: Request, _names: Mapping[str, str]) -> Response:
        """Clear the requests and changes that the simulated Azure has recorded."""
        self._world.journal.clear()
        return Response(204)

    def _clock(self, _request: Request, _names: Mapping[str, str]) -> Response:
        """Return Azure's time, which is not the time of the Function App."""
        return _json(200, {"now": self._world.clock.now().isoformat()})

    def _move_clock(self, request: Request, names: Mapping[str, str]) -> Response:
        """Move Azure's clock, not the app's: {"advance": seconds} or {"set": "2026-11-21T12:00:00+00:00"}."""
        wanted = _asked(request, CLOCK)
        if "set" in wanted:
            self._world.clock.set(wanted["set"])
        self._world.clock.advance(timedelta(seconds=wanted.get("advance", 0)))
        return self._clock(request, names)

    def _knobs(self, _request: Request, _names: Mapping[str, str]) -> Response:
        """Return the knobs (simulation settings), which set how the simulated Azure behaves."""
        knobs = self._world.knobs
        return _json(200, {name: getattr(knobs, name) for name in knobs.__slots__})

    def _turn_knobs(self, request: Request, names: Mapping[str, str]) -> Response:
        """Turn knobs: {"reads_until_visible": 2}."""
        self._world.knobs.turn(**_asked(request, hints_of(Knobs)))
        return self._knobs(request, names)

    def _faults(self, _request: Request, _names: Mapping[str, str]) -> Response:
        """Return the faults that the simulated Azure injects."""
        shown = [{name: getattr(fault, name) for name in fault.__slots__} for fault in self._world.faults.all()]
        return _json(200, shown)

    def _add_faults(self, request: Request, names: Mapping[str, str]) -> Response:
        """Add a fault: {"kind": "throttle", "method": "GET"}, or a list of faults."""
        wanted = read_json(request)
        self._world.faults.add(*[read_fault(fault) for fault in (wanted if isinstance(wanted, list) else [wanted])])
        return self._faults(request, names)

    def _clear_faults(self, _request: Request, _names: Mapping[str, str]) -> Response:
        """Remove all faults."""
        self._world.faults.clear()
        return Response(204)

    def _dns(self, _request: Request, _names: Mapping[str, str]) -> Response:
        """Return the DNS records."""
        return _json(200, self._world.dns.to_json())

    def _add_record(self, request: Request, names: Mapping[str, str]) -> Response:
        """Add a DNS record: {"name": "a.example.com", "kind": "CNAME", "value": "b.example.com"}."""
        self._world.dns.add(*read_record(read_json(request)))
        return self._dns(request, names)

    def _remove_record(self, request: Request, names: Mapping[str, str]) -> Response:
        """Remove a DNS record: {"name": …, "kind": …}."""
        wanted = _asked(request, {"name": str, "kind": Kind}, "name", "kind")
        self._world.dns.remove(wanted["name"], wanted["kind"])
        return self._dns(request, names)

    def _reset(self, request: Request, names: Mapping[str, str]) -> Response:
        """Replace the simulated fleet by a new simulated fleet of the same name."""
        self._steered.reset()
        return self._clock(request, names)

    def _seed(self, request: Request, names: Mapping[str, str]) -> Response:
        """Serve another world: {"name": "fabrikam"}."""
        wanted = _asked(request, {"name": str, "seed": int}, "name")
        self._steered.seed(wanted["name"], wanted.get("seed", 0))
        return self._clock(request, names)

    def _add_webhook(self, request: Request, _names: Mapping[str, str]) -> Response:
        """Deliver the vaults' events to one more webhook: {"url": …}."""
        wanted = _asked(request, {"url": str, "schema": Schema}, "url")
        url = wanted["url"]
        if not url.startswith("http://"):
            raise WrongBody(f"url has to begin with http://, not {url!r}.")
        try:
            self._steered.deliver_to(url, wanted.get("schema", "EventGrid"))
        except (http.client.HTTPException, OSError, ValueError) as silent:
            raise WrongBody(f"The webhook {url.split('?')[0]} does not take events: {silent}") from silent
        return Response(204)

    def _event(self, request: Request, _names: Mapping[str, str]) -> Response:
        """Send, repeat or lose an event of a vault: {"do": "emit", …}."""
        with self._world.lock:
            events = self._acted(_asked(request, EVENT))
        return _json(200, [event.payload for event in events])

    def _renew(self, request: Request, names: Mapping[str, str]) -> Response:
        """Renew a vault certificate, with the same or with changed properties: {} or {"self_signed": true}."""
        vault = self._vault(names)
        _find(f"certificate in vault {vault.name}", names["name"], vault.certificates)
        wanted = _asked(request, hints_of(RenewalDifferences))
        return _json(200, version_as_json(vault.renew(names["name"], **cast("RenewalDifferences", wanted))))

    def _renew_secret(self, request: Request, names: Mapping[str, str]) -> Response:
        """Renew the certificate in a plain secret of a vault. The successor of a root has a new authority."""
        vault = self._vault(names)
        _find(f"plain secret in vault {vault.name}", names["name"], vault.secrets)
        wanted = _asked(request, {"host_names": Collection[str], **hints_of(SecretDifferences)})
        host_names = wanted.pop("host_names", None)
        version = vault.renew_secret(names["name"], host_names, **cast("SecretDifferences", wanted))
        return _json(200, version_as_json(version))

    def _move_partner(self, request: Request, names: Mapping[str, str]) -> Response:
        """Let a partner server present a certificate of a renewed root's authority: {"vault": …, "name": …}."""
        wanted = _asked(request, {"vault": str, "name": str}, "vault", "name")
        vault = self._vault(wanted)
        objects: dict[str, Secret | VaultCertificate] = {**vault.secrets, **vault.certificates}
        found = _find(f"object in vault {vault.name}", wanted["name"], objects)
        partners = {name.partition(".")[0]: partner for name, partner in self._world.apps.partners.items()}
        partner = _find("partner server", names["partner"], partners)
        root = found.newest.thumbprint
        authority = vault.successors.authority(root)
        if authority is None:
            raise ValueError(
                f"The newest version of {found.name} is no root of a renewal here: renew {found.name} first."
            )
        with self._world.lock:
            partner.move_to(authority)
        return _json(200, {"partner": partner.name, "root": root})

    def _acted(self, wanted: dict[str, Any]) -> list[Event]:
        """Send, repeat, delay or discard events of Key Vault, and return the delivered or discarded events."""
        events = self._world.events
        match wanted.pop("do", "emit"):
            case "repeat":
                if not events.emitted:
                    raise WrongBody("There is no event to repeat yet.")
                return [events.repeat()]
            case "hold":
                events.hold()
                return []
            case "release":
                return events.release()
            case "lose":
                return events.lose()
        vault = self._vault(read_body(wanted, EVENT, ["vault", "name"]))
        _find(f"object in vault {vault.name}", wanted["name"], {**vault.secrets, **vault.certificates})
        return [events.emit(**wanted)]

    def _vault(self, names: Mapping[str, str]) -> Vault:
        return _find("vault", names["vault"], self._world.vaults)


def _json(status: int, payload: object) -> Response:
    """Return an answer that a person can read in a terminal: JSON in lines, with a line end."""
    text = f"{json.dumps(payload, indent=2, ensure_ascii=False)}\n"
    return Response(status, {"content-type": "application/json; charset=utf-8"}, text.encode())


class Unknown(LookupError):
    """A request names something that does not exist. The message of `Unknown` lists the names that exist."""


def _find(kind: str, name: str, known: Mapping[str, Found]) -> Found:
    """Return the entry with this name in upper or lower case. Raise Unknown with all names for a missing entry."""
    found = known.get(name.lower())
    if found is None:
        there = ", ".join(sorted(known)) or "none"
        raise Unknown(f"There is no {kind} named {name!r}; there are: {there}.")
    return found


def _asked(request: Request, hints: Hints, *needed: str) -> dict[str, Any]:
    return read_body(read_json(request), hints, needed)
