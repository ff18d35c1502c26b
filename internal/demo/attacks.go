package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/demo/attacker"
	"github.com/localpasskey/localpasskey/internal/demo/site"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// tries is how many wrong PINs the TPM takes in all, inARow how many the daemon
// takes between two power cycles (CTAP 2.3 §6.5.5.6).
const (
	tries  = 8
	inARow = 3
)

// attacks are what somebody does who is root on the machine and lacks the PIN. Each
// has a victim of its own.
func (d *demo) attacks() []step {
	return []step{
		{"copy the store to a second TPM", d.onVictim(d.copyStore)},
		{"sign without the PIN", d.onVictim(d.signWithoutPIN)},
		{"define the PIN index anew, with a PIN of his own", d.onVictim(d.redefineIndex)},
		{"guess the PIN", d.onVictim(d.guessPIN)},
	}
}

// victim is a machine with a PIN and a passkey that has just been used: the last key
// that the TPM loaded is the passkey's.
type victim struct {
	*machine
	browser *browser
}

// onVictim makes a step of an attack.
func (d *demo) onVictim(attack func(context.Context, *victim) (*outcome, error)) func(context.Context) (*outcome, error) {
	return func(ctx context.Context) (result *outcome, err error) {
		s, err := d.newSite(ctx)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, s.Close(ctx)) }()
		m, err := d.newMachine(ctx)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, m.shutDown(ctx)) }()
		v := &victim{machine: m, browser: &browser{site: s, device: m.device, pin: examplePIN()}}
		if err := v.live(ctx); err != nil {
			return nil, fmt.Errorf("preparing the victim: %w", err)
		}
		return attack(ctx, v)
	}
}

// live is what the victim did before the attack. That signing in works with the PIN
// is what makes a refusal without it worth something.
func (v *victim) live(ctx context.Context) error {
	if err := v.setUp(ctx); err != nil {
		return err
	}
	if err := v.browser.platform().SetPIN(ctx, v.browser.pin); err != nil {
		return err
	}
	if _, err := v.browser.register(ctx); err != nil {
		return err
	}
	_, err := v.browser.signIn(ctx, false)
	return err
}

// copyStore is a stolen disk: the store, and with it the wrapped key, on a TPM that
// is not the victim's.
func (d *demo) copyStore(ctx context.Context, v *victim) (result *outcome, err error) {
	dir, err := d.newDir()
	if err != nil {
		return nil, err
	}
	if err := copyInto(dir, v.store()); err != nil {
		return nil, err
	}
	thief, err := boot(ctx, dir, d.Daemon, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, thief.shutDown(ctx)) }()
	status, err := ctap.Call[ctap.StatusResponse](ctx, thief.device, ctap.CommandStatus, nil)
	if err != nil {
		return nil, err
	}
	if status.Problem == nil || !strings.Contains(status.Problem.What, "made on another machine") {
		return nil, errors.New("the daemon does not see that the store is another machine's")
	}
	_, err = (&browser{site: v.browser.site, device: thief.device, pin: v.browser.pin}).signIn(ctx, false)
	if err == nil {
		return nil, errors.New("signing in there, even with the PIN: the attack SUCCEEDED")
	}
	err = thief.At(ctx, func(t transport.TPM) error {
		return attacker.Refused("loading the key there", attacker.LoadElsewhere(t, v.tap.Key()), tpm2.TPMRCIntegrity)
	})
	if err != nil {
		return nil, err
	}
	return &outcome{
		said: fmt.Sprintf("%q; the key itself: %s", status.Problem.What, attacker.Code(tpm2.TPMRCIntegrity)),
		facts: facts{
			"problem": status.Problem.What, "load_there": attacker.Code(tpm2.TPMRCIntegrity),
		},
	}, nil
}

// copyInto copies a file into a directory.
func copyInto(dir, file string) (err error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	return root.WriteFile(filepath.Base(file), content, 0o600)
}

