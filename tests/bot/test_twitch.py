"""The Twitch adapter, with the real twitchio and a stand-in for Twitch on loopback: hearing, speaking, logins, rewards."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
import stat
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import ValidationError

from bot.accounts import findings
from bot.adapter import ChatLine
from bot.config_twitch import TwitchConfig
from bot.throttle import AS_MODERATOR, AS_VIEWER
from shared.role import Role
from tests.bot.twitch_stage import CALM, Stage, keep_logins, staged
from tests.bot.twitch_standin import CLIENT_ID, Reward, TwitchStandIn, new_id


@pytest.fixture
def secret() -> str:
    """Return a secret of the application in Twitch's format."""
    return "s3cr3tofth3application12345678"


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def play(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scene())


# Hearing


def test_it_hears_a_line_and_answers_in_its_thread(tmp_path: Path) -> None:
    async def scene() -> None:
        async with staged(tmp_path) as stage:
            await stage.connected()
            line = await stage.hears()
            assert line == ChatLine(line.id, "Viewer", "2001", "!dream volcano", Role.EVERYONE, "twitch")
            await stage.adapter.say(line, "volcano: next, in about a minute")
            (sent,) = stage.twitch.sent
            assert (sent.login, sent.text, sent.parent) == ("dreambot", "volcano: next, in about a minute", line.id)
            state = stage.adapter.state()
            assert (state.state, state.detail, state.account, state.channel) == ("connected", "", "dreambot", "streamer")
        assert stage.adapter.state().state == "offline"

    play(scene)


@pytest.mark.parametrize(
    ("badges", "role"),
    [
        ([], Role.EVERYONE),
        (["premium", "bits"], Role.EVERYONE),
        (["subscriber"], Role.SUBSCRIBER),
        (["founder", "bits-leader"], Role.SUBSCRIBER),
        (["vip", "subscriber"], Role.VIP),
        (["subscriber", "moderator"], Role.MODERATOR),
        (["lead_moderator"], Role.MODERATOR),
        (["broadcaster", "subscriber"], Role.BROADCASTER),
    ],
)
def test_badges_tell_the_role(tmp_path: Path, badges: list[str], role: Role) -> None:
    async def scene() -> None:
        async with staged(tmp_path) as stage:
            await stage.connected()
            await stage.twitch.say("viewer", "!skip", badges=badges)
            await stage.until(lambda: stage.lines)
            assert stage.lines[0].role is role

    play(scene)


def test_cheers_threads_and_shared_chats(tmp_path: Path) -> None:
    async def scene() -> None:
        async with staged(tmp_path) as stage:
            await stage.connected()
            await stage.twitch.say("viewer", "!dream volcano", bits=100)
            await stage.twitch.say("viewer", "!dream fox", reply_to="dreambot")
            await stage.twitch.say("friend", "!dream pizza", source="friend")
            await stage.twitch.say("viewer", "last")
            await stage.until(lambda: stage.lines and stage.lines[-1].text == "last")
            assert [(line.text, line.bits) for line in stage.lines] == [("!dream volcano", 100), ("!dream fox", 0), ("last", 0)]

    play(scene)


def test_cheers_are_plain_lines_where_bits_are_off(tmp_path: Path) -> None:
    async def scene() -> None:
        async with staged(tmp_path, bits=False) as stage:
            await stage.connected()
            await stage.twitch.say("viewer", "Cheer100 !dream volcano", bits=100)
            await stage.until(lambda: stage.lines)
            assert (stage.lines[0].text, stage.lines[0].bits) == ("!dream volcano", 0)

    play(scene)


# Speaking


def test_an_account_of_its_own_is_not_heard(tmp_path: Path) -> None:
    async def scene() -> None:
        async with staged(tmp_path) as stage:
            await stage.connected()
            await stage.adapter.say(None, "!dream of me")
            await stage.twitch.say("dreambot", "!dream typed by hand")
            await stage.hears()
            assert [line.user for line in stage.lines] == ["Viewer"]

    play(scene)


def test_one_account_for_both_hears_the_streamer_and_not_itself(tmp_path: Path) -> None:
    async def scene() -> None:
        async with staged(tmp_path, logins=("streamer",), account=None) as stage:
            await stage.connected()
            line = await stage.hears()
            await stage.adapter.say(line, "!volcano: next")
            await stage.twitch.say("streamer", "!dream fox")
            await stage.until(lambda: len(stage.lines) == 2)
            assert (stage.lines[1].text, stage.lines[1].role) == ("!dream fox", Role.BROADCASTER)
            assert stage.twitch.sent[0].login == "streamer"
            assert stage.adapter._throttle.per_30s == AS_MODERATOR

    play(scene)


