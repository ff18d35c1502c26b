// Package manufacturer makes software TPMs as a maker of TPMs would: with an endorsement
// certificate, signed by a CA of its own.
//
//	Make ──► swtpm_setup ──► swtpm_localca ──► root ─► issuer ─► certificate, in the TPM
//
// Tests alone import it. Its CAs vouch for software, and nobody else knows them.
//
// This package refuses to know what is proven with a certificate.
package manufacturer

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// CA is whoever vouches for a TPM, as PEM.
type CA struct {
	Root   []byte
	Issuer []byte // the root has signed it, and it the TPM's certificate
}

// Make puts a new TPM's state into dir, with a certificate for its RSA-2048 key, and one
// for a P-384 key, which nothing of ours uses. The CA is kept in work.
func Make(ctx context.Context, dir, work string) (*CA, error) {
	setup, err := exec.LookPath("swtpm_setup")
	if err != nil {
		return nil, fmt.Errorf("install the package swtpm-tools: %w", err)
	}
	localCA, err := exec.LookPath("swtpm_localca")
	if err != nil {
		return nil, fmt.Errorf("install the package swtpm-tools: %w", err)
	}
	in := func(name string) string { return filepath.Join(work, name) }
	for name, content := range map[string]string{
		"localca.conf": fmt.Sprintf("statedir = %s\nsigningkey = %s\nissuercert = %s\ncertserial = %s\n",
			work, in("signkey.pem"), in("issuercert.pem"), in("certserial")),
		"localca.options": "--platform-manufacturer Tests --platform-version 1 --platform-model None\n",
		"setup.conf": fmt.Sprintf("create_certs_tool = %s\ncreate_certs_tool_config = %s\ncreate_certs_tool_options = %s\nactive_pcr_banks = sha256\n",
			localCA, in("localca.conf"), in("localca.options")),
	} {
		if err := os.WriteFile(in(name), []byte(content), 0o600); err != nil {
			return nil, err
		}
	}
	//nolint:gosec // The program is found by its name in PATH; the paths are a test's own.
	said, err := exec.CommandContext(ctx, setup, "--tpm2", "--tpmstate", dir, "--config", in("setup.conf"), "--create-ek-cert").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("swtpm_setup: %w: %s", err, said)
	}
	ca := &CA{}
	if ca.Issuer, err = os.ReadFile(in("issuercert.pem")); err != nil {
		return nil, err
	}
	ca.Root, err = os.ReadFile(in("swtpm-localca-rootca-cert.pem"))
	return ca, err
}
