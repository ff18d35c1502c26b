package pinindex

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/tpm/policy"
	"github.com/localpasskey/localpasskey/internal/tpm/problem"
	"github.com/localpasskey/localpasskey/internal/tpm/wire"
)

// Show shows the index's authorization, which cover has, to the policy session s:
// TPM2_PolicySecret (Part 3 §23.4). With a lifetime it gives a ticket for ref, and the
// policy holds as long. The time runs from when the session began, which may be long
// ago: a person was asked meanwhile. It does so only with the session's nonce; without
// one it would run from when the TPM was started, and be over on any machine that has
// been up for longer.
func (x *Index) Show(t transport.TPM, s, cover *wire.Session, ref []byte, lifetime time.Duration) (*wire.Ticket, error) {
	rsp, err := tpm2.PolicySecret{
		AuthHandle:    x.by(cover),
		PolicySession: s.Handle(),
		NonceTPM:      s.NonceTPM(),
		PolicyRef:     tpm2.TPM2BNonce{Buffer: ref},
		Expiration:    expiration(s.Age(), lifetime),
	}.Execute(t)
	if err != nil {
		return nil, x.refusal(t, err)
	}
	return &wire.Ticket{Timeout: rsp.Timeout.Buffer, Proof: rsp.PolicyTicket}, nil
}

// expiration is what has passed and what is to come, in whole seconds; negative, to
// get a ticket. Without a lifetime there is neither end nor ticket.
func expiration(age, lifetime time.Duration) int32 {
	if lifetime == 0 {
		return 0
	}
	return -int32((age + lifetime) / time.Second) //nolint:gosec // prompts are open for minutes
}

// refusal tells a wrong PIN from everything else that PolicySecret may answer.
func (x *Index) refusal(t transport.TPM, err error) error {
	switch {
	case errors.Is(err, tpm2.TPMRCAuthUnavailable): // Locked, or redefined and so never written.
		if _, err := x.Retries(t); err != nil {
			return err
		}
		return &authenticator.WrongPIN{Retries: 0}
	case errors.Is(err, tpm2.TPMRCBadAuth), errors.Is(err, tpm2.TPMRCAuthFail):
		wrong := &authenticator.WrongPIN{Retries: Attempts}
		if left, err := x.Retries(t); err == nil {
			wrong.Retries = left
		}
		return wrong // also where the number is not known: the try was counted
	case errors.Is(err, tpm2.TPMRCHandle):
		return problem.Ended(err)
	default:
		return fmt.Errorf("PolicySecret: %w", err)
	}
}

// Change is TPM2_NV_ChangeAuth under what K approved for it: PolicySecret of the
// index itself. One salted session shows the old authorization and then covers the
// new one. It wipes old.
func (x *Index) Change(t transport.TPM, salt *wire.Salt, old, next []byte) error {
	cover, err := wire.StartHMAC(t, salt)
	if err != nil {
		return err
	}
	defer cover.Wipe()
	s, err := wire.StartPolicy(t, nil)
	if err != nil {
		return err
	}
	cover.Keep()
	cover.SetAuth(old)
	if _, err := x.Show(t, s, cover, nil, 0); err != nil {
		return err
	}
	p := changePolicy(x.Name)
	if err := authorize(t, s, p, x.Approvals.Change, x.authority(), wire.NVChangeAuth); err != nil {
		return err
	}
	cover.SetAuth(nil)
	cover.End()
	if err := wire.ChangeNVAuth(t, x.NamedHandle, next, s, cover); err != nil {
		return fmt.Errorf("NV_ChangeAuth: %w", err)
	}
	return nil
}

// Retries is how many attempts are left. It reads the index: with the owner's empty
// authorization, which is one command, or where somebody has set it, by K's approval.
func (x *Index) Retries(t transport.TPM) (int, error) {
	read := tpm2.NVRead{
		AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		NVIndex:    x.NamedHandle,
		Size:       counterBytes,
	}
	rsp, err := read.Execute(t)
	if errors.Is(err, tpm2.TPMRCBadAuth) || errors.Is(err, tpm2.TPMRCAuthFail) {
		var s *wire.Session
		if s, err = x.approved(t, readPolicy(), x.Approvals.Read, tpm2.TPMCCNVRead); err != nil {
			return 0, err
		}
		read.AuthHandle = x.by(s)
		rsp, err = read.Execute(t)
	}
	switch {
	case errors.Is(err, tpm2.TPMRCHandle), errors.Is(err, tpm2.TPMRCNVUninitialized):
		return 0, problem.Ended(err)
	case err != nil:
		return 0, fmt.Errorf("NV_Read: %w", err)
	case len(rsp.Data.Buffer) != counterBytes:
		return 0, fmt.Errorf("NV_Read: %d bytes", len(rsp.Data.Buffer))
	}
	used := binary.BigEndian.Uint32(rsp.Data.Buffer)
	return max(0, Attempts-int(min(used, Attempts))), nil
}

// Prove starts a policy session that satisfies a presence-only key: the index
// exists and has its limit.
func (x *Index) Prove(t transport.TPM, salt *wire.Salt) (*wire.Session, error) {
	reader, err := x.approved(t, provePolicy(), x.Approvals.Prove, tpm2.TPMCCPolicyNV)
	if err != nil {
		return nil, err
	}
	s, err := wire.StartPolicy(t, salt)
	if err != nil {
		return nil, err
	}
	_, err = tpm2.PolicyNV{
		AuthHandle:    x.by(reader),
		NVIndex:       x.NamedHandle,
		PolicySession: s.Handle(),
		OperandB:      tpm2.TPM2BOperand{Buffer: Limit()},
		Offset:        LimitOffset,
		Operation:     tpm2.TPMEOEq,
	}.Execute(t)
	if errors.Is(err, tpm2.TPMRCHandle) || errors.Is(err, tpm2.TPMRCNVUninitialized) {
		return nil, problem.Ended(err)
	}
	if err != nil {
		return nil, fmt.Errorf("PolicyNV: %w", err)
	}
	return s, nil
}

// approved starts a policy session that satisfies what K approved: p, which is for
// the command cc, and the ticket for it. A TPM that does not know the ticket any
// more has been cleared: tickets are made with a secret of the owner hierarchy.
func (x *Index) approved(t transport.TPM, p policy.Digest, ticket []byte, cc tpm2.TPMCC) (*wire.Session, error) {
	s, err := wire.StartPolicy(t, nil)
	if err != nil {
		return nil, err
	}
	err = authorize(t, s, p, ticket, x.authority(), cc)
	if errors.Is(err, tpm2.TPMRCValue) || errors.Is(err, tpm2.TPMRCTicket) {
		return nil, problem.Foreign("it does not know its own approval", err)
	}
	return s, err
}

// by is the index as what authorizes a command.
func (x *Index) by(s *wire.Session) tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: x.Handle, Name: x.Name, Auth: s}
}
