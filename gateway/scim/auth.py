"""What SCIM clients write before their token."""

from typing import Final

# Ping Identity's connectors let an administrator choose the word before the token; `OAuth` is what they suggest.
SCHEMES: Final = frozenset({b"bearer", b"oauth", b"token"})
