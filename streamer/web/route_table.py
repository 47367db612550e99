"""The table of routes: every call that the web server answers, except the static files under ``/static``.

The app serves these routes and no others; ``/api/openapi.json`` is generated from them.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from shared.role import Role
from streamer.web import body_schemas, response_schemas
from streamer.web import response_schemas_classes as of_classes
from streamer.web import response_schemas_moderation as of_moderation
from streamer.web import response_schemas_status as of_status
from streamer.web.api import MAX_CLASSES, MAX_QUERY, MAX_TEXT, Api
from streamer.web.controls_api import ControlsApi
from streamer.web.dreams_api import MOST, USUAL, DreamsApi
from streamer.web.live import Live
from streamer.web.moderation import Moderation
from streamer.web.monitoring import Monitoring
from streamer.web.outputs_api import OutputsApi
from streamer.web.polls_api import PollsApi
from streamer.web.routes import Group, Query, ResponseSchema, Route
from streamer.web.settings_api import SettingsApi
from streamer.web.site import Site
from streamer.web.status_events import StatusEvents
from streamer.web.thumbnails_api import ThumbnailsApi

HTML, JPEG, TS, MJPEG = ("text/html",), ("image/jpeg",), ("video/mp2t",), ("multipart/x-mixed-replace",)
ENDLESS = "the response does not end: it continues until the caller disconnects or the stream stops"

_REQUEST = "/api/requests/{id:[0-9]{1,18}}"
_OUTPUT = "/api/outputs/{name:[a-z0-9][a-z0-9_-]{0,31}}"
_DREAM = "{id:[a-z2-7]{12}}"
_TEXT = {"type": "string"}


def _file(*media: str) -> dict[int, ResponseSchema]:
    """Responses that send a file: all of it, a range, or nothing because the caller has it already."""
    return {200: media, 206: media, 304: None, 412: None, 416: None}


def _number(name: str, least: int, most: int | None, about: str) -> Query:
    schema: dict[str, Any] = {"type": "integer", "minimum": least}
    return Query(name, schema if most is None else {**schema, "maximum": most}, about)


REQUESTS = (
    Route("POST", "/api/requests", Api.submit, {201: response_schemas.Receipt}, (409, 422), body_schemas.RequestBody),
    Route("GET", _REQUEST, Api.standing, {200: response_schemas.Standing}),
    Route(
        "GET",
        "/api/match",
        Api.match,
        {200: response_schemas.Match},
        (422,),
        query=(
            Query("text", _TEXT, f"the text of a request; the first {MAX_TEXT} characters are read"),
            Query("role", {"type": "string", "enum": [*Role]}, "role of the viewer; used only if a moderator calls"),
        ),
    ),
    Route("POST", "/api/oops", Api.oops, {200: response_schemas.TakenBack}, (404,), body_schemas.OopsBody),
    Route("POST", "/api/voteskip", Api.voteskip, {200: response_schemas.SkipVote}, (404, 409), body_schemas.VoteskipBody),
    Route("POST", "/api/chat", Api.chat, {200: response_schemas.ChatHeard}, (), body_schemas.ChatBody),
)
STATUS = (
    Route("GET", "/api/status", Api.status, {200: of_status.Status}),
    Route("GET", "/api/network", Api.network, {200: of_classes.Network}),
    Route(
        "GET",
        "/api/classes",
        Api.classes,
        {200: of_classes.Classes},
        (404,),
        query=(
            Query("q", _TEXT, f"part of a name; the first {MAX_QUERY} characters are read"),
            Query("like", _TEXT, "wnid of a class, to list the classes most similar to it; not together with q"),
            _number("limit", 1, MAX_CLASSES, "most classes to return; by default 20 with q or like, else all"),
        ),
    ),
    Route("GET", "/api/layers", Api.layers, {200: of_classes.Layers}),
    Route(
        "GET",
        "/api/step",
        Api.step,
        {200: of_classes.Step},
        query=(_number("after", 0, None, "number of the set of pictures that the caller has"),),
    ),
)
EVENTS = (Route("GET", "/api/events", StatusEvents.events, {200: ("text/event-stream",)}, endless=ENDLESS, head=False),)
LOGIN = (
    Route("GET", "/api/session", Api.session, {200: response_schemas.Session}),
    Route("POST", "/api/login", Api.login, {200: response_schemas.LoggedIn}, (), body_schemas.LoginBody),
    Route("POST", "/api/logout", Api.logout, {200: response_schemas.LoggedIn}, (), body_schemas.EmptyBody),
)
MODERATION = (
    Route("DELETE", _REQUEST, Moderation.remove, {200: of_moderation.Removed}),
    Route("POST", f"{_REQUEST}/promote", Moderation.promote, {200: of_moderation.Moved}, (), body_schemas.EmptyBody),
    Route("POST", f"{_REQUEST}/move", Moderation.move, {200: of_moderation.Moved}, (), body_schemas.MoveBody),
    Route("POST", "/api/remove", Moderation.remove_user, {200: of_moderation.Removed}, (), body_schemas.UserBody),
    Route("POST", "/api/skip", Moderation.skip, {200: of_moderation.Skipped}, (404,), body_schemas.EmptyBody),
    Route("POST", "/api/clear", Moderation.clear, {200: of_moderation.Removed}, (), body_schemas.EmptyBody),
    Route("POST", "/api/bump", Moderation.bump, {200: of_moderation.Bumped}, (), body_schemas.EmptyBody),
    Route("POST", "/api/twist", Moderation.twist, {200: of_moderation.Twisted}, (), body_schemas.EmptyBody),
    Route("POST", "/api/pause", Moderation.pause, {200: of_moderation.Paused}, (), body_schemas.PauseBody),
    Route("POST", "/api/motion", Moderation.motion, {200: of_moderation.Motion}, (), body_schemas.MotionBody),
    Route("GET", "/api/rules", Moderation.rules, {200: of_moderation.Rules}),
    Route("PATCH", "/api/rules", Moderation.change_rules, {200: of_moderation.Rules}, (), body_schemas.RulesBody),
    Route(
        "DELETE",
        "/api/rules",
        Moderation.reset_rules,
        {200: of_moderation.Rules},
        query=(Query("blocks", _TEXT, "1: also reset the blocks"),),
    ),
    Route("POST", "/api/blocks", Moderation.block, {200: of_moderation.BlocksChanged}, (422,), body_schemas.BlockBody),
    Route("POST", "/api/unblock", Moderation.unblock, {200: of_moderation.BlocksChanged}, (404, 422), body_schemas.BlockBody),
)
POLLS = (
    Route("GET", "/api/poll", PollsApi.poll, {200: response_schemas.PollNow}),
    Route("POST", "/api/poll", PollsApi.begin, {201: response_schemas.PollChanged}, (409, 422), body_schemas.PollBody),
    Route("POST", "/api/poll/vote", PollsApi.vote, {200: response_schemas.Voted}, (404,), body_schemas.VoteBody),
    Route("POST", "/api/poll/votes", PollsApi.votes, {200: response_schemas.VotesCounted}, (404,), body_schemas.VotesBody),
    Route("POST", "/api/poll/counts", PollsApi.counts, {200: response_schemas.PollChanged}, (404,), body_schemas.CountsBody),
    Route("POST", "/api/poll/end", PollsApi.end, {200: response_schemas.PollChanged}, (404,), body_schemas.EndPollBody),
)
OUTPUTS = (
    Route("GET", "/api/outputs", OutputsApi.list, {200: of_moderation.Outputs}),
    Route("POST", "/api/outputs", OutputsApi.add, {201: of_moderation.OutputAdded}, (409, 422), body_schemas.OutputBody),
    Route("PATCH", _OUTPUT, OutputsApi.enable, {200: of_moderation.OutputEnabled}, (), body_schemas.EnableBody),
    Route("DELETE", _OUTPUT, OutputsApi.remove, {200: of_moderation.RemovedNamed}),
)
CONFIG = (
    Route("GET", "/api/reload", SettingsApi.standing, {200: of_moderation.SettingsStanding}),
    Route("POST", "/api/reload", SettingsApi.reload, {200: of_moderation.Reloaded}, (409, 422), body_schemas.EmptyBody),
)
CONTROLS = (
    Route("GET", "/api/controls", ControlsApi.standing, {200: of_moderation.Controls}),
    Route(
        "PATCH", "/api/controls", ControlsApi.change, {200: of_moderation.SettingsChanged}, (422,), body_schemas.ControlsBody
    ),
    Route(
        "POST", "/api/controls/reset", ControlsApi.reset, {200: of_moderation.SettingsChanged}, (422,), body_schemas.ResetBody
    ),
    Route(
        "POST", "/api/controls/preset", ControlsApi.go_over, {200: of_moderation.Reloaded}, (404, 422), body_schemas.GoOverBody
    ),
    Route(
        "POST",
        "/api/controls/presets",
        ControlsApi.save,
        {201: of_moderation.PresetSaved},
        (409, 422),
        body_schemas.SavePresetBody,
    ),
    Route("POST", "/api/controls/compare", ControlsApi.compare, {200: of_moderation.SideNow}, (422,), body_schemas.CompareBody),
)
DREAMS = (
    Route(
        "GET",
        "/api/dreams",
        DreamsApi.last,
        {200: of_moderation.Dreams},
        query=(
            _number("limit", 1, MOST, f"most dreams to return; {USUAL} by default"),
            Query("before", _TEXT, "id of a dream: return only older ones"),
        ),
    ),
    Route("GET", f"/api/dreams/{_DREAM}", DreamsApi.tell, {200: of_moderation.Dream}),
    Route("DELETE", f"/api/dreams/{_DREAM}", DreamsApi.remove, {200: of_moderation.RemovedNamed}),
    Route("POST", "/api/clips", DreamsApi.clip, {201: of_moderation.Dream}, (404, 409), body_schemas.ClipBody),
    Route("GET", f"/d/{_DREAM}", DreamsApi.page, {200: HTML}),
    Route("GET", f"/d/{_DREAM}.jpg", partial(DreamsApi.file, kind="picture"), _file(*JPEG), about="The picture of a dream."),
    Route(
        "GET",
        f"/d/{_DREAM}.small.jpg",
        partial(DreamsApi.file, kind="small"),
        _file(*JPEG),
        about="A small picture of a dream.",
    ),
    Route("GET", f"/d/{_DREAM}.mp4", partial(DreamsApi.file, kind="clip"), _file("video/mp4"), about="The clip of a dream."),
    Route("GET", f"/d/{_DREAM}.gif", DreamsApi.gif, _file("image/gif")),
)
VIDEO = (
    Route(
        "GET",
        "/live.ts",
        Live.ts,
        {200: TS},
        query=(Query("audio", _TEXT, "1: with sound"),),
        endless=ENDLESS,
    ),
    Route("GET", "/live.mp4", Live.mp4, {200: ("video/mp4",)}, endless=ENDLESS),
    Route("GET", "/live.mjpg", Live.mjpg, {200: MJPEG}, endless=ENDLESS),
    Route("GET", "/frame.jpg", Live.frame, {200: JPEG}),
)
CATALOGUE = (
    Route(
        "GET",
        "/thumbnails/{wnid:n[0-9]{8}}.webp",
        ThumbnailsApi.show,
        _file("image/webp"),
        query=(Query("v", _TEXT, "version of the picture, as in the addresses that /api/classes returns"),),
    ),
)
WATCH = (
    Route("GET", "/healthz", Monitoring.healthz, {200: of_status.Health, 503: of_status.Health}),
    Route("GET", "/metrics", Monitoring.metrics, {200: ("text/plain",)}),
)
SITE = (
    Route("GET", "/api/openapi.json", Site.document, {200: dict[str, Any]}),
    Route(
        "GET",
        "/",
        partial(Site.page, name="index.html"),
        _file(*HTML),
        about="The viewers' page, with live video and the queue.",
    ),
    Route(
        "GET", "/how", partial(Site.page, name="how.html"), _file(*HTML), about="The page that explains how the dream works."
    ),
    Route(
        "GET", "/overlay", partial(Site.page, name="overlay.html"), _file(*HTML), about="The overlay for an OBS browser source."
    ),
    Route("GET", "/control", partial(Site.page, name="control.html"), _file(*HTML), about="The operator's page."),
)
LATE = (Route("GET", "/{name:[^/]+}", Live.output, {200: TS + MJPEG}, endless=ENDLESS),)
"""Addresses of outputs, which come and go; matched after all others."""

TABLE = (
    Group("Requests", Api, REQUESTS),
    Group("Status", Api, STATUS),
    Group("Status", StatusEvents, EVENTS),
    Group("Login", Api, LOGIN),
    Group("Moderation", Moderation, MODERATION),
    Group("Polls", PollsApi, POLLS),
    Group("Outputs", OutputsApi, OUTPUTS),
    Group("Config file", SettingsApi, CONFIG),
    Group("Live controls", ControlsApi, CONTROLS),
    Group("Dreams", DreamsApi, DREAMS),
    Group("Video", Live, VIDEO),
    Group("Catalogue", ThumbnailsApi, CATALOGUE),
    Group("Monitoring", Monitoring, WATCH),
    Group("Pages", Site, SITE),
    Group("Video", Live, LATE),
)
