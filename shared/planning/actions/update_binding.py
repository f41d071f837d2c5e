"""Overwrite the thumbprint of a binding, and nothing else of it.

What was uploaded again has to be bound again as well, also where it is shown already: the same thumbprint is written
once more. Nothing in Azure tells that this was done, so the journal does: which sites are to be bound again is recorded
before the first write, and that they were after the last one. A crash in between has it done twice, which changes
nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from shared.domain.certificates.requirements import Case, Use
from shared.domain.certificates.version import CertificateVersion
from shared.domain.errors import Conflict, NotFound
from shared.domain.fleet.bindings import Binding, SslState
from shared.domain.intent import Intent
from shared.domain.names import SiteRef, Thumbprint, Webspace
from shared.domain.reason import Reason
from shared.domain.rollout.site_record import Rebind
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.snapshot.staleness import is_ambiguous, looks_stale, shown_bindings
from shared.planning.acting.chains import is_asked, is_uploaded_again
from shared.planning.acting.subjects import binding_subject
from shared.planning.plan import Phase, Skip, Step, Traits
from shared.ports import Ports


@dataclass(frozen=True, slots=True)
class UpdateBinding(Traits):
    """Show the new certificate on a host name, with the same ssl_state.

    A binding is never removed and added again: that is how an IP-based one loses its address (Azure docs, "Renew an
    uploaded certificate"). `again` says that its upload was made again, so that it is written whatever it shows.
    """

    binding: Binding
    thumbprint: Thumbprint
    webspace: Webspace
    rebind: bool = False
    phase: ClassVar[Phase] = Phase.BINDING

    @property
    def subject(self) -> str:
        """The host name and its site."""
        return binding_subject(self.binding)

    @property
    def site(self) -> SiteRef | None:
        """The site or slot that is bound."""
        return self.binding.site

    @property
    def writes(self) -> frozenset[Thumbprint]:
        """The new thumbprint."""
        return frozenset({self.thumbprint})

    @property
    def moves(self) -> bool:
        """Whether the host name gets another certificate by it."""
        return self.binding.thumbprint != self.thumbprint

    @property
    def binds(self) -> Binding:
        """The binding as it was."""
        return self.binding

    @property
    def rebinds(self) -> bool:
        """Whether the upload was made again."""
        return self.rebind

    def without_rebinding(self) -> Self | None:
        """Return the plain update, None if the host name shows the version already."""
        if not self.rebind:
            return self
        return replace(self, rebind=False) if self.moves else None

    def cases(self, current: CertificateVersion, snapshot: Snapshot) -> tuple[Case, ...]:
        """A binding of its host name, in place of what the host name shows."""
        lineage, hosts = snapshot.lineage, (self.binding.host_name,)
        in_use = lineage.before if self.moves else current
        return (Case(current, Use.BINDING, snapshot.now, in_use, lineage.key, hosts),)

    def project(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with the new thumbprint on this host name."""
        after = snapshot.with_binding(replace(self.binding, thumbprint=self.thumbprint))
        return after.with_rebound(self.binding.site, self.webspace) if self.rebind else after

    def perform(self, ports: Ports) -> bool:
        """Overwrite the thumbprint unless it is there already, and need not be written again.

        Raises Conflict where the binding is no longer the one that was planned against.
        """
        try:
            seen, body = ports.app_service.binding(self.binding.site, self.binding.host_name)
        except NotFound as gone:
            raise Conflict(f"{self.subject} is gone: {gone}") from gone
        done = (seen.ssl_state, seen.thumbprint) == (self.binding.ssl_state, self.thumbprint)
        if done and not self.rebind:
            return False
        if not done and (seen.ssl_state, seen.thumbprint) != (self.binding.ssl_state, self.binding.thumbprint):
            raise Conflict(
                f"{self.subject} is {seen.ssl_state} with {seen.thumbprint}, not {self.binding.ssl_state} with "
                f"{self.binding.thumbprint} as planned against; it is planned again"
            )
        ports.app_service.put_binding(replace(seen, thumbprint=self.thumbprint), body)
        return True


def propose(snapshot: Snapshot, _: Intent) -> Iterable[Step | Skip]:
    """Propose the current thumbprint for every binding that shows an older version, or is to be bound again."""
    current = snapshot.lineage.current
    if current is None:
        return
    for binding in shown_bindings(snapshot):
        webspace, stale = snapshot.webspace_of(binding), looks_stale(snapshot, binding)
        rebind = _is_due_again(snapshot, binding, webspace)
        if binding.ssl_state is SslState.DISABLED or not (stale or rebind):
            continue
        if is_ambiguous(snapshot, binding):
            yield Skip(
                binding_subject(binding),
                Reason.AMBIGUOUS_LINEAGE,
                f"{binding.thumbprint} is an older version of {snapshot.lineage.ref}, and a copy of another vault "
                "certificate holds it too: bind what it should follow by hand, or delete one of the two copies",
                binding.site,
            )
            continue
        if webspace is None:
            yield Skip(
                binding_subject(binding),
                Reason.INCOMPLETE_VIEW,
                "Azure does not say in which webspace the site is, so no certificate of it is known to be live",
                binding.site,
            )
        else:
            reason = Reason.STALE_THUMBPRINT if stale else Reason.UPLOAD_AGAIN_ASKED
            yield Step(UpdateBinding(binding, current.thumbprint, webspace, rebind), reason)


def _is_due_again(snapshot: Snapshot, binding: Binding, webspace: Webspace | None) -> bool:
    """Say whether the version was uploaded again and the site is not recorded as bound since."""
    if webspace is None or not is_asked(snapshot.lineage) or is_ambiguous(snapshot, binding):
        return False
    record = snapshot.rollout.record_of(binding.site)
    rebind = record.rebind if record else Rebind.NO
    return rebind is Rebind.ASKED or (rebind is Rebind.NO and is_uploaded_again(snapshot, webspace))
