package macos

// Messages are the messages we send. Tags are "-Class selector", with + for a
// message to the class itself; the class may be a protocol. The first parameter is
// whom it is sent to. A message with since answers its zero value on a system
// before that version.
type Messages struct {
	Alloc          func(Class) ID                           `macos:"+NSObject alloc"`
	Init           func(ID) ID                              `macos:"-NSObject init"`
	Retain         func(ID) ID                              `macos:"-NSObject retain"`
	Release        func(ID)                                 `macos:"-NSObject release"`
	IsKindOf       func(ID, Class) bool                     `macos:"-NSObject isKindOfClass:"`
	RespondsTo     func(ID, SEL) bool                       `macos:"-NSObject respondsToSelector:"`
	PerformOnMain  func(to ID, do SEL, with ID, wait bool)  `macos:"-NSObject performSelectorOnMainThread:withObject:waitUntilDone:"`
	AbortModal     func(app ID)                             `macos:"-NSApplication abortModal"`
	ErrorDomain    func(c Class, d Ref, code int, i Ref) ID `macos:"+NSError errorWithDomain:code:userInfo:"`
	FileManager    func(Class) ID                           `macos:"+NSFileManager defaultManager"`
	GroupContainer func(m ID, group Ref) ID                 `macos:"-NSFileManager containerURLForSecurityApplicationGroupIdentifier:"`
	URLPath        func(ID) Ref                             `macos:"-NSURL path"`

	EvaluatePolicy     func(la ID, policy int, reason Ref, reply BlockBoolError) `macos:"-LAContext evaluatePolicy:localizedReason:reply:"`
	CanEvaluatePolicy  func(la ID, policy int, err *ID) bool                     `macos:"-LAContext canEvaluatePolicy:error:"`
	SetLocalizedReason func(la ID, reason Ref)                                   `macos:"-LAContext setLocalizedReason:"`
	SetReuseDuration   func(la ID, seconds float64)                              `macos:"-LAContext setTouchIDAuthenticationAllowableReuseDuration:"`
	Invalidate         func(la ID)                                               `macos:"-LAContext invalidate"`

	ExtensionContext      func(ID) ID                            `macos:"-ASCredentialProviderViewController extensionContext"`
	CancelRequest         func(c, err ID)                        `macos:"-ASCredentialProviderExtensionContext cancelRequestWithError:"`
	CompleteRegistration  func(c, credential ID, done BlockBool) `macos:"-ASCredentialProviderExtensionContext completeRegistrationRequestWithSelectedPasskeyCredential:completionHandler:"`
	CompleteAssertion     func(c, credential ID, done BlockBool) `macos:"-ASCredentialProviderExtensionContext completeAssertionRequestWithSelectedPasskeyCredential:completionHandler:"`
	CompleteConfiguration func(c ID)                             `macos:"-ASCredentialProviderExtensionContext completeExtensionConfigurationRequest"`

	CredentialIdentity  func(request ID) ID  `macos:"-ASCredentialRequest credentialIdentity"`
	ClientDataHash      func(request ID) Ref `macos:"-ASPasskeyCredentialRequest clientDataHash"`
	UVPreference        func(request ID) Ref `macos:"-ASPasskeyCredentialRequest userVerificationPreference"`
	SupportedAlgorithms func(request ID) Ref `macos:"-ASPasskeyCredentialRequest supportedAlgorithms"`
	ExcludedCredentials func(request ID) Ref `macos:"-ASPasskeyCredentialRequest excludedCredentials" since:"15.0"`
	DescriptorID        func(ID) Ref         `macos:"-ASAuthorizationPlatformPublicKeyCredentialDescriptor credentialID"`

	ParametersRP      func(ID) Ref `macos:"-ASPasskeyCredentialRequestParameters relyingPartyIdentifier"`
	ParametersHash    func(ID) Ref `macos:"-ASPasskeyCredentialRequestParameters clientDataHash"`
	ParametersAllowed func(ID) Ref `macos:"-ASPasskeyCredentialRequestParameters allowedCredentials"`

	IdentityRP         func(ID) Ref                                                     `macos:"-ASPasskeyCredentialIdentity relyingPartyIdentifier"`
	IdentityUserName   func(ID) Ref                                                     `macos:"-ASPasskeyCredentialIdentity userName"`
	IdentityCredential func(ID) Ref                                                     `macos:"-ASPasskeyCredentialIdentity credentialID"`
	IdentityUserHandle func(ID) Ref                                                     `macos:"-ASPasskeyCredentialIdentity userHandle"`
	InitIdentity       func(i ID, rp, user, credential, handle, r Ref) ID               `macos:"-ASPasskeyCredentialIdentity initWithRelyingPartyIdentifier:userName:credentialID:userHandle:recordIdentifier:"`
	InitRegistration   func(r ID, rp, hash, credential, attestation Ref) ID             `macos:"-ASPasskeyRegistrationCredential initWithRelyingParty:clientDataHash:credentialID:attestationObject:"`
	InitAssertion      func(a ID, handle, rp, signature, hash, data, credential Ref) ID `macos:"-ASPasskeyAssertionCredential initWithUserHandle:relyingParty:signature:clientDataHash:authenticatorData:credentialID:"`

	IdentityStore     func(Class) ID                               `macos:"+ASCredentialIdentityStore sharedStore"`
	GetStoreState     func(store ID, done BlockState)              `macos:"-ASCredentialIdentityStore getCredentialIdentityStoreStateWithCompletion:"`
	StoreIsEnabled    func(state ID) bool                          `macos:"-ASCredentialIdentityStoreState isEnabled"`
	ReplaceIdentities func(store ID, all Ref, done BlockBoolError) `macos:"-ASCredentialIdentityStore replaceCredentialIdentityEntries:completion:"`

	SetView             func(controller, view ID)                      `macos:"-NSViewController setView:"`
	SetPreferredSize    func(controller ID, size Size)                 `macos:"-NSViewController setPreferredContentSize:"`
	StackView           func(c Class, views Ref) ID                    `macos:"+NSStackView stackViewWithViews:"`
	SetOrientation      func(stack ID, orientation int)                `macos:"-NSStackView setOrientation:"`
	SetStackViews       func(stack ID, views Ref, gravity int)         `macos:"-NSStackView setViews:inGravity:"`
	Label               func(c Class, text Ref) ID                     `macos:"+NSTextField wrappingLabelWithString:"`
	Button              func(c Class, title Ref, target ID, do SEL) ID `macos:"+NSButton buttonWithTitle:target:action:"`
	SetTag              func(control ID, tag int)                      `macos:"-NSControl setTag:"`
	Tag                 func(control ID) int                           `macos:"-NSControl tag"`
	SetSpinning         func(indicator ID, style uint)                 `macos:"-NSProgressIndicator setStyle:"`
	Application         func(Class) ID                                 `macos:"+NSApplication sharedApplication"`
	SetActivationPolicy func(app ID, policy int) bool                  `macos:"-NSApplication setActivationPolicy:"`
	Activate            func(app ID)                                   `macos:"-NSApplication activate"`
	SetMessage          func(alert ID, text Ref)                       `macos:"-NSAlert setMessageText:"`
	SetInformative      func(alert ID, text Ref)                       `macos:"-NSAlert setInformativeText:"`
	AddButton           func(alert ID, title Ref) ID                   `macos:"-NSAlert addButtonWithTitle:"`
	RunLoop             func(app ID)                                   `macos:"-NSApplication run"`
	RunModal            func(alert ID) int                             `macos:"-NSAlert runModal"`
	OpenSettings        func(c Class, done BlockState)                 `macos:"+ASSettingsHelper openCredentialProviderAppSettingsWithCompletionHandler:"`
	StartAnimation      func(indicator, sender ID)                     `macos:"-NSProgressIndicator startAnimation:"`

	SetAppDelegate  func(app, delegate ID)                                       `macos:"-NSApplication setDelegate:"`
	SetMainMenu     func(app, menu ID)                                           `macos:"-NSApplication setMainMenu:"`
	SetWindowsMenu  func(app, menu ID)                                           `macos:"-NSApplication setWindowsMenu:"`
	InitMenu        func(menu ID, title Ref) ID                                  `macos:"-NSMenu initWithTitle:"`
	AddItem         func(menu, item ID)                                          `macos:"-NSMenu addItem:"`
	InitItem        func(item ID, title Ref, do SEL, key Ref) ID                 `macos:"-NSMenuItem initWithTitle:action:keyEquivalent:"`
	SeparatorItem   func(Class) ID                                               `macos:"+NSMenuItem separatorItem"`
	SetSubmenu      func(item, menu ID)                                          `macos:"-NSMenuItem setSubmenu:"`
	SetKeyModifiers func(item ID, modifiers uint)                                `macos:"-NSMenuItem setKeyEquivalentModifierMask:"`
	SetItemTarget   func(item, target ID)                                        `macos:"-NSMenuItem setTarget:"`
	SetItemTag      func(item ID, tag int)                                       `macos:"-NSMenuItem setTag:"`
	ItemTag         func(item ID) int                                            `macos:"-NSMenuItem tag"`
	InitWindow      func(w ID, content Rect, style, backing uint, later bool) ID `macos:"-NSWindow initWithContentRect:styleMask:backing:defer:"`
	SetWindowTitle  func(w ID, title Ref)                                        `macos:"-NSWindow setTitle:"`
	SetContentView  func(w, view ID)                                             `macos:"-NSWindow setContentView:"`
	SetMinimum      func(w ID, size Size)                                        `macos:"-NSWindow setContentMinSize:"`
	SetAutosaveName func(w ID, name Ref) bool                                    `macos:"-NSWindow setFrameAutosaveName:"`
	SetReleased     func(w ID, whenClosed bool)                                  `macos:"-NSWindow setReleasedWhenClosed:"`
	Center          func(w ID)                                                   `macos:"-NSWindow center"`
	ShowWindow      func(w, sender ID)                                           `macos:"-NSWindow makeKeyAndOrderFront:"`
	MakeFirst       func(w, view ID) bool                                        `macos:"-NSWindow makeFirstResponder:"`
	Workspace       func(Class) ID                                               `macos:"+NSWorkspace sharedWorkspace"`
	OpenURL         func(workspace, url ID) bool                                 `macos:"-NSWorkspace openURL:"`

	URLWithString     func(c Class, text Ref) ID                           `macos:"+NSURL URLWithString:"`
	AbsoluteString    func(url ID) Ref                                     `macos:"-NSURL absoluteString"`
	RequestWithURL    func(c Class, url ID) ID                             `macos:"+NSURLRequest requestWithURL:"`
	RequestURL        func(request ID) ID                                  `macos:"-NSURLRequest URL"`
	RequestMethod     func(request ID) Ref                                 `macos:"-NSURLRequest HTTPMethod"`
	RequestHeaders    func(request ID) Ref                                 `macos:"-NSURLRequest allHTTPHeaderFields"`
	RequestBody       func(request ID) Ref                                 `macos:"-NSURLRequest HTTPBody"`
	RequestBodyStream func(request ID) ID                                  `macos:"-NSURLRequest HTTPBodyStream"`
	InitResponse      func(r, url ID, status int, version, headers Ref) ID `macos:"-NSHTTPURLResponse initWithURL:statusCode:HTTPVersion:headerFields:"`

	EphemeralStore   func(Class) ID                              `macos:"+WKWebsiteDataStore nonPersistentDataStore"`
	SetWebsiteStore  func(configuration, store ID)               `macos:"-WKWebViewConfiguration setWebsiteDataStore:"`
	SetSchemeHandler func(configuration, handler ID, scheme Ref) `macos:"-WKWebViewConfiguration setURLSchemeHandler:forURLScheme:"`
	InitWebView      func(v ID, frame Rect, configuration ID) ID `macos:"-WKWebView initWithFrame:configuration:"`
	LoadRequest      func(v, request ID) ID                      `macos:"-WKWebView loadRequest:"`
	SetNavigation    func(v, delegate ID)                        `macos:"-WKWebView setNavigationDelegate:"`
	SetUI            func(v, delegate ID)                        `macos:"-WKWebView setUIDelegate:"`
	RunScript        func(v ID, script Ref, done BlockResult)    `macos:"-WKWebView evaluateJavaScript:completionHandler:"`
	ActionRequest    func(action ID) ID                          `macos:"-WKNavigationAction request"`
	ActionType       func(action ID) int                         `macos:"-WKNavigationAction navigationType"`
	ActionTarget     func(action ID) ID                          `macos:"-WKNavigationAction targetFrame"`
	TaskRequest      func(task ID) ID                            `macos:"-WKURLSchemeTask request"`
	TaskResponse     func(task, response ID)                     `macos:"-WKURLSchemeTask didReceiveResponse:"`
	TaskData         func(task ID, data Ref)                     `macos:"-WKURLSchemeTask didReceiveData:"`
	TaskFinish       func(task ID)                               `macos:"-WKURLSchemeTask didFinish"`
	TaskFail         func(task, err ID)                          `macos:"-WKURLSchemeTask didFailWithError:"`
}

