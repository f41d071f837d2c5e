"""Mutation tests break the code in one place at a time, and check that a test notices.

`python -m tests.mutation --help` lists the options. The mutation operators (kinds of code changes) are this project's
own code, which uses the standard module `ast`. The tool mutmut (to 3.8) makes no mutants in decorated classes and
functions (boxed/mutmut #480), in tables or in enum members.
"""
