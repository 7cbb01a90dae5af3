"""Standard Webhooks' schedule, jitter, Retry-After."""

import pytest

from gateway.webhooks.schedule import ATTEMPTS, next_delay, retry_after_seconds

HOUR = 3_600
NOW = 1_764_000_000.0


def test_ten_attempts_by_the_schedule() -> None:
    delays = [next_delay(attempts, 0.0) for attempts in range(1, ATTEMPTS)]
    hours = [2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR]
    assert delays == [5, 300, 1_800, *hours]
    assert next_delay(ATTEMPTS, 0.0) is None


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
def test_jitter_never_comes_early_and_adds_at_most_a_tenth(chance: float) -> None:
    for attempts in range(1, ATTEMPTS):
        plain, spread = next_delay(attempts, 0.0), next_delay(attempts, chance)
        assert plain is not None
        assert spread is not None
        assert plain <= spread <= plain * 1.1


def test_retry_after_is_waited_for_when_it_is_longer() -> None:
    assert next_delay(1, 0.0, 60.0) == 60
    assert next_delay(2, 0.0, 60.0) == 300


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("99999999999999", 86_400.0),
        ("Mon, 24 Nov 2025 16:01:00 GMT", 60.0),
        ("Mon, 24 Nov 2025 15:00:00 GMT", 0.0),
        ("Mon, 24 Nov 2031 15:00:00 GMT", 86_400.0),
        ("-5", None),
        ("soon", None),
        ("1.5", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after(text: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(text, NOW) == seconds
