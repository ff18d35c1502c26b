package view

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/prompt"
)

// Audit shows entries of the audit trail, a line for each.
func Audit(out io.Writer, entries []ctap.AuditEntry) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ENTRY\tTIME\tEVENT\tSERVICE\tACCOUNT\tASKED BY\tDETAIL")
	for _, e := range entries {
		service := "-"
		if e.RPID != "" {
			service = shortService(e.RPID)
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", e.Sequence,
			time.UnixMilli(e.Time).Format(time.DateTime), prompt.Legible(string(e.Event), userColumn), service,
			orDash(e.Account), orDash(askedBy(e)), prompt.Legible(e.Detail, userColumn))
	}
	return w.Flush()
}

func orDash(text string) string {
	if text = prompt.Legible(text, userColumn); text == "" {
		return "-"
	}
	return text
}

// askedBy names the program, and the door where that is not ours.
func askedBy(e ctap.AuditEntry) string {
	if e.Door == ctap.DoorHID {
		return strings.TrimSpace("security key " + strings.Join(e.Programs, ", "))
	}
	if len(e.Programs) > 0 {
		return e.Programs[0]
	}
	return ""
}

// trailJSON is what AuditJSON writes. Hashes are hex of SHA-256.
type trailJSON struct {
	First   uint64      `json:"first"`
	Next    uint64      `json:"next"`
	Head    string      `json:"head"`
	Entries []entryJSON `json:"entries"`
}

// entryJSON is one entry. Time is RFC 3339 in UTC.
type entryJSON struct {
	Entry    uint64    `json:"entry"`
	Time     time.Time `json:"time"`
	Event    string    `json:"event"`
	Service  string    `json:"service"`
	Account  string    `json:"account"`
	Detail   string    `json:"detail"`
	Door     string    `json:"door"`
	Programs []string  `json:"programs"`
	Previous string    `json:"previous"`
}

// AuditJSON is Audit for scripts: entries of log.
func AuditJSON(out io.Writer, log *ctap.AuditResponse, entries []ctap.AuditEntry) error {
	j := trailJSON{First: log.First, Next: log.Next, Head: hex.EncodeToString(log.Head[:]), Entries: []entryJSON{}}
	for _, e := range entries {
		j.Entries = append(j.Entries, entryJSON{
			Entry: e.Sequence, Time: time.UnixMilli(e.Time).UTC(), Event: string(e.Event),
			Service: e.RPID, Account: e.Account, Detail: e.Detail, Door: string(e.Door),
			Programs: append([]string{}, e.Programs...), Previous: hex.EncodeToString(e.Previous[:]),
		})
	}
	return JSON(out, j)
}
