"""Constraints that the database refuses, recognised by name and SQLSTATE, as the errors they mean."""

import contextlib
from collections.abc import Iterator

import asyncpg

from service.domain.errors import DirectorySyncError


@contextlib.contextmanager
def broken_constraint(name: str, error: DirectorySyncError) -> Iterator[None]:
    """Raise `error` when the constraint of this name is violated."""
    try:
        yield
    except asyncpg.IntegrityConstraintViolationError as violation:
        if violation.constraint_name != name:
            raise
        raise error from violation
