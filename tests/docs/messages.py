"""The messages that our errors carry, read from the source.

Belongs here: finding every call of an error class and the text it is given. Does not belong here:
what the documentation says about them.

A value inside a message is written `…`. A name that the same function gives a text to is replaced
by that text, once for each.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.docs.fences import ROOT

VALUE = "…"
PACKAGES = ("connectors", "rapport", "assets")
Function = ast.FunctionDef | ast.AsyncFunctionDef
NOT_SAID = {
    "…: the database sent text that is not UTF-8. Mend it there, or leave the column out with "
    "`fields`.": "PostgreSQL and SQLite never send such text; drivers of others do",
    "the job … failed.": "Dagster has named a step each time; this is for the day it does not",
}
"""Message -> why no test can provoke it."""


@dataclass(frozen=True)
class Message:
    """One text of one error class; `place` is file and line."""

    place: str
    kind: str
    text: str

    def fits(self, said: str) -> bool:
        """Tell whether a message that was raised is this one."""
        pattern = ".*?".join(map(re.escape, self.text.split(VALUE)))
        return re.fullmatch(pattern, " ".join(said.split()), re.S) is not None


@cache
def messages() -> tuple[Message, ...]:
    """Return every message in the order of the files."""
    trees = {path: ast.parse(path.read_text("utf-8")) for path in _files()}
    kinds = _error_classes(trees.values())
    found = []
    for path, tree in trees.items():
        for function, call, kind in _calls(tree, kinds):
            place = f"{path.relative_to(ROOT)}:{call.lineno}"
            for text in _texts(call.args[0], function, tree):
                found.append(Message(place, kind, _tidied(text)))
    return tuple(one for one in found if one.text != VALUE)  # repeats another's


def never_said(heard: Iterable[str]) -> list[str]:
    """Return the messages that were not heard, in order, without those of `NOT_SAID`."""
    heard = set(heard)
    unsaid = {one.text for one in messages() if not any(map(one.fits, heard))}
    return sorted(unsaid - NOT_SAID.keys())


def _files() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def _error_classes(trees: Iterable[ast.Module]) -> set[str]:
    """Return the names of `RapportError` and of all that derives from it."""
    bases = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    kinds = {"RapportError"}
    while more := {name for name, of in bases.items() if of & kinds} - kinds:
        kinds |= more
    return kinds


def _calls(tree: ast.Module, kinds: set[str]) -> Iterator[tuple[Function | None, ast.Call, str]]:
    functions = [node for node in ast.walk(tree) if isinstance(node, Function)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            inside = [f for f in functions if f.lineno <= node.lineno <= (f.end_lineno or 0)]
            function = max(inside, key=lambda f: f.lineno, default=None)
            if node.func.id in kinds or _is_one_of(node.func.id, kinds, function):
                yield function, node, node.func.id


def _is_one_of(name: str, kinds: set[str], function: Function | None) -> bool:
    """Tell whether a function chooses one of the error classes and calls it `name`."""
    return any(
        isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
        and isinstance(node.value, ast.IfExp)
        and {inner.id for inner in ast.walk(node.value) if isinstance(inner, ast.Name)} & kinds
        for node in (ast.walk(function) if function else ())
    )


def _texts(node: ast.expr, function: Function | None, tree: ast.Module) -> list[str]:
    """Return the texts that an expression can be; values that cannot be told are `…`."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr():
            parts = [_texts(part, function, tree) for part in node.values]
            return ["".join(choice) for choice in itertools.product(*parts)]
        case ast.FormattedValue():
            return _inside(node.value, function, tree)
        case ast.Name():
            return _assigned(node.id, function, tree) or [VALUE]
        case ast.Call(func=ast.Name(id=name)):
            returned = [
                text
                for other in ast.walk(tree)
                if isinstance(other, Function) and other.name == name
                for inner in ast.walk(other)
                if isinstance(inner, ast.Return) and isinstance(inner.value, ast.JoinedStr)
                for text in _texts(inner.value, other, tree)
            ]
            return returned or [VALUE]
        case _:
            return [VALUE]


def _inside(node: ast.expr, function: Function | None, tree: ast.Module) -> list[str]:
    """Return what stands for a value inside a message: its text if it is a sentence of ours."""
    texts = _texts(node, function, tree) if isinstance(node, ast.Name | ast.Call) else []
    sentences = [text for text in texts if len(text.replace(VALUE, "").split()) >= 3]
    return [*sentences, *([VALUE] if len(sentences) == 0 or len(sentences) < len(texts) else [])]


def _assigned(name: str, function: Function | None, tree: ast.Module) -> list[str]:
    return [
        text
        for node in ast.walk(function or tree)
        if isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
        and isinstance(node.value, ast.JoinedStr | ast.Constant)
        for text in _texts(node.value, function, tree)
        if isinstance(text, str)
    ]


def _tidied(text: str) -> str:
    """Join neighboring values, which cannot be told apart, and blanks."""
    return re.sub(rf"{VALUE}(?:\s?{VALUE})+", VALUE, " ".join(text.split()))
