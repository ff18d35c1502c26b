package macos

// Functions are the C functions. Tags name the framework and the symbol. What a
// function with Create or Copy in its name gives is the caller's to release.
type Functions struct {
	CFRelease                         func(Ref)                                                 `macos:"CoreFoundation CFRelease"`
	CFRetain                          func(Ref) Ref                                             `macos:"CoreFoundation CFRetain"`
	CFGetTypeID                       func(Ref) uint                                            `macos:"CoreFoundation CFGetTypeID"`
	CFDictionaryCreateMutable         func(alloc Ref, capacity int, keys, values Pointer) Ref   `macos:"CoreFoundation CFDictionaryCreateMutable"`
	CFDictionarySetValue              func(d, k, v Ref)                                         `macos:"CoreFoundation CFDictionarySetValue"`
	CFDictionaryGetValue              func(d, k Ref) Ref                                        `macos:"CoreFoundation CFDictionaryGetValue"`
	CFDictionaryGetCount              func(Ref) int                                             `macos:"CoreFoundation CFDictionaryGetCount"`
	CFDictionaryGetKeysAndValues      func(d Ref, keys, values *Ref)                            `macos:"CoreFoundation CFDictionaryGetKeysAndValues"`
	CFArrayCreate                     func(alloc Ref, v *Ref, n int, callbacks Pointer) Ref     `macos:"CoreFoundation CFArrayCreate"`
	CFArrayGetCount                   func(Ref) int                                             `macos:"CoreFoundation CFArrayGetCount"`
	CFArrayGetTypeID                  func() uint                                               `macos:"CoreFoundation CFArrayGetTypeID"`
	CFArrayGetValueAtIndex            func(a Ref, i int) Ref                                    `macos:"CoreFoundation CFArrayGetValueAtIndex"`
	CFDataCreate                      func(alloc Ref, b *byte, n int) Ref                       `macos:"CoreFoundation CFDataCreate"`
	CFDataGetLength                   func(Ref) int                                             `macos:"CoreFoundation CFDataGetLength"`
	CFDataGetBytePtr                  func(Ref) *byte                                           `macos:"CoreFoundation CFDataGetBytePtr"`
	CFStringCreateWithBytes           func(alloc Ref, b *byte, n int, enc uint32, ext bool) Ref `macos:"CoreFoundation CFStringCreateWithBytes"`
	CFStringGetLength                 func(Ref) int                                             `macos:"CoreFoundation CFStringGetLength"`
	CFStringGetCString                func(s Ref, buf *byte, n int, enc uint32) bool            `macos:"CoreFoundation CFStringGetCString"`
	CFStringGetMaximumSizeForEncoding func(n int, enc uint32) int                               `macos:"CoreFoundation CFStringGetMaximumSizeForEncoding"`
	CFNumberCreate                    func(alloc Ref, typ int, p *int64) Ref                    `macos:"CoreFoundation CFNumberCreate"`
	CFNumberGetValue                  func(n Ref, typ int, p *int64) bool                       `macos:"CoreFoundation CFNumberGetValue"`
	CFErrorGetCode                    func(Ref) int                                             `macos:"CoreFoundation CFErrorGetCode"`
	CFErrorGetDomain                  func(Ref) Ref                                             `macos:"CoreFoundation CFErrorGetDomain"`
	CFErrorCopyDescription            func(Ref) Ref                                             `macos:"CoreFoundation CFErrorCopyDescription"`

	SecAccessControlCreateWithFlags  func(alloc, protection Ref, flags uint, err *Ref) Ref `macos:"Security SecAccessControlCreateWithFlags"`
	SecKeyCreateRandomKey            func(attrs Ref, err *Ref) Ref                         `macos:"Security SecKeyCreateRandomKey"`
	SecKeyCreateWithData             func(data, attrs Ref, err *Ref) Ref                   `macos:"Security SecKeyCreateWithData"`
	SecKeyCopyPublicKey              func(Ref) Ref                                         `macos:"Security SecKeyCopyPublicKey"`
	SecKeyCopyAttributes             func(Ref) Ref                                         `macos:"Security SecKeyCopyAttributes"`
	SecKeyCopyExternalRepresentation func(k Ref, err *Ref) Ref                             `macos:"Security SecKeyCopyExternalRepresentation"`
	SecKeyCreateSignature            func(k, alg, data Ref, err *Ref) Ref                  `macos:"Security SecKeyCreateSignature"`
	SecKeyCopyKeyExchangeResult      func(k, alg, public, params Ref, err *Ref) Ref        `macos:"Security SecKeyCopyKeyExchangeResult"`
	SecItemAdd                       func(attrs Ref, out *Ref) int32                       `macos:"Security SecItemAdd"`
	SecItemCopyMatching              func(query Ref, out *Ref) int32                       `macos:"Security SecItemCopyMatching"`
	SecItemUpdate                    func(query, attrs Ref) int32                          `macos:"Security SecItemUpdate"`
	SecItemDelete                    func(query Ref) int32                                 `macos:"Security SecItemDelete"`
	SecCopyErrorMessageString        func(status int32, reserved Pointer) Ref              `macos:"Security SecCopyErrorMessageString"`

	// NSExtensionMain is every app extension's main; it does not return.
	NSExtensionMain func(argc int32, argv Pointer) int32 `macos:"Foundation NSExtensionMain"`
	NSGetArgc       func() *int32                        `macos:"libSystem _NSGetArgc"`
	NSGetArgv       func() *Pointer                      `macos:"libSystem _NSGetArgv"`
	DispatchAsyncF  func(queue ID, context, do Pointer)  `macos:"libSystem dispatch_async_f"`

	AutoreleasePoolPush func() Pointer `macos:"libobjc objc_autoreleasePoolPush"`
	AutoreleasePoolPop  func(Pointer)  `macos:"libobjc objc_autoreleasePoolPop"`
}

