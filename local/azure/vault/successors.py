"""Renew the roots of private authorities: the next root belongs to a new authority, with new keys."""

import base64

from local.azure.scripting.clock import Clock
from local.azure.vault.authority import Authority, Leaf, successor
from local.azure.vault.secrets import SecretVersion


class Successors:
    """The authorities that followed others because somebody renewed the root in a vault object."""

    def __init__(self, clock: Clock) -> None:
        """Begin without authorities. The clock's year is part of the name of each authority."""
        self._clock = clock
        self._made: dict[str, Authority] = {}

    def next_root(self, root: Leaf) -> Leaf:
        """Return the root of a new authority, which follows the authority of the given root."""
        following = successor(root, self._clock.now().year)
        self._made[following.root_leaf.thumbprint] = following
        return following.root_leaf

    def next_value(self, newest: SecretVersion) -> str:
        """Return the root of a new authority in the form of the secret's newest version: PEM, or DER in base64."""
        root = self.next_root(newest.leaf)
        return (root.certificate_pem if newest.is_pem else base64.b64encode(root.der)).decode()

    def authority(self, thumbprint: str) -> Authority | None:
        """Return the authority whose root has this thumbprint, or None if no renewal made the root."""
        return self._made.get(thumbprint)
