"""A filter (RFC 7644 section 3.4.2.2) as the condition of a WHERE clause. Means exactly what service.scim.match means.

Conditions may be NULL where they do not hold, so that indexes serve them; negations take NULL for false.
"""

from dataclasses import replace
from decimal import Decimal

from service.scim.attribute_paths import Resolved, resolve
from service.scim.errors import InvalidFilter
from service.scim.filter_ast import And, AttrPath, Compare, Filter, Literals, Not, Or, Present, ValuePath
from service.scim.filters import parse_date_time
from service.scim.keys import fold
from service.scim.schema import USER, ResourceType
from service.storage import resource_columns as columns
from service.storage import sql_text as sql
from service.storage.resource_columns import Column, column_of
from service.storage.sql_text import Parameters

_SETS = {"schemas", "groups", "members"}
_VALUE = AttrPath(None, "value")
_EMAILS, _ADDRESS = AttrPath(None, "emails"), AttrPath(None, "emails", "value")
_SELECTIVE = {"emails.value", "members.value"}


class FilterCompiler:
    """Compiles filters on one type of resource; `parameters` collects what the conditions name."""

    def __init__(self, resource_type: ResourceType, base_url: str, parameters: Parameters) -> None:
        self._type = resource_type
        self._base_url = base_url.rstrip("/")
        self._parameters = parameters

    def condition(self, expression: Filter) -> str:
        """A boolean expression over the row `u`."""
        if isinstance(expression, And):
            return "(" + " AND ".join([self.condition(term) for term in expression.terms]) + ")"
        if isinstance(expression, Or):
            return "(" + " OR ".join([self.condition(term) for term in expression.terms]) + ")"
        if isinstance(expression, Not):
            return f"({self.condition(expression.term)}) IS NOT TRUE"
        if isinstance(expression, ValuePath):
            return self._value_path(expression)
        if isinstance(expression, Present):
            return self._present(expression.path)
        return self._compare(expression)

    def _compare(self, term: Compare) -> str:
        if term.value is None:
            present = self._present(term.path)
            return present if term.op == "ne" else f"({present}) IS NOT TRUE"
        if term.op == "ne":
            return f"({self._compare(replace(term, op='eq'))}) IS NOT TRUE"
        column = self._column(term.path)
        if column is not None:
            return self._column_holds(column, term.op, term.value)
        resolved = resolve(term.path, self._type)
        if not _exists(term.path, resolved):
            return "false"
        quick = self._quick(term)
        if quick is not None and term.path.name != "emails":
            return quick
        holds = self._document_holds(term, resolved)
        return holds if quick is None else f"({quick} AND {holds})"

    def _document_holds(self, term: Compare, resolved: Resolved) -> str:
        source, value = self._values(term.path)
        holds = f"EXISTS (SELECT FROM {source} WHERE {self._value_holds(value, term.op, term.value, resolved)})"
        if resolved.multi_valued or resolved.attribute is None or self._is_set(term.path):
            return holds
        # One value is the rule; looking for more costs several times as much.
        holder = single = self._document_value(term.path)
        if term.path.sub is not None:
            sub = self._parameters.add(term.path.sub, "text")
            single = sql.plain_or_member(holder, sub, term.path.sub, known=True)
        several = " OR ".join([f"jsonb_typeof({value}) = 'array'" for value in dict.fromkeys((holder, single))])
        return f"CASE WHEN {several} THEN {holds} ELSE {self._value_holds(single, term.op, term.value, resolved)} END"

    def _present(self, path: AttrPath) -> str:
        column = self._column(path)
        if column is not None and column.whole:
            return f"{column.expression} <> ''" if column.kind != "time" else "true"
        if path.urn is None and path.name == "meta" and path.sub is None:
            return "true"
        if not _exists(path, resolve(path, self._type)):
            return "false"
        if path.sub is None and not self._is_set(path):
            return f"coalesce({sql.present(self._document_value(path))}, false)"
        source, value = self._values(path)
        return f"EXISTS (SELECT FROM {source} WHERE {sql.present(value)})"

    def _value_path(self, expression: ValuePath) -> str:
        path, inner = expression.path, expression.filter
        if path.urn is None and path.name == "meta":
            return self.condition(_under(inner, "meta"))
        if isinstance(inner, Compare) and inner.op != "ne" and inner.value is not None:
            # One comparison on one of the values: the same as without brackets.
            return self._compare(replace(inner, path=AttrPath(path.urn, path.name, inner.path.name)))
        resolved = resolve(path, self._type)
        if not _exists(path, resolved):
            return "false"
        quick = [self._quick(replace(term, path=AttrPath(path.urn, path.name, "value"))) for term in _required(inner)]
        element = "SELECT CASE WHEN jsonb_typeof(r.j) = 'object' THEN r.j ELSE jsonb_build_object('value', r.j) END"
        source = f"{self._elements(path, inner)} AS r(j), LATERAL ({element}) AS e(j)"
        holds = f"EXISTS (SELECT FROM {source} WHERE {self._inner(inner, path)})"
        return "(" + " AND ".join([*(term for term in quick if term is not None), holds]) + ")"

    def _inner(self, expression: Filter, within: AttrPath) -> str:
        """The condition that one element `e` has to meet."""
        if isinstance(expression, And):
            return "(" + " AND ".join([self._inner(term, within) for term in expression.terms]) + ")"
        if isinstance(expression, Or):
            return "(" + " OR ".join([self._inner(term, within) for term in expression.terms]) + ")"
        if isinstance(expression, Not):
            return f"({self._inner(expression.term, within)}) IS NOT TRUE"
        if isinstance(expression, ValuePath):
            return "false"
        resolved = resolve(expression.path, self._type, within)
        name = self._parameters.add(expression.path.name, "text")
        value = sql.member("e.j", name, known=resolved.attribute is not None)
        if isinstance(expression, Present):
            return sql.present(value)
        if expression.value is None:
            return f"({sql.present(value)}) IS NOT TRUE" if expression.op == "eq" else sql.present(value)
        op = "eq" if expression.op == "ne" else expression.op
        holds = f"EXISTS (SELECT FROM {sql.elements(value)} AS v(j) WHERE "
        holds += self._value_holds("v.j", op, expression.value, resolved) + ")"
        return f"({holds}) IS NOT TRUE" if expression.op == "ne" else holds

    def _value_holds(self, value: str, op: str, wanted: Literals, resolved: Resolved) -> str:
        if resolved.type == "dateTime":
            raise InvalidFilter("a time other than meta.created and meta.lastModified cannot be filtered by")
        if isinstance(wanted, bool):
            return f"{value} = to_jsonb({self._parameters.add(wanted, 'boolean')})" if op == "eq" else "false"
        if isinstance(wanted, str):
            text = sql.text_of(value)
            if resolved.case_exact:
                holds = sql.text_holds(sql.exact(text), op, self._parameters.add(wanted, "text"))
            else:
                holds = sql.text_holds(sql.folded(text), op, self._parameters.add(fold(wanted), "text"))
            return f"(jsonb_typeof({value}) = 'string' AND {holds})"
        if op not in {"eq", "gt", "ge", "lt", "le"}:
            return "false"
        number = self._parameters.add(Decimal(repr(wanted)), "numeric")
        return f"CASE WHEN jsonb_typeof({value}) = 'number' THEN {sql.ordered(f'({value})::numeric', op, number)} END"

    def _column_holds(self, column: Column, op: str, wanted: Literals) -> str:
        if not isinstance(wanted, str):
            return "false"
        if column.kind == "time":
            return sql.ordered(column.expression, op, self._parameters.add(parse_date_time(wanted), "timestamptz"))
        key = fold(wanted) if column.kind == "key" else wanted
        expression = column.expression if column.indexed else sql.exact(column.expression)
        return sql.text_holds(expression, op, self._parameters.add(key, "text"))

    def _column(self, path: AttrPath) -> Column | None:
        if path.urn is None and path.name == "meta" and path.sub == "location":
            base = self._parameters.add(f"{self._base_url}{self._type.endpoint}/", "text")
            return Column(columns.location(base), "exact")
        return column_of(path, self._type)

    def _quick(self, term: Compare) -> str | None:
        """What an index can answer of a comparison; for e-mail addresses it is necessary but not sufficient."""
        path = term.path
        if path.urn is not None or path.sub != "value" or term.op != "eq" or not isinstance(term.value, str):
            return None
        if path.name == "emails" and self._type is USER:
            return columns.HAS_ADDRESS.format(key=self._parameters.add(fold(term.value), "text"))
        if path.name == "groups" and self._type is USER:
            return columns.IN_GROUP.format(id=self._parameters.add(term.value, "text"))
        if path.name == "members" and self._type is not USER:
            return columns.HAS_MEMBER.format(id=self._parameters.add(term.value, "text"))
        return None

    def _is_set(self, path: AttrPath) -> bool:
        return path.urn is None and path.name in _SETS

    def _values(self, path: AttrPath) -> tuple[str, str]:
        """A FROM item with all values of a path, and how one of them is called there."""
        elements = self._elements(path)
        if path.sub is None:
            return f"{elements} AS e(j)", "e.j"
        sub = self._parameters.add(path.sub, "text")
        value = sql.plain_or_member("e.j", sub, path.sub, known=self._known(path))
        return f"{elements} AS e(j), {sql.elements(value)} AS v(j)", "v.j"

    def _elements(self, path: AttrPath, inner: Filter | None = None) -> str:
        """A FROM item with the elements of an attribute, at least those that can meet the inner filter."""
        if not self._is_set(path):
            return sql.elements(self._document_value(path))
        if path.name == "schemas":
            return columns.SCHEMAS.format(core=self._parameters.add(self._type.schema.id, "text"))
        base = self._parameters.add(self._base_url, "text")
        only = [term.value for term in _required(inner)] if inner is not None else []
        source, value = (columns.GROUPS, "m.group_id") if path.name == "groups" else (columns.MEMBERS, "m.member_id")
        conditions = [f" AND {value} = {self._parameters.add(wanted, 'text')}" for wanted in only]
        return source.format(base=base, only="".join(conditions))

    def _document_value(self, path: AttrPath) -> str:
        known = self._known(path)
        holder = "u.document"
        if path.urn is not None:
            holder = sql.member(holder, self._parameters.add(path.urn, "text"), known=known)
        return sql.member(holder, self._parameters.add(path.name, "text"), known=known)

    def _known(self, path: AttrPath) -> bool:
        return path.urn is None or self._type.find_extension(path.urn) is not None


