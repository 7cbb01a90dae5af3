"""Domain values to protobuf, in one place."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp

from directorysync.v1 import directory_admin_pb2, directory_ingest_pb2, events_pb2, portal_pb2, resources_pb2
from service.domain.api_key import ApiKey
from service.domain.change import Event, GroupMember
from service.domain.diagnostic import DiagnosticCount
from service.domain.directory import Directory, DirectoryState, DirectorySummary, DirectoryToken
from service.domain.group import Group
from service.domain.organization import Organization, OrganizationDomain
from service.domain.policy import Deactivation, Policy
from service.domain.portal_link import PortalLink
from service.domain.user import User
from service.domain.webhook import DisabledEndpoint

_encode = msgspec.json.encode
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIRECTORY_STATES = {
    DirectoryState.UNLINKED: resources_pb2.DIRECTORY_STATE_UNLINKED,
    DirectoryState.LINKED: resources_pb2.DIRECTORY_STATE_LINKED,
    DirectoryState.DISABLED: resources_pb2.DIRECTORY_STATE_DISABLED,
    DirectoryState.DELETED: resources_pb2.DIRECTORY_STATE_DELETED,
}
_DEACTIVATIONS = {
    Deactivation.KEEP: resources_pb2.DEACTIVATION_KEEP,
    Deactivation.DELETE: resources_pb2.DEACTIVATION_DELETE,
}
_RESOURCE_TYPES = {
    "User": directory_ingest_pb2.RESOURCE_TYPE_USER,
    "Group": directory_ingest_pb2.RESOURCE_TYPE_GROUP,
}
_MEMBER_TYPES = {"User": resources_pb2.MEMBER_TYPE_USER, "Group": resources_pb2.MEMBER_TYPE_GROUP}


def _moment(value: datetime) -> Any:
    """A Timestamp as its fields. In a constructor they do as well, without a message that is made only to be copied."""
    since = value - _EPOCH
    return {"seconds": since.days * 86_400 + since.seconds, "nanos": since.microseconds * 1000}


def timestamp(value: datetime | None) -> Timestamp | None:
    """None stays unset."""
    if value is None:
        return None
    return Timestamp(**_moment(value))


def json_text(value: Mapping[str, Any]) -> str:
    """Compact JSON."""
    return _encode(value).decode()


def organization(value: Organization) -> resources_pb2.Organization:
    """Organization -> resources.proto."""
    return resources_pb2.Organization(
        id=value.id,
        name=value.name,
        external_id=value.external_id or "",
        create_time=timestamp(value.created_at),
        update_time=timestamp(value.updated_at),
        domains=[_domain(domain) for domain in value.domains],
        metadata=value.metadata,
    )


def _domain(value: OrganizationDomain) -> resources_pb2.OrganizationDomain:
    return resources_pb2.OrganizationDomain(
        id=value.id,
        organization_id=value.organization_id,
        domain=value.domain,
        state=resources_pb2.ORGANIZATION_DOMAIN_STATE_VERIFIED
        if value.verified
        else resources_pb2.ORGANIZATION_DOMAIN_STATE_PENDING,
        create_time=timestamp(value.created_at),
        update_time=timestamp(value.updated_at),
    )


def domains_from(messages: Iterable[resources_pb2.OrganizationDomain]) -> list[tuple[str, bool]]:
    """resources.proto -> names, and whether they are verified."""
    verified = resources_pb2.ORGANIZATION_DOMAIN_STATE_VERIFIED
    return [(message.domain, message.state == verified) for message in messages]


def portal_link(value: PortalLink) -> portal_pb2.PortalLink:
    """PortalLink -> portal.proto."""
    return portal_pb2.PortalLink(
        id=value.id,
        organization_id=value.organization_id,
        intent=value.intent,
        return_url=value.return_url,
        success_url=value.success_url,
        external_user_id=value.external_user_id,
        create_time=timestamp(value.created_at),
        expire_time=timestamp(value.expires_at),
        redeem_time=timestamp(value.redeemed_at),
        revoke_time=timestamp(value.revoked_at),
    )


def directory(
    value: Directory, *, sequence: int = 0, users: int = 0, groups: int = 0, inactive_users: int = 0
) -> resources_pb2.Directory:
    """Directory -> resources.proto."""
    return resources_pb2.Directory(
        id=value.id,
        organization_id=value.organization_id,
        name=value.name,
        provider=value.provider,
        state=_DIRECTORY_STATES[value.state],
        scim_key=value.scim_key,
        sequence=sequence,
        create_time=timestamp(value.created_at),
        update_time=timestamp(value.updated_at),
        user_count=users,
        group_count=groups,
        policy=policy(value.policy),
        inactive_user_count=inactive_users,
    )


def policy(value: Policy) -> resources_pb2.DirectoryPolicy:
    """Policy -> resources.proto."""
    return resources_pb2.DirectoryPolicy(
        deactivation=_DEACTIVATIONS[value.deactivation],
        announce_on_reactivation=value.announce_on_reactivation,
        unique_group_names=value.unique_group_names,
        unique_emails=value.unique_emails,
    )


def policy_from(message: resources_pb2.DirectoryPolicy) -> Policy:
    """resources.proto -> Policy."""
    deletes = message.deactivation == resources_pb2.DEACTIVATION_DELETE
    return Policy(
        deactivation=Deactivation.DELETE if deletes else Deactivation.KEEP,
        announce_on_reactivation=message.announce_on_reactivation,
        unique_group_names=message.unique_group_names if message.HasField("unique_group_names") else None,
        unique_emails=message.unique_emails,
    )


def summary(value: DirectorySummary) -> resources_pb2.Directory:
    """DirectorySummary -> resources.proto."""
    return directory(
        value.directory,
        sequence=value.sequence,
        users=value.users,
        groups=value.groups,
        inactive_users=value.inactive_users,
    )


def api_key(value: ApiKey) -> directory_admin_pb2.ApiKey:
    """ApiKey -> directory_admin.proto."""
    return directory_admin_pb2.ApiKey(
        id=value.id,
        name=value.name,
        scopes=[scope.value for scope in value.scopes],
        organization_ids=value.organization_ids,
        directory_ids=value.directory_ids,
        suffix=value.suffix,
        create_time=timestamp(value.created_at),
        expire_time=timestamp(value.expires_at),
        last_use_time=timestamp(value.last_used_at),
        revoke_time=timestamp(value.revoked_at),
        membership_update_time=value.membership_update_time,
    )


def diagnostic(value: DiagnosticCount) -> directory_admin_pb2.Diagnostic:
    """DiagnosticCount -> directory_admin.proto."""
    return directory_admin_pb2.Diagnostic(
        resource_type=_RESOURCE_TYPES[value.kind.resource_type],
        path=value.kind.path,
        reason=value.kind.reason,
        count=value.count,
        first_seen_time=timestamp(value.first_seen_at),
        last_seen_time=timestamp(value.last_seen_at),
        last_request_id=value.last_request_id,
    )


def token(value: DirectoryToken) -> events_pb2.DirectoryToken:
    """DirectoryToken -> events.proto."""
    return events_pb2.DirectoryToken(
        id=value.id,
        directory_id=value.directory_id,
        suffix=value.suffix,
        create_time=timestamp(value.created_at),
        expire_time=timestamp(value.expires_at),
        last_use_time=timestamp(value.last_used_at),
        revoke_time=timestamp(value.revoked_at),
    )


def disabled_endpoint(value: DisabledEndpoint) -> events_pb2.WebhookEndpointDisabled:
    """DisabledEndpoint -> events.proto."""
    return events_pb2.WebhookEndpointDisabled(
        id=value.id, status_reason=value.reason, failing_since_time=timestamp(value.failing_since)
    )


def user(value: User) -> resources_pb2.DirectoryUser:
    """User -> resources.proto."""
    fields = value.profile
    created = _moment(value.created_at)
    return resources_pb2.DirectoryUser(
        id=value.id,
        directory_id=value.directory_id,
        organization_id=value.organization_id,
        idp_id=fields["idp_id"],
        user_name=fields["user_name"],
        email=fields["email"],
        emails=fields["emails"],
        first_name=fields["first_name"],
        last_name=fields["last_name"],
        display_name=fields["display_name"],
        job_title=fields["job_title"],
        department_name=fields["department_name"],
        employee_number=fields["employee_number"],
        manager_id=fields["manager_id"],
        state=resources_pb2.DIRECTORY_USER_STATE_ACTIVE
        if value.active
        else resources_pb2.DIRECTORY_USER_STATE_INACTIVE,
        raw_attributes_json=json_text(value.document),
        custom_attributes_json=json_text(value.custom_attributes),
        version=value.version,
        create_time=created,
        update_time=created if value.updated_at == value.created_at else _moment(value.updated_at),
    )


def group(value: Group) -> resources_pb2.DirectoryGroup:
    """Group -> resources.proto."""
    return resources_pb2.DirectoryGroup(
        id=value.id,
        directory_id=value.directory_id,
        organization_id=value.organization_id,
        idp_id=value.idp_id,
        name=value.name,
        raw_attributes_json=json_text(value.document),
        version=value.version,
        create_time=timestamp(value.created_at),
        update_time=timestamp(value.updated_at),
    )


def membership(value: GroupMember) -> resources_pb2.Membership:
    """GroupMember -> resources.proto."""
    return resources_pb2.Membership(
        group_id=value.group_id,
        group_name=value.group_name,
        member_id=value.member.member_id,
        member_type=_MEMBER_TYPES[value.member.type],
        member_name=value.member.name,
        create_time=timestamp(value.member.created_at),
        group_version=value.group_version,
    )


def event_bytes(value: Event) -> bytes:
    """Event -> the bytes that are stored and sent (events.proto)."""
    change = value.change
    message = events_pb2.Event(
        id=value.id,
        type=change.type.value,
        directory_id=value.directory_id,
        organization_id=value.organization_id,
        directory_sequence=value.seq,
        create_time=timestamp(value.created_at),
        transaction_id=value.transaction_id,
        transaction_end=value.transaction_end,
        request_id=value.request_id,
        previous_attributes_json=json_text(change.previous) if change.previous is not None else "",
    )
    entity = change.entity
    if isinstance(entity, User):
        message.user.CopyFrom(user(entity))
    elif isinstance(entity, Group):
        message.group.CopyFrom(group(entity))
    elif isinstance(entity, GroupMember):
        message.membership.CopyFrom(membership(entity))
    elif isinstance(entity, Directory):
        message.directory.CopyFrom(directory(entity, sequence=value.seq))
    elif isinstance(entity, DisabledEndpoint):
        message.webhook_endpoint.CopyFrom(disabled_endpoint(entity))
    else:
        message.token.CopyFrom(token(entity))
    return message.SerializeToString()
