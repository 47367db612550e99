"""Reads YAML into a checked ``Config``, and reports all mistakes together: place, value, rule and fix.

Loading reads one file and the secrets in the environment, nothing else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from rapidfuzz import fuzz, process

from streamer.config import Config, Output
from streamer.errors import ZoomdreamError
from streamer.settings_characters import unspaced
from streamer.settings_rules import allowed, allowed_entry, block_kinds, is_block, is_mapping, options, setting_keys, takes_text
from streamer.settings_yaml import Problem, SourcePosition, Unreadable, YamlNode, YamlReader, cut, meaning
from streamer.text_files import decoded

MAX_FILE_BYTES = 256 * 1024
"""Largest file: far above any config written by hand, and still quick to parse."""
SECRETS = {
    "ZOOMDREAM_WEB_TOKEN": ("web", "token"),
    "ZOOMDREAM_WEB_VIEW_TOKEN": ("web", "view_token"),
    "ZOOMDREAM_TWITCH_CLIENT_SECRET": ("twitch", "client_secret"),
}
"""The environment variables for secrets, with their settings; they override the file, and ``--set`` overrides both."""

MOST_MISTAKES = 100
"""Most mistakes that are listed; the others are counted."""

_PACKAGE = Path(__file__).resolve().parent


class ConfigError(ZoomdreamError):
    """A config cannot be used; ``problems`` has its mistakes, one line each, in the order of the file."""

    wrong_call = True

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class ConfigGone(ConfigError):
    """The config's file does not exist any more."""


def shipped_configs() -> Path:
    """Return the folder of the shipped configs: the checkout's ``configs/``, or its installed copy."""
    installed = _PACKAGE / "_configs"
    return installed if installed.is_dir() else _PACKAGE.parent / "configs"


def load(path: Path | None, overrides: Sequence[str] = (), environ: Mapping[str, str] = os.environ) -> Config:
    """Read a config.

    Args:
        path: a YAML file with differences from the defaults; None reads the shipped ``default.yaml``.
        overrides: ``key=value`` texts from the command line, the value in YAML; later ones win.
        environ: environment with the variables in ``SECRETS``.

    Raises:
        ConfigError: with all mistakes found.
    """
    problems: list[Problem] = []
    root = _read_file(shipped_configs() / "default.yaml" if path is None else path, problems)
    for number, (variable, key) in enumerate(SECRETS.items()):
        if secret := environ.get(variable):
            _put(root, key, YamlNode(secret, SourcePosition(1, number, variable), secret))
    for number, override in enumerate(overrides):
        _apply(root, override, number, problems)
    config = _validate(root, problems)
    if config is None or problems:
        raise ConfigError(_listed(problems))
    return config


def read_recorded(settings: Mapping[str, Any], overrides: Sequence[str] = ()) -> tuple[Config, tuple[str, ...]]:
    """Check settings that an earlier run recorded.

    Returns:
        The config, and the dotted settings that do not exist any more: another version of the program may have had them.

    Raises:
        ConfigError: with all mistakes found.
    """
    gone: list[str] = []
    recorded = json.dumps(_still_there(settings, Config, "", gone), ensure_ascii=False)
    problems: list[Problem] = []
    try:
        root = YamlReader(recorded, lambda line: SourcePosition(0, line, "recorded settings"), problems).read()
    except Unreadable as error:
        raise ConfigError([f"the recorded settings cannot be used: {error}"]) from None
    for number, override in enumerate(overrides):
        _apply(root, override, number, problems)
    config = _validate(root, problems)
    if config is None or problems:
        raise ConfigError(_listed(problems))
    return config, tuple(gone)


def read_preset(path: Path) -> tuple[Config, tuple[str, ...]]:
    """Read a config file alone, without the environment and the command line.

    Returns:
        The config, and the dotted settings that the file names, in the order of the reference.

    Raises:
        ConfigError: with all mistakes found.
    """
    problems: list[Problem] = []
    root = _read_file(path, problems)
    config = _validate(root, problems)
    if config is None or problems:
        raise ConfigError(_listed(problems))
    return config, tuple(key for key in setting_keys() if _is_named(root, key.split(".")))


