"""Overwrite the thumbprint of a binding, and keep the other properties of the binding.

After a second upload of the same version, Certroll also writes the same thumbprint into the bindings again. Azure does
not show whether Certroll wrote the same thumbprint into a binding again, so Certroll records each such write in its
journal. Certroll records the sites to rebind (to write the same thumbprint again) before the first write, and each
binding after its write. A run that ends in between leaves only the other bindings to the next run. After a crash,
Certroll may write the same thumbprint into one binding once more, which changes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from shared.domain.certificates.requirements import Case, Use
from shared.domain.certificates.version import CertificateVersion
from shared.domain.errors import Conflict, NotFound
from shared.domain.fleet.bindings import Binding, SslState
from shared.domain.intent import Intent
from shared.domain.names import SiteRef, Thumbprint, Webspace, is_host_name
from shared.domain.reason import Reason
from shared.domain.rollout.site_record import Rebind
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.snapshot.staleness import is_ambiguous, looks_stale, shown_bindings
from shared.planning.acting.absence import absence, lists_binding
from shared.planning.acting.chains import is_asked, is_uploaded_again
from shared.planning.acting.in_use import in_use
from shared.planning.acting.later_in_use import is_imported, later_in_use
from shared.planning.acting.subjects import binding_subject
from shared.planning.plan import Phase, Skip, Step, Traits
from shared.ports import Ports

WEBSPACE_UNKNOWN = "Azure does not name the webspace of the site, so Certroll does not know its live certificates"


@dataclass(frozen=True, slots=True)
class UpdateBinding(Traits):
    """Show the new certificate on a host name, with the same ssl_state.

    Certroll never removes a binding and adds it again, because an IP-based binding would lose its address (Azure docs,
    "Renew an uploaded certificate").
    """

    binding: Binding
    """The TLS binding as the plan saw it."""
    thumbprint: Thumbprint
    webspace: Webspace
    rebind: bool = False
    """True if Certroll uploaded the version again, so that it writes the binding even if the thumbprint is there."""
    phase: ClassVar[Phase] = Phase.BINDING

    @property
    def subject(self) -> str:
        """The host name and its site, as text for operators."""
        return binding_subject(self.binding)

    @property
    def site(self) -> SiteRef | None:
        """The site or slot of the binding."""
        return self.binding.site

    @property
    def writes(self) -> frozenset[Thumbprint]:
        """The thumbprint that the action writes into the binding."""
        return frozenset({self.thumbprint})

    @property
    def moves(self) -> bool:
        """True if the action changes the certificate of the host name."""
        return self.binding.thumbprint != self.thumbprint

    @property
    def binds(self) -> Binding:
        """The TLS binding as Certroll saw the binding before it planned."""
        return self.binding

    @property
    def rebinds(self) -> bool:
        """True if Certroll uploaded the version again and must therefore write the host name's thumbprint again."""
        return self.rebind

    def without_rebinding(self) -> Self | None:
        """Return the update without the second write of the thumbprint, None if no other write is left."""
        if not self.rebind:
            return self
        return replace(self, rebind=False) if self.moves else None

    def cases(self, current: CertificateVersion, snapshot: Snapshot) -> tuple[Case, ...]:
        """Return the requirements that the version must meet for a binding of the host name."""
        lineage, hosts = snapshot.lineage, (self.binding.host_name,)
        used = in_use(snapshot, [self.binding.thumbprint]) if self.moves else (current.in_use,)
        return (Case(current, Use.BINDING, snapshot.now, used, lineage.key, hosts),)

    def project(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with the new thumbprint on the host name."""
        after = snapshot.with_binding(replace(self.binding, thumbprint=self.thumbprint))
        return after.with_rebound(self.binding.site, self.webspace) if self.rebind else after

    def perform(self, ports: Ports) -> bool:
        """Write the thumbprint into the binding, unless the binding already has it and needs no repeated write.

        Raises Conflict if the binding has neither the thumbprint nor the `ssl_state` that the plan saw or wants.
        """
        try:
            seen, body = ports.app_service.binding(self.binding.site, self.binding.address)
        except NotFound as absent:
            raise absence(self.subject, absent, listed=lists_binding(ports, self.binding)) from absent
        done = (seen.ssl_state, seen.thumbprint) == (self.binding.ssl_state, self.thumbprint)
        if done and not self.rebind:
            return False
        if not done and (seen.ssl_state, seen.thumbprint) != (self.binding.ssl_state, self.binding.thumbprint):
            raise Conflict(
                f"{self.subject} is {seen.ssl_state} with {seen.thumbprint}, not {self.binding.ssl_state} with "
                f"{self.binding.thumbprint} as planned; Certroll plans again"
            )
        ports.app_service.put_binding(replace(seen, thumbprint=self.thumbprint), body)
        return True


def propose(snapshot: Snapshot, _: Intent) -> Iterable[Step | Skip]:
    """Propose the current thumbprint for each binding that shows an older version or needs a rebinding.

    A rebinding writes the same thumbprint again.
    """
    current = snapshot.lineage.current
    if current is None:
        return
    yield from _later(snapshot)
    for binding in shown_bindings(snapshot):
        webspace, stale = snapshot.webspace_of(binding), looks_stale(snapshot, binding)
        rebind = _needs_rebinding(snapshot, binding, webspace)
        if binding.ssl_state is SslState.DISABLED or not (stale or rebind):
            continue
        if refusal := _refusal(snapshot, binding):
            yield Skip(binding_subject(binding), *refusal, binding.site)
        elif webspace is None:
            yield Skip(binding_subject(binding), Reason.INCOMPLETE_VIEW, WEBSPACE_UNKNOWN, binding.site)
        else:
            reason = Reason.STALE_THUMBPRINT if stale else Reason.UPLOAD_AGAIN_ASKED
            yield Step(UpdateBinding(binding, current.thumbprint, webspace, rebind), reason)


def _refusal(snapshot: Snapshot, binding: Binding) -> tuple[Reason, str] | None:
    """Return why Certroll must not write the binding, with the next step, or None if Certroll may write the binding."""
    if not is_host_name(binding.host_name):
        return Reason.HOST_NAME_INVALID, (
            "no client can ask for this host name by TLS, so no certificate covers it and no handshake can prove what "
            "App Service serves: remove the host name, add it again in a valid form, or bind it by hand"
        )
    if is_ambiguous(snapshot, binding):
        return Reason.AMBIGUOUS_LINEAGE, (
            f"{binding.thumbprint} is an older version of {snapshot.lineage.ref}, and a copy of another vault "
            "certificate holds it, too: bind the right certificate by hand, or delete one of the two copies"
        )
    return None


def _later(snapshot: Snapshot) -> Iterable[Skip]:
    """Yield a refusal for each binding whose certificate is later than the vault's current version.

    The refusal about an import of this vault certificate is enough for the bindings of the import.
    """
    for binding in sorted(snapshot.fleet.bindings):
        webspace, thumbprint, lineage = snapshot.webspace_of(binding), binding.thumbprint, snapshot.lineage
        if is_imported(snapshot, webspace, thumbprint) or not lineage.has_key_of(thumbprint):
            continue
        if later := later_in_use(snapshot, binding_subject(binding), webspace, thumbprint, binding.site):
            refusal = _refusal(snapshot, binding) if is_ambiguous(snapshot, binding) else None
            yield Skip(binding_subject(binding), *refusal, binding.site) if refusal else later


def _needs_rebinding(snapshot: Snapshot, binding: Binding, webspace: Webspace | None) -> bool:
    """Return True if Certroll uploaded the version again and the journal shows neither site nor binding as rebound."""
    if webspace is None or not is_asked(snapshot.lineage) or is_ambiguous(snapshot, binding):
        return False
    record = snapshot.rollout.record_of(binding.site)
    if record and binding.host_name in record.rebound:
        return False
    rebind = record.rebind if record else Rebind.NO
    return rebind is Rebind.ASKED or (rebind is Rebind.NO and is_uploaded_again(snapshot, webspace))
