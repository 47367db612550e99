"""Loading configs: what is accepted, and the exact error messages for the rest."""

import json
import re
import runpy
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.all_replies import ALL_REPLIES
from streamer.config import Config, FileOutput, NullOutput, free_name, is_loopback
from streamer.settings_file import MAX_FILE_BYTES, ConfigError, load, shipped_configs
from streamer.settings_rules import setting_keys, takes_text

ROOT = Path(__file__).resolve().parents[1]


def problems(path: Path, text: str | bytes, overrides=(), **environ) -> list[str]:
    """Return the config's mistakes, with its path shortened to ``live.yaml``."""
    file = path / "live.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ConfigError) as caught:
        load(file, overrides, environ)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return [problem.replace(str(file), "live.yaml") for problem in caught.value.problems]


def read(path: Path, text: str, overrides=(), **environ) -> Config:
    file = path / "live.yaml"
    file.write_text(text)
    return load(file, overrides, environ)


SECTIONS = ", ".join(Config.model_fields)
ERRORS = {
    # limits and kinds
    "video: {fps: 0}": "live.yaml:1: 'video.fps' is 0; must be 1 to 120",
    "video:\n  fps: 12.5": "live.yaml:2: 'video.fps' is 12.5; must be a whole number, 1 to 120",
    "video: {width: 961}": "live.yaml:1: 'video.width' is 961; must be even, 32 to 7680",
    "video: {fps: '25'}": "live.yaml:1: 'video.fps' is \"25\"; must be a whole number, 1 to 120, without quotes",
    "video: {fps: null}": "live.yaml:1: 'video.fps' is null; must be a whole number, 1 to 120",
    "video: {fps: }": "live.yaml:1: 'video.fps' is empty; must be a whole number, 1 to 120",
    "video: {captions: yes}": "live.yaml:1: 'video.captions' is yes; must be true or false",
    "video: {captions: 1}": "live.yaml:1: 'video.captions' is 1; must be true or false",
    "zoom: {speed: yes}": "live.yaml:1: 'zoom.speed' is yes; must be a number, above 0.2 and up to 5",
    "zoom: {speed: true}": "live.yaml:1: 'zoom.speed' is true; must be a number, above 0.2 and up to 5",
    "zoom: {speed: .nan}": "live.yaml:1: 'zoom.speed' is .nan; must be a number, above 0.2 and up to 5",
    "zoom: {speed: 1e999}": "live.yaml:1: 'zoom.speed' is 1e999; must be a number, above 0.2 and up to 5",
    "zoom: {speed: 9}": "live.yaml:1: 'zoom.speed' is 9; must be above 0.2 and up to 5",
    "zoom:\n  rotation:\n    12:30": "live.yaml:2: 'zoom.rotation' is 12:30; must be a number, -90 to 90",
    "canvas: {width: 8}": "live.yaml:1: 'canvas.width' is 8; must be 32 to 7680, or auto",
    "canvas: {width: aut}": (
        "live.yaml:1: 'canvas.width' is aut; must be a whole number, 32 to 7680, or auto; did you mean 'auto'?"
    ),
    "device: gpu": "live.yaml:1: 'device' is gpu; must be auto, cpu or cuda",
    "device: cudda": "live.yaml:1: 'device' is cudda; must be auto, cpu or cuda; did you mean 'cuda'?",
    "seed: -1": "live.yaml:1: 'seed' is -1; must be 0 to 9223372036854775807, or null",
    "network: {weights: ''}": "live.yaml:1: 'network.weights' is \"\"; must be the path of a file",
    "network: {weights: 3}": (
        "live.yaml:1: 'network.weights' is 3; must be the path of a file, or a block of such paths by network, or null: put it "
        "in quotes"
    ),
    "twitch: {channel: 'a b'}": (
        "live.yaml:1: 'twitch.channel' is \"a b\"; must be a channel's name, 1 to 25 letters, digits and underscores, or null"
    ),
    "web: {port: [80]}": "live.yaml:1: 'web.port' is a list; must be a whole number, 0 to 65535",
    "web: {token: secret}": "live.yaml:1: 'web.token' is (hidden); must be at least 8 characters, or null",
    "web:\n  host: 0.0.0.0": (
        "live.yaml:2: 'web.host' is 0.0.0.0; must be a loopback address such as 127.0.0.1 while there is no token "
        "(set ZOOMDREAM_WEB_TOKEN)"
    ),
    "chat: {replies: {queued: ['{what}', '{pos}']}}": (
        "live.yaml:1: 'chat.replies.queued[1]' has the unknown placeholder {pos}; "
        "it may have {what}, {place}, {wait}, {id}, {user}, {prefix}"
    ),
    "chat:\n  replies:\n    queued:\n    - '{plac}'\n": (
        "live.yaml:4: 'chat.replies.queued[0]' has the unknown placeholder {plac}; did you mean {place}? "
        "it may have {what}, {place}, {wait}, {id}, {user}, {prefix}"
    ),
    "chat: {replies: {oops: ['{what!r}']}}": (
        "live.yaml:1: 'chat.replies.oops[0]' has '{what!r}'; a placeholder is a plain word; "
        "it may have {what}, {user}, {prefix}"
    ),
    "chat: {replies: {oops: ['{']}}": (
        "live.yaml:1: 'chat.replies.oops[0]' has a brace without its partner; write {{ for a brace itself; "
        "it may have {what}, {user}, {prefix}"
    ),
    "chat: {replies: {oops: []}}": "live.yaml:1: 'chat.replies.oops' has 0 texts; must be 1 to 50",
    "chat: {replies: {oops: ['']}}": "live.yaml:1: 'chat.replies.oops[0]' must be one line of 1 to 450 characters",
    "chat: {replies: {queud: [x]}}": "live.yaml:1: 'chat.replies.queud' is no reply of the bot; did you mean queued or queue?",
    "chat: {replies: {queued: x}}": (
        "live.yaml:1: 'chat.replies' is a block; must be a block of reply keys, each with a list of 1 to 50 texts"
    ),
    "chat:\n  commands:\n    skip: {aliases: [s, D]}": (
        "live.yaml:3: 'chat.commands.skip.aliases[1]' is 'D', which is a word of 'dream' already"
    ),
    "chat: {commands: {queue: {aliases: [queue]}}}": (
        "live.yaml:1: 'chat.commands.queue.aliases[0]' is 'queue', which is its own word"
    ),
    "chat: {commands: {dream: {role: mods}}}": (
        "live.yaml:1: 'chat.commands.dream.role' is mods; must be everyone, subscriber, vip, moderator or broadcaster"
    ),
    "chat: {commands: {draem: {}}}": "live.yaml:1: unknown key 'chat.commands.draem'; did you mean 'chat.commands.dream'?",
    # keys
    "video: {heigth: 3}": "live.yaml:1: unknown key 'video.heigth'; did you mean 'video.height'?",
    "video: {speed: 2}": "live.yaml:1: unknown key 'video.speed'; did you mean 'zoom.speed'?",
    "source: {kind: video}": "live.yaml:1: 'source.path' is missing; must name a film while kind is video",
    "source: {kind: image, path: 'http://a/b.jpg'}": "live.yaml:1: 'source.path' is \"http://a/b.jpg\"; must be the path of a "
    "file while kind is image",
    "source: {kind: camera}\ndream: {algorithm: ink}": "live.yaml:1: 'source.ride' is missing; must be false while "
    "dream.algorithm is ink, which does not ride on moving pictures",
    "fps: 30": "live.yaml:1: unknown key 'fps'; did you mean 'video.fps' or 'source.fps'?",
    "video.fps: 30": "live.yaml:1: unknown key 'video.fps'; write it as a block, 'video:' with 'fps:' indented below",
    "zoom: {blub: 1}": "live.yaml:1: unknown key 'zoom.blub'; 'zoom' has speed, rotation",
    "blub: 1": f"live.yaml:1: unknown key 'blub'; there are {SECTIONS}",
    "video: {fps: 3}\nvideo: {fps: 4}": "live.yaml:2: 'video' is given twice; it is in line 1 already",
    "? [a]\n: 3": "live.yaml:1: has a list or block as a key; a key is a name",
    # blocks and lists
    "zoom: 5": "live.yaml:1: 'zoom' is 5; must be a block of settings",
    "zoom:\n- 5": "live.yaml:1: 'zoom' is a list; must be a block of settings",
    "outputs: 5": "live.yaml:1: 'outputs' is 5; must be a list of blocks, each with a kind",
    "outputs: {kind: file}": "live.yaml:1: 'outputs' is a block; must be a list of blocks, each with a kind",
    "outputs: [5]": "live.yaml:1: 'outputs[0]' is 5; must be a block with a kind",
    "outputs:\n- path: x": re.compile(r"live.yaml:2: 'outputs\[0\]\.kind' is missing; must be null.* or \w+"),
    "outputs: [{kind: fil}]": re.compile(r"live.yaml:1: 'outputs\[0\]\.kind' is fil; must be null.*; did you mean 'file'\?"),
    "outputs:\n- kind: null\n- kind: file": (
        "live.yaml:3: 'outputs[1].path' is missing; must be the path of a file ending in .mp4 or .mkv"
    ),
    "outputs: [{kind: 'null', size: 3}]": "live.yaml:1: unknown key 'outputs[0].size'; 'outputs[0]' has name, enabled",
    "outputs: [{kind: file, path: a.avi}]": "live.yaml:1: 'outputs[0].path' is a.avi; must end in .mp4 or .mkv",
    "outputs: [{kind: file, path: a.mp4, width: 640}]": (
        "live.yaml:1: 'outputs[0].height' is missing; must be given too, since 'width' is, or neither"
    ),
    "outputs:\n- kind: hls\n  folder: h\n  height: 360\n  width: null": (
        "live.yaml:5: 'outputs[0].width' is null; must be given too, since 'height' is, or neither"
    ),
    "outputs: [{kind: mjpeg, width: 641, height: 360}]": (
        "live.yaml:1: 'outputs[0].width' is 641; must be even, 32 to 7680, or null"
    ),
    "outputs:\n- {kind: file, path: a.mp4, name: wall}\n- {kind: hls, folder: h,\n   name: wall}": (
        "live.yaml:4: 'outputs[1].name' is wall; must differ from the other outputs; outputs[0] has it already"
    ),
    "outputs: [{kind: 'null', name: 'A b'}]": (
        "live.yaml:1: 'outputs[0].name' is \"A b\"; must be 1 to 32 small letters, digits, - and _, beginning with a letter or "
        "digit, or null"
    ),
    "outputs: [{kind: hls}]": "live.yaml:1: 'outputs[0].folder' is missing; must be the path of a folder",
    "outputs:\n- {kind: hls, folder: h}\n- {kind: hls, folder: h}": (
        "live.yaml:3: 'outputs[1].folder' is h; must differ from the other outputs; outputs[0] has it already"
    ),
    "outputs: [{kind: hls, folder: h, window: 1}]": "live.yaml:1: 'outputs[0].window' is 1; must be 3 to 1000",
    "outputs: [{kind: mpegts_udp, url: 'tcp://h:5004'}]": (
        "live.yaml:1: 'outputs[0].url' is \"tcp://h:5004\"; must be udp://address:port, without anything after it"
    ),
    "outputs: [{kind: mpegts_udp, url: 'udp://h'}]": (
        "live.yaml:1: 'outputs[0].url' is \"udp://h\"; must be udp://address:port, without anything after it"
    ),
    "outputs: [{kind: mpegts_udp, url: 'udp://h:5004?ttl=3'}]": (
        "live.yaml:1: 'outputs[0].url' is \"udp://h:5004?ttl=3\"; must be udp://address:port, without anything after it"
    ),
    "outputs: [{kind: mpegts_udp, url: 'udp://h:99999'}]": (
        "live.yaml:1: 'outputs[0].url' is \"udp://h:99999\"; must be udp://address:port, without anything after it"
    ),
    "outputs: [{kind: mpegts_http, path: /live.ts}]": (
        "live.yaml:1: 'outputs[0].path' is /live.ts; must be a path such as /obs.ts, but not /live.ts"
    ),
    "outputs: [{kind: mjpeg, path: /api/status}]": (
        "live.yaml:1: 'outputs[0].path' is /api/status; must be a path such as /wall.mjpg, but not /live.mjpg"
    ),
    "outputs: [{kind: mpegts_http}, {kind: mpegts_http}]": (
        "live.yaml:1: 'outputs[1].path' is missing; must differ from the other outputs; outputs[0] has it already"
    ),
    "outputs: [{kind: rtmp, url: 'http://h/app/hunter2'}]": (
        "live.yaml:1: 'outputs[0].url' is (hidden); must be rtmp://server/app or rtmps://server/app, with the stream's key "
        "after a further / or in key_file"
    ),
    "outputs: [{kind: rtmp, url: 'rtmp://h/'}]": (
        "live.yaml:1: 'outputs[0].url' is (hidden); must be rtmp://server/app or rtmps://server/app, with the stream's key "
        "after a further / or in key_file"
    ),
    "outputs: [{kind: rtmp, url: 'rtmp://h/app', key_file: ''}]": (
        "live.yaml:1: 'outputs[0].key_file' is \"\"; must be the path of a file"
    ),
    "outputs: [{kind: rtmp, url: 'rtmp://h/app', key: 123456}]": (
        "live.yaml:1: 'outputs[0].key' is (hidden); must be text, not empty, or null: put it in quotes"
    ),
    "outputs: [{kind: rtmp, url: 'rtmp://h/app', reconnect_h: 600}]": (
        "live.yaml:1: 'outputs[0].reconnect_h' is 600; must be a number, 0.01 to 595: after 596.5 hours FFmpeg's clock for "
        "RTMP wraps around to 0"
    ),
    "outputs: [{kind: rtmp, url: 'rtmps://h/app', reconnect_h: null}]": (
        "live.yaml:1: 'outputs[0].reconnect_h' is null; must be a number, 0.01 to 595: after 596.5 hours FFmpeg's clock for "
        "RTMP wraps around to 0"
    ),
    "outputs: [{kind: twitch_ingest, key_env: 'MY KEY'}]": (
        "live.yaml:1: 'outputs[0].key_env' is \"MY KEY\"; must be the name of an environment variable"
    ),
    "outputs: [{kind: twitch_ingest, server: live.twitch.tv}]": (
        "live.yaml:1: 'outputs[0].server' is (hidden); must be auto or the rtmp:// or rtmps:// address of an ingest server"
    ),
    "outputs: [{kind: twitch_ingest, reconnect_h: 48}]": ("live.yaml:1: 'outputs[0].reconnect_h' is 48; must be 0.01 to 47.9"),
    "audio:\n  source: music": (
        "live.yaml:1: 'audio.path' is missing; must be the path of a file or folder while 'source' is music"
    ),
    "audio:\n  url: null\n  source: radio": (
        "live.yaml:2: 'audio.url' is null; must be the address of a stream while 'source' is radio"
    ),
    "audio: {source: radio, url: 'ftp://h/a.ogg'}": (
        "live.yaml:1: 'audio.url' is (hidden); must be the http:// or https:// address of a stream"
    ),
    "audio: {rate: 22050}": "live.yaml:1: 'audio.rate' is 22050; must be 48000 or 44100",
    # entries of lists
    "queue: {blocked_users: [12345]}": (
        "live.yaml:1: 'queue.blocked_users[0]' is 12345; must be text, not empty, at most 100 characters: put it in quotes"
    ),
    "queue:\n  blocked_words:\n  - ann\n  - true\n": (
        "live.yaml:4: 'queue.blocked_words[1]' is true; must be text, not empty, at most 100 characters: put it in quotes"
    ),
    "queue:\n  blocked_words:\n  - #foo\n  - bar": (
        "live.yaml:3: 'queue.blocked_words[0]' is empty; must be text, not empty, at most 100 characters; # starts a "
        "comment: put text that contains it in quotes"
    ),
    "queue: {blocked_users: ['']}": "live.yaml:1: 'queue.blocked_users[0]' is \"\"; must be as in: a list of names",
    "queue: {blocked_users: ann}": "live.yaml:1: 'queue.blocked_users' is ann; must be a list of names",
    "chat: {commands: {dream: {aliases: [a, 'b c']}}}": (
        "live.yaml:1: 'chat.commands.dream.aliases[1]' is \"b c\"; must be as in: a list of words without spaces or "
        "punctuation, at most 20"
    ),
    "chat: {replies: {queued: [5]}}": "live.yaml:1: 'chat.replies.queued[0]' is 5; must be text: put it in quotes",
    "web: {hosts: [1.5]}": "live.yaml:1: 'web.hosts[0]' is 1.5; must be text: put it in quotes",
    "dream: {views: [1, 30]}": "live.yaml:1: 'dream.views[1]' is 30; must be 0.5 to 20",
    "dream: {views: [a]}": "live.yaml:1: 'dream.views[0]' is a; must be a number, 0.5 to 20",
    "network: {name: [bundled, 5]}": re.compile(r"live.yaml:1: 'network\.name\[1\]' is 5; must be vgg16, .* or bundled"),
    # characters that YAML reads in another way than people
    "queue: {blocked_words: [#foo,\n  bar]}": (
        "live.yaml:1: holds a # in column 25, where an entry should be: put text that starts with # in quotes, or write a "
        "space after it if it is a comment"
    ),
    "queue: {blocked_words: [foo, #bar\n  baz]}": (
        "live.yaml:1: holds a # in column 30, where an entry should be: put text that starts with # in quotes, or write a "
        "space after it if it is a comment"
    ),
    "twitch: {channel: #name}": (
        "live.yaml:1: is not YAML: expected the node content, but found '<stream end>'; the # in line 1 starts a comment: put "
        "text that starts with # in quotes"
    ),
    "video: {fps: #30\n}": (
        "live.yaml:1: 'video.fps' is empty; must be a whole number, 1 to 120; # starts a comment: put text that "
        "contains it in quotes"
    ),
    "twitch: {channel: “name”}": "live.yaml:1: holds curly quotes; write straight ones",
    "video:\n  fps:30": ("live.yaml:1: 'video' is fps:30; must be a block of settings; write a space after 'fps:'"),
    "video:\n  fps：30": ("live.yaml:1: 'video' is fps：30; must be a block of settings; write a space after 'fps:'"),
    "seed:42": (
        "live.yaml:1: is seed:42; a config is made of blocks such as 'video:', each with keys below it; write a space "
        "after 'seed:'"
    ),
    "twitch: {channel: @name}": (
        "live.yaml:1: is not YAML: found character '@' that cannot start any token; put the value in quotes"
    ),
    "chat:\n  prefix: *": (
        "live.yaml:2: is not YAML: expected alphabetic or numeric character, but found '\\x00'; put the value in quotes"
    ),
    "chat:\n  prefix: &dream": "live.yaml:2: has an anchor '&dream'; leave it out, in quotes a value is text",
    "chat:\n  prefix: -": (
        "live.yaml:2: is not YAML: sequence entries are not allowed here; start a list on a new line; put a value that "
        "starts with - in quotes"
    ),
    'network: {weights: "C:\\Users\\net.pth"}': (
        "live.yaml:1: is not YAML: expected escape sequence of 8 hexadecimal numbers, but found 's'; write a "
        "backslash twice in double quotes; or use single quotes"
    ),
    "video:\n  fps: 30\n width: 640": (
        "live.yaml:3: is not YAML: expected <block end>, but found '<block mapping start>'; indent all keys of a block alike"
    ),
    "source:\n  path: a: b.png": (
        "live.yaml:2: is not YAML: mapping values are not allowed here; put a value that has ': ' in it in quotes, and indent "
        "keys alike"
    ),
    # the file
    "- 1": "live.yaml:1: is a list; a config is made of blocks such as 'video:', each with keys below it",
    "hello": "live.yaml:1: is hello; a config is made of blocks such as 'video:', each with keys below it",
    "video:\n\tfps: 3": "live.yaml:2: holds a tab in column 1; indent with spaces",
    "video:\n  fps: 3\n \twidth: 640": "live.yaml:3: holds a tab in column 2; indent with spaces",
    "video:\n  fps:\t30": "live.yaml:2: holds a tab in column 7; write a space instead",
    "video:\n  fps: 30\t# smooth": "live.yaml:2: holds a tab in column 10; write a space instead",
    "a: [1,\n": "live.yaml:2: is not YAML: expected the node content, but found '<stream end>'",
    "seed: *b": "live.yaml:1: has an alias '*b'; write the value out",
    "seed: !!int '3'": "live.yaml:1: has a tag 'tag:yaml.org,2002:int'; leave it out, in quotes a value is text",
    "seed: 1\n---\nseed: 2": "live.yaml:2: a second YAML document ('---'); a config is one document",
    "[" * 100_000: "live.yaml:1: is nested more than 16 deep; the settings need five levels",
    "seed: \0": "live.yaml:1: holds the control character '\\x00'; remove it",
    'device: "\\ud800"': "live.yaml:1: holds half of a surrogate pair; write the character itself",
    b"# caf\xe9": "live.yaml:1: is not UTF-8 text; save it as UTF-8",
    b"#" * (MAX_FILE_BYTES + 1): "live.yaml: is larger than 256 KiB; a config holds only what differs from the defaults",
}


