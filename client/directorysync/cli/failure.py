"""How a command fails: one line on standard error and an exit code."""

FAILED = 1
USAGE = 2
UNREACHABLE = 3
INTERRUPTED = 130  # 128 + SIGINT, as shells report it


class Failure(Exception):
    """Ends the command. The message is for the person who typed it."""

    exit_code = FAILED

    def __init__(self, message: str, exit_code: int | None = None) -> None:
        super().__init__(message)
        if exit_code is not None:
            self.exit_code = exit_code
