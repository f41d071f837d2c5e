"""The rights of principals, as Azure's roles state them: operations, roles, assignments and their evaluation."""