def test_it_speaks_faster_where_it_moderates(tmp_path: Path) -> None:
    async def scene() -> None:
        async with staged(tmp_path) as stage:
            stage.adapter._throttle.per_30s = AS_VIEWER
            await stage.connected()
            await stage.adapter.say(None, "hello")
            await stage.hears()
            assert stage.adapter._throttle.per_30s == AS_VIEWER
            stage.twitch.badges["dreambot"] = ["moderator"]
            await stage.adapter.say(None, "hello again")
            await stage.until(lambda: stage.adapter._throttle.per_30s == AS_MODERATOR)
            stage.twitch.badges["dreambot"] = []
            await stage.adapter.say(None, "and again")
            await stage.until(lambda: stage.adapter._throttle.per_30s == AS_VIEWER)

    play(scene)


@pytest.mark.logs("a reply is lost", "Twitch dropped a reply")
def test_replies_survive_hiccups_and_lost_ones_are_logged(tmp_path: Path) -> None:
    messages = "POST /helix/chat/messages"

    async def scene() -> None:
        async with staged(tmp_path) as stage:
            await stage.connected()
            line = await stage.hears()
            for statuses, parent in (([500], line.id), ([400], None)):  # 400: the line has been deleted
                stage.twitch.faults.statuses[messages] = statuses
                await stage.adapter.say(line, "volcano: next")
                assert stage.twitch.sent[-1].parent == parent
            assert len(stage.twitch.sent) == 2
            stage.twitch.faults.statuses[messages] = [500, 500]
            await stage.adapter.say(line, "lost")
            stage.twitch.faults.drop_message = "msg_rejected"
            await stage.adapter.say(line, "dropped")
            stage.twitch.faults.drop_message = ""
            await stage.adapter.say(line, "word " * 200)
            assert len(stage.twitch.sent) == 3
            assert len(stage.twitch.sent[-1].text) <= 450

    play(scene)


# Logins


def test_an_expired_token_is_refreshed_and_kept_at_once(tmp_path: Path) -> None:
    async def scene() -> None:
        async with staged(tmp_path) as stage:
            await stage.connected()
            line = await stage.hears()
            before = stage.kept()["dreambot"]
            stage.twitch.expire("dreambot")
            await asyncio.gather(*(stage.adapter.say(line, f"reply {number}") for number in range(5)))
            assert sorted(sent.text for sent in stage.twitch.sent) == [f"reply {number}" for number in range(5)]
            assert stage.twitch.tally()["POST /oauth2/token 200"] == 1  # a second try would spend a dead refresh token
            await stage.until(lambda: stage.kept()["dreambot"] != before)
            after = stage.kept()["dreambot"]
            assert after["access"] in stage.twitch.grants
            assert after["scopes"] == ["user:read:chat", "user:write:chat"]
            assert after["refresh"] == stage.twitch.grants[after["access"]].refresh
            assert stat.S_IMODE(stage.tokens.stat().st_mode) == 0o600
            assert [file.name for file in tmp_path.iterdir()] == ["tokens.json"]

    play(scene)


@pytest.mark.logs("a reply is lost", "no connection for")
def test_a_call_that_is_given_up_does_not_lose_the_login(tmp_path: Path) -> None:
    async def scene() -> None:
        async with staged(tmp_path, timings=replace(CALM, call_s=0.5)) as stage:
            await stage.connected()
            line = await stage.hears()
            stage.twitch.expire("dreambot")
            stage.twitch.faults.slow_refresh_s = 1.5
            await stage.adapter.say(line, "reply")  # both of its tries time out before the refresh is done
            await stage.until(lambda: stage.kept()["dreambot"]["access"] in stage.twitch.grants, "kept")
            assert stage.twitch.tally()["POST /oauth2/token 200"] == 1
            await stage.connected()
            await stage.adapter.say(line, "another")
            assert stage.twitch.sent[-1].text == "another"

    play(scene)


def test_a_login_is_not_lost_when_the_bot_ends(tmp_path: Path) -> None:
    async def scene() -> None:
        async with staged(tmp_path) as stage:
            await stage.connected()
            line = await stage.hears()
            stage.twitch.expire("dreambot")
            stage.twitch.faults.slow_refresh_s = 0.3
            reply = asyncio.create_task(stage.adapter.say(line, "reply"))
            await stage.until(lambda: not any(grant.login == "dreambot" for grant in stage.twitch.grants.values()), "spent")
            reply.cancel()
            assert stage.task is not None
            stage.task.cancel()
            await asyncio.gather(stage.task, reply, return_exceptions=True)
            assert stage.kept()["dreambot"]["access"] in stage.twitch.grants

    play(scene)


