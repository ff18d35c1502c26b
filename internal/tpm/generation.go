package tpm

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/tpm/wire"
)

// generation is one PIN index and what belongs to it. It is never changed: a step
// of the PIN's state makes a new value.
type generation struct {
	id       [16]byte
	index    tpm2.NamedHandle // with the Name that it has once written
	sealed   wrapped
	metadata secret.Bytes
	box      boxRecord
}

// authority is K: a key whose approval satisfies the index's policy. It lives in
// this process while an index is made.
type authority struct {
	key    *ecdsa.PrivateKey
	public tpm2.TPMTPublic
	name   tpm2.TPM2BName
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	raw, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	public := tpm2.TPMTPublic{
		Type:             tpm2.TPMAlgECC,
		NameAlg:          tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{UserWithAuth: true, NoDA: true, SignEncrypt: true},
		Parameters:       eccParameters(),
		Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{
			X: tpm2.TPM2BECCParameter{Buffer: raw[1 : 1+coordinateBytes]},
			Y: tpm2.TPM2BECCParameter{Buffer: raw[1+coordinateBytes:]},
		}),
	}
	return &authority{key: key, public: public, name: nameOf(tpm2.Marshal(public))}, nil
}

// wipe forgets K as far as Go lets us: the number is overwritten, copies that the
// library made are not. SECURITY says what that is worth: K cannot be proven gone.
func (a *authority) wipe() {
	//nolint:staticcheck // Deprecated for building keys; here it is erased.
	clear(a.key.D.Bits())
}

// approve gives the TPM's ticket for K's signature on each policy, in order. Under
// TPM_RH_OWNER: tickets of the NULL hierarchy are void after the next start.
func (a *authority) approve(t transport.TPM, policies ...policy) ([][]byte, error) {
	loaded, err := tpm2.LoadExternal{
		InPublic:  tpm2.New2B(a.public),
		Hierarchy: tpm2.TPMRHOwner,
	}.Execute(t)
	if err != nil {
		return nil, fmt.Errorf("LoadExternal: %w", err)
	}
	var tickets [][]byte
	for _, p := range policies {
		digest := sha256.Sum256(p[:]) // aHash of policy ‖ policyRef, which is empty (Part 3 §23.16)
		r, s, err := ecdsa.Sign(rand.Reader, a.key, digest[:])
		if err != nil {
			return nil, err
		}
		rsp, err := tpm2.VerifySignature{
			KeyHandle: tpm2.NamedHandle{Handle: loaded.ObjectHandle, Name: a.name},
			Digest:    tpm2.TPM2BDigest{Buffer: digest[:]},
			Signature: tpm2.TPMTSignature{
				SigAlg: tpm2.TPMAlgECDSA,
				Signature: tpm2.NewTPMUSignature(tpm2.TPMAlgECDSA, &tpm2.TPMSSignatureECC{
					Hash:       tpm2.TPMAlgSHA256,
					SignatureR: tpm2.TPM2BECCParameter{Buffer: r.FillBytes(make([]byte, coordinateBytes))},
					SignatureS: tpm2.TPM2BECCParameter{Buffer: s.FillBytes(make([]byte, coordinateBytes))},
				}),
			},
		}.Execute(t)
		if err != nil {
			return nil, fmt.Errorf("VerifySignature: %w", err)
		}
		tickets = append(tickets, rsp.Validation.Digest.Buffer)
	}
	_, err = tpm2.FlushContext{FlushHandle: loaded.ObjectHandle}.Execute(t)
	return tickets, err
}

// approved starts a policy session that satisfies what K approved: p, made of
// commands given by build, and the ticket for it.
func (g *generation) approved(t transport.TPM, p policy, ticket []byte, cc tpm2.TPMCC) (*wire.Session, error) {
	s, err := wire.StartPolicy(t, nil)
	if err != nil {
		return nil, err
	}
	return s, authorize(t, s, p, ticket, g.authority(), cc)
}

