"""What a command needs to be loaded. Pure."""

from dataclasses import dataclass, field

Key = tuple[str, str]
MemberKey = tuple[str, str, str]


@dataclass(slots=True)
class Needs:
    """What to load, as (directory, key) and (directory, group, member)."""

    user_ids: set[Key] = field(default_factory=set)
    user_keys: set[Key] = field(default_factory=set)
    group_ids: set[Key] = field(default_factory=set)
    group_keys: set[Key] = field(default_factory=set)
    refs: set[Key] = field(default_factory=set)
    externals: set[Key] = field(default_factory=set)
    pending: set[Key] = field(default_factory=set)
    emails: set[Key] = field(default_factory=set)
    user_groups: set[Key] = field(default_factory=set)
    members: set[MemberKey] = field(default_factory=set)
    all_members: set[Key] = field(default_factory=set)


class Missing(Exception):
    """Deciding needs something that was not loaded."""

    def __init__(self, needs: Needs) -> None:
        super().__init__("not loaded")
        self.needs = needs
