"""Builders of worlds. `Builder` has the methods of all of them."""

from local.worlds.builders.builder import Builder
from local.worlds.builders.vaults import LIFETIME

__all__ = ["LIFETIME", "Builder"]
