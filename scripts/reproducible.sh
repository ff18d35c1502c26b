#!/usr/bin/env bash
# Builds what is released twice, as two machines would: from the commit's own files in two
# directories, with caches, time zone and permissions of their own, one without git. Fails
# when a byte differs.
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD

work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT

# build NAME UMASK TZ… runs in a subshell, whose settings end with it.
build() (
  umask "$2"
  export GOCACHE=$work/$1/cache TZ=$3
  cd "$work/$1/source"
  scripts/release.sh -o "$work/$1/dist" >"$work/$1/log"
)

git clone -q --no-hardlinks "$here" "$work/first/source"
git -C "$work/first/source" checkout -q --detach "$(git rev-parse HEAD)"
build first 022 UTC

version=$(sed -nE 's/.*localpasskey_(.*)-1_amd64\.deb$/\1/p' "$work/first/dist/SHA256SUMS")
epoch=$(git log -1 --format=%ct)
mkdir -p "$work/second/a/longer/name"
ln -s a/longer/name "$work/second/source"
(umask 077 && git archive HEAD | tar -x -C "$work/second/source")
VERSION=$version SOURCE_DATE_EPOCH=$epoch build second 077 Asia/Tokyo

cat "$work/first/dist/SHA256SUMS"
if ! diff "$work/first/dist/SHA256SUMS" "$work/second/dist/SHA256SUMS"; then
  echo "reproducible: the second build differs from the first" >&2
  exit 1
fi
echo "reproducible: two builds, the same bytes"