// Constants are symbols that hold a string or a boolean of Core Foundation.
type Constants struct {
	True  Ref `macos:"CoreFoundation kCFBooleanTrue"`
	False Ref `macos:"CoreFoundation kCFBooleanFalse"`

	KeyType                        Ref `macos:"Security kSecAttrKeyType"`
	KeyTypeECSECPrimeRandom        Ref `macos:"Security kSecAttrKeyTypeECSECPrimeRandom"`
	KeySizeInBits                  Ref `macos:"Security kSecAttrKeySizeInBits"`
	KeyClass                       Ref `macos:"Security kSecAttrKeyClass"`
	KeyClassPrivate                Ref `macos:"Security kSecAttrKeyClassPrivate"`
	KeyClassPublic                 Ref `macos:"Security kSecAttrKeyClassPublic"`
	TokenID                        Ref `macos:"Security kSecAttrTokenID"`
	TokenIDSecureEnclave           Ref `macos:"Security kSecAttrTokenIDSecureEnclave"`
	PrivateKeyAttrs                Ref `macos:"Security kSecPrivateKeyAttrs"`
	IsPermanent                    Ref `macos:"Security kSecAttrIsPermanent"`
	AccessControl                  Ref `macos:"Security kSecAttrAccessControl"`
	Accessible                     Ref `macos:"Security kSecAttrAccessible"`
	WhenUnlockedThisDeviceOnly     Ref `macos:"Security kSecAttrAccessibleWhenUnlockedThisDeviceOnly"`
	AccessGroup                    Ref `macos:"Security kSecAttrAccessGroup"`
	ApplicationTag                 Ref `macos:"Security kSecAttrApplicationTag"`
	Account                        Ref `macos:"Security kSecAttrAccount"`
	Service                        Ref `macos:"Security kSecAttrService"`
	UseAuthenticationContext       Ref `macos:"Security kSecUseAuthenticationContext"`
	UseDataProtectionKeychain      Ref `macos:"Security kSecUseDataProtectionKeychain"`
	SecClass                       Ref `macos:"Security kSecClass"`
	ClassKey                       Ref `macos:"Security kSecClassKey"`
	ClassGenericPassword           Ref `macos:"Security kSecClassGenericPassword"`
	ReturnRef                      Ref `macos:"Security kSecReturnRef"`
	ReturnData                     Ref `macos:"Security kSecReturnData"`
	ReturnAttributes               Ref `macos:"Security kSecReturnAttributes"`
	MatchLimit                     Ref `macos:"Security kSecMatchLimit"`
	MatchLimitAll                  Ref `macos:"Security kSecMatchLimitAll"`
	ValueData                      Ref `macos:"Security kSecValueData"`
	ECDSASignatureDigestX962SHA256 Ref `macos:"Security kSecKeyAlgorithmECDSASignatureDigestX962SHA256"`
	ECDHKeyExchangeStandard        Ref `macos:"Security kSecKeyAlgorithmECDHKeyExchangeStandard"`

	LAErrorDomain          Ref `macos:"LocalAuthentication LAErrorDomain"`
	ASExtensionErrorDomain Ref `macos:"AuthenticationServices ASExtensionErrorDomain"`
	UVDiscouraged          Ref `macos:"AuthenticationServices ASAuthorizationPublicKeyCredentialUserVerificationPreferenceDiscouraged"`
	UVPreferred            Ref `macos:"AuthenticationServices ASAuthorizationPublicKeyCredentialUserVerificationPreferencePreferred"`
	UVRequired             Ref `macos:"AuthenticationServices ASAuthorizationPublicKeyCredentialUserVerificationPreferenceRequired"`
}

// Addresses are symbols that are handed over by address.
type Addresses struct {
	DictionaryKeyCallBacks   Pointer `macos:"CoreFoundation kCFTypeDictionaryKeyCallBacks"`
	DictionaryValueCallBacks Pointer `macos:"CoreFoundation kCFTypeDictionaryValueCallBacks"`
	ArrayCallBacks           Pointer `macos:"CoreFoundation kCFTypeArrayCallBacks"`
	MainQueue                ID      `macos:"libSystem _dispatch_main_q"`
}
