"""The API's document, in OpenAPI 3.1: made of the table of routes, and of what pydantic knows of bodies and answers.

Extensions: ``x-who`` says who may call, ``x-endless`` why an answer has no end, ``x-event`` what an event of a stream holds,
``x-files`` what is served besides.
"""

# Libraries for aiohttp (aiohttp-pydantic, aiohttp-apispec, aiohttp-openapi) want handlers written their way or marshmallow's
# shapes, and check bodies with errors of their own; apispec would only hold the dicts that are made here.

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
    "What the page, the chat bot and other programs call. A body is JSON of at most 16 kB, with the header "
    "`Content-Type: application/json`. Refusals under `/api/` are JSON (`Error`); elsewhere they are a page where `Accept` "
    "names `text/html`. A GET is answered to HEAD as well, without its body; other methods that an address does not have are "
    "refused with 405 (`Refused405`). What a browser writes must come from this server's own pages."
)

WHO = {
    Scope.ANY: "anybody",
    Scope.VIEW: "viewers",
    Scope.ASK: "viewers who may ask",
    Scope.CONTROL: "moderators",
}
"""Who may call; the security schemes say how they are known."""

ERRORS = {
    400: "The call is not as described here: `bad_input`, `malformed`.",
    401: "It takes a token, or the token is wrong: `unauthorized`, `wrong_token`.",
    403: "It is forbidden: to pages of other sites, under a host name that is not the server's (`bad_origin`, `bad_host`), or "
    "by the rules (`blocked`, `forbidden`).",
    404: "There is no such thing: `not_found`.",
    405: "This address does not take that method: `method_not_allowed`. The header Allow names those that it takes.",
    408: "The body did not come in time: `too_slow`.",
    409: "It conflicts with how things stand: `duplicate`, `closed`, `no_file`.",
    413: "The body is too large: `too_large`.",
    415: "The body is not JSON: `not_json`.",
    422: "It is understood and cannot be done: `unknown_word`, `unlearnt`, `bad_output`, `bad_settings`, `bad_preset`.",
    429: "Too much from one address or one viewer, or too many wrong tokens: `too_many_calls`, `too_many`, `limit`, "
    "`too_many_tries`.",
    503: "Not at the moment: `busy`, `loading`, `full`, `ending`, `no_picture`.",
}
"""What each status of a refusal means, with its codes."""
RETRY = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}}
ALLOW = {"Allow": {"description": "Methods, with commas between.", "schema": {"type": "string"}}}
HEADERS = {405: ALLOW, 429: RETRY, 503: RETRY}
STATUSES = {
    200: "Done.",
    201: "Made.",
    206: "The part that was asked for.",
    303: "The same page, without the token in its address; a cookie has it.",
    304: "As the caller has it.",
    412: "Not as the caller has it.",
    416: "There is no such part.",
    503: "Not all is well.",
}
"""What each status of an answer means."""


class AuthSettings(Protocol):
    """Who knows how callers are told apart (``security.Auth``)."""

    @property
    def login(self) -> bool:
        """Whether moderators have a token."""
        ...

    @property
    def view_login(self) -> bool:
        """Whether viewing takes a token."""
        ...

    @property
    def all_write(self) -> bool:
        """Whether whoever may view may ask."""
        ...


def document(groups: Iterable[Group], auth_settings: AuthSettings, version: str) -> Json:
    """Describe the calls of a server.

    Args:
        groups: those that it answers.
        auth_settings: how its callers are known.
    """
    groups = tuple(groups)
    routes = [route for group in groups for route in group.routes]
    schemas, components = _schemas(routes)
    paths: Json = {}
    for group in groups:
        for route in group.routes:
            paths.setdefault(route.template, {})[route.method.lower()] = _operation(group, route, auth_settings, schemas)
    refusals = {f"Refused{status}": _refusal(status, page=False) for status in ERRORS}
    told: Json = {
        "openapi": "3.1.0",
        "info": {"title": "zoomdream", "version": version, "description": ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(group.name for group in groups)],
        "paths": paths,
        "x-files": {"/static/": "The pages' own scripts, styles and pictures."},
        "components": {"schemas": components, "responses": refusals, "securitySchemes": _schemes(auth_settings)},
    }
    described: Json = _plain(told)
    return described


