package ctaptest

import (
	"maps"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctaptest/blobs"
	"github.com/localpasskey/localpasskey/internal/ctaptest/party"
	"github.com/localpasskey/localpasskey/internal/ctaptest/signals"
	"github.com/localpasskey/localpasskey/internal/pinuv"
)

// What tests say a device and its person are.
type (
	// Device is party.Device.
	Device = party.Device
	// Person is party.Person.
	Person = party.Person
	// Touch is party.Touch.
	Touch = party.Touch
)

// The ways a person answers.
const (
	Auto = party.Auto
	Hold = party.Hold
	Deny = party.Deny
)

// NewPerson is party.NewPerson.
func NewPerson(touch Touch, delay time.Duration, pins ...string) *Person {
	return party.NewPerson(touch, delay, pins...)
}

// Run holds a device, made fresh by fresh for each case, to the contract.
func Run(t *testing.T, fresh func(t *testing.T) Device) {
	checks := blobs.Checks()
	maps.Copy(checks, signals.Checks())
	for name, check := range map[string]func(*rig){
		"info":                    checkInfo,
		"pin needed":              checkPINNeeded,
		"register and sign in":    checkRegisterAndSignIn,
		"built-in uv":             checkBuiltInUV,
		"pin life":                checkPINLife,
		"pin lockout":             checkLockout,
		"peer keys":               checkPeerKeys,
		"excluded":                checkExcluded,
		"accounts":                checkAccounts,
		"who is named":            checkWhoIsNamed,
		"protection":              checkProtection,
		"hmac-secret":             checkHMACSecret,
		"persistent token":        checkPersistentToken,
		"hmac-secret-mc":          checkHMACSecretMC,
		"cred blob":               checkCredBlob,
		"third-party payment":     checkThirdPartyPayment,
		"management":              checkManagement,
		"always-uv":               checkAlwaysUV,
		"always-uv without a pin": checkAlwaysUVWithoutPIN,
		"min pin length":          checkMinPINLength,
		"config refusals":         checkConfigRefusals,
		"tokens":                  checkTokens,
		"cancel":                  checkCancel,
		"silent probe":            checkSilentProbe,
		"channels":                checkChannels,
		"parameters":              checkParameters,
		"algorithms":              checkAlgorithms,
		"refusals":                checkRefusals,
		"selection":               checkSelection,
		"reset":                   checkReset,
	} {
		checks[name] = func(r *party.Rig) { check(&rig{r}) }
	}
	for name, check := range checks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			device := fresh(t)
			check(&party.Rig{T: t, Device: device, A: device.Open(t), Protocol: pinuv.Two})
		})
	}
}

// rig is a platform at work on a device, with what the checks share.
type rig struct{ *party.Rig }
