"""The local Azure simulates Azure on one machine; it is for development and never deployed."""
