"""The container files match the program and each other; no container engine is needed."""

from __future__ import annotations

import itertools
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from streamer.cluster import CLIENT_PORT
from streamer.config import RtmpOutput, TwitchIngestOutput
from streamer.settings_file import SECRETS, load

ROOT = Path(__file__).resolve().parents[1]
HADOLINT = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
TOKEN = {"ZOOMDREAM_WEB_TOKEN": "a token of some length"}


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions and their arguments, without comments and continued lines."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    whole = re.sub(r"\\\n", " ", "\n".join(lines))
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in whole.splitlines() if line.strip()]


def copied() -> list[str]:
    """Return the paths that the Dockerfile copies from the repository."""
    parts = [rest.split() for name, rest in instructions() if name == "COPY" and not rest.startswith("--from")]
    return [source for *sources, _ in parts for source in sources]


def last(name: str) -> str:
    return [rest for found, rest in instructions() if found == name][-1]


def default_of(argument: str) -> str:
    """Return the default of a build argument."""
    (found,) = [rest.partition("=")[2] for name, rest in instructions() if name == "ARG" and rest.startswith(f"{argument}=")]
    return found


def compose(*names: str) -> dict[str, Any]:
    """Return the services of compose files; later files override earlier ones."""
    services: dict[str, Any] = {}
    for name in names:
        for service, block in yaml.safe_load((ROOT / name).read_text())["services"].items():
            services.setdefault(service, {}).update(block)
    return services


