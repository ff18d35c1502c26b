package blobs

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest/party"
	"github.com/localpasskey/localpasskey/internal/pinuv"
)

// Checks are the parts of the contract, by name.
func Checks() map[string]func(*party.Rig) {
	all := map[string]func(*party.Rig){}
	for name, check := range map[string]func(*rig){
		"large blobs": checkLargeBlobs, "large blob refusals": checkLargeBlobRefusals, "large blob key": checkLargeBlobKey,
	} {
		all[name] = func(r *party.Rig) { check(&rig{r}) }
	}
	return all
}

// rig is a platform at work on a device, with what the checks share.
type rig struct{ *party.Rig }

// emptyLargeBlobs is the array of a new authenticator, from CTAP 2.1 §6.10.1.
func emptyLargeBlobs() []byte {
	return []byte{0x80, 0x76, 0xbe, 0x8b, 0x52, 0x8d, 0x00, 0x75, 0xf7, 0xaa, 0xe9, 0x8d, 0x6f, 0xa5, 0x7a, 0x6d, 0x3c}
}

func withChecksum(content []byte) []byte {
	sum := sha256.Sum256(content)
	return append(bytes.Clone(content), sum[:16]...)
}

// readBlobs reads from offset, get bytes at most.
func (r *rig) readBlobs(offset, get uint) []byte {
	r.Helper()
	response, err := r.A.LargeBlobs(r.Context(), &ctap.LargeBlobsRequest{Get: &get, Offset: &offset})
	r.OK(err)
	return *response.Config
}

// writeBlobs writes a fragment; a length of 0 is absent.
func (r *rig) writeBlobs(a ctap.Authenticator, token *pinuv.Token, offset, length uint, fragment []byte) error {
	req := &ctap.LargeBlobsRequest{Set: &fragment, Offset: &offset}
	if length != 0 {
		req.Length = &length
	}
	if token != nil {
		req.PINUVAuthProtocol = token.Protocol()
		req.PINUVAuthParam = token.Authenticate(ctap.LargeBlobMessage(uint32(offset), fragment)) //nolint:gosec // small
	}
	_, err := a.LargeBlobs(r.Context(), req)
	return err
}

func checkLargeBlobs(r *rig) {
	if got := r.readBlobs(0, 1000); !bytes.Equal(got, emptyLargeBlobs()) {
		r.Errorf("at first %x", got)
	}
	r.Wants(ctap.PUATRequired, r.writeBlobs(r.A, nil, 0, 17, emptyLargeBlobs()))
	r.SetPIN()
	token := r.Token(ctap.PermissionLargeBlobWrite, "")
	whole := withChecksum(bytes.Repeat([]byte{0xAB}, 10_000))
	length, step := uint(len(whole)), r.Info().MaxMessageSize-64
	stranger := r.Open(r.T)
	r.OK(r.writeBlobs(r.A, &token, 0, length, whole[:step]))
	r.Wants(ctap.InvalidSeq, r.writeBlobs(stranger, &token, step, 0, whole[step:step+10]))
	for at := step; at < length; at += step {
		r.OK(r.writeBlobs(r.A, &token, at, 0, whole[at:min(at+step, length)]))
	}
	r.PowerCycle(r.T)
	r.A = r.Open(r.T)
	var got []byte
	for at := uint(0); at < length; at += step {
		got = append(got, r.readBlobs(at, step)...)
	}
	if !bytes.Equal(got, whole) || len(r.readBlobs(length, 10)) != 0 {
		r.Errorf("read %d bytes back, wrote %d", len(got), length)
	}
	// What breaks off, or does not add up, changes nothing.
	token = r.Token(ctap.PermissionLargeBlobWrite, "")
	r.OK(r.writeBlobs(r.A, &token, 0, 20, make([]byte, 10)))
	_, err := r.A.GetInfo(r.Context())
	r.OK(err)
	r.Wants(ctap.InvalidSeq, r.writeBlobs(r.A, &token, 10, 0, make([]byte, 10)))
	r.Wants(ctap.IntegrityFailure, r.writeBlobs(r.A, &token, 0, 20, make([]byte, 20)))
	if got := r.readBlobs(0, step); !bytes.Equal(got, whole[:step]) {
		r.Error("a failed write changed the array")
	}
	r.Person.SetPINs(party.FirstPIN)
	r.OK(r.A.Reset(r.Context()))
	if got := r.readBlobs(0, 1000); !bytes.Equal(got, emptyLargeBlobs()) {
		r.Errorf("after a reset %d bytes", len(got))
	}
}

