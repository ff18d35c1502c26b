// Package appex joins macOS's credential provider extension with a
// provider.Provider: the class that the system makes, its calls, its answers and the
// view. It runs on macOS only.
//
//	NSExtensionMain ──► the class's methods ──► read the request ──► a goroutine ──► Provider
//	                                                                                  │
//	the main thread ◄── Request: the answer, Screen: the view ◄───────────────────────┘
//
// Invariants:
//   - What a request says is copied on the main thread, before the method returns.
//   - Provider runs on goroutines, and whatever touches a view or an answer is sent to
//     the main thread: nothing on the main thread waits for it.
//   - A panic ends as a refusal: macos.Library.Define stops it.
//
// This package refuses to know which passkey, which flags, and which error.
package appex
