package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctaptest"
)

// headerTimeout bounds how long a client of the control may take to ask.
const headerTimeout = 5 * time.Second

// wrongPIN is what the person types when told to fail.
const wrongPIN = "not the PIN"

// control serves the HTTP control at address until stop. ctx is the program's life:
// the device's power does not end with the request that switches it on.
func (d *device) control(ctx context.Context, address, pin string) (stop func(), at string, err error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, "", err
	}
	if err := loopback(l); err != nil {
		_ = l.Close() // nobody has connected
		return nil, "", err
	}
	mux := http.NewServeMux()
	for path, do := range map[string]func(*http.Request) error{
		"GET /touch/auto":  func(*http.Request) error { d.person.SetTouch(ctaptest.Auto); return nil },
		"GET /touch/hold":  func(*http.Request) error { d.person.SetTouch(ctaptest.Hold); return nil },
		"GET /touch/deny":  func(*http.Request) error { d.person.SetTouch(ctaptest.Deny); return nil },
		"GET /account/{n}": d.choose,
		"GET /uv/ok":       func(*http.Request) error { d.person.SetPINs(pin); return nil },
		"GET /uv/fail":     func(*http.Request) error { d.person.SetPINs(wrongPIN); return nil },
		"GET /power/on":    func(*http.Request) error { return d.on(ctx) },
		"GET /power/off":   func(*http.Request) error { return d.switchOff() },
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if err := do(r); err != nil {
				http.Error(w, err.Error(), http.StatusConflict)
				return
			}
			fmt.Fprintln(w, "ok")
		})
	}
	mux.HandleFunc("GET /asked", d.asked)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(l) // ends when stop closes the server
	}()
	return func() {
		_ = server.Close() // whoever still asks has no need of an answer
		<-ended
	}, l.Addr().String(), nil
}

// choose has the person pick an account from now on.
func (d *device) choose(r *http.Request) error {
	n, err := strconv.ParseUint(r.PathValue("n"), 10, 8)
	if err != nil {
		return fmt.Errorf("an account is a number, 0 for the newest: %w", err)
	}
	d.person.Choose(int(n))
	return nil
}

// question is what the person was asked, in the control's words.
type question struct {
	Operation string   `json:"operation"`
	RP        string   `json:"rp"`
	Accounts  []string `json:"accounts"`
}

// asked tells what the person was asked since the last time.
func (d *device) asked(w http.ResponseWriter, _ *http.Request) {
	questions := []question{}
	for _, ask := range d.person.Asked() {
		q := question{Operation: string(ask.Operation), RP: ask.RP.ID, Accounts: []string{}}
		for _, account := range ask.Accounts {
			q.Accounts = append(q.Accounts, account.Name)
		}
		questions = append(questions, q)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(questions) // whoever asked has gone away
}

// switchOff is off for somebody who ought to know that it is on.
func (d *device) switchOff() error {
	d.mu.Lock()
	on := d.power != nil
	d.mu.Unlock()
	if !on {
		return errOff
	}
	return d.off()
}
