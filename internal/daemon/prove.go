package daemon

import (
	"bytes"
	"context"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/proof"
)

// prove has the TPM speak about a passkey to somebody else. It takes no turn among the
// requests: nothing is used, and nobody asked. The TPM's commands come between others'.
func (ch *channel) prove(ctx context.Context, params cbor.Raw) (cbor.Raw, error) {
	o, err := ch.d.open(ctx)
	if err != nil {
		return nil, ch.explained(ctx, err)
	}
	var req proof.Request
	if err := cbor.Unmarshal(params, &req); err != nil {
		return nil, err
	}
	doc, err := o.prove(ctx, req)
	if _, plain := err.(ctap.Status); plain { //nolint:errorlint // What wraps a status has more to say.
		return nil, err
	}
	if err != nil {
		return nil, ch.explained(ctx, err)
	}
	encoded, err := proof.Encode(doc)
	if err != nil {
		return nil, ch.explained(ctx, err)
	}
	return cbor.Marshal(proof.Response{Document: encoded})
}

// prove makes the claim about a passkey, or the answer to a challenge. Either is written
// down: whoever gets it knows more of this machine than a site does.
func (o *opened) prove(ctx context.Context, req proof.Request) (proof.Document, error) {
	var challenge *proof.Challenge
	id := req.CredentialID
	if len(req.Challenge) > 0 {
		var err error
		if challenge, err = proof.Decode[proof.Challenge](bytes.NewReader(req.Challenge)); err != nil {
			return nil, &ctap.Problem{
				Status: ctap.InvalidParameter, What: "the challenge cannot be read: " + err.Error(),
				Hint: "`localpasskey prove challenge` writes such files", Cause: err,
			}
		}
		id = challenge.CredentialID
	}
	c, err := o.passkey(id)
	if err != nil {
		return nil, err
	}
	prover, err := o.machine.Prover(&c.Key)
	if err != nil {
		return nil, err
	}
	entry := ctap.NewAuditEntry(ctx, proof.Audit, c.RP.ID, c.User.Name)
	if challenge == nil {
		is, err := prover.Identity(ctx)
		if err != nil {
			return nil, err
		}
		entry.Detail = "claim"
		o.store.Note(entry)
		return proof.NewClaim(c.RP.ID, c.ID, is), nil
	}
	said, err := prover.Answer(ctx, challenge.ForTPM())
	if err != nil {
		return nil, err
	}
	entry.Detail = "answer"
	o.store.Note(entry)
	return proof.NewAnswer(said), nil
}

func (o *opened) passkey(id []byte) (*authenticator.Credential, error) {
	c, err := o.store.ByID(id)
	if err == nil && c == nil {
		err = ctap.NoCredentials
	}
	return c, err
}
