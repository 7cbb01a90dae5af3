"""Both official verifiers accept one and the same request."""

import time

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from workos.webhooks._verification import verify_header

from gateway.webhooks.signing import signed_headers, workos_choice

OLD = "whsec_" + "b2xk" * 11
NEW = "whsec_" + "bmV3" * 11
OTHER = "whsec_" + "b3Ro" * 11
BODY = '{"object":"event","id":"event_1","data":{"name":"Zoë 😀"}}'.encode()


def headers(secrets: list[str], workos: str, body: bytes = BODY) -> dict[str, str]:
    return signed_headers(secrets, workos, "event_1", time.time(), body)


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_standard_webhooks_accepts_each_secret(secret: str) -> None:
    assert Webhook(secret).verify(BODY, headers([NEW, OLD], OLD))["id"] == "event_1"


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_workos_accepts_the_chosen_secret(secret: str) -> None:
    signature = headers([NEW, OLD], secret)["workos-signature"]
    verify_header(event_body=BODY, event_signature=signature, secret=secret)


def test_another_secret_and_another_body_are_refused() -> None:
    signed = headers([NEW, OLD], NEW)
    for secret, body in ((OTHER, BODY), (NEW, BODY + b" ")):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, signed, json_parse=False)
        with pytest.raises(ValueError, match="Signature hash"):
            verify_header(event_body=body, event_signature=signed["workos-signature"], secret=secret)


def test_workos_signature_begins_with_the_secret_the_receiver_has() -> None:
    assert workos_choice([NEW], None, 1) == NEW
    assert [workos_choice([NEW, OLD], None, attempt) for attempt in (1, 2, 3)] == [OLD, NEW, OLD]
    assert [workos_choice([NEW, OLD], NEW, attempt) for attempt in (1, 2)] == [NEW, OLD]
    assert workos_choice([NEW, OLD], "one that ended", 1) == OLD
