package capability

import "errors"

// Errors to compare with errors.Is.
var (
	// ErrPattern marks a pattern that is malformed or hostile.
	ErrPattern = errors.New("invalid resource pattern")
	// ErrResource marks a resource string that no pattern may match.
	ErrResource = errors.New("invalid resource")
	// ErrToken marks bytes that are not a token, or a request that cannot become one.
	ErrToken = errors.New("invalid capability token")
	// ErrSignature marks a token whose signature does not fit, or whose issuer is not trusted.
	ErrSignature = errors.New("capability token not signed by a trusted key")
	// ErrExpired marks a token that is past its end, or not yet begun.
	ErrExpired = errors.New("capability token expired")
	// ErrRevoked marks a token that was taken back.
	ErrRevoked = errors.New("capability token revoked")
	// ErrUsed marks a single-use token that has been claimed.
	ErrUsed = errors.New("single-use capability token already used")
	// ErrNotFound says that no token covers a resource, or that no token has an id.
	ErrNotFound = errors.New("no such capability token")
	// ErrKeyFile marks a key file that cannot be trusted: wrong kind, mode, owner or length.
	ErrKeyFile = errors.New("unusable key file")
	// ErrKeyClosed marks use of a key after Close.
	ErrKeyClosed = errors.New("key closed")
)