def test_a_token_that_expired_while_the_bot_was_off_is_refreshed_at_the_start(tmp_path: Path) -> None:
    async def scene() -> None:
        async with staged(tmp_path, prepare=lambda twitch: twitch.expire("dreambot")) as stage:
            await stage.connected()
            await stage.hears()
            assert stage.kept()["dreambot"]["access"] in stage.twitch.grants

    play(scene)


def test_logins_are_validated_now_and_then(tmp_path: Path) -> None:
    async def scene() -> None:
        async with staged(tmp_path, timings=replace(CALM, validate_s=0.1)) as stage:
            await stage.connected()
            before = stage.twitch.count("oauth2/validate")
            stage.twitch.expire("dreambot")
            await stage.until(lambda: stage.twitch.tally()["POST /oauth2/token 200"] == 1)
            await stage.until(lambda: stage.twitch.count("oauth2/validate") > before + 3)
            await stage.until(lambda: stage.kept()["dreambot"]["access"] in stage.twitch.grants)
            await stage.hears()

    play(scene)


@pytest.mark.logs("needs login", "login refused")
def test_the_first_login_by_device_code_takes_only_the_right_account(tmp_path: Path) -> None:
    async def scene() -> None:
        async with staged(tmp_path, logins=()) as stage:
            await stage.until(lambda: stage.twitch.codes)
            state = stage.adapter.state()
            assert state.state == "needs login"
            assert "dreambot has to log in" in state.detail
            code = next(iter(stage.twitch.codes.values()))
            assert set(code["scopes"]) == {"user:read:chat", "user:write:chat"}
            stage.twitch.approve("viewer")
            await stage.until(lambda: stage.twitch.revoked_by_bot == ["viewer"], "a stranger's leave is given back")
            assert not stage.tokens.exists()
            await stage.until(lambda: stage.twitch.codes)
            stage.twitch.approve("dreambot")
            await stage.connected()
            await stage.hears()
            assert list(stage.kept()) == ["dreambot"]
            assert stat.S_IMODE(stage.tokens.stat().st_mode) == 0o600

    play(scene)


@pytest.mark.logs("needs login")
def test_a_code_that_nobody_types_in_is_replaced(tmp_path: Path) -> None:
    def hurry(twitch: TwitchStandIn) -> None:
        twitch.device_expires_s = 0.3

    async def scene() -> None:
        async with staged(tmp_path, logins=(), prepare=hurry) as stage:
            await stage.until(lambda: stage.twitch.count("oauth2/device") == 3)
            await stage.until(lambda: stage.twitch.codes)
            stage.twitch.approve("dreambot")
            await stage.connected()

    play(scene)


@pytest.mark.logs("needs login")
def test_a_login_made_elsewhere_counts(tmp_path: Path) -> None:
    async def scene() -> None:
        async with staged(tmp_path, logins=()) as stage:
            await stage.until(lambda: stage.adapter.state().state == "needs login")
            keep_logins(stage.twitch, stage.tokens, "dreambot")
            await stage.connected()

    play(scene)


@pytest.mark.logs("needs login", "login refused")
def test_the_login_page_takes_only_the_right_account(tmp_path: Path, unused_port: int, secret: str) -> None:
    async def scene() -> None:
        options = {"login": "page", "login_port": unused_port, "secret": secret, "logins": ()}
        async with staged(tmp_path, **options) as stage, aiohttp.ClientSession() as browser:
            await stage.until(lambda: stage.adapter.state().state == "needs login")
            page = f"http://localhost:{unused_port}/oauth"

            async def get(address: str, **options: Any) -> tuple[int, str]:
                async with browser.get(address, **options) as answer:
                    return answer.status, await answer.text()

            await asyncio.sleep(0.1)
            assert (await get(f"{page}?account=viewer"))[0] == 404
            assert (await get(page))[0] == 404
            assert (await get(f"{page}/callback?code=dreambot.user:read:chat&state=made-up"))[0] == 400
            stage.twitch.browser = "viewer"
            status, text = await get(f"{page}?account=dreambot&scopes=channel:manage:broadcast")
            assert (status, text) == (403, "That was the wrong account: log in to Twitch as dreambot, and start again.")
            assert stage.twitch.revoked_by_bot == ["viewer"]
            stage.twitch.browser = "dreambot"
            status, text = await get(f"{page}?account=dreambot")
            assert (status, text) == (200, "dreambot is logged in. You can close this page.")
            await stage.connected()
            await stage.hears()
            grant = stage.twitch.grants[stage.kept()["dreambot"]["access"]]
            assert set(grant.scopes) == {"user:read:chat", "user:write:chat"}

    play(scene)


