package tasks

import (
	growth "github.com/zakibelm/astrogrowth"
)

// ConnectReason says why an account was not connected, in a word that a page has a text for.
type ConnectReason string

// The reasons. The comment says who can do something about it.
const (
	ConnectCancelled   ConnectReason = "cancelled"    // the member did not want to
	ConnectScope       ConnectReason = "scope"        // the application lacks a product at LinkedIn
	ConnectLinkUnknown ConnectReason = "link_unknown" // ask for another link
	ConnectLinkUsed    ConnectReason = "link_used"    // ask for another link
	ConnectBrowser     ConnectReason = "browser"      // the return does not belong to this browser
	ConnectOtherMember ConnectReason = "other_member" // sign in to LinkedIn as the right one
	ConnectCode        ConnectReason = "code"         // LinkedIn did not take its own code back
	ConnectSettings    ConnectReason = "settings"     // the operator
	ConnectUnreachable ConnectReason = "unreachable"  // try again later
	ConnectRefused     ConnectReason = "refused"      // LinkedIn said no in a word that nobody knows
	ConnectOurs        ConnectReason = "ours"         // a fault of ours
)

// ConnectError is why an account was not connected.
type ConnectError struct {
	Reason ConnectReason
	Err    error // nil when the reason says all
}

// Error names the reason.
func (e *ConnectError) Error() string {
	if e.Err == nil {
		return "connect account: " + string(e.Reason)
	}
	return "connect account: " + string(e.Reason) + ": " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *ConnectError) Unwrap() error { return e.Err }

// refusalOf reads LinkedIn's word for a refusal.
func refusalOf(word string) ConnectReason {
	switch word {
	case "user_cancelled_login", "user_cancelled_authorize", "access_denied":
		return ConnectCancelled
	case "unauthorized_scope_error", "invalid_scope":
		return ConnectScope
	case "unauthorized_client", "invalid_client", "invalid_redirect_uri":
		return ConnectSettings
	case "server_error", "temporarily_unavailable":
		return ConnectUnreachable
	}
	return ConnectRefused
}

func asConnectError(err error) *ConnectError {
	reason := ConnectOurs
	switch growth.CodeOf(err) {
	case growth.NotFound:
		reason = ConnectLinkUnknown
	case growth.Conflict:
		reason = ConnectLinkUsed
	case growth.Forbidden:
		reason = ConnectBrowser
	case growth.Unauthorized:
		reason = ConnectSettings
	case growth.KeyRejected:
		reason = ConnectCode
	case growth.Unavailable, growth.Throttled, growth.Malformed, growth.Canceled:
		reason = ConnectUnreachable
	default:
	}
	return &ConnectError{Reason: reason, Err: err}
}
