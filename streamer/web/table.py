"""The table of routes: every call that the web server answers, besides the pages' own files under ``/static``.

The app serves what stands here and nothing else, and the API's document (``/api/openapi.json``) is made of it.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from streamer.web import answers, bodies
from streamer.web import answers_classes as of_classes
from streamer.web import answers_desk as of_desk
from streamer.web import answers_status as of_status
from streamer.web.api import MAX_CLASSES, MAX_QUERY, MAX_TEXT, Api
from streamer.web.controls import ControlsApi
from streamer.web.dreams import MOST, USUAL, Dreams
from streamer.web.events import Events
from streamer.web.live import Live
from streamer.web.moderation import Moderation
from streamer.web.outputs import OutputsApi
from streamer.web.polls import PollsApi
from streamer.web.routes import Answer, Group, Query, Route
from streamer.web.settings import SettingsApi
from streamer.web.site import Site
from streamer.web.thumbnails import ThumbnailsApi
from streamer.web.watch import Watch
from viewer_text.role import Role

HTML, JPEG, TS, MJPEG = ("text/html",), ("image/jpeg",), ("video/mp2t",), ("multipart/x-mixed-replace",)
ENDLESS = "the answer has no end: it goes on as long as the caller takes it and the stream runs"

_REQUEST = "/api/requests/{id:[0-9]{1,18}}"
_OUTPUT = "/api/outputs/{name:[a-z0-9][a-z0-9_-]{0,31}}"
_DREAM = "{id:[a-z2-7]{12}}"
_TEXT = {"type": "string"}


def _file(*media: str) -> dict[int, Answer]:
    """What is answered where a file is sent: all or a part of it, or that the caller has it already."""
    return {200: media, 206: media, 304: None, 412: None, 416: None}


def _number(name: str, least: int, most: int | None, about: str) -> Query:
    schema: dict[str, Any] = {"type": "integer", "minimum": least}
    return Query(name, schema if most is None else {**schema, "maximum": most}, about)


REQUESTS = (
    Route("POST", "/api/requests", Api.submit, {201: answers.Receipt}, (409, 422), bodies.RequestBody),
    Route("GET", _REQUEST, Api.standing, {200: answers.Standing}),
    Route(
        "GET",
        "/api/match",
        Api.match,
        {200: answers.Match},
        (422,),
        query=(
            Query("text", _TEXT, f"what somebody might ask for; {MAX_TEXT} characters of it are read"),
            Query("role", {"type": "string", "enum": [*Role]}, "whose words they are; looked at where a moderator calls"),
        ),
    ),
    Route("POST", "/api/oops", Api.oops, {200: answers.TakenBack}, (404,), bodies.OopsBody),
    Route("POST", "/api/voteskip", Api.voteskip, {200: answers.SkipVote}, (404, 409), bodies.VoteskipBody),
    Route("POST", "/api/chat", Api.chat, {200: answers.ChatHeard}, (), bodies.ChatBody),
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
            Query("q", _TEXT, f"words of a name; {MAX_QUERY} characters of it are read"),
            Query("like", _TEXT, "the wnid of a class; not together with q"),
            _number("limit", 1, MAX_CLASSES, "at most so many; 20 where something is looked for, else all"),
        ),
    ),
    Route("GET", "/api/layers", Api.layers, {200: of_classes.Layers}),
    Route(
        "GET",
        "/api/step",
        Api.step,
        {200: of_classes.Step},
        query=(_number("after", 0, None, "the number of the pictures that the caller has"),),
    ),
)
EVENTS = (Route("GET", "/api/events", Events.events, {200: ("text/event-stream",)}, endless=ENDLESS, head=False),)
LOGIN = (
    Route("GET", "/api/session", Api.session, {200: answers.Session}),
    Route("POST", "/api/login", Api.login, {200: answers.LoggedIn}, (), bodies.LoginBody),
    Route("POST", "/api/logout", Api.logout, {200: answers.LoggedIn}, (), bodies.EmptyBody),
)
MODERATION = (
    Route("DELETE", _REQUEST, Moderation.remove, {200: of_desk.Removed}),
    Route("POST", f"{_REQUEST}/promote", Moderation.promote, {200: of_desk.Moved}, (), bodies.EmptyBody),
    Route("POST", f"{_REQUEST}/move", Moderation.move, {200: of_desk.Moved}, (), bodies.MoveBody),
    Route("POST", "/api/remove", Moderation.remove_user, {200: of_desk.Removed}, (), bodies.UserBody),
    Route("POST", "/api/skip", Moderation.skip, {200: of_desk.Skipped}, (404,), bodies.EmptyBody),
    Route("POST", "/api/clear", Moderation.clear, {200: of_desk.Removed}, (), bodies.EmptyBody),
    Route("POST", "/api/bump", Moderation.bump, {200: of_desk.Bumped}, (), bodies.EmptyBody),
    Route("POST", "/api/twist", Moderation.twist, {200: of_desk.Twisted}, (), bodies.EmptyBody),
    Route("POST", "/api/pause", Moderation.pause, {200: of_desk.Paused}, (), bodies.PauseBody),
    Route("POST", "/api/motion", Moderation.motion, {200: of_desk.Motion}, (), bodies.MotionBody),
    Route("GET", "/api/rules", Moderation.rules, {200: of_desk.Rules}),
    Route("PATCH", "/api/rules", Moderation.change_rules, {200: of_desk.Rules}, (), bodies.RulesBody),
    Route(
        "DELETE",
        "/api/rules",
        Moderation.reset_rules,
        {200: of_desk.Rules},
        query=(Query("blocks", _TEXT, "1: blocks that were changed are forgotten, too"),),
    ),
    Route("POST", "/api/blocks", Moderation.block, {200: of_desk.BlocksChanged}, (422,), bodies.BlockBody),
    Route("POST", "/api/unblock", Moderation.unblock, {200: of_desk.BlocksChanged}, (404, 422), bodies.BlockBody),
)
POLLS = (
    Route("GET", "/api/poll", PollsApi.poll, {200: answers.PollNow}),
    Route("POST", "/api/poll", PollsApi.begin, {201: answers.PollChanged}, (409, 422), bodies.PollBody),
    Route("POST", "/api/poll/vote", PollsApi.vote, {200: answers.Voted}, (404,), bodies.VoteBody),
    Route("POST", "/api/poll/votes", PollsApi.votes, {200: answers.VotesCounted}, (404,), bodies.VotesBody),
    Route("POST", "/api/poll/counts", PollsApi.counts, {200: answers.PollChanged}, (404,), bodies.CountsBody),
    Route("POST", "/api/poll/end", PollsApi.end, {200: answers.PollChanged}, (404,), bodies.EndPollBody),
)
OUTPUTS = (
    Route("GET", "/api/outputs", OutputsApi.list, {200: of_desk.Outputs}),
    Route("POST", "/api/outputs", OutputsApi.add, {201: of_desk.OutputAdded}, (409, 422), bodies.OutputBody),
    Route("PATCH", _OUTPUT, OutputsApi.enable, {200: of_desk.OutputEnabled}, (), bodies.EnableBody),
    Route("DELETE", _OUTPUT, OutputsApi.remove, {200: of_desk.RemovedNamed}),
)
CONFIG = (
    Route("GET", "/api/reload", SettingsApi.standing, {200: of_desk.SettingsStanding}),
    Route("POST", "/api/reload", SettingsApi.reload, {200: of_desk.Reloaded}, (409, 422), bodies.EmptyBody),
)
CONTROLS = (
    Route("GET", "/api/controls", ControlsApi.standing, {200: of_desk.Controls}),
    Route("PATCH", "/api/controls", ControlsApi.change, {200: of_desk.SettingsChanged}, (422,), bodies.ControlsBody),
    Route("POST", "/api/controls/reset", ControlsApi.reset, {200: of_desk.SettingsChanged}, (422,), bodies.ResetBody),
    Route("POST", "/api/controls/preset", ControlsApi.go_over, {200: of_desk.Reloaded}, (404, 422), bodies.GoOverBody),
    Route("POST", "/api/controls/presets", ControlsApi.save, {201: of_desk.PresetSaved}, (409, 422), bodies.SavePresetBody),
    Route("POST", "/api/controls/compare", ControlsApi.compare, {200: of_desk.SideNow}, (422,), bodies.CompareBody),
)
DREAMS = (
    Route(
        "GET",
        "/api/dreams",
        Dreams.last,
        {200: of_desk.Dreams},
        query=(
            _number("limit", 1, MOST, f"at most so many; {USUAL} if left out"),
            Query("before", _TEXT, "the id of a dream: only older ones"),
        ),
    ),
    Route("GET", f"/api/dreams/{_DREAM}", Dreams.tell, {200: of_desk.Dream}),
    Route("DELETE", f"/api/dreams/{_DREAM}", Dreams.remove, {200: of_desk.RemovedNamed}),
    Route("POST", "/api/clips", Dreams.clip, {201: of_desk.Dream}, (404, 409), bodies.ClipBody),
    Route("GET", f"/d/{_DREAM}", Dreams.page, {200: HTML}),
    Route("GET", f"/d/{_DREAM}.jpg", partial(Dreams.file, kind="picture"), _file(*JPEG), about="The picture of a dream."),
    Route("GET", f"/d/{_DREAM}.small.jpg", partial(Dreams.file, kind="small"), _file(*JPEG), about="The picture, small."),
    Route("GET", f"/d/{_DREAM}.mp4", partial(Dreams.file, kind="clip"), _file("video/mp4"), about="The clip of a dream."),
    Route("GET", f"/d/{_DREAM}.gif", Dreams.gif, _file("image/gif")),
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
        query=(Query("v", _TEXT, "the picture's version, as in the addresses that /api/classes tells"),),
    ),
)
WATCH = (
    Route("GET", "/healthz", Watch.healthz, {200: of_status.Health, 503: of_status.Health}),
    Route("GET", "/metrics", Watch.metrics, {200: ("text/plain",)}),
)
SITE = (
    Route("GET", "/api/openapi.json", Site.document, {200: dict[str, Any]}),
    Route("GET", "/", partial(Site.page, name="index.html"), _file(*HTML), about="The page with live video and queue."),
    Route("GET", "/how", partial(Site.page, name="how.html"), _file(*HTML), about="The page on how the dream works."),
    Route("GET", "/overlay", partial(Site.page, name="overlay.html"), _file(*HTML), about="The page for a browser source."),
    Route("GET", "/control", partial(Site.page, name="control.html"), _file(*HTML), about="The operator's page."),
)
LATE = (Route("GET", "/{name:[^/]+}", Live.output, {200: TS + MJPEG}, endless=ENDLESS),)
"""Addresses of outputs, which come and go; looked up after all others."""

TABLE = (
    Group("Requests", Api, REQUESTS),
    Group("Status", Api, STATUS),
    Group("Status", Events, EVENTS),
    Group("Login", Api, LOGIN),
    Group("Moderation", Moderation, MODERATION),
    Group("Polls", PollsApi, POLLS),
    Group("Outputs", OutputsApi, OUTPUTS),
    Group("Config file", SettingsApi, CONFIG),
    Group("Live controls", ControlsApi, CONTROLS),
    Group("Dreams", Dreams, DREAMS),
    Group("Video", Live, VIDEO),
    Group("Catalogue", ThumbnailsApi, CATALOGUE),
    Group("Monitoring", Watch, WATCH),
    Group("Pages", Site, SITE),
    Group("Video", Live, LATE),
)