@pytest.mark.logs("needs login", "may need a login", "a reply is lost")
def test_a_refresh_that_is_refused_means_a_login(tmp_path: Path) -> None:
    async def scene() -> None:
        async with staged(tmp_path) as stage:
            await stage.connected()
            line = await stage.hears()
            stage.twitch.grants.clear()
            await stage.adapter.say(line, "lost")
            await stage.until(lambda: stage.adapter.state().state == "needs login")
            await stage.until(lambda: stage.twitch.codes)
            assert stage.kept() == {}
            stage.twitch.approve("dreambot")
            await stage.connected()
            await stage.hears()

    play(scene)


@pytest.mark.logs("needs login", "no login for dreambot yet")
def test_a_wrong_client_id_is_reported_and_not_retried_too_often(tmp_path: Path) -> None:
    async def scene() -> None:
        async with staged(tmp_path, logins=(), client_id="someother") as stage:
            await stage.until(lambda: "check twitch.client_id" in stage.adapter.state().detail)
            assert stage.adapter.state().detail.startswith("dreambot cannot: Twitch answered 400 (invalid client)")
            began_s = time.monotonic()
            await asyncio.sleep(1.0)
            assert stage.twitch.count("oauth2/device") <= 4 + (time.monotonic() - began_s) / 0.6  # 0.2, 0.4, 0.8, 0.8 s apart

    play(scene)


@pytest.mark.logs("cannot log in")
def test_a_wrong_secret_is_no_reason_to_forget_a_login(tmp_path: Path, secret: str) -> None:
    async def scene() -> None:
        def spoil(twitch: TwitchStandIn) -> None:
            twitch.secret = "quite another secret"
            twitch.expire("dreambot")

        async with staged(tmp_path, secret=secret, prepare=spoil) as stage:
            await stage.until(lambda: stage.adapter.state().state == "offline")
            assert "client secret" in stage.adapter.state().detail
            assert "dreambot" in stage.kept()
            stage.twitch.secret = secret
            await stage.connected()

    play(scene)


@pytest.mark.logs("could be read by others")
def test_a_damaged_token_file_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "tokens.json").write_text("{")
    (tmp_path / "tokens.json").chmod(0o644)

    async def scene() -> None:
        async with staged(tmp_path, logins=()) as stage:
            await stage.until(lambda: stage.adapter.state().state == "offline")
            assert stage.adapter.state().detail == f"{stage.tokens}: it is damaged; delete it and log in again"
            stage.tokens.unlink()
            await stage.until(lambda: stage.adapter.state().state == "needs login")

    play(scene)


@pytest.mark.parametrize("path", ["POST /oauth2/token", "GET /oauth2/validate", "POST /helix/chat/messages"])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
def test_no_secret_reaches_the_log(
    tmp_path: Path, secret: str, caplog: pytest.LogCaptureFixture, path: str, status: int
) -> None:
    caplog.set_level(logging.DEBUG)
    seen: set[str] = {secret}

    async def scene() -> None:
        async with staged(tmp_path, secret=secret) as stage:

            def remember() -> None:
                for access, grant in stage.twitch.grants.items():
                    seen.update((access, grant.refresh))

            await stage.connected()
            remember()
            line = await stage.hears()
            stage.twitch.expire("dreambot")
            stage.twitch.faults.statuses[path] = [status] * 2
            await stage.adapter.say(line, "reply")
            remember()
            stage.twitch.expire("dreambot")
            await stage.twitch.close(4003)
            await stage.until(lambda: stage.twitch.count("/ws") > 1 or stage.adapter.state().state == "needs login")
            remember()
            logging.getLogger("twitchio.web.aio_adapter").error("Exception raised while fetching Token: %s", _leaky(secret))
            logging.getLogger("asyncio").error("never retrieved", exc_info=RuntimeError(f"client_secret={secret}&x=1"))

    play(scene)
    printed = "\n".join(f"{record.getMessage()} {record.exc_text} {record.exc_info}" for record in caplog.records)
    assert "client_secret=[hidden]" in printed
    for each in seen:
        assert each not in printed
        assert each not in caplog.text
    assert not re.search(r"(?:access|refresh)[0-9a-f]{20}", printed)


