package ctap_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/pinuv"
)

func TestStatusOf(t *testing.T) {
	for _, c := range []struct {
		err  error
		want ctap.Status
	}{
		{nil, 0x00},
		{ctap.NoCredentials, 0x2E},
		{fmt.Errorf("deep: %w", fmt.Errorf("down: %w", ctap.PINInvalid)), 0x31},
		{errors.Join(errors.New("first"), ctap.KeyStoreFull), 0x28},
		{context.Canceled, 0x2D},
		{fmt.Errorf("asking: %w", context.DeadlineExceeded), 0x2F},
		{fmt.Errorf("%w, because %w", ctap.NotAllowed, context.Canceled), 0x30},
		{cbor.Valid([]byte{0xff}), 0x12},
		{cbor.Unmarshal([]byte{0x61, 'x'}, new(int)), 0x11},
		{cose.ErrKey, 0x02},
		{errors.New("the disk is on fire"), 0x7F},
		{&ctap.Problem{What: "w"}, 0x7F},
		{&ctap.Problem{What: "w", Status: ctap.IntegrityFailure, Cause: ctap.PINInvalid}, 0x3D},
		{&ctap.Problem{What: "w", Cause: fmt.Errorf("c: %w", ctap.UVBlocked)}, 0x3C},
		{fmt.Errorf("odd: %w", ctap.StatusOK), 0x7F}, // an error is never a success
	} {
		if got := ctap.StatusOf(c.err); got != c.want {
			t.Errorf("%v is 0x%02x, want 0x%02x", c.err, byte(got), byte(c.want))
		}
	}
}

func TestStatusNames(t *testing.T) {
	for status, want := range map[ctap.Status]string{
		0x00: "CTAP2_OK", 0x01: "CTAP1_ERR_INVALID_COMMAND", 0x14: "CTAP2_ERR_MISSING_PARAMETER",
		0x2E: "CTAP2_ERR_NO_CREDENTIALS", 0x36: "CTAP2_ERR_PUAT_REQUIRED", 0x3F: "CTAP2_ERR_UV_INVALID",
		0x7F: "CTAP1_ERR_OTHER", 0xF3: "CTAP status 0xf3",
	} {
		if got := status.Error(); got != want {
			t.Errorf("0x%02x is %s, want %s", byte(status), got, want)
		}
	}
}

