"""Mutation tests: the code is broken in one place at a time, and the tests are to notice.

`python -m tests.mutation --help` says what can be asked for. Own operators over the standard `ast`, because mutmut (to
3.8) makes no mutants in decorated classes and functions (boxed/mutmut #480), nor of tables and enum members.
"""
