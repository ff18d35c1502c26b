package main

import (
	"fmt"
	"regexp"
	"strings"
)

// minimum is the oldest macOS with passkeys of other programs.
const minimum = "14.0"

// check refuses what Apple would refuse later.
func (o options) check() error {
	for _, c := range []struct{ name, value, pattern string }{
		{"-id", o.ID, `^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$`},
		{"-team", o.Team, `^[A-Z0-9]{10}$`},
		{"-group", o.Group, `^(group|[A-Z0-9]{10})(\.[A-Za-z0-9-]+)+$`},
		{"-sdk", o.SDK, `^[0-9]{1,3}\.[0-9]{1,3}$`},
	} {
		if !regexp.MustCompile(c.pattern).MatchString(c.value) {
			return fmt.Errorf("%s %q is not of the form %s", c.name, c.value, c.pattern)
		}
	}
	if !strings.HasPrefix(o.Group, "group.") && !strings.HasPrefix(o.Group, o.Team+".") {
		return fmt.Errorf("-group %q begins neither with group. nor with the team", o.Group)
	}
	return nil
}

// number is the version as macOS wants it: up to three numbers.
func (o options) number() string {
	if n := regexp.MustCompile(`^v?([0-9]+(\.[0-9]+){1,2})`).FindStringSubmatch(o.Version); n != nil {
		return n[1]
	}
	return "0.0.0"
}

func (o options) appexID() string { return o.ID + ".CredentialProvider" }

// appInfo is the app's Info.plist.
func (o options) appInfo() dict {
	d := o.info("LocalPasskey", o.ID, "APPL")
	return append(d,
		pair{"CFBundleIconFile", "LocalPasskey"},
		pair{"LSApplicationCategoryType", "public.app-category.utilities"},
		pair{"NSHighResolutionCapable", true},
	)
}

// info is what both have.
func (o options) info(name, id, kind string) dict {
	return dict{
		{"CFBundleDevelopmentRegion", "en"},
		{"CFBundleDisplayName", "LocalPasskey"},
		{"CFBundleExecutable", name},
		{"CFBundleIdentifier", id},
		{"CFBundleInfoDictionaryVersion", "6.0"},
		{"CFBundleName", name},
		{"CFBundlePackageType", kind},
		{"CFBundleShortVersionString", o.number()},
		{"CFBundleSupportedPlatforms", array{"MacOSX"}},
		{"CFBundleVersion", o.number()},
		{"LSMinimumSystemVersion", minimum},
	}
}

// appexInfo is the extension's Info.plist.
func (o options) appexInfo() dict {
	return append(o.info("CredentialProvider", o.appexID(), "XPC!"), pair{"NSExtension", dict{
		{"NSExtensionPointIdentifier", "com.apple.authentication-services-credential-provider-ui"},
		{"NSExtensionPrincipalClass", principalClass},
		{"NSExtensionAttributes", dict{
			{"ASCredentialProviderExtensionShowsConfigurationUI", true},
			{"ASCredentialProviderExtensionCapabilities", dict{
				{"ProvidesPasskeys", true},
				{"ShowsConfigurationUI", true},
				{"SupportsCredentialUpdate", true},
			}},
		}},
	}})
}

// entitlements are for the app, or for the extension, which must be sandboxed. There
// is no keychain-access-groups: the app group is an access group of the keychain.
func (o options) entitlements(id string, sandboxed bool) dict {
	d := dict{
		{"com.apple.application-identifier", o.Team + "." + id},
		{"com.apple.developer.authentication-services.autofill-credential-provider", true},
		{"com.apple.developer.team-identifier", o.Team},
		{"com.apple.security.application-groups", array{o.Group}},
	}
	if sandboxed {
		d = append(d, pair{"com.apple.security.app-sandbox", true})
	}
	return d
}
