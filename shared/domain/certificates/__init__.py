"""The versions of vault certificates, and the requirements that they must meet."""
