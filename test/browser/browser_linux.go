package browser

import "context"

// Config is how a browser is started.
type Config struct {
	// Dir is the browser's home and profile, an empty directory of its own.
	Dir string
	// Display is where it shows its windows; nil: nowhere, it runs headless.
	Display *Display
	// Extensions are directories of unpacked extensions that it starts with.
	Extensions []string
	// UUIDs say where Firefox keeps the pages of extensions, by ID: moz-extension://UUID/.
	UUIDs map[string]string
	// Virtual: the browser plays a security key itself, once a page's PlugIn was called, and
	// does not look for this machine's.
	Virtual bool
	// Args are more of the browser's own.
	Args []string
}

// env tells the browser where its display is, if it has one.
func (c Config) env(more ...string) []string {
	if c.Display != nil {
		more = append(more, "DISPLAY="+c.Display.Name)
	}
	return more
}

// Browser is a running browser.
type Browser interface {
	// Open opens a page in a tab of its own, in front, and waits until it is loaded.
	Open(ctx context.Context, url string) (Page, error)
	// Log is what the browser prints.
	Log() *Log
	// Close ends it.
	Close() error
}

// Page is a tab.
type Page interface {
	// Evaluate has the page work out an expression of JavaScript, waits for its promise
	// if it is one, and decodes the value, by way of JSON, unless into is nil. What the
	// script throws is an error. Several may wait at once.
	Evaluate(ctx context.Context, expression string, into any) error
	// Screenshot gives a PNG of what the page shows, without what the browser shows.
	Screenshot(ctx context.Context) ([]byte, error)
	// Close closes the tab.
	Close(ctx context.Context) error
}

// Look is how a page is shown.
type Look struct {
	Width, Height int // CSS pixels
	Dark          bool
}

// Dressable is a page whose look can be changed. Chromium's are.
type Dressable interface {
	Page
	Look(ctx context.Context, l Look) error
}

// Keyed is a page whose browser can play a security key itself, so that a test sees when
// the browser's own functions are used. Both browsers' are.
type Keyed interface {
	Page
	PlugIn(ctx context.Context) error
	// Front brings the page's tab to the front.
	Front(ctx context.Context) error
}
