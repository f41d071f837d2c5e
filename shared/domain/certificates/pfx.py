"""A private key on its way from a vault to an upload, which Certroll must not print or log."""

from dataclasses import dataclass, field
from enum import StrEnum

from shared.domain.certificates.version import Bundle


class PfxEncryption(StrEnum):
    """The algorithm that encrypts keys and certificates in a PFX."""

    TRIPLE_DES = "3des"
    AES256 = "aes256"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Pfx:
    """A PFX with its password, which Certroll holds only in memory.

    A PFX object is equal only to itself. The comparison of PFX objects uses no field, because pytest prints compared
    fields if an assertion fails.
    """

    blob: bytes = field(compare=False)
    password: str = field(compare=False)
    bundle: Bundle | None = field(default=None, compare=False)
    """The key and the chain in the PFX, without any secret."""
    left_out: tuple[str, ...] = field(default=(), compare=False)
    """The certificates of the vault's value that the PFX omits, because they are no issuers of its certificate."""

    def __repr__(self) -> str:
        """Return the same text for every PFX, so that a printed PFX shows no secret."""
        return "Pfx(...)"
