package keystest

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"sync"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
)

func (s *suite) create() {
	a := s.newKey(authenticator.SigningKey, authenticator.PINBound, rpA())
	b := s.newKey(authenticator.SigningKey, authenticator.PINBound, rpA())
	if string(a.Handle) == string(b.Handle) || string(a.Public.X) == string(b.Public.X) {
		s.Fatal("the same key twice")
	}
	if m := s.newKey(authenticator.MACKey, authenticator.PINBound, rpA()); len(m.Public.X) != 0 {
		s.Fatal("a MAC key has a public key")
	}
	for _, spec := range []authenticator.KeySpec{
		{},
		{Kind: authenticator.SigningKey},
		{Binding: authenticator.PINBound},
		{Kind: 9, Binding: authenticator.PINBound},
		{Kind: authenticator.MACKey, Binding: 9},
	} {
		if _, err := s.Keys.Create(s.Context(), spec); err == nil {
			s.Errorf("created %+v", spec)
		}
		if _, p, err := s.Keys.CreatePrepared(s.Context(), spec, nil); err == nil {
			p.Close() //nolint:errcheck // The test has failed.
			s.Errorf("created and prepared %+v", spec)
		}
	}
}

// createAndUse: a key that was readied as it was made is a key like any other.
func (s *suite) createAndUse() {
	bound, free := authenticator.PINBound, authenticator.PresenceOnly
	s.setPIN()
	g := s.grant(pin, rpA())
	for _, want := range []authenticator.KeySpec{
		spec(authenticator.SigningKey, bound, rpA()), spec(authenticator.SigningKey, free, rpA()),
	} {
		by := g
		if want.Binding == free {
			by = nil
		}
		key, p := s.newPrepared(want, by)
		s.sign(p, key)
		if _, err := p.Sign(s.Context(), make([]byte, 32)); err == nil {
			s.Error("one preparation signed twice")
		}
		s.sign(s.prepare(key, by), key)
		unused, _ := s.newPrepared(want, by)
		s.sign(s.prepare(unused, by), unused)
		if string(unused.Handle) == string(key.Handle) || string(unused.Public.X) == string(key.Public.X) {
			s.Error("the same key twice")
		}
	}
	key, p := s.newPrepared(spec(authenticator.MACKey, bound, rpA()), g)
	first, err := p.MAC(s.Context(), []byte("salt"))
	s.must(err)
	again, err := s.prepare(key, g).MAC(s.Context(), []byte("salt"))
	s.must(err)
	if !first.Equal(again) {
		s.Error("the same key and data give another MAC")
	}
}

// algorithms: what is listed can be made and used, bound to the PIN or not, and nothing
// else.
func (s *suite) algorithms() {
	s.setPIN()
	g := s.grant(pin, rpA())
	listed := s.Keys.Algorithms()
	if len(listed) == 0 || listed[0] != cose.ES256 {
		s.Fatalf("algorithms %v", listed)
	}
	for _, algorithm := range []cose.Algorithm{cose.ES256, cose.ES384, cose.EdDSA, cose.RS256} {
		for by, binding := range map[authenticator.Grant]authenticator.Binding{g: authenticator.PINBound, nil: authenticator.PresenceOnly} {
			want := spec(authenticator.SigningKey, binding, rpA())
			want.Algorithm = algorithm
			if !slices.Contains(listed, algorithm) {
				_, err := s.Keys.Create(s.Context(), want)
				s.refused(err, ctap.UnsupportedAlgorithm)
				_, _, err = s.Keys.CreatePrepared(s.Context(), want, by)
				s.refused(err, ctap.UnsupportedAlgorithm)
				continue
			}
			key, p := s.newPrepared(want, by)
			if key.Public.Algorithm != algorithm {
				s.Errorf("a key for algorithm %d is for %d", algorithm, key.Public.Algorithm)
			}
			s.sign(p, key)
			s.sign(s.prepare(key, by), key)
			made, err := s.Keys.Create(s.Context(), want)
			s.must(err)
			s.sign(s.prepare(made, by), made)
			if algorithm == cose.ES256 {
				continue
			}
			wrong := *made
			wrong.Algorithm = cose.ES256
			if p, err := s.Keys.Prepare(s.Context(), &wrong, by); err == nil {
				p.Close() //nolint:errcheck // The test has failed.
				s.Error("a key passes for one of another algorithm")
			}
		}
	}
}

