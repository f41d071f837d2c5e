"""Define the triggers of the Function App: each reads its input and makes one call.

The code in `shared/` makes every decision about certificates.
"""

from functools import cache

from shared.runtime import Runtime

runtime = cache(Runtime)
"""Return the runtime of this process, built when a function first needs it."""
