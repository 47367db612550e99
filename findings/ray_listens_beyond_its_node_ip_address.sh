#!/usr/bin/env bash
# ray 2.60.0: a head started with --node-ip-address of one network listens on all of them, loopback and the open net included.
#
# A good guess would be: `ray start --head --node-ip-address=10.8.0.1`, the address of a VPN, lets in who comes over the VPN. Seen: the
# cluster's own server (port 6379 unless told otherwise), both ports of the node and those of its workers listen on every address of the
# machine; only the client's server and the runtime environments' keep to the one that was named. --node-ip-address is what others are told,
# and loopback cannot even be told: 127.0.0.1 is replaced by the machine's address without a word. Without a token anybody who reaches these
# ports runs programs. Cure: a firewall that lets in nothing but the VPN, and RAY_AUTH_MODE=token.
#
# Installs ray into a temporary folder and fails if it behaves otherwise. Linux, with a network besides loopback.
set -euo pipefail
folder=$(mktemp -d)
head=
trap '[ -z "$head" ] || { kill "$head" 2>/dev/null; wait "$head" 2>/dev/null || true; }; rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet ray==2.60.0
cd "$folder"
for name in $(compgen -v RAY_ || true); do unset "$name"; done
address=$(hostname -I | awk '{print $1}')
port=$("$folder/env/bin/python" -c 'import socket; held = socket.socket(); held.bind(("", 0)); print(held.getsockname()[1])')
: >head.log
RAY_AUTH_MODE=token RAY_AUTH_TOKEN=$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n') \
    "$folder/env/bin/ray" start --head --block --node-ip-address="$address" --port="$port" --num-cpus=1 --num-gpus=0 \
    --include-dashboard=false --disable-usage-stats --temp-dir="$folder/t" --object-store-memory=100000000 >head.log 2>&1 &
head=$!
for _ in $(seq 120); do
    ! grep -q "Ray runtime started" head.log || break
    kill -0 "$head" || { cat head.log; exit 1; }
    sleep 1
done
"$folder/env/bin/python" - "$address" "$port" <<'PYTHON'
import socket
import sys
from importlib.metadata import version

address, port = sys.argv[1], int(sys.argv[2])
assert not address.startswith("127."), "needs a network besides loopback"
for reached in (address, "127.0.0.1"):
    with socket.create_connection((reached, port), timeout=5):
        print(f"ray {version('ray')}: told that its address is {address}, it is reached at {reached}:{port}")
PYTHON
