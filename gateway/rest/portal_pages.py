"""The pages behind a portal link. Opening one shows a button; only pressing it redeems the link, because mail scanners
and previews open links too.
"""

import re
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Final
from urllib.parse import parse_qs

from directorysync.v1 import portal_pb2 as pb
from gateway.bodies import read_text
from gateway.exchange import Answer
from gateway.problems import Problem, problem_headers
from gateway.rest.errors import RestProblem
from gateway.rest.html import CONTENT_SECURITY_POLICY, MEDIA_TYPE, notice, opening, welcome
from gateway.rest.request import RestRequest
from gateway.upstream import Caller

COOKIE: Final = "dirsync_portal"
_HOME: Final = "/portal"
_MAX_FORM_BYTES: Final = 4_096
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{1,256}")
_HEADERS: Final = [
    (b"content-security-policy", CONTENT_SECURITY_POLICY),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
]

Page = Callable[[RestRequest], Awaitable[Answer]]


def _page(handler: Page) -> Page:
    """Failures as pages, for people."""

    async def shown(request: RestRequest) -> Answer:
        try:
            return await handler(request)
        except Problem as failure:
            request.exchange.reason = failure.reason
            return _failure(failure)

    return shown


@_page
async def launch(request: RestRequest) -> Answer:
    """GET: the page with the button. Changes nothing."""
    secret = request.parameters().text("token")
    _check_secret(secret)
    return _html(200, opening(secret))


@_page
async def redeem(request: RestRequest) -> Answer:
    """POST: redeems the link and goes to the portal with the session's cookie."""
    if _from_elsewhere(request):
        raise RestProblem(403, "This form was sent from another site.")
    secret = _token(await read_text(request.exchange, _MAX_FORM_BYTES))
    _check_secret(secret)
    caller = Caller(secret, request.exchange.request_id)
    reply = await request.upstream.call(request.upstream.admin.RedeemPortalLink, pb.RedeemPortalLinkRequest(), caller)
    base = request.base_url
    expires = formatdate(reply.session_expire_time.seconds, usegmt=True)
    cookie = f"{COOKIE}={reply.session_secret}; Path={_HOME}; Expires={expires}; HttpOnly; SameSite=Lax"
    if base.startswith("https:"):
        cookie += "; Secure"
    headers = [*_HEADERS, (b"location", (base + _HOME).encode()), (b"set-cookie", cookie.encode())]
    return Answer(303, headers)


@_page
async def home(request: RestRequest) -> Answer:
    """GET: what an opened link leads to."""
    caller = Caller(_session(request.exchange.headers.get(b"cookie", b"")), request.exchange.request_id)
    reply = await request.upstream.call(request.upstream.admin.GetPortalSession, pb.GetPortalSessionRequest(), caller)
    return _html(200, welcome(reply.organization_name, reply.link.return_url))


def _from_elsewhere(request: RestRequest) -> bool:
    headers = request.exchange.headers
    if (site := headers.get(b"sec-fetch-site")) is not None:
        return site not in {b"same-origin", b"none"}
    # Browsers that do not send it; of the page itself the origin is `null`, as it sends no referrer.
    return headers.get(b"origin", b"null") not in {b"null", request.base_url.encode()}


def _token(form: str) -> str:
    try:
        return parse_qs(form, max_num_fields=10).get("token", [""])[0]
    except ValueError:
        raise RestProblem(400, "This form has more fields than it should.") from None


def _check_secret(secret: str) -> None:
    if _SECRET.fullmatch(secret) is None:
        raise RestProblem(404, "This link is not complete.")


def _session(header: bytes) -> str:
    """The session's secret. Cookies of others on this host may be written in any way; they must not hide ours."""
    for pair in header.decode("latin-1").split(";"):
        name, _, value = pair.partition("=")
        if name.strip() == COOKIE and _SECRET.fullmatch(value.strip()):
            return value.strip()
    return ""


def _failure(failure: Problem) -> Answer:
    status = failure.rule.status
    if failure.reason in {"CREDENTIALS_INVALID", "RESOURCE_NOT_FOUND"}:
        page = notice(
            "This link can no longer be used",
            "A link opens once and only for a short time. Ask whoever sent it to you for a new one.",
        )
        return Answer(status, [(b"content-type", MEDIA_TYPE), *_HEADERS], page)
    page = notice("This did not work", failure.detail if status < 500 else "Please try again in a moment.")
    return Answer(status, [*problem_headers(failure, MEDIA_TYPE), *_HEADERS], page, failure.close)


def _html(status: int, page: bytes) -> Answer:
    return Answer(status, [(b"content-type", MEDIA_TYPE), *_HEADERS], page)
