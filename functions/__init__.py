"""The triggers of the Function App: each reads its input, makes one call and returns.

No function here decides anything about certificates.
"""

from functools import cache

from shared.runtime import Runtime

runtime = cache(Runtime)
"""Return the runtime of this process, built when a function first needs it."""
