#!/usr/bin/env bash
# Builds what is released into dist/: .deb and .rpm for amd64 and arm64, and SHA256SUMS.
# The same commit gives the same bytes, on whatever machine and whenever.
#
#   scripts/release.sh [-o DIRECTORY] [-a ARCHITECTURE]…
#
# The version is the tag v1.2.3 of this commit; a commit without one is
# 0.0.0~YYYYMMDDHHMMSS.HASH, which every release is newer than. An archive of the sources
# has no git: there VERSION and SOURCE_DATE_EPOCH have to be set.
set -euo pipefail
cd "$(dirname "$0")/.."
umask 022
export LC_ALL=C TZ=UTC CGO_ENABLED=0 GOOS=linux GOFLAGS='' GOAMD64=v1 GOARM64=v8.0

out=dist
architectures=()
while getopts o:a: option; do
  case "$option" in
    o) out=$OPTARG ;;
    a) architectures+=("$OPTARG") ;;
    *) echo "usage: scripts/release.sh [-o DIRECTORY] [-a ARCHITECTURE]…" >&2 && exit 2 ;;
  esac
done
[ "${#architectures[@]}" -gt 0 ] || architectures=(amd64 arm64)

if [ -z "${VERSION:-}" ]; then
  if ! git rev-parse HEAD >/dev/null 2>&1; then
    echo "release: there is no git here to tell the version" >&2
    echo "hint: set VERSION and SOURCE_DATE_EPOCH" >&2
    exit 1
  fi
  if tag=$(git describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null); then
    VERSION=${tag#v}
    VERSION=${VERSION/-/\~} # 1.0.0-rc.1 comes before 1.0.0
  else
    VERSION=0.0.0~$(git log -1 --format=%cd --date=format-local:%Y%m%d%H%M%S).$(git rev-parse --short=12 HEAD)
  fi
  if [ -n "$(git status --porcelain)" ]; then
    VERSION+=.dirty
    echo "release: there are changes that are not committed; they are in it" >&2
  fi
fi
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export VERSION SOURCE_DATE_EPOCH

programs=()
for directory in cmd/*/; do
  program=$(basename "$directory")
  case "$program" in
    localpasskey-demo) ;; # brings a relying party and starts a software TPM: never packaged
    localpasskey-app | localpasskey-provider) ;; # of macOS: `make macos` puts them together
    *) programs+=("$program") ;;
  esac
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# compile DIRECTORY builds every program for $GOOS and $GOARCH.
compile() {
  local program
  for program in "${programs[@]}"; do
    go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$VERSION" -o "$1/$program" "./cmd/$program"
  done
}

# changes DIRECTORY FORMAT installs what changed, where the packages of that kind have it.
changes() {
  if [ "$2" = rpm ]; then
    install -m 0644 CHANGELOG.md "$1/CHANGELOG.md"
    return
  fi
  gzip -9n <CHANGELOG.md >"$1/changelog.gz"
  {
    printf 'localpasskey (%s-1) unstable; urgency=medium\n\n' "$VERSION"
    printf '  * What changed is in changelog.gz, beside this file.\n\n'
    printf ' -- %s  %s\n' "$(sed -n 's/^maintainer: //p' packaging/nfpm.yaml)" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")"
  } | gzip -9n >"$1/changelog.Debian.gz"
}

# These two run here, whatever is built.
GOOS='' GOARCH='' compile "$work/native"
GOOS='' GOARCH='' go build -modfile=tools/packaging.mod -o "$work/nfpm" github.com/goreleaser/nfpm/v2/cmd/nfpm

mkdir -p "$out"
rm -f "$out"/localpasskey[_-]*.deb "$out"/localpasskey[_-]*.rpm "$out/SHA256SUMS"
for GOARCH in "${architectures[@]}"; do
  export GOARCH
  compile "$work/$GOARCH"
  scripts/licenses.sh "${programs[@]}" >"$work/copyright"
  for format in deb rpm; do
    stage=$work/stage-$GOARCH-$format
    zsh=share/zsh/site-functions
    [ "$format" = rpm ] || zsh=share/zsh/vendor-completions
    DESTDIR=$stage PREFIX=/usr BIN=$work/$GOARCH NATIVE=$work/native/localpasskey ZSH=$zsh packaging/install.sh "${programs[@]}" >"$work/installed"
    install -D -m 0644 "$work/copyright" "$stage/usr/share/doc/localpasskey/copyright"
    changes "$stage/usr/share/doc/localpasskey" "$format"
    find "$stage" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
    ARCH=$GOARCH STAGE=$stage "$work/nfpm" package --config packaging/nfpm.yaml --packager "$format" --target "$out" >"$work/log" ||
      { cat "$work/log" >&2 && exit 1; }
  done
done

cd "$out"
sha256sum -- localpasskey* >"$work/sums"
mv "$work/sums" SHA256SUMS
cat SHA256SUMS
