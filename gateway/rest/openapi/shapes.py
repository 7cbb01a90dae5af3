"""The words of JSON Schema that the description is made of."""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]


def text(description: str = "", **words: Any) -> Schema:
    """A text."""
    return _described({"type": "string", **words}, description)


def time(description: str = "") -> Schema:
    """A time in UTC with milliseconds."""
    return text(description, format="date-time", examples=["2026-01-15T12:00:00.000Z"])


def number(description: str = "", **words: Any) -> Schema:
    """A whole number."""
    return _described({"type": "integer", **words}, description)


def flag(description: str = "") -> Schema:
    """true or false."""
    return _described({"type": "boolean"}, description)


def choice(*values: str, description: str = "") -> Schema:
    """One of some texts."""
    return text(description, enum=list(values))


def constant(value: str) -> Schema:
    """Always this text."""
    return {"type": "string", "const": value}


def array(items: Schema, description: str = "", **words: Any) -> Schema:
    """A list."""
    return _described({"type": "array", "items": items, **words}, description)


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    if "type" not in schema or "enum" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


def anything(description: str = "") -> Schema:
    """An object of any keys."""
    return _described({"type": "object", "additionalProperties": True}, description)


def ref(name: str) -> Schema:
    """A schema of the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def entity(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None, **words: Any) -> Schema:
    """An object. Keys beyond these may come."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        **words,
    }


def listing(of: str) -> Schema:
    """A page of a list."""
    return entity({"object": constant("list"), "data": array(ref(of)), "list_metadata": ref("ListMetadata")})


def _described(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description} if description else schema
