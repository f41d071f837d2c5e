"""Check the steps that Certroll would perform with other settings, so that no plan promises what would be refused."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from threading import Lock
from typing import Generic, TypeVar

from shared.domain.certificates.lineage import Lineage
from shared.domain.certificates.pfx import Pfx
from shared.domain.certificates.version import CertificateFacts
from shared.domain.errors import CertrollError
from shared.domain.fleet.fleet import Listing
from shared.domain.fleet.vault_access import VaultSettings
from shared.domain.names import Thumbprint, VaultCertificateRef, VaultName
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.loop.perform import NO_ANSWER, REFUSALS, reason_of
from shared.loop.run import Run
from shared.planning.guards import thumbprint_not_live
from shared.planning.plan import Plan, Skip, Step
from shared.ports import Ports
from shared.ports.vault import Vault
from shared.ports.vault_rights import VaultRights

Answer = TypeVar("Answer")


def preflighted(run: Run, ports: Ports, plan: Plan, snapshot: Snapshot) -> Plan:
    """Return the plan without the steps that Certroll would perform and that a check before the write refuses.

    The plan also loses the steps that write a thumbprint which only a refused step would bring. The checks only read.
    In apply mode a plan has no such steps, because each action makes its checks right before its write. If Azure or the
    vault does not answer a check, the step becomes a refusal, too.
    """
    if not plan.would:
        return plan
    ports = replace(ports, vault=_VaultOnce(ports.vault))
    judged = [(would, _refusal(run, ports, would.step)) for would in plan.would]
    allowed = sorted((would.step for would, skip in judged if skip is None), key=_is_of_site)
    live = thumbprint_not_live.guard(Plan(tuple(allowed)), snapshot, run.intent)
    would = tuple(would for would, skip in judged if skip is None and would.step in live.steps)
    skips = (*plan.skips, *(skip for _, skip in judged if skip is not None), *live.skips)
    return replace(plan, skips=skips, would=would)


def checking(ports: Ports) -> Ports:
    """Return the ports with a memory for the rights on vaults, so that the checks of all plans read each vault once."""
    return replace(ports, vault_rights=_RightsOnce(ports.vault_rights))


def _refusal(run: Run, ports: Ports, step: Step) -> Skip | None:
    """Return the refusal of a step's checks, None if the checks allow the step."""
    run.check_time()
    try:
        run.ports.retrying.retry(partial(step.action.preflight, ports))
    except tuple(REFUSALS) as error:
        return Skip(step.subject, reason_of(error), str(error), step.action.site, step)
    except NO_ANSWER as error:
        detail = f"Certroll could not check whether Azure would allow this: {error}"
        return Skip(step.subject, Reason.NO_ANSWER, detail, step.action.site, step)
    return None


def _is_of_site(step: Step) -> bool:
    return step.action.site is not None


class _Once(Generic[Answer]):
    """A memory for the answers and refusals of Azure to equal questions, which threads of a pool share."""

    def __init__(self) -> None:
        self._answers: dict[object, Answer | CertrollError] = {}
        self._lock = Lock()

    def ask(self, question: object, read: Callable[[], Answer]) -> Answer:
        """Return the remembered answer, or raise the remembered error. Only a new question sends a request."""
        with self._lock:
            if question not in self._answers:
                try:
                    self._answers[question] = read()
                except tuple(REFUSALS) as refusal:
                    self._answers[question] = refusal
            answer = self._answers[question]
        if isinstance(answer, CertrollError):
            raise answer
        return answer


class _VaultOnce(Vault):
    """The vault of one plan, which reads each certificate once for all webspaces and sites that would get it."""

    def __init__(self, vault: Vault) -> None:
        self._vault, self._pfx, self._public = vault, _Once[Pfx](), _Once[bytes]()

    def lineage(self, ref: VaultCertificateRef, now: datetime) -> Lineage:
        return self._vault.lineage(ref, now)

    def names(self, vault: VaultName) -> Listing[VaultCertificateRef]:
        return self._vault.names(vault)

    def secret_names(self, vault: VaultName, since: datetime | None = None) -> Listing[VaultCertificateRef]:
        return self._vault.secret_names(vault, since)

    def holding(self, vault: VaultName, thumbprints: frozenset[Thumbprint]) -> Listing[VaultCertificateRef]:
        return self._vault.holding(vault, thumbprints)

    def public_part(self, ref: VaultCertificateRef, version: str, thumbprint: Thumbprint) -> bytes:
        return self._public.ask((ref, version), partial(self._vault.public_part, ref, version, thumbprint))

    def facts(self, ref: VaultCertificateRef, version: str, thumbprint: Thumbprint) -> CertificateFacts:
        return self._vault.facts(ref, version, thumbprint)

    def pfx(self, ref: VaultCertificateRef, version: str, thumbprint: Thumbprint) -> Pfx:
        return self._pfx.ask((ref, version), partial(self._vault.pfx, ref, version, thumbprint))


class _RightsOnce(VaultRights):
    """The access settings of vaults, which the checks of one sweep read once for each vault."""

    def __init__(self, rights: VaultRights) -> None:
        self._rights, self._settings, self._vaults = rights, _Once[VaultSettings](), _Once[dict[VaultName, str]]()

    def vaults(self, subscription: str) -> dict[VaultName, str]:
        return self._vaults.ask(subscription, lambda: dict(self._rights.vaults(subscription)))

    def settings(self, vault_id: str) -> VaultSettings:
        return self._settings.ask(vault_id, partial(self._rights.settings, vault_id))
