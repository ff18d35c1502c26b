#!/usr/bin/env bash
# Writes the licences of all that is linked into programs, which their packages must carry:
# ours, Go's own, and those of the modules, from the directories that they are built from.
#
#   scripts/licenses.sh PROGRAM…     GOOS and GOARCH say for which system
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0

# text TITLE DIRECTORY prints the licence and the notices in a module's directory.
text() {
  local file found=
  printf '\n%s\n%s\n' "$(printf '%.0s─' {1..72})" "$1"
  for file in "$2"/{LICENSE,LICENCE,COPYING,NOTICE,PATENTS}*; do
    if [ -f "$file" ]; then
      printf '\n'
      cat "$file"
      case "$(basename "$file")" in NOTICE* | PATENTS*) ;; *) found=yes ;; esac
    fi
  done
  if [ -z "$found" ]; then
    echo "licenses: $1 has no licence in $2" >&2
    echo "hint: a module without one may not be shipped" >&2
    exit 1
  fi
}

packages=()
for program in "$@"; do
  packages+=("./cmd/$program")
done
echo "LocalPasskey, and what is linked into it. Sources: https://github.com/localpasskey/localpasskey"
text "github.com/localpasskey/localpasskey" .
text "The Go programming language and its standard library, $(go env GOVERSION)" "$(go env GOROOT)"
go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{"\t"}}{{.Dir}}{{end}}{{end}}' "${packages[@]}" |
  LC_ALL=C sort -u | while IFS=$'\t' read -r module dir; do
  if [ -n "$module" ]; then
    text "$module" "$dir"
  fi
done
