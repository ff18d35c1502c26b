package attacker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// Where things are in a TPM. SRK is the TCG's place for the storage key; the
// range is the one LocalPasskey takes its PIN indices from.
const (
	SRK        tpm2.TPMHandle = 0x81000001
	FirstIndex tpm2.TPMHandle = 0x01810000
	LastIndex  tpm2.TPMHandle = 0x0181FFFF
)

// nonceBytes is the attacker's nonce; 16 is the least that is recommended.
const nonceBytes = 16

// Attacker is somebody who may open the TPM, as root may: he owns the owner
// hierarchy and everything but the PIN.
type Attacker struct{ Open Opener }

// At runs do on a connection of its own, which frees whatever do leaves.
func (a Attacker) At(ctx context.Context, do func(transport.TPM) error) error {
	conn, err := a.Open(ctx)
	if err != nil {
		return err
	}
	return errors.Join(do(conn), conn.Close())
}

// Refused makes sure that err is the TPM's no, with that code. An attack that fails
// in another way has shown nothing, and one that does not fail is a broken promise.
func Refused(attempt string, err error, want tpm2.TPMRC) error {
	switch {
	case err == nil:
		return fmt.Errorf("%s: the attack SUCCEEDED", attempt)
	case !errors.Is(err, want):
		return fmt.Errorf("%s: the TPM refused with something else than %s: %w", attempt, Code(want), err)
	default:
		return nil
	}
}

// Code is the specification's name of a response code.
func Code(rc tpm2.TPMRC) string {
	name, _, _ := strings.Cut(rc.Error(), " ")
	return strings.TrimSuffix(name, ":")
}

// Owner is the owner hierarchy as what authorizes: its password is empty on nearly
// every machine.
func Owner() tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)}
}

// Load loads a key below the machine's storage key.
func Load(t transport.TPM, key WrappedKey) (*tpm2.NamedHandle, error) {
	parent, err := tpm2.ReadPublic{ObjectHandle: SRK}.Execute(t)
	if err != nil {
		return nil, fmt.Errorf("reading the storage key: %w", err)
	}
	return loadBelow(t, key, SRK, parent.Name)
}

func loadBelow(t transport.TPM, key WrappedKey, parent tpm2.TPMHandle, name tpm2.TPM2BName) (*tpm2.NamedHandle, error) {
	loaded, err := tpm2.Load{
		ParentHandle: tpm2.AuthHandle{Handle: parent, Name: name, Auth: tpm2.PasswordAuth(nil)},
		InPrivate:    tpm2.TPM2BPrivate{Buffer: key.private},
		InPublic:     tpm2.BytesAs2B[tpm2.TPMTPublic](key.public),
	}.Execute(t)
	if err != nil {
		return nil, err
	}
	return &tpm2.NamedHandle{Handle: loaded.ObjectHandle, Name: loaded.Name}, nil
}

// LoadElsewhere loads a key below a storage key made afresh, on a TPM that is not
// the key's own.
func LoadElsewhere(t transport.TPM, key WrappedKey) error {
	primary, err := tpm2.CreatePrimary{PrimaryHandle: Owner(), InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)}.Execute(t)
	if err != nil {
		return fmt.Errorf("making a storage key: %w", err)
	}
	_, err = loadBelow(t, key, primary.ObjectHandle, primary.Name)
	return err
}

// Sign tries to sign with a loaded key.
func Sign(t transport.TPM, key *tpm2.NamedHandle, by tpm2.Session) error {
	_, err := tpm2.Sign{
		KeyHandle:  tpm2.AuthHandle{Handle: key.Handle, Name: key.Name, Auth: by},
		Digest:     tpm2.TPM2BDigest{Buffer: make([]byte, 32)},
		Validation: tpm2.TPMTTKHashCheck{Tag: tpm2.TPMSTHashCheck, Hierarchy: tpm2.TPMRHNull},
	}.Execute(t)
	return err
}

// Policy is a policy session in which satisfy has run.
func Policy(satisfy tpm2.PolicyCallback) tpm2.Session {
	return tpm2.Policy(tpm2.TPMAlgSHA256, nonceBytes, satisfy)
}

// Unsatisfied is for a Policy in which nothing has run.
func Unsatisfied(transport.TPM, tpm2.TPMISHPolicy, tpm2.TPM2BNonce) error { return nil }

// Showing shows an index's authorization to the policy, for one relying party.
func Showing(index *tpm2.NamedHandle, auth []byte, rpID string) tpm2.PolicyCallback {
	ref := webauthn.RPIDHash(rpID)
	return func(t transport.TPM, session tpm2.TPMISHPolicy, _ tpm2.TPM2BNonce) error {
		_, err := tpm2.PolicySecret{
			AuthHandle:    tpm2.AuthHandle{Handle: index.Handle, Name: index.Name, Auth: tpm2.PasswordAuth(auth)},
			PolicySession: session,
			PolicyRef:     tpm2.TPM2BNonce{Buffer: ref[:]},
		}.Execute(t)
		return err
	}
}

