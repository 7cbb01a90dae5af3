from typing import Any

import pytest
from scim2_models import ListResponse, ServiceProviderConfig
from scim2_models import ResourceType as ResourceTypeModel
from scim2_models import Schema as SchemaModel

from service.scim import discovery
from service.scim.schema import CORE_USER_URN
from service.scim.schema import ENTERPRISE_USER_URN as ENT

BASE = "https://host/scim/v2/key"


def config(**more: Any) -> dict[str, Any]:
    return discovery.service_provider_config(BASE, max_operations=1000, max_payload=2_000_000, max_results=500, **more)


def holds_null(value: Any) -> bool:
    if isinstance(value, dict):
        return any(holds_null(inner) for inner in value.values())
    return any(holds_null(inner) for inner in value) if isinstance(value, list) else value is None


def test_the_service_provider_config() -> None:
    document = config(bulk=False, documentation_uri="https://docs")
    assert document["bulk"] == {"supported": False, "maxOperations": 1000, "maxPayloadSize": 2_000_000}
    assert document["filter"] == {"supported": True, "maxResults": 500}
    assert document["patch"] == {"supported": True}
    assert document["authenticationSchemes"][0]["type"] == "oauthbearertoken"
    assert document["documentationUri"] == "https://docs"
    assert document["meta"]["location"] == f"{BASE}/ServiceProviderConfig"
    assert config(cursor=True)["pagination"]["cursor"] is True


def test_s01_documents_validate_and_hold_no_null() -> None:
    ServiceProviderConfig.model_validate(config())
    for document in discovery.resource_types(BASE):
        ResourceTypeModel.model_validate(document)
        assert document["meta"]["location"] == f"{BASE}/ResourceTypes/{document['id']}"
    for document in discovery.schemas(BASE):
        SchemaModel.model_validate(document)
        assert document["meta"]["location"] == f"{BASE}/Schemas/{document['id']}"
    assert not holds_null([config(), *discovery.resource_types(BASE), *discovery.schemas(BASE)])


def test_o18_only_what_exists_is_listed() -> None:
    assert [document["endpoint"] for document in discovery.resource_types(BASE)] == ["/Users", "/Groups"]
    assert discovery.resource_types(BASE)[0]["schemaExtensions"] == [{"schema": ENT, "required": False}]


@pytest.mark.parametrize("urn", [CORE_USER_URN, CORE_USER_URN.upper()])
def test_c01_single_lookups(urn: str) -> None:
    document = discovery.schema(urn, BASE)
    assert document is not None
    assert document["id"] == CORE_USER_URN
    kind = discovery.resource_type("user", BASE)
    assert kind is not None
    assert kind["schema"] == CORE_USER_URN
    assert discovery.schema("urn:none", BASE) is None
    assert discovery.resource_type("None", BASE) is None


def test_a_list_response() -> None:
    page = discovery.list_response([{"id": "1"}], 7, 3, 1)
    assert (page["totalResults"], page["startIndex"], page["itemsPerPage"]) == (7, 3, 1)
    assert page["Resources"] == [{"id": "1"}]
    assert "nextCursor" not in page
    ListResponse[SchemaModel].model_validate(discovery.list_response(discovery.schemas(BASE), 3, 1, 3))


def test_a_list_response_by_cursor() -> None:
    page = discovery.list_response([], 7, None, 0, next_cursor="n", previous_cursor="p")
    assert (page["nextCursor"], page["previousCursor"]) == ("n", "p")
    assert "startIndex" not in page
