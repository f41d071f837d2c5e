"""What all actions on one certificate of App Service have in common."""

from typing import ClassVar

from shared.domain.model import WebspaceCertificate
from shared.domain.names import CopyRef, SiteRef, Thumbprint, Webspace


class AboutCopy:
    """An action on a certificate that a webspace shares, or that one site has to itself.

    It is done before anything of a site changes, so it is of no site, also where one alone has the certificate.
    """

    __slots__ = ()
    copy: WebspaceCertificate
    restarts_site: ClassVar[bool] = False

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
    def writes(self) -> frozenset[Thumbprint]:
        """Nothing that has to be live before."""
        return frozenset()


def copy_subject(ref: CopyRef, webspace: Webspace) -> str:
    """Return how a certificate of App Service is named to people."""
    return f"certificate {ref} in {webspace}"
