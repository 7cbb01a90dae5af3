from scim2_models import Schema as SchemaModel

from service.scim import discovery
from service.scim.custom_schemas import MAX_ATTRIBUTES, MAX_SCHEMAS, Seen, infer

URN = "urn:acme:custom:2.0:User"
BASE = "https://host/scim/v2/key"


def test_types_follow_from_what_was_seen() -> None:
    custom = infer(
        [
            Seen("User", URN, "badge", "string"),
            Seen("User", URN, "Badge", ""),
            Seen("User", URN, "floor", "integer"),
            Seen("User", URN, "load", "integer"),
            Seen("User", URN, "load", "decimal"),
            Seen("User", URN, "remote", "boolean"),
            Seen("User", URN, "odd", "boolean"),
            Seen("User", URN, "odd", "string"),
            Seen("User", URN, "tags", "string", multi=True),
            Seen("User", URN, "nothing", "", multi=True),
            Seen("User", URN, "desks", "object", multi=True, sub="room", sub_type="string"),
            Seen("User", URN, "desks", "object", multi=True, sub="seats", sub_type="integer", sub_multi=True),
        ]
    )
    (schema,) = custom.schemas
    shown = {
        a.name: (a.type, a.multi_valued, [(s.name, s.type, s.multi_valued) for s in a.sub_attributes])
        for a in schema.attributes
    }
    assert shown == {
        "badge": ("string", False, []),
        "floor": ("integer", False, []),
        "load": ("decimal", False, []),
        "remote": ("boolean", False, []),
        "odd": ("string", False, []),
        "tags": ("string", True, []),
        "nothing": ("string", True, []),
        "desks": ("complex", True, [("room", "string", False), ("seats", "integer", True)]),
    }


def test_a_schema_is_shown_once_and_named_by_the_types_that_bear_it() -> None:
    custom = infer([Seen("User", URN, "a", "string"), Seen("Group", URN.upper(), "b", "string")])
    assert [(schema.id, [a.name for a in schema.attributes]) for schema in custom.schemas] == [(URN, ["a", "b"])]
    documents = discovery.schemas(BASE, custom)
    for document in documents:
        SchemaModel.model_validate(document)
    assert [document["id"] for document in documents].count(URN) == 1
    for kind in discovery.resource_types(BASE, custom):
        assert {"schema": URN, "required": False} in kind["schemaExtensions"]
    assert discovery.schema(URN.upper(), BASE, custom) == documents[-1]
    assert discovery.schema(URN, BASE) is None


def test_a_known_schema_on_another_type_is_not_defined_anew() -> None:
    enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    custom = infer([Seen("Group", enterprise, "department", "integer")])
    assert [document["id"] for document in discovery.schemas(BASE, custom)].count(enterprise) == 1
    group = discovery.resource_type("Group", BASE, custom)
    assert group is not None
    assert group["schemaExtensions"] == [{"schema": enterprise, "required": False}]


def test_what_is_shown_is_bounded() -> None:
    many = [Seen("User", f"urn:x:{n}", "a", "string") for n in range(MAX_SCHEMAS + 5)]
    wide = [Seen("User", "urn:x:0", f"a{n}", "object", sub=f"s{n}") for n in range(MAX_ATTRIBUTES + 5)]
    custom = infer([*many, *wide, Seen("User", "urn:has a space", "a", "string")])
    assert len(custom.schemas) == MAX_SCHEMAS
    assert len(custom.schemas[0].attributes) == MAX_ATTRIBUTES