def _is_named(root: YamlNode, path: Sequence[str]) -> bool:
    node: YamlNode | None = root
    for key in path:
        node = node.value.get(key) if node is not None and isinstance(node.value, dict) else None
    return node is not None


def read_changes(config: Config, changes: Mapping[str, Any]) -> Config:
    """Return a config with some settings replaced by JSON values from elsewhere.

    Args:
        changes: dotted keys and values.

    Raises:
        ConfigError: with all mistakes found; without places, since there is no file.
    """
    problems: list[Problem] = []
    known, blocks_read = set(setting_keys()), {}
    nowhere = SourcePosition(0, 0, "")
    for key, value in changes.items():
        if key not in known:
            near = process.extractOne(key, known, scorer=fuzz.ratio, score_cutoff=65)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            problems.append(Problem(nowhere, f"there is no setting '{cut(key)}'{hint}"))
            continue
        block, _, name = key.partition(".")
        if not name:
            blocks_read[block] = value
            continue
        inner = blocks_read.setdefault(block, getattr(config, block).model_dump(mode="json"))
        *blocks, last = name.split(".")
        for part in blocks:
            inner = inner[part]
        inner[last] = value
    try:
        root = YamlReader(json.dumps(blocks_read, ensure_ascii=False), lambda line: nowhere, problems).read()
    except (Unreadable, ValueError) as error:
        raise ConfigError([f"the value {error}"]) from None
    alone = _validate(root, problems)
    if alone is None or problems:
        raise ConfigError([problem.message for problem in sorted(problems, key=lambda problem: problem.place)])
    changed = config.model_copy(update={name: getattr(alone, name) for name in blocks_read})
    try:
        Config.model_validate({name: getattr(changed, name) for name in Config.model_fields})  # are they compatible?
    except ValidationError as error:
        raise ConfigError([f"'{first['ctx']['key']}' {first['ctx']['rule']}" for first in error.errors()[:1]]) from None
    return changed