@pytest.mark.parametrize("text", ERRORS, ids=lambda text: repr(text[:30]))
def test_error_texts(tmp_path, text):
    found, expected = problems(tmp_path, text), ERRORS[text]
    if isinstance(expected, str):
        assert found == [expected]
    else:
        assert len(found) == 1
        assert expected.fullmatch(found[0])


OVERRIDE_ERRORS = {
    "video.fps=0": "--set video.fps=0: 'video.fps' is 0; must be 1 to 120",
    "video.fsp=3": "--set video.fsp=3: unknown key 'video.fsp'; did you mean 'video.fps'?",
    "video.fps.x=3": "--set video.fps.x=3: 'video.fps' is a block; must be a whole number, 1 to 120",
    "web.token=hunter2": "--set web.token=…: 'web.token' is (hidden); must be at least 8 characters, or null",
    "video.fps": "--set video.fps: write it as key=value, for example --set video.fps=30",
    **{
        f"web.public_url={url}": (
            f"--set web.public_url={url}: 'web.public_url' is {url}; must be an http:// or https:// address without a path, "
            "such as https://dream.example.org"
        )
        for url in ("dream.example", "ftp://dream.example", "https://", "https://dream.example/live", "https://a@dream.example")
    },
    "=3": "--set =3: write it as key=value, for example --set video.fps=30",
    "video..fps=3": "--set video..fps=3: write it as key=value, for example --set video.fps=30",
    "seed=[": "--set seed=[: the value is not YAML: expected the node content, but found '<stream end>'",
    "outputs=[{kind: file}]": (
        "--set outputs=[{kind: file}]: 'outputs[0].path' is missing; must be the path of a file ending in .mp4 or .mkv"
    ),
}


