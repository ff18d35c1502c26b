package demo

import (
	"context"
	"errors"
	"fmt"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/demo/site"
)

// mainJob is what a person does with a passkey.
func (d *demo) mainJob() []step {
	return []step{
		{"set a PIN", d.setPIN},
		{"register", d.register},
		{"sign in with an allow-list", d.signIn(false)},
		{"sign in as discoverable login", d.signIn(true)},
	}
}

func (d *demo) setPIN(ctx context.Context) (*outcome, error) {
	s, err := d.newSite(ctx)
	if err != nil {
		return nil, err
	}
	d.main, err = d.newMachine(ctx)
	if err != nil {
		return nil, errors.Join(err, s.Close(ctx))
	}
	d.browser = &browser{site: s, device: d.main.device, pin: examplePIN()}
	if err := d.main.setUp(ctx); err != nil {
		return nil, err
	}
	if err := d.browser.platform().SetPIN(ctx, d.browser.pin); err != nil {
		return nil, err
	}
	info, err := d.main.device.GetInfo(ctx)
	if err != nil {
		return nil, err
	}
	if !info.Options["clientPin"] || !info.Options["alwaysUv"] {
		return nil, fmt.Errorf("getInfo says clientPin %v, alwaysUv %v", info.Options["clientPin"], info.Options["alwaysUv"])
	}
	return &outcome{
		said:  fmt.Sprintf("checked and counted by the TPM, %d wrong ones in all; no key is used without it", tries),
		facts: facts{"tries": tries, "always_uv": true},
	}, nil
}

func (d *demo) register(ctx context.Context) (*outcome, error) {
	got, err := d.browser.register(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.main.person.once(authenticator.OperationRegister, site.Host); err != nil {
		return nil, err
	}
	if err := d.check(got, 0); err != nil {
		return nil, err
	}
	if want := authenticator.TPMAAGUID().String(); got.AAGUID != want {
		return nil, fmt.Errorf("the site got AAGUID %s, not %s", got.AAGUID, want)
	}
	if got.Format != "packed" || got.Attestation != "basic_surrogate" {
		return nil, fmt.Errorf("the site got attestation %s, %s", got.Format, got.Attestation)
	}
	return &outcome{
		said: fmt.Sprintf("the site was told %s (not synced), AAGUID %s;\n"+
			"      it has verified packed self attestation (that the key signs; a maker's would prove the rest)",
			flagText(got), got.AAGUID),
		facts: factsOf(got),
	}, nil
}

func (d *demo) signIn(discoverable bool) func(context.Context) (*outcome, error) {
	return func(ctx context.Context) (*outcome, error) {
		got, err := d.browser.signIn(ctx, discoverable)
		if err != nil {
			return nil, err
		}
		if err := d.main.person.once(authenticator.OperationSignIn, site.Host); err != nil {
			return nil, err
		}
		if err := d.check(got, d.counter+1); err != nil {
			return nil, err
		}
		d.counter = got.Counter
		return &outcome{
			said:  fmt.Sprintf("the site knows %s by %s, counter %d", got.Account, flagText(got), got.Counter),
			facts: factsOf(got),
		}, nil
	}
}

// check holds what the site was told against what LocalPasskey promises to tell.
func (d *demo) check(got *site.Receipt, counter uint32) error {
	if !got.UP || !got.UV || got.BE || got.BS || got.Counter != counter {
		return fmt.Errorf("the site was told %s, counter %d; expected UP=1 UV=1 BE=0 BS=0, counter %d", flagText(got), got.Counter, counter)
	}
	return nil
}

func flagText(r *site.Receipt) string {
	bit := map[bool]int{true: 1}
	return fmt.Sprintf("UP=%d UV=%d BE=%d BS=%d", bit[r.UP], bit[r.UV], bit[r.BE], bit[r.BS])
}

func factsOf(r *site.Receipt) facts {
	f := facts{"up": r.UP, "uv": r.UV, "be": r.BE, "bs": r.BS, "counter": r.Counter, "aaguid": r.AAGUID}
	if r.Format != "" {
		f["fmt"], f["attestation"] = r.Format, r.Attestation
	}
	return f
}
