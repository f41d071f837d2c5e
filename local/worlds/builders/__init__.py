"""Build simulated fleets with `Builder`, which has the methods of all builders."""

from local.worlds.builders.builder import Builder
from local.worlds.builders.vaults import LIFETIME

__all__ = ["LIFETIME", "Builder"]