@pytest.mark.parametrize("override", OVERRIDE_ERRORS)
def test_override_error_texts(tmp_path, override):
    assert problems(tmp_path, "", [override]) == [OVERRIDE_ERRORS[override]]


def test_every_mistake_is_reported_at_once_in_the_order_of_the_file(tmp_path):
    text = "zoom:\n  speed: fast\n  turn: 3\nvideo:\n  fps: 0\n  width: 960\n  fps: 1000\n"
    assert problems(tmp_path, text, ["seed=x"], ZOOMDREAM_WEB_TOKEN="short") == [
        "live.yaml:2: 'zoom.speed' is fast; must be a number, above 0.2 and up to 5",
        "live.yaml:3: unknown key 'zoom.turn'; 'zoom' has speed, rotation",
        "live.yaml:7: 'fps' is given twice; it is in line 5 already",
        "live.yaml:7: 'video.fps' is 1000; must be 1 to 120",
        "ZOOMDREAM_WEB_TOKEN: 'web.token' is (hidden); must be at least 8 characters, or null",
        "--set seed=x: 'seed' is x; must be a whole number, 0 to 9223372036854775807, or null",
    ]


def test_a_missing_file_says_where_configs_are(tmp_path):
    with pytest.raises(ConfigError, match="no such file; the configs that come with the program are in"):
        load(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path)


