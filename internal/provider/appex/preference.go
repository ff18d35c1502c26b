package appex

import "github.com/localpasskey/localpasskey/internal/provider"

// preferences are the system's words for what a site prefers, read at run time.
type preferences struct{ required, preferred, discouraged string }

// of translates. What is not understood is taken for the strictest.
func (p preferences) of(text string) provider.Preference {
	switch text {
	case "":
		return provider.Required
	case p.preferred:
		return provider.Preferred
	case p.discouraged:
		return provider.Discouraged
	default:
		return provider.Required
	}
}
