"""What the property tests of the SCIM engine draw from: plausible and hostile JSON, filters, documents."""

from typing import Any

from hypothesis import strategies as st

from service.scim.filter_ast import all_of, any_of
from service.scim.filters import AttrPath, Compare, Filter, Not, Present, ValuePath
from service.scim.schema import ENTERPRISE_USER_URN

URN = ENTERPRISE_USER_URN
STRINGS = ["name", "displayName", "title", "nickName", "userName", "externalId", "locale"]
LISTS = ["emails", "phoneNumbers", "addresses", "roles", "photos", "ims", "entitlements", "x509Certificates"]

odd_strings = st.sampled_from(
    [
        "",
        " ",
        "True",
        "false",
        "work",
        "WORK",
        "home",
        '{"value":"Admin","displayName":"A"}',
        "[1]",
        "{",
        "\0",
        "\ud800",
        "ß",
    ]
)
texts = st.text(max_size=8) | odd_strings
words = st.sampled_from(["a", "A", "b", "ab", "Ba", "work", "home", "x@y.z", 'q"\\', "é", "1"])
scalars = st.none() | st.booleans() | st.integers(-10, 10**30) | st.floats() | texts
names = st.sampled_from(
    [
        *STRINGS,
        *LISTS,
        "USERNAME",
        "active",
        "value",
        "type",
        "primary",
        "display",
        "displayName",
        "$ref",
        "members",
        "id",
        "meta",
        "groups",
        "password",
        "schemas",
        "manager",
        "managerId",
        "name.givenName",
        "emails.value",
        "department",
        URN,
        URN.upper(),
        f"{URN}:department",
        f"{URN}:manager.value",
        "urn:okta:custom:group:1.0",
        "urn:x:y",
        "foo",
        "foo.bar",
        'emails[type eq "work"].value',
        "externalId",
        "",
    ]
) | st.text(max_size=6)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=5), max_leaves=15
)
bodies = values | st.dictionaries(names, values, max_size=8).map(
    lambda body: {"userName": "ada", "displayName": "g", **body}
)
paths = st.sampled_from(
    [
        None,
        "userName",
        "displayName",
        "title",
        "active",
        "name",
        "name.givenName",
        "Name.FamilyName",
        "emails",
        "roles",
        "emails.value",
        "emails.primary",
        'emails[type eq "work"]',
        'emails[type eq "work"].value',
        "manager",
        URN,
        f"{URN}:manager",
        f"{URN}:manager.value",
        f"{URN}:department",
        'emails[primary eq "True"].display',
        "foo",
        "foo.bar",
        'foo[a eq "b"].c',
        "urn:x:y:z",
        "urn:okta:custom:group:1.0",
        'roles[value co "A"]',
        "emails[not (value pr)].type",
        'name[givenName eq "a"].familyName',
        "addresses",
        'addresses[type eq "work" and country eq "DE"].locality',
        "members",
        'members[value eq "a" or value eq "b"]',
        'members[type eq "Group"]',
        "members.value",
        "emails[0].value",
        "id",
        "meta.version",
    ]
) | st.text(max_size=10)
operations = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "Replace", "REMOVE", "remove", "add"])}, optional={"path": paths, "value": values}
)
patches = st.fixed_dictionaries({"Operations": st.lists(operations, min_size=1, max_size=4)})

person_values = st.fixed_dictionaries(
    {"value": words},
    optional={"type": st.sampled_from(["work", "home", "other"]), "display": words, "primary": st.booleans()},
)
documents: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"userName": words},
    optional={
        "displayName": words,
        "title": words,
        "externalId": words,
        "active": st.booleans(),
        "name": st.fixed_dictionaries({}, optional={"givenName": words, "familyName": words}).filter(bool),
        "emails": st.lists(person_values, min_size=1, max_size=4),
        "foo": st.dictionaries(words, words, max_size=2) | st.lists(words, max_size=2),
        "urn:X:y": st.dictionaries(words, words, max_size=2),
        URN: st.fixed_dictionaries(
            {"department": words}, optional={"manager": st.fixed_dictionaries({"value": words})}
        ),
    },
)

text_paths = st.sampled_from(
    [
        AttrPath(None, "userName"),
        AttrPath(None, "externalId"),
        AttrPath(None, "name", "givenName"),
        AttrPath(None, "emails", "value"),
        AttrPath(None, "emails", "type"),
        AttrPath(URN, "department"),
        AttrPath(URN, "manager", "value"),
        AttrPath("urn:x:y", "foo", "bar"),
    ]
)
text_ops = st.sampled_from(["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"])
comparisons: st.SearchStrategy[Filter] = (
    st.builds(
        Compare,
        text_paths,
        text_ops,
        words | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6),
    )
    | st.builds(Compare, st.just(AttrPath(None, "active")), st.sampled_from(["eq", "ne"]), st.booleans() | st.none())
    | st.builds(Present, text_paths | st.just(AttrPath(None, "emails")))
)
inner_paths = st.sampled_from([AttrPath(None, "value"), AttrPath(None, "type"), AttrPath(None, "display")])
inner_comparisons: st.SearchStrategy[Filter] = st.builds(Compare, inner_paths, text_ops, words) | st.builds(
    Present, inner_paths
)


def combined(leaves: st.SearchStrategy[Filter], size: int) -> st.SearchStrategy[Filter]:
    """Filters in normal form over the given leaves."""
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, min_size=2, max_size=3).map(all_of)
            | st.lists(inner, min_size=2, max_size=3).map(any_of)
            | inner.map(Not)
        ),
        max_leaves=size,
    )


value_paths: st.SearchStrategy[Filter] = st.builds(
    ValuePath, st.just(AttrPath(None, "emails")), combined(inner_comparisons, 4)
)
filters = combined(comparisons | value_paths, 6)

fragments = st.lists(
    st.sampled_from(
        [
            "userName",
            "emails",
            "[",
            "]",
            "(",
            ")",
            "eq",
            "pr",
            "and",
            "or",
            "not",
            '"x"',
            '"',
            "\\",
            "type",
            ".value",
            "1",
            "true",
            "null",
            "urn:x:y:z",
            f"{URN}:manager",
            "manager",
            "meta.created",
            "active",
            '"True"',
            "co",
            "gt",
            "\0",
            "ß",
            " ",
            "'",
        ]
    ),
    max_size=12,
).map(" ".join) | st.text(max_size=20)
