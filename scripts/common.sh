# What every script shares: where to build, and how to get the system packages. Sourced, not run.
# shellcheck shell=bash

# One target directory for every checkout of this user, so that a second clone builds in a minute instead of ten.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${ATELIER_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/atelier/target}}"
# Models that only the tests need.
export ATELIER_CACHE="${ATELIER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/atelier}"

BUILD_PACKAGES=(build-essential pkg-config libasound2-dev)
RUN_PACKAGES=(libgl1 libegl1 libgl1-mesa-dri libx11-6 libx11-xcb1 libxcursor1 libxi6 libxrandr2 libxkbcommon0 libxkbcommon-x11-0
  libwayland-client0 libwayland-egl1 zenity)
TEST_PACKAGES=(xvfb xauth xdotool xclip x11-utils imagemagick mesa-vulkan-drivers dbus python3 python3-numpy python3-pip procps
  pulseaudio pulseaudio-utils libasound2-plugins)

# Installs those of the named Debian packages that are missing; elsewhere says what to install.
need_packages() {
  local missing=() package
  if ! command -v dpkg-query >/dev/null; then
    command -v cc >/dev/null || { echo "A C compiler and linker are needed: install gcc or clang with your system's package manager, then run this again." >&2; exit 1; }
    return 0
  fi
  for package in "$@"; do
    dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  local as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "These packages are needed; ask someone with root to run: apt-get install ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
  fi
  echo "Installing: ${missing[*]}" >&2
  "${as_root[@]}" apt-get update -q >&2
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >&2
}

need_rust() {
  command -v cargo >/dev/null || { echo "Rust 1.95 or newer is needed: install it with rustup, then run this again." >&2; exit 1; }
}

# Cargo takes what another checkout built in the shared target directory for its own when the sources here are older:
# they are made new when this checkout was not the last to build.
claim_target() {
  local last="$CARGO_TARGET_DIR/last-checkout"
  [ "$(cat "$last" 2>/dev/null)" != "$1" ] || return 0
  find "$1/src" "$1/tests" "$1/benches" -name '*.rs' -exec touch {} +
  mkdir -p "$CARGO_TARGET_DIR"
  printf '%s\n' "$1" >"$last"
}
