package maccheck

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/ebitengine/purego/objc"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/enclave"
	"github.com/localpasskey/localpasskey/internal/macos"
	"github.com/localpasskey/localpasskey/internal/macos/gesture"
	"github.com/localpasskey/localpasskey/internal/macos/mainthread"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/touchid"
)

// check is one run.
type check struct {
	lib    *macos.Library
	main   *mainthread.Thread
	out    io.Writer
	failed int
}

// Run checks, writes a line for each finding, and gives how many failed. With finger it
// asks for one, three times, and for an account on a panel, which main shows.
func Run(ctx context.Context, main *mainthread.Thread, out io.Writer, finger bool) int {
	fmt.Fprintf(out, "%s/%s, %s\n", runtime.GOOS, runtime.GOARCH, runtime.Version())
	lib, err := macos.Load("Security", "LocalAuthentication", "AuthenticationServices", "AppKit", "WebKit")
	c := &check{lib: lib, main: main, out: out}
	c.report("M1 every function, symbol and class resolves", err)
	if err != nil {
		return 1
	}
	c.selectors()
	c.values()
	c.class()
	c.mainQueue()
	c.enclave(ctx)
	if finger {
		c.fingers(ctx)
		c.panels(ctx)
	} else {
		fmt.Fprintln(c.out, "skip M7–M11: run again with --finger")
	}
	fmt.Fprintf(c.out, "%d failed\n", c.failed)
	return c.failed
}

// report prints one line.
func (c *check) report(what string, err error) {
	if err == nil {
		fmt.Fprintln(c.out, "ok  ", what)
		return
	}
	c.failed++
	fmt.Fprintf(c.out, "FAIL %s: %v\n", what, err)
}

// selectors asks each class whether it knows its messages.
func (c *check) selectors() {
	var missing, newer []string
	asked := 0
	for _, e := range macos.Entries() {
		class := objc.GetClass(e.Owner)
		if e.Own || class == 0 || !slices.Contains([]macos.Kind{macos.KindMessage, macos.KindOverride, macos.KindAction}, e.Kind) {
			continue
		}
		to := objc.RegisterName("instancesRespondToSelector:")
		if e.Class {
			to = objc.RegisterName("respondsToSelector:")
		}
		asked++
		switch known := objc.Send[bool](objc.ID(class), to, objc.RegisterName(e.Name)); {
		case known:
		case e.Since != "":
			newer = append(newer, e.String()+" (macOS "+e.Since+")")
		default:
			missing = append(missing, e.String())
		}
	}
	var err error
	if len(missing) > 0 {
		err = errors.New(strings.Join(missing, ", "))
	}
	c.report(fmt.Sprintf("M2 %d messages are known to their classes", asked), err)
	slices.Sort(newer)
	for _, n := range newer {
		fmt.Fprintln(c.out, "     not on this macOS, as expected before:", n)
	}
}

// values reads back what crosses the border.
func (c *check) values() {
	const text = "passkey ✓ 鍵"
	s := c.lib.String(text)
	d := c.lib.Data([]byte{0, 1, 0xff})
	n := c.lib.Number(-7)
	a := c.lib.Array(s, d, n)
	defer c.lib.Release(s, d, n, a)
	number, ok := c.lib.Int64(n)
	items := c.lib.Items(a)
	var err error
	if c.lib.Text(s) != text || string(c.lib.Bytes(d)) != "\x00\x01\xff" || !ok || number != -7 || len(items) != 3 || items[1] != d || len(c.lib.Items(0)) != 0 {
		err = fmt.Errorf("%q %x %d %d items", c.lib.Text(s), c.lib.Bytes(d), number, len(items))
	}
	c.report("M3 strings, data, numbers and arrays come back", err)
	for name, ref := range map[string]macos.Ref{"required": c.lib.K.UVRequired, "preferred": c.lib.K.UVPreferred, "discouraged": c.lib.K.UVDiscouraged} {
		fmt.Fprintf(c.out, "     user verification %s is %q\n", name, c.lib.Text(ref))
	}
}

// class defines a class as the extension does, calls it, and has it panic.
func (c *check) class() {
	var seen, panics int
	err := c.lib.Define("LPKCheck", "ASCredentialProviderViewController", &macos.Overrides{
		PrepareConfiguration: func(macos.ID) { seen++ },
		PrepareRegistration:  func(_, request macos.ID) { panic(request) },
	}, func(macos.ID, any) { panics++ })
	if err == nil {
		object := objc.ID(objc.GetClass("LPKCheck")).Send(objc.RegisterName("alloc")).Send(objc.RegisterName("init"))
		object.Send(objc.RegisterName("prepareInterfaceForExtensionConfiguration"))
		object.Send(objc.RegisterName("prepareInterfaceForPasskeyRegistration:"), objc.ID(0))
		if seen != 1 || panics != 1 {
			err = fmt.Errorf("called %d times, %d panics stopped", seen, panics)
		}
	}
	c.report("M4 a class made at run time is called, and a panic ends in it", err)
}

// mainQueue checks that blocks are called: the identity store answers anybody.
func (c *check) mainQueue() {
	answered := make(chan bool, 1)
	state := c.lib.State(func(s macos.ID) { answered <- c.lib.Send.StoreIsEnabled(s) })
	c.lib.Pool(func() {
		c.lib.Send.GetStoreState(c.lib.Send.IdentityStore(c.lib.Class("ASCredentialIdentityStore")), state)
	})
	select {
	case on := <-answered:
		c.report("M5 a block is called back", nil)
		fmt.Fprintf(c.out, "     the identity store is enabled for this program: %t (false is right)\n", on)
	case <-time.After(10 * time.Second):
		c.report("M5 a block is called back", errors.New("it was not, in 10 s"))
	}
}

