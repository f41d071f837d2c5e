"""The name that findings use for the root certificates of an App Service Environment."""

from shared.domain.names import EnvironmentRef


def roots_subject(environment: EnvironmentRef) -> str:
    """Return the name that findings use for all root certificates of an environment."""
    return f"root certificates of environment {environment}"
