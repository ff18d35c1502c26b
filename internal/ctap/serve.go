package ctap

import (
	"context"
	"errors"

	"github.com/localpasskey/localpasskey/internal/cbor"
)

// Serve answers one CTAP2 request: a command byte and, for most commands, one
// canonical CBOR item (CTAP 2.3 §8.1). The response is a status byte and, on
// success, the response item (§8.2). Any bytes give a response.
func Serve(ctx context.Context, a Authenticator, request []byte) []byte {
	if len(request) == 0 {
		return []byte{byte(InvalidLength)}
	}
	command, params := Command(request[0]), cbor.Raw(request[1:])
	if command >= firstVendor && command <= lastVendor {
		return serveVendor(ctx, a, command, params)
	}
	response, err := dispatch(ctx, a, command, params)
	if err != nil {
		return []byte{byte(StatusOf(err))}
	}
	return success(response)
}

func dispatch(ctx context.Context, a Authenticator, command Command, params cbor.Raw) (any, error) {
	switch command {
	case CommandMakeCredential:
		return call(ctx, params, a.MakeCredential)
	case CommandGetAssertion:
		return call(ctx, params, a.GetAssertion)
	case CommandClientPIN:
		return call(ctx, params, a.ClientPIN)
	case CommandCredentialManagement, CommandCredentialManagementPrototype:
		return call(ctx, params, a.CredentialManagement)
	case CommandLargeBlobs:
		return call(ctx, params, a.LargeBlobs)
	case CommandConfig:
		return call(ctx, params, unanswered(a.Config))
	case CommandGetInfo:
		return bare(ctx, params, a.GetInfo)
	case CommandGetNextAssertion:
		return bare(ctx, params, a.GetNextAssertion)
	case CommandReset:
		return bare(ctx, params, nothing(a.Reset))
	case CommandSelection:
		return bare(ctx, params, nothing(a.Selection))
	default:
		return nil, InvalidCommand
	}
}

// call decodes the one parameter map of a command and makes the call.
func call[Q, R any](ctx context.Context, params cbor.Raw, do func(context.Context, *Q) (*R, error)) (any, error) {
	if len(params) == 0 {
		return nil, MissingParameter
	}
	request := new(Q)
	if err := cbor.Unmarshal(params, request); err != nil {
		return nil, err
	}
	response, err := do(ctx, request)
	return presence(response), err
}

// bare makes the call of a command that has no parameters.
func bare[R any](ctx context.Context, params cbor.Raw, do func(context.Context) (*R, error)) (any, error) {
	if len(params) != 0 {
		return nil, InvalidLength
	}
	response, err := do(ctx)
	return presence(response), err
}

// presence turns a typed nil into an untyped one, so that success can see it.
func presence[R any](response *R) any {
	if response == nil {
		return nil
	}
	return response
}

func nothing(do func(context.Context) error) func(context.Context) (*struct{}, error) {
	return func(ctx context.Context) (*struct{}, error) { return nil, do(ctx) }
}

func unanswered[Q any](do func(context.Context, *Q) error) func(context.Context, *Q) (*struct{}, error) {
	return func(ctx context.Context, request *Q) (*struct{}, error) { return nil, do(ctx, request) }
}

func serveVendor(ctx context.Context, a Authenticator, command Command, params cbor.Raw) []byte {
	if len(params) != 0 {
		if err := cbor.Valid(params); err != nil {
			return []byte{byte(InvalidCBOR)}
		}
	}
	return VendorResponse(a.Vendor(ctx, command, params))
}

// VendorResponse encodes the answer to a command of ours: a status and, on success,
// the body; a *Problem is told in full.
func VendorResponse(body cbor.Raw, err error) []byte {
	if err == nil {
		return append([]byte{byte(StatusOK)}, body...)
	}
	out := []byte{byte(StatusOf(err))}
	if problem, ok := errors.AsType[*Problem](err); ok {
		if body, err := cbor.Marshal(problem); err == nil {
			out = append(out, body...)
		}
	}
	return out
}

// success encodes a response. An empty map is sent as no body at all, as every
// authenticator does for setPIN and the like.
func success(response any) []byte {
	if response == nil {
		return []byte{byte(StatusOK)}
	}
	body, err := cbor.Marshal(response)
	if err != nil {
		return []byte{byte(Other)}
	}
	const emptyMap = 0xA0
	if len(body) == 1 && body[0] == emptyMap {
		body = nil
	}
	return append([]byte{byte(StatusOK)}, body...)
}
