// Package autofill puts the signed macOS app and its extension together: the
// keychain, Touch ID, the system's list and the provider, and the app's few commands.
//
//	LocalPasskey.app/Contents/MacOS/LocalPasskey            Commands, a welcome, and window: the page
//	  └─ PlugIns/CredentialProvider.appex                   the provider, run by macOS
//	        both: Open ──► provider ◄──► keychain, touchid, Identities
//
// The rules of the commands are those of localpasskey: what a person is shown is made
// harmless first, deleting wants the service's name typed, and an error says what
// happened and what to do.
//
// This package refuses to know what the provider decides.
package autofill
