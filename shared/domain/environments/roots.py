"""The name for people of the root certificates of an App Service Environment."""

from shared.domain.names import EnvironmentRef


def roots_subject(environment: EnvironmentRef) -> str:
    """Return the name for people of all root certificates of an environment."""
    return f"root certificates of environment {environment}"
