"""The progress of one version through the fleet, and the gates that admit the next sites."""
