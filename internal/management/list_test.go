package management_test

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/credential"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/management"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/store"
	"github.com/localpasskey/localpasskey/internal/storetest"
)

// counted counts the credentials that are read.
type counted struct {
	*store.Store

	read int
}

func (c *counted) Page(cursor uint64, limit int) (page []*credential.Credential, next uint64, err error) {
	page, next, err = c.Store.Page(cursor, limit)
	c.read += len(page)
	return page, next, err
}

// TestListPages holds that the cursor goes through all, that each page costs what is on
// it, and that an offset still counts from the beginning.
func TestListPages(t *testing.T) {
	s, err := store.Open(filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	key := sha256.Sum256(nil)
	if err := s.Unlock(secret.Of(key[:]), [16]byte{1}); err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range 7 {
		c := storetest.Credential(t, fmt.Sprintf("%d.example", i), 1)
		if err := s.Put(c); err != nil {
			t.Fatal(err)
		}
		want = append(want, c.RP.ID)
	}
	c := &counted{Store: s}
	m := &management.Manager{Store: c}
	list := func(req ctap.ListRequest) (names []string, next uint64) {
		t.Helper()
		params, err := cbor.Marshal(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := m.List(params)
		if err != nil {
			t.Fatal(err)
		}
		var response ctap.ListResponse
		if err := cbor.Unmarshal(body, &response); err != nil || response.Total != 7 {
			t.Fatalf("%+v, %v", response, err)
		}
		for _, p := range response.Passkeys {
			names = append(names, p.RPID)
		}
		return names, response.Next
	}
	var got []string
	for cursor, first := uint64(0), true; first || cursor > 0; first = false {
		page, next := list(ctap.ListRequest{Cursor: cursor, Limit: 2})
		got, cursor = append(got, page...), next
	}
	if !slices.Equal(got, want) || c.read != len(want) {
		t.Errorf("page by page: %q, at the cost of %d", got, c.read)
	}
	for offset := range uint(9) {
		got, _ := list(ctap.ListRequest{Offset: offset, Limit: 3})
		from, to := min(int(offset), 7), min(int(offset)+3, 7)
		if !slices.Equal(got, want[from:to]) {
			t.Errorf("from %d on: %q, want %q", offset, got, want[from:to])
		}
	}
}
