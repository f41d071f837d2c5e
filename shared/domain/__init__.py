"""The values, names and errors of Certroll's domain.

The domain uses only the standard library, and no clock, randomness, environment, logging or SDK.
"""