def _still_there(settings: Mapping[str, Any], model: type[BaseModel], prefix: str, gone: list[str]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in settings.items():
        field = model.model_fields.get(key)
        if field is None:
            gone.append(f"{prefix}{key}")
        elif is_block(field) and isinstance(value, Mapping):
            assert isinstance(field.annotation, type)
            kept[key] = _still_there(value, field.annotation, f"{prefix}{key}.", gone)
        else:
            kept[key] = value
    return kept


def read_output(block: Mapping[str, Any]) -> Output:
    """Check a block of ``outputs:`` that came as JSON, not from a file.

    Raises:
        ConfigError: with all mistakes found, their keys relative to the block. Values that are texts are not quoted: one may be
            a stream key in the wrong place.
    """
    problems: list[Problem] = []
    config: Config | None = None
    try:
        # JSON is YAML, except for some escapes
        node = YamlReader(json.dumps(block, ensure_ascii=False), lambda line: SourcePosition(0, line, ""), problems).read()
    except Unreadable as error:
        problems.append(Problem(SourcePosition(0, 0, ""), f"the block {error}"))
    else:
        _hide(node)
        root = YamlNode({"outputs": YamlNode([node], node.place, "a list")}, node.place, "a block")
        config = _validate(root, problems)
    if config is None or problems:
        raise ConfigError([problem.message.replace("'outputs[0].", "'") for problem in problems])
    (output,) = config.outputs
    return output if block.get("name") else output.model_copy(update={"name": None})


# Reading


def _read_file(path: Path, problems: list[Problem]) -> YamlNode:
    """Return the file's settings; empty, with a problem added, if it cannot be read."""
    empty = YamlNode({}, SourcePosition(0, 0, str(path)), "")

    def fail(line: int, message: str) -> YamlNode:
        problems.append(Problem(SourcePosition(0, line, f"{path}:{line}" if line else str(path)), message))
        return empty

    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return fail(0, f"no such file; the configs that come with the program are in {shipped_configs()}")
    except (OSError, ValueError) as error:
        return fail(0, f"cannot be read: {getattr(error, 'strerror', None) or error}")
    if len(data) > MAX_FILE_BYTES:
        return fail(0, f"is larger than {MAX_FILE_BYTES // 1024} KiB; a config holds only what differs from the defaults")
    try:
        text = decoded(data)
    except UnicodeDecodeError as error:
        return fail(data.count(b"\n", 0, error.start) + 1, "is not UTF-8 text; save it as UTF-8")
    try:
        root = YamlReader(text, lambda line: SourcePosition(0, line, f"{path}:{line}"), problems).read()
    except Unreadable as error:
        return fail(error.line, str(error))
    if root.value is None:
        return empty
    if not isinstance(root.value, dict):
        rule = f"is {root.shown}; a config is made of blocks such as 'video:', each with keys below it{unspaced(root.value)}"
        return fail(root.place.line, rule)
    return root


def _hide(node: YamlNode) -> None:
    """Hide all texts within the node in messages."""
    match node.value:
        case dict():
            for inner in node.value.values():
                _hide(inner)
        case list():
            for inner in node.value:
                _hide(inner)
        case str():
            node.shown = "(hidden)"


# Overriding


def _apply(root: YamlNode, override: str, number: int, problems: list[Problem]) -> None:
    """Apply one ``key=value`` of the command line to the settings."""
    key, equals, value = override.partition("=")
    path = tuple(key.strip().split("."))
    field = _field(path)
    shown = f"{key}=…" if field is not None and not field.repr else cut(override)
    place = SourcePosition(2, number, f"--set {shown}")
    if not equals or not all(path):
        problems.append(Problem(place, "write it as key=value, for example --set video.fps=30"))
        return
    try:
        node = YamlReader(value, lambda line: place, problems).read()
    except Unreadable as error:
        problems.append(Problem(place, f"the value {error}"))
        return
    node.place = place
    _put(root, path, node)


def _put(root: YamlNode, path: tuple[str, ...], node: YamlNode) -> None:
    block = root
    for key in path[:-1]:
        if not isinstance(getattr(block.value.get(key), "value", None), dict):
            block.value[key] = YamlNode({}, node.place, "a block")
        block = block.value[key]
    block.value[path[-1]] = node


# Checking


def _validate(root: YamlNode, problems: list[Problem]) -> Config | None:
    _drop_empty(root, Config)
    swallowed = dict(_swallowed(root, Config))
    problems += swallowed.values()
    try:
        # Strict, but from JSON, where a path is text and a tuple is a list.
        return Config.model_validate_json(json.dumps(root.plain()))
    except ValidationError as error:
        errors = error.errors(include_url=False)
        described = errors[: 4 * MOST_MISTAKES]  # describing takes a while, and each union may give up to four errors
        places = [(_inside(_follow(root, each["loc"]), each), each) for each in described]
        found: dict[str, Problem] = {}
        for place, details in places:
            whole = bool(place.rest) and any(other.key.startswith(f"{place.key}[") for other, _ in places)
            if not whole and place.key not in swallowed:  # each member of a union reports an error
                found.setdefault(place.key, _describe(place, details))
        problems += found.values()
        problems += [Problem(SourcePosition(_LAST, 0, ""), "")] * (len(errors) - len(described))
        return None


_LAST = 9
"""Source of mistakes that are only counted; they come last."""


def _listed(problems: Sequence[Problem]) -> list[str]:
    """Return one line per mistake, in order; if there are too many, the last line counts the rest."""
    inorder = sorted(problems, key=lambda problem: problem.place)
    lines = [problem.text for problem in inorder[:MOST_MISTAKES] if problem.place.source != _LAST]
    if left := len(problems) - len(lines):
        file = inorder[0].place.label.removesuffix(f":{inorder[0].place.line}")
        lines.append(f"{file}: has {left} more mistakes" if left > 1 else f"{file}: has one more mistake")
    return lines


def _swallowed(block: YamlNode, model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Problem]]:
    """Yield optional settings that are empty only because their intended text is read as a comment."""
    for name, node in block.value.items():
        field = model.model_fields.get(name)
        if field is None:
            continue
        key = f"{prefix}{name}"
        if is_block(field) and isinstance(node.value, dict):
            assert isinstance(field.annotation, type)
            yield from _swallowed(node, field.annotation, f"{key}.")
        elif (kinds := block_kinds(field)) and isinstance(node.value, list):
            for number, item in enumerate(node.value):
                kind = item.value.get("kind") if isinstance(item.value, dict) else None
                if kind is not None and isinstance(kind.value, str) and kind.value in kinds:
                    yield from _swallowed(item, kinds[kind.value], f"{key}[{number}].")
        elif node.comment and takes_text(field):
            quoted = f": {json.dumps(cut(node.comment), ensure_ascii=False)}" if field.repr else ""
            yield key, Problem(node.place, f"'{key}' is empty, since # starts a comment; put the text in quotes{quoted}")


