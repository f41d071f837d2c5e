"""The controllers use `shared/loop` to read Azure's resources, make planned changes and report problems."""
