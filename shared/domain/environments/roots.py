"""The name of an environment's root certificates in findings (reported problems)."""

from shared.domain.names import EnvironmentRef


def roots_subject(environment: EnvironmentRef) -> str:
    """Return the name by which a finding (a reported problem) refers to the root certificates of an environment."""
    return f"root certificates of environment {environment}"
