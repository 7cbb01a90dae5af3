"""`python -m directorysync.cli` is `dirsync`."""

from directorysync.cli import main

main()
