"""Renew a certificate, start a sweep, and show the plans, as commands."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from local.console.client import ControlClient, Refused, host_client
from local.console.log import Event, events
from local.running import NotRunning, Running
from local.screen import PYTHON, Screen

KINDS = {"vaults": "certificates", "secrets": "secrets"}
"""The parts of `GET /state` that list vault objects, and the word for each in the routes of the control port."""


class VaultObject(NamedTuple):
    """A certificate of a vault, or a plain secret that holds a certificate."""

    vault: str
    name: str
    kind: str

    def __str__(self) -> str:
        return f"{self.vault}/{self.name}"


def renew(running: Running, wanted: str, screen: Screen) -> None:
    """Renew a vault object by its name, or by `vault/name`. For an unknown name, raise Refused with all names."""
    client = ControlClient(running)
    found = choose(wanted, vault_objects(client.get("/state")))
    version = client.post(f"/vaults/{found.vault}/{found.kind}/{found.name}/renew", {})
    screen.line(f"Renewed {found}: {version['thumbprint'][:12]}…, valid until {version['not_after'][:10]}.")
    screen.line("See what happens:")
    screen.command(f"{PYTHON} -m local watch")


def vault_objects(state: Mapping[str, Any]) -> list[VaultObject]:
    """Return every vault object of the fleet that a person can renew."""
    return [
        VaultObject(vault, name, kind)
        for part, kind in KINDS.items()
        for vault, names in state[part].items()
        for name in names
    ]


def choose(wanted: str, known: list[VaultObject]) -> VaultObject:
    """Return the only object with this name, or with this `vault/name`. Raise Refused with the names that exist."""
    folded = wanted.lower()
    found = [entry for entry in known if folded in {entry.name.lower(), str(entry).lower()}]
    if not found:
        there = "\n  ".join(sorted(map(str, known))) or "nothing"
        raise Refused(f"there is no certificate {wanted!r} in the vaults; there are:\n  {there}")
    if len(found) > 1:
        raise Refused(f"several vaults have {wanted!r}: say {' or '.join(sorted(map(str, found)))}")
    return found[0]


def sweep(running: Running, screen: Screen) -> int:
    """Start a sweep, wait for its end, and return the exit code: 1 if the sweep failed."""
    host = host_client(running)
    before, seen = host.ended(), len(_named(running, "sweep.completed"))
    host.run("sweep_timer")
    screen.line("The sweep inspects every certificate …")
    if not host.await_end("sweep_timer", before):
        screen.line("The sweep failed. Its error is in the log:")
        screen.command(running.log)
        return 1
    for completed in _named(running, "sweep.completed")[seen:]:
        inspected = f"{completed['certificates']} certificates and {completed['sites']} sites"
        screen.line(f"The sweep has inspected {inspected}, and sent {_count(completed['enqueued'])} of them to work.")
    screen.line("See what Certroll does with them, or read its plans:")
    screen.command(f"{PYTHON} -m local watch")
    screen.command(f"{PYTHON} -m local plan")
    return 0


def _count(enqueued: object) -> int:
    return len(enqueued) if isinstance(enqueued, list) else int(str(enqueued))


def show_plans(running: Running, wanted: str | None, screen: Screen) -> None:
    """Print the newest plan of each certificate, or of those that `wanted` names. Raise Refused without a plan."""
    plans = newest_plans(_named(running, "plan.computed", "plan.listed"))
    if not plans:
        raise Refused("Certroll has made no plan yet: run `.venv/bin/python -m local sweep`, or renew a certificate")
    shown = plans if wanted is None else _chosen(wanted, plans)
    for certificate, entries in sorted(shown.items()):
        screen.heading(certificate)
        rows = [(entry["reason"], entry["subject"], entry.get("detail", "")) for entry in entries]
        screen.entries(rows, none="nothing to do")


def newest_plans(told: list[Event]) -> dict[str, list[Event]]:
    """Return the rows of each certificate's newest plan: its steps, then its refusals.

    The event `plan.computed` begins a plan, and each event `plan.listed` has some of its rows.
    """
    plans: dict[str, list[Event]] = {}
    for event in told:
        if event["event"] == "plan.computed":
            plans[event["certificate"]] = []
        else:
            plans.setdefault(event["certificate"], []).extend(event["rows"])
    return plans


def _chosen(wanted: str, plans: Mapping[str, list[Event]]) -> dict[str, list[Event]]:
    folded = wanted.lower()
    chosen = {key: plan for key, plan in plans.items() if folded in {key.lower(), key.lower().partition("/")[2]}}
    if not chosen:
        there = "\n  ".join(sorted(plans))
        raise Refused(f"there is no plan for {wanted!r} yet; there are plans for:\n  {there}")
    return chosen


def _named(running: Running, *names: str) -> list[Event]:
    if not running.log:
        raise NotRunning("this local Azure was started with --no-app: the log is with the host that runs the app")
    return [event for event in events(Path(running.log)) if event["event"] in names]
