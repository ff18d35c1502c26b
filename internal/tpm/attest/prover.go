package attest

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/tpm/pinindex"
	"github.com/localpasskey/localpasskey/internal/tpm/problem"
	"github.com/localpasskey/localpasskey/internal/tpm/storage"
	"github.com/localpasskey/localpasskey/internal/tpm/wire"
)

// Prover proves where one key is.
type Prover struct {
	// Converse is one operation on a connection of its own.
	Converse func(ctx context.Context, f func(t transport.TPM) error) error
	SRK      *storage.SRK
	Key      storage.Blob
	Index    *pinindex.Index // that the key's policy names
}

// Identity is what can be said before anybody has asked for a proof. Others check it;
// nothing of it is secret, but the certificate is unlike every other machine's.
type Identity struct {
	Certificate    []byte   // of the endorsement key, DER
	Chain          [][]byte // certificates of who has signed it, DER; often none
	AttestationKey []byte   // TPMT_PUBLIC
	Key            []byte   // TPMT_PUBLIC of the key in question
	Index          []byte   // TPMS_NV_PUBLIC of the PIN index
	Authority      []byte   // the Name of K, which has approved what the index allows
}

// Challenge is what the other side wants to see.
type Challenge struct {
	Nonce  []byte // what is signed says it, so that it is of today
	Blob   []byte // TPMS_ID_OBJECT: a secret, for the TPM that has both keys
	Secret []byte // TPM2B_ENCRYPTED_SECRET's content: what the secret is encrypted with
}

// Answer is what the TPM says to a challenge.
type Answer struct {
	Secret []byte
	Key    Statement
	Limit  *Statement // nil where the TPM does not say it: it has an owner password, or not the command
}

// Statement is a TPMS_ATTEST and the attestation key's TPMT_SIGNATURE of it.
type Statement struct {
	Attest, Signature []byte
}

// Identity reads the certificates and makes the attestation key.
func (p *Prover) Identity(ctx context.Context) (id *Identity, err error) {
	id = &Identity{
		Key:       p.Key.Public(),
		Index:     tpm2.Marshal(pinindex.Public(p.Index.Handle, p.Index.Doom().Policy, true)),
		Authority: p.Index.Approvals.Authority,
	}
	err = p.Converse(ctx, func(t transport.TPM) error {
		e, err := findEndorsement(t)
		if err != nil {
			return err
		}
		id.Certificate = e.certificate
		if id.Chain, err = readChain(t); err != nil {
			return err
		}
		made, err := primary(t, Key())
		if err != nil {
			return err
		}
		id.AttestationKey = made.OutPublic.Bytes()
		return nil
	})
	return id, err
}

// Answer has the TPM give the challenge's secret away and certify the key.
func (p *Prover) Answer(ctx context.Context, c Challenge) (a *Answer, err error) {
	a = &Answer{}
	err = p.Converse(ctx, func(t transport.TPM) error {
		e, err := findEndorsement(t)
		if err != nil {
			return err
		}
		ek, err := primary(t, e.template)
		if err != nil {
			return err
		}
		made, err := primary(t, Key())
		if err != nil {
			return err
		}
		by := tpm2.AuthHandle{Handle: made.ObjectHandle, Name: made.Name, Auth: tpm2.PasswordAuth(nil)}
		if a.Secret, err = activate(t, by, ek, c); err != nil {
			return err
		}
		// The resource manager swaps what is loaded around every command.
		if _, err := (tpm2.FlushContext{FlushHandle: ek.ObjectHandle}).Execute(t); err != nil {
			return fmt.Errorf("FlushContext: %w", err)
		}
		if a.Key, err = p.certify(t, by, c.Nonce); err != nil {
			return err
		}
		a.Limit, err = p.certifyLimit(t, by, c.Nonce)
		return err
	})
	return a, err
}

// primary makes a key of the endorsement hierarchy: TPM2_CreatePrimary (§24.1).
func primary(t transport.TPM, template tpm2.TPMTPublic) (*tpm2.CreatePrimaryResponse, error) {
	rsp, err := tpm2.CreatePrimary{
		PrimaryHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHEndorsement, Auth: tpm2.PasswordAuth(nil)},
		InPublic:      tpm2.New2B(template),
	}.Execute(t)
	if err != nil {
		return nil, endorsementRefusal(fmt.Errorf("CreatePrimary: %w", err))
	}
	return rsp, nil
}

