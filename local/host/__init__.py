"""A Functions host for a single machine: Microsoft's Python runtime, with listeners like those of the .NET host."""

from local.host.inspection import Call, Inspection, index, inspect
from local.host.supervisor import FunctionHost
from local.host.worker import IndexingFailed

__all__ = ["Call", "FunctionHost", "IndexingFailed", "Inspection", "index", "inspect"]
