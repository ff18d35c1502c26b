package ctap_test

import (
	"context"
	"testing"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
)

// scripted notes the last call and answers as it is told.
type scripted struct {
	called   string
	request  any
	response any // of the call's type; nil for none
	err      error
}

func note[R any](s *scripted, name string, request any) (*R, error) {
	s.called, s.request = name, request
	response, _ := s.response.(*R)
	return response, s.err
}

func (s *scripted) MakeCredential(_ context.Context, req *ctap.MakeCredentialRequest) (*ctap.MakeCredentialResponse, error) {
	return note[ctap.MakeCredentialResponse](s, "makeCredential", req)
}

func (s *scripted) GetAssertion(_ context.Context, req *ctap.GetAssertionRequest) (*ctap.GetAssertionResponse, error) {
	return note[ctap.GetAssertionResponse](s, "getAssertion", req)
}

func (s *scripted) GetNextAssertion(context.Context) (*ctap.GetAssertionResponse, error) {
	return note[ctap.GetAssertionResponse](s, "getNextAssertion", nil)
}

func (s *scripted) GetInfo(context.Context) (*ctap.GetInfoResponse, error) {
	return note[ctap.GetInfoResponse](s, "getInfo", nil)
}

func (s *scripted) ClientPIN(_ context.Context, req *ctap.ClientPINRequest) (*ctap.ClientPINResponse, error) {
	return note[ctap.ClientPINResponse](s, "clientPIN", req)
}

func (s *scripted) CredentialManagement(_ context.Context, req *ctap.CredentialManagementRequest) (*ctap.CredentialManagementResponse, error) {
	return note[ctap.CredentialManagementResponse](s, "credentialManagement", req)
}

func (s *scripted) Reset(context.Context) error {
	_, err := note[struct{}](s, "reset", nil)
	return err
}

func (s *scripted) Selection(context.Context) error {
	_, err := note[struct{}](s, "selection", nil)
	return err
}

func (s *scripted) LargeBlobs(_ context.Context, req *ctap.LargeBlobsRequest) (*ctap.LargeBlobsResponse, error) {
	return note[ctap.LargeBlobsResponse](s, "largeBlobs", req)
}

func (s *scripted) Config(_ context.Context, req *ctap.ConfigRequest) error {
	_, err := note[struct{}](s, "config", req)
	return err
}

func (s *scripted) Vendor(_ context.Context, command ctap.Command, params cbor.Raw) (cbor.Raw, error) {
	s.called, s.request = "vendor", append([]byte{byte(command)}, params...)
	response, _ := s.response.(cbor.Raw)
	return response, s.err
}

// wire is an Exchanger in front of an Authenticator, in process.
type wire struct {
	authenticator ctap.Authenticator
	sent          []byte // the last request
}

func (w *wire) Exchange(ctx context.Context, request []byte) ([]byte, error) {
	w.sent = append([]byte(nil), request...)
	return ctap.Serve(ctx, w.authenticator, request), nil
}

// publicKey is the base point of P-256 (SEC 2 §2.4.2): a key as good as any.
func publicKey() *cose.Key {
	return &cose.Key{
		Algorithm: cose.ES256, Curve: cose.P256,
		X: []byte{
			0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2,
			0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96,
		},
		Y: []byte{
			0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16,
			0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
		},
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
