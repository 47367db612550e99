"""Checks that a response matches the table of routes; used for every response in the web tests."""

from __future__ import annotations

import re
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import TypeAdapter, ValidationError

from streamer.web.openapi import refusals_of
from streamer.web.response_schemas import Error
from streamer.web.route_table import TABLE
from streamer.web.routes import Route

ROUTES = tuple(route for group in TABLE for route in group.routes)


@cache
def pattern(route: Route) -> re.Pattern[str]:
    """Return the pattern of a route's paths."""
    parts = re.split(r"\{(\w+)\}", route.template)
    texts = [f"(?:{route.parameters[part]})" if number % 2 else re.escape(part) for number, part in enumerate(parts)]
    return re.compile("".join(texts))


def route_of(method: str, address: str) -> Route | None:
    """Return the route that answers a call; None if there is none."""
    path = unquote(urlsplit(address).path)
    return next((route for route in ROUTES if route.method == method and pattern(route).fullmatch(path)), None)


@cache
def adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)


def check(method: str, address: str, status: int, media: str, body: bytes) -> None:
    """Raise AssertionError for an answer that is not documented.

    Calls that no route answers, or of parts that the server lacks, may be refused in any way. 500 is a fault and documented
    nowhere.
    """
    call = f"{method} {address}: {status}"
    route = route_of("GET" if method == "HEAD" else method, address)
    if route is None or status in (303, 500) or (status == 404 and b"there is nothing here" in body):
        return
    assert status in {*route.answers, *refusals_of(route)}, f"{call} is not documented"
    shape = route.answers.get(status, Error)
    if shape is None or method == "HEAD":
        return
    if isinstance(shape, tuple):
        assert media in shape, f"{call} is {media}, not {shape}"
        return
    if shape is Error and media == "text/html" and not address.startswith("/api/"):
        return
    assert media == "application/json", f"{call} is {media}"
    for told in (shape, Error) if status >= 400 else (shape,):
        try:
            adapter(told).validate_json(body, strict=True)
        except ValidationError as error:
            mistake = error
        else:
            return
    raise AssertionError(f"{call} is not answered as documented: {mistake}")
