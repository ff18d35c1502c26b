package appex

import (
	"context"
	"fmt"

	"github.com/localpasskey/localpasskey/internal/macos"
	"github.com/localpasskey/localpasskey/internal/provider"
)

// Identities is the system's list of what it offers. Lib must have loaded
// AuthenticationServices.
type Identities struct{ Lib *macos.Library }

var _ provider.Identities = Identities{}

// Replace replaces the list, if the person has turned us on.
func (i Identities) Replace(ctx context.Context, all []provider.Identity) error {
	lib := i.Lib
	store := lib.Send.IdentityStore(lib.Class("ASCredentialIdentityStore"))
	enabled := make(chan bool, 1)
	state := lib.State(func(state macos.ID) { enabled <- lib.Send.StoreIsEnabled(state) })
	lib.Pool(func() { lib.Send.GetStoreState(store, state) })
	select {
	case on := <-enabled:
		lib.Free(uintptr(state))
		if !on {
			return nil
		}
	case <-ctx.Done():
		return ctx.Err() // the block may still be called, and stays
	}
	replaced := make(chan error, 1)
	done := lib.BoolError(func(ok bool, err macos.ID) {
		if ok {
			replaced <- nil
			return
		}
		replaced <- fmt.Errorf("the system's list: %w", lib.Error(macos.Ref(err)))
	})
	lib.Pool(func() {
		list := i.array(all)
		defer lib.Release(list)
		lib.Send.ReplaceIdentities(store, list, done)
	})
	select {
	case err := <-replaced:
		lib.Free(uintptr(done))
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// array makes the list.
func (i Identities) array(all []provider.Identity) macos.Ref {
	lib := i.Lib
	var objects []macos.Ref
	defer func() { lib.Release(objects...) }()
	for _, one := range all {
		rp, user, id, handle, record := lib.String(one.RPID), lib.String(one.UserName), lib.Data(one.ID), lib.Data(one.UserHandle), lib.String("")
		object := lib.Send.InitIdentity(lib.Send.Alloc(lib.Class("ASPasskeyCredentialIdentity")), rp, user, id, handle, record)
		lib.Release(rp, user, id, handle, record)
		if object != 0 {
			objects = append(objects, macos.Ref(object))
		}
	}
	return lib.Array(objects...)
}
