"""The words of SCIM that the mutators put into inputs."""

from service.scim import v1
from service.scim.schema import CORE_GROUP_URN, CORE_USER_URN, ENTERPRISE_USER_URN

NAMES = (
    *("id", "schemas", "meta", "externalId", "userName", "displayName", "nickName", "title", "active", "password"),
    *("name", "name.givenName", "name.formatted", "emails", "emails.value", "phoneNumbers", "addresses", "roles"),
    *("entitlements", "x509Certificates", "photos", "ims", "groups", "members", "members.value", "manager", "USERNAME"),
    *("value", "type", "primary", "display", "$ref", "givenName", "familyName", "streetAddress", "department"),
    *("employeeNumber", "meta.created", "meta.lastModified", "meta.location", "meta.version", "meta.attributes"),
    *("favourite", "favourite.colour", "urn:x:Custom", "urn:x:Custom:Badge", "urn:okta:custom:group:1.0", "a.b.c", ""),
    *(ENTERPRISE_USER_URN, f"{ENTERPRISE_USER_URN}:manager", f"{ENTERPRISE_USER_URN}:manager.value", CORE_USER_URN),
    *(f"{CORE_USER_URN}:userName", CORE_GROUP_URN, v1.CORE_URN, v1.ENTERPRISE_URN, f"{v1.ENTERPRISE_URN}:department"),
    *("operation", "attributes", "managerId", "Operations", "op", "path", "document", "resource", "method", "bulkId"),
    *("data", "version", "failOnErrors", "filter", "sortBy", "sortOrder", "startIndex", "count", "cursor"),
    *("excludedAttributes", 'emails[type eq "work"]', 'emails[type eq "work"].value', 'members[value eq "a"]'),
    *("emails[not (value pr)].type", "emails[primary eq true]", 'roles[value eq "x" and type eq "y"].display'),
    *('name[givenName eq "Ada"].familyName', 'foo[a eq "b"].c', "emails[0].value", "/Users", "/Groups/a"),
)
TOKENS = (
    *NAMES,
    *(" ", ".", ":", "[", "]", "(", ")", '"', "\\", ",", "{", "}", " eq ", " ne ", " co ", " sw ", " ew ", " gt "),
    *(" ge ", " lt ", " le ", " pr", " and ", " or ", "not (", "not ", "true", "false", "null", '"True"', '"work"'),
    *("0", "-1", "1e99", "1.5", "9999999999999999999", '"2026-01-31T08:30:00Z"', '"2026-01-31"', '""', '"a\\u0000b"'),
    *('"\\ud800"', '"ada@example.com"', "'", "ß", "\u0301", "\ufb03", "İ", "\0", "\n", "𝒳", "\u202e"),
)
SCALARS: tuple[object, ...] = (
    *(None, True, False, 0, 1, -1, 2.5, 1e308, 10**18, 2**63, "", " ", "x", "work", "True", "False", "true", "0"),
    *("ada@example.com", "admin", "2026-01-31T08:30:00Z", "a", "b", "user_1", "bulkId:q", "bulkId:", "User", "group"),
    *('{"value":"Admin","displayName":"A"}', "[1]", '["a","b"]', "{", "\0", "\ud800", "ß", "e\u0301", "\u0301" * 3),
    *("add", "Replace", "REMOVE", "delete", "POST", "put", "PATCH", "DELETE", "not base64!", "https://h/Users/a"),
)
