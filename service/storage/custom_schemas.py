"""What the extension objects of a directory's documents hold, from a sample of bounded size."""

from service.scim.custom_schemas import Seen
from service.scim.schema import GROUP, RESOURCE_TYPES, USER
from service.storage.database import Pool
from service.storage.queries import load_queries

SQL = load_queries("custom_schemas")
_STATEMENTS = {USER.name: SQL["seen_in_users"], GROUP.name: SQL["seen_in_groups"]}

# The newest documents show what providers send now, the oldest what they sent first.
_SAMPLE = 1_000
_MAX_KINDS = 10_000


async def seen(pool: Pool, directory_id: str) -> list[Seen]:
    """Each kind of value once, of schemas that the type of resource does not define."""
    found: list[Seen] = []
    for kind in RESOURCE_TYPES:
        known = [extension.schema.id.lower() for extension in kind.extensions]
        rows = await pool.fetch(_STATEMENTS[kind.name], directory_id, known, _SAMPLE, _MAX_KINDS)
        found += [Seen(kind.name, **row) for row in rows]
    return found
