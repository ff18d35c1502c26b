package prove

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/cli/choose"
	"github.com/localpasskey/localpasskey/internal/cli/command"
	"github.com/localpasskey/localpasskey/internal/cli/exit"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/proof"
)

const long = `Proves to somebody else that a passkey's key was made in a genuine TPM, cannot leave it, and
signs only after the TPM itself has checked the PIN. It takes two rounds:

  you    localpasskey prove start github.com > claim.json
  they   localpasskey prove challenge claim.json --ca maker.pem --note note.json > challenge.json
  you    localpasskey prove answer challenge.json > answer.json
  they   localpasskey prove verify note.json answer.json --ca maker.pem --registered key.pem

They need no TPM and no daemon, but the certificate of the TPM's maker, from the maker.
claim.json holds your TPM's endorsement certificate, which no other machine has: whoever
has seen it will know this machine again. No PIN is asked for, and no key is used.

One thing cannot be proven: that the key with which this machine's set-up has limited what
the TPM allows was destroyed.`

// program is what the commands need of the program around them.
type program struct{ command.Program }

// Command is `prove`.
func Command(around command.Program) *cobra.Command {
	p := program{around}
	c := &cobra.Command{
		Use:   "prove",
		Short: "Prove to somebody else that a passkey is in a TPM",
		Long:  long,
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(p.start(), p.challenge(), p.answer(), p.verify())
	return c
}

func (p program) start() *cobra.Command {
	return &cobra.Command{
		Use:   "start " + choose.Argument,
		Short: "Write what is to be proven about a passkey",
		Long: `Writes a claim: the public parts of the passkey's key and of what guards it, and this TPM's
endorsement certificate. Nothing in it is secret, but the certificate is this machine's alone.`,
		Args: cobra.ExactArgs(1),
		RunE: p.Does(func(ctx context.Context, args []string) error {
			return p.Within(ctx, func(c *ctap.Client) error {
				passkey, err := choose.One(ctx, c, args[0])
				if err != nil {
					return err
				}
				if !passkey.PINBound {
					return &exit.Error{
						What: "the TPM would sign with this passkey without the PIN, so that it needs one cannot be proven",
						Hint: "`localpasskey show` tells which ones need it; those made while the PIN is asked for at every use do",
						Code: exit.Failed,
					}
				}
				return p.ask(ctx, c, proof.Request{CredentialID: passkey.CredentialID})
			})
		}),
	}
}

func (p program) answer() *cobra.Command {
	return &cobra.Command{
		Use:   "answer CHALLENGE",
		Short: "Have the TPM answer a challenge",
		Long:  "Has this machine's TPM solve the challenge and speak about the passkey, and writes what it says.",
		Args:  cobra.ExactArgs(1),
		RunE: p.Does(func(ctx context.Context, args []string) error {
			challenge, err := os.ReadFile(args[0])
			if err != nil {
				return failed(err)
			}
			return p.Within(ctx, func(c *ctap.Client) error { return p.ask(ctx, c, proof.Request{Challenge: challenge}) })
		}),
	}
}

// ask writes the document that the daemon makes.
func (p program) ask(ctx context.Context, c *ctap.Client, req proof.Request) error {
	response, err := ctap.Call[proof.Response](ctx, c, proof.Command, req)
	if err != nil {
		return err
	}
	_, err = p.Out.Write(response.Document)
	return err
}

func (p program) challenge() *cobra.Command {
	var cas []string
	var noteName string
	c := &cobra.Command{
		Use:   "challenge CLAIM",
		Short: "Check a claim, and write what its TPM has to answer",
		Long: `Checks that a maker of TPMs whom you trust (--ca) vouches for the claim's TPM, and that the
claim is about a key that needs the PIN. Then writes a challenge that only that TPM can
answer. Keep the note to yourself: whoever has it can answer in the TPM's place.`,
		Args: cobra.ExactArgs(1),
		RunE: p.Does(func(_ context.Context, args []string) error {
			trust, err := trusting(cas)
			if err != nil {
				return err
			}
			claim, err := read[proof.Claim](args[0], "start")
			if err != nil {
				return err
			}
			challenge, note, err := trust.NewChallenge(claim)
			if err != nil {
				return refused(err)
			}
			kept, err := proof.Encode(note)
			if err != nil {
				return err
			}
			written, err := proof.Encode(challenge)
			if err != nil {
				return err
			}
			if err := keep(noteName, kept); err != nil {
				return failed(err)
			}
			_, err = p.Out.Write(written)
			return err
		}),
	}
	caFlag(c, &cas)
	c.Flags().StringVar(&noteName, "note", "", "`file` to keep what the answer is checked with; it must not exist yet")
	_ = c.MarkFlagRequired("note") // It exists.
	return c
}

func (p program) verify() *cobra.Command {
	var cas []string
	var registered string
	var asJSON bool
	c := &cobra.Command{
		Use:   "verify NOTE ANSWER",
		Short: "Tell what an answer proves",
		Long: `Checks the answer to the challenge that the note is about, and tells what it proves and what
it does not. With --registered it also compares the proven key with the one that your
site has: a public key (PEM, DER or COSE) or the registration's authenticator data.
Exit code 0 means that all of it holds.`,
		Args: cobra.ExactArgs(2),
		RunE: p.Does(func(_ context.Context, args []string) error {
			trust, err := trusting(cas)
			if err != nil {
				return err
			}
			note, err := read[proof.Note](args[0], "challenge")
			if err != nil {
				return err
			}
			answer, err := read[proof.Answer](args[1], "answer")
			if err != nil {
				return err
			}
			shown, err := trust.Verify(note, answer)
			if err != nil {
				return refused(err)
			}
			if registered != "" {
				if err := compare(shown, registered); err != nil {
					return err
				}
			}
			if asJSON {
				return asDocument(p.Out, shown, registered != "")
			}
			return inWords(p.Out, shown, registered)
		}),
	}
	caFlag(c, &cas)
	c.Flags().StringVar(&registered, "registered", "", "`file` with the public key that your site has of the passkey")
	c.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return c
}

func caFlag(c *cobra.Command, cas *[]string) {
	c.Flags().StringArrayVar(cas, "ca", nil, "`file` with certificates of who vouches for TPMs, PEM or DER; each of them is trusted (may be repeated)")
	_ = c.MarkFlagRequired("ca") // It exists.
}

// trusting reads the certificates of whom the verifier trusts.
func trusting(names []string) (proof.Trust, error) {
	trust := proof.NewTrust(time.Now())
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return trust, failed(err)
		}
		if err := trust.Add(b); err != nil {
			return trust, &exit.Error{
				What: fmt.Sprintf("%s cannot be read: %v", name, err),
				Hint: "it has to hold certificates, as PEM or as one in DER", Code: exit.Failed,
			}
		}
	}
	return trust, nil
}

