package inventory

import (
	"cmp"
	"slices"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// Comparison tells which accounts have a passkey where.
type Comparison struct {
	A     string    `json:"a"` // names of the devices
	B     string    `json:"b"`
	OnlyA []Passkey `json:"only_a"`
	OnlyB []Passkey `json:"only_b"`
	Both  []Passkey `json:"both"` // as A has them
}

// Compare compares two devices, account by account.
func Compare(a, b *List) *Comparison {
	c := &Comparison{A: a.Device, B: b.Device, OnlyA: []Passkey{}, OnlyB: []Passkey{}, Both: []Passkey{}}
	inA, inB := accounts(a), accounts(b)
	for key, p := range inA {
		if _, ok := inB[key]; ok {
			c.Both = append(c.Both, p)
		} else {
			c.OnlyA = append(c.OnlyA, p)
		}
	}
	for key, p := range inB {
		if _, ok := inA[key]; !ok {
			c.OnlyB = append(c.OnlyB, p)
		}
	}
	for _, list := range [][]Passkey{c.OnlyA, c.OnlyB, c.Both} {
		slices.SortFunc(list, func(x, y Passkey) int {
			return cmp.Or(cmp.Compare(x.Service, y.Service), cmp.Compare(x.UserName, y.UserName), cmp.Compare(x.Account, y.Account))
		})
	}
	return c
}

// accounts gives one passkey for each account: the newest.
func accounts(l *List) map[[2]string]Passkey {
	found := map[[2]string]Passkey{}
	for _, p := range l.Passkeys {
		key := [2]string{p.Service, p.Account}
		if old, ok := found[key]; !ok || p.Created.After(old.Created) {
			found[key] = p
		}
	}
	return found
}

// Lacks gives those of all whose accounts have no passkey in the list.
func (l *List) Lacks(all []ctap.Passkey) []ctap.Passkey {
	there := accounts(l)
	return slices.DeleteFunc(slices.Clone(all), func(p ctap.Passkey) bool {
		_, ok := there[[2]string{p.RPID, account(p.RPID, p.User.ID)}]
		return p.Hidden || ok
	})
}