func (s *suite) createThenPIN() {
	s.setPIN()
	want := spec(authenticator.SigningKey, authenticator.PINBound, rpA())
	key, p := s.newPrepared(want, nil)
	_, err := p.Verify(s.Context(), Hash("0000"))
	s.refusedPIN(err, s.Attempts-1)
	g, err := p.Verify(s.Context(), Hash(pin))
	s.must(err)
	s.sign(p, key)
	s.retries(s.Attempts)
	s.sign(s.prepare(key, g), key)
	_, p = s.newPrepared(want, nil)
	_, err = p.Sign(s.Context(), make([]byte, 32))
	s.refused(err, ctap.PUATRequired)
}

func (s *suite) createUnderNoGrant() {
	s.setPIN()
	dropped := s.grant(pin, rpA())
	dropped.Drop()
	for name, g := range map[string]authenticator.Grant{
		"another relying party's": s.grant(pin, rpB()), "dropped": dropped, "another hardware's": strange{},
	} {
		key, p, err := s.Keys.CreatePrepared(s.Context(), spec(authenticator.SigningKey, authenticator.PINBound, rpA()), g)
		s.refused(err, ctap.PINAuthInvalid)
		if key != nil || p != nil {
			s.Errorf("%s grant: a key all the same", name)
		}
	}
}

func (s *suite) signWithGrant() {
	s.setPIN()
	key := s.newKey(authenticator.SigningKey, authenticator.PINBound, rpA())
	g := s.grant(pin, rpA())
	s.sign(s.prepare(key, g), key)
	s.sign(s.prepare(key, g), key)
	other := s.newKey(authenticator.SigningKey, authenticator.PINBound, rpA())
	s.sign(s.prepare(other, g), other)
}

func (s *suite) signWithPIN() {
	s.setPIN()
	key := s.newKey(authenticator.SigningKey, authenticator.PINBound, rpA())
	p := s.prepare(key, nil)
	_, err := p.Verify(s.Context(), Hash("0000"))
	s.refusedPIN(err, s.Attempts-1)
	_, err = p.Verify(s.Context(), Hash("0001"))
	s.refusedPIN(err, s.Attempts-2)
	g, err := p.Verify(s.Context(), Hash(pin))
	s.must(err)
	s.sign(p, key)
	s.retries(s.Attempts)
	mac := s.newKey(authenticator.MACKey, authenticator.PINBound, rpA())
	_, err = s.prepare(mac, g).MAC(s.Context(), []byte("salt"))
	s.must(err)
}

func (s *suite) noGrant() {
	key := s.newKey(authenticator.SigningKey, authenticator.PINBound, rpA())
	_, err := s.prepare(key, nil).Verify(s.Context(), Hash(pin))
	s.refused(err, ctap.PINNotSet)
	s.setPIN()
	_, err = s.prepare(key, nil).Sign(s.Context(), make([]byte, 32))
	s.refused(err, ctap.PUATRequired)
	p := s.prepare(key, nil)
	_, err = p.Verify(s.Context(), Hash("0000"))
	s.refusedPIN(err, s.Attempts-1)
	_, err = p.Sign(s.Context(), make([]byte, 32))
	s.refused(err, ctap.PUATRequired)
}

func (s *suite) presenceOnly() {
	key := s.newKey(authenticator.SigningKey, authenticator.PresenceOnly, rpA())
	s.sign(s.prepare(key, nil), key)
	s.setPIN()
	s.sign(s.prepare(key, nil), key)
	if _, err := s.prepare(key, nil).Verify(s.Context(), Hash(pin)); err == nil {
		s.Fatal("a presence-only key took a PIN")
	}
	s.retries(s.Attempts)
}

func (s *suite) otherRP() {
	s.setPIN()
	key := s.newKey(authenticator.SigningKey, authenticator.PINBound, rpA())
	_, err := s.Keys.Prepare(s.Context(), key, s.grant(pin, rpB()))
	s.refused(err, ctap.PINAuthInvalid)
	moved := *key
	moved.RPIDHash = rpB()
	if _, err = s.Keys.Prepare(s.Context(), &moved, s.grant(pin, rpB())); err == nil {
		s.Fatal("a key works for another relying party")
	}
}

type strange struct{}

func (strange) Drop() {}

func (s *suite) droppedGrant() {
	s.setPIN()
	key := s.newKey(authenticator.SigningKey, authenticator.PINBound, rpA())
	g := s.grant(pin, rpA())
	g.Drop()
	g.Drop()
	_, err := s.Keys.Prepare(s.Context(), key, g)
	s.refused(err, ctap.PINAuthInvalid)
	_, err = s.Keys.Prepare(s.Context(), key, strange{})
	s.refused(err, ctap.PINAuthInvalid)
}

