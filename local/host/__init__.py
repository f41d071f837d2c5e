"""Run a function app on one machine, with Microsoft's Python runtime.

The listeners behave like the listeners of the .NET host.
"""

from local.host.inspection import Call, Inspection, index, inspect
from local.host.supervisor import FunctionHost
from local.host.worker import IndexingFailed

__all__ = ["Call", "FunctionHost", "IndexingFailed", "Inspection", "index", "inspect"]
