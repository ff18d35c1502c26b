package wire

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// Ours: 16 bytes of nonce, the least that Part 1 §17.6.1 recommends, and AES-128,
// the only parameter encryption that every TPM has.
const (
	nonceBytes = 16
	aesBits    = 128
)

// errResponse says that a response cannot have come from the TPM that the session
// was started with.
var errResponse = errors.New("the TPM's response is not authentic")

// Salt is the key that a session's secret is encrypted to: a storage key whose
// public area is trusted, for instance because its name was pinned.
type Salt struct {
	Handle tpm2.TPMHandle
	Public tpm2.TPMTPublic
}

// Session is one session of the TPM, already started. It implements tpm2.Session
// and ends with the next command that it authorizes, unless Keep is called.
type Session struct {
	handle      tpm2.TPMHandle
	attributes  tpm2.TPMASession
	key         []byte // session key, empty when unsalted (Part 1 §17.6.10)
	auth        []byte // authValue of what the session authorizes
	nonceCaller []byte
	nonceTPM    []byte
	started     time.Time // a little before the TPM's own start of the session
}

// StartPolicy starts a policy session. With a salt its HMACs are computed and
// checked, and it can encrypt parameters; without one it has no secret at all.
func StartPolicy(t transport.TPM, salt *Salt) (*Session, error) {
	return start(t, tpm2.TPMSEPolicy, salt)
}

// StartHMAC starts a salted HMAC session: what it authorizes with (SetAuth) does
// not cross the bus.
func StartHMAC(t transport.TPM, salt *Salt) (*Session, error) {
	return start(t, tpm2.TPMSEHMAC, salt)
}

// start is TPM2_StartAuthSession (Part 3 §11.1).
func start(t transport.TPM, kind tpm2.TPMSE, salt *Salt) (*Session, error) {
	s := &Session{nonceCaller: make([]byte, nonceBytes), started: time.Now()}
	if err := s.NewNonceCaller(); err != nil {
		return nil, err
	}
	cmd := tpm2.StartAuthSession{
		TPMKey:      tpm2.TPMRHNull,
		Bind:        tpm2.TPMRHNull,
		NonceCaller: tpm2.TPM2BNonce{Buffer: s.nonceCaller},
		SessionType: kind,
		Symmetric:   tpm2.TPMTSymDef{Algorithm: tpm2.TPMAlgNull},
		AuthHash:    tpm2.TPMAlgSHA256,
	}
	var seed []byte
	if salt != nil {
		to, err := tpm2.ImportEncapsulationKey(&salt.Public)
		if err != nil {
			return nil, fmt.Errorf("salting a session: %w", err)
		}
		var encrypted []byte
		if seed, encrypted, err = tpm2.CreateEncryptedSalt(rand.Reader, to); err != nil {
			return nil, fmt.Errorf("salting a session: %w", err)
		}
		cmd.TPMKey = salt.Handle
		cmd.EncryptedSalt = tpm2.TPM2BEncryptedSecret{Buffer: encrypted}
		cmd.Symmetric = tpm2.TPMTSymDef{
			Algorithm: tpm2.TPMAlgAES,
			KeyBits:   tpm2.NewTPMUSymKeyBits(tpm2.TPMAlgAES, tpm2.TPMKeyBits(aesBits)),
			Mode:      tpm2.NewTPMUSymMode(tpm2.TPMAlgAES, tpm2.TPMAlgCFB),
		}
	}
	rsp, err := cmd.Execute(t)
	if err != nil {
		return nil, fmt.Errorf("StartAuthSession: %w", err)
	}
	s.handle = tpm2.TPMHandle(rsp.SessionHandle.HandleValue())
	s.nonceTPM = rsp.NonceTPM.Buffer
	if salt != nil {
		s.key = tpm2.KDFa(crypto.SHA256, seed, "ATH", s.nonceTPM, s.nonceCaller, sha256.Size*8)
		clear(seed)
	}
	return s, nil
}

// SetAuth sets the authValue of the entity that the next command authorizes; the
// session keeps the slice until Wipe. It must not end in a zero byte.
func (s *Session) SetAuth(auth []byte) { s.auth = auth }

// Keep lets the session live through the next command; End takes that back.
func (s *Session) Keep() { s.attributes.ContinueSession = true }

// End makes the session end with the next command.
func (s *Session) End() { s.attributes.ContinueSession = false }

// EncryptCommand encrypts the first parameter of the next commands on their way in.
func (s *Session) EncryptCommand() { s.attributes.Decrypt = true }

// EncryptResponse has the TPM encrypt the first parameter of the next responses.
func (s *Session) EncryptResponse() { s.attributes.Encrypt = true }

// Wipe forgets the session's secrets.
func (s *Session) Wipe() {
	clear(s.key)
	clear(s.auth)
	s.auth = nil
}

// Init does nothing: the session has been started.
func (s *Session) Init(transport.TPM) error { return nil }

