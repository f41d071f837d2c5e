"""The simulated storage account of a Function App: roles judge each request before the storage emulator answers."""
