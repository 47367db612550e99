"""Validates outputs that moderators add over the API. They may do less than the config file, because they are remote.

Files are written only to the folder of recordings, and keys come with the block, so that nobody can send the machine's files or
environment variables elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streamer.config import Output, RtmpOutput, TwitchIngestOutput
from streamer.messages.refused import Reason, Refused
from streamer.settings_file import ConfigError, read_output

_NOT_HERE = ("key_file", "key_env")


def read_block(block: Mapping[str, Any], recordings: Path) -> Output:
    """Check a block, and place its files in the folder ``recordings``.

    Returns:
        The output; its name is None unless the block gives one.

    Raises:
        Refused: ``BAD_OUTPUT`` with all mistakes.
    """
    problems = [f"'{key}' is for the config's file only; send the key itself as 'key'" for key in _NOT_HERE if key in block]
    output = None
    try:
        output = read_output(block)
    except ConfigError as error:
        problems += error.problems
    if isinstance(output, RtmpOutput | TwitchIngestOutput) and output.key is None:
        problems.append("'key' is missing; must be the stream's key, apart from the address")
    if output is not None:
        for name, path in written_to(output).items():
            if path.is_absolute() or path.drive or ".." in path.parts:
                problems.append(f"'{name}' must be relative and without '..': it counts from the folder of recordings")
        output = output.model_copy(update={name: recordings / path for name, path in written_to(output).items()})
    if output is None or problems:
        raise Refused(Reason.BAD_OUTPUT, "; ".join(problems))
    return output


def written_to(output: Output) -> dict[str, Path]:
    """Return an output's settings that name the file or folder it writes to; empty if there is none."""
    found = {name: getattr(output, name, None) for name in ("path", "folder")}
    return {name: path for name, path in found.items() if isinstance(path, Path)}  # a text is a path on the web server
