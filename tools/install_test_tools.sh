#!/usr/bin/env bash
# What the tests use from outside Python: Chromium, to open the page. Installs it on Debian and Ubuntu as root; elsewhere says what to do.
set -euo pipefail

for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null; then
        echo "Chromium: $(command -v "$name")"
        exit 0
    fi
done

if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core
    echo "Chromium: $(command -v chromium)"
else
    echo "Chromium is missing: the tests that open the page will be skipped. Install it with your package manager," >&2
    echo "for example: sudo apt-get install chromium (Debian), brew install --cask chromium (macOS)." >&2
fi
