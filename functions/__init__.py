"""Define the triggers of the Function App, whose functions read their input and call the code in `shared/`.

The functions leave every decision about certificates to the code in `shared/`.
"""

from functools import cache

from shared.runtime import Runtime

runtime = cache(Runtime)
"""Return the runtime of this process, built when a function first needs it."""
