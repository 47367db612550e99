"""What a moderator may add as an output over the API: less than the config's author, for it comes from afar.

Files are written into the folder of recordings only, and keys come with the block: neither the files nor the environment of the
machine can be sent elsewhere.
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
    """Check a block and put its files into the folder ``recordings``.

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
    """The settings of an output, of whatever kind, that say which file or folder it writes; none of one that writes none."""
    found = {name: getattr(output, name, None) for name in ("path", "folder")}
    return {name: path for name, path in found.items() if isinstance(path, Path)}  # other paths are the web server's
