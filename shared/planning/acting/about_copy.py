"""What all actions on one certificate of App Service have in common."""

from typing import ClassVar

from shared.domain.errors import NotFound
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.names import CopyRef, SiteRef, Thumbprint, Webspace
from shared.planning.acting.subjects import copy_subject
from shared.planning.plan import Phase, Traits
from shared.ports import Ports


class AboutCopy(Traits):
    """An action on a certificate that a webspace shares, or that one site has to itself.

    It is done before anything of a site changes, so it is of no site, also where one alone has the certificate.
    """

    __slots__ = ()
    copy: WebspaceCertificate
    phase: ClassVar[Phase] = Phase.SHARED

    @property
    def subject(self) -> str:
        """The certificate."""
        return copy_subject(self.copy.ref, self.copy.webspace)

    @property
    def webspace(self) -> Webspace:
        """The webspace that it is in."""
        return self.copy.webspace

    @property
    def site(self) -> SiteRef | None:
        """None: no site changes by it."""
        return None

    @property
    def owner(self) -> SiteRef | None:
        """The site that alone has the certificate, None if the webspace shares it."""
        return self.copy.site

    @property
    def writes(self) -> frozenset[Thumbprint]:
        """Nothing that has to be live before."""
        return frozenset()


def look(ports: Ports, ref: CopyRef) -> WebspaceCertificate | None:
    """Return the copy of that name, None where there is none."""
    try:
        return ports.app_service.certificate(ref)
    except NotFound:
        return None