// Overrides are the methods that our classes implement; tags as in Messages. A
// method that is ours alone, the target of a button, says own instead.
type Overrides struct {
	LoadView             func(self ID)                          `macos:"-NSViewController loadView"`
	PrepareList          func(self, services ID)                `macos:"-ASCredentialProviderViewController prepareCredentialListForServiceIdentifiers:"`
	PrepareListFor       func(self, services, parameters ID)    `macos:"-ASCredentialProviderViewController prepareCredentialListForServiceIdentifiers:requestParameters:"`
	ProvideSilently      func(self, request ID)                 `macos:"-ASCredentialProviderViewController provideCredentialWithoutUserInteractionForRequest:"`
	PrepareToProvide     func(self, request ID)                 `macos:"-ASCredentialProviderViewController prepareInterfaceToProvideCredentialForRequest:"`
	PrepareRegistration  func(self, request ID)                 `macos:"-ASCredentialProviderViewController prepareInterfaceForPasskeyRegistration:"`
	PrepareConfiguration func(self ID)                          `macos:"-ASCredentialProviderViewController prepareInterfaceForExtensionConfiguration"`
	RegisterSilently     func(self, request ID)                 `macos:"-ASCredentialProviderViewController performPasskeyRegistrationWithoutUserInteractionIfPossible:" since:"15.0"`
	ReportUpdate         func(self, rp, handle, name ID)        `macos:"-ASCredentialProviderViewController reportPublicKeyCredentialUpdateForRelyingParty:userHandle:newName:" since:"26.0"`
	ReportUnknown        func(self, rp, credential ID)          `macos:"-ASCredentialProviderViewController reportUnknownPublicKeyCredentialForRelyingParty:credentialID:" since:"26.0"`
	ReportAllAccepted    func(self, rp, handle, credentials ID) `macos:"-ASCredentialProviderViewController reportAllAcceptedPublicKeyCredentialsForRelyingParty:userHandle:acceptedCredentialIDs:" since:"26.0"`
	Chosen               func(self, button ID)                  `own:"localPasskeyChosen:"`

	Commanded     func(self, item ID)                                     `own:"localPasskeyCommanded:"`
	LastWindow    func(self, app ID) bool                                 `macos:"-NSApplicationDelegate applicationShouldTerminateAfterLastWindowClosed:"`
	StartTask     func(self, view, task ID)                               `macos:"-WKURLSchemeHandler webView:startURLSchemeTask:"`
	StopTask      func(self, view, task ID)                               `macos:"-WKURLSchemeHandler webView:stopURLSchemeTask:"`
	DecidePolicy  func(self, view, action ID, answer BlockPolicy)         `macos:"-WKNavigationDelegate webView:decidePolicyForNavigationAction:decisionHandler:"`
	ContentEnded  func(self, view ID)                                     `macos:"-WKNavigationDelegate webViewWebContentProcessDidTerminate:"`
	CreateWebView func(self, view, configuration, action, features ID) ID `macos:"-WKUIDelegate webView:createWebViewWithConfiguration:forNavigationAction:windowFeatures:"`
}

