package client

// Parts that are tested by themselves.
var (
	Timeout         = timeout
	EffectiveDomain = effectiveDomain
	RPIDs           = rpIDs
)

// RPID is Page.rpID.
func RPID(p Page, said *string) (string, error) { return p.rpID(said) }
