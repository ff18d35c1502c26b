package macos

// Numbers of the SDK, under its names with a capital letter.
const (
	KCFStringEncodingUTF8 = 0x08000100
	KCFNumberSInt64Type   = 4

	KSecAccessControlUserPresence       = 1 << 0
	KSecAccessControlBiometryAny        = 1 << 1
	KSecAccessControlBiometryCurrentSet = 1 << 3
	KSecAccessControlPrivateKeyUsage    = 1 << 30

	ErrSecUnimplemented         = -4
	ErrSecDiskFull              = -34
	ErrSecUserCanceled          = -128
	ErrSecAuthFailed            = -25293
	ErrSecDuplicateItem         = -25299
	ErrSecItemNotFound          = -25300
	ErrSecInteractionNotAllowed = -25308
	ErrSecMissingEntitlement    = -34018

	LAPolicyDeviceOwnerAuthenticationWithBiometrics = 1
	LAPolicyDeviceOwnerAuthentication               = 2

	LAErrorAuthenticationFailed = -1
	LAErrorUserCancel           = -2
	LAErrorUserFallback         = -3
	LAErrorSystemCancel         = -4
	LAErrorPasscodeNotSet       = -5
	LAErrorBiometryNotAvailable = -6
	LAErrorBiometryNotEnrolled  = -7
	LAErrorBiometryLockout      = -8
	LAErrorAppCancel            = -9
	LAErrorInvalidContext       = -10
	LAErrorNotInteractive       = -1004

	ASExtensionErrorCodeFailed                     = 0
	ASExtensionErrorCodeUserCanceled               = 1
	ASExtensionErrorCodeUserInteractionRequired    = 100
	ASExtensionErrorCodeCredentialIdentityNotFound = 101
	ASExtensionErrorCodeMatchedExcludedCredential  = 102

	NSUserInterfaceLayoutOrientationVertical = 1
	NSStackViewGravityTop                    = 1
	NSProgressIndicatorStyleSpinning         = 1
	NSApplicationActivationPolicyRegular     = 0
	NSApplicationActivationPolicyAccessory   = 1
	NSAlertFirstButtonReturn                 = 1000
	NSModalResponseAbort                     = -1001
	NSWindowStyleMaskTitled                  = 1 << 0
	NSWindowStyleMaskClosable                = 1 << 1
	NSWindowStyleMaskMiniaturizable          = 1 << 2
	NSWindowStyleMaskResizable               = 1 << 3
	NSBackingStoreBuffered                   = 2
	NSEventModifierFlagShift                 = 1 << 17
	NSEventModifierFlagOption                = 1 << 19
	NSEventModifierFlagCommand               = 1 << 20

	WKNavigationActionPolicyCancel = 0
	WKNavigationActionPolicyAllow  = 1
	WKNavigationTypeLinkActivated  = 0
)

// TokenOID is kSecAttrTokenOID's value: the attribute that holds a key sealed to its
// chip. The symbol is not public; the attribute's name is in open source.
const TokenOID = "toid"

