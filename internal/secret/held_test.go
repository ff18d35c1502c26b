package secret_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/localpasskey/localpasskey/internal/secret"
)

func TestHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h secret.Held
		if got := h.Take(); !got.IsZero() {
			t.Error("nothing was held")
		}
		pin := secret.Of([]byte("1234"))
		h.Hold(pin, time.Second)
		pin.Wipe()
		time.Sleep(time.Second - 1)
		got := h.Take()
		if string(got.Reveal()) != "1234" {
			t.Errorf("took %q", got.Reveal())
		}
		if again := h.Take(); !again.IsZero() {
			t.Error("taken twice")
		}
		time.Sleep(time.Minute)
		if got.IsZero() {
			t.Error("wiped after it was taken")
		}
		h.Hold(got, time.Second)
		h.Hold(secret.Of([]byte("5678")), time.Hour) // which begins its time anew
		time.Sleep(2 * time.Second)
		if got := h.Take(); string(got.Reveal()) != "5678" {
			t.Errorf("took %q", got.Reveal())
		}
		h.Hold(got, time.Second)
		time.Sleep(time.Second + 1)
		synctest.Wait()
		if got := h.Take(); !got.IsZero() {
			t.Error("held for too long")
		}
	})
}
