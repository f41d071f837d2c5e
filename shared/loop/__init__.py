"""Every controller uses these modules to observe the fleet, perform steps, prove the result and report findings."""
