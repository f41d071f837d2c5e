"""Root certificates of App Service Environments: the tags by which a vault object is one, and what its apps trust."""

import re

from shared.domain.model import Tags
from shared.domain.names import EnvironmentRef

ROOT_OF = "certroll-root-of"
"""On a vault object: the App Service Environments whose apps are to trust it."""
ROOT_ON = "certroll-root-on"
"""On a vault object: the sites and slots whose WEBSITE_LOAD_ROOT_CERTIFICATES is to name it."""
_ASKS = re.compile(rf"({ROOT_OF}|{ROOT_ON})(-[0-9]+)?")


def is_root(tags: Tags) -> bool:
    """Say whether the tags ask for a vault object to be trusted somewhere: then it may be a certificate alone."""
    return any(_ASKS.fullmatch(key.strip().lower()) for key, _ in tags)


def roots_subject(environment: EnvironmentRef) -> str:
    """Return how the roots of an environment as a whole are named to people."""
    return f"root certificates of environment {environment}"