// activate is TPM2_ActivateCredential (§12.5): the secret, if the TPM has the endorsement
// key that it is encrypted to, and the attestation key whose Name was encrypted with it.
func activate(t transport.TPM, key tpm2.AuthHandle, ek *tpm2.CreatePrimaryResponse, c Challenge) ([]byte, error) {
	s, err := wire.StartPolicy(t, nil)
	if err != nil {
		return nil, err
	}
	_, err = tpm2.PolicySecret{
		AuthHandle:    tpm2.AuthHandle{Handle: tpm2.TPMRHEndorsement, Auth: tpm2.PasswordAuth(nil)},
		PolicySession: s.Handle(),
		NonceTPM:      s.NonceTPM(),
	}.Execute(t)
	if err != nil {
		return nil, endorsementRefusal(fmt.Errorf("PolicySecret: %w", err))
	}
	rsp, err := tpm2.ActivateCredential{
		ActivateHandle: key,
		KeyHandle:      tpm2.AuthHandle{Handle: ek.ObjectHandle, Name: ek.Name, Auth: s},
		CredentialBlob: tpm2.TPM2BIDObject{Buffer: c.Blob},
		Secret:         tpm2.TPM2BEncryptedSecret{Buffer: c.Secret},
	}.Execute(t)
	if notOurs(err) {
		return nil, &ctap.Problem{
			Status: ctap.InvalidParameter,
			What:   "this challenge was not made for this machine, or was changed on its way",
			Hint:   "begin anew: `localpasskey prove start`",
			Cause:  fmt.Errorf("ActivateCredential: %w", err),
		}
	}
	if err != nil {
		return nil, fmt.Errorf("ActivateCredential: %w", err)
	}
	return rsp.CertInfo.Buffer, nil
}

// notOurs tells whether a TPM has refused the parameters of a command. What was encrypted
// to another RSA key makes libtpms 0.9 answer TPM_RC_FAILURE, and go on working.
func notOurs(err error) bool {
	if errors.Is(err, tpm2.TPMRCFailure) {
		return true
	}
	refusal, ok := errors.AsType[tpm2.TPMFmt1Error](err)
	if !ok {
		return false
	}
	parameter, _ := refusal.Parameter()
	return parameter
}

// certify is TPM2_Certify (§18.2) of the key in question. It needs that key's ADMIN role,
// which is its authValue, and that is empty: adminWithPolicy is clear.
func (p *Prover) certify(t transport.TPM, by tpm2.AuthHandle, nonce []byte) (Statement, error) {
	key, err := p.Key.Load(t, p.SRK)
	if err != nil {
		return Statement{}, err
	}
	rsp, err := tpm2.Certify{
		ObjectHandle:   tpm2.AuthHandle{Handle: key.Handle, Name: key.Name, Auth: tpm2.PasswordAuth(nil)},
		SignHandle:     by,
		QualifyingData: tpm2.TPM2BData{Buffer: nonce},
		InScheme:       tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgNull},
	}.Execute(t)
	if err != nil {
		return Statement{}, fmt.Errorf("TPM2_Certify: %w", err)
	}
	return Statement{Attest: rsp.CertifyInfo.Bytes(), Signature: tpm2.Marshal(rsp.Signature)}, nil
}

// certifyLimit is TPM2_NV_Certify (§31.16) of the limit alone: how many tries are left is
// nobody's business. K has approved no reading by this command, so it is the owner's
// authorization that reads, and where that was set there is no statement.
func (p *Prover) certifyLimit(t transport.TPM, by tpm2.AuthHandle, nonce []byte) (*Statement, error) {
	rsp, err := tpm2.NVCertify{
		SignHandle:     by,
		AuthHandle:     tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		NVIndex:        p.Index.NamedHandle,
		QualifyingData: tpm2.TPM2BData{Buffer: nonce},
		InScheme:       tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgNull},
		Size:           uint16(len(pinindex.Limit())), //nolint:gosec // Four.
		Offset:         pinindex.LimitOffset,
	}.Execute(t)
	if errors.Is(err, tpm2.TPMRCBadAuth) || errors.Is(err, tpm2.TPMRCAuthFail) || errors.Is(err, tpm2.TPMRCCommandCode) {
		return nil, nil //nolint:nilnil // None is an answer.
	}
	if errors.Is(err, tpm2.TPMRCHandle) || errors.Is(err, tpm2.TPMRCNVUninitialized) {
		return nil, problem.Ended(err)
	}
	if err != nil {
		return nil, fmt.Errorf("NV_Certify: %w", err)
	}
	return &Statement{Attest: rsp.CertifyInfo.Bytes(), Signature: tpm2.Marshal(rsp.Signature)}, nil
}

// endorsementRefusal explains what the endorsement hierarchy answers.
func endorsementRefusal(err error) error {
	if !errors.Is(err, tpm2.TPMRCBadAuth) && !errors.Is(err, tpm2.TPMRCAuthFail) && !errors.Is(err, tpm2.TPMRCHierarchy) {
		return err
	}
	return &ctap.Problem{
		Status: ctap.NotAllowed,
		What:   "somebody has set a password on this TPM's endorsement keys, or switched them off",
		Hint:   "remove it while the proof is made (tpm2_changeauth -c endorsement -p PASSWORD), then set it again",
		Cause:  err,
	}
}
