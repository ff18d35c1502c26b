package prove

import (
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/localpasskey/localpasskey/internal/cli/view"
	"github.com/localpasskey/localpasskey/internal/prompt"
	"github.com/localpasskey/localpasskey/internal/proof"
)

// maxText bounds a text of a certificate, in code points.
const maxText = 200

// unproven is what no proof shows. It is said each time.
func unproven(shown *proof.Result, compared bool) []string {
	all := []string{
		"that the set-up key of that machine was destroyed: whoever was root at its set-up could have kept it, and could then raise the number of tries or replace the PIN",
		"that the TPM is in the machine that somebody sits at: another one could have answered for it",
		"that the PIN is a good one, or that whoever typed it was the right person",
	}
	if shown.Attempts == 0 {
		all = append(all, "how many wrong PINs the TPM allows: it does not say so where it has an owner password")
	}
	if !compared {
		all = append(all, "that your site has this key: compare the public key, or name what you have with --registered")
	}
	return all
}

// inWords tells a person what was proven. registered is the file that it was compared with.
func inWords(out io.Writer, shown *proof.Result, registered string) error {
	public, err := shown.Key.SPKI()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Proven of a passkey for %s:\n", prompt.Service(shown.RelyingParty))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, "  "+name+"\t"+format+"\n", args...) }
	row("ID", "%s", hex.EncodeToString(shown.CredentialID))
	row("key", "made in this TPM, and cannot leave it (fixedTPM, fixedParent, sensitiveDataOrigin)")
	row("PIN", "%s", pinInWords(shown))
	row("TPM", "%s", chipInWords(shown.Chip))
	row("vouched for", "by %s, trusted through %s", prompt.Legible(shown.Chip.Issuer, maxText), prompt.Legible(shown.Chip.Root, maxText))
	row("when", "between %s, when the challenge was made, and now", shown.Made.Local().Format("2006-01-02 15:04:05 -0700"))
	if registered != "" {
		row("registered", "%s has the same key", prompt.Legible(registered, maxText))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nNot proven:\n")
	for _, line := range unproven(shown, registered != "") {
		fmt.Fprintf(out, "  - %s\n", line)
	}
	fmt.Fprintln(out)
	return pem.Encode(out, &pem.Block{Type: "PUBLIC KEY", Bytes: public})
}

func pinInWords(shown *proof.Result) string {
	const checked = "without it the TPM signs nothing for this service"
	if shown.Attempts == 0 {
		return checked
	}
	return fmt.Sprintf("%s; %d wrong ones in a row and it is locked for good", checked, shown.Attempts)
}

func chipInWords(c proof.Chip) string {
	var parts []string
	for _, part := range []struct{ name, value string }{{"maker", c.Manufacturer}, {"model", c.Model}, {"version", c.Version}} {
		if part.value != "" {
			parts = append(parts, part.name+" "+prompt.Legible(part.value, maxText))
		}
	}
	if len(parts) == 0 {
		return "of which its certificate says nothing"
	}
	return strings.Join(parts, ", ")
}

// document is what was proven, for scripts.
type document struct {
	RelyingParty  string    `json:"relying_party"`
	CredentialID  []byte    `json:"credential_id"`
	PublicKey     []byte    `json:"public_key"` // SubjectPublicKeyInfo, DER
	Registered    bool      `json:"registered"` // compared with what the site has
	Attempts      int       `json:"attempts"`   // 0 for not proven
	Manufacturer  string    `json:"manufacturer"`
	Model         string    `json:"model"`
	Version       string    `json:"version"`
	Issuer        string    `json:"issuer"`
	Root          string    `json:"root"`
	ChallengeMade time.Time `json:"challenge_made"`
	NotProven     []string  `json:"not_proven"`
}

// asDocument tells a script. A proof that does not hold has none.
func asDocument(out io.Writer, shown *proof.Result, compared bool) error {
	public, err := shown.Key.SPKI()
	if err != nil {
		return err
	}
	return view.JSON(out, document{
		RelyingParty: shown.RelyingParty, CredentialID: shown.CredentialID, PublicKey: public, Registered: compared,
		Attempts:     shown.Attempts,
		Manufacturer: shown.Chip.Manufacturer, Model: shown.Chip.Model, Version: shown.Chip.Version,
		Issuer: shown.Chip.Issuer, Root: shown.Chip.Root, ChallengeMade: shown.Made,
		NotProven: unproven(shown, compared),
	})
}
