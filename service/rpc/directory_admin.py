"""DirectoryAdmin: organizations, directories and credentials."""

from directorysync.v1 import directory_admin_pb2 as pb
from service.app.api_keys import ApiKeys
from service.app.diagnostics import Diagnostics
from service.app.directories import Directories
from service.app.organizations import Organizations
from service.app.tokens import Tokens
from service.domain.caller import Scope
from service.rpc import convert
from service.rpc.arguments import moment, required_id
from service.rpc.edge import Call, Method, UnaryHandler
from service.rpc.methods import unary_methods
from service.rpc.paging import page_of, stretch_of


class AdminHandlers:
    """Check, convert, call, convert."""

    def __init__(
        self,
        organizations: Organizations,
        directories: Directories,
        tokens: Tokens,
        api_keys: ApiKeys,
        diagnostics: Diagnostics,
    ) -> None:
        self._organizations = organizations
        self._directories = directories
        self._tokens = tokens
        self._api_keys = api_keys
        self._diagnostics = diagnostics

    def methods(self) -> list[Method]:
        """The RPCs of DirectoryAdmin."""
        handlers: dict[str, UnaryHandler] = {
            "CreateOrganization": self.create_organization,
            "GetOrganization": self.get_organization,
            "ListOrganizations": self.list_organizations,
            "UpdateOrganization": self.update_organization,
            "DeleteOrganization": self.delete_organization,
            "CreateDirectory": self.create_directory,
            "UpdateDirectory": self.update_directory,
            "DeleteDirectory": self.delete_directory,
            "CreateDirectoryToken": self.create_token,
            "ListDirectoryTokens": self.list_tokens,
            "RevokeDirectoryToken": self.revoke_token,
            "CreateApiKey": self.create_api_key,
            "ListApiKeys": self.list_api_keys,
            "RevokeApiKey": self.revoke_api_key,
            "ListDiagnostics": self.list_diagnostics,
        }
        return unary_methods(pb.DESCRIPTOR, "DirectoryAdmin", (Scope.ADMIN,), handlers)

    async def create_organization(
        self, request: pb.CreateOrganizationRequest, call: Call
    ) -> pb.CreateOrganizationResponse:
        """CreateOrganization."""
        made = await self._organizations.create(
            call.caller,
            name=request.name,
            external_id=request.external_id,
            domains=convert.domains_from(request.domains),
            metadata=dict(request.metadata),
        )
        return pb.CreateOrganizationResponse(organization=convert.organization(made))

    async def get_organization(self, request: pb.GetOrganizationRequest, call: Call) -> pb.GetOrganizationResponse:
        """GetOrganization."""
        key = request.WhichOneof("key") or "id"
        found = await self._organizations.get(call.caller, key, required_id(getattr(request, key), key))
        return pb.GetOrganizationResponse(organization=convert.organization(found))

    async def list_organizations(
        self, request: pb.ListOrganizationsRequest, call: Call
    ) -> pb.ListOrganizationsResponse:
        """ListOrganizations."""
        page, token = await stretch_of(
            request,
            lambda stretch: self._organizations.page(
                call.caller, stretch, name=request.name, search=request.search, domains=request.domains
            ),
            lambda organization: organization.id,
        )
        organizations = [convert.organization(organization) for organization in page]
        return pb.ListOrganizationsResponse(organizations=organizations, next_page_token=token)

    async def update_organization(
        self, request: pb.UpdateOrganizationRequest, call: Call
    ) -> pb.UpdateOrganizationResponse:
        """UpdateOrganization."""
        updated = await self._organizations.update(
            call.caller,
            required_id(request.id, "id"),
            name=request.name if request.HasField("name") else None,
            external_id=request.external_id if request.HasField("external_id") else None,
            domains=convert.domains_from(request.domains.domains) if request.HasField("domains") else None,
            added=convert.domains_from(request.add_domains),
            removed=frozenset(request.remove_domain_ids),
            metadata=dict(request.metadata),
        )
        return pb.UpdateOrganizationResponse(organization=convert.organization(updated))

    async def delete_organization(
        self, request: pb.DeleteOrganizationRequest, call: Call
    ) -> pb.DeleteOrganizationResponse:
        """DeleteOrganization."""
        organization_id = required_id(request.id, "id")
        await self._organizations.delete(call.caller, organization_id, force=request.force, request_id=call.request_id)
        return pb.DeleteOrganizationResponse()

    async def create_directory(self, request: pb.CreateDirectoryRequest, call: Call) -> pb.CreateDirectoryResponse:
        """CreateDirectory."""
        organization_id = required_id(request.organization_id, "organization_id")
        directory, token, secret = await self._directories.create(
            call.caller, organization_id, name=request.name, provider=request.provider, request_id=call.request_id
        )
        return pb.CreateDirectoryResponse(
            directory=convert.directory(directory, sequence=1), token=convert.token(token), secret=secret
        )

    async def update_directory(self, request: pb.UpdateDirectoryRequest, call: Call) -> pb.UpdateDirectoryResponse:
        """UpdateDirectory."""
        updated = await self._directories.update(
            call.caller,
            required_id(request.id, "id"),
            name=request.name if request.HasField("name") else None,
            provider=request.provider if request.HasField("provider") else None,
            disabled=request.disabled if request.HasField("disabled") else None,
            policy=convert.policy_from(request.policy) if request.HasField("policy") else None,
            request_id=call.request_id,
        )
        return pb.UpdateDirectoryResponse(directory=convert.summary(updated))

    async def delete_directory(self, request: pb.DeleteDirectoryRequest, call: Call) -> pb.DeleteDirectoryResponse:
        """DeleteDirectory."""
        await self._directories.delete(call.caller, required_id(request.id, "id"), call.request_id)
        return pb.DeleteDirectoryResponse()

    async def create_token(
        self, request: pb.CreateDirectoryTokenRequest, call: Call
    ) -> pb.CreateDirectoryTokenResponse:
        """CreateDirectoryToken."""
        directory_id = required_id(request.directory_id, "directory_id")
        expires_at = moment(request, "expire_time")
        token, secret = await self._tokens.create(call.caller, directory_id, expires_at, call.request_id)
        return pb.CreateDirectoryTokenResponse(token=convert.token(token), secret=secret)

    async def list_tokens(self, request: pb.ListDirectoryTokensRequest, call: Call) -> pb.ListDirectoryTokensResponse:
        """ListDirectoryTokens."""
        tokens = await self._tokens.of_directory(call.caller, required_id(request.directory_id, "directory_id"))
        return pb.ListDirectoryTokensResponse(tokens=[convert.token(token) for token in tokens])

    async def revoke_token(
        self, request: pb.RevokeDirectoryTokenRequest, call: Call
    ) -> pb.RevokeDirectoryTokenResponse:
        """RevokeDirectoryToken."""
        directory_id = required_id(request.directory_id, "directory_id")
        token_id = required_id(request.id, "id")
        revoked = await self._tokens.revoke(call.caller, directory_id, token_id, call.request_id)
        return pb.RevokeDirectoryTokenResponse(token=convert.token(revoked))

    async def create_api_key(self, request: pb.CreateApiKeyRequest, call: Call) -> pb.CreateApiKeyResponse:
        """CreateApiKey."""
        key, secret = await self._api_keys.create(
            call.caller,
            name=request.name,
            scopes=request.scopes,
            organization_ids=[required_id(value, "organization_ids") for value in request.organization_ids],
            directory_ids=[required_id(value, "directory_ids") for value in request.directory_ids],
            expires_at=moment(request, "expire_time"),
            membership_update_time=request.membership_update_time,
        )
        return pb.CreateApiKeyResponse(api_key=convert.api_key(key), secret=secret)

    async def list_api_keys(self, request: pb.ListApiKeysRequest, call: Call) -> pb.ListApiKeysResponse:
        """ListApiKeys."""
        page, token = await page_of(
            request, lambda after, limit: self._api_keys.page(call.caller, after, limit), lambda key: key.id
        )
        return pb.ListApiKeysResponse(api_keys=[convert.api_key(key) for key in page], next_page_token=token)

    async def revoke_api_key(self, request: pb.RevokeApiKeyRequest, call: Call) -> pb.RevokeApiKeyResponse:
        """RevokeApiKey."""
        revoked = await self._api_keys.revoke(call.caller, required_id(request.id, "id"))
        return pb.RevokeApiKeyResponse(api_key=convert.api_key(revoked))

    async def list_diagnostics(self, request: pb.ListDiagnosticsRequest, call: Call) -> pb.ListDiagnosticsResponse:
        """ListDiagnostics."""
        directory = await self._directories.reached(call.caller, required_id(request.directory_id, "directory_id"))
        found = await self._diagnostics.of_directory(directory)
        return pb.ListDiagnosticsResponse(diagnostics=[convert.diagnostic(each) for each in found])
