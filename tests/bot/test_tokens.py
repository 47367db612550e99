"""The bot's files, as other programs may have saved them."""

import codecs
import json
from pathlib import Path
from random import Random

import pytest

from bot.redemptions import RedemptionLedger
from bot.tokens import Token, TokenStore
from bot.twitch_timings import RetryDelay

ANN = Token("ann", "7", "access", "refresh", frozenset({"chat:read"}))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_logins_are_read_from_behind_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "tokens.json"
    store = TokenStore(path, "app")
    store.put(ANN)
    path.write_bytes(path.read_text().encode(encoding))
    assert store.get("Ann") == ANN
    store.put(Token("bob", "8", "a", "r"))
    assert store.get("ann") == ANN
    assert not path.read_bytes().startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_redemptions_are_read_from_behind_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "rewards.json"
    path.write_bytes(json.dumps({"version": 1, "redemptions": [["r1", "reward", 5], ["r2", "reward", None]]}).encode(encoding))

    async def never(*_: object) -> dict[int, str]:
        raise AssertionError("nothing is looked up to read the file")

    ledger = RedemptionLedger(path, never, never, 1.0, RetryDelay((1.0, 1.0), Random(1)))  # type: ignore[arg-type]
    assert [ledger.is_new(redemption) for redemption in ("r1", "r2", "r3")] == [False, False, True]
