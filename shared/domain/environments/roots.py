"""Root certificates of App Service Environments: how they are named to people."""

from shared.domain.names import EnvironmentRef


def roots_subject(environment: EnvironmentRef) -> str:
    """Return how the roots of an environment as a whole are named to people."""
    return f"root certificates of environment {environment}"
