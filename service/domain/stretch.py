"""Which part of a list is read, by the ids at its ends: ids are ULIDs, so their order is that of arrival. Pure."""

from dataclasses import dataclass, replace

# Behind every id: the greatest character there is, in the order of bytes.
_TOP = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Stretch:
    """At most `limit` of the ids between `low` and `high`, neither included; `backward`: from the highest down."""

    limit: int
    low: str = ""
    high: str = _TOP
    backward: bool = False

    def behind(self, place: str) -> "Stretch":
        """What comes behind an id in the direction of reading."""
        if self.backward:
            return replace(self, high=min(self.high, place))
        return replace(self, low=max(self.low, place))

    def among(self, prefix: str) -> "Stretch":
        """Only ids that begin with this, which is ASCII and not empty."""
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        return replace(self, low=max(self.low, prefix), high=min(self.high, end))
