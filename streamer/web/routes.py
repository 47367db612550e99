"""The type of a route. The app and the OpenAPI document are built from routes (``route_table``, ``openapi``).

aiohttp's own ``web.RouteDef`` has method, path and handler; a ``Route`` adds what the call takes and returns.
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
"""An unbound method of a part of the API: it takes the part and the request."""
ResponseSchema = type[Any] | tuple[str, ...] | None
"""The content of a response: JSON of that type, one of those media types, or headers only."""

_PARAMETER = re.compile(r"\{(\w+):((?:[^{}]|\{[^{}]*\})+)\}")
"""A parameter in a path, with its pattern."""
_SENTENCE = re.compile(r"(.+?[.])(?:\s+(.*))?$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Query:
    """A query parameter; all are optional."""

    name: str
    schema: Mapping[str, Any]
    """JSON schema of its value."""
    about: str
    """Its description, in one line."""


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One call."""

    method: Method
    path: str
    """In aiohttp's syntax; the patterns are valid in JSON schema, too: ``/api/requests/{id:[0-9]{1,18}}``."""
    handler: Handler
    answers: Mapping[int, ResponseSchema]
    """Content of a successful response, by status."""
    refuses: tuple[int, ...] = ()
    """Statuses of refusals besides those that any such call may get (``openapi.refusals_of``)."""
    body: type[BaseModel] | None = None
    """Schema of the body; None if the body is ignored."""
    query: tuple[Query, ...] = ()
    endless: str = ""
    """Why its response does not end; empty if it ends."""
    head: bool = True
    """Whether HEAD is allowed where GET is."""
    about: str = ""
    """Its description, in one or more sentences; empty: the handler's docstring."""

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
        """Who may call: decided by method and path; unknown calls are for moderators."""
        return scope_of(self.method, self.template)

    @property
    def summary(self) -> str:
        """First sentence of the description."""
        return self._description[0]

    @property
    def details(self) -> str:
        """The rest of the description; may be empty."""
        return self._description[1]

    @property
    def _description(self) -> tuple[str, str]:
        handler = self.handler.func if isinstance(self.handler, partial) else self.handler
        text = (self.about or inspect.getdoc(handler) or "").replace("``", "`")
        found = _SENTENCE.match(text)
        assert found is not None, f"{self.method} {self.path}: describe the call in a sentence"
        return found[1].replace("\n", " "), (found[2] or "").strip()


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Routes that belong together; all handlers are methods of one part."""

    name: str
    part: type
    routes: tuple[Route, ...] = field(repr=False)


def bind(groups: Iterable[Group], parts: Iterable[object]) -> list[web.RouteDef]:
    """Bind the routes to the parts, for aiohttp, in the order of the table.

    Args:
        parts: one instance of the class of each group.
    """
    by_class = {type(part): part for part in parts}
    found = []
    for group in groups:
        part = by_class[group.part]
        for route in group.routes:
            options = {"allow_head": route.head} if route.method == "GET" else {}
            found.append(web.RouteDef(route.method, route.path, partial(route.handler, part), options))
    return found
