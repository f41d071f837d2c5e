"""Worlds to begin with, and the small builders they are made of."""
