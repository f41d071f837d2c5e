"""`python -m local demo` renews certificates, and checks Certroll's work from outside.

The module `main` runs the three parts of the demo, in the modules `bindings`, `kinds` and `waves`. The module `rolls`
shows the app settings for `bindings`. The module `cases` has the claims for `kinds`.
"""
