"""Changes to inputs that keep their grammar more often than changes to bytes do."""

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

from tests.fuzz.vocabulary import NAMES, SCALARS, TOKENS

_LEXEME = re.compile(r'"(?:[^"\\]|\\.)*"|[A-Za-z0-9_$-]+|\s+|.', re.DOTALL)
_MOST = 6


def mutate_text(data: bytes, random: Random) -> bytes:
    """A filter or a path with some lexemes replaced, inserted, dropped, doubled or moved."""
    lexemes = _LEXEME.findall(data.decode("utf-8", "replace"))
    for _ in range(random.randint(1, _MOST)):
        at = random.randrange(len(lexemes) + 1)
        end = min(len(lexemes), at + random.choice((1, 1, 2, 4, 8)))
        piece = lexemes[at:end]
        other = random.randrange(len(lexemes) + 1)
        choice = random.randrange(6)
        if choice == 0:
            lexemes[at:at] = [random.choice(TOKENS)]
        elif choice == 1:
            lexemes[at:end] = [random.choice(TOKENS)]
        elif choice == 2:
            del lexemes[at:end]
        elif choice == 3:
            lexemes[at:at] = piece * random.choice((1, 1, 1, 3, 20))
        elif choice == 4:
            lexemes[other:other] = piece
        else:
            lexemes[at:end] = [random.choice((str.upper, str.lower, str.title))(lexeme) for lexeme in piece]
    return "".join(lexemes).encode("utf-8", "replace")


def mutate_json(data: bytes, random: Random) -> bytes | None:
    """A JSON body with some values replaced, inserted, dropped, doubled or moved; None if it is no JSON."""
    try:
        root = json.loads(data)
    except (ValueError, RecursionError):
        return None
    for _ in range(random.randint(1, _MOST)):
        root = _mutated(root, random)
    try:
        return json.dumps(root, separators=(",", ":")).encode()
    except RecursionError:
        return None


def places(root: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) below the root, shallow ones first."""
    found: list[tuple[Any, Any]] = []
    level = [root]
    while level:
        below = []
        for node in level:
            keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
            found += [(node, key) for key in keys]
            below += [node[key] for key in keys]
        level = below
    return found


def _mutated(root: Any, random: Random) -> Any:
    slots = places(root)
    if not slots or random.random() < 0.02:
        return [root] if random.random() < 0.5 else {random.choice(NAMES): root}
    container, key = random.choice(slots)
    _CHANGES[random.randrange(len(_CHANGES))](container, key, slots, random)
    return root


def _replace(container: Any, key: Any, _slots: list[tuple[Any, Any]], random: Random) -> None:
    container[key] = _fresh(random)


def _copy(container: Any, key: Any, slots: list[tuple[Any, Any]], random: Random) -> None:
    source, name = random.choice(slots)
    container[key] = json.loads(json.dumps(source[name]))


def _drop(container: Any, key: Any, _slots: list[tuple[Any, Any]], _random: Random) -> None:
    del container[key]


def _insert(container: Any, key: Any, _slots: list[tuple[Any, Any]], random: Random) -> None:
    if isinstance(container, list):
        container.insert(key, _fresh(random))
    else:
        container[random.choice(NAMES)] = _fresh(random)


def _rename(container: Any, key: Any, _slots: list[tuple[Any, Any]], random: Random) -> None:
    if isinstance(container, dict):
        value = container.pop(key)
        other = random.choice(NAMES)
        container[random.choice((other, key.upper(), key.lower(), f"{key}.{other}"))] = value
    else:
        container[key:key] = [container[key]] * random.choice((1, 1, 3, 30))


def _wrap(container: Any, key: Any, _slots: list[tuple[Any, Any]], random: Random) -> None:
    value = container[key]
    choice = random.randrange(5)
    if choice == 0:
        container[key] = [value]
    elif choice == 1:
        container[key] = {random.choice(NAMES): value}
    elif choice == 2:
        container[key] = json.dumps(value)
    elif choice == 3:
        container[key] = str(value)
    elif isinstance(value, list | dict) and value:
        container[key] = next(iter(value.values())) if isinstance(value, dict) else value[0]


def _edit_text(container: Any, key: Any, _slots: list[tuple[Any, Any]], random: Random) -> None:
    value = container[key]
    if isinstance(value, str):
        container[key] = mutate_text(value.encode("utf-8", "replace"), random).decode()


_Change = Callable[[Any, Any, list[tuple[Any, Any]], Random], None]
_CHANGES: tuple[_Change, ...] = (_replace, _copy, _drop, _insert, _rename, _wrap, _edit_text)


def _fresh(random: Random) -> Any:
    choice = random.randrange(8)
    if choice == 0:
        return {random.choice(NAMES): _fresh(random) for _ in range(random.randint(0, 3))}
    if choice == 1:
        return [_fresh(random) for _ in range(random.randint(0, 3))]
    if choice == 2:
        return random.choice(NAMES)
    return random.choice(SCALARS)
