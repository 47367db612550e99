"""The OpenAPI 3.1 document, generated from the table of routes and from the pydantic schemas of bodies and responses.

Extensions: ``x-who`` says who may call, ``x-endless`` why a response does not end, ``x-event`` what an event of a stream
contains, ``x-files`` which static files are served.
"""

# Libraries for aiohttp (aiohttp-pydantic, aiohttp-apispec, aiohttp-openapi) need handlers of their own style or marshmallow
# schemas, and report errors in bodies their own way; apispec would only hold the dicts that are built here.

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Protocol

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from streamer.web.body_schemas import EmptyBody
from streamer.web.response_schemas import Error
from streamer.web.response_schemas_status import Status
from streamer.web.routes import Group, ResponseSchema, Route
from streamer.web.security import COOKIE, DREAMS, EVENTS, OPEN, PAGES, VIEW_COOKIE, Scope

Json = dict[str, Any]

ABOUT = (
    "The API of a zoomdream stream, for its pages, chat bots and other programs. Send bodies as JSON of at most 16 kB, with "
    "`Content-Type: application/json`. Errors under `/api/` are JSON (`Error`); elsewhere they are an HTML page if `Accept` "
    "names `text/html`. Wherever GET is allowed, HEAD returns the headers; other methods that an address does not support get "
    "405 (`Refused405`). Browsers may write from this server's own pages only."
)

WHO = {
    Scope.ANY: "anybody",
    Scope.VIEW: "viewers",
    Scope.ASK: "viewers who may ask",
    Scope.CONTROL: "moderators",
}
"""Names of the callers; the security schemes say how they authenticate."""

ERRORS = {
    400: "The call does not match this description: `bad_input`, `malformed`.",
    401: "A token is required, or the token is wrong: `unauthorized`, `wrong_token`.",
    403: "Not allowed: for pages of other sites (`bad_origin`), under an unknown host name (`bad_host`), or by the stream's "
    "rules (`blocked`, `forbidden`).",
    404: "Not found: `not_found`.",
    405: "The address does not support this method: `method_not_allowed`. The header Allow lists those that it does.",
    408: "The body did not arrive in time: `too_slow`.",
    409: "It conflicts with the current state: `duplicate`, `closed`, `no_file`.",
    413: "The body is too large: `too_large`.",
    415: "The body is not JSON: `not_json`.",
    422: "Valid, but it cannot be done: `unknown_word`, `unlearnt`, `bad_output`, `bad_settings`, `bad_preset`.",
    429: "Too much from one address or viewer, or too many wrong tokens: `too_many_calls`, `too_many`, `limit`, "
    "`too_many_tries`.",
    503: "Not possible at the moment: `busy`, `loading`, `full`, `ending`, `no_picture`.",
}
"""Meaning of each error status, with its codes."""
RETRY = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}}
ALLOW = {"Allow": {"description": "Allowed methods, separated by commas.", "schema": {"type": "string"}}}
HEADERS = {405: ALLOW, 429: RETRY, 503: RETRY}
STATUSES = {
    200: "Done.",
    201: "Created.",
    206: "The requested range.",
    303: "Redirect to the same page without the token in its address; a cookie replaces it.",
    304: "Not modified.",
    412: "Precondition failed.",
    416: "Range not satisfiable.",
    503: "There are problems.",
}
"""Meaning of each other status."""


class AuthSettings(Protocol):
    """How callers authenticate (``security.Auth``)."""

    @property
    def login(self) -> bool:
        """Whether moderators have a token."""
        ...

    @property
    def view_login(self) -> bool:
        """Whether viewers need a token."""
        ...

    @property
    def all_write(self) -> bool:
        """Whether everybody who may view may also make requests."""
        ...


def document(groups: Iterable[Group], auth_settings: AuthSettings, version: str) -> Json:
    """Return the OpenAPI document of a server.

    Args:
        groups: the routes that it serves.
        auth_settings: how its callers authenticate.
    """
    groups = tuple(groups)
    routes = [route for group in groups for route in group.routes]
    schemas, components = _schemas(routes)
    paths: Json = {}
    for group in groups:
        for route in group.routes:
            paths.setdefault(route.template, {})[route.method.lower()] = _operation(group, route, auth_settings, schemas)
    refusals = {f"Refused{status}": _refusal(status, page=False) for status in ERRORS}
    described: Json = {
        "openapi": "3.1.0",
        "info": {"title": "zoomdream", "version": version, "description": ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(group.name for group in groups)],
        "paths": paths,
        "x-files": {"/static/": "Scripts, styles and images of the pages."},
        "components": {"schemas": components, "responses": refusals, "securitySchemes": _schemes(auth_settings)},
    }
    plain: Json = _plain(described)
    return plain


def refusals_of(route: Route) -> tuple[int, ...]:
    """The statuses of errors that a call may return: those of any similar call, and its own.

    405 is left out: it is for methods that an address does not support.
    """
    found = {400, 413, 429, 503, *route.refuses}
    if route.template not in OPEN:
        found.add(403)
    if route.scope is not Scope.ANY or route.template.startswith("/api/"):
        found.add(401)
    if route.parameters:
        found.add(404)
    if route.body is not None:
        found |= {408, 415}
    return tuple(sorted(found))


