package cli_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"os"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.etcd.io/bbolt"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/socket"
	"github.com/localpasskey/localpasskey/internal/swtpm/manufacturer"
)

// makePasskey is `makepasskey RP USER [2f] [hmac] [keep]`: what a browser does to
// register, with the person verified by the daemon. "2f" is not discoverable, "hmac"
// asks for hmac-secret, "keep" writes what the site gets to the file authdata. In RP and USER \x1b and the like are escapes.
func makePasskey(ts *testscript.TestScript, neg bool, args []string) {
	yes, discoverable := true, true
	req := &ctap.MakeCredentialRequest{
		ClientDataHash: hash("register"),
		RP:             &ctap.RelyingParty{ID: unescape(ts, args[0]), Name: "The Site"},
		User:           &ctap.User{ID: []byte("id of " + args[1]), Name: unescape(ts, args[1]), DisplayName: "Dear " + unescape(ts, args[1])},
		Parameters:     []ctap.Parameter{{Algorithm: cose.ES256, Type: ctap.PublicKeyType}},
	}
	keep := false
	for _, option := range args[2:] {
		switch option {
		case "keep":
			keep = true
		case "2f":
			discoverable = false
		case "hmac":
			wanted, err := cbor.Marshal(true)
			ts.Check(err)
			req.Extensions = ctap.Extensions{"hmac-secret": wanted}
		}
	}
	req.Options = &ctap.Options{RK: &discoverable, UV: &yes}
	platform(ts, neg, func(ctx context.Context, c *ctap.Client) error {
		response, err := c.MakeCredential(ctx, req)
		if err == nil && keep {
			err = os.WriteFile(ts.MkAbs("authdata"), response.AuthData, 0o600)
		}
		return err
	})
}

// maker is `maker DIR FILE`: the TPM of that name gets an endorsement certificate, and FILE
// the certificates of who vouches for it.
func maker(ts *testscript.TestScript, _ bool, args []string) {
	work := ts.MkAbs(args[0] + "-maker")
	ts.Check(errors.Join(os.MkdirAll(ts.MkAbs(args[0]), 0o700), os.MkdirAll(work, 0o700)))
	ca, err := manufacturer.Make(context.Background(), ts.MkAbs(args[0]), work)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), append(ca.Issuer, ca.Root...), 0o600))
}

// signIn is `signin RP`: what a browser does to sign in with a passkey.
func signIn(ts *testscript.TestScript, neg bool, args []string) {
	yes := true
	platform(ts, neg, func(ctx context.Context, c *ctap.Client) error {
		_, err := c.GetAssertion(ctx, &ctap.GetAssertionRequest{
			RPID: args[0], ClientDataHash: hash("sign in"), Options: &ctap.Options{UV: &yes},
		})
		return err
	})
}

// platform has act speak CTAP through the daemon's socket.
func platform(ts *testscript.TestScript, neg bool, act func(context.Context, *ctap.Client) error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := socket.Dial(ctx, ts.Getenv("SOCKET"))
	ts.Check(err)
	defer conn.Close()
	err = act(ctx, ctap.NewClient(conn))
	if status, ok := errors.AsType[ctap.Status](err); ok && neg {
		ts.Logf("refused: %v", status)
		return
	}
	ts.Check(err)
	if neg {
		ts.Fatalf("allowed")
	}
}

func hash(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// unescape reads Go's escapes, so that a script can stay printable.
func unescape(ts *testscript.TestScript, text string) string {
	plain, err := strconv.Unquote(`"` + text + `"`)
	ts.Check(err)
	return plain
}

// tamper is `tamper N`: a byte in the N-th entry of the audit trail is another one.
func tamper(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.ParseUint(args[0], 10, 64)
	ts.Check(err)
	db, err := bbolt.Open(ts.Getenv("STORE"), 0o600, nil)
	ts.Check(err)
	ts.Check(errors.Join(db.Update(func(tx *bbolt.Tx) error {
		key := binary.BigEndian.AppendUint64(nil, n)
		value := bytes.Clone(tx.Bucket([]byte("audit")).Get(key))
		value[len(value)/2] ^= 1
		return tx.Bucket([]byte("audit")).Put(key, value)
	}), db.Close()))
}
