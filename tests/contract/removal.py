"""Take away what a run has made, and nothing else.

A resource goes only if its id is noted and the resource carries the run's tag. A resource that cannot have tags carries
the run in its name or description. The note loses the ids of resources that are gone, and of resources that are not the
run's. If a removal fails, the note keeps the id.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.contract.apis import ROLES_API, ROOTS_API, VAULTS_API, WEB_API
from tests.contract.ledger import TAG, Ledger
from tests.contract.place import Place
from tests.contract.wire import GONE, REFUSED, Answer, Json, Refusal

ORDER = ("roleassignments", "publiccertificates", "slots", "sites", "certificates", "serverfarms", "vaults")
"""The kinds of resources in the order of their removal: a site before what it uses."""
CONFLICT = 409
FORBIDDEN = 403
UNPURGED = "it is deleted, and only a right on the subscription purges it; Azure purges it after 7 days, at no cost"
POLLS_OF_CONFLICT = 4


class InUse(Exception):
    """A resource of the run holds something that the run has not made, so the resource stays."""


@dataclass(frozen=True, slots=True)
class Removal:
    """What a removal did."""

    removed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """The ids that stay because they are not the run's, each with the reason."""
    failed: list[str] = field(default_factory=list)
    """The ids that could not be removed, each with the reason; they stay in the note."""


def remove(place: Place, ledger: Ledger) -> Removal:
    """Remove what the run has noted. A failure at one resource does not stop the removal of the others."""
    done = Removal()
    for resource_id in sorted(ledger.made, key=_turn):
        try:
            reason = _remove(place, ledger, resource_id)
        except Exception as error:  # noqa: BLE001 - whatever fails, the next resource still has to go
            done.failed.append(f"{resource_id}: {error}")
            continue
        ledger.strike(resource_id)
        if reason:
            done.kept.append(f"{resource_id}: {reason}")
        else:
            done.removed.append(resource_id)
    return done


def kind_of(resource_id: str) -> str:
    """Return the kind of a resource in lower case, such as `sites` or `slots`."""
    return resource_id.lower().split("/")[-2]


def _turn(resource_id: str) -> int:
    return ORDER.index(kind_of(resource_id))


def _remove(place: Place, ledger: Ledger, resource_id: str) -> str:
    """Remove a resource, and return an empty text, or the reason why the resource stays."""
    kind = kind_of(resource_id)
    url = f"{resource_id}?api-version={VERSIONS[kind]}"
    found = place.arm.send("GET", url)
    if found.status not in GONE:
        if found.status >= REFUSED:
            raise Refusal(f"GET {resource_id}", found)
        if reason := _stays(place, ledger, resource_id, found.json):
            return reason
        _delete(place, resource_id, url)
    return _purge(place, ledger, resource_id) if kind == "vaults" else ""


def _stays(place: Place, ledger: Ledger, resource_id: str, wire: Json) -> str:
    """Return the reason why a noted resource is not the run's, or an empty text.

    Raise InUse if a site of the run has a slot that the run has not made, because Azure deletes a site with its slots.
    """
    kind = kind_of(resource_id)
    if not MARKS[kind](wire, ledger.run):
        return f"it does not carry the mark of run {ledger.run}"
    if kind == "sites":
        slots = place.arm.expect("GET", f"{resource_id}/slots?api-version={WEB_API}")["value"]
        if foreign := [str(slot["name"]) for slot in slots if not _tagged(slot, ledger.run)]:
            raise InUse(f"it has slots that run {ledger.run} has not made: {', '.join(foreign)}")
    return ""


def _delete(place: Place, resource_id: str, url: str) -> None:
    """Delete a resource, and wait until it is gone. Azure may refuse for a while what was in use just before."""
    query = "&deleteEmptyServerFarm=false" if kind_of(resource_id) in {"sites", "slots"} else ""
    answers: list[Answer] = []

    def ask() -> bool:
        answers.append(place.arm.send("DELETE", url + query))
        return answers[-1].status != CONFLICT

    place.watch(ask, bool, POLLS_OF_CONFLICT)
    _expect_gone(f"DELETE {resource_id}", answers[-1])
    if place.watch(lambda: place.arm.send("GET", url).status, GONE.__contains__) is None:
        raise TimeoutError(f"it is still there {place.polls * place.pause:.0f} s after its deletion")


def _purge(place: Place, ledger: Ledger, vault_id: str) -> str:
    """Purge the deleted vault of the run, so that its name is free, and return why it stays or an empty text."""
    at_location = f"/subscriptions/{place.subscription}/providers/Microsoft.KeyVault/locations/{place.location}"
    path, query = f"{at_location}/deletedVaults/{vault_id.rpartition('/')[2]}", f"?api-version={VAULTS_API}"
    found = place.arm.send("GET", path + query)
    if found.status in GONE:
        return ""
    if found.status == FORBIDDEN:
        return UNPURGED
    if found.status >= REFUSED:
        raise Refusal(f"GET {path}", found)
    properties = found.json.get("properties") or {}
    same = str(properties.get("vaultId")).lower() == vault_id.lower()
    if not same or (properties.get("tags") or {}).get(TAG) != ledger.run:
        return f"the deleted vault of that name does not carry the mark of run {ledger.run}"
    purged = place.arm.send("POST", f"{path}/purge{query}")
    if purged.status == FORBIDDEN:
        return UNPURGED
    _expect_gone(f"purge of {vault_id}", purged)
    if place.watch(lambda: place.arm.send("GET", path + query).status, GONE.__contains__) is None:
        raise TimeoutError(f"the purge took longer than {place.polls * place.pause:.0f} s")
    return ""


def _expect_gone(what: str, answer: Answer) -> None:
    if answer.status >= REFUSED and answer.status not in GONE:
        raise Refusal(what, answer)


def _tagged(wire: Json, run: str) -> bool:
    return bool((wire.get("tags") or {}).get(TAG) == run)


def _described(wire: Json, run: str) -> bool:
    return run in str((wire.get("properties") or {}).get("description"))


def _named(wire: Json, run: str) -> bool:
    return run in str(wire.get("name"))


def _tagged_or_named(wire: Json, run: str) -> bool:
    return _tagged(wire, run) or _named(wire, run)


MARKS: dict[str, Callable[[Json, str], bool]] = {
    **dict.fromkeys(("slots", "sites", "serverfarms", "vaults"), _tagged),
    "certificates": _tagged_or_named,
    "roleassignments": _described,
    "publiccertificates": _named,
}
"""How the JSON of a resource shows that a run has made it.

Roots and role assignments have no tags, and the product requests a managed certificate without tags.
"""
VERSIONS = {
    **dict.fromkeys(("slots", "sites", "certificates", "serverfarms"), WEB_API),
    "vaults": VAULTS_API,
    "roleassignments": ROLES_API,
    "publiccertificates": ROOTS_API,
}
