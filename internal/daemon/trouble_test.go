package daemon

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/tpm"
)

// line is the way from the daemon to its TPM, where trouble can be made.
type line struct {
	open tpm.Opener

	mu     sync.Mutex
	done   int // commands that have been answered
	meddle func(send func() ([]byte, error)) ([]byte, error)
}

type lined struct {
	tpm.Conn
	line *line
}

func (l *line) Open(ctx context.Context) (tpm.Conn, error) {
	conn, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	return lined{conn, l}, nil
}

func (c lined) Send(command []byte) ([]byte, error) {
	c.line.mu.Lock()
	meddle := c.line.meddle
	c.line.mu.Unlock()
	defer func() {
		c.line.mu.Lock()
		defer c.line.mu.Unlock()
		c.line.done++
	}()
	if meddle == nil {
		return c.Conn.Send(command)
	}
	return meddle(func() ([]byte, error) { return c.Conn.Send(command) })
}

// meddles puts f between the daemon and its TPM; nil takes it away.
func (l *line) meddles(f func(send func() ([]byte, error)) ([]byte, error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.meddle = f
}

func (l *line) answered() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.done
}

// troubled is a daemon that is set up, with a PIN and a passkey, and whose TPM gives
// trouble.
type troubled struct {
	*rig
	line     *line
	passkeys uint // that were acknowledged
}

func newTroubled(t *testing.T) *troubled {
	t.Helper()
	r := newRig(t)
	l := &line{open: r.chip.Opener()}
	check(t, r.d.Close())
	r.d = r.again(r.d.StorePath, l.Open)
	r.setup()
	r.setPIN()
	check(t, register(t.Context(), r.channel()))
	return &troubled{rig: r, line: l, passkeys: 1}
}

func (r *troubled) platform() ctap.Platform {
	return ctap.Platform{Authenticator: r.channel(), Protocol: pinuv.Two}
}

// token gets a token that is good for one use.
func (r *troubled) token(p ctap.Permission) pinuv.Token {
	r.Helper()
	token, err := r.platform().TokenWithPIN(r.Context(), secret.Of([]byte(testPIN)), p, site)
	check(r, err)
	return token
}

// request is what a platform may be doing when trouble comes.
type request struct {
	name string
	// ready gets what the request needs while all is well, and gives the request.
	ready func(r *troubled) func(context.Context) error
	makes uint // passkeys
}

func requests() []request {
	return []request{
		{"token with the PIN", func(r *troubled) func(context.Context) error {
			return func(ctx context.Context) error {
				_, err := r.platform().TokenWithPIN(ctx, secret.Of([]byte(testPIN)), ctap.PermissionGetAssertion, site)
				return err
			}
		}, 0},
		{"change of the PIN", func(r *troubled) func(context.Context) error {
			return func(ctx context.Context) error {
				return r.platform().ChangePIN(ctx, secret.Of([]byte(testPIN)), secret.Of([]byte(testPIN)))
			}
		}, 0},
		{"registration with a token", func(r *troubled) func(context.Context) error {
			token := r.token(ctap.PermissionMakeCredential)
			return func(ctx context.Context) error { return r.register(ctx, &token) }
		}, 1},
		{"registration, PIN typed", func(r *troubled) func(context.Context) error {
			return func(ctx context.Context) error { return r.register(ctx, nil) }
		}, 1},
		{"sign-in with a token", func(r *troubled) func(context.Context) error {
			token := r.token(ctap.PermissionGetAssertion)
			return func(ctx context.Context) error { return r.signIn(ctx, &token) }
		}, 0},
		{"sign-in, PIN typed", func(r *troubled) func(context.Context) error {
			return func(ctx context.Context) error { return r.signIn(ctx, nil) }
		}, 0},
	}
}

// register registers one more account, by a token or at our prompt.
func (r *troubled) register(ctx context.Context, token *pinuv.Token) error {
	hash := sha256.Sum256([]byte("client data"))
	account := fmt.Sprint(account, r.passkeys)
	req := &ctap.MakeCredentialRequest{
		ClientDataHash: hash[:],
		RP:             &ctap.RelyingParty{ID: site},
		User:           &ctap.User{ID: []byte(account), Name: account},
		Parameters:     []ctap.Parameter{{Algorithm: cose.ES256, Type: ctap.PublicKeyType}},
		Options:        &ctap.Options{RK: new(true)},
	}
	if token != nil {
		req.PINUVAuthParam, req.PINUVAuthProtocol = new(token.Authenticate(hash[:])), token.Protocol()
	}
	_, err := r.channel().MakeCredential(ctx, req)
	return err
}

