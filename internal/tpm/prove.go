package tpm

import (
	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/tpm/attest"
)

// Prover proves to others that key is in this TPM and what it demands.
func (m *Machine) Prover(key *authenticator.Key) (*attest.Prover, error) {
	g := m.generation()
	b, err := g.unwrap(key)
	if err != nil {
		return nil, err
	}
	return &attest.Prover{Converse: m.converse, SRK: m.srk, Key: b, Index: g.index}, nil
}
