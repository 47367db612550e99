#!/usr/bin/env bash
# Install the tools outside Python that the tests use: on Debian and Ubuntu, as root or with sudo. Elsewhere, it says what is
# missing. Tests that need a missing tool are skipped.
#
#   tools/install_test_tools.sh          Chromium, to open the pages; nginx with its RTMP module, to stream to
#   tools/install_test_tools.sh --obs    also OBS Studio and a screen for it, for tests/acceptance/obs.py
set -euo pipefail

tools=(chromium nginx rtmp)
[ "${1:-}" != --obs ] || tools+=(obs screen)

# Print where a tool is; fail if it is missing.
find_tool() {
    local name file names=() files=()
    case $1 in
        chromium) names=(chromium-headless-shell chromium chromium-browser google-chrome google-chrome-stable) ;;
        nginx) names=(nginx) files=(/usr/sbin/nginx /usr/local/sbin/nginx) ;;
        rtmp) files=({/usr/lib,/usr/lib64}/nginx/modules/ngx_rtmp_module.so /usr/local/libexec/nginx/ngx_rtmp_module.so) ;;
        obs) names=(obs) ;;
        screen) names=(Xvfb) ;;
    esac
    for name in "${names[@]}"; do
        if command -v "$name"; then return 0; fi
    done
    for file in "${files[@]}"; do
        if [ -e "$file" ]; then echo "$file" && return 0; fi
    done
    return 1
}

# Whether apt offers the Chromium that has no windows: it opens a page at half the cost. Not every release has it.
offers_headless_shell() {
    apt-cache show chromium-headless-shell >/dev/null 2>&1
}

# Print a tool's packages in Debian, each on a line.
packages_of() {
    case $1 in
        chromium) if offers_headless_shell; then echo chromium-headless-shell; else echo chromium; fi && echo fonts-dejavu-core ;;
        nginx) echo nginx-light ;;
        rtmp) echo libnginx-mod-rtmp ;;
        obs) echo obs-studio ;;
        screen) echo xvfb ;;
    esac
}

# Install the packages of tools.
install_tools() {
    local root=(env) tool packages
    [ "$(id -u)" = 0 ] || root=(sudo)
    "${root[@]}" apt-get update -qq
    mapfile -t packages < <(for tool in "$@"; do packages_of "$tool"; done)
    # Nothing should run as a service: the tests start their own server. invoke-rc.d asks this file.
    local policy=/usr/sbin/policy-rc.d
    if [ -e "$policy" ]; then
        policy=""
    else
        printf '#!/bin/sh\nexit 101\n' | "${root[@]}" install -m 755 /dev/stdin "$policy"
    fi
    local code=0
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" || code=$?
    [ -z "$policy" ] || "${root[@]}" rm -f "$policy"
    return "$code"
}

missing=()
for tool in "${tools[@]}"; do
    find_tool "$tool" >/dev/null || missing+=("$tool")
done
if command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || command -v sudo >/dev/null; }; then
    if [ ${#missing[@]} -gt 0 ]; then
        install_tools "${missing[@]}"
    fi
    if ! command -v chromium-headless-shell >/dev/null && offers_headless_shell; then
        install_tools chromium || echo "the tests use the Chromium that is here: they take longer" >&2
    fi
fi

for tool in "${tools[@]}"; do
    if found=$(find_tool "$tool"); then
        echo "$tool: $found"
    else
        echo "$tool is missing: the tests that need it will be skipped. In Debian, install: $(packages_of "$tool" | paste -sd ' ')" >&2
    fi
done