def test_values_mean_what_they_look_like(tmp_path):
    config = read(
        tmp_path,
        "seed: 7\nzoom: {speed: 2, rotation: -1.5e+0}\nvideo: {captions: false}\ncanvas: {width: 640}\n"
        "network: {weights: nets/a.safetensors}\ntwitch: {channel: on}\n"
        "outputs:\n- kind: null\n- {kind: file, path: out.mp4}\n",
    )
    assert (config.seed, config.zoom.speed, config.zoom.rotation) == (7, 2.0, -1.5)
    assert isinstance(config.zoom.speed, float)
    assert (config.video.captions, config.canvas.width, config.canvas.height) == (False, 640, "auto")
    assert config.network.weights == Path("nets/a.safetensors")
    assert config.twitch.channel == "on"
    assert config.outputs == (
        NullOutput(kind="null", name="null"),
        FileOutput(kind="file", name="file", path=Path("out.mp4")),
    )


def test_home_is_expanded_in_paths(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read(tmp_path, "queue: {path: ~/q.sqlite3}").queue.path == tmp_path / "q.sqlite3"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_may_begin_with_a_byte_order_mark(tmp_path, encoding):
    (tmp_path / "live.yaml").write_bytes("seed: 5 # é\r\nzoom: {speed: 2}\r\n".encode(encoding))
    config = load(tmp_path / "live.yaml", (), {})
    assert (config.seed, config.zoom.speed) == (5, 2)


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}", "\ufeffzoom:\n  # speed: 2\noutputs:\n", "---\n"])
def test_what_is_empty_or_commented_out_stays_at_its_default(tmp_path, text):
    assert read(tmp_path, text) == Config()