def _leaky(secret: str) -> Exception:
    return RuntimeError(f"Request https://id.twitch.tv/oauth2/token?client_id=x&client_secret={secret}&code=abc failed")


# Rewards

TITLE = "Dream something"


def rewarding(tmp_path: Path, **config: Any) -> Any:
    return staged(tmp_path, logins=("dreambot", "streamer"), **{"rewards": (TITLE,), **config})


async def ready(stage: Stage) -> Reward:
    from tests.bot.twitch_standin import REDEMPTION

    await stage.connected()
    await stage.until(lambda: stage.twitch.hears(REDEMPTION), "hears redemptions")
    return next(iter(stage.twitch.rewards.values()))


def test_a_reward_is_made_heard_fulfilled_and_refunded(tmp_path: Path) -> None:
    async def scene() -> None:
        async with rewarding(tmp_path, reward_cost=300) as stage:
            reward = await ready(stage)
            assert (reward.title, reward.cost) == (TITLE, 300)
            shown = await stage.twitch.redeem("viewer", reward.id, "volcano")
            refused = await stage.twitch.redeem("friend", reward.id, "xyzzy")
            taken_out = await stage.twitch.redeem("vip", reward.id, "fox")
            await stage.until(lambda: len(stage.lines) == 3)
            line = stage.lines[0]
            assert (line.user, line.text, line.reward_id, line.redemption_id) == ("Viewer", "volcano", reward.id, shown.id)
            await stage.adapter.say(line, "volcano: next")
            assert (stage.twitch.sent[0].text, stage.twitch.sent[0].parent) == ("@Viewer volcano: next", None)
            for line, request_id in zip(stage.lines, (1, None, 3), strict=True):
                stage.adapter.settled(line, request_id)
            await stage.until(lambda: refused.status == "CANCELED")
            assert (shown.status, taken_out.status) == ("UNFULFILLED", "UNFULFILLED")
            stage.standing |= {1: "queued", 3: "queued"}
            await asyncio.sleep(0.2)
            assert (shown.status, taken_out.status) == ("UNFULFILLED", "UNFULFILLED")
            stage.standing |= {1: "on_air", 3: "removed"}
            await stage.until(lambda: (shown.status, taken_out.status) == ("FULFILLED", "CANCELED"))
            assert len(stage.lines) == 3  # the chat's copies of the redemptions are not heard

    play(scene)


@pytest.mark.logs("no connection for")
def test_redemptions_outlive_the_bot(tmp_path: Path) -> None:
    async def scene() -> None:
        async with rewarding(tmp_path) as stage:
            reward = await ready(stage)
            before = await stage.twitch.redeem("viewer", reward.id, "volcano")
            await stage.until(lambda: stage.lines)
            stage.adapter.settled(stage.lines[0], 1)
            kept = stage.adapter._path.with_name("twitch_rewards.json")
            assert json.loads(kept.read_text())["redemptions"] == [[before.id, reward.id, 1]]
            assert stat.S_IMODE(kept.stat().st_mode) == 0o600

        def recall(twitch: TwitchStandIn) -> None:
            twitch.rewards[reward.id] = reward
            twitch.redemptions[before.id] = before
            missed.append(asyncio.ensure_future(twitch.redeem("friend", reward.id, "fox", heard=False)))

        missed: list[Any] = []
        async with rewarding(tmp_path, prepare=recall) as stage:
            await ready(stage)
            await stage.until(lambda: stage.lines)
            assert [(line.text, line.redemption_id) for line in stage.lines] == [("fox", (await missed[0]).id)]
            stage.standing[1] = "done"
            await stage.until(lambda: before.status == "FULFILLED")
            await stage.twitch.close(4000)
            await ready(stage)
            await asyncio.sleep(0.2)
            assert len(stage.lines) == 1  # missed redemptions are heard once

    play(scene)


@pytest.mark.logs("was not made by the bot")
def test_a_reward_made_by_hand_is_heard_and_left_to_the_streamer(tmp_path: Path) -> None:
    def prepare(twitch: TwitchStandIn) -> None:
        twitch.rewards["hand"] = Reward("hand", TITLE, 100, ours=False)

    async def scene() -> None:
        async with rewarding(tmp_path, prepare=prepare) as stage:
            await ready(stage)
            redemption = await stage.twitch.redeem("viewer", "hand", "volcano")
            await stage.until(lambda: stage.lines)
            stage.adapter.settled(stage.lines[0], None)
            await asyncio.sleep(0.2)
            assert redemption.status == "UNFULFILLED"
            assert len(stage.twitch.rewards) == 1

    play(scene)