// Action is what an item of a menu sends: to the application, or to whatever in the window takes
// it first, with the item as its one argument.
type Action string

// The actions, under the SDK's names.
const (
	ActionAbout      Action = "orderFrontStandardAboutPanel:"
	ActionHide       Action = "hide:"
	ActionHideOthers Action = "hideOtherApplications:"
	ActionShowAll    Action = "unhideAllApplications:"
	ActionQuit       Action = "terminate:"
	ActionCut        Action = "cut:"
	ActionCopy       Action = "copy:"
	ActionPaste      Action = "paste:"
	ActionSelectAll  Action = "selectAll:"
	ActionClose      Action = "performClose:"
	ActionMinimize   Action = "performMiniaturize:"
	ActionZoom       Action = "performZoom:"
	ActionFront      Action = "arrangeInFront:"
)

// Actions gives the class that the SDK declares each action for. A web view takes those of NSText.
func Actions() map[Action]string {
	return map[Action]string{
		ActionAbout: "NSApplication", ActionHide: "NSApplication", ActionHideOthers: "NSApplication", ActionShowAll: "NSApplication",
		ActionQuit: "NSApplication", ActionFront: "NSApplication",
		ActionCut: "NSText", ActionCopy: "NSText", ActionPaste: "NSText", ActionSelectAll: "NSText",
		ActionClose: "NSWindow", ActionMinimize: "NSWindow", ActionZoom: "NSWindow",
	}
}
