"""A Functions host for one machine: Microsoft's Python runtime inside, the .NET host's listeners around it."""

from local.host.inspection import Call, Inspection, index, inspect
from local.host.supervisor import FunctionHost
from local.host.worker import IndexingFailed

__all__ = ["Call", "FunctionHost", "IndexingFailed", "Inspection", "index", "inspect"]
