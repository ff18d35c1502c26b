#!/usr/bin/env bash
# Runs every fuzz target of the module for a while each, two at a time.
#
#   scripts/fuzz.sh DURATION [PATTERN]     5s, 2m …; PATTERN: regexp on "package.FuzzName"
#
# Each package is built once with instrumentation and its targets are run from
# that binary, which costs a fraction of `go test -fuzz` per target. A failing
# input is written to the package's testdata/fuzz, where `go test` replays it; all
# else that is found stays in Go's cache.
#
# Each target prints its CPU minutes, its executions and the inputs that reached
# something new; the last line adds them up.
set -euo pipefail

duration=${1:?usage: scripts/fuzz.sh DURATION [PATTERN]}
pattern=${2:-.}
export CGO_ENABLED=0
corpus=$(go env GOCACHE)/fuzz
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Packages that declare a target, "import-path<TAB>directory" each.
packages() {
  go list -f '{{.ImportPath}}{{"\t"}}{{.Dir}}' ./... | while IFS=$'\t' read -r path dir; do
    if grep -qs '^func Fuzz' "$dir"/*_test.go; then
      printf '%s\t%s\n' "$path" "$dir"
    fi
  done
}

# Builds one package's targets and prints "binary directory import-path target" lines.
targets() {
  local path=$1 dir=$2 binary name
  binary=$work/${path//\//_}.test
  go test -c -fuzz=. -o "$binary" "$path"
  (cd "$dir" && "$binary" -test.list '^Fuzz') | while read -r name; do
    if [[ "$path.$name" =~ $pattern ]]; then
      echo "$binary $dir $path $name"
    fi
  done
}

# -parallel=1: two processes of one worker each use two cores, and no more.
# Making a found input smaller is worth time only when it fails.
cat >"$work/one" <<'ONE'
#!/usr/bin/env bash
set -uo pipefail
read -r binary dir path name <<<"$1"
log=$(mktemp "$WORK/log.XXXXXX")
cd "$dir" || exit 1
TIMEFORMAT='%U %S'
status=0
{ time "$binary" -test.run='^$' -test.fuzz="^$name\$" -test.fuzztime="$DURATION" \
  -test.fuzzcachedir="$CORPUS/$path" -test.fuzzminimizetime=5s -test.parallel=1 >"$log" 2>&1; } 2>"$log.time" || status=$?
figures=$(awk -v name="${path##*/}.$name" '
  FNR == NR { cpu = ($1 + $2) / 60; next }
  match($0, /execs: [0-9]+/) { execs = substr($0, RSTART + 7, RLENGTH - 7) }
  match($0, /new interesting: [0-9]+/) { new = substr($0, RSTART + 17, RLENGTH - 17) }
  END { printf "%-40s %7.2f min %12d executions %6d new", name, cpu, execs, new }' "$log.time" "$log")
echo "$figures" >"$log.figures"
if [ "$status" -eq 0 ]; then
  echo "ok    $figures"
  exit 0
fi
# Before Go 1.27 (go.dev/issue/75804) the fuzzer reports its own deadline as the
# target's failure, about once in forty runs. A target that failed, crashed or hung
# says more than that.
if [ "$(grep -A1 "^--- FAIL: $name " "$log" | tail -n 1)" = "    context deadline exceeded" ] &&
  ! grep -qE 'Failing input|panic:|hung or terminated|seed corpus' "$log"; then
  echo "ok    $figures (ended in its deadline)"
  exit 0
fi
touch "$log.found"
printf 'FAIL  %s.%s\n' "$path" "$name"
cat "$log"
exit 1
ONE
chmod +x "$work/one"

packages >"$work/packages"
: >"$work/targets"
while IFS=$'\t' read -r path dir; do
  targets "$path" "$dir" >>"$work/targets"
done <"$work/packages"
count=$(wc -l <"$work/targets")
if [ "$count" -eq 0 ]; then
  echo "fuzz: no target matches" >&2
  exit 1
fi

echo "fuzz: $count targets, $duration each, two at a time"
export WORK=$work DURATION=$duration CORPUS=$corpus
status=0
tr '\n' '\0' <"$work/targets" | xargs -0 -P 2 -n 1 "$work/one" || status=$?
found=$(find "$work" -name '*.found' | wc -l)
cat "$work"/log.*.figures | awk -v found="$found" '
  { cpu += $2; execs += $4; new += $6 }
  END { printf "fuzz: %d targets, %.0f CPU minutes, %d executions, %d new inputs, %d targets failed\n", NR, cpu, execs, new, found }'
exit "$status"
