//go:build linux

package faults

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// tpmFault is what happens to one command. Where late, the TPM has carried it out.
type tpmFault struct {
	name   string
	late   bool
	answer func(w *world, response []byte) ([]byte, error)
	want   []ctap.Status // what the request may be answered
}

// silence is a TPM that says nothing until the kernel gives it up, and the platform has
// cancelled by then.
const silence = "silence, and the platform cancels"

// refusal is the answer of a TPM that does not carry a command out.
func refusal(rc tpm2.TPMRC) func(*world, []byte) ([]byte, error) {
	return func(*world, []byte) ([]byte, error) {
		return tpm2.Marshal(tpm2.TPMRspHeader{Tag: tpm2.TPMSTNoSessions, Length: 10, ResponseCode: rc}), nil
	}
}

func deviceError(err error) func(*world, []byte) ([]byte, error) {
	return func(*world, []byte) ([]byte, error) {
		return nil, &fs.PathError{Op: "read", Path: "/dev/tpmrm0", Err: err}
	}
}

func tpmFaults() []tpmFault {
	served, failed := []ctap.Status{ctap.StatusOK}, []ctap.Status{ctap.Other}
	all := []tpmFault{
		{"out of reach", false, deviceError(syscall.EBUSY), failed},
		{"an answer that is lost", true, deviceError(syscall.ETIME), failed},
		{"I/O error", true, deviceError(syscall.EIO), failed},
		{"the device goes", false, func(w *world, _ []byte) ([]byte, error) {
			w.line.goes()
			return deviceError(syscall.ENODEV)(w, nil)
		}, failed},
		{"the device goes with the answer", true, func(w *world, _ []byte) ([]byte, error) {
			w.line.goes()
			return deviceError(syscall.EPIPE)(w, nil)
		}, failed},
		{silence, true, deviceError(syscall.ETIME), []ctap.Status{ctap.KeepaliveCancel, ctap.Other}},
		{"an answer cut short", true, func(_ *world, response []byte) ([]byte, error) {
			return response[:len(response)-1-len(response)/3], nil
		}, failed},
		{"no answer at all", true, func(*world, []byte) ([]byte, error) { return nil, nil }, failed},
		{"noise", true, func(w *world, response []byte) ([]byte, error) {
			for i := range response {
				response[i] = byte(w.next*31 + i*7)
			}
			return response, nil
		}, failed},
	}
	for _, rc := range []tpm2.TPMRC{
		tpm2.TPMRCRetry, tpm2.TPMRCYielded, tpm2.TPMRCTesting, tpm2.TPMRCNVRate,
		tpm2.TPMRCMemory, tpm2.TPMRCObjectMemory, tpm2.TPMRCSessionMemory,
	} {
		all = append(all, tpmFault{rc.Error(), false, refusal(rc), served})
	}
	for _, rc := range []tpm2.TPMRC{tpm2.TPMRCFailure, tpm2.TPMRCLockout, tpm2.TPMRCInitialize} {
		all = append(all, tpmFault{rc.Error(), false, refusal(rc), failed})
	}
	return all
}

// meets runs the operation with the fault at its nth command and gives its answer.
func (w *world) meets(f tpmFault, o operation, n int) error {
	ctx, cancel := context.WithCancel(w.Context())
	defer cancel()
	seen := 0
	w.line.meddles(func(send func() ([]byte, error)) ([]byte, error) {
		if seen++; seen != n {
			return send()
		}
		w.struck = w.line.command()
		var response []byte
		if f.late {
			var err error
			if response, err = send(); err != nil {
				return nil, err
			}
		}
		if f.name == silence {
			cancel()
		}
		return f.answer(w, response)
	})
	err := o.run(ctx, w)
	w.line.meddles(nil)
	return err
}

// answered checks the answer to a request that has met the fault. However the TPM refuses
// the question whether it has P-384, that is a no and hinders nobody.
func (w *world) answered(f tpmFault, err error, when string) {
	w.Helper()
	if asks := w.struck == tpm2.TPMCCTestParms; !slices.Contains(f.want, ctap.StatusOf(err)) && (err != nil || !asks) {
		w.Errorf("%s: %v, want %v", when, err, f.want)
	}
}

// TestTPMFaults lets the TPM fail in every way at each command of each operation.
func TestTPMFaults(t *testing.T) {
	w := populated(t, inTempDir(t))
	random := rand.New(rand.NewPCG(1, 2)) // the same moments every time
	type moment struct {
		o operation
		n int
		f tpmFault
	}
	var moments []moment
	for _, o := range operations() {
		before := w.line.count()
		check(t, o.run(t.Context(), w))
		for n := range w.line.count() - before {
			for _, f := range tpmFaults() {
				moments = append(moments, moment{o, n + 1, f})
			}
		}
	}
	random.Shuffle(len(moments), func(i, j int) { moments[i], moments[j] = moments[j], moments[i] })
	t.Logf("%d moments of %d operations, %d faults", len(moments), len(operations()), len(tpmFaults()))
	for round := range rounds(60) {
		m := moments[round%len(moments)]
		w.rounds++
		when := fmt.Sprintf("round %d: %s, command %d, %s", round, m.o.name, m.n, m.f.name)
		err := w.meets(m.f, m.o, m.n)
		w.saw(err)
		w.answered(m.f, err, when)
		if err == nil {
			w.acknowledged++
		} else if s := w.status(); s.PINRetries != allTries {
			t.Errorf("%s: %d tries left, and nobody has typed a wrong PIN", when, s.PINRetries)
		}
		if err != nil && m.o.after != nil {
			m.o.after(w)
		}
		check(t, m.o.run(t.Context(), w))
		w.acknowledged++
		w.verify(when)
		if t.Failed() {
			break
		}
	}
	w.verifyTrail("at the end")
	w.log(t, "TPM fails")
}