func (r *troubled) signIn(ctx context.Context, token *pinuv.Token) error {
	hash := sha256.Sum256([]byte("client data"))
	req := &ctap.GetAssertionRequest{RPID: site, ClientDataHash: hash[:]}
	if token != nil {
		req.PINUVAuthParam, req.PINUVAuthProtocol = new(token.Authenticate(hash[:])), token.Protocol()
	}
	_, err := r.channel().GetAssertion(ctx, req)
	return err
}

// works checks that the daemon goes on as if nothing had been: the request is served,
// all that was acknowledged is there, and nothing is left in the TPM.
func (r *troubled) works(q request) {
	r.Helper()
	check(r, q.ready(r)(r.Context()))
	r.passkeys += q.makes
	s := r.status()
	if s.Problem != nil || s.Passkeys != r.passkeys || s.PINRetries != 8 {
		r.Errorf("%+v, want %d passkeys, 8 tries and no problem", s, r.passkeys)
	}
	conn, err := r.chip.Opener()(r.Context())
	check(r, err)
	defer conn.Close()
	const loadedSessions, savedSessions, objects = 0x02000000, 0x03000000, 0x80000000
	for _, from := range []uint32{loadedSessions, savedSessions, objects} {
		rsp, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: from, PropertyCount: 10}.Execute(conn)
		check(r, err)
		list, err := rsp.CapabilityData.Data.Handles()
		check(r, err)
		if len(list.Handle) != 0 {
			r.Errorf("left in the TPM: %x", list.Handle)
		}
	}
	if n := r.indices(); n != 1 {
		r.Errorf("%d indices", n)
	}
}

// worksThroughout signs in with every passkey that was acknowledged.
func (r *troubled) worksThroughout() {
	r.Helper()
	for i := range int(r.passkeys) {
		r.person.Choose(i)
		check(r, r.signIn(r.Context(), nil))
	}
}

// steps is how many commands the request costs.
func (r *troubled) steps(q request) int {
	r.Helper()
	do := q.ready(r)
	before := r.line.answered()
	check(r, do(r.Context()))
	r.passkeys += q.makes
	return r.line.answered() - before
}

// again is the answer of a TPM that cannot begin.
func again() ([]byte, error) {
	return tpm2.Marshal(tpm2.TPMRspHeader{Tag: tpm2.TPMSTNoSessions, Length: 10, ResponseCode: tpm2.TPMRCRetry}), nil
}

// A TPM that is busy for a while is waited for. One that stays busy is given up, when
// the platform does or after ten seconds.
func TestBusyTPM(t *testing.T) {
	t.Parallel()
	for _, q := range requests() {
		t.Run(q.name, func(t *testing.T) {
			t.Parallel()
			r := newTroubled(t)
			var asked atomic.Int64
			r.line.meddles(func(send func() ([]byte, error)) ([]byte, error) {
				if asked.Add(1)%3 != 0 {
					return again()
				}
				return send()
			})
			r.works(q)
			do := q.ready(r)
			r.line.meddles(func(func() ([]byte, error)) ([]byte, error) { return again() })
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, cancel)
			if err := do(ctx); ctap.StatusOf(err) != ctap.KeepaliveCancel {
				t.Errorf("cancelled, and answered %v", err)
			}
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				if err := do(t.Context()); ctap.StatusOf(err) != ctap.Other {
					t.Errorf("after %v: %v, want OTHER", time.Since(began), err)
				}
				if waited := time.Since(began); waited < 10*time.Second || waited > 15*time.Second {
					t.Errorf("waited for %v", waited)
				}
			})
			r.line.meddles(nil)
			r.works(q)
			r.worksThroughout()
		})
	}
}

// throughout makes trouble at each command of each request, before the TPM has had the
// command and after. Then that request works, and every passkey does.
func throughout(t *testing.T, trouble func(r *troubled, q request, n int, late bool)) {
	t.Parallel()
	for _, q := range requests() {
		t.Run(q.name, func(t *testing.T) {
			t.Parallel()
			r := newTroubled(t)
			for n := range r.steps(q) {
				for _, late := range []bool{false, true} {
					trouble(r, q, n+1, late)
					r.works(q)
				}
			}
			r.worksThroughout()
		})
	}
}

// fails has the nth command of the request answered by instead, or its answer replaced
// by that. The request then fails.
func (r *troubled) fails(q request, n int, late bool, instead func(send func() ([]byte, error)) ([]byte, error)) {
	r.Helper()
	do := q.ready(r)
	var seen atomic.Int64
	r.line.meddles(func(send func() ([]byte, error)) ([]byte, error) {
		if int(seen.Add(1)) != n {
			return send()
		}
		if late {
			_, _ = send()
		}
		return instead(send)
	})
	if err := do(r.Context()); ctap.StatusOf(err) != ctap.Other {
		r.Errorf("trouble at command %d, late %v: %v, want OTHER", n, late, err)
	}
	r.line.meddles(nil)
}