def _drop_empty(block: YamlNode, model: type[BaseModel]) -> None:
    """Remove blocks and lists without contents: all their lines may be commented out."""
    for key, field in model.model_fields.items():
        if (node := block.value.get(key)) is None:
            continue
        if node.value is None and (is_block(field) or block_kinds(field) or is_mapping(field)):
            del block.value[key]
        elif is_block(field) and isinstance(node.value, dict):
            assert isinstance(field.annotation, type)
            _drop_empty(node, field.annotation)


def _describe(found: _Found, details: Any) -> Problem:
    """Describe a pydantic error for operators."""
    key, field, node = found.key, found.field, found.node
    context = details.get("ctx", {})
    match details["type"]:
        case "extra_forbidden":
            return Problem(node.place, f"unknown key '{cut(key)}'{_near(found)}")
        case "missing":
            return Problem(node.place, f"'{key}' is missing; {_must(field)}")
        case "union_tag_not_found":
            return Problem(node.place, f"'{key}.kind' is missing; {_must_kind(field)}")
        case "union_tag_invalid":
            kind = node.value["kind"]
            return Problem(
                kind.place, f"'{key}.kind' is {kind.shown}; {_must_kind(field)}{_like(kind.shown, block_kinds(field))}"
            )
        case "rule":  # raised by a block of config.py about one of its keys, or a key of an inner block
            *blocks, last = context["key"].split(".")
            for name in blocks:
                key, field, node = _child(found, name)
                assert isinstance(field.annotation, type)
                found = replace(found, key=key, model=field.annotation, node=node)
            key, field, node = _child(found, last)
            shown = "missing" if node is found.node else _shown(node, field)
            return Problem(node.place, f"'{key}' is {shown}; {context['rule']}")
        case "fault":  # raised by a block of the bot about something within one of its keys
            return Problem(node.place, f"'{key}' {context['text']}")
        case "value_error":
            return Problem(node.place, f"'{key}' is {_shown(node, field)}; {context['error']}")
        case "model_type" | "model_attributes_type":
            return Problem(node.place, f"'{key}' is {node.shown}; must be a block of settings{unspaced(node.value)}")
    if block_kinds(field):
        rule = "must be a block with a kind" if key.endswith("]") else "must be a list of blocks, each with a kind"
        return Problem(node.place, f"'{key}' is {node.shown}; {rule}")
    rule = f"must be {allowed_entry(field, node.value)}" if key.endswith("]") else _must(field, node.value)
    text = f"'{key}' is {_shown(node, field)}; {rule}"
    if node.value and isinstance(node.value, str) and node.shown.startswith('"') and meaning(node.value) != node.value:
        text += ", without quotes"
    elif details["type"] in ("string_type", "path_type") and isinstance(node.value, bool | int | float):
        text += ": put it in quotes"
    elif node.comment:
        text += "; # starts a comment: put text that contains it in quotes"
    elif isinstance(node.value, str):
        text += _like(node.value, options(field))
    return Problem(node.place, text)


@dataclass(frozen=True, slots=True)
class _Found:
    """The place of a pydantic error in the settings."""

    key: str
    """Dotted key, with list positions in brackets."""
    name: str
    """Last part of the key, as written."""
    field: FieldInfo
    model: type[BaseModel]
    """The block that the key belongs to; if the key is a block, that block."""
    node: YamlNode
    """The value, or the nearest enclosing block if there is none."""
    rest: Sequence[str | int] = ()
    """Rest of pydantic's location: a place within the value, or a member of a union."""


