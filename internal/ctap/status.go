package ctap

import (
	"context"
	"errors"
	"fmt"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
)

// Status is the first byte of every CTAP2 response (CTAP 2.3 §8.2). Every value
// but StatusOK is an error.
type Status byte

// From the specification: §8.2, CTAP status codes.
const (
	StatusOK               Status = 0x00
	InvalidCommand         Status = 0x01
	InvalidParameter       Status = 0x02
	InvalidLength          Status = 0x03
	InvalidSeq             Status = 0x04
	Timeout                Status = 0x05
	ChannelBusy            Status = 0x06
	LockRequired           Status = 0x0A
	InvalidChannel         Status = 0x0B
	CBORUnexpectedType     Status = 0x11
	InvalidCBOR            Status = 0x12
	MissingParameter       Status = 0x14
	LimitExceeded          Status = 0x15
	FPDatabaseFull         Status = 0x17
	LargeBlobStorageFull   Status = 0x18
	CredentialExcluded     Status = 0x19
	Processing             Status = 0x21
	InvalidCredential      Status = 0x22
	UserActionPending      Status = 0x23
	OperationPending       Status = 0x24
	NoOperations           Status = 0x25
	UnsupportedAlgorithm   Status = 0x26
	OperationDenied        Status = 0x27
	KeyStoreFull           Status = 0x28
	UnsupportedOption      Status = 0x2B
	InvalidOption          Status = 0x2C
	KeepaliveCancel        Status = 0x2D
	NoCredentials          Status = 0x2E
	UserActionTimeout      Status = 0x2F
	NotAllowed             Status = 0x30
	PINInvalid             Status = 0x31
	PINBlocked             Status = 0x32
	PINAuthInvalid         Status = 0x33
	PINAuthBlocked         Status = 0x34
	PINNotSet              Status = 0x35
	PUATRequired           Status = 0x36
	PINPolicyViolation     Status = 0x37
	RequestTooLarge        Status = 0x39
	ActionTimeout          Status = 0x3A
	UPRequired             Status = 0x3B
	UVBlocked              Status = 0x3C
	IntegrityFailure       Status = 0x3D
	InvalidSubcommand      Status = 0x3E
	UVInvalid              Status = 0x3F
	UnauthorizedPermission Status = 0x40
	Other                  Status = 0x7F
)

// Error names the status as the specification does.
func (s Status) Error() string {
	if name, ok := statusNames()[s]; ok {
		return name
	}
	return fmt.Sprintf("CTAP status 0x%02x", byte(s))
}

// StatusOf is the only way from an error to the wire: a Status anywhere in the
// chain wins, a cancelled context is KeepaliveCancel, an expired one
// UserActionTimeout, a key off its curve InvalidParameter, malformed CBOR
// InvalidCBOR, and anything else Other. Only nil is StatusOK.
func StatusOf(err error) Status {
	var s Status
	switch {
	case err == nil:
		return StatusOK
	case errors.As(err, &s) && s != StatusOK:
		return s
	case errors.Is(err, context.Canceled):
		return KeepaliveCancel
	case errors.Is(err, context.DeadlineExceeded):
		return UserActionTimeout
	case errors.Is(err, cose.ErrKey):
		return InvalidParameter
	case errors.Is(err, cbor.ErrType):
		return CBORUnexpectedType
	case errors.Is(err, cbor.ErrMalformed):
		return InvalidCBOR
	default:
		return Other
	}
}

// statusNames are the names of §8.2.
func statusNames() map[Status]string {
	return map[Status]string{
		StatusOK:               "CTAP2_OK",
		InvalidCommand:         "CTAP1_ERR_INVALID_COMMAND",
		InvalidParameter:       "CTAP1_ERR_INVALID_PARAMETER",
		InvalidLength:          "CTAP1_ERR_INVALID_LENGTH",
		InvalidSeq:             "CTAP1_ERR_INVALID_SEQ",
		Timeout:                "CTAP1_ERR_TIMEOUT",
		ChannelBusy:            "CTAP1_ERR_CHANNEL_BUSY",
		LockRequired:           "CTAP1_ERR_LOCK_REQUIRED",
		InvalidChannel:         "CTAP1_ERR_INVALID_CHANNEL",
		CBORUnexpectedType:     "CTAP2_ERR_CBOR_UNEXPECTED_TYPE",
		InvalidCBOR:            "CTAP2_ERR_INVALID_CBOR",
		MissingParameter:       "CTAP2_ERR_MISSING_PARAMETER",
		LimitExceeded:          "CTAP2_ERR_LIMIT_EXCEEDED",
		FPDatabaseFull:         "CTAP2_ERR_FP_DATABASE_FULL",
		LargeBlobStorageFull:   "CTAP2_ERR_LARGE_BLOB_STORAGE_FULL",
		CredentialExcluded:     "CTAP2_ERR_CREDENTIAL_EXCLUDED",
		Processing:             "CTAP2_ERR_PROCESSING",
		InvalidCredential:      "CTAP2_ERR_INVALID_CREDENTIAL",
		UserActionPending:      "CTAP2_ERR_USER_ACTION_PENDING",
		OperationPending:       "CTAP2_ERR_OPERATION_PENDING",
		NoOperations:           "CTAP2_ERR_NO_OPERATIONS",
		UnsupportedAlgorithm:   "CTAP2_ERR_UNSUPPORTED_ALGORITHM",
		OperationDenied:        "CTAP2_ERR_OPERATION_DENIED",
		KeyStoreFull:           "CTAP2_ERR_KEY_STORE_FULL",
		UnsupportedOption:      "CTAP2_ERR_UNSUPPORTED_OPTION",
		InvalidOption:          "CTAP2_ERR_INVALID_OPTION",
		KeepaliveCancel:        "CTAP2_ERR_KEEPALIVE_CANCEL",
		NoCredentials:          "CTAP2_ERR_NO_CREDENTIALS",
		UserActionTimeout:      "CTAP2_ERR_USER_ACTION_TIMEOUT",
		NotAllowed:             "CTAP2_ERR_NOT_ALLOWED",
		PINInvalid:             "CTAP2_ERR_PIN_INVALID",
		PINBlocked:             "CTAP2_ERR_PIN_BLOCKED",
		PINAuthInvalid:         "CTAP2_ERR_PIN_AUTH_INVALID",
		PINAuthBlocked:         "CTAP2_ERR_PIN_AUTH_BLOCKED",
		PINNotSet:              "CTAP2_ERR_PIN_NOT_SET",
		PUATRequired:           "CTAP2_ERR_PUAT_REQUIRED",
		PINPolicyViolation:     "CTAP2_ERR_PIN_POLICY_VIOLATION",
		RequestTooLarge:        "CTAP2_ERR_REQUEST_TOO_LARGE",
		ActionTimeout:          "CTAP2_ERR_ACTION_TIMEOUT",
		UPRequired:             "CTAP2_ERR_UP_REQUIRED",
		UVBlocked:              "CTAP2_ERR_UV_BLOCKED",
		IntegrityFailure:       "CTAP2_ERR_INTEGRITY_FAILURE",
		InvalidSubcommand:      "CTAP2_ERR_INVALID_SUBCOMMAND",
		UVInvalid:              "CTAP2_ERR_UV_INVALID",
		UnauthorizedPermission: "CTAP2_ERR_UNAUTHORIZED_PERMISSION",
		Other:                  "CTAP1_ERR_OTHER",
	}
}
