"""Converts snapshots and results to the API's JSON; the only place that knows its field names."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any, cast, overload

from streamer.messages.album_entry import AlbumEntry
from streamer.messages.chat_status import ChatReport
from streamer.messages.network_contents import ClassEntry, ClassKind, LayerEntry
from streamer.messages.programme import Programme
from streamer.messages.queue_rules import Blocked, Rules
from streamer.messages.renderer_status import LinkStatus
from streamer.messages.requests import Match, Receipt, Standing, Substitution, Waiting
from streamer.messages.scenes import Kind, Scene, Target
from streamer.messages.status import OutputStatus, SettingsStatus, SourceStatus, StatusSnapshot
from streamer.messages.step_view import Inspection
from streamer.messages.viewer_polls import Poll, PollChoice
from streamer.web import response_schemas, response_schemas_classes, response_schemas_moderation, response_schemas_status
from streamer.web.protocols import Thumbnail

Json = dict[str, Any]
Links = Mapping[str, str]
"""Pages about classes, by wnid."""


def dumps(value: object) -> str:
    """Return compact ASCII JSON."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


@overload
def _seconds(value: float) -> float: ...
@overload
def _seconds(value: float | None) -> float | None: ...
def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def targets(items: Iterable[Target], links: Links) -> list[response_schemas.Target]:
    """Convert targets, without duplicates, with links to the pages about them."""
    one_word: dict[str, str] = {Kind.CHANNELS: Kind.LAYER}  # the API does not tell them apart
    return [
        {"kind": str(one_word.get(t.kind, t.kind)), "wnid": t.wnid, "label": t.label, "link": links.get(t.wnid, "")}
        for t in dict.fromkeys(items)
    ]


def receipt(item: Receipt, links: Links) -> response_schemas.Receipt:
    """Convert a receipt."""
    return {
        "id": item.id,
        "position": item.position,
        "eta_s": _seconds(item.eta_s),
        "title": item.title,
        "targets": targets(item.targets, links),
        "note": item.note,
    }


def match(item: Match, links: Links) -> response_schemas.Match:
    """Convert the interpretation of a text."""
    return {"title": item.title, "targets": targets(item.targets, links), "note": item.note, "exact": item.exact}


def picture(item: PollChoice) -> str:
    """Path of a choice's thumbnail, which may not exist yet; empty if there is never one."""
    return next((f"/thumbnails/{target.wnid}.webp" for target in item.targets if target.wnid), "")


def poll(item: Poll, links: Links) -> response_schemas.Poll:
    """Convert a poll."""
    return {
        "id": item.id,
        "state": item.state,
        "left_s": _seconds(item.left_s),
        "length_s": _seconds(item.length_s),
        "user": item.user,
        "votes": item.votes,
        "winner": item.winner,
        "tied": item.tied,
        "outside": item.outside,
        "choices": [
            {
                "number": choice.number,
                "title": choice.title,
                "names": list(choice.names),
                "votes": choice.votes,
                "targets": targets(choice.targets, links),
                "picture": picture(choice),
            }
            for choice in item.choices
        ],
    }


def standing(item: Standing) -> response_schemas.Standing:
    """Convert the state of a request; with a position only if it waits."""
    request = item.request
    answer: response_schemas.Standing = {"id": request.id, "state": request.state, "user": request.user, "title": request.title}
    if item.position is not None:
        answer |= {"position": item.position, "eta_s": _seconds(item.eta_s)}
    return answer


def blocked(item: Blocked) -> response_schemas_moderation.Blocked:
    """Convert the blocks."""
    classes: list[response_schemas_moderation.BlockedClass] = [
        {"wnid": target.wnid, "label": target.label} for target in item.classes
    ]
    return {"words": list(item.words), "users": list(item.users), "classes": classes}


def rules(item: Rules, *, moderates: bool) -> response_schemas_moderation.Rules:
    """Convert the rules; the blocks are for moderators only."""
    answer = {**item.settings, "changed": list(item.changed), "blocked": blocked(item.blocked) if moderates else None}
    return cast(response_schemas_moderation.Rules, answer)


def class_entry(entry: ClassEntry, thumbnail: str) -> response_schemas_classes.ClassEntry:
    """Convert a class, with the path of its thumbnail; empty if there is none."""
    return {
        "wnid": entry.wnid,
        "label": entry.label,
        "names": list(entry.names),
        "link": entry.link,
        "available": entry.available,
        "unlearnt": entry.unlearnt,
        "family_safe": entry.family_safe,
        "kind": entry.kind,
        "thumbnail": thumbnail,
    }


def classes(
    found: Iterable[ClassEntry], kinds: Iterable[ClassKind], thumbnails: Mapping[str, Thumbnail]
) -> response_schemas_classes.Classes:
    """Convert classes, and all kinds in display order."""
    addresses = {wnid: f"/thumbnails/{wnid}.webp?v={picture.version}" for wnid, picture in thumbnails.items()}
    return {
        "classes": [class_entry(entry, addresses.get(entry.wnid, "")) for entry in found],
        "kinds": [{"name": kind.name, "title": kind.title} for kind in kinds],
    }


