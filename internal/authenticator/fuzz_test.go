package authenticator_test

import (
	"context"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// FuzzRequests sends sequences of requests, each behind its length (two bytes),
// to a whole authenticator. Every one gets an answer, the store can be read
// afterwards, and the authenticator still tells about itself.
func FuzzRequests(f *testing.F) {
	for _, seed := range seeds(f) {
		f.Add(seed)
	}
	s := newStack(f)
	p := ctap.Platform{Authenticator: s.Channel(ctap.DoorSocket), Protocol: pinuv.Two}
	check(f, p.SetPIN(f.Context(), secret.Of([]byte("1234"))))
	settings, err := s.store.Settings()
	check(f, err)
	settings.AlwaysUV = false // so that more than PUAT_REQUIRED can happen
	check(f, s.store.PutSettings(settings))
	f.Fuzz(func(t *testing.T, sequence []byte) {
		channel := s.Channel(ctap.DoorSocket)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for len(sequence) >= 2 {
			n := min(int(sequence[0])<<8|int(sequence[1]), len(sequence)-2)
			if response := ctap.Serve(ctx, channel, sequence[2:2+n]); len(response) == 0 {
				t.Fatalf("no answer to %x", sequence[2:2+n])
			}
			sequence = sequence[2+n:]
		}
		for _, err := range s.store.Each() {
			check(t, err)
		}
		if info := ctap.Serve(ctx, channel, []byte{byte(ctap.CommandGetInfo)}); ctap.Status(info[0]) != ctap.StatusOK {
			t.Fatalf("afterwards getInfo answers %x", info)
		}
	})
}

func seeds(tb testing.TB) [][]byte {
	tb.Helper()
	request := func(command ctap.Command, params any) []byte {
		message := []byte{byte(command)}
		if params != nil {
			body, err := cbor.Marshal(params)
			check(tb, err)
			message = append(message, body...)
		}
		return append([]byte{byte(len(message) >> 8), byte(len(message))}, message...)
	}
	registration := request(ctap.CommandMakeCredential, &ctap.MakeCredentialRequest{
		ClientDataHash: hash("register"), RP: &ctap.RelyingParty{ID: rpID},
		User:       &ctap.User{ID: []byte("1"), Name: "alice"},
		Parameters: []ctap.Parameter{{Algorithm: cose.ES256, Type: ctap.PublicKeyType}},
		Options:    &ctap.Options{RK: new(true)},
		Extensions: ctap.Extensions{"hmac-secret": cbor.Raw{0xF5}, "credProtect": cbor.Raw{2}, "credBlob": cbor.Raw{0x41, 1}, "thirdPartyPayment": cbor.Raw{0xF5}},
	})
	assertion := request(ctap.CommandGetAssertion, &ctap.GetAssertionRequest{
		RPID: rpID, ClientDataHash: hash("sign in"), Options: &ctap.Options{UP: new(false)},
		Extensions: ctap.Extensions{"credBlob": cbor.Raw{0xF5}, "thirdPartyPayment": cbor.Raw{0xF5}},
	})
	agreement := request(ctap.CommandClientPIN, &ctap.ClientPINRequest{PINUVAuthProtocol: pinuv.Two, Subcommand: ctap.GetKeyAgreement})
	retries := request(ctap.CommandClientPIN, &ctap.ClientPINRequest{Subcommand: ctap.GetPINRetries})
	manage := request(ctap.CommandCredentialManagement, &ctap.CredentialManagementRequest{Subcommand: ctap.EnumerateRPsBegin})
	blob := request(ctap.CommandLargeBlobs, &ctap.LargeBlobsRequest{Get: new(uint(17)), Offset: new(uint(0))})
	config := request(ctap.CommandConfig, &ctap.ConfigRequest{Subcommand: ctap.SetMinPINLength, Params: cbor.Raw{0xA3, 1, 6, 2, 0x81, 0x61, 'x', 3, 0xF5}})
	next := request(ctap.CommandGetNextAssertion, nil)
	all := [][]byte{registration, assertion, agreement, retries, manage, config, blob, next, request(ctap.CommandSelection, nil), request(ctap.CommandList, nil)}
	var together []byte
	for _, one := range all {
		together = append(together, one...)
	}
	return append(all, together)
}
