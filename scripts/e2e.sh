#!/usr/bin/env bash
# Runs the end-to-end tests, and fails when it ran none: a green run that tested
# nothing is worse than a red one.
#
# They are the tests below test/, with the build tag e2e, and in every other package
# those that are declared in _test.go files with that tag: what else such a package
# has is `make test`'s. Where no file has the tag, the testscript suites (TestScript…)
# that drive the real binaries stand in.
set -euo pipefail
export CGO_ENABLED=0

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0

# run ARGUMENTS… runs go test. -v, so that what ran can be counted; a package without
# tests says so and no more. -p 1: two virtual machines at once would each take more than
# twice as long, and a browser that starts in one would run out of time.
run() {
  echo "go test -count=1 -p 1 -v $*"
  go test -count=1 -p 1 -timeout 30m -v "$@" | tee -a "$log" || status=$?
}

# tagged FILE… prints those that are built with the tag e2e; of directories, what is
# below them.
tagged() {
  grep -rlsE --include='*_test.go' --exclude-dir=.git '^//go:build (.*[ (])?e2e\b' "$@" || true
}

found=$(tagged .)
if grep -q '^\./test/' <<<"$found"; then
  run -tags e2e ./test/...
fi
mapfile -t packages < <(sed -nE '\|^\./test/|d; s|/[^/]*$||p' <<<"$found" | sort -u)
for package in "${packages[@]}"; do
  tests=$(tagged "$package"/*_test.go | xargs sed -nE 's/^func (Test[A-Za-z0-9_]*)\(t \*testing\.T\).*/\1/p' | sort | paste -sd '|')
  if [ -n "$tests" ]; then
    run -tags e2e -run "^($tests)\$" "$package"
  fi
done
if [ -z "$found" ]; then
  suites=$(grep -rls --include='*_test.go' '^func TestScript' cmd internal | sed -E 's|^(.*)/[^/]*$|./\1|' | sort -u || true)
  if [ -z "$suites" ]; then
    echo "e2e: there is no end-to-end test: no file with build tag e2e, no TestScript in cmd or internal" >&2
    exit 1
  fi
  # shellcheck disable=SC2086 # A package's directory has no spaces.
  run -run '^TestScript' $suites
fi

passed=$(grep -cE '^ *--- PASS:' "$log" || true)
failed=$(grep -cE '^ *--- FAIL:' "$log" || true)
skipped=$(grep -cE '^ *--- SKIP:' "$log" || true)
echo "e2e: $passed passed, $failed failed, $skipped skipped"
if [ "$status" -eq 0 ] && [ "$passed" -eq 0 ]; then
  echo "e2e: no test ran" >&2
  exit 1
fi
exit "$status"