// authorize ends a policy with its command code and K's approval.
func authorize(t transport.TPM, s *wire.Session, p policy, ticket []byte, by tpm2.TPM2BName, cc tpm2.TPMCC) error {
	if _, err := (tpm2.PolicyCommandCode{PolicySession: s.Handle(), Code: cc}).Execute(t); err != nil {
		return fmt.Errorf("PolicyCommandCode: %w", err)
	}
	_, err := tpm2.PolicyAuthorize{
		PolicySession:  s.Handle(),
		ApprovedPolicy: tpm2.TPM2BDigest{Buffer: p[:]},
		KeySign:        by,
		CheckTicket: tpm2.TPMTTKVerified{
			Tag:       tpm2.TPMSTVerified,
			Hierarchy: tpm2.TPMRHOwner,
			Digest:    tpm2.TPM2BDigest{Buffer: ticket},
		},
	}.Execute(t)
	if err != nil {
		return fmt.Errorf("PolicyAuthorize: %w", err)
	}
	return nil
}

func (g *generation) authority() tpm2.TPM2BName { return tpm2.TPM2BName{Buffer: g.box.Authority} }

// by is the index as what authorizes a command.
func (g *generation) by(s *wire.Session) tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: g.index.Handle, Name: g.index.Name, Auth: s}
}

// doom is how the ledger names the generation's index for removal.
func (g *generation) doom() doomedRecord {
	return doomedRecord{Handle: uint32(g.index.Handle), Policy: authorized(g.authority())}
}

// provision makes a PIN index of a new K, the random authorization and the
// approvals: a generation but for its metadata key. announce makes the ledger
// durable that names the index, before the TPM has it.
func provision(t transport.TPM, parent *srk, announce func(doomedRecord) error) (*generation, error) {
	handle, err := freeIndex(t)
	if err != nil {
		return nil, err
	}
	k, err := newAuthority()
	if err != nil {
		return nil, err
	}
	defer k.wipe()
	g := &generation{box: boxRecord{PIN: pinUnset, Authority: k.name.Buffer, Initial: randomAuth()}}
	authPolicy := authorized(k.name)
	g.index = tpm2.NamedHandle{Handle: handle, Name: indexName(handle, authPolicy, true)}
	if _, err := rand.Read(g.box.Salt[:]); err != nil {
		return nil, err
	}
	if err := announce(g.doom()); err != nil {
		return nil, err
	}
	if err := define(t, parent, handle, authPolicy, g.box.Initial); err != nil {
		return nil, err
	}
	tickets, err := k.approve(t, writePolicy(), changePolicy(g.index.Name), readPolicy(), provePolicy())
	if err != nil {
		return nil, err
	}
	g.box.Change, g.box.Read, g.box.Prove = tickets[1], tickets[2], tickets[3]
	return g, g.write(t, tickets[0], indexName(handle, authPolicy, false))
}

// define is TPM2_NV_DefineSpace (Part 3 §31.3), the authorization encrypted.
func define(t transport.TPM, parent *srk, handle tpm2.TPMHandle, authPolicy policy, auth []byte) error {
	cover, err := wire.StartHMAC(t, parent.salt())
	if err != nil {
		return err
	}
	defer cover.Wipe()
	cover.EncryptCommand()
	_, err = tpm2.NVDefineSpace{
		AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		Auth:       tpm2.TPM2BAuth{Buffer: auth},
		PublicInfo: tpm2.New2B(indexPublic(handle, authPolicy, false)),
	}.Execute(t, cover)
	if errors.Is(err, tpm2.TPMRCAttributes) {
		return unsupported("it has no PIN_FAIL indices", err)
	}
	if err != nil {
		return ownerRefusal(fmt.Errorf("NV_DefineSpace: %w", err))
	}
	return nil
}

// write sets count 0 and the limit. It is the only time that the index is written,
// and gives it its final Name.
func (g *generation) write(t transport.TPM, ticket []byte, unwritten tpm2.TPM2BName) error {
	s, err := g.approved(t, writePolicy(), ticket, tpm2.TPMCCNVWrite)
	if err != nil {
		return err
	}
	_, err = tpm2.NVWrite{
		AuthHandle: tpm2.AuthHandle{Handle: g.index.Handle, Name: unwritten, Auth: s},
		NVIndex:    tpm2.NamedHandle{Handle: g.index.Handle, Name: unwritten},
		Data:       tpm2.TPM2BMaxNVBuffer{Buffer: append(make([]byte, pinLimitOffset), limit()...)},
	}.Execute(t)
	if err != nil {
		return fmt.Errorf("NV_Write: %w", err)
	}
	return nil
}

