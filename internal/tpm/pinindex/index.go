package pinindex

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/tpm/policy"
	"github.com/localpasskey/localpasskey/internal/tpm/problem"
	"github.com/localpasskey/localpasskey/internal/tpm/wire"
)

// Attempts is the index's limit. CTAP's own counter of eight is the same number,
// and this is where it is kept.
const Attempts = 8

// First and Last bound the handles that we use: the TCG leaves this range to
// applications of the owner (registry of reserved handles).
const (
	First tpm2.TPMHandle = 0x01810000
	Last  tpm2.TPMHandle = 0x0181FFFF
)

// From the specification: Part 2 §13.3, TPMS_NV_PIN_COUNTER_PARAMETERS.
const (
	counterBytes = 8 // count and limit, 32 bits each
	// LimitOffset is where the limit is.
	LimitOffset = 4
)

// Index is a PIN index. Its Name is the one that it has once written.
type Index struct {
	tpm2.NamedHandle
	Approvals Approvals
}

// Approvals is what is kept of K: its Name, and the TPM's tickets for what it has
// signed. They work on one index and open nothing by themselves, but need not be
// shown around either.
type Approvals struct {
	Authority []byte `cbor:"1,keyasint"` // K's Name
	Change    []byte `cbor:"2,keyasint"`
	Read      []byte `cbor:"3,keyasint"`
	Prove     []byte `cbor:"4,keyasint"`
}

// Doomed names an index for removal and, by its policy, tells it from one that
// another program has defined at the same place.
type Doomed struct {
	Handle uint32   `cbor:"1,keyasint"`
	Policy [32]byte `cbor:"2,keyasint"`
}

// At is the index with these approvals at that handle.
func At(handle tpm2.TPMHandle, a Approvals) *Index {
	x := &Index{Approvals: a}
	x.NamedHandle = tpm2.NamedHandle{Handle: handle, Name: Name(handle, policy.Authorized(x.authority()), true)}
	return x
}

// Ours tells whether a handle is in our range.
func Ours(handle uint32) bool {
	return tpm2.TPMHandle(handle) >= First && tpm2.TPMHandle(handle) <= Last
}

// Doom is how the index is named for removal.
func (x *Index) Doom() Doomed {
	return Doomed{Handle: uint32(x.Handle), Policy: policy.Authorized(x.authority())}
}

// PINPolicy is what a key demands that works only with proof of the PIN, shown for
// ref.
func (x *Index) PINPolicy(ref []byte) policy.Digest { return PINPolicy(x.Name, ref) }

// LifePolicy is what a key demands that works as long as the index lives.
func (x *Index) LifePolicy() policy.Digest { return LifePolicy(x.Name) }

// PINPolicy is Index.PINPolicy for the index called name.
func PINPolicy(name tpm2.TPM2BName, ref []byte) policy.Digest {
	return policy.Digest{}.Secret(name, ref)
}

// LifePolicy is Index.LifePolicy for the index called name.
func LifePolicy(name tpm2.TPM2BName) policy.Digest {
	return policy.Digest{}.NVEquals(name, LimitOffset, Limit())
}

func (x *Index) authority() tpm2.TPM2BName { return tpm2.TPM2BName{Buffer: x.Approvals.Authority} }

// Limit is what is written at LimitOffset.
func Limit() []byte { return binary.BigEndian.AppendUint32(nil, Attempts) }

// Public is the public area of a PIN index. Only the policy tells one from
// another; written changes the Name, which is the point of it.
//
// There is no OWNERWRITE, AUTHWRITE or PPWRITE, so the policy alone writes; and
// nothing in any approved policy is PolicyAuthValue or PolicyPassword, on whose
// path the limit is not enforced.
func Public(handle tpm2.TPMHandle, authPolicy policy.Digest, written bool) tpm2.TPMSNVPublic {
	return tpm2.TPMSNVPublic{
		NVIndex: handle,
		NameAlg: tpm2.TPMAlgSHA256,
		Attributes: tpm2.TPMANV{
			NT:          tpm2.TPMNTPinFail,
			PolicyWrite: true,
			OwnerRead:   true,
			AuthRead:    true,
			PolicyRead:  true,
			NoDA:        true,
			Written:     written,
		},
		AuthPolicy: tpm2.TPM2BDigest{Buffer: authPolicy[:]},
		DataSize:   counterBytes,
	}
}

// Name is the Name of a PIN index (Part 1 §16).
func Name(handle tpm2.TPMHandle, authPolicy policy.Digest, written bool) tpm2.TPM2BName {
	return policy.Name(tpm2.Marshal(Public(handle, authPolicy, written)))
}

// mostRaces is how often another program may be quicker with a handle that was free.
const mostRaces = 16

// Make makes an index with a new K: the authorization is auth, the count 0. announce
// is called before the TPM has it, with what Undefine needs; again where another
// program has taken the handle meanwhile.
func Make(t transport.TPM, salt *wire.Salt, auth []byte, announce func(Doomed) error) (*Index, error) {
	for races := 0; ; races++ {
		x, err := makeOne(t, salt, auth, announce)
		if !errors.Is(err, tpm2.TPMRCNVDefined) || races == mostRaces {
			return x, err
		}
	}
}

