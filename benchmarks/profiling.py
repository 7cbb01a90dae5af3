"""`--profile`: one worker under cProfile while a benchmark runs, then where its time went."""

import io
import pstats
from pathlib import Path

_LINES = 45


def top(profile: Path) -> str:
    """The functions with the most time of their own, and those with the most time below them."""
    text = io.StringIO()
    stats = pstats.Stats(str(profile), stream=text).strip_dirs()
    for order in ("tottime", "cumulative"):
        stats.sort_stats(order).print_stats(_LINES)
    return text.getvalue()