// exists tells whether the index is in the TPM under the generation's Name.
func (g *generation) exists(t transport.TPM) error {
	rsp, err := tpm2.NVReadPublic{NVIndex: g.index.Handle}.Execute(t)
	if errors.Is(err, tpm2.TPMRCHandle) {
		return ended(err)
	}
	if err != nil {
		return fmt.Errorf("NV_ReadPublic: %w", err)
	}
	if name := nameOf(rsp.NVPublic.Bytes()); !bytes.Equal(name.Buffer, g.index.Name.Buffer) {
		return ended(errors.New("another index is at its place"))
	}
	return nil
}

// undefine removes a doomed index, if it is there and is ours.
func undefine(t transport.TPM, d doomedRecord) error {
	handle := tpm2.TPMHandle(d.Handle)
	rsp, err := tpm2.NVReadPublic{NVIndex: handle}.Execute(t)
	if errors.Is(err, tpm2.TPMRCHandle) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("NV_ReadPublic: %w", err)
	}
	name := nameOf(rsp.NVPublic.Bytes())
	if !bytes.Equal(name.Buffer, indexName(handle, d.Policy, false).Buffer) &&
		!bytes.Equal(name.Buffer, indexName(handle, d.Policy, true).Buffer) {
		return nil
	}
	_, err = tpm2.NVUndefineSpace{
		AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		NVIndex:    tpm2.NamedHandle{Handle: handle, Name: name},
	}.Execute(t)
	if err != nil {
		return ownerRefusal(fmt.Errorf("NV_UndefineSpace: %w", err))
	}
	return nil
}

// freeIndex gives the first free handle of our range.
func freeIndex(t transport.TPM) (tpm2.TPMHandle, error) {
	for from := firstIndex; ; {
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
		if next > lastIndex {
			return 0, ownerRefusal(tpm2.TPMRCNVSpace)
		}
		if int(next-from) < len(used.Handle) || !rsp.MoreData {
			return next, nil
		}
		from = next
	}
}

// prove starts a policy session that satisfies a presence-only key: the index of
// this generation exists and has its limit.
func (g *generation) prove(t transport.TPM, salt *wire.Salt) (*wire.Session, error) {
	reader, err := g.approved(t, provePolicy(), g.box.Prove, tpm2.TPMCCPolicyNV)
	if err != nil {
		return nil, err
	}
	s, err := wire.StartPolicy(t, salt)
	if err != nil {
		return nil, err
	}
	_, err = tpm2.PolicyNV{
		AuthHandle:    g.by(reader),
		NVIndex:       g.index,
		PolicySession: s.Handle(),
		OperandB:      tpm2.TPM2BOperand{Buffer: limit()},
		Offset:        pinLimitOffset,
		Operation:     tpm2.TPMEOEq,
	}.Execute(t)
	if errors.Is(err, tpm2.TPMRCHandle) || errors.Is(err, tpm2.TPMRCNVUninitialized) {
		return nil, ended(err)
	}
	if err != nil {
		return nil, fmt.Errorf("PolicyNV: %w", err)
	}
	return s, nil
}

// settled is g with the PIN in another state.
func (g *generation) settled(state pinState) *generation {
	next := *g
	next.box.PIN = state
	if state == pinSet {
		next.box.Initial = nil
	}
	return &next
}

// entry is the generation as the ledger keeps it.
func (g *generation) entry(parent *srk) (*currentRecord, error) {
	current := &currentRecord{ID: g.id, Handle: uint32(g.index.Handle), Sealed: g.sealed.encode()}
	if err := current.seal(parent.name.Buffer, g.metadata, &g.box); err != nil {
		return nil, err
	}
	return current, nil
}