def _exists(path: AttrPath, resolved: Resolved) -> bool:
    """Whether the type of resource can have the attribute: a query over all types names those of each."""
    return path.urn is not None or resolved.attribute is not None


def _under(expression: Filter, name: str) -> Filter:
    """The inner filter of a value path on a single-valued attribute, as a filter on the resource."""
    if isinstance(expression, And | Or):
        return replace(expression, terms=tuple(_under(term, name) for term in expression.terms))
    if isinstance(expression, Not):
        return Not(_under(expression.term, name))
    return replace(expression, path=AttrPath(None, name, expression.path.name))


def _required(expression: Filter) -> list[Compare]:
    """Equalities of `value` without which the inner filter of a value path cannot hold."""
    terms = expression.terms if isinstance(expression, And) else (expression,)
    compared = [term for term in terms if isinstance(term, Compare) and term.path == _VALUE and term.op == "eq"]
    return [term for term in compared if isinstance(term.value, str)]


def required_address(expression: Filter) -> str | None:
    """The folded e-mail address without which the filter cannot hold; None when there is none."""
    if isinstance(expression, And):
        return next((found for term in expression.terms if (found := required_address(term)) is not None), None)
    if isinstance(expression, ValuePath):
        terms = _required(expression.filter) if expression.path == _EMAILS else []
    else:
        terms = [expression] if isinstance(expression, Compare) and expression.path == _ADDRESS else []
    return next((fold(term.value) for term in terms if term.op == "eq" and isinstance(term.value, str)), None)


def is_selective(expression: Filter, resource_type: ResourceType) -> bool:
    """Whether an index leaves few resources to look at."""
    if isinstance(expression, And):
        return any(is_selective(term, resource_type) for term in expression.terms)
    if isinstance(expression, ValuePath):
        return f"{expression.path}.value" in _SELECTIVE and bool(_required(expression.filter))
    if not isinstance(expression, Compare) or expression.op != "eq" or not isinstance(expression.value, str):
        return False
    column = column_of(expression.path, resource_type)
    if column is not None:
        return column.indexed
    return str(expression.path) in _SELECTIVE
