"""Names of providers. Any slug may be given; one that nobody has heard of is more often a slip than a new provider."""

import difflib
import sys

KNOWN = (
    "authentik",
    "cyberark",
    "entra",
    "generic",
    "google",
    "jumpcloud",
    "keycloak",
    "okta",
    "onelogin",
    "oracle",
    "pingfederate",
    "rippling",
    "sailpoint",
    "salesforce",
    "sap",
    "ssosync",
)
"""Those whose requests were recorded and are replayed as tests (tests/providers)."""


def warn_if_unknown(provider: str) -> None:
    """One line on standard error for a name that is not known."""
    if not provider or provider in KNOWN:
        return
    near = difflib.get_close_matches(provider.lower(), KNOWN, n=1)
    question = f" Did you mean `{near[0]}`?" if near else ""
    print(
        f"dirsync: provider `{provider}` is not a known one and is understood as `generic` is.{question}"
        f" Known: {', '.join(KNOWN)}",
        file=sys.stderr,
    )
