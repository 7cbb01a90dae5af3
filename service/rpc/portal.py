"""DirectoryAdmin: links to the portal and their sessions."""

from directorysync.v1 import directory_admin_pb2, portal_pb2
from service.app.portal_links import PortalLinks
from service.domain.caller import Scope
from service.rpc import convert
from service.rpc.arguments import moment, required_id
from service.rpc.edge import Call, Method, UnaryHandler
from service.rpc.methods import unary_methods


class PortalHandlers:
    """Check, convert, call, convert."""

    def __init__(self, links: PortalLinks) -> None:
        self._links = links

    def methods(self) -> list[Method]:
        """The RPCs about the portal."""
        administering: dict[str, UnaryHandler] = {
            "CreatePortalLink": self.create_link,
            "RevokePortalLinks": self.revoke_links,
        }
        setting_up: dict[str, UnaryHandler] = {
            "RedeemPortalLink": self.redeem_link,
            "GetPortalSession": self.get_session,
        }
        file, service = directory_admin_pb2.DESCRIPTOR, "DirectoryAdmin"
        return [
            *unary_methods(file, service, (Scope.ADMIN,), administering),
            *unary_methods(file, service, (Scope.SETUP,), setting_up),
        ]

    async def create_link(
        self, request: portal_pb2.CreatePortalLinkRequest, call: Call
    ) -> portal_pb2.CreatePortalLinkResponse:
        """CreatePortalLink."""
        link, secret = await self._links.create(
            call.caller,
            required_id(request.organization_id, "organization_id"),
            intent=request.intent,
            return_url=request.return_url,
            success_url=request.success_url,
            external_user_id=request.external_user_id,
            it_contact_emails=request.it_contact_emails,
            expires_at=moment(request, "expire_time"),
        )
        return portal_pb2.CreatePortalLinkResponse(link=convert.portal_link(link), secret=secret)

    async def redeem_link(
        self, _: portal_pb2.RedeemPortalLinkRequest, call: Call
    ) -> portal_pb2.RedeemPortalLinkResponse:
        """RedeemPortalLink."""
        session, secret = await self._links.redeem(call.caller)
        return portal_pb2.RedeemPortalLinkResponse(
            link=convert.portal_link(session.link),
            session_secret=secret,
            session_expire_time=convert.timestamp(session.expires_at),
        )

    async def get_session(
        self, _: portal_pb2.GetPortalSessionRequest, call: Call
    ) -> portal_pb2.GetPortalSessionResponse:
        """GetPortalSession."""
        session = await self._links.session(call.caller)
        return portal_pb2.GetPortalSessionResponse(
            link=convert.portal_link(session.link),
            organization_name=session.organization_name,
            expire_time=convert.timestamp(session.expires_at),
        )

    async def revoke_links(
        self, request: portal_pb2.RevokePortalLinksRequest, call: Call
    ) -> portal_pb2.RevokePortalLinksResponse:
        """RevokePortalLinks."""
        organization_id = required_id(request.organization_id, "organization_id")
        ended = await self._links.revoke(call.caller, organization_id, request.external_user_id)
        return portal_pb2.RevokePortalLinksResponse(revoked_count=ended)
