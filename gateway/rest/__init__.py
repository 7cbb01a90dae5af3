"""The REST API at the root of the host: WorkOS's routes, and own ones in the same style."""
