"""Named SQL statements: `sql/<table>.sql` holds blocks that begin with `-- name: <name>` and a comment."""

from importlib import resources


def load_queries(table: str) -> dict[str, str]:
    """All statements of `sql/<table>.sql` by name. An unknown name is a KeyError at import, not at run time."""
    text = resources.files("service.storage.sql").joinpath(f"{table}.sql").read_text()
    found: dict[str, str] = {}
    for block in text.split("-- name: ")[1:]:
        name, _, body = block.partition("\n")
        found[name.strip()] = body.strip()
    return found


def directed(statement: str, *, backward: bool) -> str:
    """A statement that reads one column `ASC`, or the same from its end."""
    return statement.replace(" ASC ", " DESC ") if backward else statement
