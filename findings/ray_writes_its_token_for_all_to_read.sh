#!/usr/bin/env bash
# ray 2.60.0: `ray get-auth-token --generate` leaves the cluster's secret readable for every user of the machine.
#
# A good guess would be: the file is the owner's alone, as ssh-keygen, `gh auth login` and the rest write theirs; who has this token runs
# any program on the cluster. Seen: ~/.ray/auth_token has the mode that the umask leaves, 0644 on most systems, its folder 0755, and
# nothing warns of it, here or when a node reads it. A single-user home of mode 0700 hides it; most distributions' homes do not. Cure:
# call it with `umask 077`, or `chmod 600` afterwards, before the token is copied to other machines.
#
# Installs ray into a temporary folder and fails if it behaves otherwise. Linux, macOS.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet ray==2.60.0
cd "$folder"
mkdir home
umask 022
unset RAY_AUTH_TOKEN RAY_AUTH_TOKEN_PATH RAY_AUTH_MODE
HOME=$folder/home "$folder/env/bin/ray" get-auth-token --generate >token
"$folder/env/bin/python" - <<'PYTHON'
import stat
from importlib.metadata import version
from pathlib import Path

path = Path("home/.ray/auth_token")
mode, around = (stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent))
print(f"ray {version('ray')}: {path} has mode {mode:04o}, its folder {around:04o}, and {len(path.read_text())} characters")
assert path.read_text() == Path("token").read_text().strip(), "it is the cluster's secret"
assert mode & stat.S_IROTH and around & stat.S_IXOTH, "it is the owner's alone now"
PYTHON
