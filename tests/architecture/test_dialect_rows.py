"""Every known deviation of a provider is shown by a recorded exchange."""

from tests.support.exchanges import load, recordings

ROWS = {
    "E": 24,  # Microsoft Entra ID
    "O": 19,  # Okta
    "L": 6,  # OneLogin
    "J": 3,  # JumpCloud
    "P": 4,  # PingFederate
    "G": 2,  # Google
    "R": 1,  # Rippling
    "C": 2,  # CyberArk
    "S": 2,  # SailPoint
    "A": 2,  # SAP
    "K": 7,  # authentik
    "Y": 3,  # Keycloak
    "W": 2,  # ssosync and Salesforce's documentation
    "X": 12,  # several
}
KNOWN = {f"{letter}{number:02}" for letter, count in ROWS.items() for number in range(1, count + 1)}


def test_every_row_is_shown_by_a_recorded_exchange() -> None:
    shown = {row for path in recordings() for step in load(path).steps for row in step.rows}
    assert KNOWN - shown == set()
    assert shown - KNOWN == set()


def test_a_recording_stands_with_its_provider_and_names_its_steps_once() -> None:
    for path in recordings():
        recording = load(path)
        assert recording.provider == path.parent.name
        assert recording.source, f"{path} does not say where its facts come from"
        names = [step.name for step in recording.steps]
        assert len(names) == len(set(names)), f"{path} uses the name of a step twice"
