"""The versions of vault certificates, and the requirements that each version must meet."""
