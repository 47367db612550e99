"""Follow a line of Twitch chat to its reply and its dream, in the whole program with a fake Twitch.

    python -m tests.acceptance.chat_reply --weights squeezenet1_1.safetensors -o frame.jpg

Without ``--weights`` it uses the bundled network, which knows goldfish and umbrella but not volcano and bubble.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from bot.__main__ import serve
from bot.config import BotSettings, ChatConfig
from bot.config_twitch import TwitchConfig
from tests.acceptance.stream import Stream
from tests.bot.twitch_stage import keep_logins
from tests.bot.twitch_standin import CLIENT_ID, TwitchStandIn

PATIENCE_S = 60.0


async def scene(stream: Stream, folder: Path, wish: str, output: Path | None) -> None:
    async with TwitchStandIn() as twitch:
        tokens = folder / "tokens.json"
        keep_logins(twitch, tokens, "dreambot")
        config = TwitchConfig(channel="streamer", account="dreambot", client_id=CLIENT_ID, token_file=tokens)
        with twitch.pointed():
            bot = asyncio.create_task(serve(BotSettings(config, ChatConfig(), stream.url)))
            try:
                async with asyncio.timeout(PATIENCE_S):
                    while not twitch.hears():
                        await asyncio.sleep(0.02)
                    asked_s = time.monotonic()
                    await twitch.say("viewer", f"!dream {wish}")
                    while not twitch.sent:
                        await asyncio.sleep(0.01)
                print(f"Viewer: !dream {wish}")
                print(f"{twitch.sent[0].login}: {twitch.sent[0].text}   ({twitch.sent[0].at_s - asked_s:.2f} s later)")
                told = await asyncio.to_thread(stream.wait_for, lambda told: told["on_air"]["title"] == wish, PATIENCE_S)
                print(f"on air for {told['on_air']['user']} after {time.monotonic() - asked_s:.1f} s")
                if output is not None:
                    await asyncio.sleep(20.0)
                    output.write_bytes(await asyncio.to_thread(stream.get, "/frame.jpg"))
                    print(f"20 s later: {output}")
            finally:
                bot.cancel()
                await asyncio.gather(bot, return_exceptions=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    settings = ["queue.hold_s=60"]
    if options.weights:
        settings.append(f"network.weights={options.weights.resolve()}")
    wish = "volcano + bubble" if options.weights else "goldfish + umbrella"
    with tempfile.TemporaryDirectory() as folder:
        network = "squeezenet1_1" if options.weights else "bundled"
        with Stream(Path(folder), settings, network=network) as stream:
            stream.wait_for_picture()
            asyncio.run(scene(stream, Path(folder), wish, options.output))
    return 0


if __name__ == "__main__":
    sys.exit(main())