func (s *suite) mismatch() {
	s.setPIN()
	key := s.newKey(authenticator.SigningKey, authenticator.PINBound, rpA())
	other := s.newKey(authenticator.SigningKey, authenticator.PINBound, rpA())
	g := s.grant(pin, rpA())
	for name, change := range map[string]func(k *authenticator.Key){
		"kind":       func(k *authenticator.Key) { k.Kind = authenticator.MACKey },
		"binding":    func(k *authenticator.Key) { k.Binding = authenticator.PresenceOnly },
		"public key": func(k *authenticator.Key) { k.Public = other.Public },
		"handle":     func(k *authenticator.Key) { k.Handle = other.Handle },
		"no handle":  func(k *authenticator.Key) { k.Handle = nil },
		"cut short":  func(k *authenticator.Key) { k.Handle = k.Handle[:len(k.Handle)-1] },
		"longer":     func(k *authenticator.Key) { k.Handle = append([]byte(nil), append(k.Handle, 0)...) },
	} {
		wrong := *key
		change(&wrong)
		if p, err := s.Keys.Prepare(s.Context(), &wrong, g); err == nil {
			p.Close() //nolint:errcheck // The test has failed.
			s.Errorf("%s: prepared", name)
		}
	}
	bare := *key
	bare.Public.X, bare.Public.Y = nil, nil
	s.sign(s.prepare(&bare, g), key)
}

func (s *suite) mac() {
	s.setPIN()
	g := s.grant(pin, rpA())
	one := s.newKey(authenticator.MACKey, authenticator.PINBound, rpA())
	two := s.newKey(authenticator.MACKey, authenticator.PINBound, rpA())
	free := s.newKey(authenticator.MACKey, authenticator.PresenceOnly, rpA())
	mac := func(key *authenticator.Key, g authenticator.Grant, data string) string {
		s.Helper()
		out, err := s.prepare(key, g).MAC(s.Context(), []byte(data))
		s.must(err)
		if out.Len() != sha256.Size {
			s.Fatalf("a MAC of %d bytes", out.Len())
		}
		return string(out.Reveal())
	}
	first := mac(one, g, "salt")
	if mac(one, g, "salt") != first {
		s.Error("the same key and data give another MAC")
	}
	if mac(one, g, "pepper") == first || mac(two, g, "salt") == first || mac(free, nil, "salt") == first {
		s.Error("another key or other data give the same MAC")
	}
	_, err := s.prepare(one, nil).MAC(s.Context(), []byte("salt"))
	s.refused(err, ctap.PUATRequired)
	_, err = s.prepare(free, nil).Sign(s.Context(), make([]byte, 32))
	s.refused(err, ctap.InvalidParameter)
}

func (s *suite) oneUse() {
	s.setPIN()
	key := s.newKey(authenticator.SigningKey, authenticator.PINBound, rpA())
	p := s.prepare(key, s.grant(pin, rpA()))
	s.sign(p, key)
	if _, err := p.Sign(s.Context(), make([]byte, 32)); err == nil {
		s.Error("one preparation signed twice")
	}
}

func (s *suite) cancelled() {
	s.setPIN()
	key := s.newKey(authenticator.SigningKey, authenticator.PINBound, rpA())
	p := s.prepare(key, s.grant(pin, rpA()))
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	_, err := p.Sign(ctx, make([]byte, 32))
	s.refused(err, ctap.KeepaliveCancel)
	_, err = s.Keys.Create(ctx, key.KeySpec)
	s.refused(err, ctap.KeepaliveCancel)
	_, _, err = s.Keys.CreatePrepared(ctx, key.KeySpec, nil)
	s.refused(err, ctap.KeepaliveCancel)
	_, err = s.PIN.Verify(ctx, Hash("0000"), nil)
	s.refused(err, ctap.KeepaliveCancel)
	s.retries(s.Attempts)
}

// concurrent has several requests at once; the hardware has room for few.
func (s *suite) concurrent() {
	const each = 3
	s.setPIN()
	g := s.grant(pin, rpA())
	var done sync.WaitGroup
	for range 4 {
		done.Go(func() {
			for range each {
				if err := s.once(g); err != nil {
					s.Error(err)
				}
			}
		})
		done.Go(func() {
			for range each {
				if _, err := s.PIN.Verify(s.Context(), Hash(pin), nil); err != nil {
					s.Error(err)
				}
			}
		})
	}
	done.Wait()
	s.retries(s.Attempts)
}

func (s *suite) once(g authenticator.Grant) error {
	key, err := s.Keys.Create(s.Context(), authenticator.KeySpec{
		Kind: authenticator.SigningKey, Binding: authenticator.PINBound, RPIDHash: rpA(),
	})
	if err != nil {
		return err
	}
	p, err := s.Keys.Prepare(s.Context(), key, g)
	if err != nil {
		return err
	}
	return errors.Join(signed(s.Context(), p, key), p.Close())
}
