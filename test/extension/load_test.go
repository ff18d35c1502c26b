//go:build e2e && linux

package extension_test

import (
	"context"
	"slices"
	"testing"

	"github.com/localpasskey/localpasskey/test/browser"
)

// TestLoad prints what the extension costs a page that never uses passkeys: frames loaded
// with and without it, turn about.
func TestLoad(t *testing.T) {
	l := openLab(t)
	for _, name := range []string{"Chromium", "Firefox"} {
		t.Run(name, func(t *testing.T) {
			without := startWith(t, name)
			with := start(t, name)
			ctx, cancel := context.WithTimeout(t.Context(), startLimit)
			defer cancel()
			plain, err := without.browser.Open(ctx, l.page(""))
			check(t, err)
			ours := with.open(t, l.page(""))
			var bare, extended []float64
			for range 4 {
				bare = append(bare, loads(ctx, t, plain)...)
				extended = append(extended, loads(ctx, t, ours)...)
			}
			// What else the machine does only adds to a load: the quick ones tell.
			quick := func(all []float64) float64 { slices.Sort(all); return all[len(all)/10] }
			t.Logf("a frame's load, the tenth quickest of 100: %.2f ms without, %.2f ms with the extension: %+.2f ms (aim 1)", quick(bare), quick(extended), quick(extended)-quick(bare))
		})
	}
}

// loads gives the times of 25 loads of a frame on the page in front, in milliseconds.
func loads(ctx context.Context, t *testing.T, p browser.Page) (all []float64) {
	t.Helper()
	check(t, p.(browser.Keyed).Front(ctx))
	check(t, p.Evaluate(ctx, `(async () => {
		const all = [];
		for (let i = 0; i < 25; i++) {
			const begin = performance.now();
			const frame = await lab.frame({src: "/page"});
			all.push(performance.now() - begin);
			frame.remove();
		}
		return all;
	})()`, &all))
	return all
}
