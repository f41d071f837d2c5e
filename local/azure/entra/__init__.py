"""The simulated Entra: tokens, and the services that issue tokens."""
