package wiring

import (
	"github.com/zakibelm/astrogrowth/internal/linkedin"
	"github.com/zakibelm/astrogrowth/tasks"
)

// simulatedApp is the application that the simulated LinkedIn is shown; it takes any.
const simulatedApp = "astrogrowth-simulated"

// OAuth makes the client of LinkedIn's authorization server, or of the simulator's. Without an application it is there
// and connects nothing.
func (b *Base) OAuth() *linkedin.OAuth {
	cfg := b.Config
	s := linkedin.OAuthSettings{
		URL: cfg.LinkedInOAuthURL, ClientID: cfg.LinkedInClientID, ClientSecret: cfg.LinkedInClientSecret.Reveal(),
		RedirectURI: cfg.LinkedInRedirectURI, PKCE: cfg.LinkedInPKCE,
	}
	if cfg.SimulatorWanted() {
		s.URL, s.ClientID, s.ClientSecret, s.PKCE = cfg.SimulatorURL+"/linkedin/oauth/v2", simulatedApp, simulatedApp, true
	}
	return linkedin.NewOAuth(s)
}

// Accounts makes what connects LinkedIn accounts and keeps them connected. wake tells the relay that jobs may go on.
func (b *Base) Accounts(wake func()) *tasks.Accounts {
	return &tasks.Accounts{
		Store: b.Store, OAuth: b.OAuth(), Members: b.LinkedIn(), Keys: b.Keyring, Simulated: b.Config.SimulatorWanted(),
		Wake: wake, Report: b.Report, Log: b.Log,
	}
}
