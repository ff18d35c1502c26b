#!/usr/bin/env bash
# Runs the end-to-end tests, and fails when it ran none: a green run that tested
# nothing is worse than a red one.
#
# They are the _test.go files under test/ with the build tag e2e. Where there are
# none, the testscript suites (TestScript…) that drive the real binaries stand in.
set -euo pipefail
export CGO_ENABLED=0

log=$(mktemp)
trap 'rm -f "$log"' EXIT

if grep -rlqs --include='*_test.go' -E '^//go:build (.*[ (!])?e2e\b' test; then
  args=(-tags e2e ./test/...)
else
  suites=$(grep -rls --include='*_test.go' '^func TestScript' cmd internal | sed -E 's|^(.*)/[^/]*$|./\1|' | sort -u || true)
  if [ -z "$suites" ]; then
    echo "e2e: there is no end-to-end test: no test/ file with build tag e2e, no TestScript in cmd or internal" >&2
    exit 1
  fi
  # shellcheck disable=SC2206 # A package's directory has no spaces.
  args=(-run '^TestScript' $suites)
fi

echo "go test -count=1 -v ${args[*]}"
# -v, so that what ran can be counted; a package without tests says so and no more.
status=0
go test -count=1 -timeout 30m -v "${args[@]}" | tee "$log" || status=$?
passed=$(grep -cE '^ *--- PASS:' "$log" || true)
failed=$(grep -cE '^ *--- FAIL:' "$log" || true)
skipped=$(grep -cE '^ *--- SKIP:' "$log" || true)
echo "e2e: $passed passed, $failed failed, $skipped skipped"
if [ "$status" -eq 0 ] && [ "$passed" -eq 0 ]; then
  echo "e2e: no test ran" >&2
  exit 1
fi
exit "$status"
