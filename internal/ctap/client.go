package ctap

import (
	"context"
	"fmt"

	"github.com/localpasskey/localpasskey/internal/cbor"
)

// Exchanger carries one request to an authenticator and brings its response
// back. When ctx ends it cancels the request and returns the response to that,
// or ctx's error. An error means that no response came.
type Exchanger interface {
	Exchange(ctx context.Context, request []byte) ([]byte, error)
}

// Client turns calls into bytes. It is an Authenticator, so whatever can be done
// to one in process can be done to one behind a door.
type Client struct {
	exchanger Exchanger
}

var _ Authenticator = (*Client)(nil)

// NewClient speaks through e.
func NewClient(e Exchanger) *Client { return &Client{exchanger: e} }

// MakeCredential sends authenticatorMakeCredential.
func (c *Client) MakeCredential(ctx context.Context, req *MakeCredentialRequest) (*MakeCredentialResponse, error) {
	return exchange[MakeCredentialResponse](ctx, c, CommandMakeCredential, req)
}

// GetAssertion sends authenticatorGetAssertion.
func (c *Client) GetAssertion(ctx context.Context, req *GetAssertionRequest) (*GetAssertionResponse, error) {
	return exchange[GetAssertionResponse](ctx, c, CommandGetAssertion, req)
}

// GetNextAssertion sends authenticatorGetNextAssertion.
func (c *Client) GetNextAssertion(ctx context.Context) (*GetAssertionResponse, error) {
	return exchange[GetAssertionResponse](ctx, c, CommandGetNextAssertion, nil)
}

// GetInfo sends authenticatorGetInfo.
func (c *Client) GetInfo(ctx context.Context) (*GetInfoResponse, error) {
	return exchange[GetInfoResponse](ctx, c, CommandGetInfo, nil)
}

// ClientPIN sends authenticatorClientPIN.
func (c *Client) ClientPIN(ctx context.Context, req *ClientPINRequest) (*ClientPINResponse, error) {
	return exchange[ClientPINResponse](ctx, c, CommandClientPIN, req)
}

// Reset sends authenticatorReset.
func (c *Client) Reset(ctx context.Context) error {
	_, err := c.send(ctx, CommandReset, nil)
	return err
}

// Selection sends authenticatorSelection.
func (c *Client) Selection(ctx context.Context) error {
	_, err := c.send(ctx, CommandSelection, nil)
	return err
}

// LargeBlobs sends authenticatorLargeBlobs.
func (c *Client) LargeBlobs(ctx context.Context, req *LargeBlobsRequest) (*LargeBlobsResponse, error) {
	return exchange[LargeBlobsResponse](ctx, c, CommandLargeBlobs, req)
}

// Config sends authenticatorConfig.
func (c *Client) Config(ctx context.Context, req *ConfigRequest) error {
	_, err := exchange[struct{}](ctx, c, CommandConfig, req)
	return err
}

// CredentialManagement sends authenticatorCredentialManagement.
func (c *Client) CredentialManagement(ctx context.Context, req *CredentialManagementRequest) (*CredentialManagementResponse, error) {
	return exchange[CredentialManagementResponse](ctx, c, CommandCredentialManagement, req)
}

// Vendor sends one of our own commands. A *Problem comes back as the error.
func (c *Client) Vendor(ctx context.Context, command Command, params cbor.Raw) (cbor.Raw, error) {
	response, err := c.exchanger.Exchange(ctx, append([]byte{byte(command)}, params...))
	if err != nil {
		return nil, err
	}
	return ReadVendorResponse(response)
}

// ReadVendorResponse is the other end of VendorResponse.
func ReadVendorResponse(response []byte) (cbor.Raw, error) {
	status, body, err := split(response)
	switch {
	case err != nil:
		return nil, err
	case status == StatusOK:
		return body, nil
	case len(body) == 0:
		return nil, status
	}
	problem := &Problem{Status: status}
	if err := cbor.Unmarshal(body, problem); err != nil {
		return nil, fmt.Errorf("why the daemon refuses: %w", err)
	}
	return nil, problem
}

// send makes the request and gives the response's body.
func (c *Client) send(ctx context.Context, command Command, params []byte) (cbor.Raw, error) {
	response, err := c.exchanger.Exchange(ctx, append([]byte{byte(command)}, params...))
	if err != nil {
		return nil, err
	}
	status, body, err := split(response)
	if err != nil {
		return nil, err
	}
	if status != StatusOK {
		return nil, status
	}
	return body, nil
}

func split(response []byte) (Status, cbor.Raw, error) {
	if len(response) == 0 {
		return Other, nil, fmt.Errorf("the authenticator answered nothing: %w", InvalidLength)
	}
	return Status(response[0]), cbor.Raw(response[1:]), nil
}

// exchange sends a command with req (nil for none) and decodes its answer.
func exchange[R any](ctx context.Context, c *Client, command Command, req any) (*R, error) {
	return converse[R](command, req, func(params cbor.Raw) (cbor.Raw, error) {
		return c.send(ctx, command, params)
	})
}

// Call sends the vendor command with request (nil for none) and decodes its
// answer into an R.
func Call[R any](ctx context.Context, a Authenticator, command Command, request any) (*R, error) {
	return converse[R](command, request, func(params cbor.Raw) (cbor.Raw, error) {
		return a.Vendor(ctx, command, params)
	})
}

// converse encodes, has send carry, and decodes. An answer without a body is the
// zero R.
func converse[R any](command Command, request any, send func(params cbor.Raw) (cbor.Raw, error)) (*R, error) {
	var params cbor.Raw
	if request != nil {
		var err error
		if params, err = cbor.Marshal(request); err != nil {
			return nil, err
		}
	}
	body, err := send(params)
	if err != nil {
		return nil, err
	}
	response := new(R)
	if len(body) == 0 {
		return response, nil
	}
	if err := cbor.Unmarshal(body, response); err != nil {
		return nil, fmt.Errorf("answer to command 0x%02x: %w", byte(command), err)
	}
	return response, nil
}