// TestServe gives bytes as they come over the wire.
func TestServe(t *testing.T) {
	retries := uint(8)
	for _, c := range []struct {
		name     string
		request  string // hexadecimal; spaces do not matter
		response any
		err      error
		called   string
		want     string
	}{
		{"nothing", "", nil, nil, "", "03"},
		{"unknown command", "05", nil, nil, "", "01"},
		{"unknown command with a map", "0e a0", nil, nil, "", "01"},
		{"vendor range of prototypes", "40", nil, nil, "", "01"},
		{"last before ours", "4f", nil, nil, "", "01"},
		{"first after ours", "c0", nil, nil, "", "01"},

		{"getInfo", "04", &ctap.GetInfoResponse{Versions: []string{"FIDO_2_3"}}, nil, "getInfo", "00 a2 01 81 68 4649444f5f325f33 03 50 00000000000000000000000000000000"},
		{"getInfo with parameters", "04 a0", nil, nil, "", "03"},
		{"getNextAssertion", "08", nil, ctap.NotAllowed, "getNextAssertion", "30"},
		{"reset", "07", nil, nil, "reset", "00"},
		{"reset refused", "07", nil, ctap.OperationDenied, "reset", "27"},
		{"reset with parameters", "07 a0", nil, nil, "", "03"},
		{"selection", "0b", nil, nil, "selection", "00"},
		{"selection cancelled", "0b", nil, context.Canceled, "selection", "2d"},

		{"largeBlobs", "0c a2 01 11 03 00", &ctap.LargeBlobsResponse{Config: &[]byte{1}}, nil, "largeBlobs", "00 a1 01 41 01"},
		{"largeBlobs, nothing at the end", "0c a2 01 11 03 11", &ctap.LargeBlobsResponse{Config: &[]byte{}}, nil, "largeBlobs", "00 a1 01 40"},
		{"largeBlobs, a negative offset", "0c a1 03 20", nil, nil, "", "11"},
		{"config", "0d a2 01 02 02 a0", nil, nil, "config", "00"},
		{"config refused", "0d a1 01 03", nil, ctap.PUATRequired, "config", "36"},
		{"config without parameters", "0d", nil, nil, "", "14"},
		{"config, sub-command of two bytes", "0d a1 01 19 0102", nil, nil, "", "11"},

		{"clientPIN", "06 a2 01 02 02 01", &ctap.ClientPINResponse{PINRetries: &retries}, nil, "clientPIN", "00 a1 03 08"},
		{"empty map as answer", "06 a2 01 02 02 03", &ctap.ClientPINResponse{}, nil, "clientPIN", "00"},
		{"no answer at all", "06 a2 01 02 02 03", nil, nil, "clientPIN", "00"},
		{"no parameters", "06", nil, nil, "", "14"},
		{"an error with an answer", "06 a0", &ctap.ClientPINResponse{PINRetries: &retries}, ctap.PINBlocked, "clientPIN", "32"},
		{"unknown keys are ignored", "06 a3 02 01 18 63 00 18 64 00", nil, nil, "clientPIN", "00"},

		{"not a map", "01 80", nil, nil, "", "11"},
		{"wrong type", "02 a1 01 40", nil, nil, "", "11"},
		{"options of the wrong type", "02 a1 05 a1 62 7570 01", nil, nil, "", "11"},
		{"cut off", "02 a1 01 61", nil, nil, "", "12"},
		{"more after the end", "02 a0 00", nil, nil, "", "12"},
		{"keys out of order", "06 a2 02 01 01 02", nil, nil, "", "12"},
		{"a key twice", "06 a2 01 02 01 02", nil, nil, "", "12"},
		{"a length too long for its value", "06 a1 18 01 02", nil, nil, "", "12"},
		{"indefinite length", "06 bf ff", nil, nil, "", "12"},
		{"a tag", "06 c0 a0", nil, nil, "", "12"},
		{"five levels", "06 a1 18 63 81 81 81 80", nil, nil, "", "12"},
		{"2^40 elements", "06 bb 0000010000000000", nil, nil, "", "12"},
		{"off-curve key agreement", "06 a1 03 a5 01 02 03 38 18 20 01 21 5820" + strings.Repeat("01", 32) + "22 5820" + strings.Repeat("01", 32), nil, nil, "", "02"},

		{"vendor", "50 a1 01 02", cbor.Raw{0x81, 0x01}, nil, "vendor", "00 81 01"},
		{"vendor, bare", "bf", nil, nil, "vendor", "00"},
		{"vendor, malformed", "50 ff", nil, nil, "", "12"},
		{"vendor, status", "50", nil, ctap.NotAllowed, "vendor", "30"},
		{"vendor, problem", "50", nil, &ctap.Problem{What: "w", Hint: "h", Status: ctap.NotAllowed, Cause: errors.New("secret cause")}, "vendor", "30 a2 01 61 77 02 61 68"},
		{"vendor, wrapped problem", "50", nil, fmt.Errorf("x: %w", &ctap.Problem{What: "w"}), "vendor", "7f a1 01 61 77"},
		{"a problem elsewhere stays local", "07", nil, &ctap.Problem{What: "w", Status: ctap.NotAllowed}, "reset", "30"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &scripted{response: c.response, err: c.err}
			got := ctap.Serve(t.Context(), s, unhex(t, c.request))
			if want := unhex(t, c.want); string(got) != string(want) {
				t.Errorf("answers % x, want % x", got, want)
			}
			if s.called != c.called {
				t.Errorf("calls %q, want %q", s.called, c.called)
			}
		})
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	check(t, err)
	return b
}

func TestAnswerThatCannotBeEncoded(t *testing.T) {
	s := &scripted{response: &ctap.MakeCredentialResponse{Statement: cbor.Raw{0xff}}}
	if got := ctap.Serve(t.Context(), s, unhex(t, "01 a0")); string(got) != "\x7f" {
		t.Errorf("answers % x", got)
	}
}

