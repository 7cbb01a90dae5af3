"""Discovery documents (RFC 7644 section 4, RFC 7643 sections 5 to 7) and the list envelope (RFC 7644 section 3.4.2).

SailPoint and Google read them strictly (rows S01, G02): complete, no nulls, ``meta.location`` on each.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from service.scim.custom_schemas import CustomSchemas
from service.scim.schema import RESOURCE_TYPES, ResourceType, Schema

SERVICE_PROVIDER_CONFIG_URN: Final = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
RESOURCE_TYPE_URN: Final = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
SCHEMA_URN: Final = "urn:ietf:params:scim:schemas:core:2.0:Schema"
LIST_RESPONSE_URN: Final = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
_NONE: Final = CustomSchemas()


def service_provider_config(
    base_url: str,
    *,
    max_operations: int,
    max_payload: int,
    max_results: int,
    bulk: bool = True,
    sort: bool = True,
    etag: bool = True,
    cursor: bool = False,
    default_page_size: int = 100,
    documentation_uri: str | None = None,
) -> dict[str, Any]:
    """``/ServiceProviderConfig``: ``max_payload`` in bytes; ``cursor`` announces RFC 9865 pagination."""
    config: dict[str, Any] = {"schemas": [SERVICE_PROVIDER_CONFIG_URN]}
    if documentation_uri:
        config["documentationUri"] = documentation_uri
    config |= {
        "patch": {"supported": True},
        "bulk": {"supported": bulk, "maxOperations": max_operations, "maxPayloadSize": max_payload},
        "filter": {"supported": True, "maxResults": max_results},
        "changePassword": {"supported": False},
        "sort": {"supported": sort},
        "etag": {"supported": etag},
        "pagination": {
            "cursor": cursor,
            "index": True,
            "defaultPaginationMethod": "index",
            "defaultPageSize": default_page_size,
            "maxPageSize": max_results,
        },
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "OAuth Bearer Token",
                "description": "The directory's token in the Authorization header.",
                "specUri": "https://www.rfc-editor.org/rfc/rfc6750",
                "primary": True,
            }
        ],
        "meta": _meta(base_url, "ServiceProviderConfig", "ServiceProviderConfig"),
    }
    return config


def resource_types(base_url: str, custom: CustomSchemas = _NONE) -> list[dict[str, Any]]:
    """The resources of ``/ResourceTypes``."""
    return [_resource_type(resource_type, base_url, custom) for resource_type in RESOURCE_TYPES]


def resource_type(name: str, base_url: str, custom: CustomSchemas = _NONE) -> dict[str, Any] | None:
    """``/ResourceTypes/{name}``; None if there is none (row C01)."""
    found = next((entry for entry in RESOURCE_TYPES if entry.name.lower() == name.lower()), None)
    return None if found is None else _resource_type(found, base_url, custom)


def schemas(base_url: str, custom: CustomSchemas = _NONE) -> list[dict[str, Any]]:
    """The resources of ``/Schemas``: those of the RFC, and those that only the directory's resources show."""
    return [_schema(schema, base_url) for schema in _all_schemas(custom)]


def schema(urn: str, base_url: str, custom: CustomSchemas = _NONE) -> dict[str, Any] | None:
    """``/Schemas/{urn}``; None if there is none (row C01)."""
    found = next((entry for entry in _all_schemas(custom) if entry.id.lower() == urn.lower()), None)
    return None if found is None else _schema(found, base_url)


def _all_schemas(custom: CustomSchemas) -> list[Schema]:
    known = {entry.id.lower() for entry in _SCHEMAS}
    return [*_SCHEMAS, *(entry for entry in custom.schemas if entry.id.lower() not in known)]


def list_response(
    resources: Iterable[Mapping[str, Any]],
    total: int,
    start_index: int | None,
    items_per_page: int,
    *,
    next_cursor: str | None = None,
    previous_cursor: str | None = None,
) -> dict[str, Any]:
    """A page of results. ``start_index`` is None for pages by cursor (RFC 9865 section 2)."""
    response: dict[str, Any] = {"schemas": [LIST_RESPONSE_URN], "totalResults": total, "itemsPerPage": items_per_page}
    if start_index is not None:
        response["startIndex"] = start_index
    if next_cursor is not None:
        response["nextCursor"] = next_cursor
    if previous_cursor is not None:
        response["previousCursor"] = previous_cursor
    response["Resources"] = list(resources)
    return response


_SCHEMAS: tuple[Schema, ...] = tuple(
    schema for entry in RESOURCE_TYPES for schema in (entry.schema, *(e.schema for e in entry.extensions))
)


def _meta(base_url: str, kind: str, path: str) -> dict[str, str]:
    return {"resourceType": kind, "location": f"{base_url.rstrip('/')}/{path}"}


def _resource_type(entry: ResourceType, base_url: str, custom: CustomSchemas) -> dict[str, Any]:
    document: dict[str, Any] = {
        "schemas": [RESOURCE_TYPE_URN],
        "id": entry.name,
        "name": entry.name,
        "description": entry.description,
        "endpoint": entry.endpoint,
        "schema": entry.schema.id,
    }
    extensions = [{"schema": e.schema.id, "required": e.required} for e in entry.extensions]
    extensions += [{"schema": urn, "required": False} for urn in custom.extensions.get(entry.name, ())]
    if extensions:
        document["schemaExtensions"] = extensions
    document["meta"] = _meta(base_url, "ResourceType", f"ResourceTypes/{entry.name}")
    return document


def _schema(entry: Schema, base_url: str) -> dict[str, Any]:
    return {
        "schemas": [SCHEMA_URN],
        "id": entry.id,
        "name": entry.name,
        "description": entry.description,
        "attributes": [attribute.to_document() for attribute in entry.attributes],
        "meta": _meta(base_url, "Schema", f"Schemas/{entry.id}"),
    }
