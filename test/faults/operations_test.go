//go:build linux

package faults

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest/party"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/proof"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// operation is what a platform may be doing when a fault comes. A run without an error
// is acknowledged, and the world knows what it has changed; one with an error has changed
// nothing, but for the PIN: a platform cannot know.
type operation struct {
	name string
	run  func(ctx context.Context, w *world) error
	// after finds out what has become of a run that failed; nil where nothing can have.
	after func(w *world)
}

const registering = 0 // place among the operations

var errForged = errors.New("not what was asked for")

func operations() []operation {
	return []operation{
		{name: "registration", run: func(ctx context.Context, w *world) error {
			req := w.registration()
			req.Options.UV = new(true)
			return w.register(ctx, req)
		}},
		{name: "registration with a token", run: func(ctx context.Context, w *world) error {
			return w.withToken(ctx, ctap.PermissionMakeCredential, party.Site, func(t tokenOf) error {
				req := w.registration()
				req.PINUVAuthParam, req.PINUVAuthProtocol = new(t.Authenticate(req.ClientDataHash)), t.Protocol()
				return w.register(ctx, req)
			})
		}},
		{name: "sign-in", run: func(ctx context.Context, w *world) error { return w.works(ctx, w.channel(), w.any(w.next)) }},
		{name: "sign-in with a token", run: func(ctx context.Context, w *world) error {
			return w.withToken(ctx, ctap.PermissionGetAssertion, party.Site, func(t tokenOf) error {
				p := w.any(w.next)
				req := party.WithToken(w.signIn(p), t)
				req.Options = nil
				response, err := w.channel().GetAssertion(ctx, req)
				if err != nil {
					return err
				}
				return w.signed(p, response)
			})
		}},
		{name: "PIN change", run: changePIN, after: func(w *world) { w.findPIN(w.nextPIN(), w.pin) }},
		{name: "settings", run: toggleAlwaysUV},
		{name: "large blobs", run: writeBlobs},
		{name: "deletion", run: remove},
		{name: "proof", run: func(ctx context.Context, w *world) error {
			_, err := ctap.Call[proof.Response](ctx, w.channel(), proof.Command, proof.Request{CredentialID: w.any(w.next).ID})
			return err
		}},
		{name: "tries", run: func(ctx context.Context, w *world) error {
			_, err := w.channel().ClientPIN(ctx, &ctap.ClientPINRequest{Subcommand: ctap.GetPINRetries})
			return err
		}},
	}
}

// tokenOf is a pinUvAuthToken in use.
type tokenOf = pinuv.Token

func (w *world) withToken(ctx context.Context, permission ctap.Permission, rpID string, use func(tokenOf) error) error {
	token, err := w.platform().TokenWithPIN(ctx, party.PIN(w.pin), permission, rpID)
	if err != nil {
		return err
	}
	defer token.Wipe()
	return use(token)
}

func (w *world) registration() *ctap.MakeCredentialRequest {
	w.next++
	return party.Registration(party.Site, fmt.Sprintf("account %d", w.next))
}

func (w *world) register(ctx context.Context, req *ctap.MakeCredentialRequest) error {
	response, err := w.channel().MakeCredential(ctx, req)
	if err != nil {
		return err
	}
	data, err := webauthn.ParseAuthenticatorData(response.AuthData)
	if err != nil {
		return err
	}
	key, err := data.Attested.PublicKey.ECDSA()
	if err != nil {
		return err
	}
	w.known[string(data.Attested.CredentialID)] = &passkey{
		Registered: party.Registered{RPID: req.RP.ID, ID: data.Attested.CredentialID, Key: key, Data: data}, account: req.User.Name,
	}
	return nil
}

// signIn asks for an assertion by p, at our own prompt.
func (w *world) signIn(p *passkey) *ctap.GetAssertionRequest {
	req := party.SignIn(p.RPID, p.Registered)
	req.Options = &ctap.Options{UV: new(true)}
	return req
}

// signed checks what a relying party would.
func (w *world) signed(p *passkey, response *ctap.GetAssertionResponse) error {
	data, err := webauthn.ParseAuthenticatorData(response.AuthData)
	if err != nil {
		return err
	}
	if !p.Signed(response) || data.SignCount <= p.count || !bytes.Equal(response.Credential.ID, p.ID) {
		w.Errorf("a signature that no site takes: count %d after %d", data.SignCount, p.count)
		return errForged
	}
	p.count = data.SignCount
	return nil
}

func (w *world) nextPIN() string {
	if w.pin == party.FirstPIN {
		return party.OtherPIN
	}
	return party.FirstPIN
}

func changePIN(ctx context.Context, w *world) error {
	to := w.nextPIN()
	if err := w.platform().ChangePIN(ctx, party.PIN(w.pin), party.PIN(to)); err != nil {
		return err
	}
	w.pin = to
	w.person.SetPINs(to)
	return nil
}

func toggleAlwaysUV(ctx context.Context, w *world) error {
	return w.withToken(ctx, ctap.PermissionConfiguration, "", func(t tokenOf) error {
		if err := ctap.Configure(ctx, w.channel(), t, ctap.ToggleAlwaysUV, nil); err != nil {
			return err
		}
		w.alwaysUV = !w.alwaysUV
		return nil
	})
}

// remove deletes a passkey, where there is more than one.
func remove(ctx context.Context, w *world) error {
	if len(w.known) == 1 {
		return nil
	}
	p := w.any(w.next)
	return w.withToken(ctx, ctap.PermissionCredentialManagement, "", func(t tokenOf) error {
		_, err := ctap.ManageCredentials(ctx, w.channel(), t, ctap.DeleteCredential, &ctap.CredentialManagementParams{
			Credential: &ctap.Descriptor{ID: p.ID, Type: ctap.PublicKeyType},
		})
		if err == nil {
			delete(w.known, string(p.ID))
		}
		return err
	})
}

// fragmentBytes is less than any door's longest fragment.
const fragmentBytes = 900

// writeBlobs replaces the array by another, of some pages of a store.
func writeBlobs(ctx context.Context, w *world) error {
	content := bytes.Repeat([]byte{byte(w.next)}, 1000+w.next*517%9000)
	sum := sha256.Sum256(content)
	array := append(content, sum[:16]...)
	return w.withToken(ctx, ctap.PermissionLargeBlobWrite, "", func(t tokenOf) error {
		channel := w.channel()
		for at := 0; at < len(array); at += fragmentBytes {
			fragment := array[at:min(at+fragmentBytes, len(array))]
			req := &ctap.LargeBlobsRequest{Set: &fragment, Offset: new(uint(at)), PINUVAuthProtocol: t.Protocol()}
			if at == 0 {
				req.Length = new(uint(len(array)))
			}
			req.PINUVAuthParam = t.Authenticate(ctap.LargeBlobMessage(uint32(at), fragment))
			if _, err := channel.LargeBlobs(ctx, req); err != nil {
				return err
			}
		}
		w.blobs = array
		return nil
	})
}

// readBlobs reads the array, nil where it is the empty one.
func readBlobs(ctx context.Context, a ctap.Authenticator) ([]byte, error) {
	const empty = 17 // bytes
	var array []byte
	for {
		response, err := a.LargeBlobs(ctx, &ctap.LargeBlobsRequest{Get: new(uint(fragmentBytes)), Offset: new(uint(len(array)))})
		if err != nil {
			return nil, err
		}
		array = append(array, *response.Config...)
		if len(*response.Config) < fragmentBytes {
			break
		}
	}
	if len(array) == empty {
		return nil, nil
	}
	return array, nil
}