// TestRoundTrip holds that a call through Client and Serve arrives as it was made
// and its answer as it was given, with every field of every type in use.
func TestRoundTrip(t *testing.T) {
	yes, no, n, many := true, false, uint(3), uint(300)
	param, permissions := []byte{1, 2}, ctap.Permission(0x21)
	rp := &ctap.RelyingParty{ID: "a.example", Name: "A"}
	user := &ctap.User{ID: []byte{9}, Name: "n", DisplayName: "d"}
	list := []ctap.Descriptor{{ID: []byte{7}, Type: ctap.PublicKeyType}}
	extensions := ctap.Extensions{"credProtect": cbor.Raw{2}}
	algorithms := []ctap.Parameter{{Algorithm: cose.ES256, Type: ctap.PublicKeyType}}
	assertion := &ctap.GetAssertionResponse{
		Credential: &list[0], AuthData: []byte{1}, Signature: []byte{2}, User: user, NumberOfCredentials: 2, UserSelected: true,
		LargeBlobKey: []byte{8},
	}
	for _, c := range []struct {
		request, response any
		call              func(ctap.Authenticator, any) (any, error)
	}{
		{
			&ctap.MakeCredentialRequest{
				ClientDataHash: []byte{1}, RP: rp, User: user, Parameters: algorithms, ExcludeList: list, Extensions: extensions,
				Options: &ctap.Options{RK: &yes, UP: &no, UV: &yes}, PINUVAuthParam: &param, PINUVAuthProtocol: pinuv.Two,
				EnterpriseAttestation: &n, AttestationFormatsPreference: []string{"packed"},
			},
			&ctap.MakeCredentialResponse{Format: "packed", AuthData: []byte{1}, Statement: cbor.Raw{0xa0}, LargeBlobKey: []byte{8}, UnsignedOutputs: cbor.Raw{0xa0}},
			func(a ctap.Authenticator, q any) (any, error) {
				return a.MakeCredential(t.Context(), q.(*ctap.MakeCredentialRequest))
			},
		},
		{
			&ctap.GetAssertionRequest{
				RPID: "a.example", ClientDataHash: []byte{1}, AllowList: list, Extensions: extensions,
				Options: &ctap.Options{RK: &no, UP: &yes, UV: &no}, PINUVAuthParam: &param, PINUVAuthProtocol: pinuv.One,
			},
			assertion,
			func(a ctap.Authenticator, q any) (any, error) {
				return a.GetAssertion(t.Context(), q.(*ctap.GetAssertionRequest))
			},
		},
		{nil, assertion, func(a ctap.Authenticator, _ any) (any, error) { return a.GetNextAssertion(t.Context()) }},
		{
			nil,
			&ctap.GetInfoResponse{
				Versions: []string{"FIDO_2_3"}, Extensions: []string{"e"}, AAGUID: [16]byte{1}, Options: map[string]bool{"rk": true, "up": false},
				MaxMessageSize: 7609, PINUVAuthProtocols: []pinuv.Protocol{pinuv.Two, pinuv.One}, MaxCredentialCountInList: 8,
				MaxCredentialIDLength: 32, Transports: []string{"usb"}, Algorithms: algorithms, ForcePINChange: &no, MinPINLength: 4,
				FirmwareVersion: 1, PreferredPlatformUVAttempts: 1, UVModality: 2, RemainingDiscoverableCredentials: &many,
				AttestationFormats: []string{"packed"}, MaxPINLength: 63,
				MaxSerializedLargeBlobArray: 1024, MaxCredBlobLength: 32, MaxRPIDsForSetMinPINLength: 2, AuthenticatorConfigCommands: []uint{2},
				UVCountSinceLastPINEntry: &n, EncIdentifier: []byte{1}, TransportsForReset: []string{"usb"}, EncCredStoreState: []byte{2},
			},
			func(a ctap.Authenticator, _ any) (any, error) { return a.GetInfo(t.Context()) },
		},
		{
			&ctap.ClientPINRequest{
				PINUVAuthProtocol: pinuv.Two, Subcommand: ctap.SetPIN, KeyAgreement: publicKey(), PINUVAuthParam: param,
				NewPINEnc: []byte{1}, PINHashEnc: []byte{2}, Permissions: &permissions, RPID: "a.example",
			},
			&ctap.ClientPINResponse{KeyAgreement: publicKey(), PINUVAuthToken: []byte{1}, PINRetries: &n, PowerCycleState: &yes, UVRetries: &many},
			func(a ctap.Authenticator, q any) (any, error) {
				return a.ClientPIN(t.Context(), q.(*ctap.ClientPINRequest))
			},
		},
		{
			&ctap.LargeBlobsRequest{Get: &n, Set: &param, Offset: &many, Length: &n, PINUVAuthParam: param, PINUVAuthProtocol: pinuv.Two},
			&ctap.LargeBlobsResponse{Config: &param},
			func(a ctap.Authenticator, q any) (any, error) {
				return a.LargeBlobs(t.Context(), q.(*ctap.LargeBlobsRequest))
			},
		},
		{
			&ctap.ConfigRequest{Subcommand: 3, Params: cbor.Raw{0xa0}, PINUVAuthProtocol: pinuv.Two, PINUVAuthParam: param},
			nil,
			func(a ctap.Authenticator, q any) (any, error) {
				return nil, a.Config(t.Context(), q.(*ctap.ConfigRequest))
			},
		},
		{
			&ctap.CredentialManagementRequest{
				Subcommand: ctap.DeleteCredential, Params: cbor.Raw{0xa0}, PINUVAuthProtocol: pinuv.Two, PINUVAuthParam: param,
			},
			&ctap.CredentialManagementResponse{
				ExistingCount: &n, RemainingCount: &many, RP: rp, RPIDHash: []byte{1}, TotalRPs: &n, User: user, Credential: &list[0],
				PublicKey: publicKey(), TotalCredentials: &n, CredProtect: &n, ThirdPartyPayment: &no, LargeBlobKey: []byte{8},
			},
			func(a ctap.Authenticator, q any) (any, error) {
				return a.CredentialManagement(t.Context(), q.(*ctap.CredentialManagementRequest))
			},
		},
	} {
		t.Run(strings.TrimPrefix(fmt.Sprintf("%T", c.response), "*ctap."), func(t *testing.T) {
			full(t, c.request)
			full(t, c.response)
			s := &scripted{response: c.response}
			got, err := c.call(ctap.NewClient(&wire{authenticator: s}), c.request)
			check(t, err)
			if !reflect.DeepEqual(s.request, c.request) {
				t.Errorf("the request arrives as %+v, was %+v", s.request, c.request)
			}
			if !reflect.DeepEqual(got, c.response) {
				t.Errorf("the answer arrives as %+v, was %+v", got, c.response)
			}
			s.err = ctap.UVBlocked
			if _, err := c.call(ctap.NewClient(&wire{authenticator: s}), c.request); !errors.Is(err, ctap.UVBlocked) {
				t.Errorf("a refusal arrives as %v", err)
			}
		})
	}
}

