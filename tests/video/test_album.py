"""What an album saves. The tests advance its clock."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from streamer.messages.refused import Reason, Refused
from streamer.video.album.album import AGAIN_S, LEAVING
from tests.patience import PATIENCE_S
from tests.video.studio import FPS, HEIGHT, NOON, WIDTH, HandBlocks, Studio, picture, scene


def refused(reason: Reason, call: Any, *values: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        call(*values)
    assert caught.value.reason is reason
    return caught.value


def test_a_dream_that_leaves_the_air_is_kept_with_its_picture_and_its_clip(tmp_path: Path) -> None:
    studio = Studio(tmp_path / "dreams")
    changes = studio.album.changes
    assert studio.album.changes == changes
    volcano, pizza = scene(1, "volcano", "bubble"), scene(2, "pizza", user="Jo")
    studio.air(volcano, 12.0, mixed_s=0.5, following=pizza)
    left_s = NOON + studio.clock()
    studio.air(pizza, 0.1)
    studio.album.save_due()
    assert studio.album.dreams(10) == (), "its last frame may not be encoded yet"
    studio.keep()
    (kept,) = studio.album.dreams(10)
    assert (kept.title, kept.user, kept.size, kept.clipped_by) == ("volcano + bubble", "Mara", (HEIGHT, WIDTH), "")
    assert kept.at_s == pytest.approx(left_s)
    assert [target.label for target in kept.targets] == ["volcano", "bubble"]
    assert studio.album.dream(kept.id) == kept
    assert studio.album.changes > changes
    image = cv2.imread(str(studio.album.file(kept.id, "picture")))[..., ::-1].astype(float)
    best = 12 * FPS - 6  # the last frame before the next dream's first keyframe
    assert np.abs(image - picture(best)).mean() < 3 < np.abs(image - picture(best + 3)).mean()
    with av.open(str(studio.album.file(kept.id, "clip"))) as container:
        assert len(list(container.decode(video=0))) == 80
    assert kept.clip_s == 8.0


def test_what_nobody_watched_is_a_picture(tmp_path: Path) -> None:
    studio = Studio(tmp_path, watched=False)
    dream_id = studio.dream(1)
    assert studio.album.dream(dream_id).clip_s == 0
    assert studio.album.file(dream_id, "small").exists()
    assert "no video was encoded" in str(refused(Reason.NOT_FOUND, studio.album.file, dream_id, "clip"))
    refused(Reason.NOT_FOUND, studio.album.gif, dream_id)


def test_short_dreams_are_not_saved_nor_idle_ones_if_the_setting_says_so(tmp_path: Path) -> None:
    studio = Studio(tmp_path, wandering=False)
    studio.air(scene(1), 2.9)
    studio.air(scene(2, user=""), 9.0)
    studio.air(scene(3, "pizza"), 3.0)
    studio.air(scene(4), 0.1)
    studio.keep()
    assert [dream.title for dream in studio.album.dreams(10)] == ["pizza"]


def test_a_clip_of_a_dream_shows_nothing_of_the_one_before(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    studio.air(scene(1), 20.0)
    studio.air(scene(2, "pizza"), 4.5)
    studio.air(scene(3), 0.1)
    studio.keep()
    assert [dream.clip_s for dream in studio.album.dreams(10)] == [4.5, 8.0]


def test_what_is_blocked_is_not_kept_and_what_is_blocked_later_is_not_shown(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    kept = studio.dream(1, "volcano", user="Mara")
    other = studio.dream(2, "pizza", user="Jo")
    changes = studio.album.changes
    assert studio.album.changes == changes
    for word in ("Mara", "volcano"):
        studio.blocks = HandBlocks(word)
        assert studio.album.changes > changes
        assert [dream.id for dream in studio.album.dreams(10)] == [other]
        refused(Reason.NOT_FOUND, studio.album.dream, kept)
        refused(Reason.NOT_FOUND, studio.album.file, kept, "picture")
        refused(Reason.NOT_FOUND, studio.album.gif, kept)
    studio.blocks = HandBlocks()
    assert [dream.id for dream in studio.album.dreams(10)] == [other, kept]
    studio.air(scene(8, "weapon"), 10.0)
    studio.blocks = HandBlocks("weapon")
    studio.air(scene(9), 0.1)
    studio.keep()
    studio.blocks = HandBlocks()
    assert [dream.id for dream in studio.album.dreams(10)] == [other, kept]


def test_of_a_dream_that_was_watched_for_a_while_the_clip_is_of_that_while(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    studio.air(scene(1), 5.0)
    studio.watched = False
    studio.dream(1)
    assert studio.album.dreams(1)[0].clip_s == 5.0


def test_lists_go_on_where_the_last_one_ended(tmp_path: Path) -> None:
    studio = Studio(tmp_path, watched=False)
    ids = [studio.dream(number, seconds=4.0) for number in range(5)]
    first = studio.album.dreams(2)
    assert [dream.id for dream in first] == [ids[4], ids[3]]
    assert [dream.id for dream in studio.album.dreams(2, first[-1].id)] == [ids[2], ids[1]]
    assert studio.album.dreams(2, ids[0]) == ()
    assert studio.album.dreams(2, "no such dream") == ()


def test_moderators_remove_what_is_hidden_too(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    dream_id = studio.dream(1)
    studio.blocks = HandBlocks("volcano")
    studio.album.remove(dream_id)
    assert not list(tmp_path.iterdir())
    for wrong in (dream_id, "nothing", "../../etc/passwd"):
        refused(Reason.NOT_FOUND, studio.album.remove, wrong)
        refused(Reason.NOT_FOUND, studio.album.dream, wrong)


def test_dreams_outlive_the_program(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    dream_id = studio.dream(1)
    again = Studio(tmp_path)
    assert again.album.dreams(10) == studio.album.dreams(10)
    assert again.album.file(dream_id, "clip").exists()
    assert again.album.changes > 0


def test_a_clip_has_the_last_seconds_and_a_second_request_gets_the_same_clip(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    refused(Reason.NOT_FOUND, studio.album.clip, "Jo")
    studio.air(scene(1), 20.0)
    clip = studio.album.clip("J\u202eo ")
    assert (clip.title, clip.user, clip.clipped_by, clip.clip_s) == ("volcano", "Mara", "Jo", 8.0)
    studio.clock.advance(AGAIN_S - 0.1)
    assert studio.album.clip("Ann") == clip
    studio.clock.advance(0.2)
    later = studio.album.clip("Ann")
    assert later.id != clip.id
    assert [dream.clipped_by for dream in studio.album.dreams(10)] == ["Ann", "Jo"]
    studio.blocks = HandBlocks("Jo")
    assert [dream.clipped_by for dream in studio.album.dreams(10)] == ["Ann"]
    studio.album.remove(later.id)
    assert studio.album.clip("Ann").id != later.id, "what was removed is not given again"


def test_a_clip_begins_in_the_dream_before_unless_that_is_blocked(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    studio.air(scene(1, "weapon"), 20.0)
    studio.air(scene(2, "pizza"), 3.0)
    assert (studio.album.clip("Jo").title, studio.album.clip("Jo").clip_s) == ("pizza", 8.0)
    studio.blocks = HandBlocks("weapon")
    studio.clock.advance(AGAIN_S)
    assert studio.album.clip("Jo").clip_s == 3.0
    studio.blocks = HandBlocks("pizza")
    refused(Reason.BLOCKED, studio.album.clip, "Jo")
    studio.blocks = HandBlocks("Jo")
    refused(Reason.BLOCKED, studio.album.clip, "Jo")


def test_a_clip_of_what_nobody_watches_is_a_picture(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    studio.air(scene(1), 5.0)
    studio.watched = False
    studio.air(scene(1), 3.0)
    clip = studio.album.clip("Jo")
    assert clip.clip_s == 0
    assert studio.album.file(clip.id, "picture").exists()


def test_a_failing_disk_is_reported_once_and_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    place = tmp_path / "dreams"
    place.write_text("a file where the folder should be")
    studio = Studio(place)
    caplog.clear()
    for number in range(3):
        studio.air(scene(number), 5.0)
    studio.keep()
    refused(Reason.CLOSED, studio.album.clip, "Jo")
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert f"dreams cannot be saved in '{place}': " in warning.getMessage()
    place.unlink()
    assert studio.album.clip("Jo").clip_s == 8.0
    assert f"dreams are saved in '{place}' again" in caplog.text


@pytest.mark.logs("is not saved: the disk is too slow")
def test_a_disk_that_hangs_lets_the_oldest_go(tmp_path: Path) -> None:
    studio = Studio(tmp_path, watched=False)
    for number in range(LEAVING + 3):
        studio.air(scene(number, f"dream {number}"), 3.0)
    studio.keep()
    assert [dream.title for dream in studio.album.dreams(100)] == [f"dream {number}" for number in range(LEAVING + 1, 1, -1)]


def test_what_has_left_the_air_is_kept_at_the_end(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    studio.album.start()
    studio.air(scene(1), 5.0)
    studio.air(scene(2), 0.1)
    assert studio.album.close(PATIENCE_S)
    assert [dream.title for dream in studio.album.dreams(10)] == ["volcano"]


def test_gifs_are_made_when_they_are_asked_for_if_they_are_offered(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    dream_id = studio.dream(1)
    assert studio.album.gif(dream_id) is None
    assert not list(tmp_path.glob("*.gif"))
    without = Studio(tmp_path, gif=False)
    assert not without.album.gifs
    refused(Reason.NOT_FOUND, without.album.gif, dream_id)
