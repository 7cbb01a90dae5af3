"""Rows to domain values. Columns go by name, so that a statement may add some or change their order."""

from collections.abc import Mapping
from typing import Any

import asyncpg
import msgspec

from service.domain.api_key import ApiKey
from service.domain.caller import Scope
from service.domain.change import GroupMember
from service.domain.directory import Directory, DirectoryState, DirectoryToken
from service.domain.group import Group, Member
from service.domain.organization import Organization, OrganizationDomain
from service.domain.policy import policy_of
from service.domain.user import User

Row = Mapping[str, Any] | asyncpg.Record

_decoder = msgspec.json.Decoder()


def decode_document(text: str) -> dict[str, Any]:
    """A jsonb object as the driver hands it over (text)."""
    document: dict[str, Any] = _decoder.decode(text)
    return document


def organization_from_row(row: Row) -> Organization:
    """A row of `organization` with its rows of `organization_domain` as `domains`."""
    return Organization(
        id=row["id"],
        name=row["name"],
        external_id=row["external_id"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        domains=tuple(_domain_from_row(domain) for domain in row["domains"]),
        metadata=decode_document(row["metadata"]),
    )


def _domain_from_row(row: Row) -> OrganizationDomain:
    return OrganizationDomain(
        id=row["id"],
        organization_id=row["organization_id"],
        domain=row["domain"],
        verified=row["verified"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def directory_from_row(row: Row) -> Directory:
    """A row of `directory`."""
    return Directory(
        id=row["id"],
        organization_id=row["organization_id"],
        name=row["name"],
        provider=row["provider"],
        state=DirectoryState(row["state"]),
        scim_key=row["scim_key"],
        policy=policy_of(decode_document(row["policy"])),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def token_from_row(row: Row) -> DirectoryToken:
    """A row of `directory_token`, without the digest."""
    return DirectoryToken(
        id=row["id"],
        directory_id=row["directory_id"],
        suffix=row["suffix"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        last_used_at=row["last_used_at"],
        revoked_at=row["revoked_at"],
    )


def api_key_from_row(row: Row) -> ApiKey:
    """A row of `api_key`, without the digest."""
    return ApiKey(
        id=row["id"],
        name=row["name"],
        scopes=tuple(Scope(scope) for scope in row["scopes"]),
        organization_ids=tuple(row["organization_ids"]),
        directory_ids=tuple(row["directory_ids"]),
        suffix=row["suffix"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        last_used_at=row["last_used_at"],
        revoked_at=row["revoked_at"],
        membership_update_time=row["membership_update_time"],
    )


def user_from_row(row: Row) -> User:
    """A row of `directory_user`: directory_id, organization_id, id, document, version, created_at, updated_at."""
    return User(
        directory_id=row["directory_id"],
        organization_id=row["organization_id"],
        id=row["id"],
        document=decode_document(row["document"]),
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def group_from_row(row: Row) -> Group:
    """A row of `directory_group`: as for users, and idp_id."""
    return Group(
        directory_id=row["directory_id"],
        organization_id=row["organization_id"],
        id=row["id"],
        document=decode_document(row["document"]),
        idp_id=row["idp_id"],
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def member_from_row(row: Row) -> Member:
    """A row of `membership` with the member's name as `member_name`."""
    return Member(
        group_id=row["group_id"],
        member_id=row["member_id"],
        type=row["member_type"],
        name=row["member_name"] or "",
        created_at=row["created_at"],
    )


def group_member_from_row(row: Row) -> GroupMember:
    """As `member_from_row`, with the group's name as `group_name`."""
    return GroupMember(group_id=row["group_id"], group_name=row["group_name"], member=member_from_row(row))
