package authenticator

import (
	"context"

	"github.com/localpasskey/localpasskey/internal/config"
	"github.com/localpasskey/localpasskey/internal/consent"
	"github.com/localpasskey/localpasskey/internal/credential"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/extension"
	"github.com/localpasskey/localpasskey/internal/largeblob"
	"github.com/localpasskey/localpasskey/internal/pinuv"
)

// How long a message may be, in bytes. CTAPHID could carry 7609 (CTAP 2.3 §11.2.4), but
// the kernel keeps 31 reports for a device of ours, and drops what comes when that is
// full: 28 reports fit, however busy the machine is. Longer ones are still taken.
const (
	maxMessageBytes    = 7609
	maxHIDMessageBytes = 57 + 27*59
)

// maxMessage is what getInfo promises of a door.
func maxMessage(door ctap.Door) uint {
	if door == ctap.DoorHID {
		return maxHIDMessageBytes
	}
	return maxMessageBytes
}

// versions are the CTAP versions that a door names. Firefox 140 takes a device that names
// one unknown to it for one without CTAP2.
func versions(door ctap.Door) []string {
	if door == ctap.DoorHID {
		return []string{"FIDO_2_1", "FIDO_2_0"}
	}
	return []string{"FIDO_2_3", "FIDO_2_1", "FIDO_2_0"}
}

// uvPasscodeInternal is USER_VERIFY_PASSCODE_INTERNAL of the FIDO registry: a PIN
// typed at the authenticator's own prompt.
const uvPasscodeInternal = 0x0004

// uvFingerprintInternal is USER_VERIFY_FINGERPRINT_INTERNAL.
const uvFingerprintInternal = 0x0002

// GetInfo is authenticatorGetInfo (CTAP 2.3 §6.4), derived from what there is. It
// waits for nobody's turn: platforms ask it first, and give up after a second.
func (ch *Channel) GetInfo(ctx context.Context) (*ctap.GetInfoResponse, error) {
	ch.discard()
	info, err := ch.a.info(ch.door)
	if err != nil {
		ch.a.failed(ctx, "getInfo", err)
		return nil, err
	}
	return info, nil
}

func (a *Authenticator) info(door ctap.Door) (*ctap.GetInfoResponse, error) {
	settings, err := a.store.Settings()
	if err != nil {
		return nil, err
	}
	count, err := a.store.Count()
	if err != nil {
		return nil, err
	}
	left := uint(max(0, maxCredentials-count))
	info := &ctap.GetInfoResponse{
		Versions:                         versions(door),
		Extensions:                       extension.Supported(),
		AAGUID:                           a.aaguid,
		Options:                          a.options(door, settings),
		MaxMessageSize:                   maxMessage(door),
		PINUVAuthProtocols:               []pinuv.Protocol{pinuv.Two, pinuv.One},
		MaxCredentialCountInList:         maxMessage(door) / (2 * credential.IDBytes),
		MaxCredentialIDLength:            credential.IDBytes,
		Transports:                       []string{"internal", "usb"},
		TransportsForReset:               []string{"internal", "usb"},
		ForcePINChange:                   &settings.ForcePINChange,
		MinPINLength:                     settings.MinPINLength,
		RemainingDiscoverableCredentials: &left,
		AttestationFormats:               []string{formatPacked, formatNone},
		MaxPINLength:                     consent.MaxPINBytes,
		MaxSerializedLargeBlobArray:      largeblob.MaxArrayBytes,
		MaxCredBlobLength:                extension.MaxBlobBytes,
		MaxRPIDsForSetMinPINLength:       config.MaxRPIDs,
		AuthenticatorConfigCommands:      a.config.Supported(),
	}
	for _, algorithm := range a.keys.Algorithms() {
		info.Algorithms = append(info.Algorithms, ctap.Parameter{Algorithm: algorithm, Type: ctap.PublicKeyType})
	}
	if a.gate.BuiltInUV != nil {
		info.UVModality = uvPasscodeInternal
		info.PreferredPlatformUVAttempts = 1      // the prompt itself asks again
		info.UVCountSinceLastPINEntry = new(uint) // all but fingers are entries of the PIN
	}
	if settings.FingerSeconds > 0 && a.fingers != nil {
		info.UVModality |= uvFingerprintInternal
		*info.UVCountSinceLastPINEntry = a.fingers()
	}
	if a.u2f.Offered() {
		info.Versions = append(info.Versions, "U2F_V2")
	}
	return info, a.gate.Tell(info)
}

// options are the boolean capabilities (§6.4.1). An option that is absent is not
// supported; uv and clientPin are false where there is nothing set yet.
func (a *Authenticator) options(door ctap.Door, settings Settings) map[string]bool {
	o := map[string]bool{
		"rk":               true,
		"up":               true,
		"plat":             door == ctap.DoorSocket,
		"clientPin":        a.pin.IsSet(),
		"pinUvAuthToken":   true,
		"credMgmt":         true,
		"perCredMgmtRO":    true,
		"alwaysUv":         settings.AlwaysUV,
		"authnrCfg":        true,
		"largeBlobs":       true,
		"setMinPINLength":  true,
		"makeCredUvNotRqd": false,
	}
	if a.gate.BuiltInUV != nil {
		o["uv"] = a.gate.CanVerify()
		o["uvAcfg"] = true
	}
	return o
}