def layer_entry(entry: LayerEntry) -> response_schemas_classes.Layer:
    """Convert a layer."""
    return {"name": entry.name, "channels": entry.channels, "stride": entry.stride}


def past_dream(item: AlbumEntry, links: Links, *, url: str | None, gifs: bool) -> response_schemas_moderation.Dream:
    """Convert a past dream; ``url`` is its public address, if that is known."""
    path = f"/d/{item.id}"
    return {
        "id": item.id,
        "title": item.title,
        "targets": targets(item.targets, links),
        "user": item.user,
        "clipped_by": item.clipped_by,
        "at_s": round(item.at_s, 1),
        "path": path,
        "url": url,
        "picture": f"{path}.jpg",
        "small": f"{path}.small.jpg",
        "width": item.size[1],
        "height": item.size[0],
        "clip": f"{path}.mp4" if item.clip_s else None,
        "clip_s": _seconds(item.clip_s),
        "gif": f"{path}.gif" if item.clip_s and gifs else None,
    }


def network(snapshot: StatusSnapshot) -> response_schemas_classes.Network:
    """Convert the network in use, and what it knows."""
    known = snapshot.knowledge
    return {
        "name": snapshot.renderer.network,
        "classes": known.classes,
        "total": known.total,
        "examples": list(known.examples),
        "remedy": known.remedy,
        "more": list(known.more),
    }


def _on_air(scene: Scene, programme: Programme, links: Links) -> response_schemas_status.OnAir:
    return {
        "scene": scene.id,
        "title": scene.title,
        "user": scene.user,
        "request_id": scene.request_id,
        "targets": targets((region.target for region in scene.regions), links),
        "instead_of": programme.instead_of,
        "since_s": _seconds(programme.since_s),
        "left_s": _seconds(programme.left_s),
    }


def _waiting(item: Waiting, links: Links) -> response_schemas_status.Waiting:
    return {
        "id": item.request.id,
        "position": item.position,
        "eta_s": _seconds(item.eta_s),
        "title": item.request.title,
        "user": item.request.user,
        "role": item.request.role,
        "text": item.request.text,
        "source": item.request.source,
        "votes": item.request.votes,
        "priority": item.request.priority,
        "amount": item.request.amount,
        "targets": targets(item.request.targets, links),
        "instead_of": item.instead_of,
    }


def change(item: Substitution) -> response_schemas.Change:
    """Convert a request that shows something else than its viewer was answer; the title is empty if it was left out."""
    return {"number": item.number, "id": item.request_id, "user": item.user, "asked": item.asked, "title": item.title}


def inspection(item: Inspection | None, seen: int = 0) -> response_schemas_classes.Step:
    """Convert the pictures of a step; none if the caller has ``seen`` them already."""
    if item is None:
        return {"number": 0, "shown": False, "pictures": []}
    view = item.view
    answer: response_schemas_classes.Step = {"number": item.number, "shown": view is not None, "pictures": []}
    if view is None or item.number == seen:
        return answer
    answer["pictures"] = [{"name": each.name, "jpeg": b64encode(each.jpeg).decode("ascii")} for each in view.pictures]
    answer |= {"title": view.title, "network": view.network}
    return answer


def _chat(report: ChatReport, restarts: int) -> response_schemas_status.Chat:
    return {
        "state": report.state,
        "detail": report.detail,
        "account": report.account,
        "channel": report.channel,
        "source": report.source,
        "age_s": _seconds(report.age_s),
        "since_s": _seconds(report.since_s),
        "heard_s": _seconds(report.heard_s),
        "restarts": restarts,
    }


def output(item: OutputStatus) -> response_schemas_moderation.Output:
    """Convert the state of an output."""
    return {
        "name": item.name,
        "kind": item.kind,
        "enabled": item.enabled,
        "public": item.public,
        "state": item.state,
        "reason": item.reason,
        "target": item.target,
        "delivered_bytes": item.delivered_bytes,
        "dropped": item.dropped,
        "failures": item.failures,
        "since_s": _seconds(item.since_s),
        "retry_in_s": _seconds(item.retry_in_s),
    }


def settings(item: SettingsStatus) -> response_schemas_moderation.SettingsStanding:
    """Convert the state of the config file."""
    return {
        "file": item.file,
        "mistakes": list(item.mistakes),
        "at_next_start": list(item.at_next_start),
        "reloads": item.reloads,
        "revision": item.revision,
    }


