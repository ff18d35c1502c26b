#!/bin/sh
# Installs what was built, and says what: each line of its output is a file.
#
#   DESTDIR=DIR PREFIX=/usr/local packaging/install.sh PROGRAM…
#
# The programs come from bin/, which `make build` has filled: root compiles nothing.
# Packages use it too, with a DESTDIR that becomes the package (scripts/release.sh).
#
#   BIN      where the programs are, "bin"
#   NATIVE   a localpasskey that runs here and writes completions and manual pages,
#            "$BIN/localpasskey"; another one where BIN is of another architecture
#   ZSH      where zsh looks for completions, below PREFIX
#
# From packaging/linux it takes what there is, by name:
#
#   *.desktop, *.svg          menu entry, icon
#   *.service, *.socket       units of the system; below user/, or *-agent.*: of each user
#   *.rules                   rules of udev; below polkit/: of polkit
#   *sysusers*, *tmpfiles*, *modules*   for sysusers.d, tmpfiles.d, modules-load.d
#
# And where browsers of all users look, outside of PREFIX: the file by which they find
# localpasskey-browser, for the extension.
set -eu
cd "$(dirname "$0")/.."
umask 022

PREFIX=${PREFIX:-/usr/local}
BIN=${BIN:-bin}
NATIVE=${NATIVE:-$BIN/localpasskey}
ZSH=${ZSH:-share/zsh/site-functions}
to=${DESTDIR:-}$PREFIX

fail() {
  echo "install: $1" >&2
  echo "hint: $2" >&2
  exit 1
}

[ $# -gt 0 ] || fail "no program is named" "make install"
for program in "$@"; do
  [ -x "$BIN/$program" ] || fail "$BIN/$program is not built" "make build"
done
[ -x "$NATIVE" ] || fail "$NATIVE is not built" "make build"

# put FILE NAME [MODE] installs a file below PREFIX.
put() {
  install -d "$(dirname "$to/$2")"
  install -m "${3:-0644}" "$1" "$to/$2"
  echo "$to/$2"
}

# unit FILE DIRECTORY installs one that names programs: they are below PREFIX.
unit() {
  sed "s|/usr/bin/localpasskey|$PREFIX/bin/localpasskey|g" "$1" >"$work/unit"
  put "$work/unit" "$2/$(basename "$1")"
}

# system FILE installs what only Linux has a place for.
system() {
  case "$1" in
    *.desktop) put "$1" "share/applications/$(basename "$1")" ;;
    *.svg) put "$1" "share/icons/hicolor/scalable/apps/$(basename "$1")" ;;
    */user/*.service | */user/*.socket | *-agent.service | *-agent.socket) unit "$1" lib/systemd/user ;;
    *.service | *.socket) unit "$1" lib/systemd/system ;;
    */polkit/*.rules) put "$1" "share/polkit-1/rules.d/$(basename "$1")" ;;
    *.rules) put "$1" "lib/udev/rules.d/$(basename "$1")" ;;
    *sysusers*) put "$1" lib/sysusers.d/localpasskey.conf ;;
    *tmpfiles*) put "$1" lib/tmpfiles.d/localpasskey.conf ;;
    *modules*) put "$1" lib/modules-load.d/localpasskey.conf ;;
    *) fail "$1 has no place here" "give it one in packaging/install.sh" ;;
  esac
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for program in "$@"; do
  put "$BIN/$program" "bin/$program" 0755
done

"$NATIVE" man "$work"
for page in "$work"/*.1; do
  gzip -9n "$page"
  put "$page.gz" "share/man/man1/$(basename "$page").gz"
done

# shell NAME FILE installs completions.
shell() {
  "$NATIVE" completion "$1" >"$work/completion"
  put "$work/completion" "$2"
}
shell bash share/bash-completion/completions/localpasskey
shell zsh "$ZSH/_localpasskey"
shell fish share/fish/vendor_completions.d/localpasskey.fish

# manifest FAMILY DIRECTORY lets browsers that look there start localpasskey-browser.
manifest() {
  "$NATIVE" browser manifest "$1" --host "$PREFIX/bin/localpasskey-browser" >"$work/manifest"
  install -d "${DESTDIR:-}$2"
  install -m 0644 "$work/manifest" "${DESTDIR:-}$2/localpasskey.browser.json"
  echo "${DESTDIR:-}$2/localpasskey.browser.json"
}

if [ "$(uname)" = Linux ]; then
  case " $* " in
    *" localpasskey-browser "*)
      manifest chromium /etc/chromium/native-messaging-hosts
      manifest chromium /etc/opt/chrome/native-messaging-hosts
      manifest chromium /etc/opt/edge/native-messaging-hosts
      manifest firefox /usr/lib/mozilla/native-messaging-hosts
      ;;
  esac
  find packaging/linux -type f ! -name '*.go' ! -name '*.md' | LC_ALL=C sort >"$work/list"
  while read -r file; do
    system "$file"
  done <"$work/list"
fi
