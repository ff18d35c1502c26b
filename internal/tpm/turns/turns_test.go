package turns

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/localpasskey/localpasskey/internal/tpm"
)

// chip notes whose commands it gets; each waits to be let go.
type chip struct {
	mu    sync.Mutex
	got   []byte
	atOne int
	letGo chan struct{}
}

func (c *chip) Send(command []byte) ([]byte, error) {
	c.mu.Lock()
	c.got = append(c.got, command[0])
	c.atOne++
	if c.atOne > 1 {
		return nil, errors.New("two commands at a time")
	}
	c.mu.Unlock()
	<-c.letGo
	c.mu.Lock()
	defer c.mu.Unlock()
	c.atOne--
	return command, nil
}

func (c *chip) Close() error { return nil }

// Whoever sends many commands at once is before everybody else once, not each time.
func TestNobodyIsCrowdedOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		chip := &chip{letGo: make(chan struct{})}
		var turns Turns
		var group sync.WaitGroup
		send := func(user byte) {
			conn, err := turns.Of(int(user), func(context.Context) (tpm.Conn, error) { return chip, nil })(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			group.Go(func() {
				if answer, err := conn.Send([]byte{user}); err != nil || answer[0] != user {
					t.Errorf("user %d: %v, %v", user, answer, err)
				}
			})
			synctest.Wait()
		}
		for _, user := range []byte{1, 1, 1, 1, 2, 3, 2} {
			send(user)
		}
		chip.letGo <- struct{}{}
		synctest.Wait()
		send(2) // who has waited longest is not overtaken by who comes again
		close(chip.letGo)
		group.Wait()
		if want := []byte{1, 1, 2, 3, 1, 2, 1, 2}; !slices.Equal(chip.got, want) {
			t.Errorf("users were served in the order %v, want %v", chip.got, want)
		}
		send(3)
		group.Wait()
	})
}

func TestNoTPM(t *testing.T) {
	t.Parallel()
	var turns Turns
	gone := errors.New("gone")
	open := turns.Of(1, func(context.Context) (tpm.Conn, error) { return nil, gone })
	if _, err := open(t.Context()); !errors.Is(err, gone) {
		t.Errorf("gave %v", err)
	}
}
