package tpm

import (
	"strings"
	"testing"
)

// attack is a row of the table of attacks. Between do and after the power is off.
type attack struct {
	name  string
	do    func(v *victim)
	after func(v *victim) // nil where a power cycle has no part in it
}

// attacks are those that a TPM has to withstand, whichever it is.
func attacks() []attack {
	return []attack{
		{"A1 redefined index", (*victim).redefinedIndex, nil},
		{"A2 wrong authorization", (*victim).wrongAuthorization, nil},
		{"A3 guessing", (*victim).guessing, (*victim).guessedAndCut},
		{"A4 bound session", (*victim).boundSession, nil},
		{"A5 approvals", (*victim).approvals, nil},
		{"A6 second TPM", (*victim).secondTPM, nil},
		{"A7 old store", (*victim).oldStore, nil},
		{"A8 ObjectChangeAuth", (*victim).objectChangeAuth, nil},
		{"A9 after a reset", (*victim).afterReset, nil},
		{"A11 presence-only", (*victim).presenceOnly, (*victim).presenceOnlyAndCut},
	}
}

// onSoftware runs the attack of that number on a software TPM.
func onSoftware(t *testing.T, number string) {
	t.Helper()
	for _, a := range attacks() {
		if !strings.HasPrefix(a.name, number+" ") {
			continue
		}
		chip := startTPM(t)
		v := newVictim(t, chip)
		a.do(v)
		if a.after != nil {
			must(t, chip.Restart(t.Context()))
			a.after(v)
		}
		return
	}
	t.Fatalf("there is no attack %s", number)
}

func TestAttackA1RedefinedIndex(t *testing.T)     { onSoftware(t, "A1") }
func TestAttackA2WrongAuthorization(t *testing.T) { onSoftware(t, "A2") }
func TestAttackA3Guessing(t *testing.T)           { onSoftware(t, "A3") }
func TestAttackA4BoundSession(t *testing.T)       { onSoftware(t, "A4") }
func TestAttackA5Approvals(t *testing.T)          { onSoftware(t, "A5") }
func TestAttackA6SecondTPM(t *testing.T)          { onSoftware(t, "A6") }
func TestAttackA7OldStore(t *testing.T)           { onSoftware(t, "A7") }
func TestAttackA8ObjectChangeAuth(t *testing.T)   { onSoftware(t, "A8") }
func TestAttackA9AfterReset(t *testing.T)         { onSoftware(t, "A9") }
func TestAttackA11PresenceOnly(t *testing.T)      { onSoftware(t, "A11") }