def test_command_line_wins_over_environment_over_file(tmp_path):
    text = "web: {token: from the file, port: 1}\nvideo: {fps: 30, width: 640}\n"
    assert read(tmp_path, text).web.token == "from the file"
    assert read(tmp_path, text, ZOOMDREAM_WEB_TOKEN="from the environment").web.token == "from the environment"
    config = read(tmp_path, text, ["web.token=from the call", "video.fps=24", "video.fps=50"], ZOOMDREAM_WEB_TOKEN="12345678")
    assert (config.web.token, config.web.port, config.video.fps, config.video.width) == ("from the call", 1, 50, 640)


def test_an_environment_token_of_digits_is_text_and_an_empty_one_is_none(tmp_path):
    assert read(tmp_path, "", ZOOMDREAM_WEB_TOKEN="12345678").web.token == "12345678"
    assert read(tmp_path, "", ZOOMDREAM_WEB_TOKEN="").web.token is None


def test_overrides_take_blocks_and_lists(tmp_path):
    config = read(tmp_path, "zoom: {speed: 2}", ["zoom={rotation: 3}", "outputs=[{kind: null}]"])
    assert (config.zoom.speed, config.zoom.rotation, config.outputs) == (1.05, 3.0, (NullOutput(kind="null", name="null"),))