def _operation(group: Group, route: Route, auth_settings: AuthSettings, schemas: dict[str, Json]) -> Json:
    operation: Json = {
        "tags": [group.name],
        "summary": route.summary,
        "operationId": re.sub(r"\W+", "_", f"{route.method.lower()}{route.template}").strip("_"),
        "x-who": WHO[route.scope],
        "security": _security(route.scope, auth_settings),
        "responses": _responses(route, auth_settings, schemas),
    }
    if route.details:
        operation["description"] = route.details
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": f"^(?:{pattern})$"}}
        for name, pattern in route.parameters.items()
    ]
    parameters += [
        {"name": query.name, "in": "query", "schema": dict(query.schema), "description": query.about} for query in route.query
    ]
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        content = {"application/json": {"schema": schemas[_key(route.body)]}}
        operation["requestBody"] = {"required": route.body is not EmptyBody, "content": content}
    if route.endless:
        operation["x-endless"] = route.endless
    if route.template == EVENTS:
        operation["x-event"] = {"name": "status", "data": schemas[_key(Status)]}
    return operation


def _responses(route: Route, auth_settings: AuthSettings, schemas: dict[str, Json]) -> Json:
    responses: Json = {}
    page = route.method == "GET" and not route.template.startswith("/api/")
    for status in refusals_of(route):
        responses[str(status)] = _refusal(status, page=True) if page else {"$ref": f"#/components/responses/Refused{status}"}
    for status, answer in route.answers.items():
        response: Json = {"description": STATUSES[status]}
        if content := _content(answer, schemas):
            response["content"] = content
        if status in ERRORS:  # from the handler itself, or from a middleware
            response = _refusal(status, page=page)
            schema = {"anyOf": [schemas[_key(answer)], schemas[_key(Error)]]}
            response["content"]["application/json"] = {"schema": schema}
        responses[str(status)] = response
    if auth_settings.view_login and (route.template in PAGES or route.template.startswith(DREAMS)):
        location = {"Location": {"required": True, "schema": {"type": "string"}}}
        responses["303"] = {"description": STATUSES[303], "headers": location}
    return dict(sorted(responses.items()))


def _content(answer: ResponseSchema, schemas: dict[str, Json]) -> Json:
    if answer is None:
        return {}
    if isinstance(answer, tuple):
        return {media: {"schema": {"type": "string"} if media.startswith("text/") else {}} for media in answer}
    return {"application/json": {"schema": schemas[_key(answer)]}}


def _refusal(status: int, *, page: bool) -> Json:
    content: Json = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    if page:
        content["text/html"] = {"schema": {"type": "string"}}
    refusal: Json = {"description": ERRORS[status], "content": content}
    return refusal | ({"headers": HEADERS[status]} if status in HEADERS else {})


def _schemes(auth_settings: AuthSettings) -> Json:
    schemes: Json = {}
    if auth_settings.login:
        about = "The token of moderators and of the chat bot: `web.token`."
        schemes["token"] = {"type": "http", "scheme": "bearer", "description": about}
        schemes["cookie"] = {
            "type": "apiKey",
            "in": "cookie",
            "name": COOKIE,
            "description": "The cookie that `/api/login` sets.",
        }
    if auth_settings.view_login:
        about = "The viewers' token: `web.view_token`."
        schemes["view_token"] = {"type": "apiKey", "in": "query", "name": "token", "description": about}
        about = "The cookie that a page sets when it is opened with the viewers' token."
        schemes["view_cookie"] = {"type": "apiKey", "in": "cookie", "name": VIEW_COOKIE, "description": about}
    return schemes


def _security(scope: Scope, auth_settings: AuthSettings) -> list[Json]:
    """The schemes, any of which is enough; empty if no token is needed, also where only this machine can connect."""
    control: list[Json] = [{"token": []}, {"cookie": []}] if auth_settings.login else []
    if scope is Scope.ANY:
        return []
    if scope is Scope.CONTROL or (scope is Scope.ASK and not auth_settings.all_write):
        return control
    return [*control, {"view_token": []}, {"view_cookie": []}] if auth_settings.view_login else []


class _Schema(GenerateJsonSchema):
    """pydantic's generator without titles of fields, which would only repeat their names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Always False."""
        return False


def _schemas(routes: Iterable[Route]) -> tuple[dict[str, Json], Json]:
    """The schemas of bodies and responses, by key, as references; and the components they refer to, by name."""
    routes = tuple(routes)
    answered = {answer for route in routes for answer in route.answers.values() if not isinstance(answer, tuple | None)}
    taken = {route.body for route in routes if route.body is not None}
    shapes: list[tuple[JsonSchemaMode, Any]] = [("serialization", each) for each in answered | {Error, Status}]
    shapes += [("validation", each) for each in taken]
    adapters = [(_key(shape), mode, TypeAdapter(shape)) for mode, shape in sorted(shapes, key=lambda each: _key(each[1]))]
    found, definitions = TypeAdapter.json_schemas(
        adapters, ref_template="#/components/schemas/{model}", schema_generator=_Schema
    )
    return {key: schema for (key, _), schema in found.items()}, definitions["$defs"]


def _key(shape: Any) -> str:
    """A unique name for the type of a body or a response."""
    return f"{getattr(shape, '__module__', '')}.{getattr(shape, '__name__', shape)}"


def _plain(value: Any) -> Any:
    """A copy with code in texts marked as in Markdown instead of as in docstrings."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.replace("``", "`") if isinstance(value, str) else value
