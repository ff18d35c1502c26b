package notify

import (
	"fmt"
	"strings"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/notice"
	"github.com/localpasskey/localpasskey/internal/prompt"
)

// Ours: how much is shown, in code points, programs and lines.
const (
	maxName     = 64
	maxText     = 500
	maxPrograms = 3
	maxLines    = 5
)

// words are a notification. The summary is ours alone; the body may have words of others,
// made legible, and is no markup.
type words struct {
	summary, body string
	warning       bool
}

// wordsOfUses tells of uses as one. missed are those of which nothing is known.
func wordsOfUses(uses []notice.Notice, missed uint64) words {
	if len(uses) == 1 && missed == 0 {
		u := uses[0]
		summary := "Signed in with a passkey"
		if u.Event == ctap.AuditCreated {
			summary = "Passkey created"
		}
		return words{summary: summary, body: whose(u.RPID, u.Account) + askedBy(u, "\nasked by ")}
	}
	var lines []string
	for _, u := range uses[:min(len(uses), maxLines)] {
		did := "signed in to "
		if u.Event == ctap.AuditCreated {
			did = "passkey created for "
		}
		lines = append(lines, did+whose(u.RPID, u.Account)+askedBy(u, ", asked by "))
	}
	all := uint64(len(uses)) + missed
	if more := all - uint64(len(lines)); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more: `localpasskey audit list` tells", more))
	}
	return words{summary: fmt.Sprintf("Passkeys were used %d times", all), body: strings.Join(lines, "\n")}
}

func wordsOfPIN(n *notice.Notice) words {
	if n.Tries == 0 {
		return words{
			summary: "The PIN of your passkeys is locked for good", warning: true,
			body: "There were 8 wrong ones. The passkeys of this machine cannot be used any more; `localpasskey reset` begins anew." + lastWrong(n),
		}
	}
	return words{
		summary: fmt.Sprintf("PIN of your passkeys: %s left", prompt.Tries(int(min(n.Tries, notice.Few)))), warning: true,
		body: "There were wrong ones. After that every passkey of this machine is lost for good. The right PIN gives all 8 tries back." + lastWrong(n),
	}
}

// lastWrong tells where the last wrong PIN came from, if that is known.
func lastWrong(n *notice.Notice) string {
	if n.Event == "" {
		return ""
	}
	text := "\nThe last one was typed"
	if n.RPID != "" {
		text += " for " + whose(n.RPID, "")
	}
	return text + askedBy(*n, ", asked by ") + ". If that was not you, `localpasskey audit list` tells more."
}

func wordsOfLoss(n *notice.Notice) words {
	lines := []string{prompt.Legible(n.What, maxText) + "."}
	named := n.Names()
	for _, name := range named[:min(len(named), maxLines)] {
		lines = append(lines, "• "+whose(name.RPID, name.Account))
	}
	switch known := uint(min(len(named), maxLines)); {
	case known == 0 && n.Passkeys > 0:
		lines = append(lines, "Which sites they were for was sealed in the TPM too; a list of `localpasskey inventory export`, if you keep one, tells.")
	case n.Passkeys > known:
		lines = append(lines, fmt.Sprintf("and %d more: `localpasskey list` tells", n.Passkeys-known))
	}
	lines = append(lines, "What to do: "+prompt.Legible(n.Hint, maxText))
	summary := fmt.Sprintf("%d passkeys of this machine cannot be used any more", n.Passkeys)
	switch n.Passkeys {
	case 0:
		summary = "LocalPasskey has to be set up again"
	case 1:
		summary = "1 passkey of this machine cannot be used any more"
	}
	return words{summary: summary, warning: true, body: strings.Join(lines, "\n")}
}

// whose names a site, and the account where it has a name that can be read.
func whose(rpID, account string) string {
	service := unlinked(prompt.Service(rpID))
	if account = foreign(account, maxName); account == "" {
		return service
	}
	return service + ", account " + account
}

// askedBy names the program that asked, and its parents, after a few words; "" where none is
// known.
func askedBy(n notice.Notice, before string) string {
	var names []string
	for _, p := range n.Programs[:min(len(n.Programs), maxPrograms)] {
		if name := foreign(p, maxName); name != "" {
			names = append(names, name)
		}
	}
	between := " ← "
	if n.Door == ctap.DoorHID { // all that have the security key open
		between = " or "
	}
	if len(names) == 0 {
		return ""
	}
	return before + strings.Join(names, between)
}

// foreign makes a text of somebody else's harmless to show.
func foreign(text string, limit int) string { return unlinked(prompt.Legible(text, limit)) }

// unlinked has no slash: desktops make links of what looks like one, escaped or not.
func unlinked(text string) string { return strings.ReplaceAll(text, "/", "∕") }
