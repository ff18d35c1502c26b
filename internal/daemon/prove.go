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

// prove makes the claim about a passkey, or the answer to a challenge.
func (o *opened) prove(ctx context.Context, req proof.Request) (proof.Document, error) {
	if len(req.Challenge) == 0 {
		c, err := o.passkey(req.CredentialID)
		if err != nil {
			return nil, err
		}
		prover, err := o.machine.Prover(&c.Key)
		if err != nil {
			return nil, err
		}
		is, err := prover.Identity(ctx)
		if err != nil {
			return nil, err
		}
		return proof.NewClaim(c.RP.ID, c.ID, is), nil
	}
	challenge, err := proof.Decode[proof.Challenge](bytes.NewReader(req.Challenge))
	if err != nil {
		return nil, &ctap.Problem{
			Status: ctap.InvalidParameter, What: "the challenge cannot be read: " + err.Error(),
			Hint: "`localpasskey prove challenge` writes such files", Cause: err,
		}
	}
	c, err := o.passkey(challenge.CredentialID)
	if err != nil {
		return nil, err
	}
	prover, err := o.machine.Prover(&c.Key)
	if err != nil {
		return nil, err
	}
	said, err := prover.Answer(ctx, challenge.ForTPM())
	if err != nil {
		return nil, err
	}
	return proof.NewAnswer(said), nil
}

func (o *opened) passkey(id []byte) (*authenticator.Credential, error) {
	c, err := o.store.ByID(id)
	if err == nil && c == nil {
		err = ctap.NoCredentials
	}
	return c, err
}
