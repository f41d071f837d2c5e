"""What must not be shown: a private key on its way from a vault to an upload."""

from dataclasses import dataclass, field
from enum import StrEnum

from shared.domain.certificates.version import Bundle


class PfxEncryption(StrEnum):
    """How keys and certificates in a PFX are encrypted."""

    TRIPLE_DES = "3des"
    AES256 = "aes256"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Pfx:
    """A PFX and its password, in memory only; and what it holds, as far as that may be told.

    Two are equal only where they are one, and no field is compared: pytest explains a failed comparison of
    dataclasses by printing the fields that are.
    """

    blob: bytes = field(compare=False)
    password: str = field(compare=False)
    bundle: Bundle | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        """Return a text without contents, the same for any PFX."""
        return "Pfx(...)"