// signWithoutPIN asks the daemon, and then goes round it: the TPM, the wrapped key,
// and no PIN.
func (d *demo) signWithoutPIN(ctx context.Context, v *victim) (*outcome, error) {
	_, err := v.device.GetAssertion(ctx, &ctap.GetAssertionRequest{RPID: site.Host, ClientDataHash: make([]byte, 32)})
	if !errors.Is(err, ctap.PUATRequired) {
		return nil, fmt.Errorf("the daemon, asked without a token, answers %w, not %w", orNone(err), ctap.PUATRequired)
	}
	err = v.At(ctx, func(t transport.TPM) error {
		key, err := attacker.Load(t, v.tap.Key())
		if err != nil {
			return fmt.Errorf("loading the key: %w", err)
		}
		return errors.Join(
			attacker.Refused("signing with an empty password", attacker.Sign(t, key, tpm2.PasswordAuth(nil)), tpm2.TPMRCAuthUnavailable),
			attacker.Refused("signing with an empty policy", attacker.Sign(t, key, attacker.Policy(attacker.Unsatisfied)), tpm2.TPMRCPolicyFail),
		)
	})
	if err != nil {
		return nil, err
	}
	return &outcome{
		said: fmt.Sprintf("the daemon: %v; the TPM itself, its key in hand: %s with a password, %s with a policy",
			ctap.PUATRequired, attacker.Code(tpm2.TPMRCAuthUnavailable), attacker.Code(tpm2.TPMRCPolicyFail)),
		facts: facts{
			"daemon": ctap.PUATRequired.Error(), "tpm_password": attacker.Code(tpm2.TPMRCAuthUnavailable),
			"tpm_policy": attacker.Code(tpm2.TPMRCPolicyFail),
		},
	}, nil
}

// redefineIndex replaces the PIN index. The owner may: what he cannot do is write
// it, and an index that was never written has another Name and checks no PIN.
func (d *demo) redefineIndex(ctx context.Context, v *victim) (*outcome, error) {
	his := []byte("his own PIN")
	err := v.At(ctx, func(t transport.TPM) error {
		index, err := attacker.Redefine(t, v.index, his)
		if err != nil {
			return err
		}
		self := tpm2.AuthHandle{Handle: index.Handle, Name: index.Name, Auth: tpm2.PasswordAuth(his)}
		key, err := attacker.Load(t, v.tap.Key())
		if err != nil {
			return fmt.Errorf("loading the key: %w", err)
		}
		bySecret := attacker.Policy(attacker.Showing(index, his, site.Host))
		return errors.Join(
			attacker.Refused("writing the index as the owner", attacker.Write(t, index, attacker.Owner()), tpm2.TPMRCNVAuthorization),
			attacker.Refused("writing the index with his PIN", attacker.Write(t, index, self), tpm2.TPMRCAuthUnavailable),
			attacker.Refused("signing with his PIN", attacker.Sign(t, key, bySecret), tpm2.TPMRCAuthUnavailable),
			attacker.Refused("signing all the same", attacker.Sign(t, key, attacker.Policy(attacker.Unsatisfied)), tpm2.TPMRCPolicyFail),
		)
	})
	if err != nil {
		return nil, err
	}
	if _, err := v.browser.signIn(ctx, false); err == nil {
		return nil, errors.New("signing in through the daemon: the attack SUCCEEDED")
	}
	return &outcome{
		said: fmt.Sprintf("it cannot be written (%s, %s), so his PIN counts for nothing: %s",
			attacker.Code(tpm2.TPMRCNVAuthorization), attacker.Code(tpm2.TPMRCAuthUnavailable), attacker.Code(tpm2.TPMRCAuthUnavailable)),
		facts: facts{
			"write_as_owner": attacker.Code(tpm2.TPMRCNVAuthorization), "write_with_his_pin": attacker.Code(tpm2.TPMRCAuthUnavailable),
			"sign_with_his_pin": attacker.Code(tpm2.TPMRCAuthUnavailable),
		},
	}, nil
}

