"""Define the base of all actions on one certificate of App Service."""

from typing import ClassVar

from shared.domain.errors import NotFound
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.names import CopyRef, SiteRef, Thumbprint, Webspace
from shared.planning.acting.subjects import copy_subject
from shared.planning.plan import Phase, Traits
from shared.ports import Ports


class AboutCopy(Traits):
    """An action on one certificate in App Service. Either a webspace shares the certificate, or one site alone has it.

    Certroll performs actions on certificates, except deletions, before it changes any site. The field `site` is None
    even if one site alone has the certificate.
    """

    __slots__ = ()
    copy: WebspaceCertificate
    phase: ClassVar[Phase] = Phase.SHARED

    @property
    def subject(self) -> str:
        """The name of the certificate and its webspace, as text for operators."""
        return copy_subject(self.copy.ref, self.copy.webspace)

    @property
    def webspace(self) -> Webspace:
        """The webspace (App Service's place for certificates) that holds the certificate on which the action works."""
        return self.copy.webspace

    @property
    def site(self) -> SiteRef | None:
        """The site is None, because the action on a certificate changes no site."""
        return None

    @property
    def owner(self) -> SiteRef | None:
        """The only site that has the certificate, None if the webspace shares the certificate."""
        return self.copy.site

    @property
    def writes(self) -> frozenset[Thumbprint]:
        """The action names no thumbprints, because it needs no certificate that is already in the webspace."""
        return frozenset()


def read_copy(ports: Ports, ref: CopyRef) -> WebspaceCertificate | None:
    """Read a certificate of App Service. Return None if Azure has no certificate of that name."""
    try:
        return ports.app_service.certificate(ref)
    except NotFound:
        return None
