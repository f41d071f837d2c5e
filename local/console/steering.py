"""Renew a certificate and start a sweep, as commands."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from local.console.client import ControlClient, Refused, host_client
from local.console.sweeps import last_judged, run_sweep
from local.running import Running
from local.screen import Screen

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
    screen.command(running.command("watch"))


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
    screen.line("The sweep inspects every certificate …")
    if run_sweep(host, running.log_file) is None:
        screen.line("The sweep failed. Its error is in the log:")
        screen.command(running.log)
        return 1
    if judged := last_judged(running.log_file):
        inspected = f"{judged['certificates']} certificates and {judged['sites']} sites"
        screen.line(f"The sweep has inspected {inspected}, and sent {_count(judged['enqueued'])} of them to work.")
    screen.line("See what Certroll does with them, or read its plans:")
    screen.command(running.command("watch"))
    screen.command(running.command("plan"))
    return 0


def _count(enqueued: object) -> int:
    return len(enqueued) if isinstance(enqueued, list) else int(str(enqueued))