// enclave makes keys that need no finger.
func (c *check) enclave(ctx context.Context) {
	security := enclave.Native(c.lib)
	capability := enclave.Check(security)
	c.report("M6 the Secure Enclave makes a key without an entitlement", capability.Problem)
	if !capability.Enclave {
		return
	}
	keys := enclave.Keys{Security: security, Protection: enclave.BiometryAny}
	rp := sha256.Sum256([]byte("example.com"))
	key, err := keys.Create(ctx, authenticator.KeySpec{Kind: authenticator.SigningKey, Binding: authenticator.PresenceOnly, RPIDHash: rp})
	if err == nil {
		fmt.Fprintf(c.out, "     a handle of %d bytes\n", len(key.Handle))
		err = c.sign(ctx, keys, key, nil)
	}
	c.report("M6 its sealed form opens again, and signs", err)
	mac, err := keys.Create(ctx, authenticator.KeySpec{Kind: authenticator.MACKey, Binding: authenticator.PresenceOnly, RPIDHash: rp})
	if err == nil {
		err = c.mac(ctx, keys, mac)
	}
	c.report("M6 hmac-secret gives the same twice", err)
}

func (c *check) sign(ctx context.Context, keys enclave.Keys, key *authenticator.Key, by authenticator.Grant) error {
	p, err := keys.Prepare(ctx, key, by)
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte(time.Now().String()))
	signature, err := p.Sign(ctx, digest[:])
	if err != nil {
		return err
	}
	public, err := key.Public.ECDSA()
	if err == nil && !ecdsa.VerifyASN1(public, digest[:], signature) {
		err = errors.New("the signature does not verify")
	}
	return err
}

func (c *check) mac(ctx context.Context, keys enclave.Keys, key *authenticator.Key) error {
	var first secret.Bytes
	for range 2 {
		p, err := keys.Prepare(ctx, key, nil)
		if err != nil {
			return err
		}
		out, err := p.MAC(ctx, []byte("salt"))
		if err != nil {
			return err
		}
		if first.IsZero() {
			first = out
		} else if !out.Equal(first) {
			return errors.New("it gives another")
		}
	}
	return nil
}

// fingers needs the person.
func (c *check) fingers(ctx context.Context) {
	native := touchid.Native{Lib: c.lib}
	c.report("M7 Touch ID can be asked", native.Available())
	keys := enclave.Keys{Security: enclave.Native(c.lib), Protection: enclave.BiometryAny}
	rp := sha256.Sum256([]byte("example.com"))
	key, err := keys.Create(ctx, authenticator.KeySpec{Kind: authenticator.SigningKey, Binding: authenticator.PINBound, RPIDHash: rp})
	c.report("M8 a key that wants a finger is made without one", err)
	if err != nil {
		return
	}
	fmt.Fprintln(c.out, "     the sheet must say: … is trying to sign in to example.com as octocat. Put your finger on it ONCE.")
	var grant authenticator.Grant
	user := touchid.User{Sensor: native}
	_, err = user.Approve(ctx, authenticator.Ask{
		Operation: authenticator.OperationSignIn, RP: ctap.RelyingParty{ID: "example.com"}, Accounts: []ctap.User{{Name: "octocat"}},
		Verify: func(ctx context.Context, _ secret.Bytes) (err error) {
			grant, err = keys.Verify(ctx, secret.Bytes{}, &rp)
			return err
		},
	})
	if err == nil {
		err = c.sign(ctx, keys, key, grant)
	}
	c.report("M8 one finger, and the key signs without a second sheet", err)
	if grant != nil {
		grant.Drop()
		c.report("M9 after that the finger is worth nothing", wantError(c.sign(ctx, keys, key, grant)))
	}
	fmt.Fprintln(c.out, "     now press Cancel on the sheet.")
	_, err = native.Ask(ctx, "be cancelled")
	c.report("M10 a refusal is one", wantRefusal(gesture.Explain(err)))
	fmt.Fprintln(c.out, "     leave the sheet alone: it must go by itself after 3 s.")
	short, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	_, err = native.Ask(short, "go away by itself")
	c.report("M10 a question can be withdrawn", wantError(err))
}

// panels needs the person too: which of several accounts is meant.
func (c *check) panels(ctx context.Context) {
	chooser := touchid.Chooser{Panel: touchid.NativePanel{Main: c.main}}
	ask := authenticator.Ask{Operation: authenticator.OperationSignIn, RP: ctap.RelyingParty{ID: "example.com"}}
	for _, name := range []string{"one", "two", "three", "four", "five"} {
		ask.Accounts = append(ask.Accounts, ctap.User{Name: name})
	}
	fmt.Fprintln(c.out, "     a panel asks which account: press Show others, then Continue as five.")
	chosen, err := chooser.Choose(ctx, ask)
	if err == nil && chosen != 4 {
		err = fmt.Errorf("it took account %d", chosen+1)
	}
	c.report("M11 an account is chosen on a panel", err)
	fmt.Fprintln(c.out, "     press Esc.")
	_, err = chooser.Choose(ctx, ask)
	c.report("M11 a panel can be refused", wantRefusal(err))
	fmt.Fprintln(c.out, "     leave the panel alone: it must go by itself after 3 s.")
	short, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	_, err = chooser.Choose(short, ask)
	c.report("M11 a panel can be withdrawn", wantError(err))
}
