#!/usr/bin/env bash
# Makes trouble for hours, and prints what came of it in one table.
#
#   scripts/campaign.sh KILLS ROUNDS DURATION [PATTERN]
#
# KILLS: how often the daemon is killed. ROUNDS: how often it meets each other fault.
# DURATION and PATTERN: how long each fuzz target runs, and which; see fuzz.sh.
# Everything runs, whatever failed before it; the exit code tells whether all passed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

kills=${1:?usage: scripts/campaign.sh KILLS ROUNDS DURATION [PATTERN]}
rounds=${2:?}
duration=${3:?}
pattern=${4:-}
export CGO_ENABLED=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=()

# run NAME COMMAND… runs a part of the campaign and keeps what it prints.
run() {
  local name=$1
  shift
  echo "── $name: $*"
  "$@" 2>&1 | tee -a "$log" || failed+=("$name")
}

run kills env "LOCALPASSKEY_KILL_ROUNDS=$kills" go test -count=1 -timeout 8h -tags e2e -run '^TestKillRounds$' -v ./test/clients
run machine go test -count=1 -timeout 1h -tags e2e -run '^(TestClockJumps|TestSuspend)$' -v ./test/clients
run faults env "LOCALPASSKEY_FAULT_ROUNDS=$rounds" go test -count=1 -timeout 8h -v ./test/faults
run builds scripts/reproducible.sh
run fuzzing scripts/fuzz.sh "$duration" "$pattern"

echo "── figures"
{
  echo "fault | rounds | acknowledged | lost | left in the TPM | answers"
  sed -nE 's/.*figures: //p' "$log"
} | awk -F ' [|] ' '{ printf "%-22s %7s %13s %5s %16s  %s\n", $1, $2, $3, $4, $5, $6 }'
grep '^fuzz: .*CPU' "$log" || true
if [ "${#failed[@]}" -ne 0 ]; then
  echo "campaign: failed: ${failed[*]}" >&2
  exit 1
fi