// read reads a document; by is the command that writes such ones.
func read[T any, D interface {
	*T
	proof.Document
}](name, by string,
) (*T, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, failed(err)
	}
	defer file.Close() //nolint:errcheck // It was only read.
	doc, err := proof.Decode[T, D](file)
	if err != nil {
		return nil, &exit.Error{
			What: fmt.Sprintf("%s cannot be read: %v", name, err),
			Hint: "`localpasskey prove " + by + "` writes such files", Code: exit.Failed,
		}
	}
	return doc, nil
}

// keep writes a file that is nobody else's to read, and that was not there.
func keep(name string, content []byte) (err error) {
	const private = 0o600
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, private)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Close())
}

func compare(shown *proof.Result, name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return failed(err)
	}
	err = shown.Matches(b)
	switch {
	case errors.Is(err, proof.ErrDocument):
		return &exit.Error{
			What: fmt.Sprintf("%s cannot be read: it is neither a public key nor authenticator data", name),
			Hint: "a public key as PEM, DER or COSE will do", Code: exit.Failed,
		}
	case err != nil:
		return refused(err)
	}
	return nil
}

func failed(err error) error { return &exit.Error{What: err.Error(), Code: exit.Failed} }

// refused says that a proof does not hold, and what may have happened.
func refused(err error) error {
	e := &exit.Error{What: "nothing is proven: " + err.Error(), Hint: "take the passkey for one in software", Code: exit.Failed}
	switch {
	case errors.Is(err, proof.ErrUntrusted):
		e.Hint = "if you know the TPM's maker, name its root certificate, and those between if the TPM lacks them: --ca FILE"
	case errors.Is(err, proof.ErrNonce), errors.Is(err, proof.ErrSecret), errors.Is(err, proof.ErrOther):
		e.Hint = "is it the answer to the challenge of this note? if so, take the passkey for one in software"
	case errors.Is(err, proof.ErrAnother):
		e.Hint = "what was proven holds for the claim's passkey, not for the one that your site has"
	case errors.Is(err, proof.ErrPresenceOnly):
		e.Hint = "register anew while `localpasskey config always-uv` is on"
	}
	return e
}
