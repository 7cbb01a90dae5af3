"""Fail when the protos break those of the newest release tag, or, before the first release, of the main branch.

In a clone that is main itself there is nothing to compare with, and the check says so.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUF = Path(sys.executable).parent / "buf"


def git(*arguments: str) -> str:
    """Standard output of git, empty when it fails."""
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def base() -> str:
    """The newest tag, else the commit before the branch left main, else nothing."""
    tag = git("describe", "--tags", "--abbrev=0")
    if tag:
        return tag
    for main in ("origin/main", "main"):
        commit = git("rev-parse", "--verify", "--quiet", main)
        if commit and commit != git("rev-parse", "HEAD"):
            return commit
    return ""


def main() -> int:
    """Run `buf breaking` against the base."""
    against = base()
    if not against or not git("ls-tree", against, "protos/buf.yaml"):
        print("buf breaking: no earlier contract to compare with")
        return 0
    source = f"{ROOT / '.git'}#ref={against},subdir=protos"
    return subprocess.run([BUF, "breaking", "protos", "--against", source], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
