package appex

// Class is the class that the system makes: NSExtensionPrincipalClass in Info.plist.
const Class = "LPKCredentialProviderViewController"
