"""The controllers use these modules to observe the fleet, perform steps, check the result and report findings."""