func makeOne(t transport.TPM, salt *wire.Salt, auth []byte, announce func(Doomed) error) (*Index, error) {
	handle, err := free(t)
	if err != nil {
		return nil, err
	}
	k, err := newAuthority()
	if err != nil {
		return nil, err
	}
	defer k.wipe()
	x := At(handle, Approvals{Authority: k.name.Buffer})
	if err := announce(x.Doom()); err != nil {
		return nil, err
	}
	p := policy.Authorized(k.name)
	if err := define(t, salt, handle, p, auth); err != nil {
		return nil, err
	}
	tickets, err := k.approve(t, writePolicy(), changePolicy(x.Name), readPolicy(), provePolicy())
	if err != nil {
		return nil, err
	}
	x.Approvals.Change, x.Approvals.Read, x.Approvals.Prove = tickets[1], tickets[2], tickets[3]
	return x, x.write(t, tickets[0], Name(handle, p, false))
}

// define is TPM2_NV_DefineSpace (Part 3 §31.3), the authorization encrypted.
func define(t transport.TPM, salt *wire.Salt, handle tpm2.TPMHandle, authPolicy policy.Digest, auth []byte) error {
	cover, err := wire.StartHMAC(t, salt)
	if err != nil {
		return err
	}
	defer cover.Wipe()
	cover.EncryptCommand()
	_, err = tpm2.NVDefineSpace{
		AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		Auth:       tpm2.TPM2BAuth{Buffer: auth},
		PublicInfo: tpm2.New2B(Public(handle, authPolicy, false)),
	}.Execute(t, cover)
	if errors.Is(err, tpm2.TPMRCAttributes) {
		return problem.Unsupported("it has no PIN_FAIL indices", err)
	}
	if err != nil {
		return problem.OwnerRefusal(fmt.Errorf("NV_DefineSpace: %w", err))
	}
	return nil
}

// write sets count 0 and the limit. It is the only time that the index is written,
// and gives it its final Name.
func (x *Index) write(t transport.TPM, ticket []byte, unwritten tpm2.TPM2BName) error {
	s, err := x.approved(t, writePolicy(), ticket, tpm2.TPMCCNVWrite)
	if err != nil {
		return err
	}
	_, err = tpm2.NVWrite{
		AuthHandle: tpm2.AuthHandle{Handle: x.Handle, Name: unwritten, Auth: s},
		NVIndex:    tpm2.NamedHandle{Handle: x.Handle, Name: unwritten},
		Data:       tpm2.TPM2BMaxNVBuffer{Buffer: append(make([]byte, LimitOffset), Limit()...)},
	}.Execute(t)
	if err != nil {
		return fmt.Errorf("NV_Write: %w", err)
	}
	return nil
}

// Exists tells whether the index is in the TPM under its Name.
func (x *Index) Exists(t transport.TPM) error {
	rsp, err := tpm2.NVReadPublic{NVIndex: x.Handle}.Execute(t)
	if errors.Is(err, tpm2.TPMRCHandle) {
		return problem.Ended(err)
	}
	if err != nil {
		return fmt.Errorf("NV_ReadPublic: %w", err)
	}
	if name := policy.Name(rsp.NVPublic.Bytes()); !bytes.Equal(name.Buffer, x.Name.Buffer) {
		return problem.Ended(errors.New("another index is at its place"))
	}
	return nil
}

// Undefine removes a doomed index, if it is there and is ours.
func Undefine(t transport.TPM, d Doomed) error {
	handle := tpm2.TPMHandle(d.Handle)
	rsp, err := tpm2.NVReadPublic{NVIndex: handle}.Execute(t)
	if errors.Is(err, tpm2.TPMRCHandle) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("NV_ReadPublic: %w", err)
	}
	name := policy.Name(rsp.NVPublic.Bytes())
	if !bytes.Equal(name.Buffer, Name(handle, d.Policy, false).Buffer) &&
		!bytes.Equal(name.Buffer, Name(handle, d.Policy, true).Buffer) {
		return nil
	}
	_, err = tpm2.NVUndefineSpace{
		AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		NVIndex:    tpm2.NamedHandle{Handle: handle, Name: name},
	}.Execute(t)
	if err != nil {
		return problem.OwnerRefusal(fmt.Errorf("NV_UndefineSpace: %w", err))
	}
	return nil
}

// free gives the first free handle of our range.
func free(t transport.TPM) (tpm2.TPMHandle, error) {
	for from := First; ; {
		rsp, err := tpm2.GetCapability{
			Capability:    tpm2.TPMCapHandles,
			Property:      uint32(from),
			PropertyCount: 64,
		}.Execute(t)
		if err != nil {
			return 0, fmt.Errorf("listing NV indices: %w", err)
		}
		used, err := rsp.CapabilityData.Data.Handles()
		if err != nil {
			return 0, fmt.Errorf("listing NV indices: %w", err)
		}
		next := from
		for _, h := range used.Handle {
			if h != next {
				break
			}
			next++
		}
		if next > Last {
			return 0, problem.OwnerRefusal(tpm2.TPMRCNVSpace)
		}
		if int(next-from) < len(used.Handle) || !rsp.MoreData {
			return next, nil
		}
		from = next
	}
}
