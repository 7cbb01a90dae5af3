"""The User schema, its enterprise extension and the attributes of every resource.

RFC 7643 sections 3.1, 4.1, 4.3 and 8.7.1.
"""

from service.scim.attributes import Attribute, Schema

CORE_USER_URN = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE_USER_URN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


def _meta(name: str, kind: str, description: str, *, references: tuple[str, ...] = ()) -> Attribute:
    exact = kind != "dateTime"
    return Attribute(
        name, kind, case_exact=exact, mutability="readOnly", reference_types=references, description=description
    )


COMMON_ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute(
        "schemas", "reference", multi_valued=True, required=True, case_exact=True, returned="always",
        reference_types=("uri",), description="The URNs of the schemas whose attributes the resource carries.",
    ),
    Attribute(
        "id", case_exact=True, mutability="readOnly", returned="always", uniqueness="server",
        description="The identifier this service gave the resource. It never changes and is never used twice.",
    ),
    Attribute("externalId", case_exact=True, description="The identifier the provider gave the resource."),
    Attribute(
        "meta", "complex", mutability="readOnly", description="What this service knows about the resource.",
        sub_attributes=(
            _meta("resourceType", "string", "The name of the resource type."),
            _meta("created", "dateTime", "When the resource was created."),
            _meta("lastModified", "dateTime", "When the resource last changed."),
            _meta("location", "reference", "The URI of the resource.", references=("uri",)),
            _meta("version", "string", "The version of the resource, as in its ETag."),
        ),
    ),
)  # fmt: skip


def _text(name: str, description: str) -> Attribute:
    return Attribute(name, description=description)


def _plural(name: str, of: str, value: Attribute, types: tuple[str, ...] = (), *, display: str = "") -> Attribute:
    """A multi-valued attribute with the default sub-attributes of RFC 7643 section 2.4."""
    return Attribute(
        name, "complex", multi_valued=True, description=f"The {of} of the user.",
        sub_attributes=(
            value,
            Attribute("display", aliases=(display,) if display else (), description="A name to show for the value."),
            Attribute("type", canonical_values=types, description="What the value is for."),
            Attribute("primary", "boolean", description="Whether this is the preferred value; true once at most."),
        ),
    )  # fmt: skip


def _external(name: str, description: str) -> Attribute:
    return Attribute(name, "reference", case_exact=True, reference_types=("external",), description=description)


NAME = Attribute(
    "name", "complex", description="The parts of the user's name.",
    sub_attributes=(
        _text("formatted", "The whole name as it should be shown."),
        _text("familyName", "The family name, or last name."),
        _text("givenName", "The given name, or first name."),
        _text("middleName", "The middle name or names."),
        _text("honorificPrefix", "What stands before the name, such as a title."),
        _text("honorificSuffix", "What stands behind the name, such as a generation."),
    ),
)  # fmt: skip

ADDRESSES = Attribute(
    "addresses", "complex", multi_valued=True, description="The postal addresses of the user.",
    sub_attributes=(
        _text("formatted", "The whole address as it should be shown; lines are separated by newlines."),
        _text("streetAddress", "Street, house number, post office box."),
        _text("locality", "The city or place."),
        _text("region", "The state or region."),
        _text("postalCode", "The postal code."),
        _text("country", "The country, as an ISO 3166-1 alpha-2 code."),
        Attribute("type", canonical_values=("work", "home", "other"), description="What the address is for."),
        Attribute("primary", "boolean", description="Whether this is the preferred address; true once at most."),
    ),
)  # fmt: skip

GROUPS = Attribute(
    "groups", "complex", multi_valued=True, mutability="readOnly",
    description="The groups the user belongs to. Changed through the group, never here.",
    sub_attributes=(
        Attribute("value", case_exact=True, mutability="readOnly", description="The id of the group."),
        Attribute(
            "$ref", "reference", case_exact=True, mutability="readOnly", reference_types=("User", "Group"),
            description="The URI of the group.",
        ),
        Attribute("display", mutability="readOnly", description="The name of the group."),
        Attribute(
            "type", mutability="readOnly", canonical_values=("direct", "indirect"),
            description="Whether the user is a member itself or through another group.",
        ),
    ),
)  # fmt: skip

USER_SCHEMA = Schema(
    CORE_USER_URN,
    "User",
    "User Account",
    (
        Attribute(
            "userName", required=True, uniqueness="server",
            description="The name the user signs in with. Unique in the directory without regard to case.",
        ),
        NAME,
        _text("displayName", "The name to show for the user."),
        _text("nickName", "How the user is called casually."),
        _external("profileUrl", "The URI of a page about the user."),
        _text("title", "The user's job title."),
        _text("userType", "The relation of the user to the organization, such as Employee or Contractor."),
        _text("preferredLanguage", "The preferred language, as in the HTTP Accept-Language header."),
        _text("locale", "The default location for language, currency and dates, such as en-US."),
        _text("timezone", "The time zone, as in the IANA database, such as Europe/Berlin."),
        Attribute("active", "boolean", description="Whether the user may use the application."),
        Attribute(
            "password", case_exact=True, mutability="writeOnly", returned="never",
            description="Accepted and discarded: passwords are never stored.",
        ),
        _plural("emails", "e-mail addresses", _text("value", "The e-mail address."), ("work", "home", "other")),
        _plural(
            "phoneNumbers", "telephone numbers", _text("value", "The telephone number."),
            ("work", "home", "mobile", "fax", "pager", "other"),
        ),
        _plural(
            "ims", "instant messaging addresses", _text("value", "The instant messaging address."),
            ("aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"),
        ),
        _plural("photos", "photographs", _external("value", "The URI of the photograph."), ("photo", "thumbnail")),
        ADDRESSES,
        GROUPS,
        _plural("entitlements", "entitlements", _text("value", "The entitlement.")),
        # Microsoft Entra ID says displayName for the display of a role (customize-application-attributes.md).
        _plural("roles", "roles", _text("value", "The role."), display="displayName"),
        _plural(
            "x509Certificates", "certificates",
            Attribute("value", "binary", case_exact=True, description="A DER certificate in base64."),
        ),
    ),
)  # fmt: skip

MANAGER = Attribute(
    "manager", "complex", description="The user's manager.",
    sub_attributes=(
        # OneLogin's templates use the SCIM 1.1 name managerId.
        Attribute("value", aliases=("managerId",), description="The id of the user who is the manager."),
        Attribute(
            "$ref", "reference", case_exact=True, reference_types=("User",), description="The URI of the manager.",
        ),
        Attribute("displayName", mutability="readOnly", description="The name of the manager."),
    ),
)  # fmt: skip

ENTERPRISE_USER = Schema(
    ENTERPRISE_USER_URN,
    "EnterpriseUser",
    "Enterprise User",
    (
        _text("employeeNumber", "The number or code the organization gave the user."),
        _text("costCenter", "The name of a cost center."),
        _text("organization", "The name of an organization."),
        _text("division", "The name of a division."),
        _text("department", "The name of a department."),
        MANAGER,
    ),
)
