package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/notice"
	"github.com/localpasskey/localpasskey/internal/store"
	"github.com/localpasskey/localpasskey/internal/tpm"
	"github.com/localpasskey/localpasskey/internal/tpm/problem"
)

// lookPatience bounds a look at what the TPM still has.
const lookPatience = 30 * time.Second

// notices answers whoever wants to be told what has happened.
func (ch *channel) notices(ctx context.Context, params cbor.Raw) (cbor.Raw, error) {
	var req notice.Request
	if err := cbor.Unmarshal(params, &req); err != nil {
		return nil, err
	}
	if !req.Wait {
		return cbor.Marshal(notice.Response{Last: ch.d.board.Last(), Notices: ch.d.standing(ctx)})
	}
	response, err := ch.d.board.Wait(ctx, req.After)
	if err != nil {
		return nil, err
	}
	return cbor.Marshal(response)
}

// standing is what anybody should know who asks for the first time: the PIN's tries are the
// TPM's own word, so those of before this daemon's start count too.
func (d *Daemon) standing(ctx context.Context) []notice.Notice {
	o, err := d.open(ctx)
	if err == nil && o.machine.IsSet() {
		tries, err := o.machine.Retries(ctx)
		d.lookForLoss(ctx, err)
		if err == nil && tries <= notice.Few {
			return []notice.Notice{{Kind: notice.PIN, Tries: uint(max(0, tries))}}
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.loss == nil {
		return nil
	}
	return []notice.Notice{*d.loss}
}

// failed looks, when a request has failed for that, whether the keys are gone. It keeps
// nobody waiting.
func (ch *channel) failed(ctx context.Context, err error) error {
	if errors.Is(err, problem.ErrGone) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookPatience)
		go func() {
			defer cancel()
			ch.d.lookForLoss(ctx, err)
		}()
	}
	return err
}

// lookForLoss finds out whether all keys of the store that is open are gone, when err says
// so of one. Then the store is closed: it can be moved away.
func (d *Daemon) lookForLoss(ctx context.Context, err error) {
	if !errors.Is(err, problem.ErrGone) {
		return
	}
	d.mu.Lock()
	o := d.opened
	d.mu.Unlock()
	if o == nil {
		return
	}
	key, _, err := tpm.Remains(ctx, d.OpenTPM, o.store.Ledger())
	key.Wipe()
	if !errors.Is(err, problem.ErrGone) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.opened != o {
		return
	}
	d.tellLoss(ctx, err, o.store)
	d.opened = nil
	if err := o.end(); err != nil {
		d.Log.ErrorContext(ctx, "cannot close the store whose keys are gone", "cause", err)
	}
}

// gone tells whether the keys of a store are gone for good, and finds out, once, what of it can
// still be told. The caller holds mu, and err is why the store could not be opened.
func (d *Daemon) gone(ctx context.Context, s *store.Store, err error) bool {
	if d.loss != nil {
		return true
	}
	key, generation, gone := tpm.Remains(ctx, d.OpenTPM, s.Ledger())
	defer key.Wipe()
	if gone == nil {
		return false
	}
	if !errors.Is(gone, problem.ErrGone) {
		return true // now it is trouble of another kind, and not the time to tell
	}
	if !key.IsZero() {
		if unlockErr := s.Unlock(key, generation); unlockErr != nil {
			d.Log.ErrorContext(ctx, "the names of the passkeys that are gone cannot be read", "cause", unlockErr)
		}
	}
	d.tellLoss(ctx, err, s)
	return true
}

// tellLoss tells, once, that the passkeys of s are gone: how many, and their names where the
// store is unlocked. With the TPM's own key, names are gone as well: nothing on disk tells
// them. The caller holds mu.
func (d *Daemon) tellLoss(ctx context.Context, err error, s *store.Store) {
	count, countErr := s.Stored()
	if countErr != nil {
		d.Log.ErrorContext(ctx, "the passkeys that are gone cannot be counted", "cause", countErr)
	}
	n := &notice.Notice{Kind: notice.Gone, Passkeys: uint(max(0, count)), Hint: d.beginAgain()}
	if p, ok := errors.AsType[*ctap.Problem](err); ok {
		n.What = p.What
	}
	for c, err := range s.Each() {
		if err != nil || len(n.RPIDs) == notice.MaxNames {
			break // the store is locked, or that is enough
		}
		n.RPIDs, n.Accounts = append(n.RPIDs, c.RP.ID), append(n.Accounts, c.User.Name)
	}
	d.loss = n
	d.board.Add(*n)
	d.Log.ErrorContext(ctx, "the keys of this store are gone from the TPM: its passkeys cannot be used any more; nothing was deleted",
		"passkeys", count, "store", d.StorePath, "cause", err)
}

// beginAgain says how, with the names of this machine's files.
func (d *Daemon) beginAgain() string {
	sudo := "sudo "
	if d.owner == os.Getuid() {
		sudo = ""
	}
	return fmt.Sprintf("nothing was deleted; to begin again: %smv %s %[2]s.gone, then `localpasskey setup`, "+
		"and register this machine again where you signed in with it", sudo, d.StorePath)
}

// withLoss says in p how many passkeys are gone, if p is about that.
func (d *Daemon) withLoss(p *ctap.Problem) *ctap.Problem {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.loss == nil || !errors.Is(p, problem.ErrGone) {
		return p
	}
	told := *p
	told.What = fmt.Sprintf("%s. Passkeys of this store that cannot be used any more: %d", p.What, d.loss.Passkeys)
	told.Hint = d.loss.Hint
	if len(d.loss.RPIDs) > 0 {
		told.Hint += "; `localpasskey list` names them"
	}
	return &told
}