def test_secrets_stay_out_of_logs(tmp_path):
    rtmp = "{kind: rtmp, url: 'rtmp://h/app/correct-horse', key: correct horse}"
    twitch = "{kind: twitch_ingest, server: rtmp://h/app/correct-horse, key: correct horse}"
    config = read(tmp_path, f"web: {{token: correct horse}}\noutputs: [{rtmp}, {twitch}]")
    assert config.outputs[0].url == "rtmp://h/app/correct-horse"
    assert not re.search("correct.horse", repr(config))


def test_outputs_without_a_name_get_one_that_no_other_has(tmp_path):
    config = read(
        tmp_path,
        "outputs:\n- kind: null\n- kind: null\n- {kind: null, name: null-2}\n- {kind: file, path: a.mp4}\n- kind: null",
    )
    assert [output.name for output in config.outputs] == ["null", "null-3", "null-2", "file", "null-4"]
    assert free_name("null", ("null", "null-2")) == "null-3"


def test_outputs_take_the_size_of_the_video_unless_they_set_one(tmp_path):
    text = "outputs:\n- {kind: mpegts_udp, url: 'udp://239.1.2.3:5004'}\n- {kind: twitch_ingest, width: 1280, height: 720}"
    udp, twitch = read(tmp_path, text).outputs
    assert (udp.width, udp.height, udp.bitrate_kbps, udp.audio) == (None, None, None, False)
    assert (twitch.width, twitch.height, twitch.bitrate_kbps, twitch.audio) == (1280, 720, None, True)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "localhost", "LocalHost"])
def test_loopback_addresses(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "localhost.example.org", "127.0.0.1.nip.io", "box"])
def test_other_addresses(host):
    assert not is_loopback(host)