// Enums gives the numbers by the SDK's own names.
func Enums() map[string]int64 {
	return map[string]int64{
		"kCFStringEncodingUTF8": KCFStringEncodingUTF8,
		"kCFNumberSInt64Type":   KCFNumberSInt64Type,

		"kSecAccessControlUserPresence":       KSecAccessControlUserPresence,
		"kSecAccessControlBiometryAny":        KSecAccessControlBiometryAny,
		"kSecAccessControlBiometryCurrentSet": KSecAccessControlBiometryCurrentSet,
		"kSecAccessControlPrivateKeyUsage":    KSecAccessControlPrivateKeyUsage,

		"errSecUnimplemented":         ErrSecUnimplemented,
		"errSecDiskFull":              ErrSecDiskFull,
		"errSecUserCanceled":          ErrSecUserCanceled,
		"errSecAuthFailed":            ErrSecAuthFailed,
		"errSecDuplicateItem":         ErrSecDuplicateItem,
		"errSecItemNotFound":          ErrSecItemNotFound,
		"errSecInteractionNotAllowed": ErrSecInteractionNotAllowed,
		"errSecMissingEntitlement":    ErrSecMissingEntitlement,

		"LAPolicyDeviceOwnerAuthenticationWithBiometrics": LAPolicyDeviceOwnerAuthenticationWithBiometrics,
		"LAPolicyDeviceOwnerAuthentication":               LAPolicyDeviceOwnerAuthentication,

		"LAErrorAuthenticationFailed": LAErrorAuthenticationFailed,
		"LAErrorUserCancel":           LAErrorUserCancel,
		"LAErrorUserFallback":         LAErrorUserFallback,
		"LAErrorSystemCancel":         LAErrorSystemCancel,
		"LAErrorPasscodeNotSet":       LAErrorPasscodeNotSet,
		"LAErrorBiometryNotAvailable": LAErrorBiometryNotAvailable,
		"LAErrorBiometryNotEnrolled":  LAErrorBiometryNotEnrolled,
		"LAErrorBiometryLockout":      LAErrorBiometryLockout,
		"LAErrorAppCancel":            LAErrorAppCancel,
		"LAErrorInvalidContext":       LAErrorInvalidContext,
		"LAErrorNotInteractive":       LAErrorNotInteractive,

		"ASExtensionErrorCodeFailed":                     ASExtensionErrorCodeFailed,
		"ASExtensionErrorCodeUserCanceled":               ASExtensionErrorCodeUserCanceled,
		"ASExtensionErrorCodeUserInteractionRequired":    ASExtensionErrorCodeUserInteractionRequired,
		"ASExtensionErrorCodeCredentialIdentityNotFound": ASExtensionErrorCodeCredentialIdentityNotFound,
		"ASExtensionErrorCodeMatchedExcludedCredential":  ASExtensionErrorCodeMatchedExcludedCredential,

		"NSUserInterfaceLayoutOrientationVertical": NSUserInterfaceLayoutOrientationVertical,
		"NSStackViewGravityTop":                    NSStackViewGravityTop,
		"NSProgressIndicatorStyleSpinning":         NSProgressIndicatorStyleSpinning,
		"NSApplicationActivationPolicyRegular":     NSApplicationActivationPolicyRegular,
		"NSModalResponseAbort":                     NSModalResponseAbort,
		"NSAlertFirstButtonReturn":                 NSAlertFirstButtonReturn,
		"NSApplicationActivationPolicyAccessory":   NSApplicationActivationPolicyAccessory,
		"NSWindowStyleMaskTitled":                  NSWindowStyleMaskTitled,
		"NSWindowStyleMaskClosable":                NSWindowStyleMaskClosable,
		"NSWindowStyleMaskMiniaturizable":          NSWindowStyleMaskMiniaturizable,
		"NSWindowStyleMaskResizable":               NSWindowStyleMaskResizable,
		"NSBackingStoreBuffered":                   NSBackingStoreBuffered,
		"NSEventModifierFlagShift":                 NSEventModifierFlagShift,
		"NSEventModifierFlagOption":                NSEventModifierFlagOption,
		"NSEventModifierFlagCommand":               NSEventModifierFlagCommand,
		"WKNavigationActionPolicyCancel":           WKNavigationActionPolicyCancel,
		"WKNavigationActionPolicyAllow":            WKNavigationActionPolicyAllow,
		"WKNavigationTypeLinkActivated":            WKNavigationTypeLinkActivated,
	}
}

// Classes gives the classes that are looked up by name, and their frameworks.
func Classes() map[string]string {
	return map[string]string{
		"NSError":                            "Foundation",
		"NSFileManager":                      "Foundation",
		"LAContext":                          "LocalAuthentication",
		"ASCredentialProviderViewController": "AuthenticationServices",
		"ASPasskeyCredentialRequest":         "AuthenticationServices",
		"ASPasskeyCredentialIdentity":        "AuthenticationServices",
		"ASPasskeyRegistrationCredential":    "AuthenticationServices",
		"ASPasskeyAssertionCredential":       "AuthenticationServices",
		"ASCredentialIdentityStore":          "AuthenticationServices",
		"ASSettingsHelper":                   "AuthenticationServices",
		"NSApplication":                      "AppKit",
		"NSAlert":                            "AppKit",
		"NSStackView":                        "AppKit",
		"NSTextField":                        "AppKit",
		"NSButton":                           "AppKit",
		"NSProgressIndicator":                "AppKit",
		"NSMenu":                             "AppKit",
		"NSMenuItem":                         "AppKit",
		"NSWindow":                           "AppKit",
		"NSWorkspace":                        "AppKit",
		"NSObject":                           "Foundation",
		"NSURL":                              "Foundation",
		"NSURLRequest":                       "Foundation",
		"NSHTTPURLResponse":                  "Foundation",
		"WKWebView":                          "WebKit",
		"WKWebViewConfiguration":             "WebKit",
		"WKWebsiteDataStore":                 "WebKit",
	}
}
