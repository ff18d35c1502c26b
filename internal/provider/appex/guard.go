package appex

import "fmt"

// guarded runs do, and makes an error of a panic: whoever waits for do would wait for
// ever.
func guarded(do func() error) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic: %v", reason)
		}
	}()
	return do()
}
