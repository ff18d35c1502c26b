package doctor

import (
	"context"
	"os"
	"testing"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/finger"
	"github.com/localpasskey/localpasskey/internal/fingerprint/fprinttest"
	"github.com/localpasskey/localpasskey/internal/logind/logindtest"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// Each state of the reader has its line and its hint.
func TestFingerprint(t *testing.T) {
	expect(t, (&answers{}).fingerprint(), NotNeeded, "none answers")
	expect(t, startDaemon(t).examine("fingerprint"), NotNeeded, "only with the system service")

	l := logindtest.Start(t)
	fprintd := fprinttest.Start(t, l.Address)
	b := startDaemonOn(t, l.Address)
	var token pinuv.Token
	on := func(seconds uint) {
		b.client(func(c *ctap.Client) (err error) {
			p := ctap.Platform{Authenticator: c, Protocol: pinuv.Two}
			if token, err = p.TokenWithPIN(context.Background(), secret.Of([]byte("1234")), ctap.PermissionConfiguration, ""); err != nil {
				return err
			}
			return finger.Set(context.Background(), c, token, seconds)
		})
	}
	b.client(func(c *ctap.Client) error {
		if _, err := c.Vendor(t.Context(), ctap.CommandSetup, nil); err != nil {
			return err
		}
		return ctap.Platform{Authenticator: c, Protocol: pinuv.Two}.SetPIN(t.Context(), secret.Of([]byte("1234")))
	})
	expect(t, b.examine("fingerprint"), NotNeeded, "off: every use needs the PIN")
	on(3600)
	expect(t, b.examine("fingerprint"), Problem, "no finger of yours is enrolled")
	fprintd.Enroll(logindtest.Name(os.Getuid()))
	expect(t, b.examine("fingerprint"), OK, "knows: 1; the PIN is wanted once first")
	b.client(func(c *ctap.Client) error {
		token, err := ctap.Platform{Authenticator: c, Protocol: pinuv.Two}.TokenWithPIN(t.Context(), secret.Of([]byte("1234")), ctap.PermissionCredentialManagement, "")
		token.Wipe()
		return err
	})
	expect(t, b.examine("fingerprint"), OK, "a finger does now")
	fprintd.Fail("ListEnrolledFingers", "PermissionDenied")
	expect(t, b.examine("fingerprint"), Problem, "does not let")
	fprintd.Unplug()
	expect(t, b.examine("fingerprint"), Problem, "no fingerprint reader")
	fprintd.Stop()
	expect(t, b.examine("fingerprint"), Problem, "fprintd does not answer")
	on(0)
	expect(t, b.examine("fingerprint"), NotNeeded, "off")
}
