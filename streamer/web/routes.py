"""What a route of the web server is. The app and the API's document are built from routes (``route_table``, ``openapi``).

aiohttp's own ``web.RouteDef`` knows method, path and handler; here stand beside them what a call takes and what it answers.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel

from streamer.web.security import Scope, scope_of

Method = Literal["GET", "POST", "PATCH", "DELETE"]
Handler = Callable[..., Awaitable[web.StreamResponse]]
"""A method of a part of the API, not bound to one yet: it takes the part and the request."""
ResponseSchema = type[Any] | tuple[str, ...] | None
"""What is answered: JSON of that shape, something of one of those media types, or nothing but headers."""

_PARAMETER = re.compile(r"\{(\w+):((?:[^{}]|\{[^{}]*\})+)\}")
"""A parameter in a path, with its pattern."""
_SENTENCE = re.compile(r"(.+?[.])(?:\s+(.*))?$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Query:
    """A parameter behind the ``?`` of an address; all may be left out."""

    name: str
    schema: Mapping[str, Any]
    """JSON schema of its value."""
    about: str
    """What it is for, in one line."""


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One call."""

    method: Method
    path: str
    """As aiohttp takes it: parameters have patterns that JSON schema reads alike, ``/api/requests/{id:[0-9]{1,18}}``."""
    handler: Handler
    answers: Mapping[int, ResponseSchema]
    """By status, where the call is granted."""
    refuses: tuple[int, ...] = ()
    """Statuses of refusals besides those that any such call may meet (``openapi`` knows them)."""
    body: type[BaseModel] | None = None
    """What is read with ``read_body``; None where a body is not looked at."""
    query: tuple[Query, ...] = ()
    endless: str = ""
    """Why its answer has no end; empty where it has one."""
    head: bool = True
    """Whether a GET is answered without its body to HEAD."""
    about: str = ""
    """In one or more sentences; empty: as the handler's docstring has it."""

    @property
    def template(self) -> str:
        """The path without patterns: ``/api/requests/{id}``."""
        return _PARAMETER.sub(r"{\1}", self.path)

    @property
    def parameters(self) -> dict[str, str]:
        """The path's parameters, by name, with their patterns."""
        return dict(_PARAMETER.findall(self.path))

    @property
    def scope(self) -> Scope:
        """Who may: the door decides by method and path, and what it does not know is for moderators."""
        return scope_of(self.method, self.template)

    @property
    def summary(self) -> str:
        """What it does, in one sentence."""
        return self._told[0]

    @property
    def details(self) -> str:
        """What else there is to say; may be empty."""
        return self._told[1]

    @property
    def _told(self) -> tuple[str, str]:
        handler = self.handler.func if isinstance(self.handler, partial) else self.handler
        text = (self.about or inspect.getdoc(handler) or "").replace("``", "`")
        found = _SENTENCE.match(text)
        assert found is not None, f"{self.method} {self.path}: say what it does, in a sentence"
        return found[1].replace("\n", " "), (found[2] or "").strip()


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Calls that belong together, all of them methods of one part."""

    name: str
    part: type
    routes: tuple[Route, ...] = field(repr=False)


def bind(groups: Iterable[Group], parts: Iterable[object]) -> list[web.RouteDef]:
    """What aiohttp is to serve, in the order of the table.

    Args:
        parts: one of the class of each group.
    """
    by_class = {type(part): part for part in parts}
    found = []
    for group in groups:
        part = by_class[group.part]
        for route in group.routes:
            options = {"allow_head": route.head} if route.method == "GET" else {}
            found.append(web.RouteDef(route.method, route.path, partial(route.handler, part), options))
    return found
