"""What an administrator's change of a directory is for its readers. Pure."""

from typing import Any

from service.domain.change import Change, ChangeType
from service.domain.directory import Directory, DirectoryState


def changes_between(before: Directory, after: Directory) -> list[Change]:
    """Events of one change of settings: of name, provider and policy together, and of its state."""
    changes = []
    old, new = _settings(before), _settings(after)
    previous = {key: value for key, value in old.items() if new[key] != value}
    if previous:
        changes.append(Change(ChangeType.DIRECTORY_UPDATED, after, previous))
    if (before.state is DirectoryState.DISABLED) != (after.state is DirectoryState.DISABLED):
        disabled = after.state is DirectoryState.DISABLED
        changes.append(Change(ChangeType.DIRECTORY_DISABLED if disabled else ChangeType.DIRECTORY_RESTORED, after))
    return changes


def _settings(directory: Directory) -> dict[str, Any]:
    """Under the names of Directory and DirectoryPolicy in resources.proto."""
    policy = directory.policy
    return {
        "name": directory.name,
        "provider": directory.provider,
        "policy": {
            "deactivation": policy.deactivation.value,
            "announce_on_reactivation": policy.announce_on_reactivation,
            "unique_group_names": policy.unique_group_names,
            "unique_emails": policy.unique_emails,
        },
    }
