"""The SCIM engine alone, against scim2-models doing the same: microseconds, no server."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import msgspec
from scim2_models import Context, EnterpriseUser, PatchOp, ScimFilter
from scim2_models import User as ModelUser

from benchmarks import load
from benchmarks.bench import Bench
from benchmarks.results import Row
from benchmarks.scim_work import ENTERPRISE, enterprise_user
from service.scim.documents import decode
from service.scim.filters import parse_filter
from service.scim.messages import parse_patch
from service.scim.patch import apply_patch
from service.scim.schema import USER

NAME = "engine"
_Model = ModelUser[EnterpriseUser]
_FILTER = 'userName eq "someone.{}@example.com" and active eq true'
_PATCH: dict[str, Any] = {
    "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    "Operations": [
        {"op": "replace", "path": "title", "value": "Principal"},
        {"op": "replace", "path": 'emails[type eq "work"].value', "value": "new@example.com"},
        {"op": "replace", "path": f"{ENTERPRISE}:department", "value": "Sales"},
    ],
}


@dataclass(slots=True)
class Case:
    """Microseconds of one operation, a figure a round, ours and theirs in turn."""

    name: str
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def run(bench: Bench) -> list[Row]:
    """In a process of its own."""
    with load.generator() as process:
        cases = process.submit(measure, bench.size.rounds + 2, bench.size.seconds / 8).result()
    return [
        Row(NAME, case.name, "µs", case.ours, case.theirs, wrong=case.wrong, limit_name="scim2-models")
        for case in cases
    ]


def body() -> bytes:
    """A user of 1.5 KB."""
    user = enterprise_user("someone@example.com", 1)
    user["nickName"] = "Some"
    user[ENTERPRISE]["manager"]["$ref"] = "../Users/26118915-6090-4610-87e4-49d8ca9f808d"
    user["profileUrl"] = "https://example.com/people/someone"
    user["ims"] = [{"value": "someone", "type": "xmpp"}]
    user["photos"] = [{"value": "https://example.com/people/someone/photo.jpg", "type": "photo"}]
    user["roles"] = [{"value": "engineer", "display": "Engineer", "type": "job", "primary": True}]
    user["entitlements"] = [{"value": "repository-write", "display": "May write to repositories"}]
    return msgspec.json.encode(user)


def measure(rounds: int, seconds: float) -> list[Case]:
    """Every case, `seconds` for each measurement."""
    cases = [_decode_case(), _patch_case(), _filter_case()]
    for _ in range(rounds):
        for case, ours, theirs in cases:
            case.ours.append(_microseconds(ours, seconds))
            case.theirs.append(_microseconds(theirs, seconds))
    return [case for case, _, _ in cases]


_Operation = Callable[[int], object]


def _decode_case() -> tuple[Case, _Operation, _Operation]:
    data = body()

    def ours(_: int) -> dict[str, Any]:
        return decode(msgspec.json.decode(data), USER).prepared

    def theirs(_: int) -> Any:
        return _Model.model_validate(msgspec.json.decode(data), scim_ctx=Context.RESOURCE_CREATION_REQUEST)

    case = Case(f"decode and validate {len(data):,} bytes")
    if ours(0)[ENTERPRISE]["department"] != theirs(0)[EnterpriseUser].department:
        case.wrong.append("the two do not read the same")
    return case, ours, theirs


def _patch_case() -> tuple[Case, _Operation, _Operation]:
    data = msgspec.json.encode(_PATCH)
    document = decode(msgspec.json.decode(body()), USER).prepared
    models: list[Any] = [_Model.model_validate(msgspec.json.decode(body())) for _ in range(400)]
    before = (models[0].title, models[0].emails[0].value, models[0][EnterpriseUser].department)

    def ours(_: int) -> dict[str, Any]:
        return apply_patch(document, parse_patch(msgspec.json.decode(data)), USER).document

    def theirs(number: int) -> Any:
        # It changes the user in place, so each patch gets one that the last one has not touched for a while.
        model = models[number % len(models)]
        patch = PatchOp[_Model].model_validate(msgspec.json.decode(data), scim_ctx=Context.RESOURCE_PATCH_REQUEST)
        patch.patch(model)
        changed = (model.title, model.emails[0].value, model[EnterpriseUser].department)
        model.title, model.emails[0].value, model[EnterpriseUser].department = before
        return changed

    case = Case("PATCH of three operations")
    done = ours(0)
    if (done["title"], done["emails"][0]["value"], done[ENTERPRISE]["department"]) != theirs(0):
        case.wrong.append("the two do not patch alike")
    return case, ours, theirs


def _filter_case() -> tuple[Case, _Operation, _Operation]:
    # Every text is new, so that no cache answers.
    def ours(number: int) -> object:
        return parse_filter(_FILTER.format(number), USER)

    def theirs(number: int) -> object:
        return ScimFilter[_Model](_FILTER.format(number))

    return Case("parse a filter of two terms"), ours, theirs


_texts = iter(range(10**12))


def _microseconds(operation: _Operation, seconds: float) -> float:
    """Median over blocks of 50, so that a neighbour's burst does not count."""
    clock, blocks = time.perf_counter, []
    end = clock() + seconds
    while (started := clock()) < end:
        for _ in range(50):
            operation(next(_texts))
        blocks.append((clock() - started) / 50)
    return 1e6 * median(blocks)