// Indices lists the NV indices in LocalPasskey's range.
func Indices(t transport.TPM) ([]tpm2.TPMHandle, error) {
	const all = 256
	rsp, err := tpm2.GetCapability{
		Capability: tpm2.TPMCapHandles, Property: uint32(FirstIndex), PropertyCount: all,
	}.Execute(t)
	if err != nil {
		return nil, fmt.Errorf("listing NV indices: %w", err)
	}
	list, err := rsp.CapabilityData.Data.Handles()
	if err != nil {
		return nil, fmt.Errorf("listing NV indices: %w", err)
	}
	return slices.DeleteFunc(list.Handle, func(h tpm2.TPMHandle) bool { return h < FirstIndex || h > LastIndex }), nil
}

// Undefine removes an index, as the owner may, and gives what it was.
func Undefine(t transport.TPM, index tpm2.TPMHandle) (*tpm2.TPMSNVPublic, error) {
	was, err := tpm2.NVReadPublic{NVIndex: index}.Execute(t)
	if err != nil {
		return nil, fmt.Errorf("reading the index: %w", err)
	}
	public, err := was.NVPublic.Contents()
	if err != nil {
		return nil, fmt.Errorf("reading the index: %w", err)
	}
	_, err = tpm2.NVUndefineSpace{
		AuthHandle: Owner(), NVIndex: tpm2.NamedHandle{Handle: index, Name: was.NVName},
	}.Execute(t)
	if err != nil {
		return nil, fmt.Errorf("removing the index: %w", err)
	}
	return public, nil
}

// Redefine puts the same index back with a PIN of the attacker's own. The TPM does
// not let him claim that it was written already.
func Redefine(t transport.TPM, index tpm2.TPMHandle, pin []byte) (*tpm2.NamedHandle, error) {
	public, err := Undefine(t, index)
	if err != nil {
		return nil, err
	}
	public.Attributes.Written = false
	_, err = tpm2.NVDefineSpace{
		AuthHandle: Owner(), Auth: tpm2.TPM2BAuth{Buffer: pin}, PublicInfo: tpm2.New2B(*public),
	}.Execute(t)
	if err != nil {
		return nil, fmt.Errorf("defining the index anew: %w", err)
	}
	now, err := tpm2.NVReadPublic{NVIndex: index}.Execute(t)
	if err != nil {
		return nil, fmt.Errorf("reading the index: %w", err)
	}
	return &tpm2.NamedHandle{Handle: index, Name: now.NVName}, nil
}

// Write tries to set an index's count to 0 and its limit to 8.
func Write(t transport.TPM, index *tpm2.NamedHandle, by tpm2.AuthHandle) error {
	_, err := tpm2.NVWrite{
		AuthHandle: by, NVIndex: *index,
		Data: tpm2.TPM2BMaxNVBuffer{Buffer: []byte{0, 0, 0, 0, 0, 0, 0, 8}},
	}.Execute(t)
	return err
}

// Lockouts is the TPM's own count of failures, which locks every user of the chip.
func Lockouts(t transport.TPM) (uint32, error) {
	rsp, err := tpm2.GetCapability{
		Capability: tpm2.TPMCapTPMProperties, Property: uint32(tpm2.TPMPTLockoutCounter), PropertyCount: 1,
	}.Execute(t)
	if err != nil {
		return 0, fmt.Errorf("reading the lockout counter: %w", err)
	}
	list, err := rsp.CapabilityData.Data.TPMProperties()
	if err != nil {
		return 0, fmt.Errorf("reading the lockout counter: %w", err)
	}
	if len(list.TPMProperty) != 1 || list.TPMProperty[0].Property != tpm2.TPMPTLockoutCounter {
		return 0, errors.New("the TPM does not tell its lockout counter")
	}
	return list.TPMProperty[0].Value, nil
}

// ResetLockout is TPM2_DictionaryAttackLockReset (Part 3 §25.2): whoever knows the
// lockout password, empty on nearly every machine, forgives all failures. go-tpm has
// no such command.
func ResetLockout(t transport.TPM) error {
	response, err := t.Send([]byte{
		0x80, 0x02, 0, 0, 0, 27, 0, 0, 0x01, 0x39, // with sessions, size, command code
		0x40, 0, 0, 0x0A, // TPM_RH_LOCKOUT
		0, 0, 0, 9, 0x40, 0, 0, 0x09, 0, 0, 0, 0, 0, // TPM_RS_PW: no nonce, no attributes, an empty password
	})
	if err != nil {
		return err
	}
	header, err := tpm2.Unmarshal[tpm2.TPMRspHeader](response)
	if err != nil {
		return err
	}
	if header.ResponseCode != tpm2.TPMRCSuccess {
		return header.ResponseCode
	}
	return nil
}