KEYS = st.one_of(st.sampled_from(sorted(setting_keys())), st.text(max_size=6))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
BLOCKS = st.dictionaries(
    st.sampled_from([*Config.model_fields, "x"]),
    st.dictionaries(st.sampled_from(sorted({key.rpartition(".")[2] for key in setting_keys()})), VALUES, max_size=4) | VALUES,
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(block=BLOCKS, junk=st.text(max_size=20), override=st.text(max_size=12))
def test_no_input_ends_in_anything_but_a_config_or_its_mistakes(tmp_path_factory, block, junk, override):
    file = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    for text in (yaml.safe_dump(block), yaml.safe_dump(block) + junk, json.dumps(block), junk):
        file.write_text(text, encoding="utf-8", errors="surrogatepass")
        try:
            config = load(file, [override] if override else [], {})
        except ConfigError as error:
            lines = error.problems
        else:
            lines = [f"speed {config.zoom.speed}"]
        assert lines
        assert not any("\n" in line or line == "speed nan" for line in lines)


SPACES = {
    "\u00a0": "a no-break space (U+00A0)",
    "\u2003": "an em space (U+2003)",
    "\u202f": "a narrow no-break space (U+202F)",
    "\u3000": "an ideographic space (U+3000)",
    "\u2029": "a paragraph separator (U+2029)",
    "\u0085": "a next line (U+0085)",
    "\u200b": "a zero width space (U+200B)",
    "\ufeff": "a zero width no-break space (U+FEFF)",
}


@pytest.mark.parametrize("space", SPACES, ids=ascii)
@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("video:\n~fps: 30\n", 2, 1),
        ("video:\n  fps: 30\n ~width: 640\n", 3, 2),
        ("video:\n  fps:~30\n", 2, 7),
        ("video:\n  fps:~30", 2, 7),
        ("video:\n  fps:~30\n  width: 640\n", 2, 7),
        ("queue:\n  blocked_words:\n  -~foo\n", 3, 4),
        ("queue: {blocked_words: [a,~b]}", 1, 27),
        ("\ufeffvideo:~{fps: 30}", 1, 7),
        ("video:\r\n  fps: 30\r\n  ~width: 640\r\n", 3, 3),
    ],
)
def test_what_only_looks_like_a_space_is_named_where_it_stands(tmp_path, space, text, line, column):
    cure = "delete it" if "zero width" in SPACES[space] else "write a plain space instead"
    (problem,) = problems(tmp_path, text.replace("~", space))
    assert problem == f"live.yaml:{line}: holds {SPACES[space]} in column {column}; {cure}"


def test_all_lines_with_the_same_odd_space_are_counted(tmp_path):
    text = "video:\n\u00a0 fps: 30\n\u00a0 width: 640\n \u00a0height: 360\nseed: 1\n"
    assert problems(tmp_path, text) == [
        "live.yaml:2: holds a no-break space (U+00A0) in column 1; write a plain space instead, also in 2 more lines"
    ]


def test_odd_spaces_within_texts_quotes_and_comments_are_let_be(tmp_path):
    text = (
        "# caf\u00e9\u00a0!\nqueue:  # \u00a0 words\n  blocked_words: [a\u00a0b, '\u00a0c\u00a0', \"\u3000:\u200b\"]\n"
        "chat: {replies: {oops: ['Oh\u00a0! {what}']}}\n"
    )
    config = read(tmp_path, text)
    assert config.queue.blocked_words == ("a\u00a0b", "\u00a0c\u00a0", "\u3000:\u200b")
    assert config.chat.replies == {"oops": ("Oh\u00a0! {what}",)}


TEXT_SETTINGS = {
    "twitch:\n  channel: #name": ("twitch.channel", "#name"),
    "twitch:\n  channel:   #name  # mine": ("twitch.channel", "#name # mine"),
    "twitch:\n  account: #": ("twitch.account", "#"),
    "chat:\n  prefix: #!": ("chat.prefix", "#!"),
    "queue:\n  path: #a.sqlite3": ("queue.path", "#a.sqlite3"),
    "network:\n  weights: #net.pth": ("network.weights", "#net.pth"),
    "audio:\n  path: #music": ("audio.path", "#music"),
    "web:\n  host: #h": ("web.host", "#h"),
}


@pytest.mark.parametrize("text", TEXT_SETTINGS)
def test_a_text_that_is_a_comment_is_missed(tmp_path, text):
    key, comment = TEXT_SETTINGS[text]
    rule = f"'{key}' is empty, since # starts a comment; put the text in quotes: \"{comment}\""
    assert problems(tmp_path, text) == [f"live.yaml:2: {rule}"]
    assert problems(tmp_path, "{" + text.replace(":\n  ", ": {") + "\n}}") == [f"live.yaml:1: {rule}"]
    assert problems(tmp_path, "", [f"{key}={comment}"]) == [f"--set {key}={comment}: {rule}"]


def test_every_setting_that_may_be_text_is_watched(tmp_path):
    watched = [key for key in setting_keys() if takes_text(field_of(key))]
    assert {"twitch.channel", "web.token", "queue.path", "source.path"} <= set(watched)
    for key in watched:
        block, _, name = key.rpartition(".")
        lines = [f"{'  ' * depth}{part}:" for depth, part in enumerate(filter(None, block.split(".")))]
        found = problems(tmp_path, "\n".join([*lines, f"{'  ' * len(lines)}{name}: #correct-horse"]))
        assert found[0].startswith(
            f"live.yaml:{len(lines) + 1}: '{key}' is empty, since # starts a comment; put the text in quotes"
        )
        assert field_of(key).repr or "horse" not in found[0]


