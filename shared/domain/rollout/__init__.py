"""The rollout of one version of a vault certificate, and the gates that decide when the next sites follow."""
