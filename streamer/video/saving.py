"""Classes of which the video's work in progress holds objects, for ``saved_state``."""

from __future__ import annotations

from streamer.video.flash.light import Glance, Light
from streamer.video.flash.meter import Change, Field, Meter
from streamer.video.flash.places import Places, Turns
from streamer.video.frames.overlay import Patch
from streamer.video.frames.pace import Shot

CLASSES: tuple[type, ...] = (Change, Field, Glance, Light, Meter, Patch, Places, Shot, Turns)