// full makes sure that v uses each of its fields, so that a new one is tested too.
func full(t *testing.T, v any) {
	t.Helper()
	if v == nil {
		return
	}
	for field, value := range reflect.ValueOf(v).Elem().Fields() {
		if value.IsZero() {
			t.Errorf("%T.%s is not in this test", v, field.Name)
		}
	}
}

func TestEmptyAuthParamIsNotAbsent(t *testing.T) {
	empty := []byte{}
	s := &scripted{}
	c := ctap.NewClient(&wire{authenticator: s})
	for _, param := range []*[]byte{nil, &empty} {
		_, err := c.MakeCredential(t.Context(), &ctap.MakeCredentialRequest{PINUVAuthParam: param})
		check(t, err)
		got := s.request.(*ctap.MakeCredentialRequest).PINUVAuthParam
		if (got == nil) != (param == nil) || got != nil && len(*got) != 0 {
			t.Errorf("%v arrives as %v", param, got)
		}
	}
}

func TestResetAndSelection(t *testing.T) {
	s := &scripted{}
	c := ctap.NewClient(&wire{authenticator: s})
	check(t, c.Reset(t.Context()))
	if s.called != "reset" {
		t.Errorf("Reset calls %s", s.called)
	}
	check(t, c.Selection(t.Context()))
	if s.called != "selection" {
		t.Errorf("Selection calls %s", s.called)
	}
	s.err = ctap.UserActionTimeout
	if err := errors.Join(c.Reset(t.Context())); !errors.Is(err, ctap.UserActionTimeout) {
		t.Errorf("a refusal arrives as %v", err)
	}
}

func TestVendorProblem(t *testing.T) {
	want := &ctap.Problem{What: "the TPM is gone", Hint: "plug it in", Status: ctap.IntegrityFailure}
	c := ctap.NewClient(&wire{authenticator: &scripted{err: &ctap.Problem{
		What: want.What, Hint: want.Hint, Status: want.Status, Cause: errors.New("stays here"),
	}}})
	_, err := c.Vendor(t.Context(), ctap.CommandStatus, nil)
	var got *ctap.Problem
	if !errors.As(err, &got) || got.What != want.What || got.Hint != want.Hint || got.Status != want.Status || got.Cause != nil {
		t.Errorf("it arrives as %+v", err)
	}
	if !errors.Is(err, ctap.IntegrityFailure) {
		t.Errorf("%v has lost its status", err)
	}
}

