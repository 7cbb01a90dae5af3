"""ServiceProviderConfigs and Schemas of SCIM 1.1 (core schema sections 9 and 10) from the documents of 2.0."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from service.scim.discovery import list_response
from service.scim.schema import CORE_GROUP_URN, CORE_USER_URN, ENTERPRISE_USER_URN
from service.scim.schema_user import COMMON_ATTRIBUTES
from service.scim.v1 import CORE_URN, ENTERPRISE_URN

OKTA_CONFIG_URN: Final = "urn:okta:schemas:scim:providerconfig:1.0"
OKTA_CAPABILITIES: Final = (
    "GROUP_PUSH",
    "IMPORT_NEW_USERS",
    "IMPORT_PROFILE_UPDATES",
    "PUSH_NEW_USERS",
    "PUSH_PENDING_USERS",
    "PUSH_PROFILE_UPDATES",
    "PUSH_USER_DEACTIVATION",
    "REACTIVATE_USERS",
)
"""What Okta's on-premises agent may do (OK-OPP). Not PUSH_PASSWORD_UPDATES: passwords are discarded."""

_FEATURES: Final = ("patch", "filter", "changePassword", "sort", "etag")
_TYPES: Final = {"reference": "string"}
# Names of one value, where they are not the name of the attribute without its last letter.
_CHILD_NAMES: Final = {"addresses": "address"}
_COMMON: Final = tuple(
    attribute.to_document() for attribute in COMMON_ATTRIBUTES if attribute.name in {"id", "externalId"}
)


def config(service_provider_config: Mapping[str, Any]) -> dict[str, Any]:
    """``/ServiceProviderConfigs`` from the ServiceProviderConfig of 2.0. Bulk and XML are not offered."""
    document: dict[str, Any] = {"schemas": [CORE_URN, OKTA_CONFIG_URN]}
    if "documentationUri" in service_provider_config:
        document["documentationUrl"] = service_provider_config["documentationUri"]
    document |= {name: service_provider_config[name] for name in _FEATURES}
    document["bulk"] = {"supported": False, "maxOperations": 0, "maxPayloadSize": 0}
    document["xmlDataFormat"] = {"supported": False}
    document["authenticationSchemes"] = [
        {"specUrl" if name == "specUri" else name: value for name, value in scheme.items()}
        for scheme in service_provider_config["authenticationSchemes"]
    ]
    document[OKTA_CONFIG_URN] = {"userManagementCapabilities": list(OKTA_CAPABILITIES)}
    location = service_provider_config["meta"]["location"]
    document["meta"] = {"location": f"{location}s"}
    return document


def schemas(documents: Iterable[Mapping[str, Any]], base_url: str) -> list[dict[str, Any]]:
    """The schemas of 1.1 from those of 2.0: one for each resource, extensions of a directory's own behind them."""
    known = {document["id"]: document for document in documents}
    enterprise = _attributes(known.pop(ENTERPRISE_USER_URN, {}), ENTERPRISE_URN)
    user = _schema("User", known.pop(CORE_USER_URN), base_url, enterprise)
    group = _schema("Group", known.pop(CORE_GROUP_URN), base_url, [])
    return [user, group, *(_extension(document, base_url) for document in known.values())]


def schema(name: str, documents: Iterable[Mapping[str, Any]], base_url: str) -> dict[str, Any] | None:
    """``/Schemas/{name}``: ``Users``, ``User`` or the schema's URN, in any case; None if there is none."""
    wanted = name.lower()
    for document in schemas(documents, base_url):
        names = {document["id"], document["name"], document.get("endpoint", "/").removeprefix("/")} - {""}
        if wanted in {known.lower() for known in names}:
            return document
    return None


def schemas_list(documents: Iterable[Mapping[str, Any]], base_url: str) -> dict[str, Any]:
    """``/Schemas``."""
    found = schemas(documents, base_url)
    return {**list_response(found, len(found), 1, len(found)), "schemas": [CORE_URN]}


def _schema(name: str, document: Mapping[str, Any], base_url: str, extension: list[dict[str, Any]]) -> dict[str, Any]:
    common = [_attribute(attribute) | {"schema": CORE_URN} for attribute in _COMMON]
    return {
        "schemas": [CORE_URN],
        "id": f"{CORE_URN}:{name}",
        "name": name,
        "description": document["description"],
        "schema": CORE_URN,
        "endpoint": f"/{name}s",
        "attributes": [*common, *_attributes(document, CORE_URN), *extension],
        "meta": {"location": f"{base_url.rstrip('/')}/Schemas/{name}s"},
    }


def _extension(document: Mapping[str, Any], base_url: str) -> dict[str, Any]:
    urn = document["id"]
    return {
        "schemas": [CORE_URN],
        "id": urn,
        "name": document["name"],
        "description": document["description"],
        "schema": urn,
        "attributes": _attributes(document, urn),
        "meta": {"location": f"{base_url.rstrip('/')}/Schemas/{urn}"},
    }


def _attributes(document: Mapping[str, Any], urn: str) -> list[dict[str, Any]]:
    return [_attribute(attribute) | {"schema": urn} for attribute in document.get("attributes", ())]


def _attribute(attribute: Mapping[str, Any]) -> dict[str, Any]:
    """An attribute definition; those of sub-attributes carry no schema. 1.1 has no ``$ref`` in multi-valued ones."""
    name, multi_valued = attribute["name"], attribute["multiValued"]
    document: dict[str, Any] = {
        "name": name,
        "type": _TYPES.get(attribute["type"], attribute["type"]),
        "multiValued": multi_valued,
        "description": attribute["description"],
        "readOnly": attribute["mutability"] == "readOnly",
        "required": attribute["required"],
        "caseExact": attribute.get("caseExact", False),
    }
    if multi_valued:
        document["multiValuedAttributeChildName"] = _CHILD_NAMES.get(name, name.removesuffix("s"))
    if "canonicalValues" in attribute:
        document["canonicalValues"] = attribute["canonicalValues"]
    if "subAttributes" in attribute:
        subs = [sub for sub in attribute["subAttributes"] if not (multi_valued and sub["name"] == "$ref")]
        document["subAttributes"] = [_attribute(sub) for sub in subs]
        if name == "manager":
            document["subAttributes"] = [
                sub | {"name": "managerId"} if sub["name"] == "value" else sub for sub in document["subAttributes"]
            ]
    return document