// CleanupFailure does nothing: a refused command leaves the session as it was, and
// closing the connection ends it.
func (s *Session) CleanupFailure(transport.TPM) error { return nil }

// Age is how long ago the session was started.
func (s *Session) Age() time.Duration { return time.Since(s.started) }

// NonceTPM is the TPM's latest nonce.
func (s *Session) NonceTPM() tpm2.TPM2BNonce { return tpm2.TPM2BNonce{Buffer: s.nonceTPM} }

// NewNonceCaller draws our next nonce.
func (s *Session) NewNonceCaller() error {
	_, err := rand.Read(s.nonceCaller)
	return err
}

// IsEncryption tells whether the session encrypts responses.
func (s *Session) IsEncryption() bool { return s.attributes.Encrypt }

// IsDecryption tells whether the session encrypts commands.
func (s *Session) IsDecryption() bool { return s.attributes.Decrypt }

// Handle is the session's handle.
func (s *Session) Handle() tpm2.TPMHandle { return s.handle }

// Authorize makes the session's part of a command (Part 1 §17.6.5).
func (s *Session) Authorize(cc tpm2.TPMCC, parms, addNonces []byte, names []tpm2.TPM2BName, _ int) (*tpm2.TPMSAuthCommand, error) {
	hash := sha256.New()
	hash.Write(binary.BigEndian.AppendUint32(nil, uint32(cc)))
	for _, name := range names {
		hash.Write(name.Buffer)
	}
	hash.Write(parms)
	return &tpm2.TPMSAuthCommand{
		Handle:     s.handle,
		Nonce:      tpm2.TPM2BNonce{Buffer: s.nonceCaller},
		Attributes: s.attributes,
		Authorization: tpm2.TPM2BData{
			Buffer: s.mac(hash.Sum(nil), s.nonceCaller, s.nonceTPM, addNonces, s.attributes),
		},
	}, nil
}

// Validate checks the session's part of a response (Part 1 §17.6.5).
func (s *Session) Validate(rc tpm2.TPMRC, cc tpm2.TPMCC, parms []byte, _ []tpm2.TPM2BName, _ int, auth *tpm2.TPMSAuthResponse) error {
	hash := sha256.New()
	hash.Write(binary.BigEndian.AppendUint32(nil, uint32(rc)))
	hash.Write(binary.BigEndian.AppendUint32(nil, uint32(cc)))
	hash.Write(parms)
	want := s.mac(hash.Sum(nil), auth.Nonce.Buffer, s.nonceCaller, nil, auth.Attributes)
	if !hmac.Equal(want, auth.Authorization.Buffer) {
		return errResponse
	}
	s.nonceTPM = auth.Nonce.Buffer
	return nil
}

// mac is the HMAC of both directions. A session without any secret has an empty
// one: a plain policy session, which is what its policy proves and no more.
func (s *Session) mac(hash, newer, older, more []byte, attributes tpm2.TPMASession) []byte {
	if len(s.key)+len(s.auth) == 0 {
		return nil
	}
	key := s.secret()
	defer clear(key)
	mac := hmac.New(sha256.New, key)
	mac.Write(hash)
	mac.Write(newer)
	mac.Write(older)
	mac.Write(more)
	mac.Write(tpm2.Marshal(attributes))
	return mac.Sum(nil)
}

// secret is sessionKey ‖ authValue. The callers wipe it.
func (s *Session) secret() []byte {
	return append(append(make([]byte, 0, len(s.key)+len(s.auth)), s.key...), s.auth...)
}

// Encrypt encrypts a command's first parameter in place (Part 1 §19.3).
func (s *Session) Encrypt(parameter []byte) error {
	block, iv, err := s.cfb(s.nonceCaller, s.nonceTPM)
	if err != nil {
		return err
	}
	//nolint:staticcheck // CFB is what the TPM speaks; the session's HMAC authenticates it.
	cipher.NewCFBEncrypter(block, iv).XORKeyStream(parameter, parameter)
	return nil
}

// Decrypt decrypts a response's first parameter in place (Part 1 §19.3).
func (s *Session) Decrypt(parameter []byte) error {
	block, iv, err := s.cfb(s.nonceTPM, s.nonceCaller)
	if err != nil {
		return err
	}
	//nolint:staticcheck // CFB is what the TPM speaks; the session's HMAC authenticates it.
	cipher.NewCFBDecrypter(block, iv).XORKeyStream(parameter, parameter)
	return nil
}

func (s *Session) cfb(newer, older []byte) (block cipher.Block, iv []byte, err error) {
	if len(s.key) == 0 {
		return nil, nil, errors.New("an unsalted session cannot encrypt")
	}
	secret := s.secret()
	defer clear(secret)
	material := tpm2.KDFa(crypto.SHA256, secret, "CFB", newer, older, aesBits+aes.BlockSize*8)
	block, err = aes.NewCipher(material[:aesBits/8])
	return block, material[aesBits/8:], err
}
