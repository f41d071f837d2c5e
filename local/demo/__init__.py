"""`python -m local demo` renews certificates, and checks Certroll's work from outside.

The module `main` runs the three parts of the demo, in the modules `bindings`, `kinds` and `waves`. The module `rolls`
shows for `bindings` how Certroll updates app settings. The module `cases` has the statements that `kinds` checks.
"""