func checkLargeBlobRefusals(r *rig) {
	r.SetPIN()
	info := r.Info()
	most, fragment := info.MaxSerializedLargeBlobArray, info.MaxMessageSize-64
	if most < 1024 || !info.Options["largeBlobs"] {
		r.Fatalf("at most %d bytes, options %v", most, info.Options)
	}
	zero, one, far, long := uint(0), uint(1), uint(18), fragment+1
	small, big := emptyLargeBlobs(), make([]byte, fragment+1)
	for name, c := range map[string]struct {
		req  *ctap.LargeBlobsRequest
		want ctap.Status
	}{
		"no offset":        {&ctap.LargeBlobsRequest{Get: &one}, ctap.InvalidParameter},
		"neither":          {&ctap.LargeBlobsRequest{Offset: &zero}, ctap.InvalidParameter},
		"both":             {&ctap.LargeBlobsRequest{Offset: &zero, Get: &one, Set: &small}, ctap.InvalidParameter},
		"get with length":  {&ctap.LargeBlobsRequest{Offset: &zero, Get: &one, Length: &one}, ctap.InvalidParameter},
		"get with a param": {&ctap.LargeBlobsRequest{Offset: &zero, Get: &one, PINUVAuthParam: []byte{1}}, ctap.InvalidParameter},
		"get too much":     {&ctap.LargeBlobsRequest{Offset: &zero, Get: &long}, ctap.InvalidLength},
		"get beyond":       {&ctap.LargeBlobsRequest{Offset: &far, Get: &one}, ctap.InvalidParameter},
		"set too much":     {&ctap.LargeBlobsRequest{Offset: &zero, Set: &big, Length: &most}, ctap.InvalidLength},
		"no protocol":      {&ctap.LargeBlobsRequest{Offset: &zero, Set: &small, Length: &far, PINUVAuthParam: []byte{1}}, ctap.MissingParameter},
		"third protocol":   {&ctap.LargeBlobsRequest{Offset: &zero, Set: &small, Length: &far, PINUVAuthParam: []byte{1}, PINUVAuthProtocol: 3}, ctap.InvalidParameter},
		"forged":           {&ctap.LargeBlobsRequest{Offset: &zero, Set: &small, Length: &far, PINUVAuthParam: make([]byte, 32), PINUVAuthProtocol: pinuv.Two}, ctap.PINAuthInvalid},
	} {
		if _, err := r.A.LargeBlobs(r.Context(), c.req); ctap.StatusOf(err) != c.want {
			r.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	token := r.Token(ctap.PermissionLargeBlobWrite, "")
	r.Wants(ctap.InvalidParameter, r.writeBlobs(r.A, &token, 0, 0, small))
	r.Wants(ctap.InvalidParameter, r.writeBlobs(r.A, &token, 0, 16, small[:16]))
	r.Wants(ctap.LargeBlobStorageFull, r.writeBlobs(r.A, &token, 0, most+1, small))
	r.Wants(ctap.InvalidSeq, r.writeBlobs(r.A, &token, 3, 0, small))
	r.OK(r.writeBlobs(r.A, &token, 0, 20, small))
	r.Wants(ctap.InvalidParameter, r.writeBlobs(r.A, &token, 17, 0, small[:4]))
	r.OK(r.writeBlobs(r.A, &token, 0, 20, small))
	r.Wants(ctap.InvalidParameter, r.writeBlobs(r.A, &token, 17, 20, small[:3]))
	other := r.Token(ctap.PermissionCredentialManagement, "")
	r.Wants(ctap.PINAuthInvalid, r.writeBlobs(r.A, &other, 0, 17, small))
}

func checkLargeBlobKey(r *rig) {
	r.SetPIN()
	yes := ctap.Extensions{"largeBlobKey": party.Raw(r.Rig, true)}
	register := func(account string, change func(*ctap.MakeCredentialRequest)) (*ctap.MakeCredentialResponse, error) {
		req := party.Registration(party.Site, account)
		req.Extensions = yes
		change(req)
		return r.A.MakeCredential(r.Context(), r.Authenticated(req))
	}
	made, err := register("alice", func(*ctap.MakeCredentialRequest) {})
	r.OK(err)
	if len(made.LargeBlobKey) != 32 || !slices.Contains(r.Info().Extensions, "largeBlobKey") || bytes.Contains(made.AuthData, []byte("largeBlobKey")) {
		r.Fatalf("key of %d bytes, extensions %v", len(made.LargeBlobKey), r.Info().Extensions)
	}
	req := r.AuthenticatedSignIn(party.SignIn(party.Site))
	req.Extensions = yes
	signedIn, err := r.A.GetAssertion(r.Context(), req)
	r.OK(err)
	unasked, err := r.A.GetAssertion(r.Context(), r.AuthenticatedSignIn(party.SignIn(party.Site)))
	r.OK(err)
	if !bytes.Equal(signedIn.LargeBlobKey, made.LargeBlobKey) || unasked.LargeBlobKey != nil {
		r.Errorf("sign-in gives %x, and unasked %x", signedIn.LargeBlobKey, unasked.LargeBlobKey)
	}
	managed, err := ctap.ManageCredentials(r.Context(), r.A, r.Token(ctap.PermissionCredentialManagement, ""), ctap.EnumerateCredentialsBegin, party.SiteParams())
	r.OK(err)
	if !bytes.Equal(managed.LargeBlobKey, made.LargeBlobKey) {
		r.Errorf("management gives %x", managed.LargeBlobKey)
	}
	_, err = register("bob", func(q *ctap.MakeCredentialRequest) { q.Options = nil })
	r.Wants(ctap.InvalidOption, err)
	no := ctap.Extensions{"largeBlobKey": cbor.Raw{0xF4}}
	_, err = register("bob", func(q *ctap.MakeCredentialRequest) { q.Extensions = no })
	r.Wants(ctap.InvalidOption, err)
	req = r.AuthenticatedSignIn(party.SignIn(party.Site))
	req.Extensions = no
	_, err = r.A.GetAssertion(r.Context(), req)
	r.Wants(ctap.InvalidOption, err)
	without := r.Register("other.example", "carol")
	req = r.AuthenticatedSignIn(party.SignIn("other.example", without))
	req.Extensions = yes
	if response, err := r.A.GetAssertion(r.Context(), req); err != nil || response.LargeBlobKey != nil {
		r.Errorf("a credential without a key gives %+v, %v", response, err)
	}
}
