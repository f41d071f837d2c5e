"""Define the triggers of the Function App: each reads its input and makes one call.

The functions leave every decision about certificates to the code in `shared/`.
"""

from functools import cache

from shared.runtime import Runtime

runtime = cache(Runtime)
"""Return the runtime of this process, built when a function first needs it."""
