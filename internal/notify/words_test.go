package notify

import (
	"strings"
	"testing"
	"unicode"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/notice"
)

// Whatever a daemon says, there is a summary of ours, the body is of so many lines, and nothing
// of it is markup or acts on what shows it.
func FuzzWords(f *testing.F) {
	f.Add([]byte{0xa0})
	seed, err := cbor.Marshal(notice.Response{Last: 9, Missed: 1 << 62, Notices: []notice.Notice{
		{Kind: notice.Used, RPID: "a/<b>", Account: "\x1b[31m", Programs: []string{"p", "\n\u202e"}, Door: ctap.DoorHID},
		{Kind: notice.Gone, Passkeys: 1 << 62, RPIDs: []string{""}, Accounts: []string{""}, What: "<\n", Hint: "\u2066"},
		{Kind: notice.PIN, Tries: 1 << 62, Event: ctap.AuditPINWrong},
	}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, answer []byte) {
		var r notice.Response
		if cbor.Unmarshal(answer, &r) != nil {
			return
		}
		all := []words{wordsOfUses(r.Notices, r.Missed)}
		for i := range r.Notices {
			all = append(all, wordsOfPIN(&r.Notices[i]), wordsOfLoss(&r.Notices[i]))
		}
		for _, w := range all {
			body := escaped(w.body)
			if w.summary == "" || strings.Count(w.body, "\n") > maxLines+3 || strings.ContainsAny(body, "<>") {
				t.Errorf("%q: %q", w.summary, w.body)
			}
			for _, c := range w.summary + body {
				if c != '\n' && !unicode.IsPrint(c) {
					t.Errorf("%U in %q: %q", c, w.summary, w.body)
				}
			}
		}
	})
}

func TestWords(t *testing.T) {
	t.Parallel()
	use := notice.Notice{Event: ctap.AuditUsed, RPID: "example.com", Account: "alice", Programs: []string{"firefox", "gnome-shell"}}
	made := use
	made.Event, made.Door = ctap.AuditCreated, ctap.DoorHID
	nameless := notice.Notice{Event: ctap.AuditUsed}
	for _, c := range []struct {
		got           words
		summary, body string
	}{
		{wordsOfUses([]notice.Notice{use}, 0), "Signed in with a passkey", "example.com, account alice\nasked by firefox ← gnome-shell"},
		{wordsOfUses([]notice.Notice{made}, 0), "Passkey created", "example.com, account alice\nasked by firefox or gnome-shell"},
		{wordsOfUses([]notice.Notice{nameless}, 0), "Signed in with a passkey", "(a U2F site)"},
		{
			wordsOfUses([]notice.Notice{use, made}, 3), "Passkeys were used 5 times",
			"signed in to example.com, account alice, asked by firefox ← gnome-shell\n" +
				"passkey created for example.com, account alice, asked by firefox or gnome-shell\nand 3 more: `localpasskey audit list` tells",
		},
		{wordsOfPIN(&notice.Notice{Tries: 1}), "PIN of your passkeys: 1 try left", "There were wrong ones. After that every passkey of this machine is lost for good. The right PIN gives all 8 tries back."},
		{
			wordsOfLoss(&notice.Notice{Passkeys: 7, RPIDs: []string{"a.example"}, Accounts: []string{"bob"}, What: "the TPM was cleared", Hint: "register anew"}),
			"7 passkeys of this machine cannot be used any more", "the TPM was cleared.\n• a.example, account bob\nand 6 more: `localpasskey list` tells\nWhat to do: register anew",
		},
		{wordsOfLoss(&notice.Notice{What: "w", Hint: "h"}), "LocalPasskey has to be set up again", "w.\nWhat to do: h"},
	} {
		if c.got.summary != c.summary || c.got.body != c.body {
			t.Errorf("got  %q: %q\nwant %q: %q", c.got.summary, c.got.body, c.summary, c.body)
		}
	}
}