@pytest.mark.logs("redemptions cannot be settled", "refused to have redemption", "rewards do not work")
def test_trouble_with_rewards_leaves_the_chat_alone(tmp_path: Path) -> None:
    rewards, settle = "GET /helix/channel_points/custom_rewards", "PATCH /helix/channel_points/custom_rewards/redemptions"

    def prepare(twitch: TwitchStandIn) -> None:
        twitch.faults.statuses[rewards] = [403]

    async def scene() -> None:
        async with rewarding(tmp_path, prepare=prepare) as stage:
            await stage.connected()
            await stage.until(lambda: "rewards" in stage.adapter.state().detail)
            await stage.hears()
            stage.lines.clear()
            reward = await ready(stage)
            assert stage.adapter.state().detail == ""
            first = await stage.twitch.redeem("viewer", reward.id, "volcano")
            second = await stage.twitch.redeem("viewer", reward.id, "fox")
            await stage.until(lambda: len(stage.lines) == 2)
            stage.twitch.faults.statuses[settle] = [500, 502, 403]
            stage.adapter.settled(stage.lines[0], None)
            stage.adapter.settled(stage.lines[1], None)
            await stage.until(lambda: second.status == "CANCELED")
            assert first.status == "UNFULFILLED"  # Twitch refused, so it is left to the streamer

    play(scene)


@pytest.mark.logs("needs login")
def test_the_streamer_logs_in_for_rewards_while_the_chat_continues(tmp_path: Path) -> None:
    async def scene() -> None:
        async with staged(tmp_path, rewards=(TITLE,)) as stage:
            await stage.connected()
            await stage.until(lambda: stage.twitch.codes)
            assert stage.adapter.state().detail.startswith("rewards: streamer has to log in")
            await stage.hears()
            stage.twitch.approve("streamer")
            await ready(stage)
            assert set(stage.kept()) == {"dreambot", "streamer"}

    play(scene)


@pytest.mark.logs("needs login")
def test_one_account_for_chat_and_rewards(tmp_path: Path) -> None:
    async def scene() -> None:
        config = {"logins": (), "account": None, "rewards": (TITLE,)}

        async def approve(stage: Stage) -> None:
            await stage.until(lambda: stage.twitch.codes)
            assert set(next(iter(stage.twitch.codes.values()))["scopes"]) == {
                "user:read:chat",
                "user:write:chat",
                "channel:manage:redemptions",
            }
            stage.twitch.approve("streamer")

        async with staged(tmp_path, **config) as stage:
            await approve(stage)
            reward = await ready(stage)
            redemption = await stage.twitch.redeem("streamer", reward.id, new_id("wish"))
            await stage.until(lambda: stage.lines)
            assert (stage.lines[0].role, stage.lines[0].redemption_id) == (Role.BROADCASTER, redemption.id)

    play(scene)


@pytest.mark.logs("needs login")
def test_a_check_reports_who_is_logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(**config: Any) -> list[tuple[bool, str]]:
        return list(findings(TwitchConfig.model_validate(config)))

    assert told() == [(True, "none; set twitch.channel to let a Twitch chat ask")]
    assert told(channel="me") == [(True, "listens to me without an account, so it cannot answer")]
    tokens = tmp_path / "tokens.json"
    config = {"channel": "Streamer", "account": "dreambot", "client_id": CLIENT_ID, "token_file": tokens}
    assert told(**config) == [(False, "dreambot is not logged in yet; the bot's log will say how")]
    keep_logins(TwitchStandIn(), tokens, "dreambot", "streamer")
    assert told(**config, rewards=(TITLE,)) == [
        (True, "dreambot is logged in"),
        (False, "streamer has to log in again, to allow more; the bot's log will say how"),
    ]
    tokens.write_text("{")
    assert told(**config) == [(False, f"{tokens}: it is damaged; delete it and log in again")]
    monkeypatch.setitem(sys.modules, "twitchio", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    ((good, text),) = told(**config)
    assert not good
    assert "pip install 'zoomdream[twitch]'" in text


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"login": "page", "client_id": "abc"}, "must be device while there is no client secret"),
        ({"rewards": ("Dream",)}, "they need twitch.client_id and a login"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        TwitchConfig.model_validate({"channel": "streamer", **settings})
