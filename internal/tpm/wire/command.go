package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// From the specification: Part 2 §6.5.2.
const (
	ccNVChangeAuth tpm2.TPMCC = 0x0000013B
	ccPolicyTicket tpm2.TPMCC = 0x00000172
)

// NVChangeAuth is the command code that a policy for changing an index's
// authorization names (Part 3 §31.15).
const NVChangeAuth = ccNVChangeAuth

// CommandPolicyTicket is PolicyTicket's command code, to tell whether a chip has it.
const CommandPolicyTicket = ccPolicyTicket

const headerBytes = 10 // of commands and of responses: tag, size, code

// ErrShort says that a structure is longer than the bytes that there are.
var ErrShort = errors.New("cut short")

// Ticket is what TPM2_PolicySecret gives for later: proof that the authorization
// was shown, for one policyRef and until Timeout.
type Ticket struct {
	Timeout []byte
	Proof   tpm2.TPMTTKAuth
}

// Wipe forgets the ticket.
func (t *Ticket) Wipe() {
	clear(t.Timeout)
	clear(t.Proof.Digest.Buffer)
}

// PolicyTicket is TPM2_PolicyTicket (Part 3 §23.5): it satisfies what the
// PolicySecret of the entity called name, with policyRef, would.
func PolicyTicket(t transport.TPM, policy tpm2.TPMHandle, ticket *Ticket, policyRef []byte, name tpm2.TPM2BName) error {
	params := join(
		tpm2.Marshal(tpm2.TPM2BTimeout{Buffer: ticket.Timeout}),
		tpm2.Marshal(tpm2.TPM2BDigest{}), // cpHashA
		tpm2.Marshal(tpm2.TPM2BNonce{Buffer: policyRef}),
		tpm2.Marshal(name),
		tpm2.Marshal(ticket.Proof),
	)
	defer clear(params)
	return run(t, ccPolicyTicket, tpm2.NamedHandle{Handle: policy, Name: tpm2.HandleName(policy)}, params)
}

// ChangeNVAuth is TPM2_NV_ChangeAuth (Part 3 §31.15). policy authorizes it, and
// cover, which must be salted, keeps the new authorization off the bus.
func ChangeNVAuth(t transport.TPM, index tpm2.NamedHandle, auth []byte, policy, cover *Session) error {
	cover.EncryptCommand()
	params := tpm2.Marshal(tpm2.TPM2BAuth{Buffer: auth})
	defer clear(params)
	return run(t, ccNVChangeAuth, index, params, policy, cover)
}

// run is what go-tpm's Execute does, for a command with one handle whose response
// has no parameters. The last session encrypts the first parameter if it says so.
func run(t transport.TPM, cc tpm2.TPMCC, handle tpm2.NamedHandle, params []byte, sessions ...*Session) error {
	names := []tpm2.TPM2BName{handle.Name}
	var decryptNonce []byte
	for i, s := range sessions {
		if err := s.NewNonceCaller(); err != nil {
			return err
		}
		if !s.IsDecryption() {
			continue
		}
		size := int(binary.BigEndian.Uint16(params))
		if err := s.Encrypt(params[2 : 2+size]); err != nil {
			return err
		}
		if i > 0 {
			decryptNonce = s.nonceTPM
		}
	}
	var auths []byte
	for i, s := range sessions {
		var more []byte
		if i == 0 {
			more = decryptNonce // Part 1 §17.6.5: the first session vouches for it.
		}
		auth, err := s.Authorize(cc, params, more, names, i)
		if err != nil {
			return err
		}
		auths = append(auths, tpm2.Marshal(*auth)...)
	}
	rsp, err := t.Send(command(cc, handle.Handle, auths, params))
	if err != nil {
		return err
	}
	return checkResponse(rsp, cc, names, sessions)
}

func command(cc tpm2.TPMCC, handle tpm2.TPMHandle, auths, params []byte) []byte {
	tag := tpm2.TPMSTNoSessions
	if len(auths) > 0 {
		tag = tpm2.TPMSTSessions
		auths = append(binary.BigEndian.AppendUint32(nil, uint32(len(auths))), auths...) //nolint:gosec // A few hundred bytes.
	}
	size := headerBytes + 4 + len(auths) + len(params)
	cmd := tpm2.Marshal(tpm2.TPMCmdHeader{Tag: tag, Length: uint32(size), CommandCode: cc}) //nolint:gosec // A few hundred bytes.
	cmd = binary.BigEndian.AppendUint32(cmd, uint32(handle))
	return append(append(cmd, auths...), params...)
}

// checkResponse checks a response without parameters: its code, its size and each
// session's HMAC.
func checkResponse(rsp []byte, cc tpm2.TPMCC, names []tpm2.TPM2BName, sessions []*Session) error {
	if len(rsp) < headerBytes || int(binary.BigEndian.Uint32(rsp[2:])) != len(rsp) {
		return ErrShort
	}
	if rc := tpm2.TPMRC(binary.BigEndian.Uint32(rsp[6:])); rc != tpm2.TPMRCSuccess {
		return rc
	}
	rest := rsp[headerBytes:]
	if len(sessions) > 0 {
		if len(rest) < 4 || binary.BigEndian.Uint32(rest) != 0 {
			return ErrShort
		}
		rest = rest[4:]
	}
	for i, s := range sessions {
		auth, tail, err := authResponse(rest)
		if err != nil {
			return err
		}
		if err := s.Validate(tpm2.TPMRCSuccess, cc, nil, names, i, auth); err != nil {
			return fmt.Errorf("session %d: %w", i, err)
		}
		rest = tail
	}
	if len(rest) != 0 {
		return fmt.Errorf("the TPM's response has %d bytes too many", len(rest))
	}
	return nil
}

// authResponse splits one TPMS_AUTH_RESPONSE off (Part 2 §10.13.3).
func authResponse(b []byte) (auth *tpm2.TPMSAuthResponse, rest []byte, err error) {
	nonce, rest, err := Sized(b)
	if err != nil {
		return nil, nil, err
	}
	if len(rest) < 1 {
		return nil, nil, ErrShort
	}
	attributes, err := tpm2.Unmarshal[tpm2.TPMASession](rest[:1])
	if err != nil {
		return nil, nil, err
	}
	mac, rest, err := Sized(rest[1:])
	if err != nil {
		return nil, nil, err
	}
	return &tpm2.TPMSAuthResponse{
		Nonce:         tpm2.TPM2BNonce{Buffer: nonce},
		Attributes:    *attributes,
		Authorization: tpm2.TPM2BData{Buffer: mac},
	}, rest, nil
}

// Sized splits one TPM2B off (Part 2 §10.4).
func Sized(b []byte) (content, rest []byte, err error) {
	if len(b) < 2 {
		return nil, nil, ErrShort
	}
	n := int(binary.BigEndian.Uint16(b))
	if len(b)-2 < n {
		return nil, nil, ErrShort
	}
	return b[2 : 2+n], b[2+n:], nil
}

func join(parts ...[]byte) []byte {
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}