// guessPIN tries wrong PINs until the TPM takes no more, with a power cycle whenever
// the daemon wants one, and then the right one.
func (d *demo) guessPIN(ctx context.Context, v *victim) (*outcome, error) {
	before, err := v.lockouts(ctx)
	if err != nil {
		return nil, err
	}
	for guess := 1; guess <= tries; guess++ {
		if err := v.guess(ctx, guess); err != nil {
			return nil, err
		}
	}
	if err := v.locked(ctx, "the right PIN"); err != nil {
		return nil, err
	}
	if err := v.forgive(ctx); err != nil {
		return nil, err
	}
	if err := v.locked(ctx, "the right PIN, after a lockout reset and a power cycle"); err != nil {
		return nil, err
	}
	after, err := v.lockouts(ctx)
	if err != nil {
		return nil, err
	}
	if after != before {
		return nil, fmt.Errorf("the TPM's own lockout counter went from %d to %d: others on this chip suffer", before, after)
	}
	return &outcome{
		said: fmt.Sprintf("%d wrong ones and the right one is refused too (%v), also after power cycles and a lockout reset; "+
			"the TPM's lockout counter for others: %d", tries, ctap.PINBlocked, after),
		facts: facts{"wrong_pins": tries, "right_pin": ctap.PINBlocked.Error(), "lockout_counter": after},
	}, nil
}

// guess tries a wrong PIN, the guess-th, and checks that it was counted.
func (v *victim) guess(ctx context.Context, guess int) error {
	want := ctap.PINInvalid
	switch {
	case guess == tries:
		want = ctap.PINBlocked
	case guess%inARow == 0:
		want = ctap.PINAuthBlocked
	}
	wrong := secret.Of(fmt.Appendf(nil, "guess %d", guess))
	defer wrong.Wipe()
	_, err := v.browser.platform().TokenWithPIN(ctx, wrong, ctap.PermissionGetAssertion, site.Host)
	if !errors.Is(err, want) {
		return fmt.Errorf("wrong PIN number %d: %w, not %w", guess, orNone(err), want)
	}
	counted, err := v.device.ClientPIN(ctx, &ctap.ClientPINRequest{Subcommand: ctap.GetPINRetries})
	if err != nil {
		return err
	}
	if counted.PINRetries == nil || *counted.PINRetries != uint(tries-guess) {
		return fmt.Errorf("wrong PIN number %d was not counted", guess)
	}
	if want == ctap.PINAuthBlocked {
		return v.powerCycle(ctx)
	}
	return nil
}

// forgive does what makes a TPM forget failures. On a chip that others use their
// failures are not ours to forgive, and asking with the wrong password would lock
// the lockout itself.
func (v *victim) forgive(ctx context.Context) error {
	if v.chip != nil {
		if err := v.At(ctx, attacker.ResetLockout); err != nil {
			return fmt.Errorf("resetting the TPM's lockout: %w", err)
		}
	}
	return v.powerCycle(ctx)
}

// locked checks that even the right PIN is refused for good.
func (v *victim) locked(ctx context.Context, what string) error {
	_, err := v.browser.platform().TokenWithPIN(ctx, v.browser.pin, ctap.PermissionGetAssertion, site.Host)
	if !errors.Is(err, ctap.PINBlocked) {
		return fmt.Errorf("%s: %w, not %w", what, orNone(err), ctap.PINBlocked)
	}
	return nil
}

func (v *victim) lockouts(ctx context.Context) (count uint32, err error) {
	err = v.At(ctx, func(t transport.TPM) (err error) { count, err = attacker.Lockouts(t); return err })
	return count, err
}

// orNone names the absence of an error where one was promised.
func orNone(err error) error {
	if err == nil {
		return errors.New("no error at all")
	}
	return err
}