// cut cuts the TPM's power at the nth command, or with its answer on the way.
func (r *troubled) cut(q request, n int, late bool) {
	r.Helper()
	r.fails(q, n, late, func(send func() ([]byte, error)) ([]byte, error) {
		r.chip.Kill()
		return send()
	})
}

// The kernel cannot reach the TPM for a moment, or the TPM's answer is lost: that
// request fails, and no other. A command is not sent again, for it may have been
// carried out.
func TestTPMIsOutOfReachForAMoment(t *testing.T) {
	throughout(t, func(r *troubled, q request, n int, late bool) {
		r.fails(q, n, late, func(func() ([]byte, error)) ([]byte, error) {
			return nil, &fs.PathError{Op: "read", Path: "/dev/tpmrm0", Err: syscall.EBUSY}
		})
	})
}

// The TPM goes in the middle of a request, before a command or with its answer, and
// comes back.
func TestTPMGoesAndComesBack(t *testing.T) {
	throughout(t, func(r *troubled, q request, n int, late bool) {
		r.cut(q, n, late)
		if err := r.signIn(r.Context(), nil); ctap.StatusOf(err) != ctap.Other {
			r.Errorf("without a TPM: %v, want OTHER", err)
		}
		if s := r.status(); s.Problem == nil || s.Problem.Hint == "" {
			r.Errorf("without a TPM: %+v", s)
		}
		check(r, r.chip.Restart(r.Context()))
	})
}

// The same for a reset, after which there is one generation: the old one with all that
// it had, or a new one with nothing.
func TestTPMGoesDuringAReset(t *testing.T) {
	t.Parallel()
	r := newTroubled(t)
	reset := request{name: "reset", ready: func(r *troubled) func(context.Context) error {
		return func(ctx context.Context) error { return r.channel().Reset(ctx) }
	}}
	kept, renewed := 0, 0
	for n := range r.steps(reset) {
		for _, late := range []bool{false, true} {
			if !r.status().PINSet {
				renewed++
				r.setPIN()
				r.passkeys = 0
				r.works(requests()[3]) // a registration
			}
			r.cut(reset, n+1, late)
			check(t, r.chip.Restart(t.Context()))
			s := r.status()
			if s.Problem != nil || s.PINSet != (s.Passkeys == 1) {
				t.Fatalf("gone at command %d, late %v: %+v", n+1, late, s)
			}
			if s.PINSet {
				kept++
				r.works(requests()[5]) // a sign-in
			}
		}
	}
	t.Logf("the old generation was kept %d times, and %d times there was a new one", kept, renewed)
	if kept == 0 || renewed < 2 {
		t.Error("the reset was not cut short on both sides")
	}
}

// interrupted is a person to whom something happens while the question is open.
type interrupted struct {
	authenticator.User
	meanwhile func()
}

func (p interrupted) Approve(ctx context.Context, ask authenticator.Ask) (authenticator.Approval, error) {
	p.meanwhile()
	return p.User.Approve(ctx, ask)
}

// whileAsked has the TPM reset when it has answered so many commands of the next
// request, and the person is still being asked.
func (r *troubled) whileAsked(commands int) {
	until := r.line.answered() + commands
	r.d.person.own = interrupted{r.person, func() {
		r.until("the TPM has answered", func() bool { return r.line.answered() >= until })
		check(r, r.chip.Restart(r.Context()))
		r.d.person.own = r.person
	}}
}

// The TPM is reset between the preparation and the person's yes: what it had been
// prepared with is void. The request fails, for it began on what is no more, and so
// does a token that was live; the next one works.
func TestTPMIsResetWhileThePersonIsAsked(t *testing.T) {
	t.Parallel()
	for _, q := range requests()[2:] { // those that ask
		t.Run(q.name, func(t *testing.T) {
			t.Parallel()
			r := newTroubled(t)
			typed := strings.Contains(q.name, "PIN typed")
			before := 3 // StartAuthSession, PolicyTicket, Load or CreateLoaded
			if typed {
				before = 4 // NV_Read, StartAuthSession twice, Load or CreateLoaded
			}
			do := q.ready(r)
			r.whileAsked(before)
			if err := do(t.Context()); ctap.StatusOf(err) != ctap.Other {
				t.Errorf("%v, want OTHER", err)
			}
			r.works(q)

			do = q.ready(r)
			check(t, r.chip.Restart(t.Context()))
			switch err := do(t.Context()); {
			case typed:
				check(t, err)
				r.passkeys += q.makes
			case ctap.StatusOf(err) != ctap.PINAuthInvalid:
				t.Errorf("a token of before the reset: %v, want PIN_AUTH_INVALID", err)
			}
			r.works(q)
			r.worksThroughout()
		})
	}
}
