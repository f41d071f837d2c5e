"""The demo: `python -m local demo` renews certificates, and checks from outside what Certroll makes of it.

`main` runs the parts: `bindings` (with the app settings in `rolls`), `kinds` (with its claims in `cases`) and `waves`.
"""
