package appex

import (
	"context"
	"errors"
	"time"

	"github.com/localpasskey/localpasskey/internal/macos"
	"github.com/localpasskey/localpasskey/internal/provider"
)

// handed is how long the system gets to say that it has an answer. What it says
// changes nothing: by then the answer was handed over.
const handed = 3 * time.Second

var errNoObject = errors.New("macOS does not take the answer for one")

// identity is a request's identity, 0 unless it is a passkey's.
func (x *Extension) identity(req macos.ID) macos.ID {
	send := x.Lib.Send
	if !send.IsKindOf(req, x.Lib.Class("ASPasskeyCredentialRequest")) {
		return 0
	}
	i := send.CredentialIdentity(req)
	if i == 0 || !send.IsKindOf(i, x.Lib.Class("ASPasskeyCredentialIdentity")) {
		return 0
	}
	return i
}

// registration copies a request.
func (x *Extension) registration(req macos.ID) (r provider.RegistrationRequest, ok bool) {
	send := x.Lib.Send
	i := x.identity(req)
	if i == 0 {
		return r, false
	}
	words := preferences{required: x.Lib.Text(x.Lib.K.UVRequired), preferred: x.Lib.Text(x.Lib.K.UVPreferred), discouraged: x.Lib.Text(x.Lib.K.UVDiscouraged)}
	r = provider.RegistrationRequest{
		RPID: x.Lib.Text(send.IdentityRP(i)), UserName: x.Lib.Text(send.IdentityUserName(i)), UserHandle: x.Lib.Bytes(send.IdentityUserHandle(i)),
		ClientDataHash: x.Lib.Bytes(send.ClientDataHash(req)), Verification: words.of(x.Lib.Text(send.UVPreference(req))),
	}
	for _, number := range x.Lib.Items(send.SupportedAlgorithms(req)) {
		if n, ok := x.Lib.Int64(number); ok {
			r.Algorithms = append(r.Algorithms, n)
		}
	}
	for _, descriptor := range x.Lib.Items(send.ExcludedCredentials(req)) {
		r.Excluded = append(r.Excluded, x.Lib.Bytes(send.DescriptorID(macos.ID(descriptor))))
	}
	return r, true
}

// assertion copies a request.
func (x *Extension) assertion(req macos.ID) (r provider.AssertionRequest, ok bool) {
	send := x.Lib.Send
	i := x.identity(req)
	if i == 0 {
		return r, false
	}
	return provider.AssertionRequest{
		RPID: x.Lib.Text(send.IdentityRP(i)), ClientDataHash: x.Lib.Bytes(send.ClientDataHash(req)),
		ID: append([]byte{}, x.Lib.Bytes(send.IdentityCredential(i))...),
	}, true
}

// request is the extension context of one request.
type request struct {
	x       *Extension
	context macos.ID
}

var _ provider.Request = (*request)(nil)

// CompleteRegistration hands the answer over.
func (r *request) CompleteRegistration(ctx context.Context, a provider.Registration) error {
	lib := r.x.Lib
	return r.complete(ctx, "ASPasskeyRegistrationCredential", func(object macos.ID) (macos.ID, []macos.Ref) {
		rp, hash, id, attestation := lib.String(a.RPID), lib.Data(a.ClientDataHash), lib.Data(a.ID), lib.Data(a.AttestationObject)
		return lib.Send.InitRegistration(object, rp, hash, id, attestation), []macos.Ref{rp, hash, id, attestation}
	}, lib.Send.CompleteRegistration)
}

// CompleteAssertion hands the answer over.
func (r *request) CompleteAssertion(ctx context.Context, a provider.Assertion) error {
	lib := r.x.Lib
	return r.complete(ctx, "ASPasskeyAssertionCredential", func(object macos.ID) (macos.ID, []macos.Ref) {
		handle, rp, signature := lib.Data(a.UserHandle), lib.String(a.RPID), lib.Data(a.Signature)
		hash, data, id := lib.Data(a.ClientDataHash), lib.Data(a.AuthData), lib.Data(a.ID)
		return lib.Send.InitAssertion(object, handle, rp, signature, hash, data, id), []macos.Ref{handle, rp, signature, hash, data, id}
	}, lib.Send.CompleteAssertion)
}

// complete makes the answer's object and hands it over, on the main thread.
func (r *request) complete(ctx context.Context, class string, initialize func(object macos.ID) (macos.ID, []macos.Ref), hand func(to, object macos.ID, done macos.BlockBool)) error {
	lib := r.x.Lib
	taken := make(chan struct{}, 1)
	err := r.x.onMain(ctx, func() error {
		object, parts := initialize(lib.Send.Alloc(lib.Class(class)))
		defer lib.Release(parts...)
		if object == 0 {
			return errNoObject
		}
		defer lib.Send.Release(object)
		hand(r.context, object, lib.Bool(func(bool) { taken <- struct{}{} })) // the block lives as long as the process, which ends soon
		return nil
	})
	if err != nil {
		return err
	}
	select {
	case <-taken:
	case <-time.After(handed):
	}
	return nil
}

// onMain runs do on the main thread and waits for it. Once the context is dead do
// is not begun any more.
func (x *Extension) onMain(ctx context.Context, do func() error) error {
	done := make(chan error, 1)
	x.Lib.OnMain(func() {
		if err := ctx.Err(); err != nil {
			done <- err
			return
		}
		done <- guarded(do)
	})
	return <-done
}

// CompleteConfiguration ends a configuration.
func (r *request) CompleteConfiguration() {
	r.x.Lib.OnMain(func() { r.x.Lib.Send.CompleteConfiguration(r.context) })
}

// Cancel refuses.
func (r *request) Cancel(code provider.Code) {
	r.x.Lib.OnMain(func() { r.cancel(code) })
}

// cancel is Cancel on the main thread.
func (r *request) cancel(code provider.Code) {
	lib := r.x.Lib
	lib.Pool(func() {
		lib.Send.CancelRequest(r.context, lib.Send.ErrorDomain(lib.Class("NSError"), lib.K.ASExtensionErrorDomain, int(code), 0))
	})
}