def field_of(key):
    model = Config
    *blocks, last = key.split(".")
    for block in blocks:
        model = model.model_fields[block].annotation
    return model.model_fields[last]


@pytest.mark.parametrize("kind", ["rtmp", "twitch_ingest"])
def test_a_secret_that_is_a_comment_is_not_repeated(tmp_path, kind):
    text = f"outputs:\n- kind: {kind}\n  url: rtmp://h/app\n  key: #hunter2\n"
    found = problems(tmp_path, text if kind == "rtmp" else text.replace("  url: rtmp://h/app\n", ""))
    assert found == [
        f"live.yaml:{3 + (kind == 'rtmp')}: 'outputs[0].key' is empty, since # starts a comment; put the text in quotes"
    ]


@pytest.mark.parametrize(
    "text",
    ["twitch:\n  channel: # my channel\n", "twitch:\n  channel:\n  # name\n", "seed: #42\n", "seed: 5 #42\n", "zoom: #none\n"],
)
def test_a_comment_is_one(tmp_path, text):
    config = read(tmp_path, text)
    assert (config.twitch.channel, config.zoom) == (None, Config().zoom)


@pytest.mark.parametrize("name", ["#name", "@name", "name"])
def test_a_channel_is_written_as_in_chats_or_plain(tmp_path, name):
    config = read(tmp_path, f"twitch: {{channel: '{name}', account: '{name}'}}")
    assert (config.twitch.channel, config.twitch.account) == ("name", "name")


WRITTEN = "video: fps: 30 twitch: channel: name queue: blocked_words: outputs: key: # #x [ ] { } , - ? ! & * @ | > ' \" \\ “ ”"
SIGNS = [*WRITTEN.split(), "\n", "\n  ", "\n- ", " ", "  ", ": ", "\t", "\r\n", "\u00a0", "\u200b", "\u2028", "\ufeff"]


@settings(max_examples=150, deadline=None)
@given(text=st.lists(st.sampled_from(SIGNS), max_size=25).map("".join))
def test_no_mix_of_signs_ends_in_anything_but_a_config_or_lines(tmp_path_factory, text):
    file = tmp_path_factory.getbasetemp() / "signs.yaml"
    file.write_text(text, encoding="utf-8", newline="")
    for overrides in ([], [text], [f"twitch.channel={text}"]):
        try:
            lines = [f"speed {load(file, overrides, {}).zoom.speed}"]
        except ConfigError as error:
            lines = error.problems
        assert lines
        assert not any("\n" in line for line in lines)


# The shipped configs


def test_the_reference_lists_every_setting_at_its_default():
    write = runpy.run_path(str(ROOT / "tools" / "write_reference.py"))["reference"]
    assert (shipped_configs() / "reference.yaml").read_text() == write(), (
        "configs/reference.yaml differs from streamer/config.py; write it again with: python tools/write_reference.py"
    )


def test_the_wording_lists_everything_the_bot_says():
    write = runpy.run_path(str(ROOT / "tools" / "write_reference.py"))["wording"]
    file = shipped_configs() / "wording.yaml"
    assert file.read_text() == write(), "configs/wording.yaml differs from the bot's replies; run tools/write_reference.py"
    assert load(file, (), {}).chat.replies == {key: said.templates for key, said in ALL_REPLIES.items()}


def test_the_reference_is_live():
    file = shipped_configs() / "reference.yaml"
    assert load(file, (), {}) == Config()
    listed = yaml.safe_load(file.read_text())
    for key in setting_keys():
        block = listed
        for part in key.split("."):
            assert part in block, f"{key} is missing"
            block = block[part]


@pytest.mark.parametrize("file", sorted(shipped_configs().glob("*.yaml")), ids=lambda file: file.name)
def test_shipped_configs_load_and_say_what_they_are_for(file):
    load(file, (), {})
    first, *rest = file.read_text().splitlines()
    assert first.startswith("# ")
    assert any(file.name in line for line in rest[:8]), "the opening comment is to show the command that uses it"


@pytest.mark.parametrize("name", ["default.yaml", "original_2015.yaml"])
def test_other_configs_hold_only_differences(name):
    def differences(block, default, prefix=""):
        for key, value in block.items():
            if isinstance(value, dict):
                yield from differences(value, getattr(default, key), f"{prefix}{key}.")
            elif value == getattr(default, key):
                yield f"{prefix}{key}"

    block = yaml.safe_load((shipped_configs() / name).read_text()) or {}
    assert list(differences(block, Config())) == [], "these are at their defaults; leave them out"


def test_no_config_named_is_the_default_one():
    assert load(None, (), {}) == load(shipped_configs() / "default.yaml", (), {})
