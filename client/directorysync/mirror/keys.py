"""Keys under which the mirror finds things: those of the service, so that both give the same answers."""

from unicodedata import normalize

from directorysync.v1.resources_pb2 import DirectoryUser


def fold(text: str) -> str:
    """The text without its differences of case and of Unicode composition: NFKC and case folding, as the service
    compares addresses, userNames and names of groups.
    """
    if text.isascii():
        return text.lower()
    # Folding can undo the composition of a few characters, so it is composed once more.
    return normalize("NFKC", normalize("NFKC", text).casefold())


def email_keys(user: DirectoryUser, user_name_key: str) -> set[str]:
    """Of all addresses. One that is the userName too is the same object: most are, and there are many."""
    found = {fold(email.value) for email in user.emails if email.value}
    if user.email:
        found.add(fold(user.email))
    if user_name_key in found:
        found.remove(user_name_key)
        found.add(user_name_key)
    return found


class Index:
    """Key -> ids. Most keys have one, so one is kept as it is."""

    __slots__ = ("_ids",)

    def __init__(self) -> None:
        self._ids: dict[str, str | dict[str, None]] = {}

    def add(self, key: str, entity_id: str) -> None:
        """Nothing happens when it is there."""
        held = self._ids.get(key)
        if held is None:
            self._ids[key] = entity_id
        elif isinstance(held, dict):
            held[entity_id] = None
        elif held != entity_id:
            self._ids[key] = {held: None, entity_id: None}

    def remove(self, key: str, entity_id: str) -> None:
        """Nothing happens when it is not there."""
        held = self._ids.get(key)
        if isinstance(held, dict):
            held.pop(entity_id, None)
            if not held:
                del self._ids[key]
        elif held == entity_id:
            del self._ids[key]

    def find(self, key: str) -> tuple[str, ...]:
        """Ids in their order, which is that in which they were made. Some may be of what is gone."""
        held = self._ids.get(key)
        if held is None:
            return ()
        return tuple(sorted(held)) if isinstance(held, dict) else (held,)

    def __len__(self) -> int:
        return len(self._ids)
