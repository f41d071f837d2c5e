"""Measure what Certroll costs, for developers; these programs are no part of the product."""
