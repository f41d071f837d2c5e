"""`python -m local demo` renews certificates, and checks Certroll's work from outside.

`main` runs the parts: `bindings` (with the app settings in `rolls`), `kinds` (with its claims in `cases`) and `waves`.
"""
