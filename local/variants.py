"""The rights that Certroll's templates give it, in each variant of the templates that is kept in infra/variants."""

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from local.azure.rights.deployed import anywhere, grants_of
from local.azure.rights.grants import Grant

FOLDER = Path(__file__).resolve().parents[1] / "infra" / "variants"
DEFAULT, OBSERVE, PAID = "here", "observe", "orders-paid"
"""The variants with all that Certroll can do, with the rights of observe mode, and with those for buying."""


@functools.cache
def document(variant: str) -> Mapping[str, Any]:
    """Return what `bicep snapshot` wrote for the variant: `predictedResources` with ids and scopes."""
    found: Mapping[str, Any] = json.loads((FOLDER / f"{variant}.snapshot.json").read_text(encoding="utf-8"))
    return found


def resources(variant: str) -> Sequence[Mapping[str, Any]]:
    """Return the resources that the variant deploys."""
    found: Sequence[Mapping[str, Any]] = document(variant)["predictedResources"]
    return found


@functools.cache
def grants(variant: str = DEFAULT) -> tuple[Grant, ...]:
    """Return what the variant grants to Certroll, in each place of a kind.

    The variant names one subscription and its vaults. The grants are for each subscription and vault of a fleet.
    """
    return tuple(anywhere(grant) for grant in grants_of(document(variant)))


def variant_of(settings: Mapping[str, str]) -> str:
    """Return the variant that these app settings need: the templates set the mode and the role together."""
    if settings.get("CERTROLL_MODE", "").lower() == "observe":
        return OBSERVE
    return PAID if settings.get("CERTROLL_ORDER_ACTIONS", "").lower() == "on" else DEFAULT
