// Package health says what state a TPM is in: who made it, what it lacks, what somebody
// has set on it.
//
//	TPM ──► Look ──► chip.Report ──► a client, which draws conclusions
//
// It only reads. A look changes nothing in the chip, needs no password, and can be taken
// while passkeys are in use.
//
// It refuses to know whether there is a store, and what any of it means for a person.
package health

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/chip"
	"github.com/localpasskey/localpasskey/internal/tpm/problem"
	"github.com/localpasskey/localpasskey/internal/tpm/storage"
	"github.com/localpasskey/localpasskey/internal/tpm/wire"
)

// From the specification: TPMA_PERMANENT (Part 2 §8.6).
const (
	ownerAuthSet   = 1 << 0
	lockoutAuthSet = 1 << 2
	inLockout      = 1 << 9
)

// From the specification: TPM2_GetTestResult (Part 3 §10.4), which go-tpm lacks.
const ccGetTestResult tpm2.TPMCC = 0x0000017C

// maxCommands is more than any chip has, and fits a response of 4096 bytes.
const maxCommands = 1000

// Look asks the TPM that open opens for a report. What stands in the way is in the
// report; an error is ctx's.
func Look(ctx context.Context, open func(context.Context) (transport.TPMCloser, error)) (*chip.Report, error) {
	r, err := look(ctx, open)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err == nil:
		return r, nil
	}
	p, ok := errors.AsType[*ctap.Problem](problem.Explain(err))
	if !ok {
		p = &ctap.Problem{What: "the TPM answers with an error", Hint: "restart the machine; if it stays so, look at its firmware's TPM settings", Cause: err}
	}
	return &chip.Report{Problem: p}, nil
}

func look(ctx context.Context, open func(context.Context) (transport.TPMCloser, error)) (*chip.Report, error) {
	conn, err := open(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // It was read from alone.
	t := wire.Patient(ctx, conn)
	d, err := Describe(t)
	if err != nil {
		return nil, err
	}
	r := &chip.Report{Manufacturer: d.Manufacturer, Model: d.Model, Firmware: d.Firmware, Revision: d.Revision}
	if r.SelfTest, err = selfTest(t); err != nil {
		return nil, err
	}
	if r.SelfTest != 0 && r.SelfTest != chip.SelfTestNeeded && r.SelfTest != chip.SelfTestRunning {
		return r, nil // It answers nothing else any more (Part 1 §12.3).
	}
	if r.Missing, err = missing(t); err != nil {
		return nil, err
	}
	values, err := properties(t, uint32(tpm2.TPMPTPermanent), 1)
	if err != nil {
		return nil, err
	}
	permanent := values[tpm2.TPMPTPermanent]
	r.OwnerAuth = permanent&ownerAuthSet != 0
	r.LockoutAuth = permanent&lockoutAuthSet != 0
	r.InLockout = permanent&inLockout != 0
	return r, storageKey(t, r)
}

// selfTest gives the response code of the last self test: TPM2_GetTestResult.
func selfTest(t transport.TPM) (uint32, error) {
	const headerBytes, codeBytes = 10, 4
	rsp, err := t.Send(tpm2.Marshal(tpm2.TPMCmdHeader{Tag: tpm2.TPMSTNoSessions, Length: headerBytes, CommandCode: ccGetTestResult}))
	if err != nil {
		return 0, fmt.Errorf("GetTestResult: %w", err)
	}
	if len(rsp) < headerBytes || int(binary.BigEndian.Uint32(rsp[2:])) != len(rsp) {
		return 0, fmt.Errorf("GetTestResult: %w", wire.ErrShort)
	}
	if rc := tpm2.TPMRC(binary.BigEndian.Uint32(rsp[6:])); rc != tpm2.TPMRCSuccess {
		return 0, fmt.Errorf("GetTestResult: %w", rc)
	}
	if len(rsp) < headerBytes+2+codeBytes { // outData, which is the vendor's, comes first
		return 0, fmt.Errorf("GetTestResult: %w", wire.ErrShort)
	}
	return binary.BigEndian.Uint32(rsp[len(rsp)-codeBytes:]), nil
}

// needed are the commands without which nothing works. CreateLoaded can be done without.
func needed() map[tpm2.TPMCC]string {
	return map[tpm2.TPMCC]string{
		tpm2.TPMCCNVDefineSpace:    "NV_DefineSpace",
		wire.NVChangeAuth:          "NV_ChangeAuth",
		tpm2.TPMCCPolicyAuthorize:  "PolicyAuthorize",
		tpm2.TPMCCPolicyNV:         "PolicyNV",
		tpm2.TPMCCPolicySecret:     "PolicySecret",
		wire.CommandPolicyTicket:   "PolicyTicket",
		tpm2.TPMCCStartAuthSession: "StartAuthSession",
	}
}

// missing tells which of the needed commands the chip has not, in order of their codes.
func missing(t transport.TPM) ([]string, error) {
	rsp, err := tpm2.GetCapability{Capability: tpm2.TPMCapCommands, PropertyCount: maxCommands}.Execute(t)
	if err != nil {
		return nil, fmt.Errorf("listing the commands: %w", err)
	}
	list, err := rsp.CapabilityData.Data.Command()
	if err != nil {
		return nil, fmt.Errorf("listing the commands: %w", err)
	}
	lacking := needed()
	for _, a := range list.CommandAttributes {
		if !a.V {
			delete(lacking, tpm2.TPMCC(a.CommandIndex))
		}
	}
	var names []string
	for _, cc := range slices.Sorted(maps.Keys(lacking)) {
		names = append(names, lacking[cc])
	}
	return names, nil
}

// storageKey looks at what is where the storage key belongs.
func storageKey(t transport.TPM, r *chip.Report) error {
	found, err := storage.Find(t)
	if err != nil || found == nil {
		return err
	}
	r.StorageKey = chip.StorageUsable
	if p, ok := errors.AsType[*ctap.Problem](found.Suitable()); ok {
		r.StorageKey, r.StorageProblem = chip.StorageUnusable, p.What
	}
	return nil
}
