"""Measure what one instance of the Function App needs, for developers; these programs are no part of the product."""
