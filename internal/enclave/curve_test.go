package enclave

import (
	"encoding/hex"
	"testing"

	"github.com/cloudflare/circl/group"
)

// TestHashToCurve: the library's points are those of RFC 9380, J.1.1, and ours are
// fixed for good: another point for a salt gives a site another secret.
func TestHashToCurve(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ domain, input, point string }{
		{
			"QUUX-V01-CS02-with-P256_XMD:SHA-256_SSWU_RO_", "",
			"042c15230b26dbc6fc9a37051158c95b79656e17a1a920b11394ca91c44247d3e48a7a74985cc5c776cdfe4b1f19884970453912e9d31528c060be9ab5c43e8415",
		},
		{
			"QUUX-V01-CS02-with-P256_XMD:SHA-256_SSWU_RO_", "abc",
			"040bb8b87485551aa43ed54f009230450b492fead5f1cc91658775dac4a3388a0f5c41b3d0731a27a7b14bc0bf0ccded2d8751f83493404c84a88e71ffd424212e",
		},
		{curveDomain, "salt", "047b1441746cbffa018f1a48990397dc6d990b0decd1f8463dd7115e95291ee5ae8d9ec0068135d84a1e439f6ac996ad29f2de3add77fa4336c0300ba11e21fa41"},
	} {
		point, err := group.P256.HashToElement([]byte(c.input), []byte(c.domain)).MarshalBinary()
		if err != nil || hex.EncodeToString(point) != c.point {
			t.Errorf("%s %q: %x, %v", c.domain, c.input, point, err)
		}
	}
}