def link(item: LinkStatus) -> response_schemas_status.Link:
    """Convert the connection to the cluster."""
    return {
        "node": item.node,
        "why": item.why,
        "coding": item.coding,
        "mbit_per_s": round(8e-6 * item.bytes_per_s, 1),
        "round_trip_ms": round(1e3 * item.round_trip_s, 2),
        "keyframe_bytes": item.keyframe_bytes,
        "lag_s": round(item.lag_s, 3),
        "spare": item.spare,
    }


def status(snapshot: StatusSnapshot, links: Links) -> response_schemas_status.Status:
    """Convert the status, for ``/api/status`` and ``/api/events``."""
    programme, frames, renderer = snapshot.programme, snapshot.frames, snapshot.renderer
    canvas, sound = renderer.canvas, snapshot.sound
    return {
        "on_air": None if programme.scene is None else _on_air(programme.scene, programme, links),
        "queue": [_waiting(item, links) for item in programme.waiting],
        "poll": None if programme.poll is None else poll(programme.poll, links),
        "paused": programme.paused,
        "open": programme.open,
        "unwritten": snapshot.unwritten,
        "motion": {"speed": snapshot.motion.speed, "rotation": snapshot.motion.rotation},
        "chat": None if snapshot.chat is None else _chat(snapshot.chat, snapshot.chat_restarts),
        "video": {
            "state": snapshot.picture,
            "fps": snapshot.fps,
            "fps_measured": round(snapshot.fps_measured, 2),
            "frames": {
                "number": snapshot.frame_number,
                "shown": frames.shown,
                "late": frames.late,
                "repeated": frames.repeated,
                "dropped": frames.dropped,
                "limited": frames.limited,
                "stopped": frames.stopped,
                "unencoded": frames.unencoded,
            },
            "encoder": snapshot.encoder,
            "given_up": list(snapshot.given_up),
            "longest_gap_s": round(snapshot.longest_gap_s, 4),
            "slate": snapshot.slate,
            "viewers": snapshot.viewers,
        },
        "network": network(snapshot),
        "renderer": {
            "network": renderer.network,
            "device": renderer.device,
            "canvas": None if canvas is None else {"width": canvas[1], "height": canvas[0]},
            "steps_per_s": round(renderer.steps_per_s, 2),
            "keyframe_s": None if renderer.keyframe_s is None else round(renderer.keyframe_s, 3),
            "restarts": renderer.restarts,
            "error": renderer.error,
            "last_error": renderer.last_error,
            "last_error_ago_s": _seconds(renderer.last_error_ago_s),
            "spoilt": renderer.spoilt,
            "reduced": renderer.reduced,
            "link": None if renderer.link is None else link(renderer.link),
        },
        "sound": {
            "source": sound.source,
            "state": sound.state,
            "playing": sound.playing,
            "dropouts": sound.dropouts,
            "error": sound.error,
            "beats": sound.beats,
        },
        "source": None if snapshot.source is None else _source(snapshot.source),
        "outputs": [output(item) for item in snapshot.outputs],
        "health": {"ok": not snapshot.problems, "problems": list(snapshot.problems)},
        "settings": {  # only the number of mistakes, because their text is not for viewers
            "mistakes": len(snapshot.settings.mistakes),
            "at_next_start": len(snapshot.settings.at_next_start),
            "reloads": snapshot.settings.reloads,
            "revision": snapshot.settings.revision,
        },
        "dreamt": snapshot.album_revision,
        "uptime_s": _seconds(snapshot.uptime_s),
        "version": snapshot.version,
    }


def _source(source: SourceStatus) -> response_schemas_status.Source:
    return {
        "kind": source.kind,
        "name": source.name,
        "state": source.state,
        "reason": source.reason,
        "size": None if source.size is None else {"width": source.size[1], "height": source.size[0]},
        "fps": round(source.fps, 1),
        "losses": source.losses,
    }


def news(snapshot: response_schemas_status.Status) -> Json:
    """Reduce a status to what changes by events, not by the clock: if two of these differ, watchers get one immediately."""
    on_air, chat, poll = snapshot["on_air"], snapshot["chat"], snapshot["poll"]
    return {
        "on_air": on_air and on_air["scene"],
        "held": on_air and on_air["left_s"] is None,
        "poll": poll and (poll["id"], poll["state"]),  # without votes: there may be hundreds a second
        "queue": [(item["id"], item["title"], item["votes"], item["priority"], item["amount"]) for item in snapshot["queue"]],
        "paused": snapshot["paused"],
        "open": snapshot["open"],
        "motion": snapshot["motion"],
        "chat": chat and {**chat, "age_s": None, "since_s": None, "heard_s": None},
        "picture": snapshot["video"]["state"],
        "network": snapshot["network"],
        "restarts": snapshot["renderer"]["restarts"],
        "given_up": snapshot["video"]["given_up"],
        "outputs": [(item["name"], item["state"], item["reason"], item["failures"]) for item in snapshot["outputs"]],
        "health": snapshot["health"],
        "dreamt": snapshot["dreamt"],
        "settings": snapshot["settings"],
    }