def _follow(root: YamlNode, location: Sequence[str | int]) -> _Found:
    model: type[BaseModel] = Config
    field = FieldInfo(annotation=Config)
    key, name, node = "", "", root
    kinds: Mapping[str, type[BaseModel]] = {}
    rest = list(location)
    while rest:
        part = rest.pop(0)
        if isinstance(part, int):
            key = f"{key}[{part}]"
            node = node.value[part]
        elif part in kinds:
            model, kinds = kinds[part], {}  # pydantic names the kind of block that was chosen
        else:
            key, name = f"{key}.{part}" if key else part, part
            node = node.value.get(part, node) if isinstance(node.value, dict) else node
            if part not in model.model_fields:
                break
            field = model.model_fields[part]
            kinds = block_kinds(field)
            if is_block(field):
                assert isinstance(field.annotation, type)
                model = field.annotation
            elif not kinds:
                break  # what follows names a member of a union
    return _Found(key, name, field, model, node, rest)


def _inside(found: _Found, details: Any) -> _Found:
    """Follow an error into its key's value, to the entry of a list or mapping that it is about."""
    key, node = found.key, found.node
    for part in found.rest:
        inner: YamlNode | None = None
        if isinstance(part, int) and isinstance(node.value, list):
            key, inner = f"{key}[{part}]", node.value[part]
        elif isinstance(part, str) and isinstance(node.value, dict):
            key, inner = f"{key}.{cut(part)}", node.value.get(part)
        node = inner or node
    return replace(found, key=key, node=node) if details["type"] == "fault" or key.endswith("]") else found


def _child(found: _Found, name: str) -> tuple[str, FieldInfo, YamlNode]:
    key = f"{found.key}.{name}" if found.key else name
    node = found.node.value.get(name, found.node) if isinstance(found.node.value, dict) else found.node
    return key, found.model.model_fields[name], node


def _field(path: Sequence[str]) -> FieldInfo | None:
    model: type[BaseModel] = Config
    field = None
    for part in path:
        field = model.model_fields.get(part)
        if field is None:
            return None
        if is_block(field):
            assert isinstance(field.annotation, type)
            model = field.annotation
    return field


def _shown(node: YamlNode, field: FieldInfo) -> str:
    """Return the value as written; secrets (fields with ``repr=False``) are hidden from logs."""
    return node.shown if field.repr or not isinstance(node.value, str | int | float) else "(hidden)"


def _must(field: FieldInfo, *value: object) -> str:
    return f"must be {allowed(field, *value)}"


def _must_kind(field: FieldInfo) -> str:
    *firsts, last = block_kinds(field)
    return f"must be {', '.join(firsts)}{' or ' * bool(firsts)}{last}"


def _like(value: str, options: Any) -> str:
    """Return a hint at the option that was probably meant; empty if none is similar."""
    best = process.extractOne(value, list(options), scorer=fuzz.ratio, score_cutoff=70)
    return f"; did you mean '{best[0]}'?" if best else ""


def _near(found: _Found) -> str:
    """Return a hint at the keys that may have been meant: in the same block, else of the same or a similar name elsewhere."""
    name = found.name
    block = found.key[: -len(name)].rstrip(".")
    if found.key in setting_keys():
        return f"; write it as a block, '{name.partition('.')[0]}:' with '{name.partition('.')[2]}:' indented below"
    siblings = [key for key in found.model.model_fields if key != "kind"]
    prefix = f"{block}." if block else ""
    near = [f"{prefix}{match[0]}" for match in process.extract(name, siblings, scorer=fuzz.ratio, score_cutoff=65, limit=2)]
    if not near:
        elsewhere = {key: key.rpartition(".")[2] for key in setting_keys()}
        near = [key for key, last in elsewhere.items() if last == name]
        near = near or [match[2] for match in process.extract(name, elsewhere, scorer=fuzz.ratio, score_cutoff=75, limit=3)]
    if near:
        return "; did you mean " + " or ".join(f"'{key}'" for key in near) + "?"
    owner = f"'{block}' has" if block else "there are"
    return f"; {owner} {', '.join(siblings)}"
