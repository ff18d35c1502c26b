#!/usr/bin/env bash
# Fails on functions that nothing reaches.
#
# Twice, because the question differs:
#   programs   a function linked into a program of cmd/ must be reached from that
#              program's main: what only a test calls is not product code. Apart
#              from the words and ctap: they have both ends of every encoding and
#              protocol, and the end that a program does not link yet is what its
#              tests hold the other one to;
#   everything a function of any package, test kits included, must be reached from
#              some main or some test.
# A function is dead only when it is dead on every system that compiles its file,
# so that what only macOS calls may live in a file that Linux compiles too.
set -euo pipefail
export CGO_ENABLED=0

systems="linux darwin"
module=$(go list -m)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -modfile=tools/go.mod -o "$work/deadcode" golang.org/x/tools/cmd/deadcode

# What go list prints of a package: its files, one per line, tests included.
# shellcheck disable=SC2016 # The dollars are the template's.
listing='{{range .GoFiles}}{{$.Dir}}/{{.}}{{"\n"}}{{end}}{{range .TestGoFiles}}{{$.Dir}}/{{.}}{{"\n"}}{{end}}{{range .XTestGoFiles}}{{$.Dir}}/{{.}}{{"\n"}}{{end}}'

# files FLAGS PATTERN prints the Go files, relative to the module, that are compiled.
files() {
  go list -deps "$@" |
    grep "^$module" | sed 's/ \[.*//' | grep -vE '(\.|_)test$' | sort -u |
    xargs go list -tags e2e -f "$listing" |
    sed "s|^$PWD/||"
}

# dead NAME FLAGS PATTERN writes what is dead wherever it is compiled to NAME.found.
# Called as a statement: in $(…) a failing step would not stop the script.
dead() {
  local name=$1 os
  shift
  : >"$work/$name.files"
  : >"$work/$name.dead"
  for os in $systems; do
    GOOS=$os files "$@" >>"$work/$name.files"
    GOOS=$os "$work/deadcode" "$@" >>"$work/$name.dead"
  done
  # Files counts how many systems compile a file; a function must be dead as often.
  awk -F: '
    FNR == NR { compiled[$1]++; next }
    { dead[$0]++ }
    END { for (line in dead) { split(line, at, ":"); if (dead[line] >= compiled[at[1]]) print line } }
  ' "$work/$name.files" "$work/$name.dead" | sort >"$work/$name.found"
}

status=0
report() {
  if [ -s "$work/$1.found" ]; then
    echo "deadcode: $2"
    cat "$work/$1.found"
    status=1
  fi
}

if compgen -G 'cmd/*/main.go' >/dev/null; then
  dead programs ./cmd/...
  sed -i -E '/^internal\/(webauthn|pinuv|cose|cbor|ctap)\//d' "$work/programs.found"
  report programs "linked into a program, reached by none:"
fi
dead everything -test -tags e2e ./...
report everything "reached by no program and no test:"
exit $status