func TestCall(t *testing.T) {
	s := &scripted{response: cbor.Raw{0xa1, 0x01, 0x05}}
	w := &wire{authenticator: s}
	got, err := ctap.Call[ctap.ListResponse](t.Context(), ctap.NewClient(w), ctap.CommandList, ctap.ListRequest{Offset: 2})
	check(t, err)
	if got.Total != 5 || string(w.sent) != "\x50\xa1\x01\x02" {
		t.Errorf("sent % x, got %+v", w.sent, got)
	}
	s.response = nil
	if _, err := ctap.Call[ctap.StatusResponse](t.Context(), ctap.NewClient(w), ctap.CommandStatus, nil); err != nil || string(w.sent) != "\x51" {
		t.Errorf("sent % x, %v", w.sent, err)
	}
	s.response = cbor.Raw{0x01}
	if _, err := ctap.Call[ctap.StatusResponse](t.Context(), ctap.NewClient(w), ctap.CommandStatus, nil); !errors.Is(err, cbor.ErrType) {
		t.Errorf("an answer of another type gives %v", err)
	}
}

// answers is an Exchanger that always says the same.
type answers struct {
	response []byte
	err      error
}

func (a answers) Exchange(context.Context, []byte) ([]byte, error) { return a.response, a.err }

func TestClientOfBadAuthenticator(t *testing.T) {
	broken := errors.New("unplugged")
	for name, c := range map[string]struct {
		answers

		want error
	}{
		"nothing":           {answers{nil, nil}, ctap.InvalidLength},
		"no connection":     {answers{nil, broken}, broken},
		"not CBOR":          {answers{[]byte{0, 0xff}, nil}, cbor.ErrMalformed},
		"another type":      {answers{[]byte{0, 0x01}, nil}, cbor.ErrType},
		"an unknown status": {answers{[]byte{0xf3}, nil}, ctap.Status(0xf3)},
	} {
		client := ctap.NewClient(c.answers)
		if _, err := client.GetInfo(t.Context()); !errors.Is(err, c.want) {
			t.Errorf("%s: GetInfo gives %v", name, err)
		}
		if name == "not CBOR" || name == "another type" {
			continue // of no matter to Vendor, which hands the bytes on
		}
		if _, err := client.Vendor(t.Context(), 0x50, nil); !errors.Is(err, c.want) {
			t.Errorf("%s: Vendor gives %v", name, err)
		}
	}
	if _, err := ctap.NewClient(answers{[]byte{0x7f, 0xff}, nil}).Vendor(t.Context(), 0x50, nil); !errors.Is(err, cbor.ErrMalformed) {
		t.Errorf("a problem that cannot be read gives %v", err)
	}
}

func TestContextValues(t *testing.T) {
	if _, ok := ctap.CallerFrom(t.Context()); ok {
		t.Error("a caller out of nowhere")
	}
	want := ctap.Caller{UID: 1000, PID: 7, Programs: []string{"firefox"}, Door: ctap.DoorHID}
	if got, ok := ctap.CallerFrom(ctap.WithCaller(t.Context(), want)); !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("the caller is %+v", got)
	}
	ctap.Report(t.Context(), ctap.ProgressUserNeeded) // nobody wants to know
	var got []ctap.Progress
	ctx := ctap.WithProgress(t.Context(), func(p ctap.Progress) { got = append(got, p) })
	ctap.Report(ctx, ctap.ProgressUserNeeded)
	ctap.Report(ctx, ctap.ProgressProcessing)
	if !reflect.DeepEqual(got, []ctap.Progress{2, 1}) {
		t.Errorf("reports %v", got)
	}
}

// FuzzServe sends any bytes: there is an answer, and a call only for a request
// that could be decoded.
func FuzzServe(f *testing.F) {
	for _, seed := range []string{
		"04", "06a201020201", "01a0", "0aa10102", "50a10102", "07", "02a301696c6f63616c686f7374024003808005a0",
		"01a301410102a1626964616103a16269644101", "06a103a501020338182001215820",
	} {
		b, _ := hex.DecodeString(seed)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, request []byte) {
		for _, s := range []*scripted{{}, {err: &ctap.Problem{What: "w"}}} {
			response := ctap.Serve(t.Context(), s, request)
			if len(response) == 0 {
				t.Fatal("no answer")
			}
			if s.called == "" && response[0] == 0 {
				t.Error("success without a call")
			}
			if s.called != "" && (response[0] == 0) != (s.err == nil) {
				t.Errorf("a call that ends with %v answers % x", s.err, response)
			}
		}
	})
}
