"""`/directories`: WorkOS's look-ups and deletion, and our creation, change, tokens and diagnostics."""

from typing import Final

from directorysync.v1 import directory_admin_pb2 as admin_pb
from directorysync.v1 import directory_sync_pb2 as sync_pb
from directorysync.v1 import resources_pb2 as pb
from gateway.exchange import Answer
from gateway.rest.body import Body
from gateway.rest.errors import RestProblem, invalid
from gateway.rest.parameters import unpaged
from gateway.rest.request import RestRequest, json_answer, no_content
from gateway.workos.diagnostics import diagnostic
from gateway.workos.directories import directory, directory_token, provider_of

_SCIM: Final = "/scim/v2/"
_DEACTIVATIONS: Final = {"keep": pb.DEACTIVATION_KEEP, "delete": pb.DEACTIVATION_DELETE}


async def list_directories(request: RestRequest) -> Answer:
    """GET: 200. `domain`, which WorkOS has deprecated, selects by the organization's domains."""
    parameters = request.parameters()
    page = parameters.page("directory_")
    organization_id = parameters.identifier("organization_id")
    if parameters.text("domain"):
        owner = await _owner(request, parameters.text("domain"))
        if not owner or organization_id not in {"", owner}:
            return json_answer(200, page.envelope([], [], more=False))
        organization_id = owner
    message = sync_pb.ListDirectoriesRequest(
        organization_id=organization_id,
        search=parameters.text("search"),
        page_size=page.limit,
        window=page.window,
    )
    reply = await request.call(request.upstream.sync.ListDirectories, message)
    found = reply.directories
    more = bool(reply.next_page_token)
    return json_answer(200, page.envelope([directory(one) for one in found], [one.id for one in found], more=more))


async def get_directory(request: RestRequest) -> Answer:
    """GET of one: 200, with its counts."""
    return json_answer(200, directory(await _get(request), counts=True))


async def create_directory(request: RestRequest) -> Answer:
    """POST (own route): 201 with the directory, its SCIM address and its first token, which is shown once."""
    body = await request.body()
    body.require("organization_id", "name")
    message = admin_pb.CreateDirectoryRequest(
        organization_id=body.text("organization_id") or "",
        name=body.text("name") or "",
        provider=body.text("provider") or provider_of(body.text("type") or ""),
    )
    reply = await request.call(request.upstream.admin.CreateDirectory, message)
    scim = {"base_url": request.base_url + _SCIM + reply.directory.scim_key, "bearer_token": reply.secret}
    return json_answer(201, {"directory": directory(reply.directory), "scim": scim})


async def update_directory(request: RestRequest) -> Answer:
    """PATCH (own route): 200. Of the policy, what is not named stays."""
    body = await request.body()
    message = admin_pb.UpdateDirectoryRequest(
        id=request.path["id"],
        name=body.text("name"),
        provider=body.text("provider"),
        disabled=body.flag("disabled"),
    )
    wanted = body.object("policy")
    if wanted is not None:
        message.policy.CopyFrom(_policy((await _get(request)).policy, wanted))
    reply = await request.call(request.upstream.admin.UpdateDirectory, message)
    return json_answer(200, directory(reply.directory))


async def delete_directory(request: RestRequest) -> Answer:
    """DELETE: 202, as at WorkOS, although it is done by then."""
    message = admin_pb.DeleteDirectoryRequest(id=request.path["id"])
    await request.call(request.upstream.admin.DeleteDirectory, message)
    return json_answer(202, {})


async def sync_directory(request: RestRequest) -> Answer:
    """POST: 422, since every directory here is pushed by its provider."""
    await _get(request)
    raise RestProblem(
        422,
        "The provider pushes into this directory; there is nothing to pull.",
        code="directory_sync_not_supported",
    )


async def list_tokens(request: RestRequest) -> Answer:
    """GET (own route): 200, all of them, oldest first."""
    message = admin_pb.ListDirectoryTokensRequest(directory_id=request.path["id"])
    reply = await request.call(request.upstream.admin.ListDirectoryTokens, message)
    return json_answer(200, unpaged([directory_token(token) for token in reply.tokens]))


async def create_token(request: RestRequest) -> Answer:
    """POST (own route): 201 with the secret, which is shown once."""
    body = await request.body(optional=True)
    message = admin_pb.CreateDirectoryTokenRequest(directory_id=request.path["id"], expire_time=body.time("expires_at"))
    reply = await request.call(request.upstream.admin.CreateDirectoryToken, message)
    return json_answer(201, directory_token(reply.token) | {"token": reply.secret})


async def revoke_token(request: RestRequest) -> Answer:
    """DELETE (own route): 204."""
    message = admin_pb.RevokeDirectoryTokenRequest(directory_id=request.path["id"], id=request.path["token_id"])
    await request.call(request.upstream.admin.RevokeDirectoryToken, message)
    return no_content()


async def list_diagnostics(request: RestRequest) -> Answer:
    """GET (own route): 200, what was seen last first."""
    message = admin_pb.ListDiagnosticsRequest(directory_id=request.path["id"])
    reply = await request.call(request.upstream.admin.ListDiagnostics, message)
    return json_answer(200, unpaged([diagnostic(one) for one in reply.diagnostics]))


async def _owner(request: RestRequest, domain: str) -> str:
    """The organization that a domain belongs to; an empty text when there is none."""
    message = admin_pb.ListOrganizationsRequest(domains=[domain], page_size=1)
    found = (await request.call(request.upstream.admin.ListOrganizations, message)).organizations
    return found[0].id if found else ""


async def _get(request: RestRequest) -> pb.Directory:
    message = sync_pb.GetDirectoryRequest(id=request.path["id"])
    return (await request.call(request.upstream.sync.GetDirectory, message)).directory


def _policy(present: pb.DirectoryPolicy, wanted: Body) -> pb.DirectoryPolicy:
    changed = pb.DirectoryPolicy()
    changed.CopyFrom(present)
    deactivation = wanted.text("deactivation")
    if deactivation is not None:
        if deactivation not in _DEACTIVATIONS:
            raise invalid("policy.deactivation", "policy.deactivation is keep or delete.")
        changed.deactivation = _DEACTIVATIONS[deactivation]
    for name in ("announce_on_reactivation", "unique_emails"):
        value = wanted.flag(name)
        if value is not None:
            setattr(changed, name, value)
    if wanted.given("unique_group_names"):
        changed.ClearField("unique_group_names")
        names = wanted.flag("unique_group_names")
        if names is not None:
            changed.unique_group_names = names
    return changed