def test_all_that_is_copied_is_there_and_let_through():
    let_in = {line.lstrip("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert "*" in (ROOT / ".dockerignore").read_text().splitlines()
    assert let_in == set(copied())
    for source in copied():
        assert (ROOT / source).exists(), source


def test_the_image_gets_all_that_the_package_is_built_from():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {"pyproject.toml", project["project"]["readme"], *project["project"]["license-files"], *wheel["packages"]}
    assert needed | set(wheel["force-include"]) <= set(copied())


def test_torch_is_the_one_that_the_makefile_installs():
    version = runpy.run_path(str(ROOT / "tools" / "install.py"))["TORCH_CPU"].partition("==")[2]
    assert set(re.findall(r"torch==([0-9.]+)", (ROOT / "Dockerfile").read_text())) == {version}


def test_the_image_has_what_the_makefile_installs():
    extras = re.findall(r"install\.py (.+)", (ROOT / "Makefile").read_text().partition(".make/run: ")[2])
    build = " ".join(rest for name, rest in instructions() if name == "RUN").replace("$EXTRAS", default_of("EXTRAS"))
    assert [each.split() for each in extras] == [found.split(",") for found in re.findall(r'"\.\[(.+?)\]"', build)]


def test_python_is_one_that_the_project_admits():
    stages = [rest for name, rest in instructions() if name == "FROM"]
    assert len({stage.split()[0] for stage in stages}) == 1, "what one stage builds runs in the other: same Python, same Debian"
    found = re.match(r"python:(\d+)\.(\d+)-slim", stages[-1])
    assert found is not None
    assert (int(found[1]), int(found[2])) >= (3, 11)


def test_it_runs_as_nobody_special_and_writes_to_its_volume_only():
    user = last("USER").partition(":")[0]
    assert user not in ("root", "0")
    assert f"--uid {user} " in last("RUN")
    volume = last("VOLUME")
    settings = dict(part.partition("=")[::2] for part in shlex.split(last("ENV")))
    for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME"):
        assert settings[name].startswith(volume + "/"), name
    assert "/healthz" in last("HEALTHCHECK")


def test_the_health_check_is_python_that_runs():
    name, flag, code = json.loads(last("HEALTHCHECK").partition("CMD")[2])
    assert (name, flag) == ("python", "-c")
    done = subprocess.run(
        [sys.executable, flag, code.replace("8080", "9")], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 1
    assert "Connection refused" in done.stderr


def test_the_image_starts_the_stream_by_itself():
    assert json.loads(last("ENTRYPOINT")) == ["zoomdream"]
    assert config_of(json.loads(last("CMD"))).web.host == "0.0.0.0"


def config_of(command: list[str], file: Path | None = None) -> Any:
    """Return the config that ``zoomdream run`` would have with these arguments."""
    assert command[0] in ("run", "bot")
    overrides = [value for flag, value in itertools.pairwise(command) if flag == "--set"]
    return load(file, overrides, TOKEN)


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed")
def test_the_dockerfile_passes_its_linter():
    assert HADOLINT is not None
    done = subprocess.run(
        [HADOLINT, "--no-color", "Dockerfile"], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout


def test_stream_and_bot_run_apart_and_hardened():
    services = compose("compose.yaml")
    for name in ("streamer", "bot"):
        service = services[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["tmpfs"] == ["/tmp"]
        assert not service.get("privileged")
        assert last("VOLUME") in [volume.split(":")[1] for volume in service["volumes"]]
    assert services["streamer"]["command"][0] == "run"
    assert services["bot"]["command"][0] == "bot"
    assert services["bot"]["image"] == services["streamer"]["image"]
    assert "ports" not in services["bot"]


def test_nothing_is_open_to_other_machines_and_no_token_is_none():
    services = compose("compose.yaml")
    assert all(port.startswith("127.0.0.1:") for service in services.values() for port in service.get("ports", ()))
    for name in ("streamer", "bot"):
        assert services[name]["environment"]["ZOOMDREAM_WEB_TOKEN"].startswith("${ZOOMDREAM_WEB_TOKEN:?")


def test_the_bot_may_call_the_stream_by_its_name():
    services = compose("compose.yaml")
    command = services["bot"]["command"]
    url = urlsplit(command[command.index("--url") + 1])
    config = config_of(services["streamer"]["command"])
    assert url.hostname == "streamer"
    assert url.hostname in config.web.hosts
    assert url.port == config.web.port
    assert config.twitch.channel is None, "else the stream would start a bot of its own"
    named = [part.replace("${TWITCH_CHANNEL:-}", "somebody") for part in command]
    assert config_of(named).twitch.channel == "somebody"
    assert config_of([part.replace("${TWITCH_CHANNEL:-}", "") for part in command]).twitch.channel is None


def test_variables_are_those_the_program_reads():
    known = {*SECRETS, *(output.model_fields["key_env"].default for output in (RtmpOutput, TwitchIngestOutput))}
    for name, service in compose("compose.yaml").items():
        assert set(service.get("environment", ())) <= known, name


def test_mounted_files_are_there():
    mounts = [volume for service in compose("compose.yaml").values() for volume in service.get("volumes", ())]
    files = [found[1] for mount in mounts if (found := re.match(r"\$\{\w+:-(\./[^}]+)\}:", mount))]
    assert files
    assert all((ROOT / file).is_file() for file in files)


def test_the_fan_out_is_where_its_config_pushes_to():
    (output,) = load(ROOT / "configs" / "fanout.yaml", (), {}).outputs
    assert isinstance(output, RtmpOutput)
    assert urlsplit(output.url).hostname in compose("compose.yaml")


def test_the_gpu_variant_changes_only_what_a_gpu_needs():
    plain, cuda = compose("compose.yaml")["streamer"], compose("compose.yaml", "compose.cuda.yaml")["streamer"]
    assert {key for key in cuda if cuda[key] != plain.get(key)} == {"image", "build", "deploy"}
    build = " ".join(rest for name, rest in instructions() if name == "RUN")
    for service in (plain, cuda):
        assert f"{service['build']['args']['TORCH']})" in build


RAY = ("compose.yaml", "compose.ray.yaml")


def test_a_cluster_is_hardened_closed_and_wants_a_token():
    services = compose(*RAY)
    for name in ("head", "node"):
        service = services[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "ports" not in service, "Ray's ports are not for the open net"
        assert service["entrypoint"][:2] == ["ray", "start"]
        assert service["shm_size"], "tasks hand over what they are given and return in shared memory"
    for name in ("head", "node", "streamer"):
        environment = services[name]["environment"]
        assert environment["RAY_AUTH_MODE"] == "token"
        assert environment["RAY_AUTH_TOKEN"].startswith("${RAY_AUTH_TOKEN:?")


def test_stream_head_and_nodes_are_of_one_image_with_ray():
    services = compose(*RAY)
    one, *others = (services[name] for name in ("streamer", "head", "node"))
    assert all((each["image"], each["build"]) == (one["image"], one["build"]) for each in others)
    extras = set(one["build"]["args"]["EXTRAS"].split(","))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert extras == {*default_of("EXTRAS").split(","), "ray"}
    assert extras <= set(project)


def test_the_stream_reaches_the_head_and_the_node_joins_it():
    services = compose(*RAY)
    renderer = config_of([part.replace("${ZOOMDREAM_GPUS:-0}", "0.5") for part in services["streamer"]["command"]]).renderer
    assert (renderer.where, renderer.gpus) == ("ray", 0.5)
    assert urlsplit(renderer.address).hostname in services
    assert urlsplit(renderer.address).port == CLIENT_PORT
    assert "--head" in services["head"]["command"]
    (join,) = services["node"]["command"]
    assert join.removeprefix("--address=").partition(":")[0] in services
    plain = compose("compose.yaml")["streamer"]["command"]
    assert services["streamer"]["command"][: len(plain)] == plain


def test_nodes_with_gpus_change_only_what_a_gpu_needs():
    plain, cuda = compose(*RAY)["node"], compose(*RAY, "compose.ray.cuda.yaml")["node"]
    assert {key for key in cuda if cuda[key] != plain.get(key)} == {"image", "build", "deploy"}
