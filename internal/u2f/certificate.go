package u2f

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"time"

	"github.com/localpasskey/localpasskey/internal/cose"
)

// serialBits is how random a serial number is.
const serialBits = 64

// certify makes the certificate that U2F wants with each registration (§4.3): of the
// credential's own key, by the same key. Its times are the same in each, so that it
// tells no more than the key does.
func certify(ctx context.Context, public cose.Key, key Key) ([]byte, error) {
	ecdsa, err := public.ECDSA()
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:       serial,
		Subject:            pkix.Name{CommonName: "LocalPasskey U2F, self-signed"},
		NotBefore:          time.Date(2020, time.January, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:           time.Date(2049, time.December, 31, 23, 59, 59, 0, time.UTC),
		SignatureAlgorithm: x509.ECDSAWithSHA256,
	}
	return x509.CreateCertificate(rand.Reader, template, template, ecdsa, signer{ctx, ecdsa, key})
}

// signer lets crypto/x509 sign with a Key, once.
type signer struct {
	ctx    context.Context //nolint:containedctx // crypto.Signer has none to pass
	public crypto.PublicKey
	key    Key
}

func (s signer) Public() crypto.PublicKey { return s.public }

func (s signer) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	return s.key.Sign(s.ctx, [32]byte(digest))
}
