package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest/hidtest"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// asProgram has the test binary be the program: the tests start it as suites do.
const asProgram = "AUTHENTICATORD_TEST_RUNS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program is a running authenticatord.
type program struct {
	*testing.T
	cmd     *exec.Cmd
	socket  string
	control string
	stderr  bytes.Buffer
}

func start(t *testing.T, args ...string) *program {
	t.Helper()
	dir := t.TempDir()
	p := &program{T: t, socket: filepath.Join(dir, "s")}
	args = append([]string{"-listen", "unix:" + p.socket, "-control", "127.0.0.1:0", "-touch-delay", "0"}, args...)
	p.cmd = exec.CommandContext(context.Background(), os.Args[0], args...)
	p.cmd.Env = append(os.Environ(), asProgram+"=1", "TMPDIR="+dir)
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	check(t, err)
	check(t, p.cmd.Start())
	t.Cleanup(func() { p.stop(dir) })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if address, ok := strings.CutPrefix(lines.Text(), "control "); ok {
			p.control = address
		}
		if lines.Text() == "ready" {
			return p
		}
	}
	t.Fatalf("it ended before it was ready: %s", p.stderr.String())
	return nil
}

// stop ends the program as suites do, and looks what it has left.
func (p *program) stop(dir string) {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.Error(err)
	}
	if err := p.cmd.Wait(); err != nil {
		p.Errorf("it ended with %v: %s", err, p.stderr.String())
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		p.Errorf("left behind: %v, %v", left, err)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t *testing.T, want ctap.Status, err error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

// openNode is one open of the device's node.
type openNode struct{ net.Conn }

func (n openNode) ReadReport() ([]byte, error) {
	report := make([]byte, 65)
	length, err := n.Read(report)
	if err == nil && length == 0 {
		err = io.EOF
	}
	return report[:length], err
}

func (n openNode) WriteReport(report []byte) error {
	_, err := n.Write(report)
	return err
}

func (p *program) open() openNode {
	p.Helper()
	conn, err := net.Dial("unixpacket", p.socket)
	check(p.T, err)
	p.Cleanup(func() { conn.Close() })
	return openNode{conn}
}

func (p *program) connect() ctap.Authenticator {
	p.Helper()
	hid, err := hidtest.NewHID(p.open())
	check(p.T, err)
	return ctap.NewClient(hid)
}

func (p *program) get(path string) (status int, body string) {
	p.Helper()
	response, err := http.Get(p.control + path)
	check(p.T, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	check(p.T, err)
	return response.StatusCode, string(content)
}

func (p *program) tell(path string) {
	p.Helper()
	if status, body := p.get(path); status != http.StatusOK || body != "ok\n" {
		p.Fatalf("%s: %d %s", path, status, body)
	}
}

const rpID = "example.com"

func hash(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

func registration() *ctap.MakeCredentialRequest {
	return &ctap.MakeCredentialRequest{
		ClientDataHash: hash("register"), RP: &ctap.RelyingParty{ID: rpID},
		User:       &ctap.User{ID: []byte("1"), Name: "alice"},
		Parameters: []ctap.Parameter{{Algorithm: cose.ES256, Type: ctap.PublicKeyType}},
		Options:    &ctap.Options{RK: new(true)},
	}
}

func register(t *testing.T, a ctap.Authenticator) webauthn.AuthenticatorData {
	t.Helper()
	made, err := a.MakeCredential(t.Context(), registration())
	check(t, err)
	check(t, webauthn.VerifyPackedSelf(webauthn.AttestationObject{
		Format: made.Format, Statement: made.Statement, AuthData: made.AuthData,
	}, hash("register")))
	data, err := webauthn.ParseAuthenticatorData(made.AuthData)
	check(t, err)
	return data
}

// signIn signs in and verifies as a relying party does.
func signIn(t *testing.T, a ctap.Authenticator, registered webauthn.AuthenticatorData) webauthn.AuthenticatorData {
	t.Helper()
	got, err := a.GetAssertion(t.Context(), &ctap.GetAssertionRequest{RPID: rpID, ClientDataHash: hash("sign in")})
	check(t, err)
	key, err := registered.Attested.PublicKey.ECDSA()
	check(t, err)
	digest := sha256.Sum256(append(bytes.Clone(got.AuthData), hash("sign in")...))
	if !ecdsa.VerifyASN1(key, digest[:], got.Signature) {
		t.Fatal("the signature does not verify")
	}
	data, err := webauthn.ParseAuthenticatorData(got.AuthData)
	check(t, err)
	return data
}

func setPIN(t *testing.T, a ctap.Authenticator, pin string) {
	t.Helper()
	check(t, ctap.Platform{Authenticator: a, Protocol: pinuv.Two}.SetPIN(t.Context(), secret.Of([]byte(pin))))
}

func info(t *testing.T, a ctap.Authenticator) *ctap.GetInfoResponse {
	t.Helper()
	i, err := a.GetInfo(t.Context())
	check(t, err)
	return i
}

func TestMainJobAndPowerCycle(t *testing.T) {
	t.Parallel()
	p := start(t)
	a := p.connect()
	if i := info(t, a); !i.Options["alwaysUv"] || i.Options["uv"] || i.Options["clientPin"] {
		t.Errorf("fresh: %v", i.Options)
	}
	setPIN(t, a, "1234")
	c := register(t, a)
	if data := signIn(t, a, c); data.SignCount != 1 || data.Flags != webauthn.FlagUP|webauthn.FlagUV {
		t.Errorf("%+v", data)
	}
	before := info(t, a)

	p.tell("/power/off")
	if _, err := os.Lstat(p.socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("off, and the socket is there: %v", err)
	}
	if _, err := a.GetInfo(t.Context()); err == nil {
		t.Error("off, and it answers")
	}
	if status, body := p.get("/power/off"); status != http.StatusConflict {
		t.Errorf("off twice: %d %s", status, body)
	}
	p.tell("/power/on")
	if status, body := p.get("/power/on"); status != http.StatusConflict {
		t.Errorf("on twice: %d %s", status, body)
	}

	a = p.connect()
	if after := info(t, a); !reflect.DeepEqual(before, after) {
		t.Errorf("getInfo before and after a power cycle:\n%+v\n%+v", before, after)
	}
	if data := signIn(t, a, c); data.SignCount != 2 {
		t.Errorf("the counter after a power cycle is %d", data.SignCount)
	}
}

// A wrong PIN three times in a row is held until the power was off.
func TestPersonAndUV(t *testing.T) {
	t.Parallel()
	p := start(t, "-pin", "open sesame", "-touch", "deny")
	a := p.connect()
	setPIN(t, a, "open sesame")
	wants(t, ctap.OperationDenied, a.Selection(t.Context()))
	p.tell("/touch/auto")
	check(t, a.Selection(t.Context()))
	p.tell("/uv/fail")
	_, err := a.MakeCredential(t.Context(), registration())
	wants(t, ctap.PUATRequired, err)
	p.tell("/uv/ok")
	_, err = a.MakeCredential(t.Context(), registration())
	wants(t, ctap.PUATRequired, err)
	p.tell("/power/off")
	p.tell("/power/on")
	a = p.connect()
	register(t, a)
	p.tell("/touch/hold")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	wants(t, ctap.KeepaliveCancel, a.Selection(ctx))
}

func TestWithoutUV(t *testing.T) {
	t.Parallel()
	p := start(t, "-uv=false", "-always-uv=false")
	a := p.connect()
	if _, offered := info(t, a).Options["uv"]; offered || info(t, a).Options["alwaysUv"] {
		t.Errorf("%v", info(t, a).Options)
	}
	c := register(t, a)
	if data := signIn(t, a, c); data.Flags != webauthn.FlagUP {
		t.Errorf("flags %08b", data.Flags)
	}
	check(t, a.Reset(t.Context()))
	if i := info(t, a); i.Options["alwaysUv"] {
		t.Errorf("after a reset: %v", i.Options)
	}
	_, err := a.GetAssertion(t.Context(), &ctap.GetAssertionRequest{RPID: rpID, ClientDataHash: hash("sign in")})
	wants(t, ctap.NoCredentials, err)
}

func TestChoiceOfAccount(t *testing.T) {
	t.Parallel()
	p := start(t)
	a := p.connect()
	setPIN(t, a, "1234")
	for _, id := range []string{"older", "newer"} {
		r := registration()
		r.User.ID = []byte(id)
		_, err := a.MakeCredential(t.Context(), r)
		check(t, err)
	}
	asks := func(want string) {
		t.Helper()
		if _, body := p.get("/asked"); body != want+"\n" {
			t.Errorf("the person was asked %s", body)
		}
	}
	one := `{"operation":"register","rp":"example.com","accounts":["alice"]}`
	asks("[" + one + "," + one + "]")
	for _, c := range []struct{ path, want string }{{"", "newer"}, {"/account/1", "older"}, {"/account/0", "newer"}} {
		if c.path != "" {
			p.tell(c.path)
		}
		got, err := a.GetAssertion(t.Context(), &ctap.GetAssertionRequest{RPID: rpID, ClientDataHash: hash("sign in")})
		check(t, err)
		if string(got.User.ID) != c.want || !got.UserSelected {
			t.Errorf("%s: %+v", c.path, got)
		}
		asks(`[{"operation":"sign in","rp":"example.com","accounts":["alice","alice"]}]`)
		asks("[]")
	}
	p.tell("/account/2")
	_, err := a.GetAssertion(t.Context(), &ctap.GetAssertionRequest{RPID: rpID, ClientDataHash: hash("sign in")})
	wants(t, ctap.OperationDenied, err)
	if status, body := p.get("/account/first"); status != http.StatusConflict {
		t.Errorf("/account/first: %d %s", status, body)
	}
}

// Answers go to every open of the node, and what is no report is no report.
func TestNode(t *testing.T) {
	t.Parallel()
	p := start(t)
	listener, speaker := p.open(), p.open()
	for _, odd := range [][]byte{make([]byte, 1), make([]byte, 63), make([]byte, 65)} {
		check(t, speaker.WriteReport(odd))
	}
	initialize := append([]byte{0xff, 0xff, 0xff, 0xff, 0x86, 0, 8}, "12345678"...)
	check(t, speaker.WriteReport(append(initialize, make([]byte, 64-len(initialize))...)))
	var got [2][]byte
	for i, n := range []openNode{listener, speaker} {
		var err error
		got[i], err = n.ReadReport()
		check(t, err)
	}
	if !bytes.Equal(got[0], got[1]) || len(got[0]) != 64 || !bytes.HasPrefix(got[0], []byte{0xff, 0xff, 0xff, 0xff, 0x86, 0, 17}) {
		t.Errorf("%x\n%x", got[0], got[1])
	}
	check(t, speaker.Close())
	info(t, p.connect()) // others go on
}

func TestStateIsKept(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	var c webauthn.AuthenticatorData
	t.Run("first", func(t *testing.T) {
		a := start(t, "-state", state).connect()
		setPIN(t, a, "1234")
		c = register(t, a)
	})
	a := start(t, "-state", state).connect()
	if data := signIn(t, a, c); data.SignCount != 1 {
		t.Errorf("%+v", data)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"add -i-know to insist":  {"-listen", "unix:/nowhere/s", "-tpm", "device:/dev/tpmrm0"},
		"no TPM 2.0":             {"-listen", "unix:/nowhere/s", "-tpm", "device:/dev/no-such-tpm", "-i-know"},
		"neither swtpm nor":      {"-listen", "unix:/nowhere/s", "-tpm", "software"},
		"is needed":              {},
		"is not unix:PATH":       {"-listen", "/nowhere/s"},
		"none of auto":           {"-listen", "unix:/nowhere/s", "-touch", "yes"},
		"unknown argument":       {"-listen", "unix:/nowhere/s", "true"},
		"no such file":           {"-listen", "unix:/nowhere/s"},
		"not this machine alone": {"-listen", "unix:" + filepath.Join(t.TempDir(), "s"), "-control", "0.0.0.0:0"},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			err := run(t.Context(), args, io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v", err)
			}
		})
	}
}
