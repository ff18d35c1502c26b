package storetest

import (
	"fmt"
	"testing"

	"github.com/localpasskey/localpasskey/internal/authenticator"
)

// pages holds that every credential is on one page and only one, in order, whatever is
// put and deleted meanwhile.
func pages(t *testing.T, s authenticator.Store) {
	if page, next, err := s.Page(0, 10); err != nil || len(page) != 0 || next != 0 {
		t.Errorf("of nothing: %d, next %d, %v", len(page), next, err)
	}
	var all []*authenticator.Credential
	for i := range 7 {
		c := Credential(t, fmt.Sprintf("%d.example", i), 1)
		put(t, s, c)
		all = append(all, c)
	}
	var seen []string
	cursor := uint64(0)
	for turn := 0; turn == 0 || cursor > 0; turn++ {
		page, next, err := s.Page(cursor, 3)
		if err != nil || next != 0 && next <= cursor || len(page) > 3 {
			t.Fatalf("page from %d: %d, next %d, %v", cursor, len(page), next, err)
		}
		for _, c := range page {
			seen = append(seen, c.RP.ID)
		}
		if turn == 0 { // one that was seen goes, one ahead goes, one comes
			for _, c := range []*authenticator.Credential{all[0], all[4]} {
				if err := s.Delete(c.ID); err != nil {
					t.Fatal(err)
				}
			}
			put(t, s, Credential(t, "late.example", 1))
		}
		cursor = next
	}
	equal(t, "pages", seen, []string{"0.example", "1.example", "2.example", "3.example", "5.example", "6.example", "late.example"})
}
