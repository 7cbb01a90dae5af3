"""What `dirsync serve` prints to get started with: three commands to copy and paste, with real paths."""

import os
import shlex
import sys
from pathlib import Path

from directorysync.cli.ports import Endpoint
from directorysync.credentials import DEFAULT_ADDRESS, DEFAULT_DATA_DIR

_USER = '{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada@example.com"}'
_READ = 'import json,sys; s=json.load(sys.stdin)["scim"]; print(s["base_url"], s["bearer_token"])'


def first_steps(data_dir: Path, grpc: Endpoint) -> str:
    """Commands for a POSIX shell in the current directory."""
    command = _shown(Path(sys.argv[0]))
    python = _shown(Path(sys.executable))
    settings = []
    if str(grpc.reachable()) != DEFAULT_ADDRESS:
        settings.append(f"DIRSYNC_ADDRESS={grpc.reachable()}")
    if data_dir.absolute() != DEFAULT_DATA_DIR.absolute():
        settings.append(f"DIRSYNC_DATA_DIR={shlex.quote(str(data_dir))}")
    lines = [f"  export {' '.join(settings)}"] if settings else []
    lines += [
        "  # a directory, with what its provider is given",
        f'  set -- $({command} directory create --organization Acme --provider okta --name "Acme Okta" \\',
        f"    --output json | {python} -c '{_READ}')",
        "  # its first user, as a provider would send it",
        '  curl -sSw "\\n" "$1/Users" -H "Authorization: Bearer $2" -H "Content-Type: application/scim+json" \\',
        f"    -d '{_USER}'",
        "  # every change, from the first one on",
        f"  {command} events tail --from beginning --output json",
    ]
    return "\n".join(["", "In another terminal:", "", *lines, ""])


def _shown(program: Path) -> str:
    """Relative where that is shorter."""
    if program.name == "__main__.py":
        return f"{_shown(Path(sys.executable))} -m directorysync.cli"
    try:
        relative = os.path.relpath(program)
    except ValueError:
        relative = str(program)
    return shlex.quote(min(str(program), relative, key=len))
