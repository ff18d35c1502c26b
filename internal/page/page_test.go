package page_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/page"
)

// told is an authenticator that keeps who asked.
type told struct {
	ctap.Authenticator

	callers []ctap.Caller
}

func (a *told) note(ctx context.Context) {
	caller, _ := ctap.CallerFrom(ctx)
	a.callers = append(a.callers, caller)
}

func (a *told) MakeCredential(ctx context.Context, _ *ctap.MakeCredentialRequest) (*ctap.MakeCredentialResponse, error) {
	a.note(ctx)
	return nil, nil
}

func (a *told) GetAssertion(ctx context.Context, _ *ctap.GetAssertionRequest) (*ctap.GetAssertionResponse, error) {
	a.note(ctx)
	return nil, nil
}

func (a *told) ClientPIN(ctx context.Context, _ *ctap.ClientPINRequest) (*ctap.ClientPINResponse, error) {
	a.note(ctx)
	return nil, nil
}

func (a *told) Vendor(context.Context, ctap.Command, cbor.Raw) (cbor.Raw, error) {
	return nil, ctap.InvalidCommand
}

// TestAnnounce: what is announced holds for what follows on the channel, until the next
// announcement, and a wrong one changes nothing.
func TestAnnounce(t *testing.T) {
	t.Parallel()
	ctx := ctap.WithCaller(t.Context(), ctap.Caller{UID: 7, Programs: []string{"firefox"}})
	a := &told{}
	channel := page.Listen(a)
	for _, step := range []struct {
		said      page.Announcement
		err       error
		page, top string
	}{
		{page.Announcement{Origin: "https://a.example", Top: "https://b.example"}, nil, "https://a.example", "https://b.example"},
		{page.Announcement{Top: "https://b.example"}, ctap.InvalidParameter, "https://a.example", "https://b.example"},
		{page.Announcement{Origin: strings.Repeat("x", 301)}, ctap.InvalidParameter, "https://a.example", "https://b.example"},
		{page.Announcement{Origin: "https://c.example"}, nil, "https://c.example", ""},
		{page.Announcement{}, nil, "", ""},
	} {
		if err := page.Announce(ctx, channel, step.said); !errors.Is(err, step.err) {
			t.Errorf("%+v: %v", step.said, err)
		}
		a.callers = nil
		_, _ = channel.MakeCredential(ctx, nil)
		_, _ = channel.GetAssertion(ctx, nil)
		_, _ = channel.ClientPIN(ctx, nil)
		for _, caller := range a.callers {
			if caller.Page != step.page || caller.Top != step.top || caller.UID != 7 || len(caller.Programs) != 1 {
				t.Errorf("after %+v: %+v", step.said, caller)
			}
		}
		if len(a.callers) != 3 {
			t.Errorf("%d requests arrived", len(a.callers))
		}
	}
	if _, err := channel.Vendor(ctx, page.Command, cbor.Raw{0xFF}); err == nil {
		t.Error("what is no CBOR is heard")
	}
	if _, err := channel.Vendor(ctx, ctap.CommandList, nil); !errors.Is(err, ctap.InvalidCommand) {
		t.Errorf("another command: %v", err)
	}
}