def refusals_of(route: Route) -> tuple[int, ...]:
    """The statuses with which a call may be refused: those that any call like it may meet, and its own.

    405 is not among them: it answers methods that an address does not have.
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
    told: Json = {
        "tags": [group.name],
        "summary": route.summary,
        "operationId": re.sub(r"\W+", "_", f"{route.method.lower()}{route.template}").strip("_"),
        "x-who": WHO[route.scope],
        "security": _security(route.scope, auth_settings),
        "responses": _responses(route, auth_settings, schemas),
    }
    if route.details:
        told["description"] = route.details
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": f"^(?:{pattern})$"}}
        for name, pattern in route.parameters.items()
    ]
    parameters += [
        {"name": query.name, "in": "query", "schema": dict(query.schema), "description": query.about} for query in route.query
    ]
    if parameters:
        told["parameters"] = parameters
    if route.body is not None:
        content = {"application/json": {"schema": schemas[_key(route.body)]}}
        told["requestBody"] = {"required": route.body is not EmptyBody, "content": content}
    if route.endless:
        told["x-endless"] = route.endless
    if route.template == EVENTS:
        told["x-event"] = {"name": "status", "data": schemas[_key(Status)]}
    return told


def _responses(route: Route, auth_settings: AuthSettings, schemas: dict[str, Json]) -> Json:
    told: Json = {}
    page = route.method == "GET" and not route.template.startswith("/api/")
    for status in refusals_of(route):
        told[str(status)] = _refusal(status, page=True) if page else {"$ref": f"#/components/responses/Refused{status}"}
    for status, answer in route.answers.items():
        response: Json = {"description": STATUSES[status]}
        if content := _content(answer, schemas):
            response["content"] = content
        if status in ERRORS:  # as said by the call itself, or by what stands before all calls
            response = _refusal(status, page=page)
            schema = {"anyOf": [schemas[_key(answer)], schemas[_key(Error)]]}
            response["content"]["application/json"] = {"schema": schema}
        told[str(status)] = response
    if auth_settings.view_login and (route.template in PAGES or route.template.startswith(DREAMS)):
        location = {"Location": {"required": True, "schema": {"type": "string"}}}
        told["303"] = {"description": STATUSES[303], "headers": location}
    return dict(sorted(told.items()))


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
    told: Json = {"description": ERRORS[status], "content": content}
    return told | ({"headers": HEADERS[status]} if status in HEADERS else {})


def _schemes(auth_settings: AuthSettings) -> Json:
    told: Json = {}
    if auth_settings.login:
        about = "The token of moderators and of the chat bot: `web.token`."
        told["token"] = {"type": "http", "scheme": "bearer", "description": about}
        told["cookie"] = {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "What `/api/login` gives."}
    if auth_settings.view_login:
        about = "The viewers' token: `web.view_token`."
        told["view_token"] = {"type": "apiKey", "in": "query", "name": "token", "description": about}
        about = "What a page gives whose address comes with the viewers' token."
        told["view_cookie"] = {"type": "apiKey", "in": "cookie", "name": VIEW_COOKIE, "description": about}
    return told


def _security(scope: Scope, auth_settings: AuthSettings) -> list[Json]:
    """Any one of these will do; none: nothing is asked for, be it that only this machine can call."""
    control: list[Json] = [{"token": []}, {"cookie": []}] if auth_settings.login else []
    if scope is Scope.ANY:
        return []
    if scope is Scope.CONTROL or (scope is Scope.ASK and not auth_settings.all_write):
        return control
    return [*control, {"view_token": []}, {"view_cookie": []}] if auth_settings.view_login else []


class _Schema(GenerateJsonSchema):
    """pydantic's, without a title for each field that only spells its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never."""
        return False


def _schemas(routes: Iterable[Route]) -> tuple[dict[str, Json], Json]:
    """Each body's and answer's schema, by key, as a reference; and what they refer to, by name."""
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
    """A name for a body's or an answer's shape that no other has."""
    return f"{getattr(shape, '__module__', '')}.{getattr(shape, '__name__', shape)}"


def _plain(told: Any) -> Any:
    """The same with code in texts as Markdown has it, not as docstrings do."""
    if isinstance(told, dict):
        return {key: _plain(value) for key, value in told.items()}
    if isinstance(told, list):
        return [_plain(value) for value in told]
    return told.replace("``", "`") if isinstance(told, str) else told
