"""Put a hundred thousand random chat lines through parser and policy: no exception, 99 % under 1 ms of CPU, clean texts."""

from __future__ import annotations

import argparse
import sys
import time
from random import Random

import numpy as np
import regex

from bot.config import ChatConfig
from bot.parser import Parser
from bot.replies import Replies
from shared.clean import clean_name, echo
from streamer.config import QueueConfig
from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Pose
from streamer.messages.refused import Refused
from streamer.requests.director import Director
from streamer.requests.queue import RequestQueue
from streamer.requests.vocabulary import Vocabulary
from tests.bot.lines import lines

LIMIT_MS = 1.0
_JOINT = r"(?<=\p{Extended_Pictographic}\p{Emoji_Modifier}?)\u200d(?=\p{Extended_Pictographic})"
"""A zero-width joiner that combines several emoji into one."""
UNCLEAN = regex.compile(rf"(?!{_JOINT})[\p{{Cc}}\p{{Cf}}\p{{Cs}}\p{{Co}}\p{{Cn}}]")


def spread(name: str, times_s: list[float]) -> bool:
    """Print the distribution of the times; return whether 99 % are within the limit."""
    ordered = sorted(times_s)
    p50, p99, most = (1000 * ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.99, 1.0))
    good = p99 < LIMIT_MS
    verdict = "ok" if good else "SLOW"
    print(f"{name:20} {len(ordered):7}: median {p50:.3f} ms, 99 % {p99:.3f} ms, longest {most:.1f} ms of CPU, {verdict}")
    return good


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--lines", type=int, default=100_000)
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    chat = ChatConfig(bare_words=True)
    parse, replies = Parser(chat), Replies(chat, Random(given.seed))
    now_s = 0.0
    rules = QueueConfig(capacity=200, hold_s=5)
    picture = np.zeros((2, 3, 3), np.uint8)
    parsing, asking, unclean, refused, taken = [], [], 0, 0, 0
    with RequestQueue(None) as queue:
        director = Director(queue, Vocabulary.load(), rules, clock=lambda: now_s)
        for number, line in enumerate(lines(given.lines, given.seed)):
            began_s = time.thread_time()
            invocation = parse(line)
            parsing.append(time.thread_time() - began_s)
            now_s += 0.05
            if number % 10 == 0:
                director.note_keyframe(Keyframe(picture, Pose(), now_s, director.tick(), number, 1))
            if invocation is None:
                continue
            said = [invocation.words, replies.say("unknown", line.user, heard=echo(invocation.words))]
            if invocation.command.name == "dream" and invocation.words:
                began_s = time.thread_time()
                try:
                    receipt = director.submit(
                        line.user, invocation.words, message_id=line.id, role=line.role, source=line.source
                    )
                    taken += 1
                    said.append(replies.say("queued_next", line.user, what=receipt.title, wait="", id=receipt.id))
                except Refused as error:
                    refused += 1
                    said += [str(error), *error.suggestions]
                asking.append(time.thread_time() - began_s)
            unclean += sum(UNCLEAN.search(text) is not None for text in said)
            if number % 1000 == 0:
                shown = director.programme()
                texts = [
                    text for entry in shown.waiting for text in (entry.request.user, entry.request.text, entry.request.title)
                ]
                texts += [shown.scene.title, shown.scene.user] if shown.scene else []
                unclean += sum(UNCLEAN.search(text) is not None for text in [*texts, clean_name(line.user)])
    good = spread("lines read", parsing)
    good &= spread("requests decided", asking)
    print(f"{taken} requests taken, {refused} refused; unclean texts: {unclean}; exceptions: 0")
    sys.exit(not (good and unclean == 0))


if __name__ == "__main__":
    main()
