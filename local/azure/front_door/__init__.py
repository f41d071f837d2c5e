"""The front door of management.azure.com: what a request asks, who sends it, and what ARM itself answers."""
